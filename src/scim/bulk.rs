//! Bulk requests (RFC 7644 §3.7): many operations in one message, which may speak of what others among them create.
//!
//! [`Request::parse`] reads the message, [`refs`] finds the places in an operation where `bulkId:…` stands for an id,
//! [`order`] puts the operations into an order in which everything exists before it is spoken of. Nothing is carried out here.
//!
//! What is wrong with the message is refused as a whole; what is wrong with one operation is that operation's answer.

pub mod order;
pub mod refs;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use self::order::Step;
use self::refs::Meaning;
use super::error::{Refusal, Why, quoted};
use super::schema::{Kind, Kinds};
use super::urn;

/// Most operations in one request (S164).
pub const OPERATIONS_MAX: usize = 1000;
/// Longest `bulkId`.
pub const BULK_ID_BYTES_MAX: usize = 256;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Creates.
    Post,
    /// Replaces.
    Put,
    /// Changes in part.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// Returns the word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        let all = [Self::Post, Self::Put, Self::Patch, Self::Delete];
        all.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(word))
    }
}

/// Which resource an operation is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whom {
    /// One that it creates.
    New,
    /// The one of this id, as it was sent.
    Named(String),
    /// The one that the POST of this `bulkId` creates.
    Made(String),
}

/// What an operation asks for, once it has been understood.
#[derive(Debug, Clone)]
pub struct Task {
    /// What to do.
    pub method: Method,
    /// With which kind of resource.
    pub kind: Arc<Kind>,
    /// With which of them.
    pub whom: Whom,
    /// The version it must have (S154).
    pub version: Option<String>,
    /// The body that a request of its own would have; `null` for DELETE.
    pub data: Value,
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The method, as the answer repeats it; `None` where none can be told.
    pub method: Option<String>,
    /// Its name within the request.
    pub bulk_id: Option<String>,
    /// What it asks for, or why that cannot be done.
    pub task: Result<Task, Refusal>,
    /// The `bulkId`s it speaks of, its own among them when it speaks of itself. Filled by [`Request::steps`].
    pub speaks_of: BTreeSet<String>,
}

/// A bulk request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Whether `schemas` says what the message is.
    pub names_its_schema: bool,
    /// After how many errors to stop (S163).
    pub fail_on_errors: Option<u64>,
    /// The operations, as they were sent.
    pub operations: Vec<Operation>,
}

/// Why a message is no bulk request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkError {
    /// It is malformed.
    Refused(Refusal),
    /// It has more than [`OPERATIONS_MAX`] operations.
    TooManyOperations {
        /// How many it has.
        found: usize,
    },
}

impl From<Refusal> for BulkError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Request {
    /// Reads the message. Operations that make no sense are kept, with the reason.
    pub fn parse(body: Value, kinds: &Kinds) -> Result<Self, BulkError> {
        let Value::Object(mut body) = body else { return Err(syntax("expected a JSON object").into()) };
        let names_its_schema =
            take(&mut body, "schemas").as_ref().and_then(Value::as_array).is_some_and(|ids| {
                ids.iter().any(|id| id.as_str().is_some_and(|id| urn::same(id, urn::BULK_REQUEST)))
            });
        let fail_on_errors = fail_on_errors(take(&mut body, "failOnErrors"))?;
        let Some(Value::Array(sent)) = take(&mut body, "Operations") else {
            return Err(syntax("expected a list in Operations").into());
        };
        if sent.is_empty() {
            return Err(syntax("expected at least one operation, found none").into());
        }
        if sent.len() > OPERATIONS_MAX {
            return Err(BulkError::TooManyOperations { found: sent.len() });
        }
        let mut operations = Vec::with_capacity(sent.len());
        for (place, operation) in sent.into_iter().enumerate() {
            let Value::Object(operation) = operation else {
                return Err(syntax(format!("Operations[{place}]: expected an object")).into());
            };
            operations.push(Operation::parse(operation, kinds));
        }
        let mut request = Self { names_its_schema, fail_on_errors, operations };
        request.refuse_names_used_twice();
        Ok(request)
    }

