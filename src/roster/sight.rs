//! Which schemas a connection sees, and what a tenant's schemas mean for what is written.
//!
//! A [`Sight`] is made when a credential is looked up and remembered with it, so that a request costs no more than a pointer. A tenant
//! without schemas of its own shares the one sight of what is built in. What a connection does not see is kept when it writes,
//! segment and keys alike: keys are a matter of the tenant's schemas and not of the caller's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use super::error::RosterError;
use super::keyed::{self, Keyed};
use super::rows::{
    self, FENCE, GENERATION, SCHEMA_STATE, SCHEMA_VERSIONS, SCHEMAS, SchemaRow, SchemaVersionRow,
};
use super::scope::{Scope, Scopes};
use super::{LOCAL, Roster, all_small};
use crate::ids::{ConnectionId, KindId, TenantId};
use crate::psa::kinds;
use crate::scim::Kinds;
use crate::scim::custom::Definition;
use crate::scim::schema::{Kind, MONEY, Schema};
use crate::store::{Given, IndexEntry, Segment, Snapshot, Stored, UniqueKey};

/// Most tenants whose schemas are held ready.
const TENANTS_REMEMBERED_MAX: usize = 1000;

/// A schema of the tenant's own.
#[derive(Debug)]
pub(super) struct Custom {
    pub(super) kind: KindId,
    pub(super) schema: Arc<Schema>,
    connections: Vec<ConnectionId>,
    building: bool,
    keyed: Vec<Keyed>,
}

/// All of a tenant's schemas at one generation.
#[derive(Debug)]
pub(super) struct Whole {
    /// The kinds with every extension there is.
    kinds: Kinds,
    customs: Vec<Custom>,
    generation: Option<Vec<u8>>,
    fence: Option<Vec<u8>>,
}

/// What of the built-in schemas a credential is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Eyes {
    /// The PSA extension: administrators work with it, identity providers reach it by the flat one.
    psa: bool,
    /// Attributes for those who may see money.
    money: bool,
}

impl Eyes {
    const ALL: [Self; 4] = [
        Self { psa: false, money: false },
        Self { psa: false, money: true },
        Self { psa: true, money: false },
        Self { psa: true, money: true },
    ];
    /// Those of the operator.
    pub(super) const OPEN: Self = Self { psa: true, money: true };

    pub(super) fn of_credential(connection: ConnectionId, scopes: Scopes) -> Self {
        Self { psa: connection == LOCAL, money: scopes.has(Scope::Financials) }
    }

    fn of(self, kinds: &Kinds) -> Kinds {
        kinds::seen(kinds, self.psa, self.money)
    }

    /// Lists what there is of money and is not shown, by kind and schema.
    fn hidden(self, kinds: &Kinds) -> Vec<(KindId, Schema)> {
        let of = |kind: &Arc<Kind>| -> Vec<(KindId, Schema)> {
            let with_money = kind.extensions.iter().filter(|schema| schema.holds_money());
            with_money.map(|schema| (kind.id, schema.only_money())).collect()
        };
        if self.money { Vec::new() } else { kinds.iter().flat_map(of).collect() }
    }
}

/// What a connection sees of them.
#[derive(Debug)]
pub(super) struct Sight {
    kinds: Kinds,
    /// Schemas of what is hidden because the credential may not see money.
    hidden: Vec<(KindId, Schema)>,
    whole: Arc<Whole>,
    /// The schemas that are being changed at this moment.
    closing: Vec<String>,
}

/// The keys of a record that come from the tenant's own schemas.
#[derive(Debug, Default)]
pub(super) struct CustomKeys {
    /// Each with the name of its attribute.
    pub(super) unique: Vec<(UniqueKey, String)>,
    pub(super) index: Vec<IndexEntry>,
}

/// The schemas of every tenant, as far as they are held ready.
#[derive(Debug)]
pub(super) struct Schemas {
    /// What is built in, whole.
    built_in: Kinds,
    /// What is built in, as it is seen by whom.
    standard: Vec<(Eyes, Arc<Sight>)>,
    known: Mutex<HashMap<TenantId, Arc<Whole>>>,
    /// The schemas that are being changed at this moment.
    closing: Mutex<Vec<(TenantId, String)>>,
    /// Held while a schema is changed.
    pub(super) changing: Mutex<()>,
}

impl Default for Schemas {
    fn default() -> Self {
        let built_in = kinds::all();
        let whole =
            Arc::new(Whole { kinds: built_in.clone(), customs: Vec::new(), generation: None, fence: None });
        let standard = Eyes::ALL.map(|eyes| {
            let (kinds, hidden) = (eyes.of(&built_in), eyes.hidden(&built_in));
            (eyes, Arc::new(Sight { kinds, hidden, whole: Arc::clone(&whole), closing: Vec::new() }))
        });
        let (known, closing, changing) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { built_in, standard: standard.into(), known, closing, changing }
    }
}

