//! P14: the first synchronisation of a directory. Everybody is looked for, found missing, and created, by many connections at once, in order.
//!
//! What counts is whether the last of them take longer than the first: each tenth of all users is measured by itself.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::Value;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;

use super::BenchError;
use super::child::Server;
use super::load::{Volley, histogram, record};
use super::meter::{self, Used};
use super::people;
use super::preload::{TELL_EVERY, asked, open};
use super::script::Scripts;

/// Connections at once.
pub(super) const LANES: usize = 64;
/// Into how many parts the users are divided.
pub(super) const PARTS: usize = 10;

/// Synchronises so many users into an empty daemon; returns what was counted of each tenth.
pub(super) async fn first_sync(
    server: &Server,
    scripts: &Scripts,
    users: usize,
    progress: &mut (dyn Write + Send),
) -> Result<Vec<Volley<Used>>, BenchError> {
    let next = Arc::new(AtomicUsize::new(0));
    let (tell, mut told) = unbounded_channel();
    let mut lanes = JoinSet::new();
    for _ in 0..LANES.min(users) {
        let (scripts, tell, next, to) = (scripts.clone(), tell.clone(), Arc::clone(&next), server.at());
        lanes.spawn(async move {
            let mut connection = open(to).await?;
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= users {
                    return Ok::<_, BenchError>(());
                }
                let begun = Instant::now();
                let mut request = Vec::new();
                scripts.look_for(&mut request, &people::user_name(SERIES, n));
                let found = asked(&mut connection, request, 200).await?;
                found.must_say("no result", |found: &Value| found.get("totalResults") == Some(&0.into()))?;
                let mut request = Vec::new();
                scripts.send(&mut request, "POST", "/scim/v2/Users", &people::body(SERIES, n));
                asked(&mut connection, request, 201).await?;
                // The other end goes first only after an error, which is returned there.
                let _ = tell.send(begun.elapsed());
            }
        });
    }
    drop(tell);
    let mut parts = Parts::begin(server.pid(), users);
    let mut last = Instant::now();
    while let Some(took) = told.recv().await {
        parts.add(took);
        if last.elapsed() > TELL_EVERY {
            last = Instant::now();
            // Progress that nobody can read is no reason to stop.
            let _ = writeln!(progress, "  {} of {users} users synchronised", parts.done);
        }
    }
    while let Some(ended) = lanes.join_next().await {
        ended.map_err(|why| BenchError::Server { who: "the load".into(), what: why.to_string() })??;
    }
    Ok(parts.ended)
}

const SERIES: &str = "sync";

/// What has been done, in tenths.
struct Parts {
    pid: u32,
    users: usize,
    done: usize,
    latency: Histogram<u64>,
    begun: Instant,
    before: Used,
    /// How many had been done when the tenth that is under way began.
    first: usize,
    ended: Vec<Volley<Used>>,
}

impl Parts {
    fn begin(pid: u32, users: usize) -> Self {
        let (latency, begun, before) = (histogram(), Instant::now(), meter::used(pid));
        Self { pid, users, done: 0, latency, begun, before, first: 0, ended: Vec::new() }
    }

    fn add(&mut self, took: Duration) {
        record(&mut self.latency, took);
        self.done += 1;
        if self.done < self.users * (self.ended.len() + 1) / PARTS {
            return;
        }
        let (now, after) = (Instant::now(), meter::used(self.pid));
        self.ended.push(Volley {
            elapsed: now - self.begun,
            requests: (self.done - self.first) as u64,
            latency: std::mem::replace(&mut self.latency, histogram()),
            probed: (self.before, after),
        });
        (self.begun, self.before, self.first) = (now, after, self.done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_is_counted_in_one_tenth() {
        for users in [10, 105, 999] {
            let mut parts = Parts::begin(std::process::id(), users);
            (0..users).for_each(|_| parts.add(Duration::from_micros(1)));
            let counts: Vec<u64> = parts.ended.iter().map(|part| part.requests).collect();
            assert_eq!((counts.len(), counts.iter().sum::<u64>()), (PARTS, users as u64));
            assert!(counts.iter().all(|count| count.abs_diff(users as u64 / 10) <= 1), "{counts:?}");
        }
    }
}
