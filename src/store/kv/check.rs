//! Everything that is held twice, compared; and every row read, so that damage shows.
//!
//! One pass over each table, then the questions the passes raised. Findings name ids and drawers, never names or
//! addresses of people. Memory: one entry per record and group (a few dozen bytes), nothing per edge or index entry.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::history;
use super::keys::{self, Table, drawer};
use super::{KvRead, read, rows};
use crate::ids::{Address, KindId, ResourceId, TenantId};
use crate::store::codec::Stored;
use crate::store::log::{Link, LogRow};
use crate::store::seal::unseal;
use crate::store::unit::{IndexId, Seq};
use crate::store::{Finding, Head, Owned, Quarter, StoreError, Touched};

/// Most findings that are listed; a store that has more has been looked at enough.
const FINDINGS_MAX: usize = 1000;
/// Rows between two reports of progress.
const PROGRESS_ROWS: u64 = 1000;

/// Reads everything and reports what does not fit.
pub(in crate::store) fn check(
    state: &dyn KvRead,
    progress: &mut dyn FnMut(u64),
) -> Result<Vec<Finding>, StoreError> {
    let mut check = Check { state, progress, rows: 0, findings: vec![], tenants: BTreeMap::new() };
    check.documents()?;
    check.small()?;
    check.totals();
    (check.progress)(check.rows);
    Ok(check.findings)
}

/// What the passes learnt of a tenant.
#[derive(Default)]
struct Seen {
    versions: BTreeMap<Address, Seq>,
    ids: u64,
    /// By first id: how many ids a block says it has, and how many were met.
    blocks: BTreeMap<Address, (u64, u64)>,
    /// The same by first entry (kind, index, value, id), of indexes that are counted.
    entry_blocks: BTreeMap<Vec<u8>, (u64, u64)>,
    counts: BTreeMap<KindId, u64>,
    /// How many records a connection has: as kept, as its rows say, as the records say.
    owned: BTreeMap<Owned, [u64; 3]>,
    edges: BTreeMap<ResourceId, u64>,
    backward: u64,
    touched: BTreeMap<ResourceId, Touched>,
    whens: u64,
    unique: (u64, u64),
    index: (u64, u64),
    /// Entries of the history that have a subject, and rows that say so.
    about: (u64, u64),
    chain: Head,
    head: Head,
}

struct Check<'a> {
    state: &'a dyn KvRead,
    progress: &'a mut dyn FnMut(u64),
    rows: u64,
    findings: Vec<Finding>,
    tenants: BTreeMap<TenantId, Seen>,
}

