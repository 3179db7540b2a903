//! New versions of a schema, and its end: only as far as no stored value becomes invalid.
//!
//! Whether somebody has a value is found out by reading the resources that carry the schema. Meanwhile nobody may write such: the schema
//! is closed in memory, and counting up the fence loses every write that was under way with an older sight. What becomes
//! findable is indexed unit by unit; the row says so until that is done, so that a process which was killed in between goes on where it
//! was ([`Roster::finish_schemas`]).

use std::collections::HashSet;
use std::sync::PoisonError;

use serde_json::{Map, Value, json};

use super::{Read, SchemaDone, count_up, definition, plan, read, schema_row, told, version_write};
use crate::ids::{Address, KindId, RequestId, ResourceId, TenantId};
use crate::roster::commit::Plan;
use crate::roster::error::RosterError;
use crate::roster::keyed::{self, Keyed};
use crate::roster::rows::{self, FENCE, GENERATION, SCHEMAS, SchemaRow};
use crate::roster::scope::{Scope, Scopes};
use crate::roster::{Caller, LOCAL, Roster, all_small};
use crate::scim::attr::AttrPath;
use crate::scim::custom::{Definition, Loss, losses, newly_keyed};
use crate::scim::schema::{MONEY, Schema};
use crate::store::{Action, Actor, Given, IndexRange, Outcome, Stored, Unit, Write};

/// Resources that are read, or indexed in one unit.
const AT_ONCE: usize = 100;
/// How often a page is indexed anew because somebody else wrote to one of its resources meanwhile.
const ATTEMPTS_MAX: usize = 64;

/// Looks at a resource that carries a schema, and the attributes it has there.
type Look<'a> = dyn FnMut(ResourceId, &Map<String, Value>) + 'a;

/// Keeps a schema closed while it lives.
struct Closed<'a> {
    roster: &'a Roster,
    tenant: TenantId,
    id: String,
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.roster.schemas.reopen(self.tenant, &self.id);
        self.roster.forget_what_was_looked_up();
    }
}

impl Roster {
    /// Puts a new version of a schema in the place of the one that holds.
    ///
    /// # Errors
    /// [`RosterError::Unfit`] when a stored value would not fit the new version any more; says which, how many and where.
    pub fn update_schema(&self, caller: &Caller, document: &str) -> Result<SchemaDone, RosterError> {
        let Read { definition: new, warnings } = read(document)?;
        let _changing = self.schemas.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let warnings = warnings.iter().map(ToString::to_string).collect();
        let (_, row) = schema_row(self.store.snapshot()?.as_ref(), caller.tenant, &new.schema.id)?;
        if row.building {
            self.index_for(caller, &row.id)?;
        }
        let snapshot = self.store.snapshot()?;
        let (_, row) = schema_row(snapshot.as_ref(), caller.tenant, &new.schema.id)?;
        let old = definition(snapshot.as_ref(), caller.tenant, &row.id, row.version)?;
        let done = |version, indexed| SchemaDone { id: row.id.clone(), version, indexed, warnings };
        if old == new {
            return Ok(done(row.version, 0));
        }
        if old.kind != new.kind || old.schema.id != new.schema.id {
            let document = old.to_document();
            let kind = document.get("extends").and_then(Value::as_str).unwrap_or_default();
            return Err(RosterError::Unfit(format!(
                "expected the URN spelled {} and extends \"{kind}\", as they were; another kind or spelling is another schema",
                row.id
            )));
        }
        let lost = losses(&old.schema, &new.schema);
        let keyed = newly_keyed(&old.schema, &new.schema);
        let unsettling = !lost.is_empty() || !keyed.is_empty();
        let closed = unsettling.then(|| self.close(caller, &row.id)).transpose()?;
        self.refuse_losses(caller, &old, &lost)?;
        self.refuse_duplicates(caller, &new, &keyed)?;
        let version = self.carry_out(caller, Action::SchemaUpdate, |snapshot| {
            let (before, row) = schema_row(snapshot, caller.tenant, &row.id)?;
            let version = row.version.saturating_add(1);
            let after = SchemaRow { version, building: !keyed.is_empty(), ..row.clone() };
            let mut plan = plan(snapshot, caller.tenant, Some(before), Some(&after))?;
            plan.writes.push(version_write(caller, &new, version)?);
            let number = |version| Some(json!({ "id": row.id, "version": version }));
            plan.changes.push(told(number(row.version), number(version)));
            Ok((Some(plan), version))
        })?;
        let indexed = if keyed.is_empty() { 0 } else { self.index_for(caller, &row.id)? };
        drop(closed);
        self.forget_what_was_looked_up();
        Ok(done(version, indexed))
    }

