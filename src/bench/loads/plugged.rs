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
    let (scripts, turn) = (session.scripts(), session.turn);
    let pairs = [
        (case::CREATE_PLAIN, case::CREATE_PLUGGED, Scripts::create_all as ByConnection, 1),
        (case::BULK_PLAIN, case::BULK_PLUGGED, Scripts::bulk_all as ByConnection, BULK),
    ];
    let mut contestants = Vec::new();
    // What is missing is said before anything is filled.
    session.plugin_must_be_there()?;
    for (plain, plugged, script, creates) in pairs {
        for (name, which) in [(plain, Which::from(users)), (plugged, Which::plugged(users))] {
            let series = |word: &str| format!("p17{word}{turn}x{creates}");
            for rehearsed in script(&scripts, &series("r"), 1) {
                rehearse(session, which, rehearsed, name, creates).await?;
            }
            let ours = script(&scripts, &series("t"), connections);
            contestants.push(Contestant::daemon(Case::of(name, connections).with_users(users), which, ours));
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
