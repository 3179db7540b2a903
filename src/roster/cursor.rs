//! Cursors (RFC 9865, S89): the place where a page ended, sealed so that only this installation can have written it.
//!
//! A cursor holds the last resource of its page (or the first, and that the way goes back), what that sorted by, the size of the pages and
//! when it was made. Nothing is kept on the
//! server for it, so that a thousand of them cost nothing. What it holds may be about a person (a name sorted by), and
//! URLs stand in logs, so that it is enciphered: the tag over the text is the nonce under which the text is enciphered (the construction of
//! RFC 5297, with HMAC-SHA-256 for both). The tag is also over whom the cursor is for and which query it belongs to, which
//! are not in it: another tenant, connection or query finds it invalid.
//!
//! The query is what decides which resources come in which order: kinds, filter, `sortBy`, `sortOrder`; and `count`, which a cursor carries.
//! `attributes` and `excludedAttributes` may differ from page to page: they say what is shown of a resource, so that no resource is left
//! out or met twice by that, and whether the caller may see it is asked for every page anew.
//!
//! Whoever is there throughout is met exactly once (R21), as long as what is sorted by stays: somebody whose name or time changes between two pages
//! has moved to another place in the list, and is met there if that is still to come.

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::error::RosterError;
use super::query::Query;
use super::rows::CURSOR_KEY;
use super::{Caller, LOCAL, Roster};
use crate::ids::{Address, KindId, ResourceId, TenantId};
use crate::scim::{Refusal, SortKey, SortOrder, Why};
use crate::store::{Given, Outcome, Unit, Write};

/// How long a cursor may be used after its page was answered: as long as a client may need for one page and its retries.
pub const CURSOR_SECONDS_MAX: i64 = 600;
/// The longest text that can be a cursor.
const CURSOR_CHARACTERS_MAX: usize = 1024;
const FORMAT: u8 = 2;
const TAG_BYTES: usize = 16;

/// The place where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    /// The last resource of the page; the first where the way goes back.
    pub(super) at: Address,
    /// What it sorted by, in a query with an order.
    pub(super) sort: Option<SortKey>,
    /// How many resources a page has.
    pub(super) count: u16,
    /// Whether the page before is meant.
    pub(super) back: bool,
}

/// For whom and for which query a cursor is: a digest.
pub(super) struct Binding([u8; 32]);

