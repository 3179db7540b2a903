//! R12, R37: the tables of a database are made, and brought up to date, wherever that is killed.

use std::process::{Command, Stdio};
use std::sync::Arc;

use rosterd::store::failpoints::Point;

use crate::support::TestDaemon;
use crate::support::bodies::user;
use crate::support::ground::{self, lay};

/// The steps that this build knows.
const STEPS: u64 = 3;
/// As step 1 left the tables.
const BACK_TO_STEP_1: &str = "DROP TABLE rosterd.filling; DELETE FROM rosterd.migrations WHERE step > 1";

/// Has the tables made by a process that dies at a point, after it was passed so many times; tells whether it did.
fn dies(home: &std::path::Path, point: Point, passes: u64) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    command.args(["store", "migrate"]).env_clear().envs(ground::variables(home)).stdin(Stdio::null());
    let done =
        command.env("ROSTERD_FAILPOINTS", format!("{}=crash@{passes}", point.name())).output().unwrap();
    assert!(done.status.code().is_none_or(|code| code == 0 || code > 100), "{done:?}");
    !done.status.success()
}

#[test]
fn r12_r13_r37_making_the_tables_is_taken_up_wherever_it_was_killed() {
    let Some(laid) = lay() else { return };
    for point in Point::OF_MIGRATING {
        for passes in 0..STEPS {
            let home = Arc::new(tempfile::tempdir().unwrap());
            assert!(dies(home.path(), point, passes), "{point:?} is passed at each step");
            let database = std::fs::read_to_string(home.path().join("database")).unwrap();
            // A step is there with its note, or neither is.
            let number = |statement: &str| laid.ground.server.number(&database, statement);
            let noted = number("SELECT count(*) FROM rosterd.migrations");
            let expected = if point == Point::MigrateAfter { passes + 1 } else { passes };
            assert_eq!(noted, i64::try_from(expected).unwrap(), "{point:?} after {passes}");
            let tables = number("SELECT count(*) FROM pg_tables WHERE schemaname = 'rosterd'");
            assert_eq!(tables, [1, 5, 6, 6][usize::try_from(expected).unwrap()], "{point:?} after {passes}");
            let daemon = TestDaemon::start_with(&home, &[], |_| {});
            let _ = daemon.client().post("/Users", &user("ada")).expect(201);
            daemon.must_be_sound();
        }
    }
}

#[test]
fn r12_r13_a_database_of_the_step_before_is_brought_up_to_date_wherever_that_is_killed_and_keeps_everything()
{
    let Some(laid) = lay() else { return };
    let home = Arc::new(tempfile::tempdir().unwrap());
    let mut daemon = TestDaemon::start_with(&home, &[], |_| {});
    let id = daemon.client().post("/Users", &user("ada")).expect(201).id();
    let database = std::fs::read_to_string(home.path().join("database")).unwrap();
    assert!(daemon.terminate().0.success());
    for point in Point::OF_MIGRATING {
        laid.ground.server.tell(&database, BACK_TO_STEP_1);
        // The steps that were taken are passed as well.
        assert!(dies(home.path(), point, STEPS - 2), "{point:?}");
        let mut daemon = TestDaemon::start_with(&home, &[], |_| {});
        let _ = daemon.client().get(&format!("/Users/{id}")).expect(200);
        let _ = daemon.client().post("/Users", &user(point.name())).expect(201);
        daemon.must_be_sound();
        assert!(daemon.terminate().0.success());
    }
}