    /// Removes a schema that no resource carries.
    pub fn remove_schema(&self, caller: &Caller, id: &str) -> Result<(), RosterError> {
        let _changing = self.schemas.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.store.snapshot()?;
        let (_, row) = schema_row(snapshot.as_ref(), caller.tenant, id)?;
        let of = definition(snapshot.as_ref(), caller.tenant, &row.id, row.version)?;
        drop(snapshot);
        let _closed = self.close(caller, &row.id)?;
        let everything = Loss { of: None, what: "it is removed".to_owned() };
        self.refuse_losses(caller, &of, &[everything])?;
        self.carry_out(caller, Action::SchemaRemove, |snapshot| {
            let (before, row) = schema_row(snapshot, caller.tenant, &row.id)?;
            let mut plan = plan(snapshot, caller.tenant, Some(before), None)?;
            plan.changes.push(told(Some(json!({ "id": row.id, "version": row.version })), None));
            Ok((Some(plan), ()))
        })
    }

    /// Goes on with the indexing that a process which was killed had begun; returns how many resources were indexed.
    pub fn finish_schemas(&self, request: RequestId) -> Result<usize, RosterError> {
        let _changing = self.schemas.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut indexed = 0_usize;
        for tenant in self.tenants()? {
            let caller = Caller { who: Actor::System, ..self.operator(&tenant.name, request)? };
            for row in all_small(self.store.snapshot()?.as_ref(), caller.tenant, SCHEMAS)? {
                let row: SchemaRow = rows::decode(&row.value)?;
                if row.building {
                    indexed = indexed.saturating_add(self.index_for(&caller, &row.id)?);
                }
            }
        }
        Ok(indexed)
    }

