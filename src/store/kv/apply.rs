//! A unit becomes changes: its facts are checked, its writes are drafted, its history is chained.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use jiff::Timestamp;

use super::blocks::{self, Lane};
use super::draft::{Batch, Changes, Draft};
use super::history;
use super::keys;
use super::{KvRead, read, rows};
use crate::ids::{Address, ConnectionId, KindId, ResourceId, TenantId};
use crate::store::codec::{self, Stored};
use crate::store::log::{Entry, LogRow};
use crate::store::unit::{self, Given, IndexEntry, IndexId, Record, Seq, Space, Unit, Write};
use crate::store::{Head, KEY_BYTES_MAX, Owned, Quarter, StoreError, Touched, TouchedRow};

/// What became of a unit that was applied to a batch.
pub(crate) enum Applied {
    /// It may be written; its number, and what it comes to.
    Done(Seq, Changes),
    /// A fact did not hold.
    Lost(Given),
}

/// Applies a unit to what its batch has come to so far.
pub(crate) fn apply(batch: &Batch<'_>, tenant: TenantId, unit: &Unit) -> Result<Applied, StoreError> {
    validate(unit)?;
    for given in &unit.given {
        if !holds(batch, tenant, given)? {
            return Ok(Applied::Lost(given.clone()));
        }
    }
    let head = read::head(batch, tenant)?;
    let draft = batch.draft();
    let (seq, when) = match &unit.log {
        Some(entry) => (Seq(head.seq.0 + 1), entry.facts.when),
        // Only small values are written, which have neither number nor time.
        None => (head.seq, Timestamp::UNIX_EPOCH),
    };
    let mut applying = Applying { draft, tenant, seq, when };
    if let ControlFlow::Break(lost) = applying.write_all(&unit.writes)? {
        return Ok(Applied::Lost(lost));
    }
    if let Some(entry) = &unit.log {
        applying.chain(head, entry)?;
    }
    Ok(Applied::Done(seq, applying.draft.into_changes()))
}

/// Refuses what the contract does not allow, whatever the state.
fn validate(unit: &Unit) -> Result<(), StoreError> {
    let key_fits = |key: &[u8], what: &str| {
        if key.len() <= KEY_BYTES_MAX {
            return Ok(());
        }
        let length = key.len();
        Err(StoreError::Invalid(format!("{what} of {length} bytes, the most is {KEY_BYTES_MAX}")))
    };
    for write in &unit.writes {
        match write {
            Write::Small { key, .. } | Write::Add { key, .. } => key_fits(key, "a small key")?,
            Write::Index { index, .. } => {
                index.iter().try_for_each(|entry| key_fits(&entry.value, "an index value"))?;
            }
            _ if unit.log.is_none() => {
                return Err(StoreError::Invalid("a change of records or edges without a log entry".into()));
            }
            Write::Put(record) => {
                record.unique.iter().try_for_each(|key| key_fits(&key.value, "a unique key"))?;
                record.index.iter().try_for_each(|entry| key_fits(&entry.value, "an index value"))?;
            }
            Write::Delete(_) | Write::Edge { .. } | Write::EraseValues(_) => {}
        }
    }
    Ok(())
}

fn holds(kv: &dyn KvRead, tenant: TenantId, given: &Given) -> Result<bool, StoreError> {
    Ok(match given {
        Given::Version(at, version) => {
            read::get(kv, tenant, *at)?.is_some_and(|stored| stored.version() == *version)
        }
        Given::Exists(at) => rows::exists(kv, &keys::id(tenant, *at))?,
        Given::Absent(at) => !rows::exists(kv, &keys::id(tenant, *at))?,
        Given::Free(key, at) => {
            read::by_unique(kv, tenant, key.index, &key.value)?.is_none_or(|holder| holder == *at)
        }
        Given::Members(group, seq) => {
            read::touched(kv, tenant, *group)?.map_or(Seq::ZERO, |it| it.seq) == *seq
        }
        Given::Small(space, key, value) => read::small(kv, tenant, *space, key)? == *value,
        Given::Room { space, key, max } => {
            unit::counter(read::small(kv, tenant, *space, key)?.as_deref())? < *max
        }
        Given::Unused(entry) => read::used_by(kv, tenant, entry)?.is_none(),
    })
}

