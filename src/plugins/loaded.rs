//! A plugin that is loaded, and one that is not but was allowed to be absent: what the roster asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::answer::{self, AnswerError};
use super::breaker::Breaker;
use super::call::{Ask, Cost, Ran};
use super::figures::{Figures, outcome_of};
use super::kept::{Kept, Key};
use super::load::Passed;
use super::quick::Quick;
use super::show;
use super::spec::{Spec, serves};
use super::wit::{Said, Severity};
use crate::clock::Clock;
use crate::roster::hooks::{
    About, Addition, Broke, Failure, Finding, Grant, Held, Hooks, Mapped, Notice, OnFailure, Plugin, Remark,
    Subject, Verdict,
};

/// What plugins have in common.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Tells the time: for breakers and kept instances.
    pub clock: Arc<dyn Clock>,
    /// Instances that wait for the next call of their series.
    pub kept: Arc<Kept>,
    /// What is counted.
    pub figures: Figures,
}

/// A plugin that is loaded.
#[derive(Debug)]
pub struct Loaded {
    pub(super) spec: Spec,
    pub(super) passed: Passed,
    pub(super) sha256: String,
    shared: Shared,
    breaker: Mutex<Breaker>,
    quick: Quick,
    /// Tells its instances from those of every other load.
    build: u64,
}

impl Loaded {
    /// Takes over what passed.
    pub fn new(spec: Spec, passed: Passed, sha256: String, shared: Shared) -> Self {
        static BUILDS: AtomicU64 = AtomicU64::new(0);
        let build = BUILDS.fetch_add(1, Ordering::Relaxed);
        Self { spec, passed, sha256, shared, breaker: Mutex::default(), quick: Quick::default(), build }
    }

