//! Where a change came from: who made it, by which request, and what in that request set each value.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::view::RequestView;
use super::{Doctor, history, leniency};
use crate::ids::{Address, RequestId};
use crate::requests::{SecretNames, redact};
use crate::roster::{Caller, LOCAL_NAME, RosterError};
use crate::scim::attr::{Resolved, resolve};
use crate::scim::{Kind, fold};
use crate::store::{Action, Actor, Asked, Change, Facts, Seq, Values};

/// Where a change came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Its number.
    pub change: u64,
    /// When it was made.
    pub when: Timestamp,
    /// Who made it.
    pub who: String,
    /// Through which connection.
    pub connection: Option<String>,
    /// What was done.
    pub action: String,
    /// How it ended.
    pub result: String,
    /// To what.
    pub subject: Option<Subject>,
    /// On which request.
    pub request: RequestId,
    /// The request itself, where it is still remembered.
    pub sent: Option<RequestView>,
    /// Leniencies that the request needed.
    pub leniencies: Vec<Used>,
    /// Remarks about plugins that were asked.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// Plugins that were asked, and what became of what they proposed.
    #[serde(default)]
    pub plugins: Vec<Call>,
    /// What the attributes were and became.
    pub values: Vec<Became>,
    /// Whether the values were erased since.
    pub erased: bool,
}

/// The record that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its kind.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// What it is called now; `None` when it is no more.
    pub display: Option<String>,
}

/// A leniency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// The rule.
    pub rule: String,
    /// What it means.
    pub meaning: String,
}

/// A plugin that was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Its name.
    pub plugin: String,
    /// At which hook.
    pub hook: String,
    /// `ok`, or in a word how it failed.
    pub outcome: String,
    /// What it proposed.
    pub proposals: Vec<Proposal>,
    /// What it found.
    pub findings: Vec<Value>,
}

/// One proposal of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// What, as an object with one member.
    pub proposal: Value,
    /// Why it was refused; `None` where it was taken.
    pub refused: Option<String>,
}

impl From<Asked> for Call {
    fn from(asked: Asked) -> Self {
        let Asked { plugin, hook, outcome, proposals, findings, .. } = asked;
        let proposals =
            proposals.into_iter().map(|one| Proposal { proposal: one.proposal, refused: one.refused });
        Self { plugin, hook, outcome, proposals: proposals.collect(), findings }
    }
}

/// What an attribute was and became.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Became {
    /// The attribute.
    pub attribute: String,
    /// What it was; `None` where it was not there.
    pub old: Option<Value>,
    /// What it is; `None` where it is no more.
    pub new: Option<Value>,
    /// Which operation of a PATCH set it last, as the history has it.
    pub operation: Option<usize>,
    /// The leniencies that it needed, as the history has them.
    pub leniencies: Vec<Used>,
    /// The parts of the request that set it, where the request is still remembered.
    pub from: Vec<Part>,
    /// Why it was set although nothing in the request says so.
    pub because: Option<String>,
}

/// A part of a request, as it was sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Where it stands: `Operations[1]`, `displayName`.
    pub place: String,
    /// What stands there.
    pub sent: Value,
}