#[cfg(any(test, feature = "testing"))]
impl From<[u8; 32]> for Binding {
    fn from(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

/// The key of an installation.
pub(super) type CursorKey = Zeroizing<[u8; 32]>;

impl Binding {
    /// Binds to tenant, connection, the kinds that are asked (which the caller's scopes have been compared with), filter and
    /// order. Not to the token: tokens are rotated in the midst of a synchronisation.
    pub(super) fn of(caller: &Caller, query: &Query) -> Self {
        let mut digest = Sha256::new();
        let mut part = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        };
        part(&caller.tenant.number().to_be_bytes());
        part(caller.connection.as_bytes());
        if caller.connection == LOCAL {
            // The tenant's own administrators share a connection.
            part(format!("{:?}", caller.who).as_bytes());
        }
        part(match query.order {
            None => b"created",
            Some(SortOrder::Ascending) => b"ascending",
            Some(SortOrder::Descending) => b"descending",
        });
        for asked in &query.parts {
            part(&[asked.kind.id.0]);
            part(asked.filter.as_ref().map(ToString::to_string).unwrap_or_default().as_bytes());
            part(asked.sort_by.as_ref().map(ToString::to_string).unwrap_or_default().as_bytes());
        }
        Self(digest.finalize().into())
    }
}

impl Roster {
    /// Returns the installation's key for cursors; makes it when it is first needed.
    pub(super) fn cursor_key(&self) -> Result<CursorKey, RosterError> {
        if let Some(key) = self.cursor_key.get() {
            return Ok(key.clone());
        }
        let snapshot = self.store.snapshot()?;
        let key = match snapshot.small(TenantId::SYSTEM, CURSOR_KEY, &[])? {
            Some(kept) => key_of(&kept)?,
            None => {
                let fresh = Zeroizing::new(self.chance.secret());
                let unit = Unit {
                    given: vec![Given::Small(CURSOR_KEY, vec![], None)],
                    writes: vec![Write::Small {
                        space: CURSOR_KEY,
                        key: vec![],
                        value: Some(fresh.to_vec()),
                    }],
                    log: None,
                };
                match self.store.commit(TenantId::SYSTEM, unit)? {
                    Outcome::Committed { .. } => fresh,
                    // Somebody else made it meanwhile.
                    Outcome::Lost(_) => {
                        let kept = self.store.snapshot()?.small(TenantId::SYSTEM, CURSOR_KEY, &[])?;
                        key_of(&kept.unwrap_or_default())?
                    }
                }
            }
        };
        Ok(self.cursor_key.get_or_init(|| key).clone())
    }
}

fn key_of(kept: &[u8]) -> Result<CursorKey, RosterError> {
    let key = kept
        .try_into()
        .map_err(|_| RosterError::Broken("the key of the cursors has another length".into()))?;
    Ok(Zeroizing::new(key))
}

/// Writes a cursor: letters, digits, `-` and `_`.
pub(super) fn seal(key: &CursorKey, binding: &Binding, now: Timestamp, position: &Position) -> String {
    let mut text = vec![FORMAT, u8::from(position.back), position.at.kind.0];
    text.extend_from_slice(position.at.id.as_bytes());
    text.extend_from_slice(&now.as_second().to_be_bytes());
    text.extend_from_slice(&position.count.to_be_bytes());
    if let Some(sort) = &position.sort {
        text.extend_from_slice(sort.as_bytes());
    }
    let tag = tag(key, binding, &text);
    encipher(key, &tag, &mut text);
    encode(tag.iter().chain(&text).copied())
}

/// Reads a cursor that was given out to the same caller for the same query, not too long ago.
pub(super) fn open(
    key: &CursorKey,
    binding: &Binding,
    now: Timestamp,
    cursor: &str,
) -> Result<Position, RosterError> {
    let invalid = || {
        let detail = "cursor: expected the nextCursor or previousCursor of a page of the same query, or nothing for the first page";
        RosterError::from(Refusal::new(Why::InvalidCursor, detail))
    };
    if cursor.len() > CURSOR_CHARACTERS_MAX {
        return Err(invalid());
    }
    let bytes = decode(cursor).ok_or_else(invalid)?;
    let (given, text) = bytes.split_first_chunk::<TAG_BYTES>().ok_or_else(invalid)?;
    let mut text = text.to_vec();
    encipher(key, given, &mut text);
    let found = mac(key, binding, &text).verify_truncated_left(given);
    found.map_err(|_| invalid())?;
    // The tag fits, so that it was written here; another format is an older version's.
    let (made, position) = parse(&text).ok_or_else(invalid)?;
    let ends = made.checked_add(SignedDuration::from_secs(CURSOR_SECONDS_MAX)).unwrap_or(Timestamp::MAX);
    if now > ends {
        let detail = format!(
            "cursor: it was good for {CURSOR_SECONDS_MAX} seconds after its page; begin again with an empty one"
        );
        return Err(Refusal::new(Why::ExpiredCursor, detail).into());
    }
    Ok(position)
}

fn parse(text: &[u8]) -> Option<(Timestamp, Position)> {
    let ([FORMAT, back @ (0 | 1), kind], rest) = text.split_first_chunk()? else { return None };
    let (id, rest) = rest.split_first_chunk::<16>()?;
    let (made, rest) = rest.split_first_chunk()?;
    let (count, sort) = rest.split_first_chunk()?;
    let position = Position {
        at: Address { kind: KindId(*kind), id: ResourceId::from_bytes(*id) },
        sort: (!sort.is_empty()).then(|| SortKey::from_bytes(sort.to_vec())),
        count: u16::from_be_bytes(*count),
        back: *back == 1,
    };
    Some((Timestamp::from_second(i64::from_be_bytes(*made)).ok()?, position))
}

fn hmac(key: &CursorKey, purpose: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104 §2)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_slice()).expect("a key of any length");
    mac.update(purpose);
    mac
}

/// Begins what vouches for a text and for whom it is.
fn mac(key: &CursorKey, binding: &Binding, text: &[u8]) -> Hmac<Sha256> {
    hmac(key, b"rosterd cursor tag").chain_update(binding.0).chain_update(text)
}

fn tag(key: &CursorKey, binding: &Binding, text: &[u8]) -> [u8; TAG_BYTES] {
    let full = mac(key, binding, text).finalize().into_bytes();
    full.first_chunk().copied().unwrap_or_default()
}

/// Enciphers and deciphers: adds a stream of bytes that only the key and the tag give.
fn encipher(key: &CursorKey, tag: &[u8; TAG_BYTES], text: &mut [u8]) {
    for (block, number) in text.chunks_mut(32).zip(0_u32..) {
        let stream = hmac(key, b"rosterd cursor stream")
            .chain_update(tag)
            .chain_update(number.to_be_bytes())
            .finalize()
            .into_bytes();
        for (byte, key) in block.iter_mut().zip(stream) {
            *byte ^= key;
        }
    }
}

