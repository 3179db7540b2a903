//! What every store must pass.

use super::*;
use crate::ids::{Address, RequestId, ResourceId, TenantId};

/// The tenant of most cases.
pub const T: TenantId = TenantId::new(1);

/// A user with a unique name and two index entries.
pub fn person(id: u8, name: &str) -> Record {
    Record {
        at: Address::user(ResourceId::from_bytes([id; 16])),
        connection: None,
        created: Timestamp::UNIX_EPOCH,
        modified: Timestamp::UNIX_EPOCH,
        display: name.into(),
        segments: vec![Segment {
            urn: "urn:ietf:params:scim:schemas:core:2.0:User".into(),
            json: format!(r#"{{"userName":"{name}"}}"#),
        }],
        unique: vec![UniqueKey { index: IndexId(1), value: name.into() }],
        index: vec![IndexEntry { index: IndexId(2), value: name.into() }],
    }
}

/// A log entry.
pub fn entry() -> Entry {
    Entry {
        facts: Facts {
            when: Timestamp::UNIX_EPOCH,
            who: Actor::Cli,
            connection: None,
            request: RequestId::from_bytes([7; 16]),
            action: Action::Create,
            subject: None,
            attributes: vec![],
            result: "ok".into(),
            notes: vec![],
        },
        values: Values { salt: "00".into(), changes: vec![] },
    }
}

/// A unit that puts a record.
pub fn put(record: &Record) -> Unit {
    Unit { given: vec![], writes: vec![Write::Put(Box::new(record.clone()))], log: Some(entry()) }
}
