//! From a rule's answer to a durable unit.
//!
//! A rule looks at a snapshot and says what should be written and which facts that stands on. When a fact no longer holds at
//! the moment of writing, the rule is asked again with fresh eyes, in line with the others who lost it ([`Lines`]); no lock is held meanwhile. A rule may
//! therefore run several times and must have no effect of its own.
//!
//! [`Lines`]: super::lines::Lines

use super::Roster;
use super::asked::Answered;
use super::error::RosterError;
use super::lines::Turn;
use super::refusals::REFUSALS_PER_MINUTE_MAX;
use super::rows::SCHEMA_STATE;
use super::scope::Caller;
use crate::ids::Address;
use crate::scim::note::Notes;
use crate::scim::patch::Operation;
use crate::scim::path::Path;
use crate::store::{
    Action, Actor, Change, Entry, Facts, Given, Outcome, Record, Seq, Snapshot, Unit, Values, Write, wait,
};

/// How often a rule is asked again before the caller is told to come back later. Every lost race means that another
/// writer got through, so this many writers must have been quicker in a row: those of other daemons, as ours stand in line.
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
    pub notes: Notes,
    /// What the history says beside them.
    pub remark: Option<String>,
    /// What plugins were asked, and said.
    pub asked: Answered,
    /// Whether the history says nothing of it: for what a client may do without end, beyond the part that is written down. Such a plan
    /// may write small values only.
    pub unlogged: bool,
}

impl Plan {
    /// Has the history say this as well.
    pub fn remark_all(&mut self, remarks: Vec<String>) {
        for remark in remarks {
            self.remark = Some(match self.remark.take() {
                Some(said) => format!("{said}; {remark}"),
                None => remark,
            });
        }
    }
}

/// What a rule answers: a plan, or nothing to do; and in both cases what it found.
pub type Ruling<T> = Result<(Option<Plan>, T), RosterError>;

/// What a rule's plan came to.
#[derive(Debug)]
pub(super) struct Written {
    /// The number of the unit.
    pub seq: Seq,
    /// The record it was about; `None` when only edges or what is kept beside it changed.
    pub record: Option<Box<Record>>,
    /// Whether edges changed.
    pub edges: bool,
}

/// A rule and what the history calls it, to be carried out beside others.
pub(super) struct Job<'a> {
    /// What the history calls it.
    pub action: Action,
    /// The rule.
    pub rule: Rule<'a>,
}

/// A rule about a resource; what it finds is the leniencies that the request needed, also where there is nothing to write.
pub(super) type Rule<'a> = Box<dyn FnMut(&dyn Snapshot) -> Ruling<Notes> + Send + 'a>;

impl Roster {
    /// Carries out a rule about a resource, and counts the leniencies that it needed. Returns what was written; `None` when nothing was.
    pub(super) async fn carry_out_job(
        &self,
        caller: &Caller,
        job: Job<'_>,
    ) -> Result<Option<Written>, RosterError> {
        let (notes, written) = self.carry_out_told(caller, job.action, job.rule).await?;
        self.leniencies.count(caller, &notes);
        Ok(written)
    }

    /// Carries out several rules side by side: all look at one moment, and what they want written is written in their order. One whose
    /// facts no longer hold then is asked again by itself. For rules of which none makes room for another: what one is refused for, it
    /// would be refused for after the others as well.
    pub(super) fn carry_out_each(
        &self,
        caller: &Caller,
        mut jobs: Vec<Job<'_>>,
    ) -> Vec<Result<(), RosterError>> {
        let snapshot = match self.store.snapshot() {
            Ok(snapshot) => snapshot,
            Err(error) => return jobs.iter().map(|_| Err(error.clone().into())).collect(),
        };
        let mut results: Vec<Option<Result<(), RosterError>>> = Vec::with_capacity(jobs.len());
        let mut units = Vec::with_capacity(jobs.len());
        let mut asked = Vec::with_capacity(jobs.len());
        for job in &mut jobs {
            results.push(match (job.rule)(snapshot.as_ref()) {
                Err(error) => Some(Err(error)),
                Ok((None, notes)) => {
                    self.leniencies.count(caller, &notes);
                    Some(Ok(()))
                }
                Ok((Some(plan), notes)) => {
                    asked.push((notes, caller.served.is_some().then(|| plan.asked.clone())));
                    units.push(self.unit(caller, job.action, plan));
                    None
                }
            });
        }
        drop(snapshot);
        caller.rest();
        let mut written = self.store.commit_each(caller.tenant, units).into_iter().zip(asked);
        let each = results.into_iter().zip(jobs);
        each.map(|(result, job)| match result {
            Some(result) => result,
            None => match written.next() {
                Some((Ok(Outcome::Committed { seq }), (notes, answered))) => {
                    caller.led_to(seq);
                    answered.iter().for_each(|answered| self.count_asked(answered));
                    self.leniencies.count(caller, &notes);
                    Ok(())
                }
                Some((Ok(Outcome::Lost(_)), _)) => wait(self.carry_out_job(caller, job)).map(drop),
                Some((Err(error), _)) => Err(error.into()),
                None => Err(RosterError::Broken("the store did not say what became of a unit".to_owned())),
            },
        })
        .collect()
    }

