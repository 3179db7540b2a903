//! From a row of the history to what others are told of it: an event. Pure: the same row always makes the same event, with the same id.
//!
//! An event is a change of a resource that was carried out. What is no event: refusals; tenants, connections, tokens, clients, schemas and
//! other administration (they have no resource for subject); changes of what is only kept beside a resource.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{ConnectionId, KindId, RequestId, ResourceId, TenantId};
use crate::roster::{SHADOW, hex, is_money};
use crate::scim::note::Rule;
use crate::scim::schema::Kinds;
use crate::store::{Action, Actor, Change, Facts, LogRow, Values};

/// Largest change whose values are told, in bytes of JSON; of a larger one only the name is. A group's members can be a hundred thousand.
pub const CHANGE_BYTES_MAX: usize = 64 * 1024;
/// Most bytes that the values of one event take together.
pub const CHANGES_BYTES_MAX: usize = 256 * 1024;

/// People who have left keep their id under a kind of their own; to others they are users still.
const DEPARTED: KindId = KindId(9);

/// What happened to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// It came to be.
    Created,
    /// It was changed in another way than these.
    Updated,
    /// Its `active` became false.
    Locked,
    /// Its `active` became true.
    Unlocked,
    /// Somebody inactive was brought back by a request that would have made them anew.
    Restored,
    /// It was removed.
    Deleted,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 6] =
        [Self::Created, Self::Updated, Self::Locked, Self::Unlocked, Self::Restored, Self::Deleted];

    /// Returns the word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Locked => "locked",
            Self::Unlocked => "unlocked",
            Self::Restored => "restored",
            Self::Deleted => "deleted",
        }
    }
}

/// Which change of which kind it was: `user.created`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// The kind's name, its first letter small.
    pub kind: String,
    /// What happened.
    pub verb: Verb,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind, self.verb.as_str())
    }
}

impl Serialize for Type {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// A change of a resource, as others are told of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Its id: the same whenever and however often it is told.
    pub id: String,
    /// Its number in the tenant's history. Grows; not every number is an event.
    pub seq: u64,
    /// When the change was made.
    pub time: Timestamp,
    /// What happened.
    #[serde(rename = "type")]
    pub what: Type,
    /// To which resource.
    pub resource: Subject,
    /// Who did it.
    pub actor: Who,
    /// Through which connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// On which request.
    pub request: RequestId,
    /// What changed.
    pub changes: Vec<Told>,
}

/// The resource that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// The name of its kind.
    pub kind: String,
    /// Which one.
    pub id: ResourceId,
    /// Where it is.
    #[serde(rename = "$ref", skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// Who made a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    /// What they are: `token`, `client`, `cli`, `system`.
    #[serde(rename = "type")]
    pub what: &'static str,
    /// Which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// One attribute's change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// The attribute, with its schema's URN in front when an extension defines it.
    pub attribute: String,
    /// What stood there. Of `members`: who was taken out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// What stands there now. Of `members`: who was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
    /// Whether the values are left out because there is too much of them: the resource itself has them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub omitted: bool,
}

/// Whether a reader is told of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Money {
    /// With names and values.
    Shown,
    /// Not at all.
    Hidden,
}

/// What it takes to make an event of a row.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// Whose history it is.
    pub tenant: TenantId,
    /// Which kinds there are.
    pub kinds: &'a Kinds,
    /// Where they are served.
    pub base_url: &'a str,
    /// Whether money is shown.
    pub money: Money,
}

/// Why a row could not be read: the store is damaged, or another version wrote it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("entry {seq} of the history cannot be read: {why}")]
pub struct Unreadable {
    seq: u64,
    why: String,
}

