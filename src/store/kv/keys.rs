//! The key layout: the one file that knows it.
//!
//! Two tables. `Documents` holds records under tenant ‖ kind ‖ id. `Small` holds everything else under tenant ‖ drawer
//! letter ‖ …, so that what is read together lies together. Numbers are big-endian, so that bytes sort as they do.
//!
//! | drawer | key after tenant and letter | value |
//! |---|---|---|
//! | `u` unique | index ‖ value | kind ‖ id of the holder |
//! | `i` index | kind ‖ index ‖ escaped value ‖ id | nothing |
//! | `e` blocks of entries | kind ‖ index ‖ first entry | number of entries from here to the next block, of indexes that are counted |
//! | `k` ids | kind ‖ id | nothing |
//! | `b` blocks | kind ‖ first id | number of ids from here to the next block |
//! | `c` counts | kind, or kind ‖ connection | number of records (that the connection provisioned) |
//! | `o` owned | kind ‖ connection ‖ id | nothing |
//! | `m` members | group ‖ member's kind ‖ id | nothing |
//! | `g` groups | member's kind ‖ id ‖ group | nothing |
//! | `t` touched | group | seq, time, number of members |
//! | `w` when | quarter of an hour ‖ group | nothing: the groups by when their edges last changed |
//! | `s` small | space ‖ key | as given |
//! | `l` log | seq | entry |
//! | `a` about | id ‖ seq | nothing; one for each entry of the log that has a subject |
//! | `h` head | nothing | seq, link |
//!
//! An index value may hold any byte and be the beginning of another. It is escaped (0 becomes 0 255) and ended by
//! 0 0, which keeps the order of (value, id).

use crate::ids::{Address, ConnectionId, KindId, ResourceId, TenantId};
use crate::store::unit::{IndexId, Seq, Space};
use crate::store::{Owned, Quarter, TouchedRow};

/// Which table a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Records.
    Documents,
    /// Everything else.
    Small,
}

impl Table {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Documents, Self::Small];
}

/// A row that belongs to no tenant: what the writer writes to learn whether the disk has room again.
pub(crate) const PROBE: [u8; 5] = *b"\xff\xff\xff\xffP";

/// Beyond every key: tenants are four bytes, and none of their drawers is 255.
pub(super) const BEYOND: [u8; 32] = [0xff; 32];

/// Drawers of the small table.
pub(super) mod drawer {
    pub(crate) const UNIQUE: u8 = b'u';
    pub(crate) const INDEX: u8 = b'i';
    /// Before the entries themselves, so that a pass over the table meets the blocks first.
    pub(crate) const ENTRY_BLOCKS: u8 = b'e';
    pub(crate) const IDS: u8 = b'k';
    pub(crate) const BLOCKS: u8 = b'b';
    pub(crate) const COUNT: u8 = b'c';
    pub(crate) const OWNED: u8 = b'o';
    pub(crate) const MEMBERS: u8 = b'm';
    pub(crate) const GROUPS: u8 = b'g';
    pub(crate) const TOUCHED: u8 = b't';
    /// After `t`, so that a pass over the table meets what it stands for first.
    pub(crate) const WHEN: u8 = b'w';
    pub(crate) const SMALL: u8 = b's';
    pub(crate) const LOG: u8 = b'l';
    pub(crate) const ABOUT: u8 = b'a';
    pub(crate) const HEAD: u8 = b'h';
}

fn begin(tenant: TenantId, drawer: u8, room: usize) -> Vec<u8> {
    let mut key = Vec::with_capacity(5 + room);
    key.extend_from_slice(&tenant.number().to_be_bytes());
    key.push(drawer);
    key
}

fn push_address(key: &mut Vec<u8>, at: Address) {
    key.push(at.kind.0);
    key.extend_from_slice(at.id.as_bytes());
}

/// The key of a record.
/// What the keys of a kind's records begin with.
pub(super) fn documents(tenant: TenantId, kind: KindId) -> [u8; 5] {
    let [t0, t1, t2, t3] = tenant.number().to_be_bytes();
    [t0, t1, t2, t3, kind.0]
}

