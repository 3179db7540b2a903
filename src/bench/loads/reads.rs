//! L2, L3, L4: one user, at the smallest and the largest daemon, beside bare hyper.

use serde_json::Value;

use super::Prepared;
use crate::bench::contestant::Contestant;
use crate::bench::figures::{Case, case};
use crate::bench::plan::distinct;
use crate::bench::script::{ByPeople, Scripts};
use crate::bench::session::Session;

pub(super) async fn get(session: &mut Session<'_>) -> Prepared {
    of_one(session, case::GET, Scripts::get, ("a user", |found| found.get("userName").is_some())).await
}

pub(super) async fn find(session: &mut Session<'_>) -> Prepared {
    of_one(session, case::FIND, Scripts::find, ONE).await
}

pub(super) async fn find_external(session: &mut Session<'_>) -> Prepared {
    of_one(session, case::FIND_EXTERNAL, Scripts::find_external, ONE).await
}

/// What a list of one result says.
const ONE: (&str, fn(&Value) -> bool) = ("one result", |found| found.get("totalResults") == Some(&1.into()));

async fn of_one(
    session: &mut Session<'_>,
    name: &'static str,
    script: ByPeople,
    (expected, holds): (&str, fn(&Value) -> bool),
) -> Prepared {
    let connections = session.plan.connections_of_reads;
    let scripts = session.scripts();
    let mut contestants = Vec::new();
    for users in distinct([session.plan.small(), session.plan.users]) {
        let people = session.people(users).await?;
        let bytes = session.rehearse(users, script(&scripts, &people, 0), name, expected, holds).await?;
        session.walk(users, name, script).await?;
        let first = session.turn * connections;
        let all = || (first..first + connections).map(|seed| script(&scripts, &people, seed)).collect();
        let case = Case::of(name, connections);
        if contestants.is_empty() {
            contestants.push(Contestant::bare(case, bytes, all())?);
        }
        contestants.push(Contestant::daemon(case.with_users(users), users, all()));
    }
    Ok(contestants)
}
