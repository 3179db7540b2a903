//! A write of a person, put before the plugins of the caller's connection: who may come in (gate), what follows for the firm's own side (map),
//! and what is wrong with the outcome (validate).
//!
//! What takes access away is put before nobody: it waits for no plugin. A failure comes to what the plugin's policy says, and never to more
//! than that.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::propose::Trial;
use super::subject::{self, Wants, held, owner, without_money, writers};
use super::{Served, told};
use crate::psa::calendar::{Zone, today};
use crate::psa::standing::Standing;
use crate::roster::Caller;
use crate::roster::error::RosterError;
use crate::roster::hooks::{
    About, Failure, Finding, Held, Mapped, Operation, Plugin, Problem, ProblemKind, Series, Severity,
    Subject, Then, Verdict,
};
use crate::roster::rules::{Act, Draft, Settled};
use crate::scim::{Refusal, Why};
use crate::store::{Asked, Proposed, Snapshot};

/// Most proposals of one answer that are looked at.
const PROPOSALS_MAX: usize = 200;
/// Most findings of one answer that are looked at.
const FINDINGS_MAX: usize = 100;
/// Findings of one answer that the facts of an entry name. The others stand among its values only.
const REMARKS_MAX: usize = 16;
/// Longest code of a finding that the facts name.
const CODE_CHARACTERS_MAX: usize = 64;
/// Longest text of a plugin that goes to a client or into a row.
const TEXT_CHARACTERS_MAX: usize = 500;

/// What asking came to.
#[derive(Debug, Clone, Default)]
pub(in crate::roster) struct Answered {
    /// Who was asked, and what they said.
    pub called: Vec<Asked>,
    /// Which attribute was set by which plugin, by full name.
    pub writers: BTreeMap<String, String>,
    /// Whether the person was mapped.
    pub mapped: bool,
    /// Why they were not, and are to be later.
    pub parked: Option<Parked>,
}

impl Answered {
    /// Names the plugins that were asked for a mapping.
    pub(in crate::roster) fn mappers(&self) -> Vec<String> {
        self.called.iter().filter(|call| call.hook == told::MAP).map(|call| call.plugin.clone()).collect()
    }
}

/// Why somebody is to be mapped later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::roster) struct Parked {
    /// Which plugin could not.
    pub plugin: String,
    /// Why, in a few words of ours.
    pub why: String,
}

/// A write of a person, as far as it is settled before anybody is asked.
pub(in crate::roster) struct Matter<'m> {
    pub snapshot: &'m dyn Snapshot,
    pub caller: &'m Caller,
    /// The PSA attributes as they are stored.
    pub old: &'m Map<String, Value>,
    /// Where the person stood.
    pub was: &'m Standing,
    /// Where they are to stand.
    pub now: &'m Standing,
    pub act: Act<'m>,
    pub zone: &'m Zone,
}

/// What follows from a failure.
enum Follows {
    /// The request is refused.
    Refused(RosterError),
    /// The person is mapped later.
    Later(Parked),
    /// As if the plugin were not there.
    Passed,
}

impl Matter<'_> {
    /// Says what the directory is doing; `None` where nobody is asked.
    fn operation(&self, draft: &Draft<'_>) -> Option<Operation> {
        let is_new = draft.before.is_none() || matches!(self.act, Act::Return);
        let locked_anew = self.now.locks.iter().any(|lock| self.was.locks.by(lock.authority).is_none());
        if !is_new && locked_anew {
            return None;
        }
        let let_in = self.was.locks.is_locked() && !self.now.locks.is_locked();
        match self.act {
            Act::Map => Some(Operation::Remap),
            Act::Lock(..) | Act::Invited(_) | Act::Came(_) | Act::Look => None,
            Act::Unlock(_) => let_in.then_some(Operation::Unlock),
            Act::Said | Act::Return if is_new => Some(Operation::Create),
            Act::Said | Act::Return if let_in => Some(Operation::Activate),
            Act::Said | Act::Return => Some(draft.errand.operation),
        }
    }
}

