//! Rows carried out, or only looked at.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::columns::Target;
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
use crate::store::{PAGE_ROWS_MAX, Snapshot};

/// Most rows that are taken at a time.
pub const ROWS_AT_ONCE_MAX: usize = 500;
/// How often a row is begun anew when somebody else changed the person meanwhile.
const ATTEMPTS_MAX: usize = 8;

/// Who has which of the employer's numbers.
type Numbers = HashMap<String, Vec<ResourceId>>;

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
    ) -> Result<Vec<RowDone>, RosterError> {
        if rows.len() > ROWS_AT_ONCE_MAX {
            return Err(RosterError::TooLarge(format!(
                "expected at most {ROWS_AT_ONCE_MAX} rows at a time, found {}",
                rows.len()
            )));
        }
        let caller = &Caller { run: Run { batch: Some(caller.request), dry: !apply }, ..caller.clone() };
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
                match self.take_row(caller, kind, row, by, &numbers, apply, &mut done) {
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

    #[expect(clippy::too_many_arguments, reason = "one row, and everything that it is looked at with")]
    fn take_row(
        &self,
        caller: &Caller,
        kind: &Kind,
        row: &Row,
        by: MatchBy,
        numbers: &Numbers,
        apply: bool,
        done: &mut RowDone,
    ) -> Result<(), RosterError> {
        for _ in 0..ATTEMPTS_MAX {
            match self.try_row(caller, kind, row, by, numbers, apply, done) {
                Err(RosterError::Stale { .. }) => {}
                // Somebody made the person since we looked, such as a batch of an import that was killed: then they are who is meant.
                Err(RosterError::Refused(refusal))
                    if apply
                        && refusal.why == Why::Uniqueness
                        && done.what == Verdict::Create
                        && matches!(
                            meant(self.store.snapshot()?.as_ref(), caller, row, by, numbers)?,
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

    #[expect(clippy::too_many_arguments, reason = "one row, and everything that it is looked at with")]
    fn try_row(
        &self,
        caller: &Caller,
        kind: &Kind,
        row: &Row,
        by: MatchBy,
        numbers: &Numbers,
        apply: bool,
        done: &mut RowDone,
    ) -> Result<(), RosterError> {
        let snapshot = self.store.snapshot()?;
        let meant = match meant(snapshot.as_ref(), caller, row, by, numbers)? {
            Ok(meant) => meant,
            Err(flaw) => {
                done.findings.push(flaw);
                return Ok(());
            }
        };
        let Meant::One(at) = meant else {
            let filled = fill(snapshot.as_ref(), caller.tenant, kind, None, &row.cells)?;
            done.what = Verdict::Create;
            let Filled { document, mut flaws, .. } = filled;
            done.findings.append(&mut flaws);
            if !done.findings.is_empty() {
                return Ok(());
            }
            let (_, job) = self.creation(caller, kind, body_of(kind, document))?;
            return self.carry_row(caller, snapshot.as_ref(), job, apply, done).map(drop);
        };
        done.id = Some(at.id.to_string());
        let (stored, kept, _) = Self::found(snapshot.as_ref(), caller, kind, at, &Precondition::None)?;
        let filled = fill(snapshot.as_ref(), caller.tenant, kind, Some(&kept), &row.cells)?;
        let Filled { document, touched, mut flaws } = filled;
        done.findings.append(&mut flaws);
        if !done.findings.is_empty() || touched.is_empty() {
            return Ok(());
        }
        let operations: Vec<Value> = touched
            .iter()
            .map(|(extension, name)| {
                let path = extension.as_ref().map_or_else(|| name.clone(), |id| format!("{id}:{name}"));
                json!({ "op": "replace", "path": path, "value": document.attribute(extension.as_deref(), name) })
            })
            .collect();
        let body = json!({ "schemas": [urn::PATCH_OP], "Operations": operations });
        let given = Precondition::AnyOf(vec![stored.version().0.to_string()]);
        let job = Self::patching(caller, kind, at, &given, body)?;
        if self.carry_row(caller, snapshot.as_ref(), job, apply, done)? {
            done.what = Verdict::Change;
        }
        Ok(())
    }

    /// Carries a job out, or asks its rule only. Returns whether there is anything to write.
    fn carry_row(
        &self,
        caller: &Caller,
        snapshot: &dyn Snapshot,
        mut job: Job<'_>,
        apply: bool,
        done: &mut RowDone,
    ) -> Result<bool, RosterError> {
        let mut names = Vec::new();
        let mut writes = false;
        let mut rule = |snapshot: &dyn Snapshot| {
            let (plan, notes) = (job.rule)(snapshot)?;
            writes = plan.is_some();
            names =
                plan.iter().flat_map(|plan| &plan.changes).map(|change| change.attribute.clone()).collect();
            Ok((plan, notes))
        };
        if apply {
            self.carry_out_job(caller, Job { action: job.action, rule: Box::new(rule) })?;
        } else {
            rule(snapshot)?;
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
    caller: &Caller,
    row: &Row,
    by: MatchBy,
    numbers: &Numbers,
) -> Result<Result<Meant, Flaw>, RosterError> {
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

/// Finds who has these numbers. There is no index of them, so everybody is looked at, once for all the rows of a request.
fn numbers(snapshot: &dyn Snapshot, caller: &Caller, wanted: &HashSet<&str>) -> Result<Numbers, RosterError> {
    let mut found = Numbers::new();
    let mut after = None;
    loop {
        let ids = snapshot.ids(caller.tenant, KindId::USER, after, 0, PAGE_ROWS_MAX)?;
        let Some(last) = ids.last().copied() else { return Ok(found) };
        after = Some(last);
        for id in ids {
            let at = Address { kind: KindId::USER, id };
            let Some(stored) = snapshot.get(caller.tenant, at)? else { continue };
            let Some((_, json)) = stored.segments().find(|(id, _)| *id == urn::ENTERPRISE) else { continue };
            let attributes: Map<String, Value> =
                serde_json::from_str(json).map_err(|error| RosterError::Broken(format!("{id}: {error}")))?;
            let number = attributes.get("employeeNumber").and_then(Value::as_str);
            if let Some(number) = number.filter(|number| wanted.contains(number)) {
                found.entry(number.to_owned()).or_default().push(id);
            }
        }
    }
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
