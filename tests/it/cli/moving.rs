//! From redb to PostgreSQL and back by `rosterd store import` and `restore`: nothing is changed on the way, what was broken off is no store and goes on, and nothing is written over.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rosterd::store::failpoints::Point;
use serde_json::json;
use tempfile::TempDir;

use super::{Ran, Site, rosterd, run};
use crate::support::bodies::{group, replace, user};
use crate::support::ground::{self, lay};
use crate::support::{Client, TestDaemon};

/// A certificate's bytes in base64: by a few of them somebody is large, and a roster is written in several commits.
const LARGE: usize = 60_000;

/// Runs the program with a database in place of a folder.
fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    command.args(arguments).arg("--data").arg(home.join("data")).env_clear();
    command.envs(ground::variables(home)).stdin(Stdio::null());
    command
}

fn on_database(home: &Path, arguments: &[&str]) -> Ran {
    run(&mut command(home, arguments))
}

/// A folder at rest with people who work in a group, of whom some have left, and what is large.
fn peopled(large: usize) -> Site {
    let mut site = Site::served();
    let client = site.serve().client();
    let ids: Vec<String> = (0..12)
        .map(|number| client.post("/Users", &user(&format!("user-{number}"))).expect(201).id())
        .collect();
    let members: Vec<&str> = ids.iter().map(String::as_str).collect();
    let _ = client.post("/Groups", &group("all", &members)).expect(201);
    let _ = client.patch(&format!("/Users/{}", ids[1]), &replace("title", "chief")).expect(200);
    assert_eq!(client.delete(&format!("/Users/{}", ids[2])).status, 204);
    for number in 0..large {
        let mut body = user(&format!("large-{number}"));
        let bytes = |letter: &str| json!({ "value": letter.repeat(LARGE), "display": letter });
        body["x509Certificates"] = json!([bytes("QUFB"), bytes("QkJC")].map(|mut one| {
            one["value"] = one["value"].as_str().unwrap()[..LARGE].into();
            one
        }));
        let _ = client.post("/Users", &body).expect(201);
    }
    site.stop();
    site
}

fn file(site: &Site, name: &str) -> String {
    site.home.path().join(name).display().to_string()
}

/// Everything that can be seen from outside.
fn seen(ran: &dyn Fn(&[&str]) -> Ran) -> Vec<String> {
    [
        &["audit", "export", "--tenant", "main"][..],
        &["export", "--tenant", "main", "--format", "json", "--financials"],
        &["token", "list", "--json"],
        &["connection", "list", "--json"],
        &["audit", "verify"],
        &["check"],
    ]
    .map(|arguments| ran(arguments).done().out)
    .to_vec()
}

/// The rows of an export, without what it says of itself.
fn rows(path: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
    lines.pop();
    assert!(lines.len() > 20, "{path}");
    lines
}

/// A home whose database is empty, with the folder's key in its place.
fn beside(site: &Site) -> Arc<TempDir> {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let settings = ground::settings(home.path());
    let place = settings.iter().find(|(key, _)| *key == "data.seal_key_file").unwrap();
    let (key, place) = (site.data().join("seal.key"), PathBuf::from(&place.1));
    if key.exists() && !place.exists() {
        std::fs::copy(&key, place).unwrap();
    }
    home
}

fn must_answer(client: &Client) {
    let found = client.find("/Users", "userName eq \"user-1\"").expect(200).json();
    assert_eq!(found["Resources"][0]["title"], "chief");
    assert_eq!(client.find("/Users", "userName eq \"user-2\"").expect(200).json()["totalResults"], 0);
    let all = client.find("/Groups", "displayName eq \"all\"").expect(200).json();
    assert_eq!(all["Resources"][0]["members"].as_array().unwrap().len(), 11);
}

