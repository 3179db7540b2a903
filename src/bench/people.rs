//! Whom the loads are about: invented people, described the way Okta describes them, and the groups they are put in.

use std::fmt::Write as _;

/// Writes the body that creates the nth person of a series. Each series has userNames of its own.
pub(super) fn body(series: &str, n: usize) -> String {
    let (user, external) = (user_name(series, n), external_id(series, n));
    let (given, family) = (pick(&GIVEN, n), pick(&FAMILY, n / GIVEN.len()));
    let (title, department) = (pick(&TITLES, n), pick(&DEPARTMENTS, n / 3));
    let mut body = String::with_capacity(1400);
    // Writing to a string cannot fail.
    let _ = write!(
        body,
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"{user}","externalId":"{external}","active":true,"name":{{"givenName":"{given}","familyName":"{family}","formatted":"{given} {family}"}},"displayName":"{given} {family}","nickName":"{given}","title":"{title}","userType":"Employee","locale":"en-GB","preferredLanguage":"en-GB","timezone":"Europe/Zurich","emails":[{{"value":"{user}","type":"work","primary":true}}],"phoneNumbers":[{{"value":"+41 44 000 {n:06}","type":"work"}}],"#
    );
    let _ = write!(
        body,
        r#""addresses":[{{"streetAddress":"Bahnhofstrasse {n}","locality":"Zurich","region":"ZH","postalCode":"8001","country":"CH","type":"work","primary":true}}],"groups":[],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"employeeNumber":"{n}","costCenter":"CC-{cost}","organization":"Example AG","division":"Advisory","department":"{department}"}}}}"#,
        cost = n % 90
    );
    body
}

/// Writes a Bulk request that creates people with these bodies.
pub(super) fn bulk(bodies: &[String]) -> String {
    let one = |(n, body): (usize, &String)| {
        format!(r#"{{"method":"POST","path":"/Users","bulkId":"b{n}","data":{body}}}"#)
    };
    let operations: Vec<String> = bodies.iter().enumerate().map(one).collect();
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{}]}}"#,
        operations.join(",")
    )
}

/// Returns the userName of the nth person of a series.
pub(super) fn user_name(series: &str, n: usize) -> String {
    format!("{series}.{n:07}@example.com")
}

/// Returns the externalId of the nth person of a series.
pub(super) fn external_id(series: &str, n: usize) -> String {
    format!("00u{series}{n:09}")
}

/// Writes the same person with another userType, for a PUT that changes something.
pub(super) fn revised(series: &str, n: usize, revision: &str) -> String {
    body(series, n).replacen(r#""userType":"Employee""#, &format!(r#""userType":"Employee {revision}""#), 1)
}

/// Returns the displayName of the group of so many members.
pub(super) fn group_name(members: usize) -> String {
    format!("Group of {members}")
}

/// Writes the body that creates a group.
pub(super) fn group<'a>(name: &str, members: impl Iterator<Item = &'a str>) -> String {
    let mut body = format!(
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"{name}","members":["#
    );
    for (n, member) in members.enumerate() {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(body, r#"{comma}{{"value":"{member}"}}"#);
    }
    body.push_str("]}");
    body
}

/// Writes Okta's body that switches a user off or on.
pub(super) fn activate(active: bool) -> String {
    format!(r#"{PATCH_BEGIN}"op":"replace","value":{{"active":{active}}}}}]}}"#)
}

/// Writes the body by which Entra tells of a new title, as one would for somebody who moved to another department too.
pub(super) fn entra_changes(title: &str) -> String {
    format!(
        r#"{PATCH_BEGIN}"op":"Replace","path":"title","value":"{title}"}},{{"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"{title}"}}]}}"#
    )
}

/// Writes the body that adds members to a group, by one operation.
pub(super) fn add_members<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let values: Vec<String> = ids.map(|id| format!(r#"{{"value":"{id}"}}"#)).collect();
    format!(r#"{PATCH_BEGIN}"op":"add","path":"members","value":[{}]}}]}}"#, values.join(","))
}

/// Writes the body that removes members from a group if they are in it, by one operation, as Entra does.
pub(super) fn take_out<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let values: Vec<String> = ids.map(|id| format!(r#"{{"value":"{id}"}}"#)).collect();
    format!(r#"{PATCH_BEGIN}"op":"remove","path":"members","value":[{}]}}]}}"#, values.join(","))
}

/// Writes the body that removes members from a group, by one operation for each.
pub(super) fn remove_members<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let removals: Vec<String> =
        ids.map(|id| format!(r#""op":"remove","path":"members[value eq \"{id}\"]""#)).collect();
    format!("{PATCH_BEGIN}{}}}]}}", removals.join("},{"))
}

const PATCH_BEGIN: &str = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"#;
const GIVEN: [&str; 8] = ["Ada", "Emmy", "Grace", "Lise", "Maria", "Rosalind", "Sofia", "Vera"];
const FAMILY: [&str; 8] =
    ["Germain", "Hopper", "Kovalevskaya", "Lovelace", "Meitner", "Mirzakhani", "Noether", "Rubin"];
const TITLES: [&str; 4] = ["Consultant", "Senior Consultant", "Manager", "Partner"];
const DEPARTMENTS: [&str; 4] = ["Assurance", "Finance", "Strategy", "Technology"];

fn pick<'a>(names: &[&'a str], n: usize) -> &'a str {
    names.get(n % names.len().max(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn every_body_is_json_and_no_two_people_share_a_name() {
        for n in [0, 1, 9_999_999] {
            let body: Value = serde_json::from_str(&body("a", n)).unwrap();
            assert_eq!(body["userName"], user_name("a", n));
        }
        assert_ne!(user_name("a", 1), user_name("b", 1));
        let group: Value = serde_json::from_str(&group("g", ["1", "2"].into_iter())).unwrap();
        assert_eq!(group["members"][1]["value"], "2");
        let two = || ["1", "2"].into_iter();
        let patches = [
            (activate(true), 1),
            (entra_changes("x"), 2),
            (add_members(two()), 1),
            (remove_members(two()), 2),
        ];
        for (patch, operations) in patches {
            let patch: Value = serde_json::from_str(&patch).unwrap();
            assert_eq!(patch["Operations"].as_array().unwrap().len(), operations);
        }
        assert_ne!(revised("a", 1, "2"), body("a", 1));
    }
}
