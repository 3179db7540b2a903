//! `[people]`: what becomes of people when they come, go and return. Knows nothing of how that is carried out.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::permissions::{ENTRIES_MAX, is_name};
use super::text::{self, quoted};

/// People. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    /// What a DELETE does.
    pub deprovision: Deprovision,
    /// What creating a departed person anew does.
    pub rehire: Rehire,
    /// The time zone of those who have none of their own.
    #[serde(with = "text")]
    pub time_zone: TimeZone,
    /// What single connections may write.
    pub authority: Vec<Authority>,
}

/// What a connection may write of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// The connection, by name.
    pub connection: String,
    /// Groups of attributes by name, and schemas of the tenant's own by their URN.
    pub writes: Vec<String>,
    /// Whether a request that names anything else is refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub strict: bool,
}

/// The groups of attributes there are. Whoever knows the schemas holds this list against them.
pub const ATTRIBUTE_GROUPS: [&str; 11] = [
    "identity",
    "status",
    "contact",
    "locale",
    "organisation",
    "roles",
    "certificates",
    "employment",
    "user-types",
    "license",
    "schedule",
];

/// What a DELETE does to somebody who may be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deprovision {
    /// Erases who was never used, locks the others.
    DeleteIfUnused,
    /// Locks.
    Lock,
    /// Erases.
    Delete,
}

/// What creating somebody with the `externalId` of a departed person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rehire {
    /// Brings that person back.
    Resurrect,
    /// Makes another person.
    New,
}

/// The connection of the tenant's own administrators.
const LOCAL: &str = "local";

/// Tells whether something can be the URN of a schema of a tenant's own.
fn is_urn(text: &str) -> bool {
    text.len() <= 256
        && text.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("urn:"))
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.ends_with(':')
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over the field as it is")]
const fn is_false(truth: &bool) -> bool {
    !*truth
}

impl People {
    /// `above` is what stands before the topic's name: nothing, or a tenant's.
    pub(super) fn check(&self, above: &str, found: &mut Findings) {
        self.check_authority(above, found);
    }

    fn check_authority(&self, above: &str, found: &mut Findings) {
        let key = format!("{above}people.authority");
        let mut wrong = |what: String, remedy: &str| found.wrong(key.clone(), what, remedy);
        if self.authority.len() > ENTRIES_MAX {
            let what = format!("{} entries, expected {ENTRIES_MAX} at most", self.authority.len());
            wrong(what, "leave some out");
            return;
        }
        let known = ATTRIBUTE_GROUPS.join(", ");
        for (place, Authority { connection, writes, .. }) in self.authority.iter().enumerate() {
            if connection == LOCAL {
                let what = format!("the connection {} is bound by permissions alone", quoted(connection));
                wrong(what, "leave it out");
            } else if !is_name(connection) {
                let what = format!("no connection is named {}", quoted(connection));
                wrong(what, "`rosterd connection list` shows them");
            }
            if self.authority.iter().take(place).any(|earlier| earlier.connection == *connection) {
                let what = format!("{} stands there twice", quoted(connection));
                wrong(what, "write one entry with everything that it writes");
            }
            let is_known = |name: &String| ATTRIBUTE_GROUPS.contains(&name.as_str()) || is_urn(name);
            for name in writes.iter().filter(|name| !is_known(name)) {
                let what =
                    format!("{}: there is no group of attributes {}", quoted(connection), quoted(name));
                wrong(what, &format!("expected one of: {known}; or the URN of a schema of the tenant's own"));
            }
        }
    }
}