/// Where in an entry's key the value begins: after tenant, letter, kind and index.
const ENTRY_BEGINS: usize = 7;

/// A unit on its way: it has a number and a time, and what it wrote so far.
struct Applying<'a> {
    draft: Draft<'a>,
    tenant: TenantId,
    seq: Seq,
    when: Timestamp,
}

/// Goes on, or breaks off because of a fact that a write implies.
type Step = Result<ControlFlow<Given>, StoreError>;
const ON: Step = Ok(ControlFlow::Continue(()));

impl Applying<'_> {
    fn write_all(&mut self, writes: &[Write]) -> Step {
        for write in writes {
            let step = match write {
                Write::Put(record) => self.put(record),
                Write::Delete(at) => self.delete(*at),
                Write::Index { at, index } => self.index_again(*at, index),
                Write::Edge { group, member, add: true } => self.add_edge(*group, *member),
                Write::Edge { group, member, add: false } => self.remove_edge(*group, *member),
                Write::EraseValues(seq) => self.erase(*seq),
                Write::Small { space, key, value } => self.small(*space, key, value.as_deref()),
                Write::Add { space, key, by } => {
                    let before = read::small(&self.draft, self.tenant, *space, key)?;
                    let after = unit::count_on(before.as_deref(), *by)?;
                    self.small(*space, key, after.as_deref())
                }
            }?;
            if step.is_break() {
                return Ok(step);
            }
        }
        ON
    }

    fn small(&mut self, space: Space, key: &[u8], value: Option<&[u8]>) -> Step {
        let key = keys::small(self.tenant, space, key);
        match value {
            Some(value) => self.draft.put(key, value),
            None => self.draft.remove(key),
        }
        ON
    }

    fn put(&mut self, record: &Record) -> Step {
        let at = record.at;
        let old = read::get(&self.draft, self.tenant, at)?;
        let old_unique: BTreeSet<_> = old.iter().flat_map(Stored::unique).collect();
        let new_unique: BTreeSet<_> =
            record.unique.iter().map(|key| (key.index, key.value.as_slice())).collect();
        for key in &record.unique {
            if !old_unique.contains(&(key.index, key.value.as_slice()))
                && read::by_unique(&self.draft, self.tenant, key.index, &key.value)?.is_some()
            {
                return Ok(ControlFlow::Break(Given::Free(key.clone(), at)));
            }
        }
        for (index, value) in old_unique.difference(&new_unique) {
            self.draft.remove(keys::unique(self.tenant, *index, value));
        }
        for (index, value) in new_unique.difference(&old_unique) {
            self.draft.put(keys::unique(self.tenant, *index, value), &rows::address(at));
        }
        self.own(at, old.as_ref().and_then(Stored::connection), record.connection)?;
        self.entries(at, old.iter().flat_map(Stored::index).collect(), &record.index)?;
        if old.is_none() {
            self.draft.put(keys::id(self.tenant, at), rows::NOTHING);
            blocks::added(&mut self.draft, &Lane::ids(self.tenant, at.kind), at.id.as_bytes())?;
            self.count(at.kind, 1)?;
        }
        let bytes = codec::encode(self.tenant, self.seq, record);
        self.draft.put_document(&keys::document(self.tenant, at), bytes);
        ON
    }

    /// Writes a record again with other index entries; its version stays. What an earlier build did not write beside it is written as well.
    fn index_again(&mut self, at: Address, index: &[IndexEntry]) -> Step {
        let Some(old) = read::get(&self.draft, self.tenant, at)? else { return ON };
        self.entries(at, old.index().collect(), index)?;
        if let Some(by) = old.connection()
            && !rows::exists(&self.draft, &keys::owned(self.tenant, Owned { kind: at.kind, by }, at.id))?
        {
            self.own(at, None, Some(by))?;
        }
        if at.kind == KindId::GROUP
            && let Some(touched) = read::touched(&self.draft, self.tenant, at.id)?
        {
            self.draft.put(when(self.tenant, at.id, touched.at), rows::NOTHING);
        }
        let record = Record { index: index.to_vec(), ..old.to_record()? };
        let bytes = codec::encode(self.tenant, old.version(), &record);
        self.draft.put_document(&keys::document(self.tenant, at), bytes);
        ON
    }

    /// Writes the index entries that are new and removes those that are not wanted any more.
    fn entries(
        &mut self,
        at: Address,
        old: BTreeSet<(IndexId, &[u8])>,
        new: &[IndexEntry],
    ) -> Result<(), StoreError> {
        let new: BTreeSet<_> = new.iter().map(|entry| (entry.index, entry.value.as_slice())).collect();
        for (index, value) in old.difference(&new) {
            self.remove_entry(at, *index, value)?;
        }
        for (index, value) in new.difference(&old) {
            let key = self.index_key(at, *index, value);
            let tail = key.get(ENTRY_BEGINS..).unwrap_or_default().to_vec();
            self.draft.put(key, rows::NOTHING);
            if index.is_counted() {
                blocks::added(&mut self.draft, &Lane::index(self.tenant, at.kind, *index), &tail)?;
            }
        }
        Ok(())
    }

    fn remove_entry(&mut self, at: Address, index: IndexId, value: &[u8]) -> Result<(), StoreError> {
        let key = self.index_key(at, index, value);
        let tail = key.get(ENTRY_BEGINS..).unwrap_or_default().to_vec();
        self.draft.remove(key);
        if index.is_counted() {
            blocks::removed(&mut self.draft, &Lane::index(self.tenant, at.kind, index), &tail)?;
        }
        Ok(())
    }

    fn delete(&mut self, at: Address) -> Step {
        let Some(old) = read::get(&self.draft, self.tenant, at)? else { return ON };
        for (index, value) in old.unique() {
            self.draft.remove(keys::unique(self.tenant, index, value));
        }
        // One entry given twice is one.
        for (index, value) in old.index().collect::<BTreeSet<_>>() {
            self.remove_entry(at, index, value)?;
        }
        self.draft.remove_document(&keys::document(self.tenant, at));
        self.draft.remove(keys::id(self.tenant, at));
        blocks::removed(&mut self.draft, &Lane::ids(self.tenant, at.kind), at.id.as_bytes())?;
        self.own(at, old.connection(), None)?;
        self.count(at.kind, -1)?;
        if at.kind == KindId::GROUP {
            for member in read::all_members(&self.draft, self.tenant, at.id)? {
                self.cut(at.id, member);
            }
            if let Some(touched) = read::touched(&self.draft, self.tenant, at.id)? {
                self.draft.remove(when(self.tenant, at.id, touched.at));
                self.draft.remove(keys::touched(self.tenant, at.id));
            }
        }
        for group in read::all_groups_of(&self.draft, self.tenant, at)? {
            self.cut(group, at);
            self.touch(group, -1)?;
        }
        ON
    }

    fn add_edge(&mut self, group: ResourceId, member: Address) -> Step {
        let key = keys::member(self.tenant, group, member);
        if rows::exists(&self.draft, &key)? {
            return ON;
        }
        for end in [Address::group(group), member] {
            if !rows::exists(&self.draft, &keys::id(self.tenant, end))? {
                return Ok(ControlFlow::Break(Given::Exists(end)));
            }
        }
        self.draft.put(key, rows::NOTHING);
        self.draft.put(keys::group(self.tenant, member, group), rows::NOTHING);
        self.touch(group, 1)?;
        ON
    }

    fn remove_edge(&mut self, group: ResourceId, member: Address) -> Step {
        if rows::exists(&self.draft, &keys::member(self.tenant, group, member))? {
            self.cut(group, member);
            self.touch(group, -1)?;
        }
        ON
    }

    /// Removes both rows of an edge.
    fn cut(&mut self, group: ResourceId, member: Address) {
        self.draft.remove(keys::member(self.tenant, group, member));
        self.draft.remove(keys::group(self.tenant, member, group));
    }

    fn touch(&mut self, group: ResourceId, change: i64) -> Result<(), StoreError> {
        let before = read::touched(&self.draft, self.tenant, group)?;
        let (at, count) = before.map_or((self.when, 0), |it| (it.at.max(self.when), it.count));
        let count = changed(count, change, "members of a group")?;
        // In the same quarter of an hour it is there already.
        let there = before.map(|it| when(self.tenant, group, it.at));
        let key = when(self.tenant, group, at);
        if there.as_ref() != Some(&key) {
            if let Some(there) = there {
                self.draft.remove(there);
            }
            self.draft.put(key, rows::NOTHING);
        }
        let touched = Touched { seq: self.seq, at, count };
        self.draft.put(keys::touched(self.tenant, group), &rows::touched(&touched));
        Ok(())
    }

    fn count(&mut self, kind: KindId, change: i64) -> Result<(), StoreError> {
        let count = changed(read::count(&self.draft, self.tenant, kind)?, change, "records of a kind")?;
        self.draft.put(keys::count(self.tenant, kind), &count.to_le_bytes());
        Ok(())
    }

    /// Notes whose record it is from now on.
    fn own(
        &mut self,
        at: Address,
        before: Option<ConnectionId>,
        after: Option<ConnectionId>,
    ) -> Result<(), StoreError> {
        if before == after {
            return Ok(());
        }
        for (by, change) in before.map(|by| (by, -1)).into_iter().chain(after.map(|by| (by, 1))) {
            let owned = Owned { kind: at.kind, by };
            let key = keys::owned(self.tenant, owned, at.id);
            match change {
                1 => self.draft.put(key, rows::NOTHING),
                _ => self.draft.remove(key),
            }
            let count = read::owned(&self.draft, self.tenant, owned)?;
            let count = changed(count, change, "records of a connection")?;
            self.draft.put(keys::owned_count(self.tenant, owned), &count.to_le_bytes());
        }
        Ok(())
    }

    fn erase(&mut self, seq: Seq) -> Step {
        let key = keys::log(self.tenant, seq);
        if let Some(row) = rows::read(&self.draft, &key, |value| history::open_log(seq, value))? {
            self.draft.put(key, &history::log(&LogRow { values: vec![], ..row }));
        }
        ON
    }

    fn chain(&mut self, head: Head, entry: &Entry) -> Result<(), StoreError> {
        let row = LogRow::chain(head.link, self.seq, entry)
            .map_err(|error| StoreError::Invalid(format!("a log entry that is no JSON: {error}")))?;
        self.draft.put(keys::log(self.tenant, self.seq), &history::log(&row));
        if let Some(subject) = entry.facts.subject {
            self.draft.put(keys::about(self.tenant, subject.id, self.seq), rows::NOTHING);
        }
        let head = Head { seq: self.seq, link: row.link };
        self.draft.put(keys::head(self.tenant), &rows::head(&head));
        Ok(())
    }

    fn index_key(&self, at: Address, index: IndexId, value: &[u8]) -> Vec<u8> {
        keys::index_entry(self.tenant, at.kind, index, value, at.id)
    }
}

/// Where a group stands in the list of those by when their edges changed.
fn when(tenant: TenantId, group: ResourceId, at: Timestamp) -> Vec<u8> {
    keys::when(tenant, TouchedRow { quarter: Quarter::of(at), group })
}

/// Adds to a kept count, which neither sinks below nothing nor overflows unless it is damaged.
fn changed(count: u64, change: i64, what: &str) -> Result<u64, StoreError> {
    count.checked_add_signed(change).ok_or_else(|| {
        StoreError::Corrupt(format!("the kept number of {what} is {count}, changing by {change}"))
    })
}
