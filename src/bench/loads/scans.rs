//! L10: a filter that no index answers, so that users are read one by one, up to a bound. Beside `serde_json` parsing such a user.

use serde_json::Value;

use super::Prepared;
use crate::bench::BenchError;
use crate::bench::contestant::{Act, Contestant};
use crate::bench::figures::{Case, Who, case};
use crate::bench::plan::distinct;
use crate::bench::session::Session;
use crate::roster::SCAN_ROWS_MAX;

/// Users whose names begin with `user.000`, where there are as many.
const THOUSANDS: usize = 10_000;

/// A filter, and what it comes to.
struct Scan {
    name: &'static str,
    users: usize,
    filter: String,
    /// Users that are read; of a refusal, until it comes.
    read: usize,
    refused: bool,
}

pub(super) async fn scans(session: &mut Session<'_>) -> Prepared {
    let large = session.plan.users;
    let people = session.people(large).await?;
    let mut one = session.scripts().get(&people, session.turn);
    let sample = session.send(large, &mut one, case::PARSE).await?.body;
    let mut contestants =
        vec![Contestant { case: Case::of(case::PARSE, 1), who: Who::Parse, act: Act::Parse(sample) }];
    let mut sizes = Vec::new();
    for users in distinct([session.plan.small(), large]) {
        sizes.push((users, session.total(users).await?));
    }
    let mut heaviest = String::new();
    for scan in all(&sizes) {
        let target = format!(
            "/scim/v2/Users?filter={}&count=1",
            scan.filter.replace('+', "%2B").replace(' ', "%20").replace('"', "%22")
        );
        look(session, &scan, &target).await?;
        let status = if scan.refused { 400 } else { 200 };
        let script = session.scripts().repeat(&target).answered(status);
        let case = Case::of(scan.name, 1).with_users(scan.users).reading(scan.read);
        contestants.push(Contestant::daemon(case, scan.users, vec![script]));
        if !scan.refused && scan.users == large {
            heaviest = target;
        }
    }
    // Between what may be read as a whole and what can be narrowed to less there is nothing to run beside.
    if heaviest.is_empty() {
        return Ok(contestants);
    }
    let alone = session.gets(large, case::GET_BEFORE_SCANS).await?;
    let meanwhile = session.gets(large, case::GET_BESIDE_SCANS).await?;
    contestants.extend([alone, meanwhile.beside(vec![session.scripts().repeat(&heaviest)])]);
    Ok(contestants)
}

/// At a small daemon all users; at a large one as many as may be read, and what happens beyond. The sizes are those that daemons
/// were filled with, and those of the lists that they give.
fn all(sizes: &[(usize, usize)]) -> Vec<Scan> {
    let number = |n: usize| format!("phoneNumbers.value eq \"+41 44 000 {n:06}\"");
    let mut scans = Vec::new();
    for &(users, total) in sizes {
        // More users than may be read are counted beforehand, and none is read.
        let refused = total > SCAN_ROWS_MAX;
        let (name, read) = if refused { (case::SCAN_REFUSED_AT_ONCE, 0) } else { (case::SCAN, total) };
        scans.push(Scan { name, users, filter: number(users - 1), read, refused });
        if users > SCAN_ROWS_MAX {
            let filter = format!("userName sw \"user.000\" and {}", number(THOUSANDS - 1));
            scans.push(Scan { name: case::SCAN_NARROWED, users, filter, read: THOUSANDS, refused: false });
        }
        if users >= SCAN_ROWS_MAX + THOUSANDS {
            let names = "userName sw \"user.000\" or userName sw \"user.001\" or userName sw \"user.002\"";
            let filter = format!("({names}) and {}", number(THOUSANDS - 1));
            scans.push(Scan { name: case::SCAN_REFUSED, users, filter, read: SCAN_ROWS_MAX, refused: true });
        }
    }
    scans
}

/// Looks whether a filter finds what is there, or is refused for the reason that it should be.
async fn look(session: &mut Session<'_>, scan: &Scan, target: &str) -> Result<(), BenchError> {
    let script = session.scripts().repeat(target);
    if scan.refused {
        let holds = |found: &Value| found.get("scimType") == Some(&"tooMany".into());
        session.rehearse(scan.users, script.answered(400), scan.name, "tooMany", holds).await?;
    } else {
        // The same number may be that of a user who is put into groups.
        let holds = |found: &Value| matches!(found.get("totalResults").and_then(Value::as_u64), Some(1 | 2));
        session.rehearse(scan.users, script, scan.name, "the one user with that number", holds).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_read_is_read_and_what_is_beyond_is_expected_to_be_refused() {
        let of = |users, total| {
            let scans = all(&[(users, total)]).into_iter();
            scans.map(|scan| (scan.name, scan.read, scan.refused)).collect::<Vec<_>>()
        };
        assert_eq!(of(1_000, 1_000), [(case::SCAN, 1_000, false)]);
        assert_eq!(of(20_000, 20_000), [(case::SCAN, 20_000, false)]);
        assert_eq!(of(20_000, 21_700), [(case::SCAN_REFUSED_AT_ONCE, 0, true)]);
        let narrowed = [(case::SCAN_REFUSED_AT_ONCE, 0, true), (case::SCAN_NARROWED, 10_000, false)];
        assert_eq!(of(20_001, 20_001), narrowed);
        let refused = (case::SCAN_REFUSED, 20_000, true);
        assert_eq!(of(100_000, 101_700), [narrowed.as_slice(), &[refused]].concat());
    }
}
