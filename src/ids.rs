//! The names by which things are told apart: one type per meaning, so that none can stand for another.
//!
//! Ids of resources, connections, tokens and requests are UUIDs (version 7 when made here, so that their order is
//! the order of creation) in the hyphenated lower-case text form. A tenant is a small number, because it begins
//! every key of the store. Knows nothing of what the ids name.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an id of 36 characters such as 0192f0c1-2b3c-7def-8123-456789abcdef")]
pub struct IdError;

/// Reads the canonical text form, and only that: 36 characters, lower-case hex, hyphens in place.
fn parse_canonical(text: &str) -> Result<Uuid, IdError> {
    let canonical =
        text.len() == 36 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    if canonical { Uuid::try_parse(text).map_err(|_| IdError) } else { Err(IdError) }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that [`crate::chance`] made or the store kept.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// Reads the canonical text form: lower case, hyphenated, nothing around it.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                parse_canonical(text).map(Self)
            }

            /// Returns the sixteen bytes, which sort by time of creation.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// Rebuilds the id from its sixteen bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl $name {
            /// Writes the text form into a buffer, for hot paths where a formatter would cost more than the id.
            pub fn encode(self, buffer: &mut [u8; 36]) -> &str {
                self.0.as_hyphenated().encode_lower(buffer)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

id! {
    /// A SCIM resource of any kind (RFC 7643 §3.1 `id`): made by the server, never given to another.
    ResourceId
}
id! {
    /// One IdP's connection: the credentials and the profile under which it speaks to us.
    ConnectionId
}
id! {
    /// A bearer token, by which audit entries name it; never the secret itself.
    TokenId
}
id! {
    /// A client of the token endpoint, or one that shows its secret with each request; by it audit entries name it.
    ClientId
}
id! {
    /// One request, from its first log line to its audit entry.
    RequestId
}

/// A tenant: one organisation whose people no other can see. Begins every key of the store.
///
/// Handlers never hold one: they hold a `roster::Caller`, which only authentication makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(u32);

impl TenantId {
    /// The reserved tenant that holds what must be found before a tenant is known: names of tenants, token hashes.
    pub const SYSTEM: Self = Self(0);

    /// Wraps a number that the roster gave out or the store kept.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

/// A registered kind of resource, as the store sees it: a number that never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KindId(pub u8);

impl KindId {
    /// `User` (RFC 7643 §4.1).
    pub const USER: Self = Self(1);
    /// `Group` (RFC 7643 §4.2).
    pub const GROUP: Self = Self(2);
    /// `UserType`: a named bundle of permission grants.
    pub const USER_TYPE: Self = Self(3);
    /// `CostCenter`: a node of the firm's tree.
    pub const COST_CENTER: Self = Self(4);
    /// `EmploymentTemplate`: expected hours per weekday.
    pub const EMPLOYMENT_TEMPLATE: Self = Self(5);
    /// `Company`: an employer.
    pub const COMPANY: Self = Self(6);
    /// `Client`: a customer company.
    pub const CLIENT: Self = Self(7);
    /// `LicensePool`: seats.
    pub const LICENSE_POOL: Self = Self(8);
    /// People who were deprovisioned and whose history stays. No kind that anybody is served: under this number their records are out of
    /// every list, name and membership of the kind `User`.
    pub const DEPARTED: Self = Self(9);
}

/// Where a resource lives within its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// What kind of resource it is.
    pub kind: KindId,
    /// Which one.
    pub id: ResourceId,
}

impl Address {
    /// Names a user.
    pub const fn user(id: ResourceId) -> Self {
        Self { kind: KindId::USER, id }
    }

    /// Names a group.
    pub const fn group(id: ResourceId) -> Self {
        Self { kind: KindId::GROUP, id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x40_only_the_canonical_text_is_an_id() {
        let text = "0192f0c1-2b3c-7def-8123-456789abcdef";
        assert_eq!(ResourceId::parse(text).unwrap().to_string(), text);
        for wrong in [
            "",
            "1",
            "0192F0C1-2B3C-7DEF-8123-456789ABCDEF",
            "0192f0c12b3c7def8123456789abcdef",
            "{0192f0c1-2b3c-7def-8123-456789abcdef}",
            "0192f0c1-2b3c-7def-8123-456789abcde%",
            "urn:uuid:0192f0c1-2b3c-7def-8123-456789abcdef",
        ] {
            assert_eq!(ResourceId::parse(wrong), Err(IdError), "{wrong}");
        }
    }
}