pub(super) fn document(tenant: TenantId, at: Address) -> [u8; 21] {
    let mut key = [0; 21];
    let [t0, t1, t2, t3, kind, id @ ..] = &mut key;
    [*t0, *t1, *t2, *t3] = tenant.number().to_be_bytes();
    *kind = at.kind.0;
    *id = *at.id.as_bytes();
    key
}

pub(super) fn unique(tenant: TenantId, index: IndexId, value: &[u8]) -> Vec<u8> {
    let mut key = begin(tenant, drawer::UNIQUE, 1 + value.len());
    key.push(index.0);
    key.extend_from_slice(value);
    key
}

/// Where the entries of an index begin.
pub(super) fn index(tenant: TenantId, kind: KindId, index: IndexId) -> Vec<u8> {
    let mut key = begin(tenant, drawer::INDEX, 64);
    key.push(kind.0);
    key.push(index.0);
    key
}

/// Where the entries of every index begin.
pub(super) fn indexes(tenant: TenantId) -> Vec<u8> {
    begin(tenant, drawer::INDEX, 0)
}

/// Where the counted blocks of an index begin.
pub(super) fn entry_blocks(tenant: TenantId, kind: KindId, index: IndexId) -> Vec<u8> {
    let mut key = begin(tenant, drawer::ENTRY_BLOCKS, 64);
    key.push(kind.0);
    key.push(index.0);
    key
}

/// Where the entries of one value begin.
pub(super) fn index_value(tenant: TenantId, kind: KindId, id: IndexId, value: &[u8]) -> Vec<u8> {
    let mut key = index(tenant, kind, id);
    for &byte in value {
        key.push(byte);
        if byte == 0 {
            key.push(0xff);
        }
    }
    key.extend_from_slice(&[0, 0]);
    key
}

pub(super) fn index_entry(
    tenant: TenantId,
    kind: KindId,
    index: IndexId,
    value: &[u8],
    id: ResourceId,
) -> Vec<u8> {
    let mut key = index_value(tenant, kind, index, value);
    key.extend_from_slice(id.as_bytes());
    key
}

/// Reads value and id from what follows the tenant, letter, kind and index of an entry.
pub(super) fn parse_index_tail(tail: &[u8]) -> Option<(Vec<u8>, ResourceId)> {
    let (escaped, id) = tail.split_last_chunk::<16>()?;
    let escaped = escaped.strip_suffix(&[0, 0])?;
    let mut value = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(&byte) = bytes.next() {
        value.push(byte);
        if byte == 0 && bytes.next() != Some(&0xff) {
            return None;
        }
    }
    Some((value, ResourceId::from_bytes(*id)))
}

pub(super) fn ids(tenant: TenantId, kind: KindId) -> Vec<u8> {
    let mut key = begin(tenant, drawer::IDS, 17);
    key.push(kind.0);
    key
}

pub(super) fn id(tenant: TenantId, at: Address) -> Vec<u8> {
    let mut key = begin(tenant, drawer::IDS, 17);
    push_address(&mut key, at);
    key
}

/// Where the counted blocks of a kind's ids begin.
pub(super) fn blocks(tenant: TenantId, kind: KindId) -> Vec<u8> {
    let mut key = begin(tenant, drawer::BLOCKS, 17);
    key.push(kind.0);
    key
}

pub(super) fn count(tenant: TenantId, kind: KindId) -> Vec<u8> {
    let mut key = begin(tenant, drawer::COUNT, 1);
    key.push(kind.0);
    key
}

fn push_owned(key: &mut Vec<u8>, owned: Owned) {
    key.push(owned.kind.0);
    key.extend_from_slice(owned.by.as_bytes());
}

pub(super) fn owned_count(tenant: TenantId, owned: Owned) -> Vec<u8> {
    let mut key = begin(tenant, drawer::COUNT, 17);
    push_owned(&mut key, owned);
    key
}

/// Where the ids begin that a connection provisioned.
pub(super) fn all_owned(tenant: TenantId, owned: Owned) -> Vec<u8> {
    let mut key = begin(tenant, drawer::OWNED, 33);
    push_owned(&mut key, owned);
    key
}