    /// Refuses every creation that shares its `bulkId` with another: nobody could say which one is meant.
    fn refuse_names_used_twice(&mut self) {
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        for name in self.operations.iter().filter_map(Operation::creates) {
            let count = seen.entry(name).or_default();
            *count = count.saturating_add(1);
        }
        let twice: BTreeSet<String> =
            seen.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name.to_owned()).collect();
        for operation in &mut self.operations {
            if let Some(name) = operation.creates().filter(|name| twice.contains(*name)) {
                let detail =
                    format!("bulkId: expected a name that no other POST has, found {}", quoted(name));
                operation.task = Err(Refusal::new(Why::InvalidValue, detail));
            }
        }
    }

    /// Says in which order to carry the operations out: the order in which they were sent, but for those that speak of what a
    /// later one creates. Operations on one resource keep their order. Those that speak of what no operation creates are refused.
    pub fn steps(&mut self) -> Vec<Step> {
        let made: BTreeMap<String, usize> = self
            .operations
            .iter()
            .enumerate()
            .filter(|(_, operation)| operation.method.as_deref() == Some("POST"))
            .filter_map(|(place, operation)| Some((operation.bulk_id.clone()?, place)))
            .collect();
        let mut needs: Vec<BTreeSet<usize>> = Vec::with_capacity(self.operations.len());
        let mut latest: BTreeMap<(u8, Whom), usize> = BTreeMap::new();
        for (place, operation) in self.operations.iter_mut().enumerate() {
            let mut before = BTreeSet::new();
            operation.look_for_references();
            match operation.speaks_of.iter().find(|name| !made.contains_key(*name)) {
                Some(unknown) => {
                    let detail = format!(
                        "no POST of this request has the bulkId {}, which is spoken of",
                        quoted(unknown)
                    );
                    operation.task = Err(Refusal::new(Why::InvalidValue, detail));
                }
                None => before.extend(operation.speaks_of.iter().filter_map(|name| made.get(name))),
            }
            if let Ok(task) = &operation.task
                && task.whom != Whom::New
            {
                before.extend(latest.insert((task.kind.id.0, task.whom.clone()), place));
            }
            needs.push(before);
        }
        order::steps(&needs)
    }
}

impl Operation {
    fn parse(mut sent: Map<String, Value>, kinds: &Kinds) -> Self {
        let word = match take(&mut sent, "method") {
            Some(Value::String(word)) => Some(word),
            _ => None,
        };
        let method = word.as_deref().and_then(Method::parse);
        // What is no method is repeated only where it looks like one.
        let like_one =
            |word: &String| word.len() <= 16 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
        let shown = method.map(|method| method.as_str().to_owned()).or_else(|| word.filter(like_one));
        let named = bulk_id(take(&mut sent, "bulkId"));
        let bulk_id = named.as_ref().ok().cloned().flatten();
        let task = named.and_then(|name| match method {
            Some(method) => Task::parse(method, name.as_deref(), sent, kinds),
            None => Err(syntax("method: expected one of POST, PUT, PATCH, DELETE")),
        });
        Self { method: shown, bulk_id, task, speaks_of: BTreeSet::new() }
    }

    /// Returns the name of what it creates, if it is a creation that has one.
    fn creates(&self) -> Option<&str> {
        self.bulk_id.as_deref().filter(|_| self.method.as_deref() == Some(Method::Post.as_str()))
    }

    fn look_for_references(&mut self) {
        let Ok(task) = &mut self.task else { return };
        let found = &mut self.speaks_of;
        task.replace_references(&mut |name| {
            found.insert(name.to_owned());
            Meaning::Unchanged
        });
        if let Whom::Made(name) = &task.whom {
            found.insert(name.clone());
        }
    }
}

