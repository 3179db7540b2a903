//! L8: a group and its members. The reference of the large group is the small one, in the same daemon.

use serde_json::Value;

use super::Prepared;
use crate::bench::BenchError;
use crate::bench::contestant::Contestant;
use crate::bench::figures::{Case, case};
use crate::bench::people;
use crate::bench::script::Person;
use crate::bench::session::Session;

/// How many members come and go in one PATCH where there are many.
const MANY: usize = 100;

pub(super) async fn groups(session: &mut Session<'_>) -> Prepared {
    let (users, connections) = (session.plan.users, session.plan.connections_of_reads);
    let sizes = session.plan.groups();
    // One hundred more than connections is for the rehearsal.
    let movers = session.movers((connections + 1) * MANY).await?;
    let hundreds: Vec<&[Person]> = movers.chunks(MANY).collect();
    let mut groups = Vec::new();
    for members in sizes {
        let group = session.group(members).await?;
        session.empty_of(&group, &movers).await?;
        groups.push((members, group));
    }
    let scripts = session.scripts();
    let mut contestants = Vec::new();
    for (name, count) in [(case::MOVE, 1), (case::MOVE_MANY, MANY)] {
        for (members, group) in &groups {
            for share in hundreds.iter().skip(connections) {
                comes_and_goes(session, name, group, share.get(..count).unwrap_or_default()).await?;
            }
            let shares = hundreds.iter().take(connections).filter_map(|share| share.get(..count));
            let all = shares.map(|share| scripts.move_members(group, share)).collect();
            let case = Case::of(name, connections).with_users(users).with_members(*members);
            contestants.push(Contestant::daemon(case, users, all));
        }
    }
    for name in [case::GET_GROUP, case::FIND_GROUP] {
        for (members, group) in &groups {
            let target = match name {
                case::GET_GROUP => format!("/scim/v2/Groups/{group}?excludedAttributes=members"),
                _ => format!(
                    "/scim/v2/Groups?filter=displayName%20eq%20%22{}%22&excludedAttributes=members",
                    people::group_name(*members).replace(' ', "%20")
                ),
            };
            let found = |found: &Value| {
                let one = found.pointer("/Resources/0").unwrap_or(found);
                one.get("id") == Some(&group.as_str().into()) && one.get("members").is_none()
            };
            let script = scripts.repeat(&target);
            session.rehearse(users, script, name, "the group without its members", found).await?;
            let all = (0..connections).map(|_| scripts.repeat(&target)).collect();
            let case = Case::of(name, connections).with_users(users).with_members(*members);
            contestants.push(Contestant::daemon(case, users, all));
        }
    }
    if let Some((members, group)) = groups.pop() {
        contestants.extend(whole(session, members, &group).await?);
    }
    Ok(contestants)
}

/// Shows that a PATCH puts members in, and that the next one takes them out.
async fn comes_and_goes(
    session: &mut Session<'_>,
    name: &'static str,
    group: &str,
    movers: &[Person],
) -> Result<(), BenchError> {
    let (users, scripts) = (session.plan.users, session.scripts());
    let mut script = scripts.move_members(group, movers);
    for (count, expected) in [(1, "the member in the group"), (0, "the member out of the group")] {
        session.send(users, &mut script, name).await?;
        for mover in [movers.first(), movers.last()].into_iter().flatten() {
            let found = session.is_member(users, group, Some(mover)).await?;
            let holds = |found: &Value| found.get("totalResults") == Some(&count.into());
            found.must_say(expected, holds).map_err(|why| why.during(name))?;
        }
    }
    Ok(())
}

/// The group with all its members, beside bare hyper; then L2 alone, on a daemon that has just started and so holds nothing
/// from before, and beside such GETs.
async fn whole(session: &mut Session<'_>, members: usize, group: &str) -> Prepared {
    let users = session.plan.users;
    let scripts = session.scripts();
    let full = || scripts.repeat(&format!("/scim/v2/Groups/{group}"));
    let bytes = session
        .rehearse(users, full(), case::GET_ALL, "the group with all its members", |found| {
            let found = found.get("members").and_then(Value::as_array);
            found.is_some_and(|found| found.len() == members)
        })
        .await?;
    let case = Case::of(case::GET_ALL, 1);
    let bare = Contestant::bare(case, bytes, vec![full()])?;
    let ours = Contestant::daemon(case.with_users(users).with_members(members), users, vec![full()]);
    let alone = session.gets(users, case::GET_BEFORE_ALL).await?.fresh();
    let mut meanwhile = session.gets(users, case::GET_BESIDE_ALL).await?.beside(vec![full()]);
    meanwhile.case = meanwhile.case.with_members(members);
    Ok(vec![bare, ours, alone, meanwhile])
}