    pub(super) fn unit(&self, caller: &Caller, action: Action, plan: Plan) -> Unit {
        let log = (!plan.unlogged).then(|| {
            let notes = names(&plan.notes).into_iter().chain(plan.remark).collect();
            let mut entry = self.entry(caller, action, "ok", plan.subject, plan.changes, notes);
            entry.facts.asked = plan.asked.mappers();
            entry.values.asked = plan.asked.called;
            entry
        });
        let mut given = plan.given;
        if plan.writes.iter().any(|write| matches!(write, Write::Put(_))) {
            // What a document may hold, and under which keys, the caller's schemas have said.
            given.extend(caller.sight.fence());
        }
        Unit { given, writes: plan.writes, log }
    }

    /// Asks a rule, and waits until what it says is durable. Nothing is written when the rule has no plan.
    pub(super) fn carry_out<T>(
        &self,
        caller: &Caller,
        action: Action,
        rule: impl FnMut(&dyn Snapshot) -> Ruling<T>,
    ) -> Result<T, RosterError> {
        wait(self.carry_out_told(caller, action, rule)).map(|(found, _)| found)
    }

    /// The same. Rules run where this is polled; only the disk is awaited.
    async fn carry_out_told<T>(
        &self,
        caller: &Caller,
        action: Action,
        mut rule: impl FnMut(&dyn Snapshot) -> Ruling<T>,
    ) -> Result<(T, Option<Written>), RosterError> {
        let mut turn: Option<Turn> = None;
        for _ in 0..ATTEMPTS_MAX {
            let (plan, found) = {
                let snapshot = self.store.snapshot()?;
                rule(snapshot.as_ref())?
            };
            let Some(plan) = plan else { return Ok((found, None)) };
            let record = plan.writes.iter().find_map(|write| match write {
                Write::Put(record) if plan.subject == Some(record.at) => Some(record.clone()),
                _ => None,
            });
            let edges = plan.writes.iter().any(|write| matches!(write, Write::Edge { .. }));
            let answered = caller.served.is_some().then(|| plan.asked.clone());
            let asks_plugins = !plan.asked.called.is_empty();
            let unit = self.unit(caller, action, plan);
            caller.rest();
            if turn.is_none()
                && let Some(line) = self.lines.ahead(caller.tenant, &unit.given, asks_plugins)
            {
                // What it saw will have changed when it is its turn.
                drop(unit);
                turn = Some(self.lines.take(line).await);
                continue;
            }
            match self.store.queue(caller.tenant, unit).await? {
                Outcome::Committed { seq } => {
                    caller.led_to(seq);
                    answered.iter().for_each(|answered| self.count_asked(answered));
                    return Ok((found, Some(Written { seq, record, edges })));
                }
                // The schemas changed: the rule would see them as they were, however often it is asked.
                Outcome::Lost(Given::Small(SCHEMA_STATE, ..)) => return Err(RosterError::Busy),
                Outcome::Lost(fact) => {
                    tracing::debug!(request_id = %caller.request, "a fact changed meanwhile; the rule is asked again");
                    let line = self.lines.line(caller.tenant, &fact, asks_plugins);
                    if let Some(line) =
                        line.filter(|line| !turn.as_ref().is_some_and(|turn| turn.is_of(*line)))
                    {
                        // One line at a time: who held two could wait for somebody who waits for them.
                        drop(turn.take());
                        turn = Some(self.lines.take(line).await);
                    }
                }
            }
        }
        Err(RosterError::Busy)
    }

    /// Writes to the history that a request was refused for lack of a right (X58). Of a client that does not stop asking, not each.
    pub fn refused(&self, caller: &Caller, needs: &'static str) -> Result<(), RosterError> {
        wait(self.refused_soon(caller, needs))
    }

    /// The same for a task.
    pub async fn refused_soon(&self, caller: &Caller, needs: &'static str) -> Result<(), RosterError> {
        let left_out = match caller.who {
            Actor::Token(token) | Actor::Bound { token, .. } => {
                self.refusals.count(*token.as_bytes(), caller.now, REFUSALS_PER_MINUTE_MAX)
            }
            Actor::Client(client) => {
                self.refusals.count(*client.as_bytes(), caller.now, REFUSALS_PER_MINUTE_MAX)
            }
            Actor::Person(person) => {
                self.refusals.count(*person.as_bytes(), caller.now, REFUSALS_PER_MINUTE_MAX)
            }
            Actor::Cli | Actor::System => Some(0),
        };
        let notes = match left_out {
            None => return Ok(()),
            Some(0) => vec![],
            Some(more) => {
                vec![format!("{more} more were refused to this credential before, and not written down")]
            }
        };
        let result = format!("forbidden: needs {needs}");
        let log = self.entry(caller, Action::Refuse, &result, None, Vec::new(), notes);
        self.store.queue(caller.tenant, Unit { given: vec![], writes: vec![], log: Some(log) }).await?;
        Ok(())
    }

