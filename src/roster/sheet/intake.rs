//! Rows carried out, or only looked at.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::columns::Target;
use super::counted::{self, Seats};
use super::fill::{Filled, fill};
use super::{Flaw, MatchBy, Row, RowDone, Verdict};
use crate::ids::{Address, KindId, ResourceId};
use crate::roster::asked::Run;
use crate::roster::commit::Job;
use crate::roster::error::RosterError;
use crate::roster::{Caller, LOCAL, Precondition, Roster, index};
use crate::scim::error::quoted;
use crate::scim::schema::Kind;
use crate::scim::{Document, Why, urn};
use crate::store::{IndexRange, PAGE_ROWS_MAX, Snapshot, wait};

/// Most rows that are taken at a time.
pub const ROWS_AT_ONCE_MAX: usize = 500;
/// How often a row is begun anew when somebody else changed the person meanwhile.
const ATTEMPTS_MAX: usize = 8;

/// Who has which of the employer's numbers.
type Numbers = HashMap<String, Vec<ResourceId>>;

/// Most people of one number who are told apart.
const NAMESAKES_MAX: usize = 100;

/// With what rows are taken.
struct Taking<'a> {
    caller: &'a Caller,
    kind: &'a Kind,
    by: MatchBy,
    numbers: &'a Numbers,
    apply: bool,
    /// What the rows so far would take of each pool's seats, if they are only looked at.
    seats: &'a mut Seats,
}

/// Whom a row means.
enum Meant {
    Nobody,
    One(Address),
}

impl Roster {
    /// Tells which of these columns an import does not know.
    pub(in crate::roster) fn unknown_columns(
        caller: &Caller,
        columns: Vec<String>,
    ) -> Result<Vec<String>, RosterError> {
        let kind = person_kind(caller)?;
        Ok(columns.into_iter().filter(|column| Target::of(kind, column).is_none()).collect())
    }

    /// Carries rows out one after the other, or only says what would become of each. A row that cannot be keeps no other from being.
    pub(in crate::roster) fn take_rows(
        &self,
        caller: &Caller,
        rows: Vec<Row>,
        by: MatchBy,
        apply: bool,
        seats: &mut Seats,
    ) -> Result<Vec<RowDone>, RosterError> {
        if rows.len() > ROWS_AT_ONCE_MAX {
            return Err(RosterError::TooLarge(format!(
                "expected at most {ROWS_AT_ONCE_MAX} rows at a time, found {}",
                rows.len()
            )));
        }
        let caller = &Caller {
            run: Run { batch: Some(caller.request), dry: !apply, ..Run::default() },
            ..caller.clone()
        };
        let kind = person_kind(caller)?;
        let numbers = match by {
            MatchBy::EmployeeNumber => {
                let wanted: HashSet<&str> = rows.iter().filter_map(|row| cell(row, by.column())).collect();
                numbers(self.store.snapshot()?.as_ref(), caller, &wanted)?
            }
            _ => Numbers::new(),
        };
        rows.iter()
            .map(|row| {
                let mut done = RowDone {
                    row: row.number,
                    what: Verdict::Nothing,
                    who: who(row, by),
                    id: None,
                    attributes: Vec::new(),
                    findings: Vec::new(),
                };
                match self.take_row(
                    &mut Taking { caller, kind, by, numbers: &numbers, apply, seats },
                    row,
                    &mut done,
                ) {
                    Ok(()) => {}
                    // It is not the row: the next one would fail as well.
                    Err(error @ (RosterError::Busy | RosterError::Full | RosterError::Broken(_))) => {
                        return Err(error);
                    }
                    Err(error) => done.findings.push(Flaw::of_sentence(&error.to_string())),
                }
                if !done.findings.is_empty() {
                    done.what = Verdict::Error;
                    done.attributes.clear();
                }
                Ok(done)
            })
            .collect()
    }

    fn take_row(&self, taking: &mut Taking<'_>, row: &Row, done: &mut RowDone) -> Result<(), RosterError> {
        for _ in 0..ATTEMPTS_MAX {
            match self.try_row(taking, row, done) {
                Err(RosterError::Stale { .. }) => {}
                // Somebody made the person since we looked, such as a batch of an import that was killed: then they are who is meant.
                Err(RosterError::Refused(refusal))
                    if taking.apply
                        && refusal.why == Why::Uniqueness
                        && done.what == Verdict::Create
                        && matches!(
                            meant(self.store.snapshot()?.as_ref(), taking, row)?,
                            Ok(Meant::One(_))
                        ) =>
                {
                    done.what = Verdict::Nothing;
                }
                ended => return ended,
            }
        }
        Err(RosterError::Moved)
    }

