//! What is remembered for minutes: sign-ins that were begun and are awaited back, and the names of orders that count once.
//!
//! Bounded for each tenant, since anybody may begin a sign-in; removed when it is over (`sweep`).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::super::error::RosterError;
use super::super::rows::{self, FLEETING, FLEETING_DUE};
use super::super::{Caller, Roster};
use crate::ids::TenantId;
use crate::store::{Given, Outcome, Snapshot, Unit, Write};

/// How many a tenant may have at a time: some hundred sign-ins a minute, each abandoned.
pub const FLEETING_MAX: u64 = 20_000;
/// Longest text that is remembered.
pub const FLEETING_BYTES_MAX: usize = 16 * 1024;
/// How many that are over are removed at once.
const SWEPT_AT_ONCE_MAX: usize = 256;
/// The most orders of a tenant: counted by themselves, since only providers give them, and whoever begins sign-ins must not keep those from ending sessions.
pub const ORDERS_MAX: u64 = 20_000;
/// The keys of the counters, which are no keys of rows.
const ATTEMPTS: &[u8] = b"count";
const ORDERS: &[u8] = b"orders";
/// How often a change is tried that somebody else's came before.
const ATTEMPTS_MAX: usize = 8;

/// What a row is of. Written into its key, so that one is never taken for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Attempt = 1,
    /// 2 was that of orders that were counted among the attempts.
    Order = 3,
}

/// Names the counter of a row's kind.
fn counter(key: &[u8]) -> &'static [u8] {
    if key.first() == Some(&(Of::Order as u8)) { ORDERS } else { ATTEMPTS }
}

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    until: Timestamp,
    /// SHA-256 of what only the browser knows that began it, hexadecimal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    browser: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    text: String,
}

fn key(of: Of, name: &str) -> Vec<u8> {
    let mut key = vec![of as u8];
    key.extend(Sha256::digest(name.as_bytes()));
    key
}

fn due_key(until: Timestamp, key: &[u8]) -> Vec<u8> {
    let mut due = u64::try_from(until.as_millisecond()).unwrap_or(0).to_be_bytes().to_vec();
    due.extend(key);
    due
}

fn digest(secret: &str) -> String {
    super::super::commit::hex(&Sha256::digest(secret.as_bytes()))
}

impl Roster {
    /// Remembers a sign-in that was begun: under what the provider sends back, for the browser that knows `browser`, until a moment.
    ///
    /// # Errors
    /// [`RosterError::Busy`] where too many are awaited.
    pub fn keep_attempt(
        &self,
        door: &Caller,
        state: &str,
        browser: &str,
        text: &str,
        until: Timestamp,
    ) -> Result<(), RosterError> {
        if text.len() > FLEETING_BYTES_MAX {
            return Err(RosterError::Broken(
                "a sign-in that was begun takes more room than any should".to_owned(),
            ));
        }
        let row = Row { until, browser: digest(browser), text: text.to_owned() };
        if self.keep(door.tenant, key(Of::Attempt, state), &row)? {
            Ok(())
        } else {
            Err(RosterError::Broken("a state was made twice".to_owned()))
        }
    }

    /// Takes a sign-in away that was begun: once, by the browser that began it, in time. `None` for everybody else, to whom it is as if there were none.
    pub fn take_attempt(
        &self,
        door: &Caller,
        state: &str,
        browser: &str,
    ) -> Result<Option<String>, RosterError> {
        let key = key(Of::Attempt, state);
        let snapshot = self.store.snapshot()?;
        let Some(bytes) = snapshot.small(door.tenant, FLEETING, &key)? else { return Ok(None) };
        let row: Row = rows::decode(&bytes)?;
        let is_theirs: bool = digest(browser).as_bytes().ct_eq(row.browser.as_bytes()).into();
        if !is_theirs || row.until <= door.now {
            return Ok(None);
        }
        let unit = Unit {
            given: vec![Given::Small(FLEETING, key.clone(), Some(bytes))],
            writes: removal(key, row.until),
            log: None,
        };
        let outcome = self.store.commit(door.tenant, unit)?;
        // Whoever came first has it.
        Ok(matches!(outcome, Outcome::Committed { .. }).then_some(row.text))
    }