impl Reading<'_> {
    /// Makes an event of a row; `None` where there is nothing to tell this reader.
    pub fn event(&self, row: &LogRow) -> Result<Option<Event>, Unreadable> {
        let unreadable = |error: serde_json::Error| Unreadable { seq: row.seq.0, why: error.to_string() };
        let facts: Facts = serde_json::from_slice(&row.facts).map_err(unreadable)?;
        let Some(at) = facts.subject.filter(|_| facts.result == "ok" && facts.action != Action::Refuse)
        else {
            return Ok(None);
        };
        let changes = match row.values.as_slice() {
            // Erased on a lawful demand: the names are left.
            [] => Recorded::Names(facts.attributes),
            values => Recorded::Values(serde_json::from_slice::<Values>(values).map_err(unreadable)?.changes),
        };
        let verb = verb(facts.action, &changes);
        let Some(changes) = self.told(verb, changes) else { return Ok(None) };
        let kind = self.kinds.by_id(if at.kind == DEPARTED { KindId::USER } else { at.kind });
        let name = kind.map_or("Resource", |kind| kind.name.as_ref());
        Ok(Some(Event {
            id: id(self.tenant, row),
            seq: row.seq.0,
            time: facts.when,
            what: Type { kind: lower_first(name), verb },
            resource: Subject {
                kind: name.to_owned(),
                id: at.id,
                location: kind.map(|kind| format!("{}{}/{}", self.base_url, kind.endpoint, at.id)),
            },
            actor: who(facts.who),
            connection: facts.connection,
            request: facts.request,
            changes,
        }))
    }

    /// Says what this reader is told of the changes; `None` where nothing happened for it.
    fn told(&self, verb: Verb, changes: Recorded) -> Option<Vec<Told>> {
        let mut room = CHANGES_BYTES_MAX;
        let (mut told, mut untold, mut unseen) = (Vec::new(), 0_usize, 0_usize);
        let changes: Vec<(Change, bool)> = match changes {
            Recorded::Names(names) => {
                names.into_iter().map(|name| (Change::of(name, None, None), true)).collect()
            }
            Recorded::Values(changes) => changes.into_iter().map(|change| (change, false)).collect(),
        };
        let none = changes.is_empty();
        for (change, erased) in changes {
            let money = change.money || is_money(&change.attribute);
            if is_internal(&change.attribute) || (money && self.money == Money::Hidden) {
                unseen = unseen.saturating_add(1);
            } else if (change.old.is_none() && change.new.is_none() && !erased)
                || crate::scim::secret::has_word(&crate::scim::secret::plain(&change.attribute))
            {
                // A secret: that something happened may be known, and no more.
                untold = untold.saturating_add(1);
            } else {
                told.push(fitting(change, &mut room));
            }
        }
        let something = !told.is_empty() || untold > 0 || (none && unseen == 0);
        (something || matches!(verb, Verb::Created | Verb::Deleted | Verb::Restored)).then_some(told)
    }
}

/// What a row has of its changes.
enum Recorded {
    Values(Vec<Change>),
    Names(Vec<String>),
}

/// Names the change for ever. The history's own link is in it, so that two installations never give the same id, nor one before and after it was
/// put back to a backup.
fn id(tenant: TenantId, row: &LogRow) -> String {
    let link = row.link.0.first_chunk::<8>().map(|some| hex(some)).unwrap_or_default();
    format!("evt_{}_{}_{link}", tenant.number(), row.seq.0)
}

/// An action that is not known here is told as an update: no change of a resource goes untold.
fn verb(action: Action, changes: &Recorded) -> Verb {
    match action {
        Action::Create | Action::AdminCreate => Verb::Created,
        Action::Delete => Verb::Deleted,
        Action::Reclaim => Verb::Restored,
        _ => {
            let Recorded::Values(changes) = changes else { return Verb::Updated };
            let active = changes.iter().find(|change| change.attribute == "active");
            match active.and_then(|change| change.new.as_ref()).and_then(Value::as_bool) {
                Some(true) => Verb::Unlocked,
                Some(false) => Verb::Locked,
                None => Verb::Updated,
            }
        }
    }
}

/// Tells whether a change is none of the resource: what no schema knows, and members whom nobody knows.
fn is_internal(attribute: &str) -> bool {
    attribute == SHADOW || attribute == Rule::UnknownMembersLeftOut.as_str()
}

fn fitting(change: Change, room: &mut usize) -> Told {
    let length = |value: &Option<Value>| {
        value.as_ref().and_then(|value| serde_json::to_string(value).ok()).map_or(0, |text| text.len())
    };
    let bytes = length(&change.old).saturating_add(length(&change.new));
    let omitted = bytes > CHANGE_BYTES_MAX.min(*room);
    let Change { attribute, old, new, .. } = change;
    if omitted {
        return Told { attribute, old: None, new: None, omitted };
    }
    *room = room.saturating_sub(bytes);
    Told { attribute, old, new, omitted }
}