impl Check<'_> {
    fn find(&mut self, tenant: TenantId, what: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { tenant, what });
        }
    }

    fn tick(&mut self) {
        self.rows += 1;
        if self.rows.is_multiple_of(PROGRESS_ROWS) {
            (self.progress)(self.rows);
        }
    }

    fn of(&mut self, tenant: TenantId) -> &mut Seen {
        self.tenants.entry(tenant).or_default()
    }

    /// Tells whether a row exists; a damaged one does, and is named when the pass comes to it.
    fn has(&self, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.state.get(Table::Small, key)?.is_some())
    }

    fn documents(&mut self) -> Result<(), StoreError> {
        let state = self.state;
        state.scan(Table::Documents, &[], &keys::BEYOND, &mut |key, bytes| {
            self.tick();
            let Some((tenant, at)) = keys::parse_document(key) else {
                self.find(TenantId::SYSTEM, format!("a record stands under a key of {} bytes", key.len()));
                return Ok(ControlFlow::Continue(()));
            };
            match Stored::decode(tenant, at, bytes.into()) {
                Ok(stored) => self.document(tenant, &stored)?,
                Err(error) => self.find(tenant, words(error)),
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Looks up everything that a record says of itself.
    fn document(&mut self, tenant: TenantId, stored: &Stored) -> Result<(), StoreError> {
        let at = stored.at();
        let named = format!("record {} of kind {}", at.id, at.kind.0);
        self.of(tenant).versions.insert(at, stored.version());
        if let Some(by) = stored.connection() {
            let owned = Owned { kind: at.kind, by };
            let [.., records] = self.of(tenant).owned.entry(owned).or_default();
            *records += 1;
            if !self.has(&keys::owned(tenant, owned, at.id))? {
                self.find(tenant, format!("{named} is not among those of its connection"));
            }
        }
        if !self.has(&keys::id(tenant, at))? {
            self.find(tenant, format!("{named} is not in the list of ids"));
        }
        let unique: BTreeSet<(IndexId, &[u8])> = stored.unique().collect();
        for (index, value) in &unique {
            match read::by_unique(self.state, tenant, *index, value) {
                Ok(Some(holder)) if holder == at => {}
                Ok(Some(_)) => {
                    self.find(
                        tenant,
                        format!("{named} has a unique value of index {} that another holds", index.0),
                    );
                }
                Ok(None) => self.find(tenant, format!("{named} has no key in unique index {}", index.0)),
                // The pass over the small table names the row.
                Err(StoreError::Corrupt(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let index: BTreeSet<(IndexId, &[u8])> = stored.index().collect();
        for (id, value) in &index {
            if !self.has(&keys::index_entry(tenant, at.kind, *id, value, at.id))? {
                self.find(tenant, format!("{named} has no entry in index {}", id.0));
            }
        }
        let seen = self.of(tenant);
        seen.unique.0 += unique.len() as u64;
        seen.index.0 += index.len() as u64;
        Ok(())
    }

    fn small(&mut self) -> Result<(), StoreError> {
        let state = self.state;
        state.scan(Table::Small, &[], &keys::BEYOND, &mut |key, sealed| {
            self.tick();
            if *key == keys::PROBE {
                return Ok(ControlFlow::Continue(()));
            }
            let Some((tenant, drawer, tail)) = keys::parse_small(key) else {
                self.find(TenantId::SYSTEM, format!("a row stands under a key of {} bytes", key.len()));
                return Ok(ControlFlow::Continue(()));
            };
            match unseal(key, sealed) {
                Ok(value) => match self.row(tenant, drawer, tail, value)? {
                    Some(None) => {}
                    Some(Some(what)) => self.find(tenant, what),
                    None => self.find(tenant, words(rows::damaged(key))),
                },
                Err(error) => self.find(tenant, format!("drawer {:?}: {}", char::from(drawer), words(error))),
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Compares one row with its other half. `None`: it cannot be read; `Some(Some(..))`: it does not fit.
    fn row(&mut self, tenant: TenantId, letter: u8, tail: &[u8], value: &[u8]) -> Result<Row, StoreError> {
        let row = match letter {
            drawer::UNIQUE => {
                self.of(tenant).unique.1 += 1;
                rows::open_address(value).map(|holder| self.needs_record(tenant, holder, "a unique key"))
            }
            drawer::INDEX => {
                self.of(tenant).index.1 += 1;
                keys::parse_index(tail).zip(keys::parse_index_id(tail)).map(|(at, index)| {
                    let counted = !index.is_counted() || self.of(tenant).count_entry(tail);
                    let uncounted =
                        || format!("an entry of record {} in index {} stands in no block", at.id, index.0);
                    let known = self.needs_record(tenant, at, "an index entry");
                    known.or_else(|| (!counted).then(uncounted))
                })
            }
            drawer::ENTRY_BLOCKS => match (keys::parse_index(tail), rows::open_number(value)) {
                (Some(first), Some(count)) => {
                    self.of(tenant).entry_blocks.insert(tail.to_vec(), (count, 0));
                    Some((count == 0).then(|| format!("the block of entries from {} counts none", first.id)))
                }
                _ => None,
            },
            drawer::BLOCKS => match (keys::parse_address(tail), rows::open_number(value)) {
                (Some(first), Some(count)) => {
                    self.of(tenant).blocks.insert(first, (count, 0));
                    Some((count == 0).then(|| format!("the block of ids from {} counts none", first.id)))
                }
                _ => None,
            },
            drawer::IDS => {
                self.of(tenant).ids += 1;
                keys::parse_address(tail).map(|at| {
                    let counted = self.of(tenant).count_in_block(at);
                    let uncounted = || format!("id {} of kind {} stands in no block", at.id, at.kind.0);
                    let known = self.needs_record(tenant, at, "the list of ids");
                    known.or_else(|| (!counted).then(uncounted))
                })
            }
            drawer::COUNT => match (tail, rows::open_number(value)) {
                ([kind], Some(count)) => {
                    self.of(tenant).counts.insert(KindId(*kind), count);
                    Some(None)
                }
                (tail, Some(count)) => keys::parse_owned(tail).map(|owned| {
                    let [kept, ..] = self.of(tenant).owned.entry(owned).or_default();
                    *kept = count;
                    None
                }),
                _ => None,
            },
            drawer::OWNED => keys::parse_owned_id(tail).map(|(owned, id)| {
                let [_, rows, _] = self.of(tenant).owned.entry(owned).or_default();
                *rows += 1;
                self.needs_record(tenant, Address { kind: owned.kind, id }, "the list of a connection")
            }),
            drawer::MEMBERS => match keys::parse_member(tail) {
                Some((group, member)) => Some(self.edge(tenant, group, member)?),
                None => None,
            },
            drawer::GROUPS => match keys::parse_group(tail) {
                Some((member, group)) => {
                    self.of(tenant).backward += 1;
                    let there = self.has(&keys::member(tenant, group, member))?;
                    Some((!there).then(|| format!("an edge of group {group} is known to its member only")))
                }
                None => None,
            },
            drawer::TOUCHED => match (keys::parse_id(tail), rows::open_touched(value)) {
                (Some(group), Some(touched)) => {
                    self.of(tenant).touched.insert(group, touched);
                    Some(self.needs_record(tenant, Address::group(group), "a row of edges"))
                }
                _ => None,
            },
            drawer::WHEN => keys::parse_when(tail).map(|row| {
                let seen = self.of(tenant);
                seen.whens += 1;
                let kept = seen.touched.get(&row.group).map(|touched| Quarter::of(touched.at));
                let elsewhere =
                    || format!("group {} is listed under a time when it was not touched", row.group);
                (kept != Some(row.quarter)).then(elsewhere)
            }),
            drawer::SMALL => (!tail.is_empty()).then_some(None),
            drawer::LOG => match keys::parse_seq(tail).and_then(|seq| history::open_log(seq, value)) {
                Some(row) => Some(self.log(tenant, &row).or(self.subject(tenant, &row)?)),
                None => None,
            },
            drawer::ABOUT => keys::parse_about(tail).map(|_| {
                self.of(tenant).about.1 += 1;
                None
            }),
            drawer::HEAD => rows::open_head(value).map(|head| {
                self.of(tenant).head = head;
                None
            }),
            _ => None,
        };
        Ok(row)
    }

    fn needs_record(&mut self, tenant: TenantId, at: Address, what: &str) -> Option<String> {
        let known = self.of(tenant).versions.contains_key(&at);
        (!known).then(|| format!("{what} names record {} of kind {}, which cannot be read", at.id, at.kind.0))
    }

    fn edge(
        &mut self,
        tenant: TenantId,
        group: ResourceId,
        member: Address,
    ) -> Result<Option<String>, StoreError> {
        *self.of(tenant).edges.entry(group).or_default() += 1;
        if !self.has(&keys::group(tenant, member, group))? {
            return Ok(Some(format!("an edge of group {group} is not known to its member {}", member.id)));
        }
        let group_there = self.needs_record(tenant, Address::group(group), "an edge");
        Ok(group_there.or_else(|| self.needs_record(tenant, member, "an edge")))
    }

    fn log(&mut self, tenant: TenantId, row: &LogRow) -> Option<String> {
        let chain = &mut self.of(tenant).chain;
        let expected = Seq(chain.seq.0 + 1);
        let follows = row.follows(if row.seq == Seq(1) { Link::default() } else { chain.link });
        *chain = Head { seq: row.seq, link: row.link };
        if row.seq != expected {
            Some(format!("the history goes on with {} where {} was expected", row.seq.0, expected.0))
        } else if follows {
            None
        } else {
            Some(format!("entry {} of the history was altered, or the one before it", row.seq.0))
        }
    }

    /// Looks up the row by which an entry is found from its subject.
    fn subject(&mut self, tenant: TenantId, row: &LogRow) -> Result<Option<String>, StoreError> {
        let Ok(subject) = row.subject() else {
            return Ok(Some(format!("entry {} of the history has facts that cannot be read", row.seq.0)));
        };
        let Some(Address { id, .. }) = subject else { return Ok(None) };
        self.of(tenant).about.0 += 1;
        let there = self.has(&keys::about(tenant, id, row.seq))?;
        Ok((!there).then(|| format!("entry {} is not in the history of its subject {id}", row.seq.0)))
    }

    /// Compares what was counted with what is kept.
    fn totals(&mut self) {
        for (tenant, seen) in std::mem::take(&mut self.tenants) {
            for what in seen.differences() {
                self.find(tenant, what);
            }
        }
    }
}

/// What is wrong, without the words that an operator would be told in front of it.
fn words(error: StoreError) -> String {
    match error {
        StoreError::Corrupt(what) => what,
        other => other.to_string(),
    }
}

type Row = Option<Option<String>>;

impl Seen {
    /// Counts an id in its block; tells whether it has one. The pass meets blocks before ids.
    fn count_in_block(&mut self, at: Address) -> bool {
        let first = Address { kind: at.kind, id: ResourceId::from_bytes([0; 16]) };
        match self.blocks.range_mut(first..=at).next_back() {
            Some((_, (_, met))) => {
                *met += 1;
                true
            }
            None => false,
        }
    }

    /// Counts an entry in its block, likewise.
    fn count_entry(&mut self, tail: &[u8]) -> bool {
        let Some(index) = tail.get(..2) else { return false };
        match self.entry_blocks.range_mut(index.to_vec()..=tail.to_vec()).next_back() {
            Some((_, (_, met))) => {
                *met += 1;
                true
            }
            None => false,
        }
    }

    fn differences(&self) -> Vec<String> {
        let mut found = vec![];
        let mut differ = |what: &str, kept: u64, counted: u64| {
            if kept != counted {
                found.push(format!("{what}: {kept} kept, {counted} found"));
            }
        };
        let mut counted: BTreeMap<KindId, u64> = self.counts.keys().map(|kind| (*kind, 0)).collect();
        for at in self.versions.keys() {
            *counted.entry(at.kind).or_default() += 1;
        }
        for (kind, count) in counted {
            let kept = self.counts.get(&kind).copied().unwrap_or(0);
            differ(&format!("records of kind {}", kind.0), kept, count);
        }
        for (first, (kept, met)) in &self.blocks {
            differ(&format!("ids in the block from {}", first.id), *kept, *met);
        }
        for (owned, [kept, rows, records]) in &self.owned {
            let what = format!("records of kind {} of connection {}", owned.kind.0, owned.by);
            differ(&what, *kept, *records);
            differ(&format!("rows of the {what}"), *rows, *records);
        }
        for (first, (kept, met)) in &self.entry_blocks {
            let index = keys::parse_index_id(first).map_or(0, |index| index.0);
            differ(&format!("entries in a block of index {index}"), *kept, *met);
        }
        differ("ids", self.ids, self.versions.len() as u64);
        differ("unique keys", self.unique.1, self.unique.0);
        differ("index entries", self.index.1, self.index.0);
        differ("entries in histories of resources", self.about.1, self.about.0);
        differ("groups by time", self.whens, self.touched.len() as u64);
        differ("edges known to members", self.backward, self.edges.values().sum());
        let groups: BTreeSet<_> = self.edges.keys().chain(self.touched.keys()).collect();
        for group in groups {
            let kept = self.touched.get(group).map_or(0, |touched| touched.count);
            differ(&format!("members of group {group}"), kept, self.edges.get(group).copied().unwrap_or(0));
        }
        if self.chain != self.head {
            found.push(format!(
                "the history ends at {}, and its head says {} (or another link)",
                self.chain.seq.0, self.head.seq.0
            ));
        }
        let latest = self.head.seq;
        let late = self.versions.iter().filter(|(_, version)| **version > latest);
        found.extend(late.map(|(at, _)| format!("record {} is newer than the history", at.id)));
        found
    }
}
