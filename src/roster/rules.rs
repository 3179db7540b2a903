//! What is written of a document: its record, and what the rules of its kind add.
//!
//! Every use case that writes a document comes through [`put`]: it is where the rules stand that hold whoever writes and however.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::asked::{self, Answered, Errand};
use super::commit::Plan;
use super::create::changes;
use super::error::RosterError;
use super::rows::SEATS;
use super::{Caller, LOCAL, Roster, person, power, references, remaining, rights, signin};
use crate::ids::{Address, KindId, ResourceId};
use crate::psa::kinds::{self, PARENT, PARENTS_MAX, Pool};
use crate::psa::locks::Authority;
use crate::scim::schema::Kind;
use crate::scim::{Document, Refusal, Why};
use crate::store::{Change, Given, Snapshot, Stored, Write};

/// What the rules of a kind add to a document that is written.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// The facts they stand on.
    pub given: Vec<Given>,
    /// What else is written.
    pub writes: Vec<Write>,
    /// What the history says of it.
    pub changes: Vec<Change>,
    /// Segments that the rules have written, in place of whatever stood there; `None` where there is to be none.
    pub segments: Vec<(String, Option<String>)>,
    /// What the history says beside.
    pub remarks: Vec<String>,
    /// What plugins were asked, and said.
    pub asked: Answered,
    /// What the request itself said before plugins: the PSA attributes, and the document where they set something of it.
    pub said: Option<(Map<String, Value>, Option<Document>)>,
}

/// A document as it is stored.
#[derive(Clone, Copy)]
pub(super) struct Before<'a> {
    /// The record.
    pub stored: &'a Stored,
    /// Its document, as far as the caller sees it.
    pub kept: &'a Document,
}

/// A document that is to be written.
pub(super) struct Draft<'a> {
    /// Its kind, as the caller sees it.
    pub kind: &'a Kind,
    /// Where it lives.
    pub at: Address,
    /// What is to stand there.
    pub wanted: Document,
    /// What stands there; `None` for what is new.
    pub before: Option<Before<'a>>,
    /// Whether it is written also where nothing differs.
    pub anew: bool,
    /// What the request does, and says beside the document.
    pub errand: Errand<'a>,
}

/// What a write wants of where a person stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act<'a> {
    /// What `active` says, in the name of whoever writes.
    Said,
    /// Somebody who had departed comes back, as the document says.
    Return,
    /// An authority locks, and says why.
    Lock(Authority, Option<&'a str>),
    /// An authority lets go of its lock.
    Unlock(Authority),
    /// They were invited then.
    Invited(Timestamp),
    /// They signed in then.
    Came(Timestamp),
    /// Nothing: time has passed.
    Look,
    /// Nothing: plugins are asked again.
    Map,
}

/// Adds to a plan what it takes to write a document: the record in front of everything else, what the kind's rules add, and what the history
/// says. Returns whether there was anything to write.
pub(super) fn put(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    draft: Draft<'_>,
    plan: &mut Plan,
) -> Result<bool, RosterError> {
    put_as(snapshot, caller, draft, Act::Said, plan)
}

/// The same for who wants something of a person's standing that no document says.
pub(super) fn put_as(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    mut draft: Draft<'_>,
    act: Act<'_>,
    plan: &mut Plan,
) -> Result<bool, RosterError> {
    let mut settled = settle(snapshot, caller, &mut draft, act)?;
    let Draft { kind, at, wanted, before, anew, .. } = draft;
    plan.asked = std::mem::take(&mut settled.asked);
    let nothing = Document::default();
    let mut told = changes(kind, before.map_or(&nothing, |before| before.kept), &wanted);
    let same = before.is_some() && told.is_empty() && settled.changes.is_empty() && settled.writes.is_empty();
    if same && !anew {
        return Ok(false);
    }
    let record =
        Roster::record(snapshot, caller, kind, at, &wanted, before.map(|before| before.stored), &settled)?;
    if !matches!(act, Act::Map) {
        match &plan.asked {
            Answered { parked: Some(parked), .. } => {
                let parked = parked.clone();
                asked::park(snapshot, caller, at.id, &parked, plan)?;
            }
            Answered { mapped: true, .. } if before.is_some() => asked::clear(snapshot, caller, at.id, plan)?,
            _ => {}
        }
    }
    told.extend(settled.changes);
    plan.changes.splice(0..0, told);
    plan.writes.insert(0, Write::Put(Box::new(record)));
    if kind.id == KindId::USER {
        signin::plan_told(snapshot, caller, at.id, before.map(|before| before.kept), &wanted, plan)?;
    }
    plan.writes.extend(settled.writes);
    plan.given.extend(settled.given);
    plan.remark_all(settled.remarks);
    Ok(true)
}

