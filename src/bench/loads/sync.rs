//! P14: a first synchronisation, into a daemon of its own that knows nobody. Once, whatever the number of turns: its own tenths are compared.

use super::Prepared;
use crate::bench::figures::{Case, Who, case};
use crate::bench::session::Session;
use crate::bench::sum::Sum;
use crate::bench::sync::LANES;

pub(super) async fn first_sync(session: &mut Session<'_>) -> Prepared {
    if session.turn > 0 {
        return Ok(Vec::new());
    }
    let users = session.plan.users;
    let mut tenths = session.synchronise(users).await?;
    let (first, last) = (tenths.swap_remove(0), tenths.pop());
    for (name, tenth) in [(case::SYNC_BEGINS, Some(first)), (case::SYNC_ENDS, last)] {
        let Some(tenth) = tenth else { continue };
        let mut sum = Sum::nothing();
        sum.volley(tenth, None);
        session.keep(sum.row(Case::of(name, LANES).with_users(users), Who::Rosterd));
    }
    Ok(Vec::new())
}