    fn try_row(&self, taking: &mut Taking<'_>, row: &Row, done: &mut RowDone) -> Result<(), RosterError> {
        let snapshot = self.store.snapshot()?;
        let meant = match meant(snapshot.as_ref(), taking, row)? {
            Ok(meant) => meant,
            Err(flaw) => {
                done.findings.push(flaw);
                return Ok(());
            }
        };
        let Taking { caller, kind, apply, .. } = *taking;
        let seats = if apply { Seats::new() } else { taking.seats.clone() };
        let caller = &Caller { run: Run { seats, ..caller.run.clone() }, ..caller.clone() };
        let Meant::One(at) = meant else {
            let filled = fill(snapshot.as_ref(), caller.tenant, kind, None, row)?;
            done.what = Verdict::Create;
            let Filled { document, mut flaws, .. } = filled;
            done.findings.append(&mut flaws);
            if !done.findings.is_empty() {
                return Ok(());
            }
            let (_, job) = self.creation(caller, kind, body_of(kind, document))?;
            return self.carry_row(taking, snapshot.as_ref(), job, done).map(drop);
        };
        done.id = Some(at.id.to_string());
        let (stored, kept, _) = Self::found(snapshot.as_ref(), caller, kind, at, &Precondition::None)?;
        let filled = fill(snapshot.as_ref(), caller.tenant, kind, Some(&kept), row)?;
        let Filled { document, touched, parted, mut flaws } = filled;
        done.findings.append(&mut flaws);
        if !done.findings.is_empty() || (touched.is_empty() && parted.is_empty()) {
            return Ok(());
        }
        let parts = parted.iter().map(|path| json!({ "op": "remove", "path": path }));
        let operations: Vec<Value> = touched
            .iter()
            .map(|(extension, name)| {
                let path = extension.as_ref().map_or_else(|| name.clone(), |id| format!("{id}:{name}"));
                match document.attribute(extension.as_deref(), name) {
                    Some(value) => json!({ "op": "replace", "path": path, "value": value }),
                    None => json!({ "op": "remove", "path": path }),
                }
            })
            .chain(parts)
            .collect();
        let body = json!({ "schemas": [urn::PATCH_OP], "Operations": operations });
        let given = Precondition::AnyOf(vec![stored.version().0.to_string()]);
        let job = Self::patching(caller, kind, at, &given, body)?;
        if self.carry_row(taking, snapshot.as_ref(), job, done)? {
            done.what = Verdict::Change;
        }
        Ok(())
    }

    /// Carries a job out, or asks its rule only. Returns whether there is anything to write.
    fn carry_row(
        &self,
        taking: &mut Taking<'_>,
        snapshot: &dyn Snapshot,
        mut job: Job<'_>,
        done: &mut RowDone,
    ) -> Result<bool, RosterError> {
        let mut names = Vec::new();
        let mut writes = false;
        let mut seats = Seats::new();
        let mut rule = |snapshot: &dyn Snapshot| {
            let (plan, notes) = (job.rule)(snapshot)?;
            writes = plan.is_some();
            names =
                plan.iter().flat_map(|plan| &plan.changes).map(|change| change.attribute.clone()).collect();
            seats.clear();
            plan.iter().for_each(|plan| counted::add(&mut seats, &plan.writes));
            Ok((plan, notes))
        };
        if taking.apply {
            wait(self.carry_out_job(taking.caller, Job { action: job.action, rule: Box::new(rule) }))?;
        } else {
            rule(snapshot)?;
            for (pool, by) in seats {
                let sum = taking.seats.entry(pool).or_default();
                *sum = sum.saturating_add(by);
            }
        }
        names.dedup();
        done.attributes = names;
        Ok(writes)
    }
}

pub(super) fn person_kind(caller: &Caller) -> Result<&Kind, RosterError> {
    let kind = caller.kinds().by_id(KindId::USER);
    kind.map(AsRef::as_ref).ok_or_else(|| RosterError::Broken("the kind User is not registered".to_owned()))
}

