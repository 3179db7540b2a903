//! A checksum over every row, so that a flipped byte is noticed and not believed (R9).
//!
//! The engine has checksums of its pages but does not verify them when it reads. Ours is no defence against malice:
//! each step is a bijection of the state, so damage within one aligned word of eight bytes always changes it, and
//! other damage goes unseen once in 2^64 (records) or 2^32 (small rows) times. The key is hashed along, so that a
//! row that stands under another row's key is noticed too. The algorithm is part of the format: never change it.

use super::StoreError;

/// Bytes of the tag that begins every row of the small table.
const TAG_BYTES: usize = 4;
/// An odd number without pattern: the golden ratio in 64 bits.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Computes the checksum of a row from its key and its value.
pub fn checksum(key: &[u8], value: &[u8]) -> u64 {
    absorb(absorb(FACTOR, key), value)
}

fn absorb(mut state: u64, bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        state = step(state, word_of(word));
    }
    step(step(state, word_of(words.remainder())), bytes.len() as u64)
}

fn step(state: u64, word: u64) -> u64 {
    let mixed = (state ^ word).wrapping_mul(FACTOR);
    mixed ^ (mixed >> 32)
}

/// Reads up to eight bytes as a little-endian number.
fn word_of(bytes: &[u8]) -> u64 {
    if let Ok(eight) = bytes.try_into() {
        return u64::from_le_bytes(eight);
    }
    bytes.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

fn tag(key: &[u8], value: &[u8]) -> [u8; TAG_BYTES] {
    let sum = checksum(key, value);
    (sum ^ (sum >> 32)).to_le_bytes().first_chunk().copied().unwrap_or_default()
}

/// Puts the tag in front of a small row's value.
pub fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(TAG_BYTES + value.len());
    sealed.extend_from_slice(&tag(key, value));
    sealed.extend_from_slice(value);
    sealed
}

/// Takes the tag off again, or says that the row is damaged.
pub fn unseal<'a>(key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], StoreError> {
    match sealed.split_first_chunk::<TAG_BYTES>() {
        Some((found, value)) if *found == tag(key, value) => Ok(value),
        _ => {
            Err(StoreError::Corrupt(format!("the checksum of a row of {} bytes does not fit", sealed.len())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r9_every_flipped_bit_of_a_small_row_or_its_key_is_noticed() {
        let key = b"\0\0\0\x01uada@acme.test".to_vec();
        let sealed = seal(&key, b"seventeen bytes..");
        assert_eq!(unseal(&key, &sealed).unwrap(), b"seventeen bytes..");
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(&key, &damaged).is_err(), "bit {bit} of the value");
        }
        for bit in 0..key.len() * 8 {
            let mut damaged = key.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(&damaged, &sealed).is_err(), "bit {bit} of the key");
        }
        for len in 0..sealed.len() {
            assert!(unseal(&key, &sealed[..len]).is_err(), "cut to {len}");
        }
    }

    #[test]
    fn the_checksum_never_changes_between_releases() {
        assert_eq!(checksum(b"key", b"a value of some length"), 0xcd8a_2c98_aa6e_1152);
    }
}