impl Task {
    fn parse(
        method: Method,
        bulk_id: Option<&str>,
        mut sent: Map<String, Value>,
        kinds: &Kinds,
    ) -> Result<Self, Refusal> {
        if method == Method::Post && bulk_id.is_none() {
            return Err(Refusal::new(Why::InvalidValue, "bulkId: a POST needs one"));
        }
        let Some(Value::String(path)) = take(&mut sent, "path") else {
            return Err(syntax("path: expected a text such as /Users"));
        };
        let (kind, whom) = target(method, &path, kinds)?;
        let version = match take(&mut sent, "version") {
            None | Some(Value::Null) => None,
            Some(Value::String(version)) => Some(version),
            Some(_) => {
                return Err(Refusal::new(Why::InvalidValue, "version: expected a text such as W/\"7\""));
            }
        };
        let data = match (method, take(&mut sent, "data")) {
            (Method::Delete, _) => Value::Null,
            (_, Some(data @ Value::Object(_))) => data,
            _ => return Err(syntax("data: expected an object, the body of the request")),
        };
        Ok(Self { method, kind, whom, version, data })
    }

    /// Asks what each `bulkId:…` in the data means, and puts it there.
    pub fn replace_references(&mut self, meaning: &mut dyn FnMut(&str) -> Meaning) {
        match self.method {
            Method::Post | Method::Put => refs::in_resource(&mut self.data, &self.kind, meaning),
            Method::Patch => refs::in_patch(&mut self.data, &self.kind, meaning),
            Method::Delete => {}
        }
    }
}

/// Reads a path: `/Users` to POST to, else `/Users/{id}` or `/Users/bulkId:{name}`. Nothing else is reached from here: no
/// other server, no bulk request within this one, no list (X33).
fn target(method: Method, path: &str, kinds: &Kinds) -> Result<(Arc<Kind>, Whom), Refusal> {
    let wrong = || {
        let endpoints = kinds.iter().map(|kind| kind.endpoint.as_str()).collect::<Vec<_>>().join(" or ");
        let behind = if method == Method::Post { "" } else { ", with an id behind it" };
        let detail = format!("path: expected {endpoints}{behind}, found {}", quoted(path));
        Refusal::new(Why::InvalidPath, detail)
    };
    let plain = path.strip_prefix('/').unwrap_or(path);
    let (endpoint, id) = match plain.split_once('/') {
        Some((endpoint, id)) => (endpoint, Some(id)),
        None => (plain, None),
    };
    let kind = kinds.by_endpoint(endpoint).filter(|_| !endpoint.is_empty()).ok_or_else(wrong)?;
    let whom = match (method, id) {
        (Method::Post, None) => Whom::New,
        (Method::Post, Some(_)) | (_, None | Some("")) => return Err(wrong()),
        (_, Some(id)) => match refs::referred(id) {
            Some(name) => Whom::Made(name.to_owned()),
            None if id.contains('/') => return Err(wrong()),
            None => Whom::Named(id.to_owned()),
        },
    };
    Ok((Arc::clone(kind), whom))
}

fn bulk_id(sent: Option<Value>) -> Result<Option<String>, Refusal> {
    match sent {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) if !name.is_empty() && name.len() <= BULK_ID_BYTES_MAX => Ok(Some(name)),
        Some(_) => {
            let detail = format!("bulkId: expected a text of 1 to {BULK_ID_BYTES_MAX} bytes");
            Err(Refusal::new(Why::InvalidValue, detail))
        }
    }
}

fn fail_on_errors(sent: Option<Value>) -> Result<Option<u64>, Refusal> {
    match sent {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(count) if count > 0 => Ok(Some(count)),
            _ => Err(Refusal::new(Why::InvalidValue, "failOnErrors: expected a whole number from 1")),
        },
    }
}

/// Takes a member out of an object, whatever the case of letters in its name.
fn take(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let key = object.keys().find(|key| urn::same(key, name))?.clone();
    object.swap_remove(&key)
}

fn syntax(detail: impl Into<String>) -> Refusal {
    Refusal::new(Why::InvalidSyntax, detail)
}
