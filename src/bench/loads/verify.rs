//! P19: whether somebody may come to a program, asked again and again with sessions that are good, beside bare hyper.

use super::Prepared;
use crate::bench::contestant::Contestant;
use crate::bench::figures::{Case, case};
use crate::bench::script::{Script, Scripts};
use crate::bench::session::Session;

pub(super) async fn verify(session: &mut Session<'_>) -> Prepared {
    let (connections, users) = (session.plan.connections_of_reads, session.plan.small());
    let cookies = session.cookies(users, connections).await?;
    let all = || cookies.iter().map(|cookie| Scripts::verify(cookie)).collect::<Vec<Script>>();
    for mut script in all() {
        // 200, or the run ends: what is measured is somebody who is let through.
        session.send(users, &mut script, case::VERIFY).await?;
    }
    let case = Case::of(case::VERIFY, connections);
    // The answer has no body; its fields are what the reference does not have.
    let bare = Contestant::bare(case, 0, all())?;
    Ok(vec![bare, Contestant::daemon(case.with_users(users), users, all())])
}
