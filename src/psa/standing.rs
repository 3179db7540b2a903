//! Where a person stands: what is kept of them beside what a schema describes (section 2 of the domain; H09, H15).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::locks::{Authority, Lock, Locks};

/// Who wrote an attribute last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Writer {
    /// The identity provider.
    Idp,
    /// A person who administers, or a program of theirs.
    Admin,
    /// A plugin, by its name.
    Plugin(String),
}

impl From<Writer> for String {
    fn from(writer: Writer) -> Self {
        match writer {
            Writer::Idp => "idp".to_owned(),
            Writer::Admin => "admin".to_owned(),
            Writer::Plugin(name) => format!("plugin:{name}"),
        }
    }
}

impl From<String> for Writer {
    fn from(text: String) -> Self {
        match text.strip_prefix("plugin:") {
            Some(name) => Self::Plugin(name.to_owned()),
            None if text == "idp" => Self::Idp,
            None => Self::Admin,
        }
    }
}

/// When somebody was deprovisioned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// When.
    pub at: Timestamp,
    /// By whom, in the history's words.
    pub by: String,
}

/// Where a person stands. Of most people there is nothing to say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Standing {
    /// Who keeps them out.
    #[serde(default, skip_serializing_if = "is_open")]
    pub locks: Locks,
    /// When they were invited, while they have not come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited: Option<Timestamp>,
    /// When they were last let in; when they were made where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated: Option<Timestamp>,
    /// When the schedule has to be looked at again, in UTC (R15).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// The time zone for which that instant was worked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Who wrote which attribute last, where that is not whose the record is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub writers: BTreeMap<String, Writer>,
    /// When they were deprovisioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub departed: Option<Departure>,
}

fn is_open(locks: &Locks) -> bool {
    !locks.is_locked()
}

impl Standing {
    /// Reads what is kept; `None` stands for nothing.
    pub fn read(json: Option<&str>) -> Result<Self, serde_json::Error> {
        json.map_or_else(|| Ok(Self::default()), serde_json::from_str)
    }

    /// Writes what is to be kept; `None` where there is nothing to say.
    pub fn write(&self) -> Result<Option<String>, serde_json::Error> {
        if *self == Self::default() { Ok(None) } else { serde_json::to_string(self).map(Some) }
    }

    /// Has an authority hold its lock, or let go of it. Returns whether that changed anything.
    pub fn lock(
        &mut self,
        authority: Authority,
        held: bool,
        now: Timestamp,
        by: &str,
        reason: Option<&str>,
    ) -> bool {
        let lock = || Lock { authority, since: now, by: by.to_owned(), reason: reason.map(str::to_owned) };
        if held { self.locks.hold(lock()) } else { self.locks.release(authority).is_some() }
    }

    /// Notes who wrote an attribute; `owner` is whose the record is, of whom nothing is noted. `None` for an attribute that is no more: it is
    /// anybody's again.
    pub fn wrote(&mut self, attribute: &str, writer: Option<&Writer>, owner: &Writer) {
        match writer.filter(|writer| *writer != owner) {
            Some(writer) => self.writers.insert(attribute.to_owned(), writer.clone()),
            None => self.writers.remove(attribute),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_most_people_there_is_nothing_to_say() {
        assert_eq!(Standing::default().write().unwrap(), None);
        assert_eq!(Standing::read(None).unwrap(), Standing::default());
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let now = Timestamp::from_second(1).unwrap();
        let mut standing = Standing { due: Some(now), ..Standing::default() };
        standing.lock(Authority::Admin, true, now, "cli", Some("left"));
        standing.wrote("title", Some(&Writer::Plugin("rates".into())), &Writer::Idp);
        standing.wrote("nickName", Some(&Writer::Idp), &Writer::Idp);
        let json = standing.write().unwrap().unwrap();
        assert_eq!(Standing::read(Some(&json)).unwrap(), standing);
        assert_eq!(standing.writers.len(), 1);
        standing.wrote("title", None, &Writer::Idp);
        assert!(standing.writers.is_empty());
    }
}