pub(super) fn owned(tenant: TenantId, owned: Owned, id: ResourceId) -> Vec<u8> {
    let mut key = all_owned(tenant, owned);
    key.extend_from_slice(id.as_bytes());
    key
}

pub(super) fn members(tenant: TenantId, group: ResourceId) -> Vec<u8> {
    let mut key = begin(tenant, drawer::MEMBERS, 33);
    key.extend_from_slice(group.as_bytes());
    key
}

pub(super) fn member(tenant: TenantId, group: ResourceId, member: Address) -> Vec<u8> {
    let mut key = members(tenant, group);
    push_address(&mut key, member);
    key
}

pub(super) fn groups(tenant: TenantId, member: Address) -> Vec<u8> {
    let mut key = begin(tenant, drawer::GROUPS, 33);
    push_address(&mut key, member);
    key
}

pub(super) fn group(tenant: TenantId, member: Address, group: ResourceId) -> Vec<u8> {
    let mut key = groups(tenant, member);
    key.extend_from_slice(group.as_bytes());
    key
}

pub(super) fn touched(tenant: TenantId, group: ResourceId) -> Vec<u8> {
    let mut key = begin(tenant, drawer::TOUCHED, 16);
    key.extend_from_slice(group.as_bytes());
    key
}

/// Where the groups begin whose edges last changed in a quarter of an hour or later.
pub(super) fn when_from(tenant: TenantId, quarter: Quarter) -> Vec<u8> {
    let mut key = begin(tenant, drawer::WHEN, 24);
    key.extend_from_slice(&quarter.0.to_be_bytes());
    key
}

pub(super) fn whens(tenant: TenantId) -> Vec<u8> {
    begin(tenant, drawer::WHEN, 0)
}

pub(super) fn when(tenant: TenantId, row: TouchedRow) -> Vec<u8> {
    let mut key = when_from(tenant, row.quarter);
    key.extend_from_slice(row.group.as_bytes());
    key
}

pub(super) fn small(tenant: TenantId, space: Space, rest: &[u8]) -> Vec<u8> {
    let mut key = begin(tenant, drawer::SMALL, 1 + rest.len());
    key.push(space.0);
    key.extend_from_slice(rest);
    key
}

pub(super) fn log(tenant: TenantId, seq: Seq) -> Vec<u8> {
    let mut key = begin(tenant, drawer::LOG, 8);
    key.extend_from_slice(&seq.0.to_be_bytes());
    key
}

/// Where a tenant's history begins.
pub(super) fn logs(tenant: TenantId) -> Vec<u8> {
    begin(tenant, drawer::LOG, 0)
}

/// Where the numbers of the entries about a resource begin. Without its kind, which may change.
pub(super) fn all_about(tenant: TenantId, subject: ResourceId) -> Vec<u8> {
    let mut key = begin(tenant, drawer::ABOUT, 24);
    key.extend_from_slice(subject.as_bytes());
    key
}

pub(super) fn about(tenant: TenantId, subject: ResourceId, seq: Seq) -> Vec<u8> {
    let mut key = all_about(tenant, subject);
    key.extend_from_slice(&seq.0.to_be_bytes());
    key
}

pub(in crate::store) fn head(tenant: TenantId) -> Vec<u8> {
    begin(tenant, drawer::HEAD, 0)
}

/// The first key that follows every key with this beginning.
pub(super) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    // A beginning of 255s only: no tenant and drawer spells that. Nothing lies beyond it.
    vec![u8::MAX; prefix.len() + 1]
}

/// The first key after this one.
pub(in crate::store) fn just_after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// Reads kind and id from seventeen bytes.
pub(super) fn parse_address(bytes: &[u8]) -> Option<Address> {
    let (kind, id) = bytes.split_first()?;
    Some(Address { kind: KindId(*kind), id: ResourceId::from_bytes(id.try_into().ok()?) })
}

/// Reads tenant and address from the key of a record.
pub(super) fn parse_document(key: &[u8]) -> Option<(TenantId, Address)> {
    let (tenant, at) = key.split_first_chunk()?;
    Some((TenantId::new(u32::from_be_bytes(*tenant)), parse_address(at)?))
}

