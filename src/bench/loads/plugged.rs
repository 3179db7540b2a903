//! P17: what a create takes more because a plugin is asked: a daemon with one beside a daemon without, by requests of their own and fifty in one Bulk request.

use serde_json::Value;

use super::Prepared;
use crate::bench::BenchError;
use crate::bench::contestant::Contestant;
use crate::bench::figures::{BULK, Case, case};
use crate::bench::script::{Script, Scripts};
use crate::bench::session::Session;
use crate::bench::which::Which;

pub(super) async fn plugged(session: &mut Session<'_>) -> Prepared {
    let (connections, users) = (session.plan.connections_of_reads, session.plan.usual());
    // On one connection no create shares a flush, with a plugin or without, so that what is added there is the plugin's alone.
    let of_creates = session.plan.connections.clone();
    let (scripts, turn) = (session.scripts(), session.turn);
    let pairs = [
        (case::CREATE_PLAIN, case::CREATE_PLUGGED, Scripts::create_all as ByConnection, 1, of_creates),
        (case::BULK_PLAIN, case::BULK_PLUGGED, Scripts::bulk_all as ByConnection, BULK, vec![connections]),
    ];
    let mut contestants = Vec::new();
    // What is missing is said before anything is filled.
    session.plugin_must_be_there()?;
    for (plain, plugged, script, creates, at) in pairs {
        let both = [(plain, Which::from(users)), (plugged, Which::plugged(users))];
        for (name, which) in both {
            for rehearsed in script(&scripts, &format!("p17r{turn}x{creates}"), 1) {
                rehearse(session, which, rehearsed, name, creates).await?;
            }
        }
        for connections in at {
            for (name, which) in both {
                let ours = script(&scripts, &format!("p17t{turn}x{creates}x{connections}"), connections);
                let case = Case::of(name, connections).with_users(users);
                contestants.push(Contestant::daemon(case, which, ours));
            }
        }
    }
    Ok(contestants)
}

type ByConnection = fn(&Scripts, &str, usize) -> Vec<Script>;

/// Looks whether so many users are made, and whether the plugin was asked about each.
async fn rehearse(
    session: &mut Session<'_>,
    which: Which,
    script: Script,
    name: &'static str,
    creates: usize,
) -> Result<(), BenchError> {
    let before = session.plugin_calls(which).await?;
    let made = |found: &Value| match found.get("Operations").and_then(Value::as_array) {
        Some(all) => all.len() == creates && all.iter().all(|one| one.get("status") == Some(&"201".into())),
        None => found.get("id").is_some(),
    };
    session.rehearse(which, script, name, "users that were created", made).await?;
    let asked = session.plugin_calls(which).await?.saturating_sub(before);
    let expected = if which.beside().is_empty() { 0 } else { creates as u64 };
    if asked == expected {
        return Ok(());
    }
    Err(BenchError::Server {
        who: "the daemon".into(),
        what: format!("asked its plugin {asked} times about {creates} users instead of {expected} times"),
    })
}
