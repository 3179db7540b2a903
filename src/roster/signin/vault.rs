//! The mark of the key with which secrets are sealed that the store holds. What the key is, and how it seals, the roster does not know.

use super::super::Roster;
use super::super::error::RosterError;
use super::super::rows::VAULT_MARK;
use crate::ids::TenantId;
use crate::store::{Given, Outcome, Snapshot, Unit, Write};

impl Roster {
    /// Reads the mark; `None` while nothing was ever sealed.
    pub fn vault_mark(&self) -> Result<Option<String>, RosterError> {
        read(self.store.snapshot()?.as_ref())
    }

    /// Keeps a mark where there is none. Returns the one that is kept then.
    pub fn keep_vault_mark(&self, mark: &str) -> Result<String, RosterError> {
        let unit = Unit {
            given: vec![Given::Small(VAULT_MARK, vec![], None)],
            writes: vec![Write::Small {
                space: VAULT_MARK,
                key: vec![],
                value: Some(mark.as_bytes().to_vec()),
            }],
            log: None,
        };
        match self.store.commit(TenantId::SYSTEM, unit)? {
            Outcome::Committed { .. } => Ok(mark.to_owned()),
            Outcome::Lost(_) => self.vault_mark()?.ok_or(RosterError::Busy),
        }
    }
}

fn read(snapshot: &dyn Snapshot) -> Result<Option<String>, RosterError> {
    let Some(bytes) = snapshot.small(TenantId::SYSTEM, VAULT_MARK, &[])? else { return Ok(None) };
    let mark = String::from_utf8(bytes);
    mark.map(Some).map_err(|_| RosterError::Broken("the mark of the sealing key is no text".to_owned()))
}
