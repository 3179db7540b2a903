//! What a connection says of a resource that no schema knows (S33): kept beside it for mapping and audit, never answered.
//!
//! One row for each resource and connection, changed in the unit of the request that said it. It is no part of the document: a request
//! that changes nothing else changes no version.

use serde_json::{Map, Value};

use super::commit::Plan;
use super::error::RosterError;
use super::rows::{self, SHADOWS};
use super::{Caller, Roster};
use crate::ids::{Address, ConnectionId};
use crate::scim::note::{Notes, Rule};
use crate::scim::secret::{has_word, plain};
use crate::store::{Change, Given, PAGE_ROWS_MAX, Snapshot, Write};

/// Most attributes that are kept of one resource.
pub const SHADOW_ATTRIBUTES_MAX: usize = 200;
/// Most bytes that they take as JSON, names included.
pub const SHADOW_BYTES_MAX: usize = 32 * 1024;
/// What the history calls a change of it. The names are a stranger's, so they stand among the values, which can be erased.
pub const SHADOW: &str = "shadow";

/// What a request means for what was kept before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// This is all there is: the rest is forgotten.
    Everything,
    /// This is new, and `null` takes away; the rest stays.
    ThisMuch,
}

impl Roster {
    /// Reads what the caller's connection said of a resource that no schema knows, by the name or path it was sent under.
    pub fn shadow(&self, caller: &Caller, at: Address) -> Result<Map<String, Value>, RosterError> {
        let row = self.store.snapshot()?.small(caller.tenant, SHADOWS, &key(at, caller.connection))?;
        row.map_or_else(|| Ok(Map::new()), |row| rows::decode(&row))
    }
}

/// Adds to a plan what becomes of the shadow; tells whether there is anything to write.
pub(super) fn remember(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    at: Address,
    sent: &Map<String, Value>,
    said: Said,
    plan: &mut Plan,
) -> Result<bool, RosterError> {
    if sent.is_empty() && said == Said::ThisMuch {
        return Ok(false);
    }
    let key = key(at, caller.connection);
    let row = snapshot.small(caller.tenant, SHADOWS, &key)?;
    let before: Map<String, Value> = row.as_deref().map_or_else(|| Ok(Map::new()), rows::decode)?;
    let mut after = if said == Said::Everything { Map::new() } else { before.clone() };
    for (name, value) in sent {
        let mut value = value.clone();
        if drops_secrets(name, &mut value) {
            plan.notes.turn_away();
            plan.notes.add(Rule::PasswordDropped);
        }
        if value.is_null() {
            after.shift_remove(name);
        } else {
            after.insert(name.clone(), value);
        }
    }
    bound(&mut after, &mut plan.notes);
    if after == before {
        return Ok(false);
    }
    plan.changes.push(difference(&before, &after));
    let value = if after.is_empty() { None } else { Some(rows::encode(&after)?) };
    plan.given.push(Given::Small(SHADOWS, key.clone(), row));
    plan.writes.push(Write::Small { space: SHADOWS, key, value });
    Ok(true)
}

/// Lays what a request says over what was kept before.
pub(super) fn lay_over(sent: &Map<String, Value>, after: &mut Map<String, Value>) {
    for (name, value) in sent {
        let mut value = value.clone();
        drops_secrets(name, &mut value);
        if value.is_null() {
            after.shift_remove(name);
        } else {
            after.insert(name.clone(), value);
        }
    }
    bound(after, &mut Notes::new());
}

/// Adds to a plan that everything kept of a resource goes with it, whoever said it.
pub(super) fn forget(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    at: Address,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    for row in snapshot.small_range(caller.tenant, SHADOWS, &prefix(at), None, PAGE_ROWS_MAX)? {
        plan.writes.push(Write::Small { space: SHADOWS, key: row.key, value: None });
    }
    Ok(())
}

