//! L1, L6, L7: one user is written, beside a server that parses a user's body, serialises it and sends it back.

use super::Prepared;
use crate::bench::contestant::{Act, Contestant};
use crate::bench::figures::{Case, Who, case};
use crate::bench::people;
use crate::bench::pgbench::FIRST_NUMBER;
use crate::bench::script::{PRELOADED, Person, Script, Scripts};
use crate::bench::session::Session;
use crate::bench::which::Engine;

/// L1, beside the disk itself and the store's engine without a server as well. On each daemon, which grows by it; the engine on a copy of the
/// one of the usual size.
pub(super) async fn create(session: &mut Session<'_>) -> Prepared {
    let (usual, sizes, scripts) = (session.plan.usual(), session.plan.sizes(), session.scripts());
    let rehearsal = format!("l1rehearsal{}", session.turn);
    let made = |found: &serde_json::Value| found.get("id").is_some();
    for users in &sizes {
        for script in scripts.create_all(&rehearsal, 1) {
            session.rehearse(*users, script, case::CREATE, "a user with an id", made).await?;
        }
    }
    let record = people::body(PRELOADED, 0).len();
    let mut contestants = Vec::new();
    for connections in session.plan.connections.clone() {
        let case = Case::of(case::CREATE, connections);
        contestants.extend([Contestant {
            case,
            who: Who::Append,
            act: Act::Append { record, group: connections },
        }]);
        // Nothing of a database is left when the server around it is taken away.
        if session.plan.engine == Engine::Redb {
            let act = Act::Engine { users: usual, group: connections };
            contestants.push(Contestant { case: case.with_users(usual), who: Who::Engine, act });
        }
        contestants.push(Contestant::echo(case, scripts.echo_all(connections))?);
        for users in &sizes {
            let series = format!("l1t{}c{connections}", session.turn);
            let ours = scripts.create_all(&series, connections);
            contestants.push(Contestant::daemon(case.with_users(*users), *users, ours));
        }
    }
    Ok(contestants)
}

/// P5: creates on the daemon of the usual size, beside PostgreSQL inserting into a table of as many rows.
pub(super) async fn durable(session: &mut Session<'_>) -> Prepared {
    // What is missing is said before anything is filled.
    session.postgres()?;
    let (users, scripts) = (session.plan.usual(), session.scripts());
    let rehearsal = format!("p5rehearsal{}", session.turn);
    let made = |found: &serde_json::Value| found.get("id").is_some();
    for script in scripts.create_all(&rehearsal, 1) {
        session.rehearse(users, script, case::DURABLE, "a user with an id", made).await?;
    }
    let mut contestants = Vec::new();
    for clients in session.plan.connections.clone() {
        let case = Case::of(case::DURABLE, clients).with_users(users);
        let series = format!("p5t{}c{clients}", session.turn);
        let ours = scripts.create_from(&series, FIRST_NUMBER, clients);
        let act = Act::Inserts { users, clients };
        contestants.push(Contestant { case, who: Who::Postgres, act });
        contestants.push(Contestant::daemon(case, users, ours));
    }
    Ok(contestants)
}

/// L6.
pub(super) async fn activate(session: &mut Session<'_>) -> Prepared {
    changes(session, case::ACTIVATE, Scripts::activate, |found| found.get("active") == Some(&false.into()))
        .await
}

/// L7.
pub(super) async fn put(session: &mut Session<'_>) -> Prepared {
    let turn = session.turn;
    changes(
        session,
        case::PUT,
        move |scripts, people| scripts.put(people, turn),
        move |found| {
            let written = found.get("userType").and_then(|text| text.as_str()?.strip_prefix("Employee "));
            written.is_some_and(|revision| revision.starts_with(&format!("{turn}.")))
        },
    )
    .await
}

/// Changes of users that are there.
///
/// Nobody is touched by two connections or in two turns, so that nobody waits for another, and every request changes something.
async fn changes(
    session: &mut Session<'_>,
    name: &'static str,
    script: impl Fn(&Scripts, Vec<Person>) -> Script,
    holds: impl Fn(&serde_json::Value) -> bool,
) -> Prepared {
    let connections = session.plan.connections_of_reads;
    let scripts = session.scripts();
    let case = Case::of(name, connections);
    let mut contestants = vec![Contestant::echo(case, scripts.echo_all(connections))?];
    // One share more than connections is for the rehearsal.
    let shares = (connections + 1) * session.plan.turns;
    for users in session.plan.sizes() {
        let people = session.people(users).await?;
        let size = (people.len() / shares).max(1);
        let first = session.turn * (connections + 1);
        let mut mine = people.chunks(size).cycle().skip(first).map(<[Person]>::to_vec);
        let rehearsed = script(&scripts, mine.next().unwrap_or_default());
        session.rehearse(users, rehearsed, name, "the user as changed", &holds).await?;
        let ours = mine.take(connections).map(|share| script(&scripts, share)).collect();
        contestants.push(Contestant::daemon(case.with_users(users), users, ours));
    }
    Ok(contestants)
}
