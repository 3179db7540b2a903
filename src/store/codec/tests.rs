//! Golden bytes, round trips and damage.

use proptest::prelude::*;

use super::*;
use crate::ids::{KindId, ResourceId};

const TENANT: TenantId = TenantId::new(7);

fn user() -> Record {
    Record {
        at: Address::user(ResourceId::parse("0192f0c1-2b3c-7def-8123-456789abcdef").unwrap()),
        connection: Some(ConnectionId::parse("0192f0c1-2b3c-7def-8123-000000000001").unwrap()),
        created: "2026-01-02T03:04:05.678Z".parse().unwrap(),
        modified: "2026-02-03T04:05:06.789123456Z".parse().unwrap(),
        display: "Ada Lovelace".into(),
        segments: vec![
            Segment {
                urn: KNOWN_URNS[0].into(),
                json: r#"{"userName":"ada@acme.test","name":{"formatted":"Ada Lovelace"},"active":true}"#
                    .into(),
            },
            Segment { urn: KNOWN_URNS[2].into(), json: r#"{"department":"Zürich"}"#.into() },
            Segment { urn: "urn:example:2.0:User".into(), json: "{}".into() },
        ],
        unique: vec![UniqueKey { index: IndexId(1), value: b"ada@acme.test".to_vec() }],
        index: vec![
            IndexEntry { index: IndexId(2), value: b"ada lovelace".to_vec() },
            IndexEntry { index: IndexId(3), value: vec![0, 255, 0] },
        ],
    }
}

fn bare_group() -> Record {
    Record {
        at: Address::group(ResourceId::from_bytes([3; 16])),
        connection: None,
        created: Timestamp::UNIX_EPOCH,
        modified: "1969-12-31T23:59:59.5Z".parse().unwrap(),
        display: String::new(),
        segments: vec![Segment { urn: KNOWN_URNS[1].into(), json: "{}".into() }],
        unique: vec![],
        index: vec![],
    }
}

fn decode(at: Address, bytes: &[u8]) -> Result<Stored, StoreError> {
    Stored::decode(TENANT, at, bytes.into())
}

/// Compares with the file. There is deliberately no way to rewrite the files: what a release wrote stays readable.
fn golden(golden: &[u8], version: Seq, record: &Record) {
    assert_eq!(encode(TENANT, version, record), golden, "the bytes of today differ from those of format 1");
    let stored = decode(record.at, golden).unwrap();
    assert_eq!(stored.version(), version);
    assert_eq!(&stored.to_record().unwrap(), record);
}

#[test]
fn r12_records_of_format_1_are_written_and_read_as_ever() {
    golden(include_bytes!("golden/user.v1.bin"), Seq(42), &user());
    golden(include_bytes!("golden/group.v1.bin"), Seq(u64::MAX), &bare_group());
}

#[test]
fn accessors_say_what_was_put() {
    let stored = decode(user().at, &encode(TENANT, Seq(9), &user())).unwrap();
    let record = user();
    assert_eq!(stored.at(), record.at);
    assert_eq!(stored.version(), Seq(9));
    assert_eq!(stored.created(), record.created);
    assert_eq!(stored.modified(), record.modified);
    assert_eq!(stored.connection(), record.connection);
    assert_eq!(stored.display(), record.display);
    let segments: Vec<_> = record.segments.iter().map(|one| (one.urn.as_str(), one.json.as_str())).collect();
    assert_eq!(stored.segments().collect::<Vec<_>>(), segments);
    assert_eq!(format!("{stored:?}").matches("ada").count(), 0, "no personal data in debug output");
}

#[test]
fn r9_every_flipped_bit_cut_and_swapped_key_of_a_record_is_noticed() {
    let bytes = encode(TENANT, Seq(42), &user());
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(decode(user().at, &damaged), Err(StoreError::Corrupt(_))), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert!(matches!(decode(user().at, &bytes[..len]), Err(StoreError::Corrupt(_))), "cut to {len}");
    }
    assert!(decode(bare_group().at, &bytes).is_err(), "another record's key");
    assert!(Stored::decode(TenantId::new(8), user().at, bytes.into()).is_err(), "another tenant's key");
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.as_second() + 1..Timestamp::MAX.as_second(), 0..1_000_000_000)
        .prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap())
}

prop_compose! {
    fn any_record()(
        id in any::<[u8; 16]>(), kind in any::<u8>(), connection in any::<Option<[u8; 16]>>(),
        created in any_time(), modified in any_time(), display in ".{0,300}",
        segments in prop::collection::vec(("[a-z:]{0,200}", ".{0,400}"), 0..4),
        unique in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..200)), 0..4),
        index in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..200)), 0..4),
    ) -> Record {
        Record {
            at: Address { kind: KindId(kind), id: ResourceId::from_bytes(id) },
            connection: connection.map(ConnectionId::from_bytes),
            created, modified, display,
            segments: segments.into_iter().map(|(urn, json)| Segment { urn, json }).collect(),
            unique: unique.into_iter().map(|(index, value)| UniqueKey { index: IndexId(index), value }).collect(),
            index: index.into_iter().map(|(index, value)| IndexEntry { index: IndexId(index), value }).collect(),
        }
    }
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(record in any_record(), version in any::<u64>()) {
        let stored = decode(record.at, &encode(TENANT, Seq(version), &record)).unwrap();
        prop_assert_eq!(stored.version(), Seq(version));
        prop_assert_eq!(stored.to_record().unwrap(), record);
    }

    #[test]
    fn r35_bytes_with_a_right_checksum_but_no_sense_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 10..200)) {
        bytes[0] = FORMAT;
        let sum = computed_checksum(TENANT, user().at, &bytes).unwrap();
        bytes[2..10].copy_from_slice(&sum.to_le_bytes());
        if let Ok(stored) = decode(user().at, &bytes) {
            stored.to_record().unwrap();
        }
    }
}
