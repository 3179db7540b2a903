//! R21: whoever follows a list page by page, from one daemon to the other, meets everybody once who was there throughout.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::bodies::{replace, user};
use crate::support::ground::on_postgresql;
use crate::support::{Client, Engine, TestApp};

/// People who are there throughout.
const STAY: usize = 40;
/// Who writes meanwhile.
const WRITERS: usize = 3;

/// People come, change and go, at either daemon, until it is over.
fn stir(clients: [&Client; 2], stay: &[String], writer: usize, over: &AtomicBool, done: &AtomicUsize) {
    for number in 0.. {
        if over.load(Ordering::Acquire) {
            return;
        }
        let client = clients[number % 2];
        // Before those who stay, between them and behind them, by name and by time.
        let name = format!("{}-{writer}-{number}", ["a", "m", "z"][number % 3]);
        let id = client.post("/Users", &user(&name)).expect(201).id();
        let _ =
            client.patch(&format!("/Users/{}", stay[number % STAY]), &replace("title", &*name)).expect(200);
        if number % 2 == 0 {
            assert_eq!(clients[1].delete(&format!("/Users/{id}")).status, 204);
        }
        done.fetch_add(1, Ordering::AcqRel);
    }
}

/// Follows a list to its end, each page at another daemon; returns who was met.
fn follow(clients: [&Client; 2], query: &str, done: &AtomicUsize) -> Vec<String> {
    let (mut met, mut cursor) = (vec![], String::new());
    for page in 0.. {
        let answer = clients[page % 2].get(&format!("{query}&cursor={cursor}")).expect(200).json();
        let ids = answer["Resources"].as_array().unwrap().iter();
        met.extend(ids.map(|one| one["id"].as_str().unwrap().to_owned()));
        let Some(next) = answer["nextCursor"].as_str() else { return met };
        next.clone_into(&mut cursor);
        // Something is written between any two pages.
        let before = done.load(Ordering::Acquire);
        while done.load(Ordering::Acquire) == before {
            std::thread::yield_now();
        }
    }
    met
}

#[test]
pub(super) fn r13_r21_a_list_that_is_followed_from_daemon_to_daemon_under_writes_shows_everybody_once_on_postgresql()
 {
    on_postgresql(|| {
        let here = TestApp::on(Engine::Redb);
        let there = TestApp::beside(&here);
        let clients: [&Client; 2] = [&here, &there];
        let stay: Vec<String> = (0..STAY)
            .map(|number| {
                clients[number % 2].post("/Users", &user(&format!("n-{number:02}"))).expect(201).id()
            })
            .collect();
        let (over, done) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (stay, over, done) = (&stay, &over, &done);
                scope.spawn(move || stir(clients, stay, writer, over, done));
            }
            // Whatever is found wrong, the writers are told to stop.
            let found = std::panic::catch_unwind(|| {
                for query in [
                    "/Users?count=7",
                    "/Users?filter=userName+sw+%22n-%22&count=7",
                    "/Users?sortBy=userName&count=7",
                    "/Users?sortBy=userName&sortOrder=descending&count=7",
                    "/Users?sortBy=meta.created&sortOrder=descending&count=7",
                ] {
                    let met = follow(clients, query, &done);
                    for id in &stay {
                        assert_eq!(met.iter().filter(|one| *one == id).count(), 1, "{query}");
                    }
                    let mut once = met.clone();
                    once.sort();
                    once.dedup();
                    assert_eq!(once.len(), met.len(), "nobody is met twice: {query}");
                }
            });
            over.store(true, Ordering::Release);
            if let Err(cause) = found {
                std::panic::resume_unwind(cause);
            }
        });
        assert!(done.into_inner() > 20);
    });
}
