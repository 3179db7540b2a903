//! What must hold of whatever arrives as a cursor: the body of a fuzz target, as those in `idp::hostile` (R35).
//!
//! Here, because cursors are sealed and opened in this room and nowhere else. Compiled for tests only; a broken promise panics.

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::cursor::{Binding, CURSOR_SECONDS_MAX, Position, open, seal};
use crate::ids::{Address, KindId, ResourceId};
use crate::scim::SortKey;
use crate::scim::sort::SORT_KEY_BYTES_MAX;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const KEY: [u8; 32] = [7; 32];
/// Most places at which a sealed cursor is altered in one run; they are spread over its length.
const PLACES_MAX: usize = 96;

/// What a character of a cursor is altered into: others that could stand there, and some that could not.
const OTHERS: &[u8; 13] = b"AZaz09-_=+/ \0";

/// Any text is refused as a cursor, unless it is one; what is sealed is read back by whom it is for, in time, as it was sealed.
pub fn cursor(bytes: &[u8]) {
    let key = Zeroizing::new(KEY);
    let binding = Binding::from([1; 32]);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(position) = open(&key, &binding, NOW, text)
    {
        assert_eq!(seal(&key, &binding, NOW, &position), text, "a cursor that was not sealed here");
    }
    let position = position(bytes);
    let sealed = seal(&key, &binding, NOW, &position);
    assert_eq!(open(&key, &binding, NOW, &sealed).ok().as_ref(), Some(&position), "sealed and opened");
    let refused = |key: [u8; 32], binding: [u8; 32], seconds: i64, text: &str| {
        let now = NOW.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(NOW);
        open(&Zeroizing::new(key), &Binding::from(binding), now, text).is_err()
    };
    assert!(refused([8; 32], [1; 32], 0, &sealed), "opened with another key");
    assert!(refused(KEY, [2; 32], 0, &sealed), "opened for another query");
    assert!(refused(KEY, [1; 32], CURSOR_SECONDS_MAX.saturating_add(1), &sealed), "opened too late");
    // Which other character stands there is the input's choice.
    let place = usize::from(bytes.last().copied().unwrap_or_default()).checked_rem(OTHERS.len());
    let other = place.and_then(|place| OTHERS.get(place)).unwrap_or(&b'A');
    for place in (0..sealed.len()).step_by(sealed.len().div_ceil(PLACES_MAX).max(1)) {
        let mut altered = sealed.clone().into_bytes();
        if let Some(byte) = altered.get_mut(place).filter(|byte| **byte != *other) {
            *byte = *other;
            let altered = String::from_utf8(altered).unwrap_or_default();
            assert!(refused(KEY, [1; 32], 0, &altered), "altered at {place}, and opened");
        }
        assert!(
            refused(KEY, [1; 32], 0, sealed.get(..place).unwrap_or_default()),
            "cut at {place}, and opened"
        );
    }
}

/// Reads a place in a list out of any bytes.
fn position(bytes: &[u8]) -> Position {
    let (head, sort) = bytes.split_at(bytes.len().min(19));
    let mut padded = [0; 19];
    padded.iter_mut().zip(head).for_each(|(to, from)| *to = *from);
    let [kind, id @ .., high, low] = padded;
    Position {
        at: Address { kind: KindId(kind), id: ResourceId::from_bytes(id) },
        // The longest that is made is a byte longer than what it is of.
        sort: (!sort.is_empty()).then(|| {
            SortKey::from_bytes(sort.iter().copied().take(SORT_KEY_BYTES_MAX.saturating_add(1)).collect())
        }),
        count: u16::from_be_bytes([high, low]),
        back: low % 2 == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r35_the_seeds_hold_cursors_that_are_good() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/cursor");
        if std::env::var_os("ROSTERD_TEST_WRITE").is_some() {
            for number in 0..4_u8 {
                let place = position(&vec![number; 18 + 3 * usize::from(number)]);
                let sealed = seal(&Zeroizing::new(KEY), &Binding::from([1; 32]), NOW, &place);
                std::fs::write(folder.join(format!("good_{number}")), sealed).unwrap();
            }
        }
        let good = std::fs::read_dir(folder).unwrap().filter(|entry| {
            let bytes = std::fs::read(entry.as_ref().unwrap().path()).unwrap();
            let text = String::from_utf8(bytes).unwrap_or_default();
            open(&Zeroizing::new(KEY), &Binding::from([1; 32]), NOW, &text).is_ok()
        });
        assert!(good.count() >= 3, "without one that opens, the seeds say little");
    }
}
