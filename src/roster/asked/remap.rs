//! What an operator asks for: to have people mapped anew, and see the difference first; who waits; and what a plugin would propose today beside
//! what the history says it proposed.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::matter::Parked;
use super::{ParkedView, Run, Served, subject, told};
use crate::ids::{Address, ConnectionId, KindId, ResourceId};
use crate::psa::calendar::today;
use crate::psa::standing::Writer;
use crate::roster::commit::Plan;
use crate::roster::depart::people;
use crate::roster::error::RosterError;
use crate::roster::hooks::{About, Operation, Plugin, Series};
use crate::roster::locks::plan_act;
use crate::roster::person::{attributes, standing, zone};
use crate::roster::rules::Act;
use crate::roster::{Caller, LOCAL, Roster};
use crate::scim::Document;
use crate::store::{Action, Asked, Facts, Seq, Snapshot, Values};

/// Most people who are looked at for one answer.
const PEOPLE_AT_ONCE_MAX: usize = 200;
/// Most rows of the history that are looked at for one answer.
const ROWS_AT_ONCE_MAX: usize = 500;

/// Most calls that are asked again for one answer.
const CALLS_AT_ONCE_MAX: usize = 100;

/// What an operator asks about plugins.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PluginAsk {
    /// To map people anew.
    Remap {
        /// By this plugin alone; by all where `None`.
        plugin: Option<String>,
        /// Only those of this connection.
        connection: Option<String>,
        /// From just after this person, in order of id.
        after: Option<ResourceId>,
        /// How many at the most.
        limit: usize,
        /// Whether to write; otherwise it is only said what would be written.
        apply: bool,
    },
    /// Who waits to be mapped.
    Parked {
        /// From just after this person, in order of id.
        after: Option<ResourceId>,
        /// How many at the most.
        limit: usize,
    },
    /// What a plugin would propose today beside what it proposed.
    Replay {
        /// Which.
        plugin: String,
        /// Not before.
        since: Timestamp,
        /// After which entry of the history.
        after: u64,
    },
}

/// What an operator is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum PluginAnswer {
    /// People, and what became of each.
    Remapped {
        /// Those of whom there is something to say.
        people: Vec<Remapped>,
        /// How many were looked at.
        looked: u64,
        /// After whom to go on; `None` at the end.
        next: Option<ResourceId>,
        /// How many people the tenant has.
        all: u64,
    },
    /// Who waits.
    Parked {
        /// In order of id.
        people: Vec<ParkedView>,
    },
    /// Calls, then and now.
    Replayed {
        /// Oldest first.
        calls: Vec<Replayed>,
        /// After which entry to go on; `None` at the end.
        next: Option<u64>,
    },
}

/// What mapping somebody anew changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Remapped {
    /// Who.
    pub id: ResourceId,
    /// What they sign in with.
    pub user_name: String,
    /// What is otherwise than before: attribute, old, new.
    pub changes: Vec<(String, Option<Value>, Option<Value>)>,
    /// What was refused of what plugins proposed: plugin, why.
    pub refused: Vec<(String, String)>,
    /// Why nothing was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// What the history says of one call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recorded {
    /// The entry's number.
    pub seq: u64,
    /// When.
    pub when: Timestamp,
    /// About whom.
    pub person: ResourceId,
    /// What the directory was doing.
    pub operation: String,
    /// The build and settings that were asked.
    pub fingerprint: String,
    /// How it ended.
    pub outcome: String,
    /// What it proposed.
    pub proposals: Vec<Value>,
}

/// A call then, and the same asked of the plugin that is loaded, about the person as they are today.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Replayed {
    /// Then.
    pub recorded: Recorded,
    /// Whether it is the same build with the same settings and tables.
    pub same_plugin: bool,
    /// Whether it is shown the same today as it was then.
    pub same_input: bool,
    /// What it proposes today, or why it cannot be asked.
    pub today: Result<Vec<Value>, String>,
}

