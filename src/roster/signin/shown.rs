//! What a program downstream is shown of somebody who is signed in: what its operator has listed, from the roster's own state, and never money.
//!
//! The gate is asked at every request, and what is shown is read from the state that it saw. What both came to is remembered for as long as all that they
//! stood on is in the store as it was: the tenant's history stands where it stood (no lock, no rename, nothing since), the session's row is the same to the byte, the person's epoch and
//! the session's are equal, nobody's time has come. That is looked up at every request; whatever differs, everything is read anew.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::edges::groups_with;
use super::super::error::RosterError;
use super::super::rights::facts_with;
use super::super::rows::{self, SESSIONS, SessionRow};
use super::super::{Caller, Roster, people, person};
use super::acting::Acting;
use super::gate::{Dead, Live, epoch};
use super::session::{SessionKey, SessionView, is_in_time, is_unseen};
use crate::ids::{Address, ResourceId, TenantId};
use crate::psa::catalogue::{Level, PersonKind};
use crate::psa::permission::{Effective, Facts};
use crate::psa::policy::Policy;
use crate::store::{Seq, Snapshot, Stored};

/// Most groups that are shown of one person. Who is in more has none shown, and it is said that they were left out: a part of them would be worse.
pub const GROUPS_SHOWN_MAX: usize = 200;
/// Most bytes of all that is shown: it travels in a header field with every request, and servers take some eight thousand.
pub const SHOWN_BYTES_MAX: usize = 4096;
/// Most people whose claims are held ready.
const REMEMBERED_MAX: usize = 10_000;

/// Something that a program may be shown of a person. There is none for money, and none can be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// The primary address.
    Email,
    /// What the person is called.
    Name,
    /// The login.
    UserName,
    /// Employee, freelancer or client.
    Kind,
    /// The names of the groups that they are a direct member of.
    Groups,
    /// The roles of the user types that they have everywhere.
    Roles,
    /// Their user types, with the cost centre of those that are limited to one.
    UserTypes,
    /// The class of their licence.
    License,
    /// For whom they act, and what they may do for them (P07).
    ActingFor,
}

/// What a program is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Showing {
    /// The program's name.
    pub app: Arc<str>,
    /// Whose people.
    pub tenant: String,
    /// What it sees of them.
    pub claims: BTreeSet<Claim>,
    /// Which permissions it sees: keys, or beginnings of keys with a star behind.
    pub permissions: Vec<String>,
    /// The permission without which nobody gets in.
    pub requires: Option<String>,
}

impl Showing {
    fn shows_permission(&self, key: &str) -> bool {
        self.permissions.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => key.starts_with(prefix),
            None => key == pattern,
        })
    }
}

/// What a program is shown of one person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// What the person is called, where the program sees it.
    pub name: Option<String>,
    /// Their address, where the program sees it.
    pub email: Option<String>,
    /// Their groups, where the program sees them.
    pub groups: Vec<String>,
    /// All of it, by the names of the claims.
    pub claims: Map<String, Value>,
}

/// Somebody who comes to a program with a session that is good.
#[derive(Debug, Clone)]
pub struct AppVisit {
    /// Whose tenant it is.
    pub tenant: TenantId,
    /// Who it is.
    pub person: ResourceId,
    /// The session.
    pub session: Arc<SessionView>,
    /// What the program is shown of them.
    pub shown: Arc<Shown>,
    /// Whether the session's last use is so long ago that this one should be written down.
    pub unseen: bool,
}

/// Why somebody does not get in to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotShown {
    /// Nobody is signed in.
    #[error(transparent)]
    Dead(#[from] Dead),
    /// Somebody of another tenant is.
    #[error("the program is another tenant's")]
    OtherTenant,
    /// The person does not have the permission that the program requires.
    #[error("the person does not have the permission that the program requires")]
    NotPermitted,
}

impl NotShown {
    /// Names the reason for whoever is signed in; `None` where nobody is.
    pub const fn code(self) -> Option<&'static str> {
        match self {
            Self::Dead(_) => None,
            Self::OtherTenant => Some("other-tenant"),
            Self::NotPermitted => Some("not-permitted"),
        }
    }
}

