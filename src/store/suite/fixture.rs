//! Records, units and short ways to commit them.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use crate::ids::{Address, ConnectionId, RequestId, ResourceId, TenantId};
use crate::store::{
    Action, Actor, Entry, Facts, Given, IndexEntry, IndexId, IndexRange, Outcome, Owned, Quarter, Record,
    Segment, Seq, Snapshot, Space, Store, UniqueKey, Unit, Values, Write,
};

/// The tenant of most cases.
pub const T: TenantId = TenantId::new(1);
/// Another one.
pub const OTHER: TenantId = TenantId::new(2);
/// The unique index of names.
pub const NAME: IndexId = IndexId(1);
/// The plain index of displays.
pub const DISPLAY: IndexId = IndexId(2);
/// An index whose entries are counted.
pub const ORDER: IndexId = IndexId(200);
/// A drawer.
pub const SPACE: Space = Space(3);

/// An id that sorts by its number.
pub fn id(number: u32) -> ResourceId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    ResourceId::from_bytes(bytes)
}

/// A user's address.
pub fn user(number: u32) -> Address {
    Address::user(id(number))
}

/// A connection.
pub fn connection(number: u8) -> ConnectionId {
    ConnectionId::from_bytes([number; 16])
}

/// A moment, in seconds.
pub fn second(second: i64) -> Timestamp {
    Timestamp::new(second, 0).unwrap()
}

/// The unique key of a name.
pub fn name_key(name: &str) -> UniqueKey {
    UniqueKey { index: NAME, value: name.into() }
}