#[test]
fn r11_r13_a_roster_moves_to_postgresql_and_back_to_the_last_byte() {
    let site = peopled(0);
    let (lines, saved) = (file(&site, "all.jsonl"), file(&site, "all.backup"));
    site.run(&["store", "export", &lines]).done();
    site.run(&["backup", &saved]).done();
    let expected = seen(&|arguments| site.run(arguments));
    let Some(_laid) = lay() else { return };

    // By either file.
    let homes = [(&["store", "import"][..], &lines), (&["restore"], &saved)].map(|(arguments, from)| {
        let home = beside(&site);
        let ran = on_database(home.path(), &[arguments, &[from]].concat()).done();
        for part in ["the database d", "compared with the file", "Everything fits together."] {
            assert!(ran.err.contains(part), "{part}: {ran:?}");
        }
        assert_eq!(seen(&|arguments| on_database(home.path(), arguments)), expected);
        home
    });
    let out = file(&site, "out.jsonl");
    on_database(homes[0].path(), &["store", "export", &out]).done();
    assert_eq!(rows(&out), rows(&lines), "to the last byte");
    let again = file(&site, "out.backup");
    on_database(homes[1].path(), &["backup", &again]).done();
    let digest = |file: &str| {
        let said = site.run(&["backup", "--verify", file]).done().out;
        said.split("SHA-256").nth(1).unwrap().to_owned()
    };
    assert_eq!(digest(&again), digest(&saved));
    assert!(site.run(&["backup", "--verify", &again]).done().out.contains("from postgres"));

    // A daemon works there; the token is the old one.
    let mut daemon = TestDaemon::start_with(&homes[0], &[], |_| {});
    must_answer(&daemon.client());
    let _ = daemon.client().post("/Users", &user("user-0")).expect(409);
    let _ = daemon.client().post("/Users", &user("later")).expect(201);
    daemon.must_be_sound();
    // An export of a daemon that runs, and one of the database that it has left.
    let busy = file(&site, "busy.jsonl");
    on_database(homes[0].path(), &["store", "export", &busy]).done();
    assert!(daemon.terminate().0.success());
    let back = file(&site, "back.jsonl");
    on_database(homes[0].path(), &["store", "export", &back]).done();
    let new = site.home.path().join("new");
    rosterd(&new, &["store", "import", &back]).done();
    let returned = file(&site, "returned.jsonl");
    rosterd(&new, &["store", "export", &returned]).done();
    assert_eq!(rows(&returned), rows(&back));
    assert_eq!(
        seen(&|arguments| rosterd(&new, arguments)),
        seen(&|arguments| on_database(homes[0].path(), arguments))
    );
    assert!(rows(&busy).len() > rows(&lines).len());
}

#[test]
fn r11_r13_nothing_is_written_over_and_two_copies_are_not_mixed() {
    let mut site = peopled(0);
    let (first, second) = (file(&site, "first.backup"), file(&site, "second.backup"));
    site.run(&["backup", &first]).done();
    let _ = site.serve().client().post("/Users", &user("later")).expect(201);
    site.stop();
    site.run(&["backup", &second]).done();
    let Some(laid) = lay() else { return };
    let home = beside(&site);
    let refused = |from: &str| on_database(home.path(), &["restore", from]).failed();

    on_database(home.path(), &["restore", &first]).done();
    let expected = seen(&|arguments| on_database(home.path(), arguments));
    let line = refused(&first);
    assert!(line.contains("has data already") && line.contains("this very copy"), "{line}");
    let line = refused(&second);
    assert!(line.contains("has data already (rows of a roster)") && line.contains("DROP SCHEMA"), "{line}");
    let daemon = TestDaemon::start_with(&home, &[], |_| {});
    let line = refused(&second);
    assert!(line.contains("a daemon with this folder is running"), "{line}");
    // The operator's own folder is another than the daemon's, on another machine.
    let elsewhere = tempfile::tempdir().unwrap();
    ground::share(home.path(), elsewhere.path());
    let line = on_database(elsewhere.path(), &["restore", &second]).failed();
    assert!(line.contains("has data already"), "{line}");
    let _ = daemon.client().post("/Users", &user("works-on")).expect(201);
    drop(daemon);
    assert_eq!(seen(&|arguments| on_database(home.path(), arguments))[2], expected[2]);

    // Emptied as the sentence says, it takes the other one.
    let database = std::fs::read_to_string(home.path().join("database")).unwrap();
    laid.ground.server.tell(&database, "DROP SCHEMA rosterd CASCADE");
    on_database(home.path(), &["restore", &second]).done();
    must_answer(&TestDaemon::start_with(&home, &[], |_| {}).client());

    // Nothing is taken from a damaged file, and nothing is made for it.
    let broken = file(&site, "broken.backup");
    let mut bytes = std::fs::read(&first).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&broken, bytes).unwrap();
    let fresh = beside(&site);
    let line = on_database(fresh.path(), &["restore", &broken]).failed();
    assert!(line.contains("damaged at byte"), "{line}");
    let database = std::fs::read_to_string(fresh.path().join("database")).unwrap();
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'rosterd'";
    assert_eq!(laid.ground.server.number(&database, tables), 0);
}