    /// Sees to it that from now on nobody changes what a schema holds, nor finishes a change that was begun before.
    fn close(&self, caller: &Caller, id: &str) -> Result<Closed<'_>, RosterError> {
        self.schemas.close(caller.tenant, id);
        let closed = Closed { roster: self, tenant: caller.tenant, id: id.to_owned() };
        let snapshot = self.store.snapshot()?;
        let mut fence = Plan::default();
        count_up(snapshot.as_ref(), caller.tenant, GENERATION, &mut fence)?;
        count_up(snapshot.as_ref(), caller.tenant, FENCE, &mut fence)?;
        let unit = Unit { given: fence.given, writes: fence.writes, log: None };
        // Schemas are changed one at a time, so that nobody else counts.
        match self.store.commit(caller.tenant, unit)? {
            Outcome::Committed { .. } => {}
            Outcome::Lost(_) => return Err(RosterError::Busy),
        }
        self.forget_what_was_looked_up();
        Ok(closed)
    }

    /// Calls `look` with every resource that carries a schema, and the attributes it has there.
    fn each_carrier(
        &self,
        tenant: TenantId,
        of: &Definition,
        look: &mut Look<'_>,
    ) -> Result<(), RosterError> {
        let snapshot = self.store.snapshot()?;
        let mut range = IndexRange::exactly(of.kind, keyed::CARRIED, keyed::carried(&of.schema.id));
        loop {
            let page = snapshot.index_range(tenant, &range, AT_ONCE)?;
            for row in &page {
                let Some(stored) = snapshot.get(tenant, Address { kind: of.kind, id: row.id })? else {
                    continue;
                };
                if let Some(attributes) = attributes_of(&stored, &of.schema.id)? {
                    look(row.id, &attributes);
                }
            }
            match page.last() {
                Some(last) if page.len() == AT_ONCE => range.after = Some(last.clone()),
                _ => return Ok(()),
            }
        }
    }

    /// Refuses what would make stored values invalid.
    fn refuse_losses(&self, caller: &Caller, old: &Definition, lost: &[Loss]) -> Result<(), RosterError> {
        let mut having: Vec<(u64, Option<ResourceId>)> = vec![(0, None); lost.len()];
        if !lost.is_empty() {
            self.each_carrier(caller.tenant, old, &mut |id, attributes| {
                for (loss, (count, example)) in lost.iter().zip(&mut having) {
                    if loss.of.as_ref().is_none_or(|path| has(attributes, path)) {
                        *count = count.saturating_add(1);
                        example.get_or_insert(id);
                    }
                }
            })?;
        }
        let lines: Vec<String> = lost
            .iter()
            .zip(having)
            .filter_map(|(loss, (count, example))| {
                let example = example?;
                let what = loss.of.as_ref().map_or("values of this schema", |_| "a value of it");
                let (some, verb) = if count == 1 { ("resource", "has") } else { ("resources", "have") };
                Some(format!("{}: {count} {some} {verb} {what}, for instance {example}", loss.what))
            })
            .collect();
        if lines.is_empty() {
            return Ok(());
        }
        Err(RosterError::Unfit(format!(
            "stored values would not fit {} any more:\n{}\nclear those values first, or add another attribute beside it",
            old.schema.id,
            lines.join("\n")
        )))
    }

    /// Refuses to make an attribute unique of which a value is stored more than once.
    fn refuse_duplicates(
        &self,
        caller: &Caller,
        new: &Definition,
        keyed: &[(AttrPath, bool)],
    ) -> Result<(), RosterError> {
        let mut unique = uniques(&new.schema);
        unique.retain(|one| {
            keyed.iter().any(|(path, unique)| *unique && path.name == one.name && path.sub == one.sub)
        });
        if unique.is_empty() {
            return Ok(());
        }
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        let mut doubled: Vec<(u64, Option<ResourceId>)> = vec![(0, None); unique.len()];
        self.each_carrier(caller.tenant, new, &mut |id, attributes| {
            for (one, (count, example)) in unique.iter().zip(&mut doubled) {
                // Every key is looked at, so that each is remembered.
                let taken =
                    one.of_attributes(attributes).into_iter().filter(|key| !seen.insert(key.clone())).count();
                if taken > 0 {
                    *count = count.saturating_add(1);
                    example.get_or_insert(id);
                }
            }
        })?;
        let lines: Vec<String> = unique
            .iter()
            .zip(doubled)
            .filter_map(|(one, (count, example))| {
                let example = example?;
                let name =
                    one.sub.as_ref().map_or_else(|| one.name.clone(), |sub| format!("{}.{sub}", one.name));
                let (some, verb) = if count == 1 { ("resource", "has") } else { ("resources", "have") };
                Some(format!(
                    "{name}: {count} {some} {verb} a value that another has as well, for instance {example}"
                ))
            })
            .collect();
        if lines.is_empty() {
            return Ok(());
        }
        Err(RosterError::Unfit(format!(
            "stored values of {} are not unique:\n{}\nchange those values first",
            new.schema.id,
            lines.join("\n")
        )))
    }

    /// Gives every resource that carries a schema the keys that its present version wants, and says then that they are there.
    fn index_for(&self, caller: &Caller, id: &str) -> Result<usize, RosterError> {
        let snapshot = self.store.snapshot()?;
        let (_, row) = schema_row(snapshot.as_ref(), caller.tenant, id)?;
        let of = definition(snapshot.as_ref(), caller.tenant, id, row.version)?;
        let sight = self.sight(snapshot.as_ref(), caller.tenant, LOCAL, Scopes::of(Scope::ALL))?;
        let caller = &Caller { sight, ..caller.clone() };
        let mut range = IndexRange::exactly(of.kind, keyed::CARRIED, keyed::carried(id));
        let mut indexed = 0_usize;
        loop {
            // Nobody comes to carry it meanwhile: it is closed.
            let page = snapshot.index_range(caller.tenant, &range, AT_ONCE)?;
            let ids: Vec<ResourceId> = page.iter().map(|row| row.id).collect();
            indexed = indexed.saturating_add(self.index_page(caller, of.kind, id, &ids)?);
            match page.last() {
                Some(last) if page.len() == AT_ONCE => range.after = Some(last.clone()),
                _ => break,
            }
        }
        self.carry_out(caller, Action::SchemaUpdate, |snapshot| {
            let (before, row) = schema_row(snapshot, caller.tenant, id)?;
            let after = SchemaRow { building: false, ..row };
            let mut plan = plan(snapshot, caller.tenant, Some(before), Some(&after))?;
            plan.remark = Some(format!("indexed {indexed} resources for {id}"));
            Ok((Some(plan), ()))
        })?;
        self.forget_what_was_looked_up();
        Ok(indexed)
    }

    /// Gives a few resources their keys, in one unit. Their documents stay as they are; their versions go up.
    fn index_page(
        &self,
        caller: &Caller,
        kind: KindId,
        id: &str,
        ids: &[ResourceId],
    ) -> Result<usize, RosterError> {
        for _ in 0..ATTEMPTS_MAX {
            let snapshot = self.store.snapshot()?;
            let mut page = Plan { remark: Some(format!("indexed for {id}")), ..Plan::default() };
            for &id in ids {
                let at = Address { kind, id };
                let Some(stored) = snapshot.get(caller.tenant, at)? else { continue };
                let mut record = stored.to_record()?;
                let keys = caller.sight.keys(kind, &record.segments)?;
                let before = (record.unique.clone(), record.index.clone());
                record.unique.retain(|key| key.index != keyed::UNIQUE);
                record.unique.extend(keys.unique.into_iter().map(|(key, _)| key));
                record.index.retain(|entry| !matches!(entry.index, keyed::CARRIED | keyed::INDEXED));
                record.index.extend(keys.index);
                if (&record.unique, &record.index) != (&before.0, &before.1) {
                    page.given.push(Given::Version(at, stored.version()));
                    page.writes.push(Write::Put(Box::new(record)));
                }
            }
            let count = page.writes.len();
            if count == 0 {
                return Ok(0);
            }
            match self.store.commit(caller.tenant, self.unit(caller, Action::SchemaUpdate, page))? {
                Outcome::Committed { .. } => return Ok(count),
                Outcome::Lost(fact) => {
                    tracing::debug!(?fact, "a resource changed meanwhile; its page is indexed again");
                }
            }
        }
        Err(RosterError::Busy)
    }
}