    /// Tells whether its breaker is open.
    pub fn is_open(&self) -> bool {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner).is_open()
    }

    /// Asks what follows for the firm's own side, and says what that cost.
    pub fn map_with_cost(&self, about: &About, user: &Subject, held: &Held) -> Ran<Mapped> {
        let (context, user, held) = (show::context(about), self.user(user), self.psa(held));
        let mut ran = self.ask(
            "map",
            about,
            move |store, guests| match &guests.mapper {
                Some(mapper) => mapper.call_map_user(store, &context, &user, &held),
                None => Err(no_such_hook()),
            },
            |changes| {
                let proposals = answer::proposals(changes, self.spec.limits.output_bytes)?;
                Ok(Mapped { proposals, fuel: 0 })
            },
        );
        if let Ok(mapped) = &mut ran.answer {
            mapped.fuel = ran.cost.fuel;
        }
        ran
    }

    /// Asks what is wrong with a person, and says what that cost.
    pub fn validate_with_cost(&self, about: &About, user: &Subject, held: &Held) -> Ran<Vec<Finding>> {
        let (context, user, held) = (show::context(about), self.user(user), self.psa(held));
        self.ask(
            "validate",
            about,
            move |store, guests| match &guests.validator {
                Some(validator) => validator.call_validate(store, &context, &user, &held),
                None => Err(no_such_hook()),
            },
            |found| answer::findings(found, self.spec.limits.output_bytes),
        )
    }

    /// Asks whether somebody may come in, and says what that cost.
    pub fn admit_with_cost(&self, about: &About, user: &Subject) -> Ran<Verdict> {
        let (context, user) = (show::context(about), self.user(user));
        self.ask(
            "gate",
            about,
            move |store, guests| match &guests.gate {
                Some(gate) => gate.call_admit(store, &context, &user),
                None => Err(no_such_hook()),
            },
            |verdict| answer::verdict(verdict, self.spec.limits.output_bytes),
        )
    }

    /// Asks what a program is told beside, and says what that cost.
    pub fn claims_with_cost(
        &self,
        about: &About,
        user: &Subject,
        held: &Held,
        app: &str,
    ) -> Ran<Vec<Addition>> {
        let (context, user, held) = (show::context(about), self.user(user), self.psa(held));
        let app = app.to_owned();
        self.ask(
            "claims",
            about,
            move |store, guests| match &guests.claims {
                Some(claims) => claims.call_claims(store, &context, &user, &held, &app, &[]),
                None => Err(no_such_hook()),
            },
            |claims| answer::additions(claims, self.spec.limits.output_bytes),
        )
    }

    /// Tells of what was committed, and says what that cost.
    pub fn react_with_cost(&self, about: &About, notice: &Notice) -> Ran<Vec<Remark>> {
        let context = show::context(about);
        let event = show::event(about, notice, &self.passed.grant);
        self.ask(
            "event",
            about,
            move |store, guests| match &guests.reactor {
                Some(reactor) => reactor.call_on_event(store, &context, &event),
                None => Err(no_such_hook()),
            },
            |notes| answer::remarks(notes, self.spec.limits.output_bytes),
        )
    }

    fn user(&self, user: &Subject) -> super::wit::types::User {
        show::user(user, &self.passed.grant)
    }

    fn psa(&self, held: &Held) -> super::wit::types::Psa {
        show::psa(held, &self.passed.grant)
    }

    /// Asks through the breaker, with an instance of its series where one waits, and counts.
    fn ask<A, T>(
        &self,
        hook: &'static str,
        about: &About,
        question: impl Ask<A, T>,
        read: impl FnOnce(A) -> Result<T, AnswerError>,
    ) -> Ran<T> {
        let name = self.spec.name.as_str();
        let span = tracing::info_span!(
            "plugin_call",
            plugin = name,
            hook,
            request_id = %about.request,
            outcome = tracing::field::Empty,
            fuel = tracing::field::Empty,
            duration_us = tracing::field::Empty,
        );
        let _entered = span.enter();
        let now = self.shared.clock.now();
        let ran = if self.with_breaker(|breaker| breaker.lets_through(now)) {
            let key = Key::of(about, self.build);
            let kept = key.as_ref().and_then(|key| self.shared.kept.take(key, now));
            let (ran, well) = self.passed.build.ask(kept, question, read);
            if let (Some(key), Some(well)) = (key, well) {
                self.shared.kept.put(key, well, now);
            }
            self.note(&ran);
            ran
        } else {
            let why = "it failed too often in a row, and is tried again in a while".to_owned();
            Ran { answer: Err(Failure::Broke(Broke::Open, why)), cost: Cost::default() }
        };
        span.record("outcome", outcome_of(&ran.answer));
        span.record("fuel", ran.cost.fuel);
        span.record("duration_us", u64::try_from(ran.cost.took.as_micros()).unwrap_or(u64::MAX));
        self.shared.figures.called(name, hook, &ran);
        tell(name, &ran.cost.said);
        match &ran.answer {
            Err(Failure::Broke(Broke::Open, _)) => tracing::debug!("plugin not asked: its breaker is open"),
            Err(Failure::Broke(which, why)) => {
                tracing::warn!(outcome = super::figures::outcome(*which), why, "plugin gave no answer");
            }
            // Of these only whoever wrote the plugin knows what they mean.
            Err(Failure::Problem(_)) | Ok(_) => tracing::debug!("plugin answered"),
        }
        ran
    }

    /// Has the breaker know how a call ended. No free slot is nobody's failure.
    fn note<T>(&self, ran: &Ran<T>) {
        if !matches!(ran.answer, Err(Failure::Broke(Broke::Busy, _))) {
            let ended = matches!(ran.answer, Ok(_) | Err(Failure::Problem(_)));
            self.quick.called(ran.cost.fuel.saturating_add(ran.cost.fuel_to_start), ended);
        }
        let name = self.spec.name.as_str();
        match &ran.answer {
            Ok(_) | Err(Failure::Problem(_)) => {
                let was_open = self.with_breaker(|breaker| {
                    let was_open = breaker.is_open();
                    breaker.answered();
                    was_open
                });
                if was_open {
                    tracing::info!(plugin = name, "plugin is well again: its breaker closed");
                    self.shared.figures.breaker(name, false);
                }
            }
            Err(Failure::Broke(Broke::Busy | Broke::Open | Broke::Absent, _)) => {}
            Err(Failure::Broke(..)) => {
                let now = self.shared.clock.now();
                if self.with_breaker(|breaker| breaker.broke(now)) {
                    tracing::error!(
                        plugin = name,
                        "plugin failed too often in a row: its breaker opened, it is tried again every 30 s"
                    );
                    self.shared.figures.breaker(name, true);
                }
            }
        }
    }

    fn with_breaker<T>(&self, work: impl FnOnce(&mut Breaker) -> T) -> T {
        work(&mut self.breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The roster asks a plugin only at hooks that it has.
fn no_such_hook() -> wasmtime::Error {
    wasmtime::Error::msg("it has no such hook")
}

/// Passes on what a plugin has said. Its lines are its author's, so they are a field and no message.
fn tell(plugin: &str, said: &Said) {
    for (severity, line) in &said.lines {
        match severity {
            Severity::Debug => tracing::debug!(target: "rosterd::plugin", plugin, line, "plugin said"),
            Severity::Info => tracing::info!(target: "rosterd::plugin", plugin, line, "plugin said"),
            Severity::Warn => tracing::warn!(target: "rosterd::plugin", plugin, line, "plugin said"),
            Severity::Error => tracing::error!(target: "rosterd::plugin", plugin, line, "plugin said"),
        }
    }
    let left_out = said.count.saturating_sub(u64::try_from(said.lines.len()).unwrap_or(u64::MAX));
    if left_out > 0 {
        tracing::warn!(target: "rosterd::plugin", plugin, left_out, "plugin said more than is kept of a call");
    }
}

impl Plugin for Loaded {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn fingerprint(&self) -> &str {
        &self.passed.fingerprint
    }

    fn serves(&self, tenant: &str, connection: &str) -> bool {
        serves(&self.spec.sources, tenant, connection)
    }

    fn hooks(&self) -> Hooks {
        self.passed.hooks
    }

    fn grant(&self) -> &Grant {
        &self.passed.grant
    }

    fn policy(&self) -> OnFailure {
        self.spec.policy
    }

    fn is_quick(&self) -> bool {
        self.quick.is_likely() && self.passed.build.machine.has_room()
    }

    fn admit(&self, about: &About, user: &Subject) -> Result<Verdict, Failure> {
        self.admit_with_cost(about, user).answer
    }

    fn map(&self, about: &About, user: &Subject, held: &Held) -> Result<Mapped, Failure> {
        self.map_with_cost(about, user, held).answer
    }

    fn validate(&self, about: &About, user: &Subject, proposed: &Held) -> Result<Vec<Finding>, Failure> {
        self.validate_with_cost(about, user, proposed).answer
    }

    fn claims(
        &self,
        about: &About,
        user: &Subject,
        held: &Held,
        app: &str,
    ) -> Result<Vec<Addition>, Failure> {
        self.claims_with_cost(about, user, held, app).answer
    }

    fn react(&self, about: &About, event: &Notice) -> Result<Vec<Remark>, Failure> {
        self.react_with_cost(about, event).answer
    }
}

/// A plugin that could not be loaded and need not be there: its policy decides each time that it would be asked.
#[derive(Debug)]
pub struct Absent {
    pub(super) spec: Spec,
    /// Why.
    pub(super) why: String,
    grant: Grant,
    figures: Figures,
}

impl Absent {
    /// Notes what is not there, and why.
    pub fn new(spec: Spec, why: String, figures: Figures) -> Self {
        Self { spec, why, grant: Grant::default(), figures }
    }

    fn fail<T>(&self, hook: &'static str) -> Result<T, Failure> {
        let answer = Err(Failure::Broke(
            Broke::Absent,
            "it could not be loaded; the log of the start says why".to_owned(),
        ));
        let ran = Ran { answer, cost: Cost::default() };
        self.figures.called(&self.spec.name, hook, &ran);
        ran.answer
    }
}

impl Plugin for Absent {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn fingerprint(&self) -> &'static str {
        "absent"
    }

    fn serves(&self, tenant: &str, connection: &str) -> bool {
        serves(&self.spec.sources, tenant, connection)
    }

    /// The configuration names the hooks of whatever may be absent.
    fn hooks(&self) -> Hooks {
        self.spec.hooks.unwrap_or_default()
    }

    fn grant(&self) -> &Grant {
        &self.grant
    }

    fn policy(&self) -> OnFailure {
        self.spec.policy
    }

    fn admit(&self, _: &About, _: &Subject) -> Result<Verdict, Failure> {
        self.fail("gate")
    }

    fn map(&self, _: &About, _: &Subject, _: &Held) -> Result<Mapped, Failure> {
        self.fail("map")
    }

    fn validate(&self, _: &About, _: &Subject, _: &Held) -> Result<Vec<Finding>, Failure> {
        self.fail("validate")
    }

    fn claims(&self, _: &About, _: &Subject, _: &Held, _: &str) -> Result<Vec<Addition>, Failure> {
        self.fail("claims")
    }

    fn react(&self, _: &About, _: &Notice) -> Result<Vec<Remark>, Failure> {
        self.fail("event")
    }
}
