//! LicensePool: seats, and what happens when none is left (H17).

use super::invalid;
use crate::psa::urn;
use crate::scim::schema::Schema;
use crate::scim::schema::build::{integer, string};
use crate::scim::{Document, Refusal};

/// Makes the schema.
pub(super) fn schema() -> Schema {
    Schema::new(
        urn::LICENSE_POOL.into(),
        "LicensePool".into(),
        "Seats of one licence class".into(),
        vec![
            string("displayName", "What it is called; unique").required().server_unique(),
            string("class", "The licence class whose permissions a seat opens; the name of the pool where absent"),
            integer("seats", "How many people can have a seat at a time").required(),
            integer("used", "How many have one").read_only(),
            string("whenFull", "What happens to somebody for whom no seat is left: the request is refused (reject), or they are locked (lock); reject where absent")
                .only(&["reject", "lock"]),
        ],
    )
}

/// What happens to somebody for whom no seat is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The request is refused.
    Reject,
    /// They are there, and locked.
    Lock,
}

/// What the rules need to know of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// How many people can have a seat at a time.
    pub seats: u64,
    /// What happens when none is left.
    pub when_full: WhenFull,
}

impl Pool {
    /// Reads a pool's document.
    pub fn of(document: &Document) -> Result<Self, Refusal> {
        let seats = document.get("seats");
        let seats = seats
            .and_then(serde_json::Value::as_u64)
            .filter(|seats| u32::try_from(*seats).is_ok())
            .ok_or_else(|| invalid("seats: expected a whole number from 0 upwards"))?;
        let lock = document.text("whenFull").is_some_and(|word| word.eq_ignore_ascii_case("lock"));
        Ok(Self { seats, when_full: if lock { WhenFull::Lock } else { WhenFull::Reject } })
    }
}
