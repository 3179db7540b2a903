//! People as rows: what an export writes, and an import reads again.

use serde_json::{Map, Value};

use super::columns::{PEOPLE_COLUMNS, Target};
use super::fill::is_type;
use super::intake::person_kind;
use super::{Row, SoFar, cells};
use crate::ids::{Address, KindId, ResourceId};
use crate::psa::urn;
use crate::roster::error::RosterError;
use crate::roster::{Caller, Roster, Scope};
use crate::scim::Document;
use crate::store::Snapshot;

/// Most people in a page.
pub const PEOPLE_AT_ONCE_MAX: usize = 1000;
/// Bytes at which a page takes no more people.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// A page of rows.
pub struct RowsOut {
    /// One for each person, numbered within the page.
    pub rows: Vec<Row>,
    /// After whom the next page begins; `None` on the last.
    pub next: Option<ResourceId>,
    /// How far the history had come at that moment.
    pub head: u64,
    /// How many people there were.
    pub people: u64,
}

impl Roster {
    /// Reads people in order of creation. Money only where it is asked for.
    pub(in crate::roster) fn rows_out(
        &self,
        caller: &Caller,
        after: Option<ResourceId>,
        limit: usize,
        financials: bool,
        more: &[String],
    ) -> Result<RowsOut, RosterError> {
        caller.needs(Scope::UsersRead)?;
        if financials {
            caller.needs(Scope::Financials)?;
        }
        let kind = person_kind(caller)?;
        let mut targets = Vec::new();
        for column in PEOPLE_COLUMNS.iter().copied().chain(more.iter().map(String::as_str)) {
            let target = Target::of(kind, column).ok_or_else(|| {
                RosterError::Unknown(format!(
                    "expected the path of an attribute with one value, found {}; rosterd schema list shows the schemas of the tenant",
                    crate::scim::error::quoted(column)
                ))
            })?;
            if financials || !target.is_money() {
                targets.push((column, target));
            }
        }
        let snapshot = self.store.snapshot()?;
        let ids = snapshot.ids(caller.tenant, KindId::USER, after, 0, limit.clamp(1, PEOPLE_AT_ONCE_MAX))?;
        let (mut rows, mut bytes, mut next) = (Vec::new(), 0_usize, None);
        for id in ids {
            if bytes >= PAGE_BYTES_MAX {
                break;
            }
            next = Some(id);
            let Some(stored) = snapshot.get(caller.tenant, Address { kind: KindId::USER, id })? else {
                return Err(RosterError::Broken(format!("{id} is in the list of people, and is not there")));
            };
            let document = Document::from_segments(kind.seen(stored.segments()))
                .map_err(|error| RosterError::Broken(format!("{id}: {error}")))?;
            let mut row =
                Row { number: (rows.len() as u64).saturating_add(1), cells: Vec::new(), clears: Vec::new() };
            for (column, target) in &targets {
                let text = cell(snapshot.as_ref(), caller, &document, target)?;
                if !text.is_empty() {
                    bytes = bytes.saturating_add(column.len()).saturating_add(text.len());
                    row.cells.push(((*column).to_owned(), text));
                }
            }
            rows.push(row);
        }
        let people = snapshot.count(caller.tenant, KindId::USER)?;
        Ok(RowsOut { rows, next, head: snapshot.head(caller.tenant)?.seq.0, people })
    }
}

impl RowsOut {
    /// Refuses the end of a list that has fewer people than there are: a damaged page of an engine's tree can hide those behind it without a word (R9). Says
    /// nothing where somebody wrote between the pages.
    pub(in crate::roster) fn must_be_everybody(&self, so_far: Option<SoFar>) -> Result<(), RosterError> {
        let SoFar { people, head } = so_far.unwrap_or(SoFar { people: 0, head: self.head });
        let people = people.saturating_add(self.rows.len() as u64);
        if self.next.is_some() || head != self.head || people == self.people {
            return Ok(());
        }
        Err(RosterError::Broken(format!("the list has {people} people, and {} are counted", self.people)))
    }
}

