//! `/admin/v1/licenses`, `/admin/v1/users/report` and `/admin/v1/users/ambiguous`: everybody at once (H17, P19, P21).
//!
//! The report is made while it is sent, a few people at a time.

use std::ops::ControlFlow;

use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::content::Content;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::ask::Ask;
use super::endpoint::{Answers, Found, JSON, Schemas, with_body};
use super::page::Page;
use super::people::{Person, after};
use super::query::{Form, Parameter};
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::http::scim::flow::{Begun, Pieces};
use crate::ids::ResourceId;
use crate::roster::{Caller, LicenseView, Namesakes, RosterError, Sought};
use crate::scim::error::quoted;

/// What the report can be asked for.
pub const REPORT: [Parameter; 1] = [Parameter::new("format", Form::Text, "`json` (the default) or `csv`.")];

const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");
/// People of whom a piece of the report tells.
const PEOPLE_AT_ONCE: usize = 16;
/// The first line of the report as CSV.
const COLUMNS: &str = "id,userName,displayName,email,employeeNumber,state,kind,nameMark,financialMark,administrator,permissions\r\n";

/// A licence pool.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct License {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// The licence class.
    pub class: Option<String>,
    /// How many seats there are.
    pub seats: u64,
    /// How many are taken; who is locked takes none.
    pub used: u64,
    /// How many are left.
    pub free: u64,
    /// `reject` or `lock`: what happens when none is left.
    pub when_full: &'static str,
}

/// People who may be one and the same.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ambiguous {
    /// What all are called.
    pub display_name: String,
    /// The address that all have.
    pub email: String,
    /// They, who came first at the front.
    #[schema(value_type = Vec<String>)]
    pub people: Vec<ResourceId>,
}

/// A person of the report.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(flatten)]
    person: Person,
    administrator: bool,
    permissions: Vec<Held>,
}

/// A permission of a person.
#[derive(Serialize)]
struct Held {
    permission: String,
    level: &'static str,
    anywhere: &'static str,
}

/// Lists licence pools.
pub async fn licenses(ask: Ask) -> Result<Found<Page<License>>, Problem> {
    let all = ask.run(|roster, caller, _| roster.licenses(caller)).await?;
    let licenses = all.into_iter().map(|LicenseView { id, name, class, seats, used, when_full }| License {
        id,
        name,
        class,
        seats,
        used,
        free: seats.saturating_sub(used),
        when_full,
    });
    Ok(Found(Page::of(&ask, licenses, |license| license.id.to_string())))
}

/// Lists who may be one and the same.
pub async fn ambiguous(ask: Ask) -> Result<Found<Page<Ambiguous>>, Problem> {
    let (after, limit) = (after(&ask)?, ask.limit());
    let (found, next) = ask.run(move |roster, caller, _| roster.namesakes(caller, after, limit)).await?;
    let ambiguous = |Namesakes { display_name, email, people }| Ambiguous { display_name, email, people };
    let items = found.into_iter().map(ambiguous).collect();
    Ok(Found(Page { items, next: next.map(|id| id.to_string()) }))
}

/// 200, with everybody.
pub struct Report(Response);

impl Answers for Report {
    const STATUS: StatusCode = StatusCode::OK;

    fn answer(self) -> Response {
        self.0
    }

    fn described(_: &mut Schemas) -> utoipa::openapi::Response {
        let object = || ObjectBuilder::new().schema_type(Type::Object).build();
        let text = || ObjectBuilder::new().schema_type(Type::String).build();
        ResponseBuilder::new()
            .description("Everybody with what they may do: `{\"items\": […]}`, or lines of CSV.")
            .content("application/json", Content::new(Some(object())))
            .content("text/csv", Content::new(Some(text())))
            .build()
    }
}

/// Reports everybody with their permissions.
pub async fn report(ask: Ask) -> Result<Report, Problem> {
    let csv = match ask.text("format") {
        None | Some("json") => false,
        Some("csv") => true,
        Some(other) => {
            return Err(Problem::bad_request(format!(
                "format: expected json or csv, found {}",
                quoted(other)
            )));
        }
    };
    let edge = ask.edge().clone();
    let begun = ask.run(move |_, caller, _| {
        let lines = Lines { caller: caller.clone(), csv, after: None, begun: false, first: true };
        Begun::of(lines, &edge)
    });
    let begun = begun.await?;
    let edge = ask.edge().clone();
    let kind = if csv { CSV } else { JSON };
    Ok(Report(with_body(StatusCode::OK, kind, begun.body(&edge, ask.hold))))
}

/// The report on its way out.
struct Lines {
    caller: Caller,
    csv: bool,
    after: Option<ResourceId>,
    begun: bool,
    first: bool,
}

impl Pieces for Lines {
    fn write(&mut self, out: &mut Vec<u8>, edge: &Edge) -> Result<ControlFlow<()>, RosterError> {
        if !self.begun {
            self.begun = true;
            let front = if self.csv { COLUMNS } else { r#"{"items":["# };
            out.extend_from_slice(front.as_bytes());
        }
        let roster = edge.roster();
        let sought = Sought { inactive: true, after: self.after, limit: PEOPLE_AT_ONCE, ..Sought::default() };
        let found = roster.seek_people(&self.caller, &sought)?;
        for person in found.people {
            // Who is gone by now is in no report.
            let Some(rights) = roster.rights(&self.caller, person.id)? else { continue };
            let permissions = rights.effective.iter().map(|(key, level, anywhere)| Held {
                permission: key.to_owned(),
                level: level.name(),
                anywhere: anywhere.name(),
            });
            let line = Line {
                administrator: rights.active && rights.effective.is_administrator(),
                permissions: permissions.collect(),
                person: person.into(),
            };
            self.line(&line, out)?;
        }
        self.after = found.next;
        if found.next.is_some() {
            return Ok(ControlFlow::Continue(()));
        }
        if !self.csv {
            out.extend_from_slice(b"]}");
        }
        Ok(ControlFlow::Break(()))
    }

    fn let_go(&mut self) {}
}

impl Lines {
    fn line(&mut self, line: &Line, out: &mut Vec<u8>) -> Result<(), RosterError> {
        if !self.csv {
            if !std::mem::take(&mut self.first) {
                out.push(b',');
            }
            return serde_json::to_writer(out, line).map_err(|error| RosterError::Broken(error.to_string()));
        }
        let Line { person, administrator, permissions } = line;
        let held = |held: &Held| {
            if held.level == held.anywhere {
                format!("{}={}", held.permission, held.level)
            } else {
                format!("{}={} ({} at some cost centre)", held.permission, held.level, held.anywhere)
            }
        };
        let permissions: Vec<String> = permissions.iter().map(held).collect();
        let (id, permissions) = (person.id.to_string(), permissions.join("; "));
        let cells = [
            id.as_str(),
            &person.user_name,
            &person.display_name,
            person.email.as_deref().unwrap_or_default(),
            person.employee_number.as_deref().unwrap_or_default(),
            person.state,
            &person.kind,
            person.name_mark.unwrap_or_default(),
            person.financial_mark.unwrap_or_default(),
            if *administrator { "true" } else { "false" },
            &permissions,
        ];
        let cells: Vec<String> = cells.into_iter().map(cell).collect();
        out.extend_from_slice(cells.join(",").as_bytes());
        out.extend_from_slice(b"\r\n");
        Ok(())
    }
}

/// Writes a cell so that no program takes it for more than text: what a spreadsheet would compute has an apostrophe in front.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if guard.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        return text.to_owned();
    }
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}