    pub(super) fn entry(
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
                asked: Vec::new(),
            },
            values: Values { salt: hex(&salt), changes, asked: Vec::new() },
        }
    }
}

/// Says which leniencies were used, in the history's words.
fn names(notes: &Notes) -> Vec<String> {
    notes.rules().into_iter().map(|rule| rule.as_str().to_owned()).collect()
}

/// Says of each change which leniencies it needed, and which operation was the last to speak of it.
pub(super) fn explain(changes: &mut [Change], notes: &Notes, operations: &[Operation]) {
    for change in changes {
        change.rules = notes.about(&change.attribute).map(|rule| rule.as_str().to_owned()).collect();
        let speaks = |operation: &&Operation| match &operation.path {
            Path::Extension(id) => {
                change.attribute.strip_prefix(id.as_str()).is_some_and(|rest| rest.starts_with(':'))
            }
            Path::Attribute { attr, .. } => match &attr.extension {
                None => attr.name == change.attribute,
                Some(id) => change
                    .attribute
                    .strip_prefix(id.as_str())
                    .and_then(|rest| rest.strip_prefix(':'))
                    .is_some_and(|name| name == attr.name),
            },
        };
        change.operation = operations.iter().rev().find(speaks).map(|operation| operation.index);
    }
}

/// Writes bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |four: u8| char::from_digit(four.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Reads hexadecimal back; `None` where it is none.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    // The number parser would take a plus sign for a digit.
    if !rest.is_empty() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    pairs.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;
    use crate::chance::SeededChance;
    use crate::clock::FixedClock;
    use crate::store::Space;
    use crate::store::memory::MemoryStore;

    /// A drawer of which nobody else knows.
    const NUMBERS: Space = Space(250);

    /// A rule that makes a number greater by one.
    fn count_up(snapshot: &dyn Snapshot, tenant: crate::ids::TenantId) -> Ruling<()> {
        let before = snapshot.small(tenant, NUMBERS, b"n")?;
        let number = before.as_deref().map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().unwrap()));
        let value = Some((number + 1).to_be_bytes().to_vec());
        let given = vec![Given::Small(NUMBERS, b"n".to_vec(), before)];
        let writes = vec![Write::Small { space: NUMBERS, key: b"n".to_vec(), value }];
        Ok((Some(Plan { given, writes, unlogged: true, ..Plan::default() }), ()))
    }

    #[test]
    fn r18_whoever_is_slower_than_all_others_gets_its_turn_all_the_same() {
        let roster = Roster::new(
            Arc::new(MemoryStore::new()),
            Arc::new(FixedClock::at("2026-01-02T03:04:05Z")),
            Arc::new(SeededChance::new(7)),
        );
        roster.create_tenant("acme", roster.request_id()).unwrap();
        let caller = roster.operator("acme", roster.request_id()).unwrap();
        let ended = AtomicBool::new(false);
        let (tell, told) = channel();
        let asked = std::thread::scope(|scope| {
            for _ in 0..4 {
                let (tell, roster, caller, ended) = (tell.clone(), &roster, &caller, &ended);
                scope.spawn(move || {
                    while !ended.load(Ordering::Relaxed) {
                        roster
                            .carry_out(caller, Action::Replace, |snapshot| count_up(snapshot, caller.tenant))
                            .unwrap();
                        let _ = tell.send(());
                    }
                });
            }
            // Each time it has looked, somebody else is quicker; unless they wait.
            let mut asked = 0;
            let slow = roster.carry_out(&caller, Action::Replace, |snapshot| {
                asked += 1;
                let plan = count_up(snapshot, caller.tenant);
                while told.try_recv().is_ok() {}
                let _ = told.recv_timeout(Duration::from_secs(1));
                plan
            });
            ended.store(true, Ordering::Relaxed);
            slow.unwrap();
            asked
        });
        assert!(
            asked <= 8,
            "asked {asked} times: it loses once, and then to each of the four at most once more"
        );
    }

    #[test]
    fn hexadecimal_is_read_back_and_nothing_else_is() {
        assert_eq!(unhex(&hex(&[0, 15, 255])), Some(vec![0, 15, 255]));
        for wrong in ["0", "+f", "0g", "é"] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
    }
}