    /// Carries an order out, unless one of its name (`provider` and `jti`) was: it counts once, until the moment after which it would not be taken anyway. That it
    /// was is written down when it is done, so that one that failed, or was broken off, is carried out when it is given again. Done twice at once it must come to
    /// the same. `None` where it was carried out before.
    ///
    /// # Errors
    /// [`RosterError::Busy`] where too many are remembered.
    pub fn once<T>(
        &self,
        door: &Caller,
        (provider, jti): (&str, &str),
        until: Timestamp,
        order: impl FnOnce(&Self) -> Result<T, RosterError>,
    ) -> Result<Option<T>, RosterError> {
        let key = key(Of::Order, &format!("{provider}\0{jti}"));
        if self.store.snapshot()?.small(door.tenant, FLEETING, &key)?.is_some() {
            return Ok(None);
        }
        let done = order(self)?;
        let row = Row { until, browser: String::new(), text: String::new() };
        self.keep(door.tenant, key, &row)?;
        Ok(Some(done))
    }

    /// Writes a row where there is none. Returns whether there was none.
    fn keep(&self, tenant: TenantId, key: Vec<u8>, row: &Row) -> Result<bool, RosterError> {
        for _ in 0..ATTEMPTS_MAX {
            let snapshot = self.store.snapshot()?;
            if snapshot.small(tenant, FLEETING, &key)?.is_some() {
                return Ok(false);
            }
            let count = counter(&key);
            let max = if count == ORDERS { ORDERS_MAX } else { FLEETING_MAX };
            let room = Given::Room { space: FLEETING, key: count.to_vec(), max };
            let value = Some(rows::encode(row)?);
            let unit = Unit {
                given: vec![Given::Small(FLEETING, key.clone(), None), room],
                writes: vec![
                    Write::Small { space: FLEETING, key: key.clone(), value },
                    Write::Small { space: FLEETING_DUE, key: due_key(row.until, &key), value: Some(vec![]) },
                    Write::Add { space: FLEETING, key: count.to_vec(), by: 1 },
                ],
                log: None,
            };
            match self.store.commit(tenant, unit)? {
                Outcome::Committed { .. } => return Ok(true),
                Outcome::Lost(Given::Room { .. }) => return Err(RosterError::Busy),
                Outcome::Lost(_) => {}
            }
        }
        Err(RosterError::Busy)
    }
}

fn removal(key: Vec<u8>, until: Timestamp) -> Vec<Write> {
    vec![
        Write::Add { space: FLEETING, key: counter(&key).to_vec(), by: -1 },
        Write::Small { space: FLEETING_DUE, key: due_key(until, &key), value: None },
        Write::Small { space: FLEETING, key, value: None },
    ]
}

/// Removes what is over. Returns how many rows; there may be more.
pub(super) fn sweep(roster: &Roster, tenant: TenantId, now: Timestamp) -> Result<usize, RosterError> {
    let snapshot = roster.store.snapshot()?;
    let over = due_key(now, &[]);
    let mut swept = 0_usize;
    for due in snapshot.small_range(tenant, FLEETING_DUE, &[], None, SWEPT_AT_ONCE_MAX)? {
        if due.key >= over {
            break;
        }
        let Some(key) = due.key.get(8..).map(<[u8]>::to_vec) else { continue };
        swept = swept.saturating_add(remove(roster, snapshot.as_ref(), tenant, key)?);
    }
    Ok(swept)
}

/// Removes a row that is over, unless somebody has. Returns how many that were.
fn remove(
    roster: &Roster,
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    key: Vec<u8>,
) -> Result<usize, RosterError> {
    let Some(bytes) = snapshot.small(tenant, FLEETING, &key)? else { return Ok(0) };
    let row: Row = rows::decode(&bytes)?;
    let given = vec![Given::Small(FLEETING, key.clone(), Some(bytes))];
    let unit = Unit { given, writes: removal(key, row.until), log: None };
    let outcome = roster.store.commit(tenant, unit)?;
    Ok(usize::from(matches!(outcome, Outcome::Committed { .. })))
}
