//! R2, H06: mails of a daemon that is killed again and again. What was acknowledged is mailed; what is mailed twice is the same mail by its id.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::body;
use super::mail::Server;
use crate::support::{Dice, TestDaemon, repeats, until};

/// The ids of the mails that each address was sent, with what each opens.
fn by_address(taken: &Mutex<Vec<Value>>) -> BTreeMap<String, Vec<(String, String)>> {
    let mut by_address: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for mail in taken.lock().unwrap().iter() {
        // Each life of the daemon listens elsewhere, and its links begin with where that is.
        let link = |line: &str| line.split_once("/invite/").map(|(_, token)| token.to_owned());
        let opens = mail["plain"].as_str().unwrap().lines().find_map(link).unwrap_or_default();
        let id = mail["headers"]["message-id"].as_str().unwrap();
        let to = mail["to"][0].as_str().unwrap();
        by_address.entry(to.to_owned()).or_default().push((id.to_owned(), opens));
    }
    by_address
}

#[test]
fn r2_h06_whoever_was_saved_is_mailed_however_often_the_daemon_is_killed_and_a_second_copy_is_the_same_mail()
{
    let Some(mut server) = Server::start(&[]) else { return };
    let taken = server.collected();
    let home = Arc::new(tempfile::tempdir().unwrap());
    let file = home.path().join("rosterd.toml");
    let settings = format!(
        r#"
[sign_in]
method = "password"
login_instructions = true
[mail]
host = "127.0.0.1"
port = {port}
tls = "none"
from = "roster@acme.test"
[net]
allow = ["127.0.0.1:{port}"]
"#,
        port = server.port()
    );
    std::fs::write(&file, settings).unwrap();
    let on = |command: &mut Command| {
        command.arg("--config").arg(&file);
    };
    let mut dice = Dice::new(5);
    let mut daemon = TestDaemon::start_with(&home, &[], on);
    let mut saved = BTreeSet::new();
    for round in 0..repeats(12, 100) {
        for n in 0..=dice.below(5) {
            let name = format!("somebody-{round}-{n}");
            drop(daemon.client().post("/Users", &body(&name)).expect(201));
            saved.insert(format!("{name}@acme.test"));
        }
        std::thread::sleep(Duration::from_millis(dice.below(40) as u64));
        daemon = daemon.kill_and_restart_with(on);
    }
    until("everybody is mailed", || by_address(&taken).len() == saved.len());
    assert!(daemon.terminate().0.success(), "what is under way is handed over first");
    let mailed = by_address(&taken);
    assert_eq!(mailed.keys().cloned().collect::<BTreeSet<_>>(), saved);
    for (address, mails) in &mailed {
        assert!(mails.iter().all(|mail| mail == &mails[0] && !mail.1.is_empty()), "{address}: {mails:?}");
    }
    let copies = mailed.values().map(|mails| mails.len() - 1).sum::<usize>();
    eprintln!("{} people, {copies} second copies", mailed.len());
}