impl Schemas {
    /// What is built in, as everybody sees it where there is nothing else.
    pub(super) fn standard(&self, eyes: Eyes) -> Arc<Sight> {
        let found =
            self.standard.iter().find(|(whose, _)| *whose == eyes).map(|(_, sight)| Arc::clone(sight));
        // Cannot be missing: there is one for all eyes there are.
        found.unwrap_or_else(|| {
            let whole =
                Whole { kinds: self.built_in.clone(), customs: Vec::new(), generation: None, fence: None };
            let (kinds, hidden) = (eyes.of(&self.built_in), eyes.hidden(&self.built_in));
            Arc::new(Sight { kinds, hidden, whole: Arc::new(whole), closing: Vec::new() })
        })
    }

    pub(super) const fn built_in(&self) -> &Kinds {
        &self.built_in
    }

    /// Keeps a schema's data as they are until [`Schemas::reopen`].
    pub(super) fn close(&self, tenant: TenantId, id: &str) {
        self.closing.lock().unwrap_or_else(PoisonError::into_inner).push((tenant, id.to_owned()));
    }

    pub(super) fn reopen(&self, tenant: TenantId, id: &str) {
        let mut closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        closing.retain(|(whose, known)| *whose != tenant || known != id);
    }
}

impl Roster {
    /// Finds out what a connection of a tenant sees, with a credential of these scopes.
    pub(super) fn sight(
        &self,
        snapshot: &dyn Snapshot,
        tenant: TenantId,
        connection: ConnectionId,
        scopes: Scopes,
    ) -> Result<Arc<Sight>, RosterError> {
        let eyes = Eyes::of_credential(connection, scopes);
        let Some(generation) = snapshot.small(tenant, SCHEMA_STATE, GENERATION)? else {
            return Ok(self.schemas.standard(eyes));
        };
        let known = {
            let known = self.schemas.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&tenant).filter(|whole| whole.generation.as_ref() == Some(&generation)).cloned()
        };
        let whole = match known {
            Some(whole) => whole,
            None => {
                let whole = Arc::new(Whole::read(snapshot, tenant, generation, self.kinds())?);
                let mut known = self.schemas.known.lock().unwrap_or_else(PoisonError::into_inner);
                if known.len() >= TENANTS_REMEMBERED_MAX {
                    known.clear();
                }
                known.insert(tenant, Arc::clone(&whole));
                whole
            }
        };
        let all = self.kinds().extended(|kind| whole.seen_by(connection, kind));
        let (kinds, hidden) = (eyes.of(&all), eyes.hidden(&all));
        // After the snapshot: a change that the snapshot knows of has closed its schema before.
        let closing = self.schemas.closing.lock().unwrap_or_else(PoisonError::into_inner);
        let closing =
            closing.iter().filter(|(whose, _)| *whose == tenant).map(|(_, id)| id.clone()).collect();
        Ok(Arc::new(Sight { kinds, hidden, whole, closing }))
    }
}

impl Whole {
    fn read(
        snapshot: &dyn Snapshot,
        tenant: TenantId,
        generation: Vec<u8>,
        built_in: &Kinds,
    ) -> Result<Self, RosterError> {
        let mut customs = Vec::new();
        for row in all_small(snapshot, tenant, SCHEMAS)? {
            let row: SchemaRow = rows::decode(&row.value)?;
            let Definition { kind, schema } = definition(snapshot, tenant, &row.id, row.version)?;
            let keyed = Keyed::all_of(&schema);
            let SchemaRow { connections, building, .. } = row;
            customs.push(Custom { kind, schema: Arc::new(schema), connections, building, keyed });
        }
        let fence = snapshot.small(tenant, SCHEMA_STATE, FENCE)?;
        let of = |wanted| customs.iter().filter(move |custom| custom.kind == wanted);
        let kinds = built_in.extended(|kind| of(kind).map(|custom| Arc::clone(&custom.schema)).collect());
        Ok(Self { kinds, customs, generation: Some(generation), fence })
    }

    fn seen_by(&self, connection: ConnectionId, kind: KindId) -> Vec<Arc<Schema>> {
        let seen = |custom: &&Custom| {
            custom.kind == kind && (connection == LOCAL || custom.connections.contains(&connection))
        };
        self.customs.iter().filter(seen).map(|custom| Arc::clone(&custom.schema)).collect()
    }

    fn custom(&self, kind: KindId, id: &str) -> Option<&Custom> {
        self.customs.iter().find(|custom| custom.kind == kind && custom.schema.id == id)
    }
}

impl Sight {
    pub(super) const fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// Lists the schemas of which something is hidden because the credential may not see money, with that alone.
    pub(super) fn hidden(&self, kind: KindId) -> impl Iterator<Item = &Schema> {
        self.hidden.iter().filter(move |(of, _)| *of == kind).map(|(_, schema)| schema)
    }

    /// Returns a kind with every extension of the tenant, seen or not.
    pub(super) fn whole_kind<'a>(&'a self, kind: &'a Kind) -> &'a Kind {
        self.whole.kinds.by_id(kind.id).map_or(kind, AsRef::as_ref)
    }

