//! Under which values a record is found, and which of them nobody else may hold.
//!
//! Values are folded here once; the store compares bytes. A value too long for a key is cut and carries its digest, so
//! that equal values still meet. Index numbers never change their meaning.
//!
//! Indexes of order hold every record of a kind once, under what it sorts by (`scim::sort`), whether it has the attribute or not. So they
//! give the sorted list as it is, are counted by the store (where they seldom change), and answer comparisons. Builds before them wrote no such entries, so that
//! each tenant has a row which says that all its records have them (`repair`); without it they are not asked.

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error::RosterError;
use super::rows::{self, ORDERS};
use crate::idp::Profile;
use crate::idp::profile::GroupNames;
use crate::ids::{Address, ConnectionId, KindId, TenantId};
use crate::scim::attr::AttrPath;
use crate::scim::{Document, Kind, Refusal, SortKey, fold, precis, urn};
use crate::store::{IndexEntry, IndexId, Snapshot, UniqueKey, Write};

/// `userName`, unique in the tenant (X26 folding).
pub const USER_NAME: IndexId = IndexId(1);
/// `externalId`, unique per connection and kind (X27).
pub const EXTERNAL_ID: IndexId = IndexId(2);
/// A group's `displayName`, unique per connection where its profile says so.
pub const GROUP_NAME: IndexId = IndexId(3);
/// `emails.value`.
pub const EMAIL: IndexId = IndexId(4);
/// `displayName`.
pub const DISPLAY_NAME: IndexId = IndexId(5);
/// Users that are not active, under an empty value. Those who are have no entry: nearly everybody is.
pub const INACTIVE: IndexId = IndexId(6);

/// Who names a resource of one of the firm's own kinds: kind and id of what is named.
pub const REFERENCE: IndexId = IndexId(7);
/// `displayName` of one of the firm's own kinds, unique in the kind.
pub const KIND_NAME: IndexId = IndexId(8);
/// Departed people by the `externalId` that a connection gave them.
pub const DEPARTED_EXTERNAL_ID: IndexId = IndexId(9);

/// `employeeNumber` of people.
pub const EMPLOYEE_NUMBER: IndexId = IndexId(10);

/// People in order of `userName`.
pub const ORDER_USER_NAME: IndexId = IndexId(128);
/// Resources in order of `displayName`.
pub const ORDER_DISPLAY_NAME: IndexId = IndexId(129);
/// People in order of `meta.lastModified`. Groups have no such order: theirs moves with their members, and a membership change that wrote a
/// place in an order would cost more than the membership. It moves with every change of a person, so that its entries are not counted: to leave
/// some out they are read over.
pub const ORDER_MODIFIED: IndexId = IndexId(32);

/// Groups by when their documents last changed. With the store's list of groups by when their edges did ([`Snapshot::touched_since`]) it says which
/// groups changed after a moment. It is in no order that anybody asks for.
pub const GROUP_MODIFIED: IndexId = IndexId(33);

/// Which indexes there are that records of earlier builds are not in; greater when one is added.
pub const ORDERS_VERSION: u32 = 3;

/// Longest value that is kept as it is.
const PLAIN_BYTES_MAX: usize = 512;
/// How much of a longer value stays in front of its digest.
const CUT_BYTES: usize = 256;

/// Every key of a record.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Held by nobody else.
    pub unique: Vec<UniqueKey>,
    /// Shared.
    pub index: Vec<IndexEntry>,
}

/// Computes the keys of a document.
pub fn keys(
    at: Address,
    connection: ConnectionId,
    profile: &Profile,
    document: &Document,
) -> Result<Keys, Refusal> {
    let mut keys = Keys::default();
    if let Some(external) = document.external_id() {
        keys.unique.push(external_id(at.kind, connection, external));
    }
    if let Some(display) = document.display_name() {
        keys.index.push(IndexEntry { index: DISPLAY_NAME, value: folded(display) });
        if at.kind == KindId::GROUP && profile.group_names == GroupNames::Unique {
            keys.unique.push(group_name(connection, display));
        }
        if !matches!(at.kind, KindId::USER | KindId::GROUP) {
            keys.unique.push(kind_name(at.kind, display));
        }
    }
    if let Some(name) = document.user_name() {
        keys.unique.push(user_name(name)?);
    }
    if at.kind == KindId::USER && !document.is_active() {
        keys.index.push(IndexEntry { index: INACTIVE, value: Vec::new() });
    }
    for address in document.values("emails") {
        let entry = IndexEntry { index: EMAIL, value: folded(address) };
        if !keys.index.contains(&entry) {
            keys.index.push(entry);
        }
    }
    Ok(keys)
}

