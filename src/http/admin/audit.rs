//! `/admin/v1/audit`: the history, a page at a time or as a stream of lines. Needs a scope of its own (X60).
//!
//! Both are made while they are sent (`http::scim::flow`): an entry of a large group is megabytes by itself.

use std::ops::ControlFlow;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::content::Content;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::ask::Ask;
use super::endpoint::{Answers, JSON, Schemas, named, with_body};
use super::page::Page;
use super::query::{AFTER_NUMBER, Form, LIMIT, Parameter};
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::http::scim::flow::{Begun, Pieces};
use crate::ids::{ConnectionId, RequestId, ResourceId};
use crate::roster::{Caller, Permit, RosterError, Trail, Wanted};
use crate::scim::Kinds;
use crate::scim::error::quoted;
use crate::store::{Action, Actor, Asked, Change, Seq};

/// What the list can be asked for.
pub const LISTED: [Parameter; 6] = [
    AFTER_NUMBER,
    LIMIT,
    Parameter::new("subject", Form::Text, "Only entries about the resource with this id."),
    Parameter::new("action", Form::Text, "Only entries of this action, such as `create` or `token-revoke`."),
    Parameter::new("since", Form::Instant, "Only entries from this instant on."),
    Parameter::new("until", Form::Instant, "Only entries before this instant."),
];
/// What the export can be asked for.
pub const EXPORTED: [Parameter; 1] = [AFTER_NUMBER];

/// Rows that are read at a time.
const ROWS_AT_ONCE: usize = 4;
/// Rows of which a page is picked: where few are wanted, a page may be short, and `next` goes on.
const ROWS_LOOKED_AT_MAX: usize = 5000;
/// Bytes at which a page takes no more.
const PAGE_BYTES_MAX: usize = 8 << 20;
const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// An entry of the history.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its number: gap-free, from 1.
    pub seq: u64,
    /// When it was.
    #[schema(value_type = String, format = DateTime)]
    pub when: Timestamp,
    /// Who did it.
    pub who: Who,
    /// Through which connection.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub connection: Option<ConnectionId>,
    /// On which request.
    #[schema(value_type = String, format = "uuid")]
    pub request: RequestId,
    /// What was done.
    #[schema(value_type = String)]
    pub action: Action,
    /// To which resource.
    pub subject: Option<Subject>,
    /// `ok`, or in a word why not.
    pub result: String,
    /// Which leniencies the request needed, and remarks.
    pub notes: Vec<String>,
    /// The names of the attributes that changed.
    pub attributes: Vec<String>,
    /// What they were and became; null where that was erased.
    pub changes: Option<Vec<Changed>>,
    /// Which plugins were asked, what they proposed and found, and what became of it.
    pub plugins: Vec<Call>,
    /// SHA-256 of the values as they were written, hexadecimal.
    pub values_digest: String,
    /// The entry's link in the chain, hexadecimal.
    pub link: String,
}

/// Who did it.
#[derive(Serialize, ToSchema)]
pub struct Who {
    /// `token`, `client`, `cli` (the operator) or `system` (the daemon itself).
    pub kind: &'static str,
    /// The id of the token or the client.
    pub id: Option<String>,
    /// As whom the token acted.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub person: Option<ResourceId>,
}

/// A resource.
#[derive(Serialize, ToSchema)]
pub struct Subject {
    /// The name of its kind.
    pub kind: String,
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub id: ResourceId,
}

/// A change of an attribute.
#[derive(Serialize, ToSchema)]
pub struct Changed {
    /// Its name, with its schema in front where an extension defines it.
    pub attribute: String,
    /// What stood there; null where nothing did, or nothing that may be seen.
    pub old: Option<Value>,
    /// What stands there now.
    pub new: Option<Value>,
    /// Which operation of a PATCH was the last to set it, counted from 0.
    pub operation: Option<usize>,
    /// Which leniencies it needed.
    pub rules: Vec<String>,
}

/// What a plugin was asked, and what it said.
#[derive(Serialize, ToSchema)]
pub struct Call {
    /// Its name.
    pub plugin: String,
    /// `gate`, `map` or `validate`.
    pub hook: String,
    /// What tells the component, its settings and its tables from others.
    pub fingerprint: String,
    /// What the directory was doing.
    pub operation: String,
    /// SHA-256 of what it was shown, hexadecimal; moment and request are not in it.
    pub input: String,
    /// `ok`, or in a word how it failed.
    pub outcome: String,
    /// The fuel that it took.
    pub fuel: u64,
    /// What it proposed; without money for who may not see it.
    pub proposals: Vec<Proposal>,
    /// What it found.
    #[schema(value_type = Vec<Object>)]
    pub findings: Vec<Value>,
}

