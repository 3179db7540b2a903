//! The keys with which the installation signs for programs downstream: which there are, which of them signs, and which are published.
//!
//! A key is published before it signs, so that whoever remembers the published ones for a while has it in time, and stays published until the last that it signed
//! is over. All of them lie in one row, so that two who turn them at once cannot both. The private halves are sealed; the roster opens none.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::super::Roster;
use super::super::commit::Plan;
use super::super::error::RosterError;
use super::super::rows::{self, SIGNING_KEYS};
use super::super::sight::Eyes;
use crate::ids::{RequestId, TenantId};
use crate::store::{Action, Actor, Change, Given, Snapshot, Write};

/// How long somebody may remember the published keys: what the answer with them says.
pub const SIGNING_KEYS_REMEMBERED: SignedDuration = SignedDuration::from_mins(5);
/// How long a key is published before it signs: for those who remember longer than they were told, and for clocks that differ.
const PUBLISHED_BEFORE: SignedDuration = SignedDuration::from_mins(10);
/// How long a key stays published after its successor has begun: longer than an assertion lives, with clocks that differ.
const PUBLISHED_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// How long a key signs before there is another.
const SIGNS_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A key with which the installation signs (ES256).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// Its name: the thumbprint of RFC 7638.
    pub kid: String,
    /// The public half, base64url.
    pub x: String,
    /// The public half, base64url.
    pub y: String,
    /// The private half, sealed, hexadecimal.
    pub sealed: String,
    /// From when on it signs.
    pub signs_from: Timestamp,
}

/// A key that was just made.
#[derive(Debug, Clone)]
pub struct FreshSigningKey {
    /// Its name.
    pub kid: String,
    /// The public half, base64url.
    pub x: String,
    /// The public half, base64url.
    pub y: String,
    /// The private half, sealed.
    pub sealed: Vec<u8>,
}

/// Why there is to be another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Turn {
    /// Because there is none, or the one that signs is old.
    WhenDue,
    /// Because an operator wants one: it signs when everybody has had time to fetch it.
    InTurn,
    /// Because the private half may be known to others: it signs now, and what the others signed is good no more.
    AtOnce,
}

/// The keys, in the order in which they sign.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SigningKeys(Vec<SigningKey>);

impl SigningKeys {
    /// Returns the key that signs. One whose time has not come signs where there is no other: the clock was put back.
    pub fn signer(&self, now: Timestamp) -> Option<&SigningKey> {
        self.0.iter().rev().find(|key| key.signs_from <= now).or_else(|| self.0.first())
    }

    /// Lists the keys that are published.
    pub fn published(&self, now: Timestamp) -> impl Iterator<Item = &SigningKey> {
        self.0.iter().enumerate().filter(move |(at, _)| !self.is_past(*at, now)).map(|(_, key)| key)
    }

    /// Tells whether another key is wanted: there is none, or the one that signs is old and none waits.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.0.last().is_none_or(|last| is_over(last.signs_from, SIGNS_FOR, now))
    }

    /// Tells whether [`Turn::WhenDue`] would change anything.
    pub fn wants_a_look(&self, now: Timestamp) -> bool {
        self.is_due(now) || self.published(now).count() < self.0.len()
    }

    /// Tells whether everything that a key signed is over.
    fn is_past(&self, at: usize, now: Timestamp) -> bool {
        let successor = at.checked_add(1).and_then(|next| self.0.get(next));
        successor.is_some_and(|next| is_over(next.signs_from, PUBLISHED_AFTER, now))
    }

    /// Returns the keys with another, and without those whose time is past. `None` where there is nothing to do.
    fn turned(&self, fresh: &FreshSigningKey, turn: Turn, now: Timestamp) -> Option<Self> {
        let waits = self.0.last().is_some_and(|last| last.signs_from > now);
        let wanted = match turn {
            Turn::WhenDue => self.is_due(now),
            Turn::InTurn => !waits,
            Turn::AtOnce => true,
        };
        let key = |signs_from| SigningKey {
            kid: fresh.kid.clone(),
            x: fresh.x.clone(),
            y: fresh.y.clone(),
            sealed: super::super::commit::hex(&fresh.sealed),
            signs_from,
        };
        let mut left: Vec<SigningKey> = match turn {
            Turn::AtOnce => vec![],
            _ => self.published(now).cloned().collect(),
        };
        if wanted {
            let later = now.checked_add(PUBLISHED_BEFORE).unwrap_or(now);
            left.push(key(if left.is_empty() { now } else { later }));
        }
        (left != self.0).then_some(Self(left))
    }
}

fn is_over(from: Timestamp, span: SignedDuration, now: Timestamp) -> bool {
    from.checked_add(span).is_ok_and(|end| end <= now)
}

impl Roster {
    /// Reads the keys.
    pub fn signing_keys(&self) -> Result<SigningKeys, RosterError> {
        read(self.store.snapshot()?.as_ref()).map(|(keys, _)| keys)
    }