impl Replayed {
    /// Tells whether it proposes today what it proposed then.
    pub fn is_same(&self) -> bool {
        self.today.as_ref().is_ok_and(|today| *today == self.recorded.proposals)
    }
}

impl Roster {
    /// Answers what an operator asks of a tenant's plugins.
    pub(in crate::roster) fn about_plugins(
        &self,
        caller: &Caller,
        ask: PluginAsk,
    ) -> Result<PluginAnswer, RosterError> {
        match ask {
            PluginAsk::Parked { after, limit } => {
                Ok(PluginAnswer::Parked { people: self.parked(caller, after, limit)? })
            }
            PluginAsk::Remap { plugin, connection, after, limit, apply } => {
                self.refuse_unless_loaded(plugin.as_deref())?;
                let connection = connection.map(|name| self.connection_id(caller, &name)).transpose()?;
                self.remap(caller, plugin.as_deref(), connection, after, limit, apply)
            }
            PluginAsk::Replay { plugin, since, after } => {
                let plugin = self.refuse_unless_loaded(Some(&plugin))?;
                self.replay(caller, plugin.as_deref(), since, Seq(after))
            }
        }
    }

    fn refuse_unless_loaded(
        &self,
        name: Option<&str>,
    ) -> Result<Option<std::sync::Arc<dyn Plugin>>, RosterError> {
        let all = self.plugins();
        if all.is_empty() {
            return Err(RosterError::Unfit(
                "no plugin is loaded; plugins are asked by a daemon that serves, with [[plugins]] in its settings"
                    .to_owned(),
            ));
        }
        let Some(name) = name else { return Ok(None) };
        let found = all.iter().find(|plugin| plugin.name() == name).cloned();
        found.map(Some).ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(|plugin| plugin.name()).collect();
            RosterError::Unknown(format!("no plugin is named \"{name}\"; there are: {}", known.join(", ")))
        })
    }

    fn remap(
        &self,
        caller: &Caller,
        plugin: Option<&str>,
        connection: Option<ConnectionId>,
        after: Option<ResourceId>,
        limit: usize,
        apply: bool,
    ) -> Result<PluginAnswer, RosterError> {
        let snapshot = self.store.snapshot()?;
        let limit = limit.clamp(1, PEOPLE_AT_ONCE_MAX);
        let ids = snapshot.ids(caller.tenant, KindId::USER, after, 0, limit)?;
        let all = snapshot.count(caller.tenant, KindId::USER)?;
        drop(snapshot);
        let next = ids.last().copied().filter(|_| ids.len() == limit);
        let mut people = Vec::new();
        let looked = ids.len() as u64;
        for id in ids {
            let whose = self.on_behalf_of_whose(caller.tenant, id, caller.request)?;
            if connection.is_some_and(|wanted| wanted != whose.connection) {
                continue;
            }
            let Some(served) = whose.served.as_deref().and_then(|served| only(served, plugin)) else {
                continue;
            };
            let whose = Caller {
                served: Some(std::sync::Arc::new(served)),
                run: Run { dry: !apply, ..whose.run.clone() },
                who: caller.who,
                ..whose
            };
            people.extend(self.remap_one(&whose, id, apply)?);
        }
        Ok(PluginAnswer::Remapped { people, looked, next, all })
    }

    /// Maps one person, or says what would come of it; `None` where there is nothing to say.
    fn remap_one(
        &self,
        caller: &Caller,
        id: ResourceId,
        apply: bool,
    ) -> Result<Option<Remapped>, RosterError> {
        let mut told =
            Remapped { id, user_name: String::new(), changes: Vec::new(), refused: Vec::new(), failed: None };
        let mut rule = |snapshot: &dyn Snapshot| {
            let mut plan = Plan::default();
            let changed = plan_act(snapshot, caller, id, Act::Map, &mut plan)?;
            told.user_name = login(snapshot, caller, id)?;
            told.changes = plan
                .changes
                .iter()
                .map(|change| (change.attribute.clone(), change.old.clone(), change.new.clone()))
                .collect();
            told.refused = refused(&plan.asked.called);
            let failed = plan.asked.parked.as_ref();
            told.failed = failed.map(|Parked { plugin, why }| format!("{plugin}: {why}"));
            let goes = changed && told.failed.is_none();
            if goes {
                super::clear(snapshot, caller, id, &mut plan)?;
            }
            Ok((goes.then_some(plan), ()))
        };
        let done = if apply {
            self.carry_out(caller, Action::Remap, rule)
        } else {
            rule(self.store.snapshot()?.as_ref()).map(drop)
        };
        match done {
            Ok(()) => {}
            Err(RosterError::NotFound) => return Ok(None),
            Err(error @ (RosterError::Full | RosterError::Broken(_) | RosterError::Busy)) => {
                return Err(error);
            }
            Err(error) => told.failed = Some(error.to_string()),
        }
        let something = !told.changes.is_empty() || !told.refused.is_empty() || told.failed.is_some();
        Ok(something.then_some(told))
    }

    fn replay(
        &self,
        caller: &Caller,
        plugin: Option<&dyn Plugin>,
        since: Timestamp,
        after: Seq,
    ) -> Result<PluginAnswer, RosterError> {
        let Some(plugin) = plugin else { return Err(RosterError::NotFound) };
        let rows = self.store.snapshot()?.changes(caller.tenant, after, ROWS_AT_ONCE_MAX)?;
        let mut next = rows.last().filter(|_| rows.len() == ROWS_AT_ONCE_MAX).map(|row| row.seq.0);
        let mut calls = Vec::new();
        for row in rows {
            let broken =
                |error: serde_json::Error| RosterError::Broken(format!("entry {}: {error}", row.seq.0));
            let facts: Facts = serde_json::from_slice(&row.facts).map_err(broken)?;
            let Some(at) = facts.subject.filter(|_| facts.when >= since && !row.values.is_empty()) else {
                continue;
            };
            if !facts.asked.iter().any(|name| name == plugin.name()) {
                continue;
            }
            let values: Values = serde_json::from_slice(&row.values).map_err(broken)?;
            // A moment for each: a plugin may take its time, and none is to hold on to the store's pages.
            let snapshot = self.store.snapshot()?;
            for call in
                values.asked.iter().filter(|call| call.plugin == plugin.name() && call.hook == told::MAP)
            {
                calls.push(self.replay_one(
                    caller,
                    snapshot.as_ref(),
                    plugin,
                    row.seq,
                    &facts,
                    at.id,
                    call,
                )?);
            }
            if calls.len() >= CALLS_AT_ONCE_MAX {
                next = Some(row.seq.0);
                break;
            }
        }
        Ok(PluginAnswer::Replayed { calls, next })
    }

    #[expect(clippy::too_many_arguments, reason = "one call, and everything that it is compared with")]
    fn replay_one(
        &self,
        caller: &Caller,
        snapshot: &dyn Snapshot,
        plugin: &dyn Plugin,
        seq: Seq,
        facts: &Facts,
        person: ResourceId,
        call: &Asked,
    ) -> Result<Replayed, RosterError> {
        let recorded = Recorded {
            seq: seq.0,
            when: facts.when,
            person,
            operation: call.operation.clone(),
            fingerprint: call.fingerprint.clone(),
            outcome: call.outcome.clone(),
            proposals: call.proposals.iter().map(|one| one.proposal.clone()).collect(),
        };
        let same_plugin = plugin.fingerprint() == call.fingerprint;
        let asked = self.ask_today(caller, snapshot, plugin, facts, person, call)?;
        let (same_input, today) = match asked {
            None => (false, Err("the person is not there any more".to_owned())),
            Some((input, answer)) => (input == call.input, answer),
        };
        Ok(Replayed { recorded, same_plugin, same_input, today })
    }

    /// Asks a plugin about a person as they are, as of the moment and the operation of an entry.
    #[expect(clippy::type_complexity, reason = "the digest of what was shown, and the answer")]
    fn ask_today(
        &self,
        caller: &Caller,
        snapshot: &dyn Snapshot,
        plugin: &dyn Plugin,
        facts: &Facts,
        person: ResourceId,
        call: &Asked,
    ) -> Result<Option<(String, Result<Vec<Value>, String>)>, RosterError> {
        let Some(stored) = snapshot.get(caller.tenant, Address::user(person))? else { return Ok(None) };
        let whose = self.on_behalf_of_whose(caller.tenant, person, caller.request)?;
        let Some(served) = &whose.served else {
            return Ok(Some((String::new(), Err("it does not serve the person's connection".to_owned()))));
        };
        let kind = people(&whose)?;
        let user = Cow::Owned(subject::of_stored(snapshot, &whose, kind, &stored, plugin.grant())?);
        let user = subject::without_money(&whose, kind, plugin.grant(), user);
        let psa: Map<String, Value> = attributes(&stored)?;
        let owner = if stored.connection() == Some(LOCAL) { Writer::Admin } else { Writer::Idp };
        let noted = standing(&stored, true)?.writers;
        let held = subject::held(snapshot, &whose, &psa, subject::writers(&psa, &noted, &owner))?;
        let zone = zone(snapshot, &whose, &user.document, &psa)?;
        let about = About {
            tenant: served.tenant.as_ref().to_owned(),
            source: served.source.clone(),
            operation: operation_called(&call.operation),
            request: facts.request,
            now: facts.when,
            today: today(facts.when, &zone).date(),
            dry_run: true,
            series: Series::Alone,
        };
        let input = told::digest(&about, &user, Some(&held));
        let answer = match plugin.map(&about, &user, &held) {
            Ok(mapped) => Ok(mapped.proposals.iter().map(told::proposal).collect()),
            Err(failure) => Err(told::outcome(&failure).to_owned()),
        };
        Ok(Some((input, answer)))
    }
}

