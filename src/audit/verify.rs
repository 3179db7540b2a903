//! Proving that no entry of a tenant's history was changed, removed or put elsewhere (X59).
//!
//! Works on rows as they travel, a page at a time, so that a history of any length is proven in little memory.

use sha2::{Digest, Sha256};

use crate::roster::{AuditRow, hex, unhex};
use crate::store::{Link, Seq};

/// A proof in the making: feed it every row from the first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Proof {
    link: Link,
    seq: u64,
    erased: u64,
}

/// Where a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// A number is missing, or comes twice.
    #[error("expected entry {expected}, found entry {found}: entries were removed or put elsewhere")]
    Gap {
        /// The number that should have come.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// What was written there is not what was chained.
    #[error("entry {seq}: its {part} is not what was chained: the entry was changed")]
    Changed {
        /// Which entry.
        seq: u64,
        /// Which part of it.
        part: &'static str,
    },
}

impl Proof {
    /// Takes the next row.
    pub fn take(&mut self, row: &AuditRow) -> Result<(), Break> {
        let expected = self.seq.saturating_add(1);
        if row.seq != expected {
            return Err(Break::Gap { expected, found: row.seq });
        }
        let changed = |part| Break::Changed { seq: row.seq, part };
        let digest = bytes(&row.values_digest).ok_or(changed("digest"))?;
        if row.values.is_empty() {
            self.erased = self.erased.saturating_add(1);
        } else if digest != <[u8; 32]>::from(Sha256::digest(row.values.as_bytes())) {
            return Err(changed("values"));
        }
        let link = Link::after(self.link, Seq(row.seq), &digest, row.facts.as_bytes());
        if bytes(&row.link) != Some(link.0) {
            return Err(changed("link"));
        }
        self.link = link;
        self.seq = row.seq;
        Ok(())
    }

    /// Returns how many entries were proven.
    pub const fn entries(&self) -> u64 {
        self.seq
    }

    /// Returns how many of them had their values erased, which is lawful and provable.
    pub const fn erased(&self) -> u64 {
        self.erased
    }

    /// Returns the last link, hexadecimal: whoever keeps it elsewhere can tell later whether the tail was cut off.
    pub fn head(&self) -> String {
        hex(&self.link.0)
    }
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    unhex(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RequestId;
    use crate::store::{Action, Actor, Change, Entry, Facts, LogRow, Values};

    fn history(length: u64) -> Vec<AuditRow> {
        let mut link = Link::default();
        (1..=length)
            .map(|seq| {
                let facts = Facts {
                    when: "2026-01-02T03:04:05Z".parse().unwrap(),
                    who: Actor::Cli,
                    connection: None,
                    request: RequestId::from_bytes([7; 16]),
                    action: Action::Create,
                    subject: None,
                    attributes: vec!["title".into()],
                    result: "ok".into(),
                    notes: vec![],
                    asked: vec![],
                };
                let changes = vec![Change::of("title", None, Some(seq.into()))];
                let entry = Entry { facts, values: Values { salt: seq.to_string(), changes, asked: vec![] } };
                let row = LogRow::chain(link, Seq(seq), &entry).unwrap();
                link = row.link;
                AuditRow::from(row)
            })
            .collect()
    }

    fn prove(rows: &[AuditRow]) -> Result<Proof, Break> {
        let mut proof = Proof::default();
        rows.iter().try_for_each(|row| proof.take(row))?;
        Ok(proof)
    }

    #[test]
    fn x59_a_whole_history_is_proven() {
        let mut rows = history(100);
        assert_eq!(prove(&rows).unwrap().entries(), 100);
        rows[41].values.clear();
        assert_eq!(prove(&rows).unwrap().erased(), 1);
    }

    #[test]
    fn x59_every_changed_byte_of_a_hundred_entries_is_found() {
        let rows = history(100);
        for at in 0..rows.len() {
            let parts: [fn(&mut AuditRow) -> &mut String; 4] = [
                |row| &mut row.facts,
                |row| &mut row.values,
                |row| &mut row.link,
                |row| &mut row.values_digest,
            ];
            for part in parts {
                let length = part(&mut rows[at].clone()).len();
                for place in 0..length {
                    let mut altered = rows[at].clone();
                    let text = part(&mut altered);
                    let other = if text.as_bytes()[place] == b'0' { "1" } else { "0" };
                    text.replace_range(place..=place, other);
                    let mut proof = Proof::default();
                    let result = rows[..at]
                        .iter()
                        .chain([&altered])
                        .chain(&rows[at + 1..(at + 2).min(rows.len())])
                        .try_for_each(|row| proof.take(row));
                    assert!(result.is_err(), "entry {at}, byte {place}");
                }
            }
        }
    }

    #[test]
    fn x59_removed_and_reordered_entries_are_found() {
        let rows = history(10);
        let without: Vec<_> = rows.iter().filter(|row| row.seq != 5).cloned().collect();
        assert_eq!(prove(&without).unwrap_err(), Break::Gap { expected: 5, found: 6 });
        let mut swapped = rows.clone();
        swapped.swap(3, 4);
        assert_eq!(prove(&swapped).unwrap_err(), Break::Gap { expected: 4, found: 5 });
        let mut renumbered = swapped;
        renumbered[3].seq = 4;
        renumbered[4].seq = 5;
        assert_eq!(prove(&renumbered).unwrap_err(), Break::Changed { seq: 4, part: "link" });
    }
}