    /// Takes over a key that was just made, where one is wanted, and lets go of those whose time is past. Returns the keys as they are then.
    pub fn turn_signing_keys(
        &self,
        fresh: &FreshSigningKey,
        turn: Turn,
        request: RequestId,
    ) -> Result<SigningKeys, RosterError> {
        let policy = std::sync::Arc::clone(self.policies.all().everybody());
        let who = if turn == Turn::WhenDue { Actor::System } else { Actor::Cli };
        let sight = self.schemas.standard(Eyes::OPEN);
        let caller = self.at_hand(TenantId::SYSTEM, request, who, sight, policy);
        self.carry_out(&caller, Action::SigningKeysTurn, |snapshot| {
            let (keys, bytes) = read(snapshot)?;
            let Some(turned) = keys.turned(fresh, turn, caller.now) else { return Ok((None, keys)) };
            let names = |keys: &SigningKeys| Some(keys.0.iter().map(|key| key.kid.clone()).collect());
            let plan = Plan {
                given: vec![Given::Small(SIGNING_KEYS, vec![], bytes)],
                writes: vec![Write::Small {
                    space: SIGNING_KEYS,
                    key: vec![],
                    value: Some(rows::encode(&turned)?),
                }],
                changes: vec![Change::of("signingKeys", names(&keys), names(&turned))],
                ..Plan::default()
            };
            Ok((Some(plan), turned))
        })
    }
}

fn read(snapshot: &dyn Snapshot) -> Result<(SigningKeys, Option<Vec<u8>>), RosterError> {
    let bytes = snapshot.small(TenantId::SYSTEM, SIGNING_KEYS, &[])?;
    let keys = bytes.as_deref().map(rows::decode).transpose()?.unwrap_or_default();
    Ok((keys, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(kid: &str) -> FreshSigningKey {
        FreshSigningKey { kid: kid.to_owned(), x: "x".into(), y: "y".into(), sealed: vec![1] }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    fn turn(keys: &SigningKeys, kid: &str, turn: Turn, minutes: i64) -> SigningKeys {
        keys.turned(&fresh(kid), turn, at(minutes)).unwrap_or_else(|| keys.clone())
    }

    fn published(keys: &SigningKeys, minutes: i64) -> Vec<&str> {
        keys.published(at(minutes)).map(|key| key.kid.as_str()).collect()
    }

    fn signer(keys: &SigningKeys, minutes: i64) -> &str {
        &keys.signer(at(minutes)).unwrap().kid
    }

    const DAY: i64 = 24 * 60;

    #[test]
    fn a_key_is_published_before_it_signs_and_until_what_it_signed_is_over() {
        let first = turn(&SigningKeys::default(), "a", Turn::WhenDue, 0);
        assert_eq!((signer(&first, 0), published(&first, 0)), ("a", vec!["a"]));
        assert_eq!(turn(&first, "b", Turn::WhenDue, 30 * DAY - 1), first, "not due yet");
        let due = 30 * DAY;
        let both = turn(&first, "b", Turn::WhenDue, due);
        // Whoever remembers the keys for as long as they were told to has the new one before it signs.
        let remembered = SIGNING_KEYS_REMEMBERED.as_mins();
        for minutes in [due, due + remembered, due + 9] {
            assert_eq!((signer(&both, minutes), published(&both, minutes)), ("a", vec!["a", "b"]));
            assert_eq!(turn(&both, "c", Turn::WhenDue, minutes), both);
        }
        // What the old one signed last lives a minute, and its key is published longer.
        for minutes in [due + 10, due + 14] {
            assert_eq!((signer(&both, minutes), published(&both, minutes)), ("b", vec!["a", "b"]));
        }
        assert_eq!((signer(&both, due + 15), published(&both, due + 15)), ("b", vec!["b"]));
        // Its private half is let go of at the next look.
        let after = turn(&both, "c", Turn::WhenDue, due + 15);
        assert_eq!(after.0.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn an_operator_has_another_key_in_turn_and_not_several_at_a_time() {
        let first = turn(&SigningKeys::default(), "a", Turn::InTurn, 0);
        assert_eq!(signer(&first, 0), "a", "nobody can remember others");
        let both = turn(&first, "b", Turn::InTurn, 1);
        assert_eq!((signer(&both, 1), published(&both, 1)), ("a", vec!["a", "b"]));
        assert_eq!(turn(&both, "c", Turn::InTurn, 2), both, "one waits already");
    }

    #[test]
    fn what_a_key_signed_that_others_may_know_is_good_no_more() {
        let first = turn(&SigningKeys::default(), "a", Turn::WhenDue, 0);
        let both = turn(&first, "b", Turn::InTurn, 1);
        let only = turn(&both, "c", Turn::AtOnce, 2);
        assert_eq!((signer(&only, 2), published(&only, 2)), ("c", vec!["c"]));
    }

    #[test]
    fn a_clock_that_was_put_back_leaves_a_key_that_signs() {
        let first = turn(&SigningKeys::default(), "a", Turn::WhenDue, 0);
        let both = turn(&first, "b", Turn::InTurn, 1);
        assert_eq!((signer(&both, -DAY), published(&both, -DAY)), ("a", vec!["a", "b"]));
    }
}
