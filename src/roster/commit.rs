//! From a rule's answer to a durable unit.
//!
//! A rule looks at a snapshot and says what should be written and which facts that stands on. When a fact no longer holds at
//! the moment of writing, the rule is asked again with fresh eyes; no lock is held meanwhile. A rule may therefore run several times and
//! must have no effect of its own.

use super::Roster;
use super::error::RosterError;
use super::scope::Caller;
use crate::ids::Address;
use crate::store::{Action, Actor, Change, Entry, Facts, Given, Outcome, Snapshot, Unit, Values, Write};

/// How often a rule is asked again before the caller is told to come back later. Every lost race means that another
/// writer got through, so this many writers must have been quicker in a row.
const ATTEMPTS_MAX: usize = 128;

/// What a rule wants written.
#[derive(Debug, Default)]
pub struct Plan {
    /// The facts it stands on.
    pub given: Vec<Given>,
    /// What to write.
    pub writes: Vec<Write>,
    /// Which resource it is about.
    pub subject: Option<Address>,
    /// What the history says of each attribute.
    pub changes: Vec<Change>,
    /// Which leniencies were used.
    pub notes: Vec<String>,
}

/// What a rule answers: a plan, or nothing to do; and in both cases what it found.
pub type Ruling<T> = Result<(Option<Plan>, T), RosterError>;

impl Roster {
    /// Asks a rule, and makes what it says durable. Nothing is written when the rule has no plan.
    pub(super) fn carry_out<T>(
        &self,
        caller: &Caller,
        action: Action,
        mut rule: impl FnMut(&dyn Snapshot) -> Ruling<T>,
    ) -> Result<T, RosterError> {
        for _ in 0..ATTEMPTS_MAX {
            let snapshot = self.store.snapshot()?;
            let (plan, found) = rule(snapshot.as_ref())?;
            drop(snapshot);
            let Some(plan) = plan else { return Ok(found) };
            let log = self.entry(caller, action, "ok", plan.subject, plan.changes, plan.notes);
            let unit = Unit { given: plan.given, writes: plan.writes, log: Some(log) };
            match self.store.commit(caller.tenant, unit)? {
                Outcome::Committed { .. } => return Ok(found),
                Outcome::Lost(_) => {
                    tracing::debug!(request_id = %caller.request, "a fact changed meanwhile; the rule is asked again");
                }
            }
        }
        Err(RosterError::Busy)
    }

    /// Writes to the history that a request was refused for lack of a right (X58). Of a client that does not stop asking, not each.
    pub fn refused(&self, caller: &Caller, needs: &'static str) -> Result<(), RosterError> {
        let left_out = match caller.who {
            Actor::Token(token) => self.refusals.count(token, caller.now),
            Actor::Cli | Actor::System => Some(0),
        };
        let notes = match left_out {
            None => return Ok(()),
            Some(0) => vec![],
            Some(more) => {
                vec![format!("{more} more were refused to this token before, and not written down")]
            }
        };
        let result = format!("forbidden: needs {needs}");
        let log = self.entry(caller, Action::Refuse, &result, None, Vec::new(), notes);
        self.store.commit(caller.tenant, Unit { given: vec![], writes: vec![], log: Some(log) })?;
        Ok(())
    }

    fn entry(
        &self,
        caller: &Caller,
        action: Action,
        result: &str,
        subject: Option<Address>,
        changes: Vec<Change>,
        notes: Vec<String>,
    ) -> Entry {
        let mut salt = [0_u8; 16];
        self.chance.fill(&mut salt);
        Entry {
            facts: Facts {
                when: caller.now,
                who: caller.who,
                connection: Some(caller.connection),
                request: caller.request,
                action,
                subject,
                attributes: changes.iter().map(|change| change.attribute.clone()).collect(),
                result: result.to_owned(),
                notes,
            },
            values: Values { salt: hex(&salt), changes },
        }
    }
}

/// Writes bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
