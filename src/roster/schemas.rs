//! Schemas of a tenant's own: added, given to connections and listed by the operator; `change` is about new versions and removal.
//!
//! A schema belongs to the tenant and is seen by the connections it was given to. Taking it away hides the data and keeps them. What
//! was looked up for any credential is forgotten before a change is acknowledged, so that the next request sees it.

mod change;

use std::sync::PoisonError;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::commit::Plan;
use super::error::RosterError;
use super::rows::{
    self, FENCE, GENERATION, SCHEMA_STATE, SCHEMA_VERSIONS, SCHEMAS, SchemaRow, SchemaVersionRow, schema_key,
};
use super::sight::{definition, version_row};
use super::{Caller, LOCAL, Roster, all_small};
use crate::ids::{ConnectionId, TenantId};
use crate::scim::custom::{Definition, Read, clash};
use crate::store::{Action, Change, Given, PAGE_ROWS_MAX, Snapshot, Write};

/// How many schemas a tenant may have.
pub const SCHEMAS_PER_TENANT_MAX: usize = 50;

/// A schema as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaView {
    /// Its URN.
    pub id: String,
    /// A short name for people.
    pub name: String,
    /// The name of the kind it extends.
    pub extends: String,
    /// The version that holds.
    pub version: u32,
    /// How many attributes it has.
    pub attributes: usize,
    /// The names of the connections it was given to.
    pub connections: Vec<String>,
    /// When it was last changed.
    pub changed: Timestamp,
    /// Whether resources are still being indexed for it.
    pub building: bool,
}

/// What was done with a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaDone {
    /// Its URN.
    pub id: String,
    /// The version that holds now.
    pub version: u32,
    /// How many resources were indexed.
    pub indexed: usize,
    /// What its author may not have meant.
    pub warnings: Vec<String>,
}

/// Reads a document, without a roster: what is wrong with it, or what is odd about it.
///
/// # Errors
/// Every mistake, one in a line.
pub fn check_schema(document: &str) -> Result<(String, Vec<String>), RosterError> {
    let Read { definition, warnings } = read(document)?;
    Ok((definition.schema.id, warnings.iter().map(ToString::to_string).collect()))
}

fn read(document: &str) -> Result<Read, RosterError> {
    Definition::read(document).map_err(|mistakes| {
        let found = mistakes.0.len();
        let word = if found == 1 { "mistake" } else { "mistakes" };
        RosterError::Unfit(format!("the schema has {found} {word}:\n{mistakes}"))
    })
}

impl Roster {
    /// Adds a schema to a tenant, and gives it to connections. One that was removed goes on with the number after its last version.
    pub fn add_schema(
        &self,
        caller: &Caller,
        document: &str,
        connections: &[String],
    ) -> Result<SchemaDone, RosterError> {
        let Read { definition, warnings } = read(document)?;
        let id = definition.schema.id.clone();
        let given = self.connection_ids(caller, connections)?;
        let _changing = self.schemas.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.carry_out(caller, Action::SchemaAdd, |snapshot| {
            self.refuse_clash(snapshot, caller.tenant, &id)?;
            let version = last_version(snapshot, caller.tenant, &id)?.saturating_add(1);
            let row = SchemaRow {
                id: id.clone(),
                version,
                connections: given.clone(),
                building: false,
                created: caller.now,
            };
            let mut plan = plan(snapshot, caller.tenant, None, Some(&row))?;
            plan.writes.push(version_write(caller, &definition, version)?);
            plan.changes
                .push(told(None, Some(json!({ "id": id, "version": version, "connections": connections }))));
            Ok((Some(plan), version))
        });
        self.forget_what_was_looked_up();
        let warnings = warnings.iter().map(ToString::to_string).collect();
        Ok(SchemaDone { id: id.clone(), version: version?, indexed: 0, warnings })
    }

    /// Gives a schema to connections.
    pub fn give_schema(&self, caller: &Caller, id: &str, connections: &[String]) -> Result<(), RosterError> {
        let more = self.connection_ids(caller, connections)?;
        self.share(caller, Action::SchemaGive, id, connections, |row| {
            for connection in &more {
                if !row.connections.contains(connection) {
                    row.connections.push(*connection);
                }
            }
        })
    }