/// What the gate and the gathering came to, with all that they stood on. Nothing shown: the person does not have the permission that the program requires.
#[derive(Debug)]
struct Kept {
    seq: Seq,
    policy: Arc<Policy>,
    showing: Arc<Showing>,
    /// The session's row as it lay in the store, and as it was read.
    bytes: Vec<u8>,
    row: SessionRow,
    /// When the person's schedule has to be looked at.
    due: Option<Timestamp>,
    session: Arc<SessionView>,
    shown: Option<Arc<Shown>>,
}

impl Kept {
    fn visit(&self, tenant: TenantId, now: Timestamp) -> Result<AppVisit, NotShown> {
        let Some(shown) = &self.shown else { return Err(NotShown::NotPermitted) };
        let (person, session) = (self.row.person, Arc::clone(&self.session));
        Ok(AppVisit { tenant, person, session, shown: Arc::clone(shown), unseen: is_unseen(&self.row, now) })
    }
}

/// What was gathered, by session and program.
#[derive(Debug, Default)]
pub(in crate::roster) struct Remembered(Mutex<HashMap<Place, Arc<Kept>>>);

/// A session, and the name of a program.
type Place = (SessionKey, Arc<str>);

impl Roster {
    /// Looks whether a session is good, and what a program is shown of the person: both from one state of the store.
    ///
    /// # Errors
    /// A store that cannot be read: then nobody is let in.
    pub fn look_at_visit(
        &self,
        key: &SessionKey,
        showing: &Arc<Showing>,
        is_open: &dyn Fn(&str) -> bool,
    ) -> Result<Result<AppVisit, NotShown>, RosterError> {
        let snapshot = self.store.snapshot()?;
        let snapshot = snapshot.as_ref();
        let Some(tenant) = self.name_of_tenant(snapshot, key.tenant)? else {
            return Ok(Err(Dead::Unknown.into()));
        };
        let (policy, now) = (self.policy_of(&tenant), self.now());
        let seq = snapshot.head(key.tenant)?.seq;
        let place = (*key, Arc::clone(&showing.app));
        let known = self.shown.0.lock().unwrap_or_else(PoisonError::into_inner).get(&place).map(Arc::clone);
        let same = |kept: &Arc<Kept>| {
            kept.seq == seq && Arc::ptr_eq(&kept.policy, &policy) && Arc::ptr_eq(&kept.showing, showing)
        };
        if let Some(kept) = known.filter(same)
            && still_holds(snapshot, key, &kept, is_open, now)?
        {
            return Ok(kept.visit(key.tenant, now));
        }
        let (live, stored) = match self.look(snapshot, key, policy.sessions, is_open)? {
            Ok(good) => good,
            Err(dead) => return Ok(Err(dead.into())),
        };
        // After the gate: who shows a dead session learns nothing of tenants.
        if *tenant != *showing.tenant {
            return Ok(Err(NotShown::OtherTenant));
        }
        let caller = self.of_itself(&tenant, key.tenant, self.request_id())?;
        let acting = match live.session.acting_for {
            Some(principal) if showing.claims.contains(&Claim::ActingFor) => {
                self.acts_for(snapshot, &caller, (live.person, principal))?
            }
            _ => None,
        };
        let shown = self.gather(snapshot, &caller, (&live, &stored, acting.as_ref()), showing)?.map(Arc::new);
        let Some(bytes) = snapshot.small(key.tenant, SESSIONS, &key.hash)? else {
            return Ok(Err(Dead::Unknown.into()));
        };
        let row: SessionRow = rows::decode(&bytes)?;
        // A period may begin tomorrow, of which nothing here says when to look.
        let is_settled = acting.is_some() || live.session.acting_for.is_none();
        let due = person::standing(&stored, live.document.is_active())?.due;
        let due = due.into_iter().chain(acting.map(|acting| acting.due)).min();
        let (session, showing) = (Arc::new(live.session), Arc::clone(showing));
        let kept = Arc::new(Kept { seq, policy, showing, bytes, row, due, session, shown });
        if !is_settled {
            return Ok(kept.visit(key.tenant, now));
        }
        let mut known = self.shown.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(place, Arc::clone(&kept));
        drop(known);
        Ok(kept.visit(key.tenant, now))
    }