impl Doctor {
    /// Explains a change of a tenant's history.
    pub(super) fn explain(&self, caller: &Caller, change: u64) -> Result<Explanation, RosterError> {
        let snapshot = self.roster.store().snapshot()?;
        let before = change.checked_sub(1).map(Seq);
        let row = match before {
            Some(before) => snapshot.changes(caller.tenant(), before, 1)?.into_iter().next(),
            None => None,
        };
        let Some(row) = row.filter(|row| row.seq.0 == change) else {
            let last = snapshot.head(caller.tenant())?.seq.0;
            return Err(RosterError::Unfit(format!(
                "there is no change {change}; this tenant's history has the numbers 1 to {last} (rosterd audit export)"
            )));
        };
        let damaged = |error: serde_json::Error| RosterError::Broken(format!("change {change}: {error}"));
        let facts: Facts = serde_json::from_slice(&row.facts).map_err(damaged)?;
        let values: Option<Values> = match row.values.as_slice() {
            [] => None,
            values => Some(serde_json::from_slice(values).map_err(damaged)?),
        };
        let connections = self.roster.connections(caller)?;
        let connection = facts.connection.map(|id| {
            let known = connections.iter().find(|connection| connection.id == id);
            known.map_or_else(|| id.to_string(), |connection| connection.name.clone())
        });
        let sent = facts.connection.zip(self.requests.as_ref()).and_then(|(connection, log)| {
            let entry = log.find((caller.tenant(), connection), facts.request)?;
            Some(RequestView::of(&entry, true))
        });
        let subject = match facts.subject {
            Some(at) => Some(self.subject(snapshot.get(caller.tenant(), at)?.as_ref(), at)),
            None => None,
        };
        let kind = facts.subject.and_then(|at| self.roster.kinds().by_id(at.kind));
        let source =
            Source { facts: &facts, sent: sent.as_ref(), kind: kind.map(AsRef::as_ref), names: &self.names };
        let (remarks, rules) = facts.notes.iter().partition::<Vec<_>, _>(|note| leniency::is_remark(note));
        let erased = values.is_none();
        let (changes, asked) = values.map_or_else(Default::default, |values| (values.changes, values.asked));
        Ok(Explanation {
            change,
            when: facts.when,
            who: who(facts.who),
            connection: connection.filter(|name| name != LOCAL_NAME || facts.who != Actor::Cli),
            action: history::word(facts.action),
            result: facts.result.clone(),
            subject,
            request: facts.request,
            leniencies: rules.into_iter().map(|note| used(note)).collect(),
            remarks: remarks.into_iter().cloned().collect(),
            plugins: asked.into_iter().map(Call::from).collect(),
            erased,
            values: changes.into_iter().map(|change| source.became(change)).collect(),
            sent,
        })
    }

    fn subject(&self, stored: Option<&crate::store::Stored>, at: Address) -> Subject {
        let kind = self.roster.kinds().by_id(at.kind).map_or_else(String::new, |kind| kind.name.clone());
        Subject { kind, id: at.id.to_string(), display: stored.map(|stored| stored.display().to_owned()) }
    }
}

fn who(actor: Actor) -> String {
    match actor {
        Actor::Token(token) => format!("token {token}"),
        Actor::Bound { token, person } => format!("the person {person}, by the token {token}"),
        Actor::Person(person) => format!("the person {person}, signed in"),
        Actor::Client(client) => format!("client {client}"),
        Actor::Cli => "an operator, through the command line".to_owned(),
        Actor::System => "the daemon itself".to_owned(),
    }
}

fn used(rule: &str) -> Used {
    Used { rule: rule.to_owned(), meaning: leniency::meaning(rule).to_owned() }
}

fn place(operation: usize) -> String {
    format!("Operations[{operation}]")
}

/// What the values of a change may have come from.
struct Source<'a> {
    facts: &'a Facts,
    sent: Option<&'a RequestView>,
    kind: Option<&'a Kind>,
    names: &'a SecretNames,
}

