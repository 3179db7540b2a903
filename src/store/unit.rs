//! What is written at once: a unit, and the facts under which it may be written.
//!
//! Plain data, so that the same unit can be queued, retried, sent to another engine or broken by a test.
//! Knows nothing of SCIM: a record's document is text to the store, an index value is bytes that sort.

use jiff::Timestamp;

use super::StoreError;
use super::log::Entry;
use crate::ids::{Address, ConnectionId, ResourceId};

/// A place in a tenant's history: the number of the unit that made a change. Gap-free, from 1; 0 is "before the first".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first change.
    pub const ZERO: Self = Self(0);
}

/// Which index an entry belongs to; the numbers are given out by the roster's list of indexed attributes and never
/// change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexId(pub u8);

impl IndexId {
    /// Tells whether the store counts the entries of an index in blocks, so that many can be left out without reading them: those
    /// from 128 upwards. A counted index costs one more row per entry written.
    pub const fn is_counted(self) -> bool {
        self.0 >= 128
    }
}

/// A value that one record of the tenant may hold at a time, already folded for comparison.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniqueKey {
    /// Which attribute claims the value.
    pub index: IndexId,
    /// The folded value, with its scope (a connection, for instance) in front. At most [`super::KEY_BYTES_MAX`] bytes.
    pub value: Vec<u8>,
}

/// A value under which a record is found, already folded for comparison; many records may share it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexEntry {
    /// Which attribute it comes from.
    pub index: IndexId,
    /// The folded value; sorts as bytes. At most [`super::KEY_BYTES_MAX`] bytes.
    pub value: Vec<u8>,
}

/// A part of a document that is rendered as it stands: the core attributes, or one extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The schema URN.
    pub urn: String,
    /// A JSON object with the attributes in canonical spelling, never empty of braces.
    pub json: String,
}

/// A resource as it is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it lives.
    pub at: Address,
    /// The connection that provisioned it.
    pub connection: Option<ConnectionId>,
    /// When it was first written.
    pub created: Timestamp,
    /// When its document last changed. Never goes back, also when the clock does.
    pub modified: Timestamp,
    /// What other resources show for it (`display` beside a reference).
    pub display: String,
    /// The document: the core schema's segment first, then the extensions that hold data.
    pub segments: Vec<Segment>,
    /// Every value that nobody else may hold.
    pub unique: Vec<UniqueKey>,
    /// Every value under which it is found.
    pub index: Vec<IndexEntry>,
}

/// Which drawer of the small values a key belongs to; the roster gives out the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space(pub u8);

/// A fact that a rule looked at, and that must still hold when its unit is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// The record exists, and the unit of this number was the last to change its document.
    Version(Address, Seq),
    /// A record exists, whatever its version.
    Exists(Address),
    /// No record exists.
    Absent(Address),
    /// Nobody but this record (or nobody at all) holds the value. Every [`Write::Put`] implies it for each of its unique keys.
    Free(UniqueKey, Address),
    /// The group's edges were last changed by the unit of this number ([`Seq::ZERO`]: never).
    Members(ResourceId, Seq),
    /// The small value is exactly this (`None`: absent).
    Small(Space, Vec<u8>, Option<Vec<u8>>),
    /// The counter is below `max`. Like every fact it is judged before this unit's own writes and after all units before it, those
    /// of the same batch among them: of many units that each take one, exactly as many commit as there is room for. Who takes several at
    /// once states a `max` that is smaller by so many.
    Room {
        /// The drawer.
        space: Space,
        /// The key within it.
        key: Vec<u8>,
        /// What the counter must be below.
        max: u64,
    },
    /// No record of the tenant, of whatever kind, has this index entry: nobody refers to what is about to be removed. Whoever adds such an entry states
    /// [`Given::Exists`] of what it refers to, so that one of the two is lost.
    Unused(IndexEntry),
}

/// One thing to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Writes a record, in place of the one that stood at its address. Keys and index entries of the old one go.
    Put(Box<Record>),
    /// Removes a record with its keys, its index entries, and every edge from it and to it. Groups that lose a member
    /// count as touched by this unit. Removing what is not there is no error.
    Delete(Address),
    /// Gives a record other index entries, and leaves everything else of it as it is: document, unique keys, version and times. For
    /// entries that an earlier build did not write. No change that anybody could see, so that it needs no log entry; a record that is not there
    /// is left alone.
    Index {
        /// Whose.
        at: Address,
        /// Every value under which it is found from now on.
        index: Vec<IndexEntry>,
    },
    /// Adds a member to a group, or removes it. A no-op (already there, already gone) touches nothing. Adding implies
    /// [`Given::Exists`] for the group and for the member, as they stand after the writes before this one.
    Edge {
        /// The group.
        group: ResourceId,
        /// A user, or a group within the group.
        member: Address,
        /// True to add, false to remove.
        add: bool,
    },
    /// Erases the values of an entry of the history; its facts and its link stay (X63). An entry that is not there, or was erased
    /// already, is left alone. Needs a log entry: erasing is told.
    EraseValues(Seq),
    /// Writes a small value (`None` removes it): tokens, names, invitations, later sessions.
    Small {
        /// The drawer.
        space: Space,
        /// The key within it. At most [`super::KEY_BYTES_MAX`] bytes.
        key: Vec<u8>,
        /// The value.
        value: Option<Vec<u8>>,
    },
    /// Adds to a counter: a small value that holds a number ([`counter`]), absent at nothing. No fact is needed for it, so that those who count
    /// at the same time do not get in each other's way. A counter that would sink below nothing or grow beyond 64 bits, and a small value that
    /// holds something else, is a defect of the caller: the unit is refused ([`StoreError::Invalid`]).
    Add {
        /// The drawer.
        space: Space,
        /// The key within it. At most [`super::KEY_BYTES_MAX`] bytes.
        key: Vec<u8>,
        /// How many to add; negative to take away.
        by: i64,
    },
}

/// Reads a counter from its small value: eight bytes, big-endian; absent is nothing.
pub fn counter(value: Option<&[u8]>) -> Result<u64, StoreError> {
    let Some(value) = value else { return Ok(0) };
    let number = value.try_into().ok().map(u64::from_be_bytes);
    number.ok_or_else(|| {
        let length = value.len();
        StoreError::Invalid(format!("a small value of {length} bytes was taken for a counter, which has 8"))
    })
}

/// Returns the small value of a counter after something was added to it.
pub(super) fn count_on(value: Option<&[u8]>, by: i64) -> Result<Option<Vec<u8>>, StoreError> {
    let before = counter(value)?;
    let Some(after) = before.checked_add_signed(by) else {
        return Err(StoreError::Invalid(format!("a counter that is {before} cannot change by {by}")));
    };
    Ok((after > 0).then(|| after.to_be_bytes().to_vec()))
}

/// One tenant's change: everything in it becomes true together, durably, or nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The facts it stands on.
    pub given: Vec<Given>,
    /// What it writes, applied in order.
    pub writes: Vec<Write>,
    /// What the history says of it. A unit without an entry may write small values, counters and index entries only, and takes no number.
    pub log: Option<Entry>,
}

/// What became of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable. `seq` is its number; for a unit without a log entry, the tenant's latest.
    Committed {
        /// The unit's place in the tenant's history.
        seq: Seq,
    },
    /// This fact no longer held; nothing was written.
    Lost(Given),
}