/// One proposal of a plugin.
#[derive(Serialize, ToSchema)]
pub struct Proposal {
    /// What, as an object with one member.
    #[schema(value_type = Object)]
    pub proposal: Value,
    /// Why it was refused; null where it was taken.
    pub refused: Option<String>,
}

impl From<Asked> for Call {
    fn from(asked: Asked) -> Self {
        let Asked { plugin, hook, fingerprint, operation, input, outcome, fuel, proposals, findings } = asked;
        let proposals =
            proposals.into_iter().map(|one| Proposal { proposal: one.proposal, refused: one.refused });
        let proposals = proposals.collect();
        Self { plugin, hook, fingerprint, operation, input, outcome, fuel, proposals, findings }
    }
}

impl Entry {
    /// Writes an entry for who may see it.
    pub(super) fn of(trail: Trail, kinds: &Kinds) -> Self {
        let Trail { seq, link, values_digest, facts, changes, asked } = trail;
        let subject = facts.subject.map(|at| Subject {
            kind: kinds.by_id(at.kind).map_or_else(|| at.kind.0.to_string(), |kind| kind.name.clone()),
            id: at.id,
        });
        Self {
            seq: seq.0,
            when: facts.when,
            who: facts.who.into(),
            connection: facts.connection,
            request: facts.request,
            action: facts.action,
            subject,
            result: facts.result,
            notes: facts.notes,
            attributes: facts.attributes,
            changes: changes.map(|changes| changes.into_iter().map(Changed::from).collect()),
            plugins: asked.into_iter().map(Call::from).collect(),
            values_digest,
            link,
        }
    }
}

impl From<Actor> for Who {
    fn from(actor: Actor) -> Self {
        let (kind, id) = match actor {
            Actor::Token(token) | Actor::Bound { token, .. } => ("token", Some(token.to_string())),
            Actor::Person(person) => ("session", Some(person.to_string())),
            Actor::Client(client) => ("client", Some(client.to_string())),
            Actor::Cli => ("cli", None),
            Actor::System => ("system", None),
        };
        Self { kind, id, person: actor.person() }
    }
}

impl From<Change> for Changed {
    fn from(change: Change) -> Self {
        let Change { attribute, old, new, operation, rules, .. } = change;
        Self { attribute, old, new, operation, rules }
    }
}

/// A page of the history, on its way.
pub struct Listed(Response);

/// The history as lines, on its way.
pub struct Exported(Response);

impl Answers for Listed {
    const STATUS: StatusCode = StatusCode::OK;

    fn answer(self) -> Response {
        self.0
    }

    fn described(schemas: &mut Schemas) -> utoipa::openapi::Response {
        let page = named::<Page<Entry>>(schemas);
        let says = "Entries, oldest first. May be fewer than the limit, also none, where `next` is not null.";
        ResponseBuilder::new().description(says).content("application/json", Content::new(Some(page))).build()
    }
}

impl Answers for Exported {
    const STATUS: StatusCode = StatusCode::OK;

    fn answer(self) -> Response {
        self.0
    }

    fn described(_: &mut Schemas) -> utoipa::openapi::Response {
        let line = ObjectBuilder::new().schema_type(Type::String).build();
        ResponseBuilder::new()
            .description("One entry a line, as the list has them, up to the entry that was the last when the export began.")
            .content("application/x-ndjson", Content::new(Some(line)))
            .build()
    }
}

/// Lists the history.
pub async fn list(ask: Ask) -> Result<Listed, Problem> {
    let wanted = Wanted {
        subject: ask.text("subject").map(subject).transpose()?,
        action: ask.text("action").map(action).transpose()?,
        since: ask.instant("since"),
        until: ask.instant("until"),
    };
    let shape = Shape::Page { left: ask.limit(), looked: 0, bytes: 0, first: true };
    Ok(Listed(with_body(StatusCode::OK, JSON, flowing(ask, wanted, shape).await?)))
}

/// Exports the history.
pub async fn export(ask: Ask) -> Result<Exported, Problem> {
    let body = flowing(ask, Wanted::default(), Shape::Lines).await?;
    Ok(Exported(with_body(StatusCode::OK, LINES, body)))
}