fn attributes_of(stored: &Stored, id: &str) -> Result<Option<Map<String, Value>>, RosterError> {
    let mut found: Option<Map<String, Value>> = None;
    for (_, json) in stored.segments().filter(|(known, _)| known.strip_suffix(MONEY).unwrap_or(known) == id) {
        let part: Map<String, Value> = serde_json::from_str(json)
            .map_err(|error| RosterError::Broken(format!("{}: {id}: {error}", stored.at().id)))?;
        found.get_or_insert_default().extend(part);
    }
    Ok(found)
}

/// Tells whether an attribute, or a part of it, has a value.
fn has(attributes: &Map<String, Value>, path: &AttrPath) -> bool {
    let Some(value) = attributes.get(&path.name) else { return false };
    let Some(sub) = &path.sub else { return true };
    let elements = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    elements.iter().any(|element| element.get(sub).is_some())
}

fn uniques(schema: &Schema) -> Vec<Keyed> {
    let mut all = Keyed::all_of(schema);
    all.retain(|keyed| keyed.unique);
    all
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::chance::SeededChance;
    use crate::clock::FixedClock;
    use crate::roster::{Edges, Precondition};
    use crate::scim::{Filter, urn};
    use crate::store::memory::MemoryStore;
    use crate::store::{Finding, Health, Store, StoreError};

    const ACME: &str = "urn:acme:2.0:User";
    const CARRIERS: usize = 2 * AT_ONCE + 30;

    /// A store that takes so many units and no more, as one whose process is killed.
    struct Mortal {
        store: Arc<MemoryStore>,
        left: AtomicUsize,
    }

    impl Store for Mortal {
        fn commit(&self, tenant: TenantId, unit: Unit) -> Result<Outcome, StoreError> {
            if self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_err()
            {
                return Err(StoreError::Fatal("killed".into()));
            }
            self.store.commit(tenant, unit)
        }

        fn snapshot(&self) -> Result<Arc<dyn crate::store::Snapshot>, StoreError> {
            self.store.snapshot()
        }

        fn health(&self) -> Health {
            self.store.health()
        }

        fn check(&self, progress: &mut dyn FnMut(u64)) -> Result<Vec<Finding>, StoreError> {
            self.store.check(progress)
        }
    }

    fn roster(store: &Arc<MemoryStore>, left: usize) -> Roster {
        let store = Mortal { store: Arc::clone(store), left: AtomicUsize::new(left) };
        Roster::new(
            Arc::new(store),
            Arc::new(FixedClock::at("2026-01-02T03:04:05Z")),
            Arc::new(SeededChance::new(left as u64)),
        )
    }

    fn operator(roster: &Roster) -> Caller {
        roster.operator("acme", roster.request_id()).unwrap()
    }

    fn person(name: &str, badge: &str) -> Value {
        json!({ "schemas": [urn::USER, ACME], "userName": name, ACME: { "badge": badge } })
    }

    fn create(roster: &Roster, name: &str, badge: &str) -> Result<ResourceId, RosterError> {
        let caller = operator(roster);
        let kind = Arc::clone(caller.kinds().by_id(KindId::USER).unwrap());
        roster.create(&caller, &kind, person(name, badge), Edges::NONE).map(|view| view.stored.at().id)
    }

    fn found(roster: &Roster, badge: &str) -> u64 {
        let caller = operator(roster);
        let kind = Arc::clone(caller.kinds().by_id(KindId::USER).unwrap());
        let filter = Filter::parse(&format!("{ACME}:badge eq \"{badge}\""), &kind).unwrap();
        let query = crate::roster::Query::of(kind, Some(filter), Edges::NONE);
        roster.query(&caller, &query).unwrap().total
    }

    fn keys(store: &MemoryStore) -> usize {
        let snapshot = store.snapshot().unwrap();
        let tenant = TenantId::new(1);
        let ids = snapshot.ids(tenant, KindId::USER, None, 0, 1000).unwrap();
        let of = |id| {
            let stored = snapshot.get(tenant, Address::user(id)).unwrap().unwrap();
            stored.unique().filter(|(index, _)| *index == keyed::UNIQUE).count()
        };
        ids.into_iter().map(of).sum()
    }

    #[test]
    fn s185_indexing_goes_on_where_a_killed_process_left_it() {
        let plain = json!({ "id": ACME, "attributes": [{ "name": "badge" }] }).to_string();
        let unique =
            json!({ "id": ACME, "attributes": [{ "name": "badge", "uniqueness": "server" }] }).to_string();
        let (mut before, mut between, mut after) = (0, 0, 0);
        for units in 0..10 {
            let store = Arc::new(MemoryStore::new());
            let first = roster(&store, usize::MAX);
            first.create_tenant("acme", first.request_id()).unwrap();
            first.add_schema(&operator(&first), &plain, &[]).unwrap();
            let ids: Vec<ResourceId> = (0..CARRIERS)
                .map(|number| create(&first, &format!("user-{number}"), &format!("B-{number}")).unwrap())
                .collect();
            let killed = roster(&store, units);
            let done = killed.update_schema(&operator(&killed), &unique);
            let second = roster(&store, usize::MAX);
            let row = |roster: &Roster| roster.schemas(&operator(roster)).unwrap().remove(0);
            if row(&second).building {
                between += 1;
                // Nothing that stands under it changes before that is done; everything else does, and everybody is found.
                assert!(matches!(create(&second, "eve", "B-7"), Err(RosterError::Busy)));
                let caller = operator(&second);
                let kind = Arc::clone(caller.kinds().by_id(KindId::USER).unwrap());
                let at = Address::user(ids[9]);
                let title = json!({ "schemas": [urn::PATCH_OP], "Operations": [{ "op": "replace", "path": "title", "value": "CTO" }] });
                second.patch(&caller, &kind, at, &Precondition::None, title, Edges::NONE).unwrap();
                assert_eq!(found(&second, "b-7"), 1);
            }
            let indexed = second.finish_schemas(second.request_id()).unwrap();
            assert!(!row(&second).building);
            assert_eq!((found(&second, "b-7"), found(&second, "b-999")), (1, 0));
            if row(&second).version == 1 {
                before += 1;
                assert!(done.is_err() && indexed == 0);
                assert_eq!(keys(&store), 0);
                create(&second, "eve", "B-7").unwrap();
                assert_eq!(found(&second, "b-7"), 2);
            } else {
                after += 1;
                assert_eq!(keys(&store), CARRIERS, "after {units} units");
                let taken = create(&second, "eve", "b-7");
                assert!(
                    matches!(taken, Err(RosterError::Refused(refusal)) if refusal.why == crate::scim::Why::Uniqueness)
                );
            }
            assert_eq!(store.check(&mut |_| {}).unwrap(), vec![]);
        }
        assert!(before >= 2 && between >= 3 && after > between, "{before} {between} {after}");
    }

    #[test]
    fn s185_a_write_that_was_begun_under_an_older_schema_is_not_carried_out() {
        let store = Arc::new(MemoryStore::new());
        let roster = roster(&store, usize::MAX);
        roster.create_tenant("acme", roster.request_id()).unwrap();
        let document =
            |kind: &str| json!({ "id": ACME, "attributes": [{ "name": "badge", "type": kind }] }).to_string();
        let early = operator(&roster);
        roster.add_schema(&operator(&roster), &document("string"), &[]).unwrap();
        let late = operator(&roster);
        let kind = |caller: &Caller| Arc::clone(caller.kinds().by_id(KindId::USER).unwrap());
        let id = create(&roster, "ada", "B-1").unwrap();
        // Whoever was let in before the schema came knows neither its data nor their keys.
        let title = || json!({ "schemas": [urn::PATCH_OP], "Operations": [{ "op": "replace", "path": "title", "value": "CTO" }] });
        let patch = |caller: &Caller| {
            roster.patch(caller, &kind(caller), Address::user(id), &Precondition::None, title(), Edges::NONE)
        };
        assert!(matches!(patch(&early), Err(RosterError::Busy)));
        patch(&late).unwrap();
        let gone = json!({ "schemas": [urn::PATCH_OP], "Operations": [{ "op": "remove", "path": ACME }] });
        roster.patch(&late, &kind(&late), Address::user(id), &Precondition::None, gone, Edges::NONE).unwrap();
        roster.update_schema(&operator(&roster), &document("integer")).unwrap();
        let stale = roster.create(&late, &kind(&late), person("bob", "text"), Edges::NONE);
        assert!(matches!(stale, Err(RosterError::Busy)));
        patch(&operator(&roster)).unwrap();
        // Side by side, as bulk requests create, it is no different.
        let of = kind(&late);
        let (_, job) = roster.creation(&late, &of, person("bob", "text")).unwrap();
        assert!(matches!(roster.carry_out_each(&late, vec![job])[..], [Err(RosterError::Busy)]));
    }
}
