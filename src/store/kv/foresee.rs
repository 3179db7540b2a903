//! What applying units will look at, as far as it can be said beforehand: so that an engine for which each look is a trip fetches it in one.
//!
//! Nothing rests on this being complete, nor on all of it being needed.

use super::keys::{self, Table};
use crate::ids::{Address, TenantId};
use crate::store::Owned;
use crate::store::unit::{Given, Record, Unit, Write};

/// What a batch will look at.
#[derive(Debug, Default)]
pub(in crate::store) struct Foreseen {
    /// Keys whose values are read.
    pub(in crate::store) keys: Vec<(Table, Vec<u8>)>,
    /// Stretches of the small table, from where (inclusive) to where (exclusive), whose last row is looked for.
    pub(in crate::store) last: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Where in an entry's key the value begins: after tenant, letter, kind and index.
const ENTRY_BEGINS: usize = 7;

impl Foreseen {
    /// Looks through the units of a batch.
    pub(in crate::store) fn of(units: &[(TenantId, &Unit)]) -> Self {
        let mut foreseen = Self::default();
        for (tenant, unit) in units {
            foreseen.small(keys::head(*tenant));
            unit.given.iter().for_each(|given| foreseen.given(*tenant, given));
            unit.writes.iter().for_each(|write| foreseen.write(*tenant, write));
        }
        foreseen.last.sort_unstable();
        foreseen.last.dedup();
        foreseen
    }

    fn small(&mut self, key: Vec<u8>) {
        self.keys.push((Table::Small, key));
    }

    fn document(&mut self, tenant: TenantId, at: Address) {
        self.keys.push((Table::Documents, keys::document(tenant, at).to_vec()));
    }

    fn given(&mut self, tenant: TenantId, given: &Given) {
        match given {
            Given::Version(at, _) => self.document(tenant, *at),
            Given::Exists(at) | Given::Absent(at) => self.small(keys::id(tenant, *at)),
            Given::Free(key, _) => self.small(keys::unique(tenant, key.index, &key.value)),
            Given::Members(group, _) => self.small(keys::touched(tenant, *group)),
            Given::Small(space, key, _) | Given::Room { space, key, .. } => {
                self.small(keys::small(tenant, *space, key));
            }
            // Looked for from kind to kind.
            Given::Unused(_) => {}
        }
    }

    fn write(&mut self, tenant: TenantId, write: &Write) {
        match write {
            Write::Put(record) => self.put(tenant, record),
            Write::Delete(at) => {
                self.document(tenant, *at);
                self.small(keys::count(tenant, at.kind));
                self.small(keys::touched(tenant, at.id));
                self.block(keys::blocks(tenant, at.kind), at.id.as_bytes());
            }
            Write::Index { at, .. } => self.document(tenant, *at),
            Write::Edge { group, member, .. } => {
                self.small(keys::member(tenant, *group, *member));
                self.small(keys::id(tenant, Address::group(*group)));
                self.small(keys::id(tenant, *member));
                self.small(keys::touched(tenant, *group));
            }
            Write::EraseValues(seq) => self.small(keys::log(tenant, *seq)),
            Write::Add { space, key, .. } => self.small(keys::small(tenant, *space, key)),
            // Written without a look.
            Write::Small { .. } => {}
        }
    }

    fn put(&mut self, tenant: TenantId, record: &Record) {
        let at = record.at;
        self.document(tenant, at);
        self.small(keys::count(tenant, at.kind));
        if let Some(by) = record.connection {
            self.small(keys::owned_count(tenant, Owned { kind: at.kind, by }));
        }
        for key in &record.unique {
            self.small(keys::unique(tenant, key.index, &key.value));
        }
        self.block(keys::blocks(tenant, at.kind), at.id.as_bytes());
        for entry in record.index.iter().filter(|entry| entry.index.is_counted()) {
            let key = keys::index_entry(tenant, at.kind, entry.index, &entry.value, at.id);
            let tail = key.get(ENTRY_BEGINS..).unwrap_or_default();
            self.block(keys::entry_blocks(tenant, at.kind, entry.index), tail);
        }
    }

    /// The block in which a row is counted.
    fn block(&mut self, blocks: Vec<u8>, tail: &[u8]) {
        let beyond = keys::just_after([&blocks, tail].concat());
        self.last.push((blocks, beyond));
    }
}