/// Computes the entries of a record in the indexes of order, and in others that earlier builds did not have.
pub fn orders(kind: &Kind, document: &Document, modified: Timestamp) -> Vec<IndexEntry> {
    let mut entries = Vec::new();
    for (index, name) in [(ORDER_USER_NAME, "userName"), (ORDER_DISPLAY_NAME, "displayName")] {
        let path = AttrPath { extension: None, name: name.to_owned(), sub: None };
        if order(kind, &path) == Some(index) {
            let value = SortKey::of(&path, document, kind).as_bytes().to_vec();
            entries.push(IndexEntry { index, value });
        }
    }
    let modified_in = match kind.id {
        KindId::USER => Some(ORDER_MODIFIED),
        KindId::GROUP => Some(GROUP_MODIFIED),
        _ => None,
    };
    entries.extend(modified_in.map(|index| {
        let value = SortKey::of_instant(modified).as_bytes().to_vec();
        IndexEntry { index, value }
    }));
    if kind.id == KindId::USER {
        let number = document.attribute(Some(urn::ENTERPRISE), "employeeNumber").and_then(Value::as_str);
        let entry = |number| IndexEntry { index: EMPLOYEE_NUMBER, value: folded(number) };
        entries.extend(number.filter(|number| !number.is_empty()).map(entry));
    }
    entries
}

/// Tells whether an index is one of those.
pub const fn is_order(index: IndexId) -> bool {
    matches!(index, ORDER_USER_NAME | ORDER_DISPLAY_NAME | ORDER_MODIFIED | GROUP_MODIFIED | EMPLOYEE_NUMBER)
}

/// Says which index holds a kind in the order of an attribute.
pub fn order(kind: &Kind, path: &AttrPath) -> Option<IndexId> {
    let has = |name: &str| path.is(name) && kind.attribute_of(None, name).is_some();
    if has("userName") {
        Some(ORDER_USER_NAME)
    } else if has("displayName") {
        Some(ORDER_DISPLAY_NAME)
    } else {
        (kind.id == KindId::USER && path.is_sub("meta", "lastModified")).then_some(ORDER_MODIFIED)
    }
}

/// Tells whether all records of a tenant have their entries in the indexes of order.
pub fn has_orders(snapshot: &dyn Snapshot, tenant: TenantId) -> Result<bool, RosterError> {
    let row = snapshot.small(TenantId::SYSTEM, ORDERS, &orders_key(tenant))?;
    Ok(row.as_deref().map(rows::decode::<u32>).transpose()? == Some(ORDERS_VERSION))
}

/// Says of a tenant that all its records have them.
pub fn orders_are_there(tenant: TenantId) -> Result<Write, RosterError> {
    let value = Some(rows::encode(&ORDERS_VERSION)?);
    Ok(Write::Small { space: ORDERS, key: orders_key(tenant), value })
}

fn orders_key(tenant: TenantId) -> Vec<u8> {
    tenant.number().to_be_bytes().to_vec()
}

/// The key that a `userName` claims.
pub fn user_name(name: &str) -> Result<UniqueKey, Refusal> {
    Ok(UniqueKey { index: USER_NAME, value: short(precis::user_name(name)?.as_str().as_bytes().to_vec()) })
}

/// The key that an `externalId` claims.
pub fn external_id(kind: KindId, connection: ConnectionId, external: &str) -> UniqueKey {
    let mut value = connection.as_bytes().to_vec();
    value.push(kind.0);
    value.extend(short(external.as_bytes().to_vec()));
    UniqueKey { index: EXTERNAL_ID, value }
}

/// The key that a group's `displayName` claims.
pub fn group_name(connection: ConnectionId, display: &str) -> UniqueKey {
    let mut value = connection.as_bytes().to_vec();
    value.extend(folded(display));
    UniqueKey { index: GROUP_NAME, value }
}

/// The key that the `displayName` of one of the firm's own kinds claims.
pub fn kind_name(kind: KindId, display: &str) -> UniqueKey {
    let mut value = vec![kind.0];
    value.extend(folded(display));
    UniqueKey { index: KIND_NAME, value }
}

/// The entry of a record that names a resource.
pub fn reference(to: Address) -> IndexEntry {
    let mut value = vec![to.kind.0];
    value.extend(to.id.as_bytes());
    IndexEntry { index: REFERENCE, value }
}

/// The entry of a departed person whom a connection knew by an `externalId`.
pub fn departed(connection: ConnectionId, external: &str) -> IndexEntry {
    let mut value = connection.as_bytes().to_vec();
    value.extend(short(external.as_bytes().to_vec()));
    IndexEntry { index: DEPARTED_EXTERNAL_ID, value }
}

/// The index value of an attribute that is compared without regard to case.
pub fn folded(value: &str) -> Vec<u8> {
    short(fold::fold(value).into_owned().into_bytes())
}

/// The beginning of every index value that begins with a text; `None` where that cannot be told from the index.
pub fn folded_prefix(text: &str) -> Option<Vec<u8>> {
    let folded = fold::fold(text).into_owned().into_bytes();
    // Of a long value only the beginning is kept.
    (!folded.is_empty() && folded.len() < CUT_BYTES).then_some(folded)
}

/// Cuts a value that is too long for a key; equal values are cut alike.
pub fn short(value: Vec<u8>) -> Vec<u8> {
    if value.len() <= PLAIN_BYTES_MAX {
        return value;
    }
    let digest = Sha256::digest(&value);
    let mut cut: Vec<u8> = value.into_iter().take(CUT_BYTES).collect();
    cut.extend(digest);
    cut
}

/// Says in the requester's words which attribute a key belongs to.
pub const fn attribute(index: IndexId) -> &'static str {
    match index {
        USER_NAME => "userName",
        EXTERNAL_ID => "externalId",
        _ => "displayName",
    }
}