fn who(actor: Actor) -> Who {
    match actor {
        Actor::Token(id) | Actor::Bound { token: id, .. } => Who { what: "token", id: Some(id.to_string()) },
        Actor::Person(id) => Who { what: "user", id: Some(id.to_string()) },
        Actor::Client(id) => Who { what: "client", id: Some(id.to_string()) },
        Actor::Cli => Who { what: "cli", id: None },
        Actor::System => Who { what: "system", id: None },
    }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ids::Address;
    use crate::store::{Entry, Link, Seq};

    fn row(action: Action, subject: Option<Address>, changes: Vec<Change>) -> LogRow {
        let facts = Facts {
            when: "2026-01-02T03:04:05Z".parse().unwrap(),
            who: Actor::Cli,
            connection: None,
            request: RequestId::from_bytes([7; 16]),
            action,
            subject,
            attributes: changes.iter().map(|change| change.attribute.clone()).collect(),
            result: "ok".to_owned(),
            notes: vec![],
            asked: vec![],
        };
        let entry = Entry { facts, values: Values { salt: "00".to_owned(), changes, asked: vec![] } };
        LogRow::chain(Link::default(), Seq(42), &entry).unwrap()
    }

    fn ada() -> Address {
        Address::user(ResourceId::from_bytes([1; 16]))
    }

    fn read(row: &LogRow, money: Money) -> Option<Event> {
        let kinds = Kinds::standard();
        let reading =
            Reading { tenant: TenantId::new(3), kinds: &kinds, base_url: "https://r.test/scim/v2", money };
        reading.event(row).unwrap()
    }

    fn rates(new: u32) -> Change {
        let name = "urn:rosterd:scim:schemas:extension:psa:1.0:User:costRates";
        Change { money: true, ..Change::of(name, Some(json!([1])), Some(json!([new]))) }
    }

    #[test]
    fn an_event_says_what_happened_to_whom_and_by_whom() {
        let changes = vec![Change::of("title", Some("clerk".into()), Some("chief".into()))];
        let row = row(Action::Patch, Some(ada()), changes);
        let event = read(&row, Money::Hidden).unwrap();
        assert!(event.id.starts_with("evt_3_42_"), "{}", event.id);
        let mut shown = serde_json::to_value(&event).unwrap();
        shown.as_object_mut().unwrap().remove("id");
        let expected = json!({
            "seq": 42, "time": "2026-01-02T03:04:05Z", "type": "user.updated",
            "resource": {
                "kind": "User", "id": "01010101-0101-0101-0101-010101010101",
                "$ref": "https://r.test/scim/v2/Users/01010101-0101-0101-0101-010101010101"
            },
            "actor": { "type": "cli" },
            "request": "07070707-0707-0707-0707-070707070707",
            "changes": [{ "attribute": "title", "old": "clerk", "new": "chief" }]
        });
        assert_eq!(shown, expected);
        assert_eq!(read(&row, Money::Hidden).unwrap().id, event.id, "the same row, the same id");
    }

    #[test]
    fn the_type_follows_from_the_action_and_from_active() {
        let active = |new: bool| vec![Change::of("active", Some((!new).into()), Some(new.into()))];
        for (action, changes, expected) in [
            (Action::Create, active(true), "user.created"),
            (Action::AdminCreate, active(true), "user.created"),
            (Action::Patch, active(false), "user.locked"),
            (Action::Replace, active(true), "user.unlocked"),
            (Action::Replace, vec![], "user.updated"),
            (Action::Reclaim, active(true), "user.restored"),
            (Action::Delete, vec![], "user.deleted"),
        ] {
            let event = read(&row(action, Some(ada()), changes), Money::Hidden).unwrap();
            assert_eq!(event.what.to_string(), expected);
        }
        let departed = Some(Address { kind: DEPARTED, id: ResourceId::from_bytes([1; 16]) });
        let event = read(&row(Action::Patch, departed, vec![]), Money::Hidden).unwrap();
        assert_eq!(event.what.to_string(), "user.updated");
    }

    #[test]
    fn refusals_administration_and_what_is_kept_beside_are_no_events() {
        assert_eq!(read(&row(Action::TokenCreate, None, vec![]), Money::Shown), None);
        assert_eq!(read(&row(Action::Refuse, Some(ada()), vec![]), Money::Shown), None);
        let shadow = vec![Change::of(SHADOW, None, Some(json!({ "badge": 1 })))];
        assert_eq!(read(&row(Action::Patch, Some(ada()), shadow), Money::Shown), None);
    }

    // Row X53 gives the place; the rule is that of money.
    #[test]
    fn h13_a_rate_is_told_with_old_and_new_to_those_who_may_know_and_not_at_all_to_others() {
        let only_money = row(Action::Patch, Some(ada()), vec![rates(2)]);
        let event = read(&only_money, Money::Shown).unwrap();
        assert_eq!((&event.changes[0].old, &event.changes[0].new), (&Some(json!([1])), &Some(json!([2]))));
        assert_eq!(read(&only_money, Money::Hidden), None);

        let both =
            row(Action::Patch, Some(ada()), vec![rates(2), Change::of("title", None, Some("x".into()))]);
        let text = serde_json::to_string(&read(&both, Money::Hidden).unwrap()).unwrap();
        assert!(text.contains("title") && !text.to_lowercase().contains("rate"), "{text}");
        let erased = LogRow { values: vec![], ..both };
        let text = serde_json::to_string(&read(&erased, Money::Hidden).unwrap()).unwrap();
        assert!(text.contains("title") && !text.to_lowercase().contains("rate"), "{text}");
    }

    #[test]
    fn secrets_are_told_by_neither_value_nor_name() {
        let changes = vec![Change::of("password", None, None)];
        let mut row = row(Action::Patch, Some(ada()), changes);
        assert_eq!(read(&row, Money::Shown).unwrap().changes, []);
        row.values.clear();
        assert_eq!(read(&row, Money::Shown).unwrap().changes, []);
    }

    #[test]
    fn what_is_too_large_is_named_and_left_out() {
        let many: Value = (0..10_000).map(|n| format!("member-{n}")).collect();
        let row = row(Action::Patch, Some(ada()), vec![Change::of("members", None, Some(many))]);
        let event = read(&row, Money::Hidden).unwrap();
        assert!(event.changes[0].omitted && event.changes[0].new.is_none());
        assert!(serde_json::to_vec(&event).unwrap().len() < 1000);
    }
}
