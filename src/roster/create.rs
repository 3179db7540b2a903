//! POST: a new resource (RFC 7644 §3.3).

use serde_json::Value;

use super::asked::Errand;
use super::authority::Spoken;
use super::commit::{Job, Plan, Written, explain};
use super::edges::Edges;
use super::error::RosterError;
use super::face::face;
use super::hooks::Operation;
use super::members::Memberships;
use super::rules::{Draft, Settled, put};
use super::scope::Scope;
use super::shadow::{self, Said};
use super::view::{View, view};
use super::{Caller, Roster, adopt, authority, index, money, person, references};
use crate::idp::normalise;
use crate::ids::{Address, KindId, ResourceId};
use crate::psa::urn::STANDING;
use crate::scim::doc::Difference;
use crate::scim::patch::MemberChange;
use crate::scim::schema::Kind;
use crate::scim::{Document, Refusal, Why};
use crate::store::codec;
use crate::store::{Action, Change, Given, IndexEntry, Record, Segment, Snapshot, Stored, UniqueKey, wait};

impl Roster {
    /// Makes a resource of a kind from the body of a POST, and returns it as it was written.
    ///
    /// # Errors
    /// [`Why::Uniqueness`] when somebody holds its userName, externalId or group name; what the body itself may have wrong.
    pub fn create(
        &self,
        caller: &Caller,
        kind: &Kind,
        body: Value,
        edges: Edges,
    ) -> Result<View, RosterError> {
        wait(self.create_soon(caller, kind, body, edges))
    }

    /// The same for a task: what it computes it computes at once, and it waits for nothing but the store.
    ///
    /// # Errors
    /// As [`Roster::create`].
    pub async fn create_soon(
        &self,
        caller: &Caller,
        kind: &Kind,
        body: Value,
        edges: Edges,
    ) -> Result<View, RosterError> {
        let (at, job) = self.creation(caller, kind, body)?;
        let written = self.carry_out_job(caller, job).await?;
        self.after_ones_own(caller, at, edges, written)
    }

