//! L5: a page of 100 anywhere in the list of all users, beside bare hyper and beside the first page of a short list.

use serde::Deserialize;

use super::Prepared;
use crate::bench::BenchError;
use crate::bench::contestant::Contestant;
use crate::bench::figures::{Case, case};
use crate::bench::session::Session;

/// Users on a page that is measured.
const PAGE: usize = 100;
/// The part of a page that leads to the next one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items_per_page: usize,
    next_cursor: Option<String>,
}

pub(super) async fn pages(session: &mut Session<'_>) -> Prepared {
    let (small, large) = (session.plan.small(), session.plan.users);
    let mut contestants = Vec::new();
    if small != large {
        page(session, &mut contestants, small, case::FIRST_PAGE, by_index(0)).await?;
    }
    // A cursor leads to places that are whole pages behind the beginning.
    let pages = session.total(large).await? / PAGE;
    let places = [0, (pages / 2) * PAGE, pages.saturating_sub(1) * PAGE];
    let by_index = places.map(by_index);
    let by_cursor = walk(session, large, places).await?;
    let names = [case::FIRST_PAGE, case::MIDDLE_PAGE, case::LAST_PAGE];
    let names_by_cursor = [case::FIRST_BY_CURSOR, case::MIDDLE_BY_CURSOR, case::LAST_BY_CURSOR];
    let all = names.into_iter().zip(by_index).chain(names_by_cursor.into_iter().zip(by_cursor));
    for (name, target) in all {
        page(session, &mut contestants, large, name, target).await?;
    }
    Ok(contestants)
}

fn by_index(skipped: usize) -> String {
    format!("/scim/v2/Users?startIndex={}&count={PAGE}", skipped + 1)
}

/// Adds a page; bare hyper in front of the first one.
async fn page(
    session: &mut Session<'_>,
    contestants: &mut Vec<Contestant>,
    users: usize,
    name: &'static str,
    target: String,
) -> Result<(), BenchError> {
    let connections = session.plan.connections_of_reads;
    let total = session.total(users).await?;
    let script = session.scripts().repeat(&target);
    let expected = format!("{PAGE} of {total} users");
    let bytes = session
        .rehearse(users, script, name, &expected, |found| {
            let count = found.get("Resources").and_then(|resources| Some(resources.as_array()?.len()));
            found.get("totalResults") == Some(&total.into()) && count == Some(PAGE)
        })
        .await?;
    let scripts = || (0..connections).map(|_| session.scripts().repeat(&target)).collect();
    let case = Case::of(name, connections);
    if contestants.is_empty() {
        contestants.push(Contestant::bare(case, bytes, scripts())?);
    }
    contestants.push(Contestant::daemon(case.with_users(users), users, scripts()));
    Ok(())
}

/// Goes through the list page by page, and returns where the pages are that have so many users before them. In every turn
/// anew, because cursors expire.
async fn walk(
    session: &mut Session<'_>,
    users: usize,
    places: [usize; 3],
) -> Result<Vec<String>, BenchError> {
    let (mut cursor, mut behind, mut found) = (String::new(), 0, Vec::new());
    for place in places {
        while behind < place {
            let target = format!("/scim/v2/Users?cursor={cursor}&count={PAGE}&attributes=id");
            let mut script = session.scripts().repeat(&target);
            let page: Page = session.send(users, &mut script, "walking through the list").await?.read()?;
            behind += page.items_per_page.max(1);
            cursor = page.next_cursor.unwrap_or_default();
        }
        found.push(format!("/scim/v2/Users?cursor={cursor}&count={PAGE}"));
    }
    Ok(found)
}
