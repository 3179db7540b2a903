//! What the outbox keeps in the store's small values, in the tenant whose webhook it is. None of it takes a number in the history.
//!
//! Rows are JSON, so that a later version can add a field. Drawer numbers never change their meaning.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::ResourceId;
use crate::store::{Seq, Space};

/// Name of a webhook → [`HookRow`].
pub const HOOKS: Space = Space(40);
/// Name of a webhook, 0, seq (8 bytes, big-endian) → [`SetAside`].
pub const ASIDE: Space = Space(41);
/// Name of a webhook, 0, what is asked (see [`Order::key`]) → [`Order`].
pub const ORDERS: Space = Space(42);

/// Where a webhook stands: every event up to `read` is delivered, or waits here, or is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HookRow {
    /// Where it is delivered to. A webhook that was switched off goes on when this changes.
    pub url: String,
    /// Up to where the history was read.
    pub read: Seq,
    /// What was read and is not settled, in its order. Bounded.
    #[serde(default)]
    pub waiting: Vec<Waiting>,
    /// Why nothing is delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off: Option<Off>,
}

/// An event that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its number.
    pub seq: Seq,
    /// Whose lane it stands in.
    pub resource: ResourceId,
    /// When it happened.
    pub time: Timestamp,
    /// How often it failed.
    #[serde(default)]
    pub attempts: u32,
    /// Since when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How it failed the last time.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// Why a webhook delivers nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Off {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub why: String,
}

/// An event that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// Whose it is.
    pub resource: ResourceId,
    /// When it happened.
    pub time: Timestamp,
    /// When it was set aside.
    pub at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why.
    pub why: String,
}

/// What an operator asks of a webhook. Stays until it is done, so that it can be asked of a daemon that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Deliver again what was set aside: of one resource, or of all.
    Replay(Option<ResourceId>),
    /// Deliver this one no more.
    Discard(Seq),
}

impl Order {
    /// Returns the key of its row.
    pub fn key(self, hook: &str) -> Vec<u8> {
        let mut key = prefix(hook);
        match self {
            Self::Replay(None) => key.push(b'a'),
            Self::Replay(Some(resource)) => {
                key.push(b'r');
                key.extend(resource.as_bytes());
            }
            Self::Discard(seq) => {
                key.push(b'd');
                key.extend(seq.0.to_be_bytes());
            }
        }
        key
    }
}

/// What the keys of a webhook's rows begin with.
pub fn prefix(hook: &str) -> Vec<u8> {
    let mut key = hook.as_bytes().to_vec();
    key.push(0);
    key
}

/// The key of an event that was set aside.
pub fn aside_key(hook: &str, seq: Seq) -> Vec<u8> {
    let mut key = prefix(hook);
    key.extend(seq.0.to_be_bytes());
    key
}

/// Reads the number out of such a key.
pub fn seq_of(key: &[u8]) -> Option<Seq> {
    key.last_chunk::<8>().map(|bytes| Seq(u64::from_be_bytes(*bytes)))
}
