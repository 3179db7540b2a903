//! X9, X3: what one daemon is told holds at the other within a second. And what one daemon does for all is done by one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rosterd::roster::{Command, LOCAL_NAME, Reply};
use rosterd::store::Store;
use rosterd::store::postgres;

use crate::support::bodies::{replace, user};
use crate::support::ground::{lay, on_postgresql};
use crate::support::{Client, Engine, TestApp};

/// How soon.
const WITHIN: Duration = Duration::from_secs(1);
/// How often that is tried.
const TRIALS: usize = 100;

/// A token of the built-in connection that acts as a person.
fn bound_to(app: &TestApp, person: &str) -> String {
    let reply = app.operate(Command::TokenCreate {
        tenant: "main".to_owned(),
        connection: LOCAL_NAME.to_owned(),
        scopes: vec!["users:read".to_owned()],
        days: Some(30),
        secret: None,
        person: Some(person.to_owned()),
    });
    let Reply::Token { secret, .. } = reply else { panic!("{reply:?}") };
    String::clone(&secret)
}

/// How long a client is let in after something was done.
fn until_refused(client: &Client) -> Duration {
    let since = Instant::now();
    loop {
        let status = client.get("/Users?count=0").status;
        let after = since.elapsed();
        if status == 401 {
            return after;
        }
        assert_eq!(status, 200);
        assert!(after < 20 * WITHIN, "let in for ever");
    }
}

#[test]
pub(super) fn x9_r13_who_is_locked_at_one_daemon_is_dead_at_the_other_within_a_second_a_hundred_times() {
    on_postgresql(|| {
        let here = TestApp::on(Engine::Redb);
        let there = TestApp::beside(&here);
        let mut longest = Duration::ZERO;
        for number in 0..TRIALS {
            let id = here.post("/Users", &user(&format!("person-{number}"))).expect(201).id();
            let client = there.with(&bound_to(&here, &id));
            // It is known there, and remembered.
            let _ = client.get("/Users?count=0").expect(200);
            let _ = here.patch(&format!("/Users/{id}"), &replace("active", false)).expect(200);
            longest = longest.max(until_refused(&client));
        }
        eprintln!("from the lock here to the refusal there: {longest:?} at the most, of {TRIALS}");
        assert!(longest < WITHIN, "{longest:?}");
    });
}

#[test]
fn x3_r13_a_token_that_is_revoked_at_one_daemon_is_refused_at_the_other_within_a_second_a_hundred_times() {
    on_postgresql(|| {
        let here = TestApp::on(Engine::Redb);
        let there = TestApp::beside(&here);
        let mut longest = Duration::ZERO;
        for _ in 0..TRIALS {
            let (client, id) = here.issue("main", LOCAL_NAME, &["users:read"]);
            let client = there.with(client.token());
            let _ = client.get("/Users?count=0").expect(200);
            here.operate(Command::TokenRevoke { id });
            longest = longest.max(until_refused(&client));
        }
        eprintln!("from revoking here to the refusal there: {longest:?} at the most, of {TRIALS}");
        assert!(longest < WITHIN, "{longest:?}");
    });
}

#[test]
fn x9_r13_a_daemon_that_does_not_hear_of_changes_relies_on_nothing_that_it_remembers() {
    let Some(laid) = lay() else { return };
    let here = TestApp::on(Engine::Redb);
    let deaf =
        Arc::new(postgres::open(&laid.ground.server.options(&here.config().postgres.database)).unwrap());
    let there = TestApp::beside_with(&here, Arc::clone(&deaf) as Arc<dyn Store>);
    let (client, id) = here.issue("main", LOCAL_NAME, &["users:read"]);
    let client = there.with(client.token());
    let _ = client.get("/Users?count=0").expect(200);
    deaf.silence(true);
    // A look that was under way is over by then.
    std::thread::sleep(WITHIN / 4);
    here.operate(Command::TokenRevoke { id });
    let after = until_refused(&client);
    eprintln!("from revoking here to the refusal at one that does not hear of it: {after:?}");
    assert!(after < WITHIN, "{after:?}");
    // What is still good is let in, by a look at the store. The refusal may have come sooner, where the daemon wrote something itself and looked for that reason.
    let until = Instant::now() + WITHIN;
    while deaf.is_current() {
        assert!(Instant::now() < until, "what it remembers counts, though it hears of nothing");
        std::thread::sleep(WITHIN / 50);
    }
    let _ = there.get("/Users?count=0").expect(200);
}

#[test]
pub(super) fn r13_what_is_written_at_one_daemon_is_read_at_the_other() {
    on_postgresql(|| {
        let here = TestApp::on(Engine::Redb);
        let there = TestApp::beside(&here);
        for number in 0..20 {
            let (one, other) = if number % 2 == 0 { (&here, &there) } else { (&there, &here) };
            let id = one.post("/Users", &user(&format!("p{number}"))).expect(201).id();
            let seen = other.get(&format!("/Users/{id}")).expect(200);
            assert_eq!(seen.json()["userName"], format!("p{number}"));
            assert_eq!(other.post("/Users", &user(&format!("P{number}"))).status, 409);
        }
        assert_eq!(here.roster().store().check(&mut |_| {}).unwrap(), vec![]);
    });
}

#[test]
pub(super) fn r3_r13_of_sixteen_creates_of_one_name_at_two_daemons_one_succeeds() {
    on_postgresql(|| {
        let here = TestApp::on(Engine::Redb);
        let there = TestApp::beside(&here);
        for round in 0..10 {
            let statuses: Vec<u16> = std::thread::scope(|scope| {
                let asked: Vec<_> = (0..16)
                    .map(|number| {
                        let client = Client::clone(if number % 2 == 0 { &here } else { &there });
                        scope.spawn(move || client.post("/Users", &user(&format!("name-{round}"))).status)
                    })
                    .collect();
                asked.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
            assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
        }
    });
}