/// Drops what is too much: a stranger decides how much is sent, not how much is kept.
fn bound(shadow: &mut Map<String, Value>, notes: &mut Notes) {
    let mut left = SHADOW_BYTES_MAX;
    let mut kept = 0_usize;
    let found = shadow.len();
    shadow.retain(|name, value| {
        let bytes = name.len().saturating_add(value.to_string().len());
        let fits = bytes <= left && kept < SHADOW_ATTRIBUTES_MAX;
        if fits {
            left = left.saturating_sub(bytes);
            kept = kept.saturating_add(1);
        }
        fits
    });
    if shadow.len() < found {
        notes.turn_away();
        notes.add(Rule::ShadowFull);
    }
}

/// Takes out what is called like a secret, at any depth (the reader of bodies has bounded that); tells whether there was any. The history
/// is not a place for passwords, whatever name they come under.
fn drops_secrets(name: &str, value: &mut Value) -> bool {
    let is_secret = has_word(&plain(name));
    if is_secret {
        *value = Value::Null;
        return true;
    }
    match value {
        Value::Object(parts) => {
            let before = parts.len();
            parts.retain(|name, _| !has_word(&plain(name)));
            let fewer = parts.len() < before;
            // Every part is looked at, whatever the one before held.
            parts.values_mut().filter_map(|part| drops_secrets("", part).then_some(())).count() > 0 || fewer
        }
        Value::Array(elements) => {
            elements.iter_mut().filter_map(|element| drops_secrets("", element).then_some(())).count() > 0
        }
        _ => false,
    }
}

fn difference(before: &Map<String, Value>, after: &Map<String, Value>) -> Change {
    let unlike = |one: &Map<String, Value>, other: &Map<String, Value>| -> Option<Value> {
        let differing = one.iter().filter(|(name, value)| other.get(*name) != Some(value));
        let differing: Map<String, Value> =
            differing.map(|(name, value)| (name.clone(), value.clone())).collect();
        (!differing.is_empty()).then_some(Value::Object(differing))
    };
    Change::of(SHADOW, unlike(before, after), unlike(after, before))
}

fn prefix(at: Address) -> Vec<u8> {
    let mut key = vec![at.kind.0];
    key.extend(at.id.as_bytes());
    key
}