/// A user with a unique name and an index entry of the same text.
pub fn person(number: u32, name: &str) -> Record {
    Record {
        at: user(number),
        connection: None,
        created: second(100),
        modified: second(200),
        display: name.into(),
        segments: vec![Segment {
            urn: "urn:ietf:params:scim:schemas:core:2.0:User".into(),
            json: format!(r#"{{"userName":"{name}"}}"#),
        }],
        unique: vec![name_key(name)],
        index: vec![IndexEntry { index: DISPLAY, value: name.into() }],
    }
}

/// A group.
pub fn team(number: u32) -> Record {
    let name = format!("team {number}");
    Record { at: Address::group(id(number)), unique: vec![], ..person(number, &name) }
}

/// A log entry of a moment.
pub fn entry_at(when: Timestamp) -> Entry {
    Entry {
        facts: Facts {
            when,
            who: Actor::Cli,
            connection: None,
            request: RequestId::from_bytes([7; 16]),
            action: Action::Create,
            subject: None,
            attributes: vec![],
            result: "ok".into(),
            notes: vec![],
            asked: vec![],
        },
        values: Values { salt: "00".into(), changes: vec![], asked: vec![] },
    }
}

/// An index entry of a display.
pub fn display(value: &[u8]) -> IndexEntry {
    IndexEntry { index: DISPLAY, value: value.into() }
}

/// The fact that a counter is below a number.
pub fn room(key: &[u8], max: u64) -> Given {
    Given::Room { space: SPACE, key: key.into(), max }
}

/// An empty unit with a log entry.
pub fn unit() -> Unit {
    Unit { given: vec![], writes: vec![], log: Some(entry_at(second(1000))) }
}

/// An empty unit without one.
pub fn unlogged() -> Unit {
    Unit { log: None, ..unit() }
}

/// A unit that puts a record.
pub fn put(record: &Record) -> Unit {
    unit().put(record)
}

impl Unit {
    /// Adds a fact.
    #[must_use]
    pub fn given(mut self, given: Given) -> Self {
        self.given.push(given);
        self
    }

    /// Adds a write.
    #[must_use]
    pub fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// Adds the put of a record.
    #[must_use]
    pub fn put(self, record: &Record) -> Self {
        self.write(Write::Put(Box::new(record.clone())))
    }

    /// Adds a deletion.
    #[must_use]
    pub fn delete(self, at: Address) -> Self {
        self.write(Write::Delete(at))
    }

    /// Gives a record other index entries.
    #[must_use]
    pub fn index(self, at: Address, index: Vec<IndexEntry>) -> Self {
        self.write(Write::Index { at, index })
    }

    /// Adds an edge.
    #[must_use]
    pub fn add(self, group: u32, member: Address) -> Self {
        self.write(Write::Edge { group: id(group), member, add: true })
    }

    /// Removes an edge.
    #[must_use]
    pub fn remove(self, group: u32, member: Address) -> Self {
        self.write(Write::Edge { group: id(group), member, add: false })
    }

    /// Adds a small value.
    #[must_use]
    pub fn small(self, key: &[u8], value: Option<&[u8]>) -> Self {
        self.write(Write::Small { space: SPACE, key: key.into(), value: value.map(Into::into) })
    }

    /// Adds to a counter.
    #[must_use]
    pub fn count(self, key: &[u8], by: i64) -> Self {
        self.write(Write::Add { space: SPACE, key: key.into(), by })
    }

    /// Adds the fact that a counter is below a number.
    #[must_use]
    pub fn room(self, key: &[u8], max: u64) -> Self {
        self.given(room(key, max))
    }

    /// Says what the entry is about.
    #[must_use]
    pub fn about(mut self, subject: Address) -> Self {
        self.log.as_mut().unwrap().facts.subject = Some(subject);
        self
    }

    /// Sets the moment.
    #[must_use]
    pub fn at(self, when: Timestamp) -> Self {
        Self { log: Some(entry_at(when)), ..self }
    }
}

/// Commits, and expects success.
#[track_caller]
pub fn ok(store: &dyn Store, unit: Unit) -> Seq {
    match store.commit(T, unit).unwrap() {
        Outcome::Committed { seq } => seq,
        Outcome::Lost(given) => panic!("expected a commit, lost {given:?}"),
    }
}

/// Commits, and expects a fact to be lost.
#[track_caller]
pub fn lost(store: &dyn Store, unit: Unit) -> Given {
    match store.commit(T, unit).unwrap() {
        Outcome::Committed { seq } => panic!("expected a lost fact, committed {seq:?}"),
        Outcome::Lost(given) => given,
    }
}

/// Takes a snapshot.
#[track_caller]
pub fn see(store: &dyn Store) -> Arc<dyn Snapshot> {
    store.snapshot().unwrap()
}

/// Reads a record of the usual tenant.
#[track_caller]
pub fn read(store: &dyn Store, at: Address) -> Option<Record> {
    see(store).get(T, at).unwrap().map(|stored| stored.to_record().unwrap())
}

/// Reads a record's version.
#[track_caller]
pub fn version(store: &dyn Store, at: Address) -> Option<Seq> {
    see(store).get(T, at).unwrap().map(|stored| stored.version())
}

/// Everything of a tenant that a snapshot shows of the numbered people, groups and names: to compare before and after.
pub fn everything(snapshot: &dyn Snapshot, tenant: TenantId) -> String {
    let mut seen = String::new();
    let mut note = |what: &dyn std::fmt::Debug| {
        writeln!(seen, "{what:?}").unwrap();
    };
    note(&snapshot.head(tenant).unwrap());
    note(&snapshot.changes(tenant, Seq::ZERO, 10_000).unwrap());
    note(&snapshot.small_range(tenant, SPACE, b"", None, 10_000).unwrap());
    for number in 0..10 {
        let mut back = snapshot.history_of(tenant, id(number), None, 10_000).unwrap();
        note(&back.iter().map(|row| row.seq).collect::<Vec<_>>());
        back.reverse();
        assert_eq!(snapshot.history_since(tenant, id(number), Seq::ZERO, 10_000).unwrap(), back);
    }
    for kind in [1, 2, 3].map(crate::ids::KindId) {
        note(&snapshot.count(tenant, kind).unwrap());
        for by in [1, 2].map(connection) {
            let owned = Owned { kind, by };
            let ids = snapshot.owned_ids(tenant, owned, None, 0, 10_000).unwrap();
            assert_eq!(snapshot.owned(tenant, owned).unwrap(), ids.len() as u64);
            let mut back = snapshot.owned_ids_back(tenant, owned, None, 10_000).unwrap();
            back.reverse();
            assert_eq!(back, ids);
            note(&ids);
        }
        note(&snapshot.touched_since(tenant, Quarter(0), None, 10_000).unwrap());
        for index in [0, 1, 2, 3, ORDER.0] {
            let range = IndexRange::all(kind, IndexId(index));
            let mut forward = snapshot.index_range(tenant, &range, 10_000).unwrap();
            note(&forward);
            let back = IndexRange { back: true, ..range.clone() };
            forward.reverse();
            assert_eq!(snapshot.index_range(tenant, &back, 10_000).unwrap(), forward);
            note(&snapshot.index_range(tenant, &IndexRange { skip: 2, ..range }, 3).unwrap());
            for row in forward.drain(..) {
                let entry = IndexEntry { index: IndexId(index), value: row.value };
                note(&snapshot.used_by(tenant, &entry).unwrap().unwrap());
            }
        }
        for id in snapshot.ids(tenant, kind, None, 0, 10_000).unwrap() {
            let at = Address { kind, id };
            assert!(snapshot.exists(tenant, at).unwrap());
            let stored = snapshot.get(tenant, at).unwrap().unwrap();
            let record = stored.to_record().unwrap();
            for key in &record.unique {
                assert_eq!(snapshot.by_unique(tenant, key).unwrap(), Some(at));
            }
            let owners: Vec<_> = (0..4).map(connection).collect();
            let owns = |by: &ConnectionId| snapshot.is_owned(tenant, Owned { kind, by: *by }, id).unwrap();
            let expected = |by: &ConnectionId| record.connection == Some(*by);
            assert!(owners.iter().all(|by| owns(by) == expected(by)));
            note(&(stored.version(), record, snapshot.groups_of(tenant, at, None, 10_000).unwrap()));
            note(&(
                snapshot.members(tenant, id, None, 10_000).unwrap(),
                snapshot.touched(tenant, id).unwrap(),
            ));
        }
    }
    seen
}