/// Splits a key of the small table into tenant, drawer and the rest.
pub(super) fn parse_small(key: &[u8]) -> Option<(TenantId, u8, &[u8])> {
    let (tenant, rest) = key.split_first_chunk()?;
    let (drawer, tail) = rest.split_first()?;
    Some((TenantId::new(u32::from_be_bytes(*tenant)), *drawer, tail))
}

/// Reads whose entry an index key is.
pub(super) fn parse_index(tail: &[u8]) -> Option<Address> {
    let ([kind, _index], rest) = tail.split_first_chunk()?;
    let (_, id) = parse_index_tail(rest)?;
    Some(Address { kind: KindId(*kind), id })
}

/// Reads kind and connection.
pub(super) fn parse_owned(bytes: &[u8]) -> Option<Owned> {
    let (kind, by) = bytes.split_first()?;
    Some(Owned { kind: KindId(*kind), by: ConnectionId::from_bytes(by.try_into().ok()?) })
}

/// Reads who provisioned what.
pub(super) fn parse_owned_id(tail: &[u8]) -> Option<(Owned, ResourceId)> {
    let (owned, id) = tail.split_last_chunk::<16>()?;
    Some((parse_owned(owned)?, ResourceId::from_bytes(*id)))
}

/// Reads which index an index key, or the key of a block of entries, belongs to.
pub(super) fn parse_index_id(tail: &[u8]) -> Option<IndexId> {
    tail.get(1).copied().map(IndexId)
}

/// Reads group and member.
pub(super) fn parse_member(tail: &[u8]) -> Option<(ResourceId, Address)> {
    let (group, member) = tail.split_first_chunk()?;
    Some((ResourceId::from_bytes(*group), parse_address(member)?))
}

/// Reads member and group.
pub(super) fn parse_group(tail: &[u8]) -> Option<(Address, ResourceId)> {
    let (member, group) = tail.split_last_chunk::<16>()?;
    Some((parse_address(member)?, ResourceId::from_bytes(*group)))
}

/// Reads when a group's edges changed.
pub(super) fn parse_when(tail: &[u8]) -> Option<TouchedRow> {
    let (quarter, group) = tail.split_first_chunk()?;
    Some(TouchedRow { quarter: Quarter(u64::from_be_bytes(*quarter)), group: parse_id(group)? })
}

/// Reads a number of the history.
pub(super) fn parse_seq(tail: &[u8]) -> Option<Seq> {
    Some(Seq(u64::from_be_bytes(tail.try_into().ok()?)))
}

/// Reads what an entry is about, and its number.
pub(super) fn parse_about(tail: &[u8]) -> Option<(ResourceId, Seq)> {
    let (subject, seq) = tail.split_first_chunk()?;
    Some((ResourceId::from_bytes(*subject), parse_seq(seq)?))
}

/// Reads an id from the end of a key.
pub(super) fn parse_id(bytes: &[u8]) -> Option<ResourceId> {
    Some(ResourceId::from_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const T: TenantId = TenantId::new(1);

    fn entry(value: &[u8], id: u8) -> Vec<u8> {
        index_entry(T, KindId::USER, IndexId(1), value, ResourceId::from_bytes([id; 16]))
    }

    proptest! {
        #[test]
        fn index_keys_sort_as_value_then_id(
            a in prop::collection::vec(prop_oneof![Just(0), Just(1), Just(255), any::<u8>()], 0..6),
            b in prop::collection::vec(prop_oneof![Just(0), Just(1), Just(255), any::<u8>()], 0..6),
            i in any::<u8>(), j in any::<u8>(),
        ) {
            prop_assert_eq!(entry(&a, i).cmp(&entry(&b, j)), (&a, i).cmp(&(&b, j)));
            let tail = entry(&a, i).split_off(7);
            prop_assert_eq!(parse_index_tail(&tail), Some((a, ResourceId::from_bytes([i; 16]))));
        }
    }

    #[test]
    fn the_end_of_a_beginning_is_just_beyond_its_last_key() {
        assert_eq!(end_of(b"ab"), b"ac");
        assert_eq!(end_of(b"a\xff\xff"), b"b");
        assert!(end_of(b"\xff\xff") > vec![255, 255]);
    }
}
