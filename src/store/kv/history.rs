//! The bytes of an entry of the history.
//!
//! Entries are the larger part of what is written, and much of each stands in every other: names of attributes, URNs, the words of JSON. So facts and
//! values are compressed together, by LZ4 that already knows those words; a create takes a quarter of the room, in the journal and on the disk.
//! What is chained and digested is the text, not these bytes.
//!
//! ```text
//! 0   format: 1, the text as it is; 2, compressed      65  length of the facts (LEB128)
//! 1   link (32)                                        …   format 2: length of the values (LEB128)
//! 33  digest of the values (32)                        …   facts, values
//! ```

use lz4_flex::block;

use crate::store::codec::{Reader, put_length};
use crate::store::log::{Link, LogRow};
use crate::store::unit::Seq;

const PLAIN: u8 = 1;
const COMPRESSED: u8 = 2;
/// What the compressor knows beforehand, what is most usual last. Every entry of format 2 is read with it, so it never changes: other words need another format.
const WORDS: &[u8] = include_bytes!("history.words");
/// How much longer the text can be than what it was compressed to, by LZ4's own rules.
const TIMES_MAX: usize = 255;

/// Writes an entry, in whichever format is shorter.
pub(super) fn log(row: &LogRow) -> Vec<u8> {
    let text = [row.facts.as_slice(), &row.values].concat();
    let compressed = block::compress_with_dict(&text, WORDS);
    let is_shorter = compressed.len() < text.len();
    let (format, body) = if is_shorter { (COMPRESSED, &compressed) } else { (PLAIN, &text) };
    let mut value = Vec::with_capacity(75 + body.len());
    value.push(format);
    value.extend_from_slice(&row.link.0);
    value.extend_from_slice(&row.values_digest);
    put_length(&mut value, row.facts.len());
    if is_shorter {
        put_length(&mut value, row.values.len());
    }
    value.extend_from_slice(body);
    value
}

/// Reads an entry. Nothing where the bytes make no sense.
pub(super) fn open_log(seq: Seq, value: &[u8]) -> Option<LogRow> {
    let mut reader = Reader::over(value);
    let format = reader.byte()?;
    let (link, values_digest) = (Link(reader.array()?), reader.array()?);
    let facts_length = reader.length()?;
    let mut facts = match format {
        PLAIN => reader.rest.to_vec(),
        COMPRESSED => {
            let length = facts_length.checked_add(reader.length()?)?;
            decompressed(reader.rest, length)?
        }
        _ => return None,
    };
    if facts_length > facts.len() {
        return None;
    }
    let values = facts.split_off(facts_length);
    Some(LogRow { seq, link, values_digest, facts, values })
}

/// Makes no more room than so many bytes can fill.
fn decompressed(bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    if length > bytes.len().saturating_mul(TIMES_MAX) {
        return None;
    }
    let text = block::decompress_with_dict(bytes, length, WORDS).ok()?;
    (text.len() == length).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    fn row(facts: &[u8], values: &[u8]) -> LogRow {
        let (facts, values) = (facts.to_vec(), values.to_vec());
        LogRow { seq: Seq(7), link: Link([1; 32]), values_digest: [2; 32], facts, values }
    }

    #[test]
    fn an_entry_takes_a_fraction_of_its_text_and_one_of_nothing_usual_no_more_than_it() {
        let usual = row(
            br#"{"when":"2026-11-22T22:21:40.197Z","action":"patch","attributes":["title"],"result":"ok"}"#,
            br#"{"salt":"3bed4ee2adc498db67ca45d6a5ae6aba","changes":[{"attribute":"title","old":"Consultant","new":"Partner"}]}"#,
        );
        let bytes = log(&usual);
        assert_eq!(bytes[0], COMPRESSED);
        assert!(bytes.len() < 65 + (usual.facts.len() + usual.values.len()) * 2 / 3, "{}", bytes.len());
        assert_eq!(open_log(Seq(7), &bytes), Some(usual));
        let noise: Vec<u8> = (0_u8..40).map(|byte| byte.wrapping_mul(151) ^ 0x5a).collect();
        let bytes = log(&row(&noise, b""));
        assert_eq!((bytes[0], bytes.len()), (PLAIN, 66 + noise.len()));
    }

    #[test]
    fn the_words_are_those_that_every_entry_so_far_was_written_with() {
        let digest = Sha256::digest(WORDS);
        let begins = digest.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        assert_eq!(begins, Some(0x6ae0_37c3_cea2_0f81));
    }

    #[test]
    fn an_entry_of_format_1_is_read() {
        let mut bytes = vec![PLAIN];
        bytes.extend_from_slice(&[1; 32]);
        bytes.extend_from_slice(&[2; 32]);
        bytes.extend_from_slice(b"\x02{}[]");
        assert_eq!(open_log(Seq(7), &bytes), Some(row(b"{}", b"[]")));
    }

    #[test]
    fn a_length_that_the_bytes_cannot_have_makes_no_room() {
        let mut bytes = vec![COMPRESSED];
        bytes.extend_from_slice(&[0; 64]);
        bytes.extend_from_slice(b"\xff\xff\xff\xff\x7f\x00\x10a");
        assert_eq!(open_log(Seq(7), &bytes), None);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(facts in any::<Vec<u8>>(), values in ".{0,300}") {
            let row = row(&facts, values.as_bytes());
            prop_assert_eq!(open_log(Seq(7), &log(&row)), Some(row));
        }

        #[test]
        fn r9_bytes_that_make_no_sense_are_refused_and_never_a_panic(
            values in ".{0,200}", at in 0_usize..300, to in any::<u8>(), cut in 0_usize..300
        ) {
            let mut bytes = log(&row(values.as_bytes(), values.as_bytes()));
            bytes.truncate(bytes.len().saturating_sub(cut % 50));
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            drop(open_log(Seq(7), &bytes));
        }
    }
}