    /// Takes a schema from connections. The data stay, unseen by them.
    pub fn take_schema(&self, caller: &Caller, id: &str, connections: &[String]) -> Result<(), RosterError> {
        let fewer = self.connection_ids(caller, connections)?;
        self.share(caller, Action::SchemaTake, id, connections, |row| {
            row.connections.retain(|connection| !fewer.contains(connection));
        })
    }

    fn share(
        &self,
        caller: &Caller,
        action: Action,
        id: &str,
        connections: &[String],
        change: impl Fn(&mut SchemaRow),
    ) -> Result<(), RosterError> {
        let _changing = self.schemas.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.carry_out(caller, action, |snapshot| {
            let (before, row) = schema_row(snapshot, caller.tenant, id)?;
            let mut after = row.clone();
            change(&mut after);
            if after == row {
                return Ok((None, ()));
            }
            let mut plan = plan(snapshot, caller.tenant, Some(before), Some(&after))?;
            plan.changes.push(told(None, Some(json!({ "id": row.id, "connections": connections }))));
            Ok((Some(plan), ()))
        });
        self.forget_what_was_looked_up();
        done
    }

    /// Lists a tenant's schemas by URN.
    pub fn schemas(&self, caller: &Caller) -> Result<Vec<SchemaView>, RosterError> {
        let names = self.connections(caller)?;
        let snapshot = self.store.snapshot()?;
        let mut views = Vec::new();
        for row in all_small(snapshot.as_ref(), caller.tenant, SCHEMAS)? {
            let row: SchemaRow = rows::decode(&row.value)?;
            let Definition { kind, schema } =
                definition(snapshot.as_ref(), caller.tenant, &row.id, row.version)?;
            let version = version_row(snapshot.as_ref(), caller.tenant, &row.id, row.version)?;
            let given = names.iter().filter(|connection| row.connections.contains(&connection.id));
            views.push(SchemaView {
                name: schema.name,
                extends: self.kinds().by_id(kind).map(|kind| kind.name.clone()).unwrap_or_default(),
                version: row.version,
                attributes: schema.attributes.len(),
                connections: given.map(|connection| connection.name.clone()).collect(),
                changed: version.map_or(row.created, |version| version.at),
                building: row.building,
                id: row.id,
            });
        }
        Ok(views)
    }

    /// Returns the document of a schema, as it holds or as it was in an earlier version.
    pub fn schema_document(
        &self,
        caller: &Caller,
        id: &str,
        version: Option<u32>,
    ) -> Result<Value, RosterError> {
        let snapshot = self.store.snapshot()?;
        let (id, version) = match version {
            Some(version) => (id.to_owned(), version),
            None => {
                let (_, row) = schema_row(snapshot.as_ref(), caller.tenant, id)?;
                (row.id, row.version)
            }
        };
        let found = version_row(snapshot.as_ref(), caller.tenant, &id, version)?;
        found.map(|found| found.document).ok_or_else(|| {
            match last_version(snapshot.as_ref(), caller.tenant, &id) {
                Ok(last) if last > 0 => RosterError::Unknown(format!(
                    "the schema {id} has no version {version}; the last is {last}"
                )),
                Ok(_) => unknown(&id),
                Err(error) => error,
            }
        })
    }

    fn connection_ids(&self, caller: &Caller, names: &[String]) -> Result<Vec<ConnectionId>, RosterError> {
        let ids = names.iter().map(|name| self.connection_id(caller, name));
        let mut ids = ids.collect::<Result<Vec<_>, _>>()?;
        // The tenant's administrators see all of them anyway.
        ids.retain(|id| *id != LOCAL);
        Ok(ids)
    }

    /// Refuses a schema that could be taken for another, or that is one too many.
    fn refuse_clash(&self, snapshot: &dyn Snapshot, tenant: TenantId, id: &str) -> Result<(), RosterError> {
        let rows = all_small(snapshot, tenant, SCHEMAS)?;
        if rows.len() >= SCHEMAS_PER_TENANT_MAX {
            return Err(RosterError::Unfit(format!(
                "the tenant has {SCHEMAS_PER_TENANT_MAX} schemas already; add the attributes to one of them (rosterd schema update)"
            )));
        }
        let mut known: Vec<String> = Vec::with_capacity(rows.len());
        for row in rows {
            known.push(rows::decode::<SchemaRow>(&row.value)?.id);
        }
        let built_in = self.kinds().iter().flat_map(|kind| kind.schemas()).map(|schema| schema.id.clone());
        match known.into_iter().chain(built_in).find_map(|known| clash(id, &known)) {
            Some(what) => Err(RosterError::Unfit(what)),
            None => Ok(()),
        }
    }