/// The plugins of a connection, with only one of them asked for a mapping; `None` where none would be.
fn only(served: &Served, plugin: Option<&str>) -> Option<Served> {
    let maps = |one: &&std::sync::Arc<dyn Plugin>| one.hooks().map;
    let wanted = |name: &str| plugin.is_none_or(|plugin| plugin == name);
    served.plugins.iter().filter(maps).find(|one| wanted(one.name()))?;
    let plugins =
        served.plugins.iter().filter(|one| wanted(one.name()) || !one.hooks().map).cloned().collect();
    Some(Served { tenant: served.tenant.clone(), source: served.source.clone(), plugins })
}

fn refused(called: &[Asked]) -> Vec<(String, String)> {
    let each = called.iter().flat_map(|call| {
        let refused = call.proposals.iter().filter_map(|one| one.refused.clone());
        refused.map(|why| (call.plugin.clone(), why))
    });
    each.collect()
}

fn login(snapshot: &dyn Snapshot, caller: &Caller, id: ResourceId) -> Result<String, RosterError> {
    let stored = snapshot.get(caller.tenant, Address::user(id))?.ok_or(RosterError::NotFound)?;
    let document = Document::from_segments(stored.segments().take(1))
        .map_err(|error| RosterError::Broken(format!("{id}: {error}")))?;
    Ok(document.user_name().unwrap_or_default().to_owned())
}

/// Reads the word for an operation.
fn operation_called(word: &str) -> Operation {
    use Operation::{Activate, Create, Deactivate, Delete, Lock, Patch, Remap, Replace, SignIn, Unlock};
    [Create, Replace, Patch, Activate, Deactivate, Lock, Unlock, Delete, SignIn, Remap]
        .into_iter()
        .find(|one| told::operation(*one) == word)
        .unwrap_or(Remap)
}