    /// The fact that the schemas are what this sight says they are; none where there are none.
    pub(super) fn fence(&self) -> Option<Given> {
        let fence = self.whole.fence.clone()?;
        Some(Given::Small(SCHEMA_STATE, FENCE.to_vec(), Some(fence)))
    }

    /// Adds the segments of a record that the caller does not see.
    pub(super) fn keep_unseen(
        &self,
        snapshot: &dyn Snapshot,
        tenant: TenantId,
        kind: &Kind,
        before: &Stored,
        segments: &mut Vec<Segment>,
    ) -> Result<(), RosterError> {
        for (id, json) in before.segments().skip(1).filter(|(id, _)| !kind.sees(id)) {
            if self.whole.custom(kind.id, schema_of(id)).is_none()
                && snapshot.small(tenant, SCHEMA_STATE, GENERATION)? != self.whole.generation
            {
                // It came after the caller was let in, so that its keys are not known here.
                return Err(RosterError::Busy);
            }
            segments.push(Segment { urn: id.to_owned(), json: json.to_owned() });
        }
        Ok(())
    }

    /// Refuses to change the data of a schema that is being changed itself: soon they may be something else.
    pub(super) fn refuse_closed(
        &self,
        before: Option<&Stored>,
        after: &[Segment],
    ) -> Result<(), RosterError> {
        let building = self.whole.customs.iter().filter(|custom| custom.building);
        let closed = building.map(|custom| &custom.schema.id).chain(&self.closing);
        for id in closed {
            let money = format!("{id}{MONEY}");
            for id in [id, &money] {
                let old = before.and_then(|before| before.segments().find(|(known, _)| known == id));
                let new = after.iter().find(|segment| segment.urn == *id);
                if old.map(|(_, json)| json) != new.map(|segment| segment.json.as_str()) {
                    return Err(RosterError::Busy);
                }
            }
        }
        Ok(())
    }

    /// Computes the keys of a record that come from the tenant's own schemas, the caller's or not.
    pub(super) fn keys(&self, kind: KindId, segments: &[Segment]) -> Result<CustomKeys, RosterError> {
        let mut keys = CustomKeys::default();
        for segment in segments.iter().skip(1) {
            let id = schema_of(&segment.urn);
            let Some(custom) = self.whole.custom(kind, id) else { continue };
            let carried = IndexEntry { index: keyed::CARRIED, value: keyed::carried(id) };
            if !keys.index.contains(&carried) {
                keys.index.push(carried);
            }
            if custom.keyed.is_empty() {
                continue;
            }
            let attributes: Map<String, Value> = serde_json::from_str(&segment.json)
                .map_err(|error| RosterError::Broken(format!("a segment of {}: {error}", segment.urn)))?;
            for keyed in &custom.keyed {
                for value in keyed.of_attributes(&attributes) {
                    if keyed.unique {
                        let name = format!("{id}:{}", keyed.name);
                        keys.unique.push((UniqueKey { index: keyed::UNIQUE, value }, name));
                    } else {
                        keys.index.push(IndexEntry { index: keyed::INDEXED, value });
                    }
                }
            }
        }
        Ok(keys)
    }

    /// Finds an attribute by which resources are found, unless they are being indexed at this moment.
    pub(super) fn keyed(&self, kind: KindId, id: &str, name: &str, sub: Option<&str>) -> Option<&Keyed> {
        let custom = self.whole.custom(kind, id)?;
        if custom.building || self.closing.iter().any(|closed| closed == id) {
            return None;
        }
        // A complex attribute is compared by its value.
        let wanted = sub.or_else(|| {
            let attribute = custom.schema.attribute(name)?;
            (!attribute.sub_attributes.is_empty()).then_some("value")
        });
        custom.keyed.iter().find(|keyed| keyed.name == name && keyed.sub.as_deref() == wanted)
    }
}

/// Returns the schema of a segment, of its financial attributes as well.
fn schema_of(segment: &str) -> &str {
    segment.strip_suffix(MONEY).unwrap_or(segment)
}

/// Reads one version of a schema.
pub(super) fn definition(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    id: &str,
    version: u32,
) -> Result<Definition, RosterError> {
    let row = version_row(snapshot, tenant, id, version)?
        .ok_or_else(|| RosterError::Broken(format!("version {version} of the schema {id} is missing")))?;
    let read = Definition::read(&row.document.to_string())
        .map_err(|mistakes| RosterError::Broken(format!("the schema {id} as it is stored: {mistakes}")))?;
    Ok(read.definition)
}

/// Reads what is kept of one version of a schema.
pub(super) fn version_row(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    id: &str,
    version: u32,
) -> Result<Option<SchemaVersionRow>, RosterError> {
    snapshot
        .small(tenant, SCHEMA_VERSIONS, &rows::schema_version(id, version))?
        .map(|bytes| rows::decode(&bytes))
        .transpose()
}