/// Puts a write before the plugins of the caller's connection, and takes over what they say.
pub(in crate::roster) fn ask(
    matter: &Matter<'_>,
    draft: &mut Draft<'_>,
    psa: &mut Map<String, Value>,
    settled: &mut Settled,
) -> Result<(), RosterError> {
    let Some(served) = &matter.caller.served else { return Ok(()) };
    let Some(operation) = matter.operation(draft) else { return Ok(()) };
    let hooks = |plugin: &dyn Plugin| {
        let hooks = plugin.hooks();
        (asks_gate(operation) && hooks.gate) || hooks.map || hooks.validate
    };
    if !served.plugins.iter().any(|plugin| hooks(plugin.as_ref())) {
        return Ok(());
    }
    let wants = Wants::of(served.plugins.iter().filter(|one| hooks(one.as_ref())).map(|one| one.grant()));
    let about = about(matter, served, operation);
    let active = !matter.now.locks.is_locked();
    let user = subject::of_draft(matter.snapshot, matter.caller, draft, active, wants)?;
    let mut asking = Asking { matter, served, about, user, active, wants, settled };
    if asks_gate(operation) {
        asking.gate(draft)?;
    }
    asking.map(draft, psa)?;
    asking.validate(draft, psa)
}

/// Tells whether somebody comes in, so that gates are asked.
const fn asks_gate(operation: Operation) -> bool {
    matches!(operation, Operation::Create | Operation::Activate | Operation::Unlock)
}

fn about(matter: &Matter<'_>, served: &Served, operation: Operation) -> About {
    let caller = matter.caller;
    About {
        tenant: served.tenant.as_ref().to_owned(),
        source: served.source.clone(),
        operation,
        request: caller.request,
        now: caller.now,
        today: today(caller.now, matter.zone).date(),
        dry_run: caller.run.dry,
        series: match caller.run.batch {
            Some(batch) => Series::Batch(batch),
            None if caller.run.dry => Series::Alone,
            None => Series::Sync,
        },
    }
}

struct Asking<'a, 'm> {
    matter: &'a Matter<'m>,
    served: &'a Served,
    about: About,
    user: Subject,
    active: bool,
    wants: Wants,
    settled: &'a mut Settled,
}

