//! R16: thirty times kill -9 while changes are made, before a receiver that fails and stalls. At the end it has everything.

use std::collections::{BTreeMap, HashMap};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::hooked::figure;
use super::{Mood, Receiver};
use crate::support::bodies::{replace, user};
use crate::support::{Dice, Request, TestDaemon, repeats, until};

const WRITERS: usize = 4;

/// Writes the settings and the secret; returns what adds them to a command line.
pub fn settings(home: &std::path::Path, port: u16) -> impl Fn(&mut Command) + use<> {
    let secret = home.join("hook.secret");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let config = home.join("rosterd.toml");
    let text = format!(
        "[net]\nallow = [\"127.0.0.1:{port}\"]\nconnect_timeout_ms = 300\ntotal_timeout_ms = 300\n\
         [outbox]\nattempts_max = 1000\nretry_first_ms = 10\nretry_longest_ms = 200\n\
         [[webhooks]]\nname = \"ledger\"\ntenant = \"main\"\nurl = \"http://127.0.0.1:{port}/in?x=1\"\n\
         secret_files = [\"{}\"]\nfrom = \"beginning\"\n",
        secret.display()
    );
    std::fs::write(&config, text).unwrap();
    move |command: &mut Command| {
        command.arg("--config").arg(&config);
    }
}

#[test]
pub fn r16_kill_9_before_a_failing_receiver_every_change_is_delivered_in_order_without_a_gap_and_under_one_id()
 {
    let dice = Mutex::new(Dice::new(16));
    let receiver = Receiver::start(move |_| match dice.lock().unwrap().below(10) {
        0..3 => Mood::Status(500),
        3 => Mood::Stalls,
        _ => Mood::Status(200),
    });
    let home = Arc::new(tempfile::tempdir().unwrap());
    let with_hook = settings(home.path(), receiver.port());
    let mut daemon = TestDaemon::start_with(&home, &[], &with_hook);
    let mut acknowledged = 0;
    let kills = repeats(30, 300);
    for round in 0..kills {
        acknowledged += under_load(&mut daemon, &receiver, round);
        daemon = daemon.kill_and_restart_with(&with_hook);
    }
    until("everything is delivered", || figure(&daemon, "behind") == 0);

    let committed = committed(&daemon);
    let count: usize = committed.values().map(Vec::len).sum();
    assert!(count >= acknowledged, "{count} changes in the history, {acknowledged} acknowledged");
    let deliveries = receiver.deliveries();
    let mut taken: HashMap<String, Vec<u64>> = HashMap::new();
    let mut ids: HashMap<u64, String> = HashMap::new();
    for delivery in &deliveries {
        let (seq, resource) = (delivery.seq(), delivery.resource());
        let id = ids.entry(seq).or_insert_with(|| delivery.id.clone());
        assert_eq!((id.as_str(), &delivery.body["id"]), (delivery.id.as_str(), &delivery.id.clone().into()));
        // Nothing is even tried before everything earlier of its resource was taken.
        let so_far = taken.entry(resource.clone()).or_default();
        let place = committed[&resource].iter().position(|known| *known == seq);
        assert!(
            place.is_some_and(|place| place <= so_far.len()),
            "{resource}: {seq} came after {so_far:?} of {:?}",
            committed[&resource]
        );
        if delivery.taken() && !so_far.contains(&seq) {
            so_far.push(seq);
        }
    }
    for (resource, seqs) in &committed {
        assert_eq!(taken.get(resource), Some(seqs), "{resource}: delivered, and committed");
    }
    let failed = deliveries.iter().filter(|delivery| !delivery.taken()).count();
    assert!(
        failed * 5 > deliveries.len(),
        "{failed} of {} failed: too few to show anything",
        deliveries.len()
    );
    assert!(daemon.terminate().0.success());
}

/// Lets writers work until some were acknowledged and some of that was delivered, and kills the daemon in the middle of it.
fn under_load(daemon: &mut TestDaemon, receiver: &Receiver, round: usize) -> usize {
    let (acknowledged, before) = (AtomicUsize::new(0), receiver.taken());
    let client = daemon.client();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (client, acknowledged) = (client.clone(), &acknowledged);
            let did = move |request: &Request| -> Option<String> {
                let answer = client.try_send(request).ok()?;
                assert!(answer.status < 300, "{answer:?}");
                acknowledged.fetch_add(1, Ordering::SeqCst);
                Some(if answer.status == 201 { answer.id() } else { String::new() })
            };
            scope.spawn(move || {
                for number in 0..6 {
                    let name = format!("r{round}-w{writer}-n{number}");
                    let Some(id) = did(&Request::scim("POST", "/Users").json(&user(&name))) else { return };
                    let path = format!("/Users/{id}");
                    for title in ["one", "two"] {
                        if did(&Request::scim("PATCH", &path).json(&replace("title", title))).is_none() {
                            return;
                        }
                    }
                    if number % 2 == 0 && did(&Request::scim("DELETE", &path)).is_none() {
                        return;
                    }
                }
            });
        }
        receiver
            .until(|deliveries| deliveries.iter().filter(|delivery| delivery.taken()).count() >= before + 10);
        daemon.kill();
    });
    acknowledged.into_inner()
}

/// Reads from the history which changes of which resource were committed.
fn committed(daemon: &TestDaemon) -> BTreeMap<String, Vec<u64>> {
    let output = daemon.cli(&["audit", "export", "--tenant", "main"]);
    assert!(output.status.success(), "{output:?}");
    let mut committed: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let facts: Value = serde_json::from_str(row["facts"].as_str().unwrap()).unwrap();
        if let Some(id) = facts["subject"]["id"].as_str() {
            assert_eq!(facts["result"], "ok");
            committed.entry(id.to_owned()).or_default().push(row["seq"].as_u64().unwrap());
        }
    }
    committed
}