fn cell<'r>(row: &'r Row, column: &str) -> Option<&'r str> {
    let found = row.cells.iter().find(|(name, _)| name.trim().eq_ignore_ascii_case(column));
    found.map(|(_, text)| text.trim()).filter(|text| !text.is_empty())
}

/// What a row is found by; of logins the address, where no login is given (P10).
fn key(row: &Row, by: MatchBy) -> Option<&str> {
    let fallback = || if by == MatchBy::UserName { cell(row, "email") } else { None };
    cell(row, by.column()).or_else(fallback)
}

fn who(row: &Row, by: MatchBy) -> String {
    key(row, by).or_else(|| cell(row, "userName")).unwrap_or_default().to_owned()
}

fn meant(
    snapshot: &dyn Snapshot,
    taking: &Taking<'_>,
    row: &Row,
) -> Result<Result<Meant, Flaw>, RosterError> {
    let Taking { caller, by, numbers, .. } = *taking;
    let Some(key) = key(row, by) else {
        return Ok(Err(Flaw::at(by.column(), "expected a value, by which the person is found; found none")));
    };
    let found = match by {
        MatchBy::UserName => snapshot.by_unique(caller.tenant, &index::user_name(key)?)?,
        MatchBy::ExternalId => {
            snapshot.by_unique(caller.tenant, &index::external_id(KindId::USER, LOCAL, key))?
        }
        MatchBy::EmployeeNumber => match numbers.get(key).map_or(&[][..], Vec::as_slice) {
            [] => None,
            [id] => Some(Address { kind: KindId::USER, id: *id }),
            several => {
                let detail = format!(
                    "expected one person with the number, found {} who have {}; correct that first, or match by userName",
                    several.len(),
                    quoted(key)
                );
                return Ok(Err(Flaw::at(by.column(), detail)));
            }
        },
    };
    Ok(Ok(found.map_or(Meant::Nobody, Meant::One)))
}

/// Finds who has these numbers: by their index, and where records of an earlier build are not all in it yet, among everybody, once for all the rows
/// of a request.
fn numbers(snapshot: &dyn Snapshot, caller: &Caller, wanted: &HashSet<&str>) -> Result<Numbers, RosterError> {
    let mut found = Numbers::new();
    if index::has_orders(snapshot, caller.tenant)? {
        for number in wanted {
            let value = index::folded(number);
            let range = IndexRange::exactly(KindId::USER, index::EMPLOYEE_NUMBER, value);
            for row in snapshot.index_range(caller.tenant, &range, NAMESAKES_MAX)? {
                if number_of(snapshot, caller, row.id)?.as_deref() == Some(*number) {
                    found.entry((*number).to_owned()).or_default().push(row.id);
                }
            }
        }
        return Ok(found);
    }
    let mut after = None;
    loop {
        let ids = snapshot.ids(caller.tenant, KindId::USER, after, 0, PAGE_ROWS_MAX)?;
        let Some(last) = ids.last().copied() else { return Ok(found) };
        after = Some(last);
        for id in ids {
            let number = number_of(snapshot, caller, id)?;
            if let Some(number) = number.filter(|number| wanted.contains(number.as_str())) {
                found.entry(number).or_default().push(id);
            }
        }
    }
}

/// Reads the number that the employer gave somebody.
fn number_of(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
) -> Result<Option<String>, RosterError> {
    let Some(stored) = snapshot.get(caller.tenant, Address::user(id))? else { return Ok(None) };
    let Some((_, json)) = stored.segments().find(|(id, _)| *id == urn::ENTERPRISE) else { return Ok(None) };
    let attributes: Map<String, Value> =
        serde_json::from_str(json).map_err(|error| RosterError::Broken(format!("{id}: {error}")))?;
    Ok(attributes.get("employeeNumber").and_then(Value::as_str).map(str::to_owned))
}

/// Writes a new person as the body of a POST.
fn body_of(kind: &Kind, document: Document) -> Value {
    let Document { core, extensions } = document;
    let schemas = std::iter::once(kind.core.id.clone()).chain(extensions.iter().map(|(id, _)| id.clone()));
    let mut body = Map::new();
    body.insert("schemas".to_owned(), schemas.map(Value::String).collect());
    body.extend(core);
    body.extend(extensions.into_iter().map(|(id, attributes)| (id, Value::Object(attributes))));
    Value::Object(body)
}
