//! A firm moves to a database and back: whoever is signed in stays so, what was sealed opens, and nobody learns anything else than before.

use std::sync::Arc;

use rosterd::app::{Rim, open_roster, open_to_fill, seal_key_path};
use rosterd::archive::{Header, Shape, fill, source_of, verify as verify_file, write};
use rosterd::config::Config;
use rosterd::roster::{Command, Reply};
use serde_json::{Value, json};

use super::{FILE, PSA, firm, hire, local, proven, published, sign_in, verify};
use crate::support::bodies::{group, replace};
use crate::support::ground::lay;
use crate::support::{Engine, TestApp};

/// Takes everything from the store of one configuration to that of another, as `rosterd backup` and `restore` do, and the key with it.
fn bring(from: &Config, to: &Config) {
    let roster = open_roster(from, &Rim::default()).unwrap();
    let header = Header::new(roster.current_time(), from.store.engine.name());
    let mut file = Vec::new();
    write(&*roster.store().rows().unwrap(), &header, Shape::Backup, &mut file, &mut |_| {}).unwrap();
    let found = verify_file(&*file, Shape::Backup, &mut |_| {}).unwrap();
    let into = open_to_fill(to, &Rim::default(), &source_of(&found)).unwrap();
    let filled = fill(into, &*file, Shape::Backup, &found, &mut |_| {}).unwrap();
    assert_eq!((filled.written, filled.findings), (found.digest.rows, vec![]));
    std::fs::copy(seal_key_path(from), seal_key_path(to)).unwrap();
}

/// What people, groups and rates look like, and the history.
fn told(app: &TestApp) -> Vec<Value> {
    let client = local(app);
    let list = |path: &str| client.get(&format!("{path}?count=100")).expect(200).json();
    vec![list("/Users"), list("/Groups"), list("/LicensePools"), list("/UserTypes")]
}

fn history(app: &TestApp) -> Vec<String> {
    let reply = app.operate(Command::AuditPage { tenant: Some("main".to_owned()), after: 0, limit: 1000 });
    let Reply::Audit { rows, .. } = reply else { panic!("{reply:?}") };
    rows.iter().map(|row| format!("{row:?}")).collect()
}

#[test]
fn r11_r13_x66_a_firm_moves_to_postgresql_and_back_and_whoever_is_signed_in_notices_nothing() {
    let mut app = firm(Engine::Redb);
    let admin = local(&app);
    let rates = json!([{ "startDate": "2026-01-01", "amount": "51.70", "currency": "EUR" }]);
    let ada = hire(&admin, "ada", &json!({ PSA: { "costRates": rates } }));
    let bert = hire(&admin, "bert", &json!({}));
    let _ = admin.post("/Groups", &group("staff", &[&ada, &bert])).expect(201);
    let (ada_here, bert_here) = (sign_in(&app, &ada), sign_in(&app, &bert));
    let _ = admin.patch(&format!("/Users/{bert}"), &replace("active", false)).expect(200);
    let (reader, _) = app.issue("main", "local", &["users:read"]);
    let (revoked, id) = app.issue("main", "local", &["users:read"]);
    app.operate(Command::TokenRevoke { id });
    let assertion = |app: &TestApp, cookie: &str| {
        verify(app, "psa", cookie).expect(200).header("x-rosterd-assertion").unwrap().to_owned()
    };
    let before = assertion(&app, &ada_here);
    let keys = published(&app);
    let (people, past) = (told(&app), history(&app));
    assert!(people[0].to_string().contains("51.70"), "{people:?}");

    let as_before = |app: &TestApp| {
        assert_eq!(told(app), people);
        assert_eq!(history(app)[..past.len()], past, "nothing is rewritten");
        let answer = app.with(reader.token()).get("/Users?count=0");
        assert_eq!((answer.status, app.with(revoked.token()).get("/Users?count=0").status), (200, 401));
        assert_eq!(verify(app, "psa", &bert_here).status, 401, "who is locked stays out");
        // Signed anew, by the same key, of which the store holds the private half sealed.
        app.clock().advance(60);
        let after = assertion(app, &ada_here);
        assert_ne!(after, before);
        assert!(proven(&keys, &after).is_some(), "by a key of before");
        assert!(proven(&published(app), &before).is_some(), "which is still published");
    };
    let Some(laid) = lay() else { return };
    let there = app.settings(FILE, &[]);
    assert_eq!(there.store.engine.name(), "postgres");
    app.restart_with(there, bring);
    as_before(&app);
    // The server has to be there while everything is taken out of it.
    let server = Arc::clone(&laid.ground);
    drop(laid);
    let folder = tempfile::tempdir().unwrap();
    let back = app.settings(FILE, &[("data.dir", folder.path().to_str().unwrap())]);
    assert_eq!(back.store.engine.name(), "redb");
    app.restart_with(back, bring);
    drop(server);
    as_before(&app);
}