    /// Gathers what a program is shown; `None` of whom it does not let in.
    fn gather(
        &self,
        snapshot: &dyn Snapshot,
        caller: &Caller,
        (live, stored, acting): (&Live, &Stored, Option<&Acting>),
        showing: &Showing,
    ) -> Result<Option<Shown>, RosterError> {
        let wants = |claim| showing.claims.contains(&claim);
        let mut shown = Shown::default();
        let mut claims = Map::new();
        let mut omitted: Vec<&'static str> = Vec::new();
        if showing.requires.is_some() || !showing.permissions.is_empty() {
            let Some(rights) = self.rights_at(snapshot, caller, live.person)? else { return Ok(None) };
            let effective = rights.effective;
            let lacks = |key: &String| {
                let theirs = acting.map_or(Level::None, |acting| acting.effective.anywhere(key));
                effective.anywhere(key).max(theirs) == Level::None
            };
            if showing.requires.as_ref().is_some_and(lacks) {
                return Ok(None);
            }
            if !showing.permissions.is_empty() {
                claims.insert("permissions".to_owned(), permissions(&effective, showing).into());
            }
        }
        if wants(Claim::Email) {
            shown.email = people::email(&live.document);
            claims.extend(shown.email.as_ref().map(|email| ("email".to_owned(), email.as_str().into())));
        }
        if wants(Claim::Name) {
            shown.name = people::name(&live.document);
            claims.extend(shown.name.as_ref().map(|name| ("name".to_owned(), name.as_str().into())));
        }
        if wants(Claim::UserName) {
            let login = live.document.user_name();
            claims.extend(login.map(|login| ("preferred_username".to_owned(), login.into())));
        }
        if wants(Claim::Groups) {
            let ids = groups_with(snapshot, caller, stored.at())?;
            if ids.len() > GROUPS_SHOWN_MAX {
                omitted.push("groups");
            } else {
                for id in ids {
                    let group = snapshot.get(caller.tenant, Address::group(id))?;
                    shown.groups.extend(group.map(|group| group.display().to_owned()));
                }
                claims.insert("groups".to_owned(), shown.groups.clone().into());
            }
        }
        if [Claim::Kind, Claim::Roles, Claim::UserTypes, Claim::License].into_iter().any(wants) {
            let facts = facts_with(snapshot, caller, stored.at(), &person::attributes(stored)?)?;
            firms_own(&facts, showing, &mut claims);
        }
        claims.extend(acting.map(|acting| ("acting_for".to_owned(), acting_for(acting, showing))));
        fit(&mut claims, &mut omitted);
        if omitted.contains(&"groups") {
            shown.groups.clear();
        }
        shown.claims = claims;
        Ok(Some(shown))
    }
}

/// Tells whether all that was remembered stands as it stood: asked of the store, at every use.
fn still_holds(
    snapshot: &dyn Snapshot,
    key: &SessionKey,
    kept: &Kept,
    is_open: &dyn Fn(&str) -> bool,
    now: Timestamp,
) -> Result<bool, RosterError> {
    let row = &kept.row;
    Ok(snapshot.small(key.tenant, SESSIONS, &key.hash)?.as_deref() == Some(&kept.bytes)
        && epoch(snapshot, key.tenant, row.person)? == row.epoch
        && row.provider.as_deref().is_none_or(is_open)
        && is_in_time(row, kept.policy.sessions, now).is_ok()
        && kept.due.is_none_or(|due| due > now))
}

/// What follows from the firm's own side.
fn firms_own(facts: &Facts, showing: &Showing, claims: &mut Map<String, Value>) {
    let wants = |claim| showing.claims.contains(&claim);
    if wants(Claim::Kind) {
        let kind = match facts.kind {
            PersonKind::Employee => "employee",
            PersonKind::Freelancer => "freelancer",
            PersonKind::Client => "client",
        };
        claims.insert("kind".to_owned(), kind.into());
    }
    if wants(Claim::License) {
        claims.extend(facts.class.as_ref().map(|class| ("license".to_owned(), class.as_str().into())));
    }
    let all = || facts.user_types.iter().chain(facts.groups.iter().flat_map(|group| &group.user_types));
    if wants(Claim::Roles) {
        // A role that is good at one cost centre only would be taken for one that is good everywhere.
        let everywhere = all().filter(|held| held.cost_center.is_none());
        let roles: BTreeSet<&str> = everywhere.filter_map(|held| held.role.as_deref()).collect();
        claims.insert("roles".to_owned(), roles.into_iter().collect());
    }
    if wants(Claim::UserTypes) {
        let told = all().map(|held| {
            let place = held.cost_center.map(|id| ("cost_center".to_owned(), id.to_string().into()));
            let told =
                [("name".to_owned(), held.name.as_str().into()), ("primary".to_owned(), held.primary.into())];
            Value::Object(told.into_iter().chain(place).collect())
        });
        claims.insert("user_types".to_owned(), told.collect());
    }
}

