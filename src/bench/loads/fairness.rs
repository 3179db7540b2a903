//! R25: what one tenant feels of another that sends all it can. One connection of the small tenant, alone and beside many of the large one, with reads
//! and with writes. The daemon has half of the processors, those who send the other half:
//! what is asked is who waits for whom in the daemon, and senders of other firms are on other machines.

use serde_json::Value;

use super::Prepared;
use crate::bench::contestant::Contestant;
use crate::bench::figures::{Case, case};
use crate::bench::script::Script;
use crate::bench::session::Session;

/// Connections of the tenant that sends all it can.
const FULL_LOAD: usize = 64;
/// More turns than a run can have.
const FIRST_REVISION: usize = 1_000;

pub(super) async fn fairness(session: &mut Session<'_>) -> Prepared {
    let users = session.plan.usual();
    let (neighbour, theirs) = session.neighbour(users).await?;
    let (scripts, people) = (session.scripts(), session.people(users).await?);
    let has_name = |found: &Value| found.get("userName").is_some();
    session
        .rehearse(users, neighbour.get(&theirs, 0), case::GET_BEFORE_NEIGHBOUR, "a user", has_name)
        .await?;

    let turn = session.turn;
    let get = |name| {
        Contestant::daemon(Case::of(name, 1).with_users(users), users, vec![neighbour.get(&theirs, turn)])
            .apart()
    };
    let gets = (0..FULL_LOAD).map(|seed| scripts.get(&people, turn * FULL_LOAD + seed)).collect();

    // Nobody is written by two connections, so that nobody waits for another but for the writer; and no revision comes twice, nor is one that L7
    // wrote, so that every request changes something.
    let revision = |beside: usize| FIRST_REVISION + 2 * turn + beside;
    let put = |name, beside| {
        let script = neighbour.put(theirs.to_vec(), revision(beside));
        Contestant::daemon(Case::of(name, 1).with_users(users), users, vec![script]).apart()
    };
    let size = people.len().div_ceil(FULL_LOAD).max(1);
    let puts: Vec<Script> =
        people.chunks(size).map(|share| scripts.put(share.to_vec(), revision(0))).collect();
    Ok(vec![
        get(case::GET_BEFORE_NEIGHBOUR),
        get(case::GET_BESIDE_NEIGHBOUR).beside(gets),
        put(case::PUT_BEFORE_NEIGHBOUR, 0),
        put(case::PUT_BESIDE_NEIGHBOUR, 1).beside(puts),
    ])
}