    /// Makes every credential be looked up anew, with what its connection sees now.
    fn forget_what_was_looked_up(&self) {
        drop(self.credentials.forget_all());
    }
}

/// What the history says of a schema.
fn told(old: Option<Value>, new: Option<Value>) -> Change {
    Change::of("schema", old, new)
}

fn unknown(id: &str) -> RosterError {
    let id: String = id.chars().take(crate::scim::custom::URN_BYTES_MAX).collect();
    RosterError::Unknown(format!(
        "the tenant has no schema \"{}\"; rosterd schema list shows them, rosterd schema add makes one",
        id.escape_debug()
    ))
}

/// Reads a schema's row, by URN in any case; also as the bytes on which a change of it stands.
fn schema_row(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    id: &str,
) -> Result<(Vec<u8>, SchemaRow), RosterError> {
    // Longer keys than the store takes are nobody's.
    let known = id.len() <= crate::scim::custom::URN_BYTES_MAX;
    let bytes = if known { snapshot.small(tenant, SCHEMAS, &schema_key(id))? } else { None };
    let bytes = bytes.ok_or_else(|| unknown(id))?;
    let row = rows::decode(&bytes)?;
    Ok((bytes, row))
}

/// Finds the number of the last version that a schema ever had; 0 when it never had one.
fn last_version(snapshot: &dyn Snapshot, tenant: TenantId, id: &str) -> Result<u32, RosterError> {
    if id.len() > crate::scim::custom::URN_BYTES_MAX {
        return Ok(0);
    }
    let prefix = rows::schema_versions(id);
    let (mut last, mut after) = (0, None);
    loop {
        let page = snapshot.small_range(tenant, SCHEMA_VERSIONS, &prefix, after.as_deref(), PAGE_ROWS_MAX)?;
        if let Some(number) = page.last().and_then(|row| row.key.last_chunk::<4>()) {
            last = u32::from_be_bytes(*number);
        }
        after = page.last().map(|row| row.key.clone());
        if page.len() < PAGE_ROWS_MAX {
            return Ok(last);
        }
    }
}

fn version_write(caller: &Caller, definition: &Definition, version: u32) -> Result<Write, RosterError> {
    let row = SchemaVersionRow { at: caller.now, document: definition.to_document() };
    let key = rows::schema_version(&definition.schema.id, version);
    Ok(Write::Small { space: SCHEMA_VERSIONS, key, value: Some(rows::encode(&row)?) })
}

/// Makes the plan of a change: the row before it, and after; and the counters that tell everybody.
fn plan(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    before: Option<Vec<u8>>,
    after: Option<&SchemaRow>,
) -> Result<Plan, RosterError> {
    let mut plan = Plan::default();
    let old = before.as_deref().map(rows::decode::<SchemaRow>).transpose()?;
    if let Some(id) = after.map(|row| &row.id).or(old.as_ref().map(|row| &row.id)) {
        let key = schema_key(id);
        plan.given.push(Given::Small(SCHEMAS, key.clone(), before));
        let value = after.map(rows::encode).transpose()?;
        plan.writes.push(Write::Small { space: SCHEMAS, key, value });
    }
    count_up(snapshot, tenant, GENERATION, &mut plan)?;
    let same = |row: &SchemaRow| {
        after.is_some_and(|after| after.version == row.version && after.building == row.building)
    };
    // Who sees a schema makes no difference to what is written under it.
    if !old.as_ref().is_some_and(same) {
        count_up(snapshot, tenant, FENCE, &mut plan)?;
    }
    Ok(plan)
}

fn count_up(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    key: &[u8],
    plan: &mut Plan,
) -> Result<(), RosterError> {
    let before = snapshot.small(tenant, SCHEMA_STATE, key)?;
    let number: u64 = before.as_deref().map_or(Ok(0), rows::decode)?;
    let value = Some(rows::encode(&number.saturating_add(1))?);
    plan.given.push(Given::Small(SCHEMA_STATE, key.to_vec(), before));
    plan.writes.push(Write::Small { space: SCHEMA_STATE, key: key.to_vec(), value });
    Ok(())
}