pub(super) fn key(at: Address, connection: ConnectionId) -> Vec<u8> {
    let mut key = prefix(at);
    key.extend(connection.as_bytes());
    key
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Map, Value, json};

    use crate::chance::SeededChance;
    use crate::clock::FixedClock;
    use crate::ids::{Address, KindId};
    use crate::roster::{Caller, Edges, Precondition, Roster};
    use crate::scim::schema::Kind;
    use crate::store::memory::MemoryStore;
    use crate::store::{LogRow, Seq};

    struct World {
        roster: Roster,
        caller: Caller,
        kind: Arc<Kind>,
    }

    impl World {
        fn new() -> Self {
            let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
            let roster = Roster::new(Arc::new(MemoryStore::new()), clock, Arc::new(SeededChance::new(1)));
            roster.create_tenant("acme", roster.request_id()).unwrap();
            let caller = roster.operator("acme", roster.request_id()).unwrap();
            let kind = Arc::clone(roster.kinds().by_id(KindId::USER).unwrap());
            Self { roster, caller, kind }
        }

        fn create(&self, body: Value) -> Address {
            self.roster.create(&self.caller, &self.kind, body, Edges::NONE).unwrap().stored.at()
        }

        fn put(&self, at: Address, body: Value) -> Seq {
            let given = Precondition::None;
            self.roster.replace(&self.caller, &self.kind, at, &given, body, Edges::NONE).unwrap().version
        }

        fn patch(&self, at: Address, operations: Value) -> Seq {
            let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
            let given = Precondition::None;
            self.roster.patch(&self.caller, &self.kind, at, &given, body, Edges::NONE).unwrap().version
        }

        fn shadow(&self, at: Address) -> Map<String, Value> {
            self.roster.shadow(&self.caller, at).unwrap()
        }

        fn history(&self) -> Vec<LogRow> {
            let snapshot = self.roster.store().snapshot().unwrap();
            snapshot.changes(self.caller.tenant(), Seq::ZERO, 100).unwrap()
        }
    }

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { panic!("expected an object") };
        object
    }

    #[test]
    fn s33_what_no_schema_knows_is_kept_beside_the_resource_and_told_to_the_history() {
        let world = World::new();
        let at = world.create(json!({"userName": "ada", "badge": "77", "urn:x:1.0:User": {"floor": 3}}));

        assert_eq!(world.shadow(at), object(json!({"badge": "77", "urn:x:1.0:User": {"floor": 3}})));
        let last = world.history().pop().unwrap();
        assert!(String::from_utf8_lossy(&last.facts).contains("unknown-attribute"));
        assert!(!String::from_utf8_lossy(&last.facts).contains("badge"), "a stranger's words can be erased");
        assert!(String::from_utf8_lossy(&last.values).contains("badge"));
    }

    #[test]
    fn s33_a_put_says_everything_and_a_patch_says_this_much() {
        let world = World::new();
        let at = world.create(json!({"userName": "ada", "badge": "77"}));
        let before = world.put(at, json!({"userName": "ada", "badge": "77"}));
        let count = world.history().len();

        world.put(at, json!({"userName": "ada", "badge": "77"}));
        assert_eq!(world.history().len(), count, "nothing new is written");

        world.patch(at, json!([{"op": "add", "path": "desk", "value": "4b"}]));
        assert_eq!(world.shadow(at), object(json!({"badge": "77", "desk": "4b"})));
        let version = world.patch(at, json!([{"op": "remove", "path": "badge"}]));
        assert_eq!(world.shadow(at), object(json!({"desk": "4b"})));
        assert_eq!(version, before, "what is not shown changes no version");

        world.put(at, json!({"userName": "ada"}));
        assert!(world.shadow(at).is_empty());
    }

    #[test]
    fn s30_unknown_parts_of_a_value_are_kept_under_their_place() {
        let world = World::new();
        let at = world
            .create(json!({"userName": "ada", "emails": [{"value": "ada@acme.test", "verified": true}]}));
        assert_eq!(world.shadow(at), object(json!({"emails[0].verified": true})));
    }

    #[test]
    fn x25_what_is_called_like_a_secret_is_not_kept_under_any_name() {
        let world = World::new();
        let at = world.create(json!({
            "userName": "ada", "PassWord2": "hunter2", "roles": [{"value": "a", "password": "hunter2"}],
            "urn:x:1.0:User": {"floor": 3, "apiToken": "hunter2", "deep": [{"client_secret": "hunter2"}]},
        }));
        assert_eq!(world.shadow(at), object(json!({"urn:x:1.0:User": {"floor": 3, "deep": [{}]}})));
        for row in world.history() {
            let said = [row.facts, row.values].concat();
            assert!(!String::from_utf8_lossy(&said).contains("hunter2"));
        }
    }

    #[test]
    fn s33_what_is_kept_goes_with_the_resource() {
        let world = World::new();
        let at = world.create(json!({"userName": "ada", "badge": "77"}));
        world.roster.remove(&world.caller, &world.kind, at, &Precondition::None).unwrap();
        assert!(world.shadow(at).is_empty());
    }

    #[test]
    fn s33_what_a_stranger_says_is_kept_up_to_a_bound() {
        let world = World::new();
        let many: Map<String, Value> =
            (0..super::SHADOW_ATTRIBUTES_MAX + 50).map(|number| (format!("x{number}"), json!(1))).collect();
        let mut body = object(json!({"userName": "ada"}));
        body.extend(many);
        let at = world.create(Value::Object(body));
        assert_eq!(world.shadow(at).len(), super::SHADOW_ATTRIBUTES_MAX);

        let large = "x".repeat(super::SHADOW_BYTES_MAX);
        let at = world.create(json!({"userName": "bob", "large": large, "small": "s"}));
        assert_eq!(world.shadow(at), object(json!({"small": "s"})));
        assert!(String::from_utf8_lossy(&world.history().pop().unwrap().facts).contains("shadow-full"));
    }
}
