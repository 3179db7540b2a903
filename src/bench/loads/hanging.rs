//! R30: the gate of sign-in while identity providers hang. One who is signed in already must not feel that others cannot sign in.

use super::Prepared;
use crate::bench::contestant::Contestant;
use crate::bench::figures::{Case, case};
use crate::bench::script::{Script, Scripts};
use crate::bench::session::Session;
use crate::bench::which::Which;

pub(super) async fn hanging(session: &mut Session<'_>) -> Prepared {
    let (connections, users) = (session.plan.connections_of_reads, session.plan.small());
    let which = Which::hung(users);
    let cookies = session.cookies(which, connections).await?;
    let all = || cookies.iter().map(|cookie| Scripts::verify(cookie)).collect::<Vec<Script>>();
    for mut script in all() {
        session.send(which, &mut script, case::VERIFY_BEFORE_HANG).await?;
    }
    // What a daemon has found out about a provider, it does not ask again for a while: both begin with one that has just started.
    let of = |name| Contestant::daemon(Case::of(name, connections).with_users(users), which, all()).fresh();
    Ok(vec![of(case::VERIFY_BEFORE_HANG), of(case::VERIFY_BESIDE_HANG).while_providers_hang()])
}