impl Source<'_> {
    fn became(&self, change: Change) -> Became {
        let mut from = self.parts(&change.attribute);
        if let Some(place) = change.operation.map(place) {
            // Of several that speak of it, the last that set it.
            from.retain(|part| part.place == place);
        }
        let because =
            if from.is_empty() && change.operation.is_none() { self.because(&change) } else { None };
        let attribute = change.attribute;
        Became {
            operation: change.operation,
            leniencies: change.rules.iter().map(|rule| used(rule)).collect(),
            attribute: attribute.clone(),
            old: change.old.map(|old| redact::value(&attribute, &old, self.names)),
            new: change.new.map(|new| redact::value(&attribute, &new, self.names)),
            from,
            because,
        }
    }

    /// Lists the parts of the request that speak of an attribute.
    fn parts(&self, attribute: &str) -> Vec<Part> {
        let (Some(body), Some(kind)) = (self.sent.and_then(RequestView::sent), self.kind) else {
            return Vec::new();
        };
        let body = self.within_bulk(body);
        let Some(operations) = member(&body, "Operations").and_then(Value::as_array) else {
            return members_about(&body, attribute, kind);
        };
        let about = operations
            .iter()
            .enumerate()
            .filter(|(_, operation)| operation_is_about(operation, attribute, kind));
        about.map(|(at, sent)| Part { place: place(at), sent: sent.clone() }).collect()
    }

    /// Of a Bulk request, the data of the operation that names the record; else the body as it is.
    fn within_bulk(&self, body: Value) -> Value {
        let (Some(at), true) =
            (self.facts.subject, self.sent.is_some_and(|sent| sent.path().ends_with("/Bulk")))
        else {
            return body;
        };
        let id = at.id.to_string();
        let operations = member(&body, "Operations").and_then(Value::as_array);
        let named = operations.into_iter().flatten().find(|operation| {
            member(operation, "path").and_then(Value::as_str).is_some_and(|path| path.contains(&id))
        });
        named.and_then(|operation| member(operation, "data")).cloned().unwrap_or(Value::Null)
    }

    /// Says why a value was set of which the request does not speak.
    fn because(&self, change: &Change) -> Option<String> {
        let sent = self.sent?;
        let whole = sent.sent().is_some();
        match (self.facts.action, &change.new) {
            (Action::Delete, _) => Some("the record was removed".to_owned()),
            (Action::Replace, None) if whole => {
                Some("the PUT does not mention it, and a PUT clears what it does not mention".to_owned())
            }
            (Action::Create, Some(Value::Bool(true))) if change.attribute == "active" => {
                Some("a person is active unless the request says otherwise".to_owned())
            }
            _ if change.attribute == "shadow" => Some(
                "no schema of the connection has these: they are kept beside the resource and never answered"
                    .to_owned(),
            ),
            _ if !whole => None,
            _ if !self.facts.asked.is_empty() => Some(
                "the request does not name it: it follows from what it does name, from a leniency above, or from a plugin below"
                    .to_owned(),
            ),
            _ => Some(
                "the request does not name it: it follows from what it does name, or from a leniency above"
                    .to_owned(),
            ),
        }
    }
}

/// Finds a member, whatever the case of letters.
fn member<'a>(value: &'a Value, wanted: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(name, _)| fold::same(name, wanted)).map(|(_, value)| value)
}

/// Lists the members of a resource's body that set an attribute.
fn members_about(body: &Value, attribute: &str, kind: &Kind) -> Vec<Part> {
    let mut parts = Vec::new();
    for (name, value) in body.as_object().into_iter().flatten() {
        match (resolve(name, kind), value) {
            (Resolved::Schema(schema), Value::Object(inner)) => {
                let prefix =
                    if schema.id == kind.core.id { String::new() } else { format!("{}:", schema.id) };
                for (inner, value) in
                    inner.iter().filter(|(inner, _)| fold::same(&format!("{prefix}{inner}"), attribute))
                {
                    parts.push(Part { place: format!("{name}:{inner}"), sent: value.clone() });
                }
            }
            _ if says(name, attribute, kind) => parts.push(Part { place: name.clone(), sent: value.clone() }),
            _ => {}
        }
    }
    parts
}

fn operation_is_about(operation: &Value, attribute: &str, kind: &Kind) -> bool {
    match member(operation, "path").and_then(Value::as_str).filter(|path| !path.is_empty()) {
        Some(path) => says(path, attribute, kind),
        None => {
            member(operation, "value").is_some_and(|value| !members_about(value, attribute, kind).is_empty())
        }
    }
}

/// Tells whether a path means an attribute, or a part of it, or the schema that has it.
fn says(path: &str, attribute: &str, kind: &Kind) -> bool {
    let path = path.split('[').next().unwrap_or_default();
    match resolve(path, kind) {
        Resolved::Schema(schema) => {
            attribute.strip_prefix(&schema.id).is_some_and(|rest| rest.starts_with(':'))
        }
        resolved => match resolved.to_path() {
            Some(mut path) => {
                path.sub = None;
                fold::same(&path.to_string(), attribute)
            }
            None => fold::same(path, attribute),
        },
    }
}