    /// Makes the rule that makes a resource.
    pub(super) fn creation<'a>(
        &self,
        caller: &'a Caller,
        kind: &'a Kind,
        body: Value,
    ) -> Result<(Address, Job<'a>), RosterError> {
        caller.needs(Scope::writes(kind.id))?;
        money::check_resource(caller, kind, &body)?;
        let mut incoming = normalise::resource(body, kind, caller.profile)?;
        let document = incoming.create(kind, caller.profile)?;
        if let Some(at) = self.reclaimable(caller, kind, &document)? {
            return Ok((at, Self::reclamation(caller, kind, at, incoming, document)));
        }
        if let Some(departed) = self.rehirable(caller, kind, &document)? {
            return Ok(Self::rehiring(caller, kind, departed, incoming, document));
        }
        let mut document = document;
        authority::keep(caller, kind, None, &mut document, Spoken::OfEach, &mut incoming.notes)?;
        let at = Address { kind: kind.id, id: ResourceId::new(self.chance.uuid(caller.now)) };
        let rule = move |snapshot: &dyn Snapshot| {
            let mut plan = Plan {
                given: vec![Given::Absent(at)],
                subject: Some(at),
                notes: incoming.notes.clone(),
                ..Plan::default()
            };
            let errand =
                Errand { operation: Operation::Create, shadow: Some((&incoming.shadow, Said::Everything)) };
            let draft = Draft { kind, at, wanted: document.clone(), before: None, anew: true, errand };
            put(snapshot, caller, draft, &mut plan)?;
            if let Some(members) = &incoming.members {
                let mut memberships = Memberships::new(snapshot, caller, kind, at.id);
                memberships.apply(&MemberChange::Add(members.clone()))?;
                memberships.finish(&mut plan)?;
            }
            shadow::remember(snapshot, caller, at, &incoming.shadow, Said::Everything, &mut plan)?;
            explain(&mut plan.changes, &plan.notes, &[]);
            let notes = plan.notes.clone();
            Ok((Some(plan), notes))
        };
        Ok((at, Job { action: Action::Create, rule: Box::new(rule) }))
    }

    /// Shows what a write made of a resource, and not what somebody else made of it in the moment since: who goes on from the answer's
    /// version goes on from what they wrote (R20). Of a group with its members, which are read from the store as they stand, what is shown may be
    /// later; then so is its version.
    pub(super) fn after_ones_own(
        &self,
        caller: &Caller,
        at: Address,
        edges: Edges,
        written: Option<Written>,
    ) -> Result<View, RosterError> {
        let found = self.after(caller, at, edges);
        let Some(Written { seq, record, edges: moved }) = written else { return found };
        let is_later = found.as_ref().map_or(true, |view| view.version != seq);
        let shows_members = at.kind == KindId::GROUP && edges.members;
        if !is_later || (shows_members && found.is_ok()) {
            return found;
        }
        let Some(record) = record else {
            // What is kept beside a resource has no version.
            return if moved { found.map(|view| View { version: seq, ..view }) } else { found };
        };
        let bytes = codec::encode(caller.tenant, seq, &record).into();
        let stored = Stored::decode(caller.tenant, at, bytes)?;
        let groups = found.ok().and_then(|view| view.groups);
        // It is the caller's own now, or the caller is an administrator.
        let face = face(self.store.snapshot()?.as_ref(), caller, &stored)?;
        Ok(View {
            face,
            version: seq,
            modified: record.modified,
            stored,
            members: None,
            groups,
            shows_external_id: true,
        })
    }

    /// Reads what a write left behind.
    pub(super) fn after(&self, caller: &Caller, at: Address, edges: Edges) -> Result<View, RosterError> {
        view(&self.store.snapshot()?, caller, at, edges)?.ok_or(RosterError::NotFound)
    }

    /// Builds the record of a document, in place of an earlier one or new, and refuses when a value is taken.
    pub(super) fn record(
        snapshot: &dyn Snapshot,
        caller: &Caller,
        kind: &Kind,
        at: Address,
        document: &Document,
        before: Option<&Stored>,
        settled: &Settled,
    ) -> Result<Record, RosterError> {
        let own = Some(caller.connection);
        let connection =
            before.filter(|before| !adopt::adopts(caller, before)).map_or(own, Stored::connection);
        let mut keys = index::keys(at, connection.unwrap_or(super::LOCAL), caller.profile, document)?;
        let modified = before.map_or(caller.now, |before| before.modified().max(caller.now));
        keys.index.extend(index::orders(kind, document, modified));
        for key in &keys.unique {
            refuse_if_taken(snapshot, caller, key, at, index::attribute(key.index))?;
        }
        let mut segments: Vec<Segment> =
            document.to_segments(kind).into_iter().map(|(urn, json)| Segment { urn, json }).collect();
        if let Some(before) = before {
            caller.sight.keep_unseen(snapshot, caller.tenant, kind, before, &mut segments)?;
        }
        segments.retain(|segment| settled.segments.iter().all(|(urn, _)| *urn != segment.urn));
        for (urn, json) in &settled.segments {
            segments.extend(json.clone().map(|json| Segment { urn: urn.clone(), json }));
        }
        caller.sight.refuse_closed(before, &segments)?;
        keys.index.extend(Self::named(caller, kind, document, &segments)?);
        let custom = caller.sight.keys(kind.id, &segments)?;
        for (key, attribute) in custom.unique {
            refuse_if_taken(snapshot, caller, &key, at, &attribute)?;
            keys.unique.push(key);
        }
        keys.index.extend(custom.index);
        Ok(Record {
            at,
            connection,
            created: before.map_or(caller.now, Stored::created),
            modified,
            display: display(at.kind, document).to_owned(),
            segments,
            unique: keys.unique,
            index: keys.index,
        })
    }

    /// Computes the entries of what a record names, also in segments that the caller does not see.
    fn named(
        caller: &Caller,
        kind: &Kind,
        document: &Document,
        segments: &[Segment],
    ) -> Result<Vec<IndexEntry>, RosterError> {
        let unseen = |segment: &&Segment| !kind.sees(&segment.urn) && segment.urn != STANDING;
        if segments.iter().skip(1).find(unseen).is_none() {
            return Ok(references::entries(document, kind));
        }
        let whole = caller.sight.whole_kind(kind);
        // Nobody writes more of the core schema than its document has.
        let extensions = segments.iter().skip(1).map(|segment| (segment.urn.as_str(), segment.json.as_str()));
        let extended = Document::from_segments(whole.seen(std::iter::once(("", "{}")).chain(extensions)))
            .map_err(|error| RosterError::Broken(error.to_string()))?;
        let mut entries = references::entries(document, kind);
        for entry in references::entries(&extended, whole) {
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }
}

fn refuse_if_taken(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    key: &UniqueKey,
    by: Address,
    attribute: &str,
) -> Result<(), RosterError> {
    match snapshot.by_unique(caller.tenant, key)? {
        Some(holder) if holder != by => {
            let detail = format!("{attribute} is already in use");
            Err(Refusal::new(Why::Uniqueness, detail).into())
        }
        _ => Ok(()),
    }
}

/// What others show for a resource: its display name, else its login.
fn display(kind: KindId, document: &Document) -> &str {
    let fallback = if kind == KindId::USER { document.user_name() } else { None };
    document.display_name().or(fallback).unwrap_or_default()
}

/// Says what differs between two documents, in the history's words.
pub(super) fn changes(kind: &Kind, old: &Document, new: &Document) -> Vec<Change> {
    let is_money = |name: &str| {
        let path = name.rsplit_once(':').and_then(|(id, name)| kind.extension(id)?.attribute(name));
        path.is_some_and(|attribute| attribute.financial)
    };
    Document::diff(old, new)
        .into_iter()
        .map(|Difference { name, old, new }| Change {
            money: is_money(&name),
            from: person::effective_from(&name, old.as_ref(), new.as_ref()),
            ..Change::of(name, old, new)
        })
        .collect()
}