#[test]
fn r11_r13_r37_filling_a_database_that_is_killed_at_any_step_is_no_store_and_goes_on() {
    let site = peopled(140);
    let (saved, other) = (file(&site, "all.backup"), file(&site, "other.backup"));
    site.run(&["backup", &saved]).done();
    let small = peopled(0);
    small.run(&["backup", &other]).done();
    let expected = seen(&|arguments| site.run(arguments));
    let Some(laid) = lay() else { return };
    let mut half = 0;
    for (point, passes) in [
        (Point::BeginBefore, 0),
        (Point::FillBefore, 0),
        (Point::FillBefore, 1),
        (Point::RowsBetween, 0),
        (Point::RowsBetween, 1),
        (Point::CommitBefore, 1),
        (Point::CommitSent, 1),
        (Point::FillAfter, 0),
        (Point::FillAfter, 2),
        (Point::LabelBefore, 0),
        (Point::LabelAfter, 0),
        (Point::LabelBefore, 1),
        (Point::LabelAfter, 1),
    ] {
        let home = beside(&site);
        let mut dying = command(home.path(), &["restore", &saved]);
        let died = run(dying.env("ROSTERD_FAILPOINTS", format!("{}=crash@{passes}", point.name())));
        assert!(died.code.is_none_or(|code| code > 100), "{point:?} after {passes}: {died:?}");

        let database = std::fs::read_to_string(home.path().join("database")).unwrap();
        let number = |statement: &str| laid.ground.server.number(&database, statement);
        let noted = number("SELECT written FROM rosterd.filling");
        let documents = number("SELECT count(*) FROM rosterd.documents");
        let all = documents + number("SELECT count(*) FROM rosterd.small");
        assert_eq!(noted, all, "{point:?} after {passes}: what was counted is what is there");
        half += usize::from(documents > 0 && documents == all);
        if point == Point::BeginBefore {
            // Nothing was begun: it is as empty as before.
            on_database(home.path(), &["restore", &other]).done();
            continue;
        }
        if (point, passes) == (Point::LabelAfter, 1) {
            // All was done.
            let line = on_database(home.path(), &["restore", &saved]).failed();
            assert!(line.contains("this very copy"), "{line}");
            assert_eq!(seen(&|arguments| on_database(home.path(), arguments)), expected);
            continue;
        }

        // It is no store, for nobody.
        let line = on_database(home.path(), &["check"]).failed();
        assert!(line.contains("is not whole") && line.contains("rosterd restore"), "{line}");
        let refused = run(&mut TestDaemon::command(home.path(), &[]));
        assert!(refused.code == Some(1) && refused.err.contains("is not whole"), "{refused:?}");
        let line = on_database(home.path(), &["tenant", "create", "acme"]).failed();
        assert!(line.contains("is not whole"), "{line}");
        // Nor is another copy mixed in.
        let line = on_database(home.path(), &["restore", &other]).failed();
        assert!(line.contains("filled from another copy"), "{line}");

        let ran = on_database(home.path(), &["restore", &saved]).done();
        assert_eq!(all > 0, ran.err.contains("rows were there already"), "{ran:?}");
        assert_eq!(
            seen(&|arguments| on_database(home.path(), arguments)),
            expected,
            "{point:?} after {passes}"
        );
    }
    assert!(half >= 3, "{half}: several commits, so that some broke off in the middle");
    let home = beside(&site);
    on_database(home.path(), &["restore", &saved]).done();
    must_answer(&TestDaemon::start_with(&home, &[], |_| {}).client());
}