/// Applies the rules of a kind to a document that is to be written.
fn settle(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    draft: &mut Draft<'_>,
    act: Act<'_>,
) -> Result<Settled, RosterError> {
    let &mut Draft { kind, at, ref mut wanted, before, .. } = draft;
    if kind.id == KindId::USER {
        return person::settle(snapshot, caller, draft, act);
    }
    power::check(snapshot, caller, kind.id)?;
    if kind.id == KindId::GROUP {
        refuse_closed(snapshot, caller, before, wanted)?;
        let given = match before {
            Some(Before { stored, .. }) => remaining::guard_group_name(snapshot, caller, stored, wanted)?,
            None => Vec::new(),
        };
        return Ok(Settled { given, ..Settled::default() });
    }
    kinds::spell(&kind.core, &mut wanted.core);
    let wanted = &*wanted;
    kinds::check(kind.id, wanted)?;
    let kept = before.map(|before| before.kept);
    let mut settled =
        Settled { given: references::check(snapshot, caller, kind, kept, wanted)?, ..Settled::default() };
    match kind.id {
        KindId::USER_TYPE => {
            rights::check_grants(caller, wanted.get("grants"))?;
            if let Some(kept) = kept {
                settled.given.extend(remaining::guard_type(snapshot, caller, at.id, kept, wanted)?);
            }
        }
        KindId::COST_CENTER => settled.given.extend(no_circle(snapshot, caller, at, wanted)?),
        KindId::LICENSE_POOL => {
            let max = Pool::of(wanted)?.seats.saturating_add(1);
            let room = person::room(at.id, max);
            if snapshot.counter(caller.tenant, SEATS, at.id.as_bytes())? >= max {
                let detail =
                    "seats: expected no fewer than there are people who have one; lock some of them first";
                return Err(RosterError::InUse(detail.to_owned()));
            }
            settled.given.push(room);
        }
        _ => {}
    }
    Ok(settled)
}

/// Refuses an identity provider a group that gives power over others' rights: to make it, to rename one into it, and what it was before
/// (X20, X21).
fn refuse_closed(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    before: Option<Before<'_>>,
    wanted: &Document,
) -> Result<(), RosterError> {
    let owner = before.and_then(|before| before.stored.connection()).unwrap_or(caller.connection);
    let kept = before.map(|before| before.kept);
    for document in kept.into_iter().chain([wanted]) {
        if rights::is_closed(snapshot, caller, owner, document)? {
            return Err(closed(document));
        }
    }
    Ok(())
}

/// Says that a group is closed to identity providers.
fn closed(document: &Document) -> RosterError {
    RosterError::Closed(format!(
        "the group {} gives power over others' rights, so that only administrators change it; provisioned = true in its [[groups.map]] would open it",
        crate::scim::error::quoted(document.display_name().unwrap_or_default())
    ))
}

/// Refuses an identity provider to touch a group that is closed to it, as it is stored: its members, or the group as a whole.
pub(super) fn refuse_closed_group(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
) -> Result<(), RosterError> {
    if caller.connection == LOCAL || caller.policy.group_maps.is_empty() {
        return Ok(());
    }
    let Some(stored) = snapshot.get(caller.tenant, Address::group(id))? else { return Ok(()) };
    let document = super::core(&stored)?;
    let owner = stored.connection().unwrap_or(caller.connection);
    if rights::is_closed(snapshot, caller, owner, &document)? { Err(closed(&document)) } else { Ok(()) }
}

/// Refuses what a removal would leave dangling, and says on which facts it stands.
pub(super) fn check_removal(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    at: Address,
) -> Result<Vec<Given>, RosterError> {
    match at.kind {
        KindId::USER => Ok(Vec::new()),
        KindId::GROUP => {
            refuse_closed_group(snapshot, caller, at.id)?;
            remaining::guard_group_end(snapshot, caller, at.id)
        }
        _ => references::refuse_if_named(snapshot, caller, at),
    }
}

/// Refuses a parent that is below the cost centre itself, and says on which ancestors that stands: if one of them moves meanwhile, it is
/// looked at again.
fn no_circle(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    at: Address,
    wanted: &Document,
) -> Result<Vec<Given>, RosterError> {
    let mut facts = Vec::new();
    let mut next = parent_of(wanted);
    while let Some(id) = next {
        if id == at.id {
            let detail =
                "parent: expected a cost centre that is not below this one; the tree would have a circle";
            return Err(Refusal::new(Why::InvalidValue, detail).into());
        }
        if facts.len() >= PARENTS_MAX {
            let detail = format!("parent: expected at most {PARENTS_MAX} cost centres above one another");
            return Err(Refusal::new(Why::InvalidValue, detail).into());
        }
        let parent = Address { kind: KindId::COST_CENTER, id };
        let Some(stored) = snapshot.get(caller.tenant, parent)? else { break };
        facts.push(Given::Version(parent, stored.version()));
        let document = super::core(&stored)?;
        next = parent_of(&document);
    }
    Ok(facts)
}

fn parent_of(document: &Document) -> Option<ResourceId> {
    ResourceId::parse(document.get(PARENT)?.get("value")?.as_str()?).ok()
}
