//! Telling plugins of what was committed: from an entry of the history to what a plugin is told, and how it takes it.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::{connections, subject, told};
use crate::ids::{Address, KindId, TenantId};
use crate::psa::calendar::today;
use crate::roster::depart::people;
use crate::roster::error::RosterError;
use crate::roster::hooks::{About, Failure, Notice, Operation, Plugin, Series, Then};
use crate::roster::person::{attributes, zone};
use crate::roster::{LOCAL, Roster};
use crate::scim::Document;
use crate::store::{Action, Change, Facts, LogRow, Stored, Values};

/// A plugin that reacts, and the name of a tenant of which it is told.
pub type ToldOf = (String, Arc<dyn Plugin>);

/// How a plugin took what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// It knows.
    Taken,
    /// It is none of its business.
    NotForIt,
    /// It is to be told again; why, in a word.
    Failed(&'static str),
}

impl Roster {
    /// Lists the plugins that react, each with the tenants of which it is told.
    pub fn reacting(&self) -> Result<Vec<ToldOf>, RosterError> {
        let all = self.plugins();
        let reacting: Vec<_> = all.iter().filter(|plugin| plugin.hooks().react).collect();
        let mut found = Vec::new();
        if reacting.is_empty() {
            return Ok(found);
        }
        let snapshot = self.store.snapshot()?;
        for (name, number) in Self::all_tenants(snapshot.as_ref())? {
            let connections = connections(snapshot.as_ref(), number)?;
            for plugin in &reacting {
                if connections.iter().any(|(_, connection)| plugin.serves(&name, connection)) {
                    found.push((name.clone(), Arc::clone(plugin)));
                }
            }
        }
        Ok(found)
    }

    /// Tells a plugin of an entry of a tenant's history. `id` is the same whenever it is told. Money is left out, by name and by value, unless it
    /// was granted.
    pub fn tell_plugin(
        &self,
        plugin: &dyn Plugin,
        tenant: (TenantId, &str),
        row: &LogRow,
        id: String,
    ) -> Result<Reaction, RosterError> {
        let (number, name) = tenant;
        let broken = |error: serde_json::Error| RosterError::Broken(format!("entry {}: {error}", row.seq.0));
        let facts: Facts = serde_json::from_slice(&row.facts).map_err(broken)?;
        let of_a_person = |at: &Address| matches!(at.kind, KindId::USER | KindId::DEPARTED);
        let Some(at) = facts.subject.filter(|at| of_a_person(at) && facts.result == "ok") else {
            return Ok(Reaction::NotForIt);
        };
        let changes = if row.values.is_empty() {
            facts.attributes.iter().map(|name| Change::of(name.clone(), None, None)).collect()
        } else {
            serde_json::from_slice::<Values>(&row.values).map_err(broken)?.changes
        };
        let snapshot = self.store.snapshot()?;
        let names = connections(snapshot.as_ref(), number)?;
        let called = |id| names.iter().find(|(known, _)| *known == id).map(|(_, name)| name.as_str());
        let stored = snapshot.get(number, Address::user(at.id))?;
        let whose = stored.as_ref().and_then(Stored::connection);
        let source = facts.connection.and_then(called);
        let mut sources = [source, whose.and_then(called)].into_iter().flatten();
        if !sources.any(|source| plugin.serves(name, source)) {
            return Ok(Reaction::NotForIt);
        }
        let grant = plugin.grant();
        let may_know = |change: &&Change| {
            let (urn, short) = match change.attribute.rsplit_once(':') {
                Some((urn, short)) => (Some(urn), short),
                None => (None, change.attribute.as_str()),
            };
            let money = change.money || crate::roster::is_money(&change.attribute);
            change.attribute != crate::roster::SHADOW && (!money || grant.shows(urn, short))
        };
        let changed: Vec<String> =
            changes.iter().filter(may_know).map(|change| change.attribute.clone()).collect();
        if changed.is_empty() && !changes.is_empty() {
            // All that happened is none of its business.
            return Ok(Reaction::NotForIt);
        }
        let caller = self.on_behalf_of_whose(number, at.id, facts.request)?;
        let user = match &stored {
            None => None,
            Some(stored) => {
                let kind = people(&caller)?;
                let user = subject::of_stored(snapshot.as_ref(), &caller, kind, stored, grant)?;
                Some(subject::without_money(&caller, kind, grant, Cow::Owned(user)).into_owned())
            }
        };
        let psa = stored.as_ref().map(attributes).transpose()?.unwrap_or_default();
        let nobody = Document::default();
        let document = user.as_ref().map_or(&nobody, |user| &user.document);
        let zone = zone(snapshot.as_ref(), &caller, document, &psa)?;
        let connection = facts.connection.unwrap_or(LOCAL);
        let about = About {
            tenant: name.to_owned(),
            source: called(connection).unwrap_or_default().to_owned(),
            operation: operation(facts.action, &changes),
            request: facts.request,
            now: facts.when,
            today: today(facts.when, &zone).date(),
            dry_run: false,
            series: Series::Alone,
        };
        let notice = Notice { id, sequence: row.seq.0, subject: at.id, changed, user };
        drop(snapshot);
        Ok(took(plugin, &about, &notice))
    }
}

fn took(plugin: &dyn Plugin, about: &About, notice: &Notice) -> Reaction {
    match plugin.react(about, notice) {
        Ok(remarks) => {
            for remark in remarks.iter().take(16) {
                let (code, detail) =
                    (super::matter::shorten(&remark.code), super::matter::shorten(&remark.detail));
                tracing::info!(plugin = plugin.name(), event = %notice.id, code, detail, "a plugin has reacted");
            }
            Reaction::Taken
        }
        Err(failure) => {
            let outcome = told::outcome(&failure);
            let (Failure::Problem(crate::roster::hooks::Problem { detail, .. }) | Failure::Broke(_, detail)) =
                &failure;
            tracing::warn!(plugin = plugin.name(), event = %notice.id, outcome, %detail, "a plugin could not be told");
            match plugin.policy().react {
                Then::Skip | Then::Omit => Reaction::Taken,
                _ => Reaction::Failed(outcome),
            }
        }
    }
}

/// Says what the directory did.
fn operation(action: Action, changes: &[Change]) -> Operation {
    let active = changes.iter().find(|change| change.attribute == "active");
    let active = active.and_then(|change| change.new.as_ref()).and_then(Value::as_bool);
    match (action, active) {
        (Action::Create | Action::AdminCreate | Action::Rehire, _) => Operation::Create,
        (Action::Delete, _) => Operation::Delete,
        (Action::Lock, _) => Operation::Lock,
        (Action::Unlock, _) => Operation::Unlock,
        (Action::SignIn, _) => Operation::SignIn,
        (Action::Reclaim, _) | (_, Some(true)) => Operation::Activate,
        (_, Some(false)) => Operation::Deactivate,
        (Action::Replace, _) => Operation::Replace,
        (Action::Remap, _) => Operation::Remap,
        _ => Operation::Patch,
    }
}