fn cell(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    document: &Document,
    target: &Target,
) -> Result<String, RosterError> {
    let psa = |name: &str| document.attribute(Some(urn::USER), name);
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let text =
        |value: &Value, part: &str| value.get(part).and_then(Value::as_str).unwrap_or_default().to_owned();
    let named = |kind: KindId, id: &str| -> Result<String, RosterError> {
        let Ok(id) = ResourceId::parse(id) else { return Ok(String::new()) };
        let stored = snapshot.get(caller.tenant, Address { kind, id })?;
        Ok(stored.map(|stored| stored.display().to_owned()).unwrap_or_default())
    };
    Ok(match target {
        Target::Plain { extension, name, sub, .. } => {
            let value = document.attribute(extension.as_deref(), name);
            let value = match sub {
                Some(sub) => value.and_then(|value| value.get(sub)),
                None => value,
            };
            match value {
                Some(Value::String(text)) => text.clone(),
                Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
                _ => String::new(),
            }
        }
        Target::Email => {
            let all = list(document.get("emails"));
            let primary = all.iter().find(|one| one.get("primary") == Some(&Value::Bool(true)));
            primary.or_else(|| all.first()).map(|one| text(one, "value")).unwrap_or_default()
        }
        Target::Phone(kind) => {
            let all = list(document.get("phoneNumbers"));
            all.iter().find(|one| is_type(one, kind)).map(|one| text(one, "value")).unwrap_or_default()
        }
        Target::Link(name, kind) => {
            let id = psa(name).map(|value| text(value, "value")).unwrap_or_default();
            named(*kind, &id)?
        }
        Target::UserTypes => {
            let mut all = list(psa("userTypes"));
            all.sort_by_key(|one| one.get("primary") != Some(&Value::Bool(true)));
            let mut elements = Vec::with_capacity(all.len());
            for one in &all {
                let name = named(KindId::USER_TYPE, &text(one, "value"))?;
                let place = named(KindId::COST_CENTER, &text(one, "costCenter"))?;
                elements.push(cells::element(&[&name, &place]));
            }
            elements.join(";")
        }
        Target::Overrides => {
            let mut elements = Vec::new();
            for one in &list(psa("overrides")) {
                let place = named(KindId::COST_CENTER, &text(one, "costCenter"))?;
                let (key, effect, level) = (text(one, "permission"), text(one, "effect"), text(one, "level"));
                elements.push(cells::element(&[&key, &effect, &level, &place]));
            }
            elements.join(";")
        }
        Target::Employments => {
            let mut elements = Vec::new();
            for one in &list(psa("employments")) {
                let template = named(KindId::EMPLOYMENT_TEMPLATE, &text(one, "template"))?;
                let disabled = one.get("hourBalanceDisabled") == Some(&Value::Bool(true));
                let disabled = if disabled { "disabled" } else { "" };
                let (start, overtime) = (text(one, "startDate"), text(one, "overtimeBalanceStartDate"));
                elements.push(cells::element(&[&template, &start, &overtime, disabled]));
            }
            elements.join(";")
        }
        Target::Rates(name) => {
            let rate = |one: &Value| {
                let money = format!("{} {}", text(one, "amount"), text(one, "currency"));
                cells::element(&[money.trim(), &text(one, "startDate")])
            };
            list(psa(name)).iter().map(rate).collect::<Vec<_>>().join(";")
        }
        Target::Integrations => {
            let number = |one: &Value| cells::element(&[&text(one, "system"), &text(one, "id")]);
            list(psa("integrations")).iter().map(number).collect::<Vec<_>>().join(";")
        }
        // Parts of one entry are for imports; an export has the whole history.
        Target::Employment(_) | Target::Rate(..) => String::new(),
    })
}

/// Writes a row as an object, in the order of its cells.
impl From<Row> for Value {
    fn from(row: Row) -> Self {
        Self::Object(
            row.cells.into_iter().map(|(column, text)| (column, Self::String(text))).collect::<Map<_, _>>(),
        )
    }
}
