//! The values of the small table: sealed, and opened again.
//!
//! Every value carries a tag over key and value (`store::seal`), the empty ones too, so that a damaged key is noticed.

use std::sync::Arc;

use super::KvRead;
use super::keys::Table;
use crate::ids::Address;
use crate::store::codec::Reader;
use crate::store::log::Link;
use crate::store::seal::unseal;
use crate::store::unit::Seq;
use crate::store::{Head, StoreError, Touched};

/// Reads a row of the small table through `open`, which sees the value without its tag.
pub(super) fn read<T>(
    kv: &dyn KvRead,
    key: &[u8],
    open: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    let Some(sealed) = kv.get(Table::Small, key)? else { return Ok(None) };
    let value = unseal(key, &sealed)?;
    open(value).map(Some).ok_or_else(|| damaged(key))
}

/// Tells whether a row of the small table exists.
pub(super) fn exists(kv: &dyn KvRead, key: &[u8]) -> Result<bool, StoreError> {
    Ok(read(kv, key, |_| Some(()))?.is_some())
}

/// Names a row that makes no sense, without what its key says of a person.
pub(super) fn damaged(key: &[u8]) -> StoreError {
    let drawer = key.get(4).copied().map_or('?', char::from);
    StoreError::Corrupt(format!("a row in drawer {drawer:?} cannot be read"))
}

pub(super) fn open_number(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_le_bytes)
}

pub(super) fn open_address(value: &[u8]) -> Option<Address> {
    super::keys::parse_address(value)
}

pub(super) fn address(at: Address) -> [u8; 17] {
    let mut value = [at.kind.0; 17];
    let [_, id @ ..] = &mut value;
    *id = *at.id.as_bytes();
    value
}

pub(super) fn touched(touched: &Touched) -> Vec<u8> {
    let mut value = Vec::with_capacity(28);
    value.extend_from_slice(&touched.seq.0.to_le_bytes());
    value.extend_from_slice(&touched.at.as_second().to_le_bytes());
    value.extend_from_slice(&touched.at.subsec_nanosecond().to_le_bytes());
    value.extend_from_slice(&touched.count.to_le_bytes());
    value
}

pub(super) fn open_touched(value: &[u8]) -> Option<Touched> {
    let mut reader = Reader::over(value);
    let touched = Touched { seq: Seq(reader.u64()?), at: reader.timestamp()?, count: reader.u64()? };
    reader.rest.is_empty().then_some(touched)
}

pub(super) fn head(head: &Head) -> Vec<u8> {
    let mut value = head.seq.0.to_le_bytes().to_vec();
    value.extend_from_slice(&head.link.0);
    value
}

pub(super) fn open_head(value: &[u8]) -> Option<Head> {
    let mut reader = Reader::over(value);
    let head = Head { seq: Seq(reader.u64()?), link: Link(reader.array()?) };
    reader.rest.is_empty().then_some(head)
}

/// Opens the head of a history as it lies in the table; nothing where it makes no sense.
#[cfg(feature = "postgres")]
pub(in crate::store) fn open_sealed_head(key: &[u8], sealed: &[u8]) -> Option<Head> {
    open_head(unseal(key, sealed).ok()?)
}

/// What a row without a value holds before it is sealed.
pub(super) const NOTHING: &[u8] = &[];

/// Turns a sealed value into what is shared with readers.
pub(super) fn shared(key: &[u8], value: &[u8]) -> Arc<[u8]> {
    crate::store::seal::seal(key, value).into()
}