async fn flowing(ask: Ask, wanted: Wanted, shape: Shape) -> Result<Body, Problem> {
    let at = Seq(ask.number("after").unwrap_or(0));
    let edge = ask.edge().clone();
    let begun = ask.run(move |roster, caller, permit| {
        let end = roster.trail_end(caller, permit)?;
        let entries = Entries { caller: caller.clone(), permit, wanted, at, end, shape, begun: false };
        Begun::of(entries, &edge)
    });
    let begun = begun.await?;
    let edge = ask.edge().clone();
    Ok(begun.body(&edge, ask.hold))
}

fn subject(text: &str) -> Result<ResourceId, Problem> {
    ResourceId::parse(text)
        .map_err(|error| Problem::bad_request(format!("subject: {error}, found {}", quoted(text))))
}

fn action(text: &str) -> Result<Action, Problem> {
    serde_json::from_value(Value::from(text)).map_err(|_| {
        Problem::bad_request(format!(
            "action: found {}, which the history has no entries of; it has create, replace, patch, delete, and those of the operator, such as token-create",
            quoted(text)
        ))
    })
}

/// In which shape entries are written.
enum Shape {
    /// One a line, up to the end.
    Lines,
    /// A page.
    Page {
        /// How many more entries it takes.
        left: usize,
        /// How many rows were looked at.
        looked: usize,
        /// How many bytes of entries it has.
        bytes: usize,
        /// Whether it has none yet.
        first: bool,
    },
}

/// Entries on their way out.
struct Entries {
    caller: Caller,
    permit: Permit,
    wanted: Wanted,
    /// The last row that was looked at.
    at: Seq,
    /// The last row that is looked at.
    end: Seq,
    shape: Shape,
    begun: bool,
}

impl Pieces for Entries {
    fn write(&mut self, out: &mut Vec<u8>, edge: &Edge) -> Result<ControlFlow<()>, RosterError> {
        if !self.begun {
            self.begun = true;
            if let Shape::Page { .. } = self.shape {
                out.extend_from_slice(br#"{"items":["#);
            }
        }
        let more = self.end.0.saturating_sub(self.at.0);
        let rows = usize::try_from(more).unwrap_or(usize::MAX).min(ROWS_AT_ONCE);
        let over = match self.shape {
            Shape::Lines => rows == 0,
            Shape::Page { left, looked, bytes, .. } => {
                rows == 0 || left == 0 || looked >= ROWS_LOOKED_AT_MAX || bytes >= PAGE_BYTES_MAX
            }
        };
        if over {
            self.end(out, more > 0);
            return Ok(ControlFlow::Break(()));
        }
        let rows = match self.shape {
            // Not one more than the page may need: `next` is the number of the last row that was looked at.
            Shape::Page { left, .. } => rows.min(left),
            Shape::Lines => rows,
        };
        let stretch = edge.roster().trail(&self.caller, self.permit, self.at, rows, &self.wanted)?;
        let Some(last) = stretch.last else {
            self.at = self.end;
            return Ok(ControlFlow::Continue(()));
        };
        if let Shape::Page { looked, .. } = &mut self.shape {
            *looked = looked.saturating_add(rows);
        }
        self.at = last;
        for trail in stretch.found {
            self.entry(out, &Entry::of(trail, edge.roster().kinds()))?;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn let_go(&mut self) {
        // Each piece is read from the moment's own snapshot; rows of the history do not move.
    }
}

impl Entries {
    fn entry(&mut self, out: &mut Vec<u8>, entry: &Entry) -> Result<(), RosterError> {
        let before = out.len();
        if let Shape::Page { first, .. } = &mut self.shape
            && !std::mem::take(first)
        {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, entry)
            .map_err(|error| RosterError::Broken(format!("an entry could not be written: {error}")))?;
        match &mut self.shape {
            Shape::Lines => out.push(b'\n'),
            Shape::Page { left, bytes, .. } => {
                *left = left.saturating_sub(1);
                *bytes = bytes.saturating_add(out.len().saturating_sub(before));
            }
        }
        Ok(())
    }

    fn end(&self, out: &mut Vec<u8>, more: bool) {
        if let Shape::Page { .. } = self.shape {
            let next = if more { format!("\"{}\"", self.at.0) } else { "null".to_owned() };
            out.extend_from_slice(format!(r#"],"next":{next}}}"#).as_bytes());
        }
    }
}