impl Asking<'_, '_> {
    /// Shows a plugin the person, without money that it was not granted.
    fn shown(&self, plugin: &dyn Plugin, draft: &Draft<'_>) -> Cow<'_, Subject> {
        without_money(self.matter.caller, draft.kind, plugin.grant(), Cow::Borrowed(&self.user))
    }

    fn gate(&mut self, draft: &Draft<'_>) -> Result<(), RosterError> {
        for plugin in self.served.plugins.iter().filter(|plugin| plugin.hooks().gate) {
            let user = self.shown(plugin.as_ref(), draft);
            let mut call =
                told::call(plugin.as_ref(), told::GATE, &self.about, told::digest(&self.about, &user, None));
            match plugin.admit(&self.about, &user) {
                Ok(Verdict::Allow) => {}
                Ok(Verdict::Deny(why)) => {
                    return Err(RosterError::Denied(format!(
                        "the plugin {} does not admit the person: {}",
                        plugin.name(),
                        shorten(&why)
                    )));
                }
                Err(failure) => {
                    // Nobody is let in to be looked at later.
                    let then = match plugin.policy().gate {
                        Then::Reject => Then::Reject,
                        Then::Skip | Then::Omit => Then::Skip,
                        Then::Deny | Then::Park | Then::Retry => Then::Deny,
                    };
                    told::outcome(&failure).clone_into(&mut call.outcome);
                    match self.follows(plugin.as_ref(), told::GATE, then, &failure) {
                        Follows::Refused(error) => return Err(error),
                        Follows::Later(_) | Follows::Passed => {}
                    }
                }
            }
            self.settled.asked.called.push(call);
        }
        Ok(())
    }

    fn map(&mut self, draft: &mut Draft<'_>, psa: &mut Map<String, Value>) -> Result<(), RosterError> {
        let mappers: Vec<_> = self.served.plugins.iter().filter(|plugin| plugin.hooks().map).collect();
        if mappers.is_empty() {
            return Ok(());
        }
        let (matter, kind, at) = (self.matter, draft.kind, draft.at);
        let said = std::mem::take(psa);
        let mut trial = Trial {
            snapshot: matter.snapshot,
            caller: matter.caller,
            kind,
            at,
            is_new: draft.before.is_none(),
            old: matter.old,
            psa: said.clone(),
            said,
            said_document: std::mem::take(&mut draft.wanted),
            document: None,
            before: draft.before.map(|before| before.kept),
            noted: &matter.was.writers,
            owner: owner(draft, matter.caller),
            changed: BTreeMap::new(),
            set: BTreeMap::new(),
            given: Vec::new(),
        };
        for plugin in mappers {
            if let Some(document) = trial.document.take() {
                // It sees what those before it set.
                draft.wanted = document;
                self.user =
                    subject::of_draft(matter.snapshot, matter.caller, draft, self.active, self.wants)?;
                trial.document = Some(std::mem::take(&mut draft.wanted));
            }
            let held = self.held(&trial)?;
            let user = self.shown(plugin.as_ref(), draft);
            let input = told::digest(&self.about, &user, Some(&held));
            let mut call = told::call(plugin.as_ref(), told::MAP, &self.about, input);
            match plugin.map(&self.about, &user, &held) {
                Ok(mapped) => {
                    call.fuel = mapped.fuel;
                    drop(user);
                    self.propose(plugin.as_ref(), &mapped, &mut trial, &mut call)?;
                    self.settled.asked.called.push(call);
                }
                Err(failure) => {
                    drop(user);
                    told::outcome(&failure).clone_into(&mut call.outcome);
                    self.settled.asked.called.push(call);
                    let then = match plugin.policy().map {
                        Then::Retry => Then::Park,
                        other => other,
                    };
                    match self.follows(plugin.as_ref(), told::MAP, then, &failure) {
                        Follows::Refused(error) => return Err(error),
                        Follows::Passed => {}
                        Follows::Later(parked) => {
                            // The firm's own side stays as it was: what the plugins before this one proposed is not taken either.
                            self.settled.asked.parked = Some(parked);
                            (*psa, draft.wanted) = (trial.said, trial.said_document);
                            return Ok(());
                        }
                    }
                }
            }
        }
        *psa = trial.psa;
        let (wanted, said_document) = match trial.document {
            Some(changed) => (changed, Some(trial.said_document)),
            None => (trial.said_document, None),
        };
        draft.wanted = wanted;
        self.settled.said = Some((trial.said, said_document));
        self.settled.given.append(&mut trial.given);
        self.settled.asked.writers = trial.changed;
        self.settled.asked.mapped = true;
        Ok(())
    }

    /// Takes over what a plugin proposes.
    fn propose(
        &mut self,
        plugin: &dyn Plugin,
        mapped: &Mapped,
        trial: &mut Trial<'_>,
        call: &mut Asked,
    ) -> Result<(), RosterError> {
        let mut refused = 0_usize;
        for proposal in mapped.proposals.iter().take(PROPOSALS_MAX) {
            let outcome = trial.apply(plugin, proposal)?.err();
            refused = refused.saturating_add(usize::from(outcome.is_some()));
            call.proposals.push(Proposed {
                proposal: told::proposal(proposal),
                money: trial.is_of_money(proposal),
                refused: outcome.map(|why| shorten(&why)),
            });
        }
        let left_out = mapped.proposals.len().saturating_sub(PROPOSALS_MAX);
        if left_out > 0 {
            self.remark(plugin, format!("{left_out} proposals beyond {PROPOSALS_MAX} were left out"));
        }
        if refused > 0 {
            self.remark(plugin, format!("{refused} of {} proposals were refused", mapped.proposals.len()));
        }
        Ok(())
    }

    fn held(&self, trial: &Trial<'_>) -> Result<Held, RosterError> {
        let matter = self.matter;
        let mut writers = writers(&trial.psa, &matter.was.writers, &trial.owner);
        for (name, plugin) in &trial.changed {
            let short = name.strip_prefix(crate::psa::urn::USER).and_then(|rest| rest.strip_prefix(':'));
            if let Some(short) = short.filter(|short| trial.psa.contains_key(*short)) {
                writers.insert(short.to_owned(), crate::psa::standing::Writer::Plugin(plugin.clone()));
            }
        }
        held(matter.snapshot, matter.caller, &trial.psa, writers)
    }

    /// Has the outcome looked at. What is wrong is told as one error; the rest goes to the history.
    fn validate(&mut self, draft: &mut Draft<'_>, psa: &mut Map<String, Value>) -> Result<(), RosterError> {
        let validators: Vec<_> =
            self.served.plugins.iter().filter(|plugin| plugin.hooks().validate).collect();
        if validators.is_empty() {
            return Ok(());
        }
        let matter = self.matter;
        self.user = subject::of_draft(matter.snapshot, matter.caller, draft, self.active, self.wants)?;
        let owner = owner(draft, matter.caller);
        let mut noted = matter.was.writers.clone();
        for (name, plugin) in &self.settled.asked.writers {
            noted.insert(name.clone(), crate::psa::standing::Writer::Plugin(plugin.clone()));
        }
        let proposed = held(matter.snapshot, matter.caller, psa, writers(psa, &noted, &owner))?;
        let mut errors: Vec<(String, Finding)> = Vec::new();
        for plugin in validators {
            let user = self.shown(plugin.as_ref(), draft);
            let input = told::digest(&self.about, &user, Some(&proposed));
            let mut call = told::call(plugin.as_ref(), told::VALIDATE, &self.about, input);
            match plugin.validate(&self.about, &user, &proposed) {
                Ok(findings) => {
                    for found in findings.into_iter().take(FINDINGS_MAX) {
                        if found.severity == Severity::Error {
                            errors.push((plugin.name().to_owned(), found));
                            continue;
                        }
                        // The words may be about the person: they stand among what can be erased.
                        let what = told::severity(found.severity);
                        if call.findings.len() < REMARKS_MAX {
                            self.remark(plugin.as_ref(), format!("{what} {}", code(&found.code)));
                        }
                        call.findings
                            .push(told::finding(&Finding { detail: shorten(&found.detail), ..found }));
                    }
                }
                Err(failure) => {
                    told::outcome(&failure).clone_into(&mut call.outcome);
                    let then = match plugin.policy().validate {
                        Then::Skip | Then::Omit => Then::Skip,
                        Then::Park => Then::Park,
                        Then::Deny => Then::Deny,
                        Then::Reject | Then::Retry => Then::Reject,
                    };
                    match self.follows(plugin.as_ref(), told::VALIDATE, then, &failure) {
                        Follows::Refused(error) => return Err(error),
                        Follows::Passed => {}
                        Follows::Later(parked) => self.park(parked, draft, psa),
                    }
                }
            }
            self.settled.asked.called.push(call);
        }
        if errors.is_empty() { Ok(()) } else { self.wrong(&errors, draft, psa) }
    }

    /// Refuses what validators found wrong, all of it in one answer.
    fn wrong(
        &mut self,
        errors: &[(String, Finding)],
        draft: &mut Draft<'_>,
        psa: &mut Map<String, Value>,
    ) -> Result<(), RosterError> {
        if self.about.operation == Operation::Remap {
            // Nobody is there who could mend it, so nothing is written.
            let plugin = errors.first().map(|(plugin, _)| plugin.clone()).unwrap_or_default();
            let codes: Vec<String> = errors.iter().map(|(_, found)| shorten(&found.code)).collect();
            let parked = Parked { plugin, why: shorten(&format!("found wrong: {}", codes.join(", "))) };
            self.park(parked, draft, psa);
            return Ok(());
        }
        let each = errors.iter().map(|(_, found)| match &found.path {
            Some(path) => format!("{}: {} ({})", shorten(path), shorten(&found.detail), shorten(&found.code)),
            None => format!("{} ({})", shorten(&found.detail), shorten(&found.code)),
        });
        let detail = each.collect::<Vec<_>>().join("; ");
        Err(Refusal::new(Why::InvalidValue, detail).into())
    }

    /// Takes back what was mapped: it is done again later.
    fn park(&mut self, parked: Parked, draft: &mut Draft<'_>, psa: &mut Map<String, Value>) {
        if std::mem::take(&mut self.settled.asked.mapped) {
            self.settled.asked.writers.clear();
            if let Some((said, document)) = self.settled.said.take() {
                *psa = said;
                draft.wanted = document.unwrap_or_else(|| std::mem::take(&mut draft.wanted));
            }
        }
        self.settled.asked.parked.get_or_insert(parked);
    }

    /// Says what follows from a failure, and has the log say why.
    fn follows(&mut self, plugin: &dyn Plugin, hook: &'static str, then: Then, failure: &Failure) -> Follows {
        let name = plugin.name();
        let outcome = told::outcome(failure);
        let remaps = self.about.operation == Operation::Remap;
        match failure {
            Failure::Problem(problem) if is_the_clients(problem.kind) => {
                let error = answer(name, problem);
                return if remaps { later(plugin, outcome) } else { Follows::Refused(error) };
            }
            Failure::Problem(Problem { detail, .. }) | Failure::Broke(_, detail) => {
                tracing::warn!(
                    plugin = name, hook, outcome, %detail, request_id = %self.about.request,
                    "a plugin gave no answer"
                );
            }
        }
        match then {
            Then::Skip | Then::Omit => {
                self.remark(plugin, format!("{hook} failed ({outcome}) and was passed over"));
                Follows::Passed
            }
            _ if remaps => later(plugin, outcome),
            Then::Park | Then::Retry => {
                self.remark(plugin, format!("{hook} failed ({outcome}); the person is mapped later"));
                later(plugin, outcome)
            }
            Then::Deny => Follows::Refused(RosterError::Denied(format!(
                "the plugin {name} could not say whether the person may come in"
            ))),
            Then::Reject => Follows::Refused(RosterError::Later(format!(
                "the plugin {name} gave no answer; nothing was changed; send the request again later"
            ))),
        }
    }

    fn remark(&mut self, plugin: &dyn Plugin, what: String) {
        self.settled.remarks.push(format!("plugin {}: {what}", plugin.name()));
    }
}

/// Has the person mapped later.
fn later(plugin: &dyn Plugin, outcome: &str) -> Follows {
    Follows::Later(Parked { plugin: plugin.name().to_owned(), why: outcome.to_owned() })
}

const fn is_the_clients(kind: ProblemKind) -> bool {
    match kind {
        ProblemKind::InvalidValue
        | ProblemKind::MissingData
        | ProblemKind::Conflict
        | ProblemKind::Denied => true,
        ProblemKind::Configuration | ProblemKind::Internal => false,
    }
}

/// Says to the client what a plugin has found wrong with what was sent.
fn answer(name: &str, problem: &Problem) -> RosterError {
    let detail = match &problem.path {
        Some(path) => format!("{}: {}", shorten(path), shorten(&problem.detail)),
        None => shorten(&problem.detail),
    };
    match problem.kind {
        ProblemKind::Conflict => RosterError::InUse(detail),
        ProblemKind::Denied => RosterError::Denied(format!("the plugin {name}: {detail}")),
        _ => Refusal::new(Why::InvalidValue, detail).into(),
    }
}

/// Cuts the code of a finding to what the facts of an entry have room for: a word for programs, and nothing else.
fn code(text: &str) -> String {
    let plain = text.chars().map(|one| if one.is_ascii_graphic() { one } else { '-' });
    plain.take(CODE_CHARACTERS_MAX).collect()
}

/// Cuts a plugin's words to what an answer has room for, on one line.
pub(super) fn shorten(text: &str) -> String {
    let plain = text.chars().map(|one| if one.is_control() { ' ' } else { one });
    plain.take(TEXT_CHARACTERS_MAX).collect()
}