/// The 64 characters of base64url (RFC 4648 §5), which need no escape in a URL.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn encode(bytes: impl Iterator<Item = u8>) -> String {
    let mut text = String::new();
    let (mut held, mut bits) = (0_u32, 0_u32);
    let mut put = |sextet: u32| {
        let place = usize::try_from(sextet & 63).unwrap_or(0);
        text.push(char::from(ALPHABET.get(place).copied().unwrap_or(b'A')));
    };
    for byte in bytes {
        held = ((held << 8) | u32::from(byte)) & 0xffff;
        bits = bits.saturating_add(8);
        while bits >= 6 {
            bits = bits.saturating_sub(6);
            put(held >> bits);
        }
    }
    if bits > 0 {
        put(held << 6_u32.saturating_sub(bits));
    }
    text
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut held, mut bits) = (0_u32, 0_u32);
    for character in text.bytes() {
        let sextet = ALPHABET.iter().position(|known| *known == character)?;
        held = ((held << 6) | u32::try_from(sextet).ok()?) & 0xffff;
        bits = bits.saturating_add(6);
        if bits >= 8 {
            bits = bits.saturating_sub(8);
            bytes.push(u8::try_from((held >> bits) & 0xff).ok()?);
        }
    }
    // One spelling for each cursor: what is left over is nothing.
    let rest = held & (1_u32 << bits).saturating_sub(1);
    (bits < 6 && rest == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn key() -> CursorKey {
        Zeroizing::new([7; 32])
    }

    fn position(sort: Option<&[u8]>) -> Position {
        Position {
            at: Address::user(ResourceId::from_bytes([9; 16])),
            sort: sort.map(|sort| SortKey::from_bytes(sort.to_vec())),
            count: 100,
            back: sort.is_some(),
        }
    }

    fn why(result: Result<Position, RosterError>) -> Why {
        match result {
            Err(RosterError::Refused(refusal)) => refusal.why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn s89_a_cursor_is_read_back_by_whom_it_is_for_and_by_nobody_else() {
        let cursor = seal(&key(), &Binding([1; 32]), NOW, &position(Some(b"ada")));
        assert_eq!(open(&key(), &Binding([1; 32]), NOW, &cursor).unwrap(), position(Some(b"ada")));
        assert_eq!(why(open(&key(), &Binding([2; 32]), NOW, &cursor)), Why::InvalidCursor);
        assert_eq!(why(open(&Zeroizing::new([8; 32]), &Binding([1; 32]), NOW, &cursor)), Why::InvalidCursor);
    }

    #[test]
    fn s89_a_cursor_expires() {
        let cursor = seal(&key(), &Binding([1; 32]), NOW, &position(None));
        let later = |seconds| NOW + SignedDuration::from_secs(seconds);
        assert!(open(&key(), &Binding([1; 32]), later(CURSOR_SECONDS_MAX), &cursor).is_ok());
        let late = open(&key(), &Binding([1; 32]), later(CURSOR_SECONDS_MAX + 1), &cursor);
        assert_eq!(why(late), Why::ExpiredCursor);
    }

    #[test]
    fn s89_every_changed_character_is_noticed() {
        let cursor = seal(&key(), &Binding([1; 32]), NOW, &position(Some(b"ada")));
        for place in 0..cursor.len() {
            for other in [b'A', b'_', b'b'] {
                let mut changed = cursor.clone().into_bytes();
                if changed[place] == other {
                    continue;
                }
                changed[place] = other;
                let changed = String::from_utf8(changed).unwrap();
                assert_eq!(
                    why(open(&key(), &Binding([1; 32]), NOW, &changed)),
                    Why::InvalidCursor,
                    "{place}"
                );
            }
            let cut = cursor.get(..place).unwrap();
            assert_eq!(why(open(&key(), &Binding([1; 32]), NOW, cut)), Why::InvalidCursor);
        }
    }

    #[test]
    fn s89_a_cursor_says_nothing_and_is_never_longer_than_what_is_read() {
        let long = vec![b'x'; crate::scim::sort::SORT_KEY_BYTES_MAX + 1];
        let cursor = seal(&key(), &Binding([1; 32]), NOW, &position(Some(&long)));
        assert!(cursor.len() <= CURSOR_CHARACTERS_MAX, "{}", cursor.len());
        assert!(open(&key(), &Binding([1; 32]), NOW, &cursor).is_ok());
        let named = seal(&key(), &Binding([1; 32]), NOW, &position(Some(b"ada@acme.test")));
        let bytes = decode(&named).unwrap();
        assert!(!bytes.windows(3).any(|window| window == b"ada"));
    }

    proptest! {
        #[test]
        fn s89_any_bytes_are_written_in_unreserved_characters_and_read_back(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let text = encode(bytes.iter().copied());
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
            prop_assert_eq!(decode(&text), Some(bytes));
        }

        #[test]
        fn s89_no_text_makes_it_panic(text in any::<String>()) {
            prop_assert!(open(&key(), &Binding([1; 32]), NOW, &text).is_err());
        }
    }
}