/// Tells of somebody for whom another acts: who, and what is handed over of what the program is told of at all. The rest of them is theirs alone.
fn acting_for(acting: &Acting, showing: &Showing) -> Value {
    let mut told = Map::new();
    told.insert("sub".to_owned(), acting.principal.id.to_string().into());
    let mut tell = |claim, name: &str, value: Option<String>| {
        if showing.claims.contains(&claim) {
            told.extend(value.map(|value| (name.to_owned(), value.into())));
        }
    };
    tell(Claim::Name, "name", acting.principal.name.clone());
    tell(Claim::Email, "email", people::email(&acting.document));
    if !showing.permissions.is_empty() {
        told.insert("permissions".to_owned(), permissions(&acting.effective, showing).into());
    }
    told.into()
}

/// Writes permissions: the level, or where it is not the same at all cost centres the level beside them and that at each where it is another.
fn permissions(effective: &Effective, showing: &Showing) -> Map<String, Value> {
    let catalogue = effective.catalogue();
    let shown = effective.iter().filter(|(key, _, _)| showing.shows_permission(key));
    let told = shown.map(|(key, beside, _)| {
        let id = catalogue.find(key);
        let level = |node| id.map_or(beside, |id| effective.level_at(id, Some(node)));
        let others: Map<String, Value> = effective
            .tree()
            .iter()
            .map(|(node, place)| (place, level(node)))
            .filter(|(_, level)| *level != beside)
            .map(|(place, level)| (place.to_string(), level.name().into()))
            .collect();
        let told = if others.is_empty() {
            beside.name().into()
        } else {
            json!({ "level": beside.name(), "cost_centers": others })
        };
        (key.to_owned(), told)
    });
    told.collect()
}

/// Leaves out what is too long, the longest list first, and says so: no list is ever shown in part.
fn fit(claims: &mut Map<String, Value>, omitted: &mut Vec<&'static str>) {
    const LISTS: [&str; 5] = ["permissions", "groups", "user_types", "roles", "acting_for"];
    const TEXTS: [&str; 5] = ["name", "preferred_username", "email", "license", "kind"];
    let bytes =
        |claims: &Map<String, Value>| serde_json::to_string(claims).map_or(usize::MAX, |text| text.len());
    while bytes(claims) > SHOWN_BYTES_MAX {
        let length = |name: &&str| claims.get(*name).map_or(0, |value| value.to_string().len());
        let longest =
            LISTS.into_iter().chain(TEXTS).filter(|name| claims.contains_key(*name)).max_by_key(length);
        let Some(longest) = longest else { break };
        claims.remove(longest);
        omitted.push(longest);
    }
    if !omitted.is_empty() {
        claims.insert("omitted".to_owned(), omitted.iter().copied().collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_left_out_as_a_whole_and_that_is_said() {
        let groups: Vec<String> =
            (0..150).map(|number| format!("group {number} {}", "x".repeat(30))).collect();
        let mut claims = Map::from_iter([
            ("groups".to_owned(), Value::from(groups)),
            ("permissions".to_owned(), json!({ "time.edit": "own" })),
            ("email".to_owned(), json!("ada@example.com")),
        ]);
        let mut omitted = vec![];
        fit(&mut claims, &mut omitted);
        let told = Value::Object(claims);
        assert_eq!(told["omitted"], json!(["groups"]));
        assert!(told.get("groups").is_none() && told["permissions"]["time.edit"] == "own");
        assert!(told.to_string().len() <= SHOWN_BYTES_MAX);
    }

    #[test]
    fn a_pattern_of_permissions_is_a_key_or_a_beginning() {
        let showing = |patterns: &[&str]| Showing {
            app: "psa".into(),
            tenant: "main".to_owned(),
            claims: BTreeSet::new(),
            permissions: patterns.iter().map(|one| (*one).to_owned()).collect(),
            requires: None,
        };
        assert!(showing(&["time.*"]).shows_permission("time.edit"));
        assert!(showing(&["*"]).shows_permission("time.edit"));
        assert!(!showing(&["time.edit"]).shows_permission("time.editor"));
        assert!(!showing(&[]).shows_permission("time.edit"));
    }
}
