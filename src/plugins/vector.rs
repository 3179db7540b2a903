//! Vectors: questions to a plugin and the answers that it must give, in files (`docs/plugins/reference.md` says how they are written).
//!
//! A vector is played by the code that the roster's questions go through: the same instances, limits and endings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use wasmtime::component::types::Type;
use wasmtime::component::{Func, Val};

use super::call::{Build, Cost};
use super::file::{ReadError, read_bounded};
use super::json::{Misfit, read, write};
use super::load::failed;
use super::tables::{Table, TableError, Tables};
use crate::roster::hooks::{Failure, Hooks, ProblemKind};

/// Most bytes of a vector's file.
pub const VECTOR_BYTES_MAX: u64 = 4 << 20;
/// Most files of a folder that are played.
pub const VECTORS_MAX: usize = 1000;

/// Why a vector cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum VectorError {
    /// Its file, or one that it names.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A table that it names.
    #[error(transparent)]
    Table(#[from] TableError),
    /// What stands in it.
    #[error("{}: {what}", file.display())]
    Wrong {
        /// The file.
        file: PathBuf,
        /// What was expected and found, and where.
        what: String,
    },
}

/// One question and its answer.
#[derive(Debug, Clone)]
pub struct Vector {
    /// Its file.
    pub file: PathBuf,
    /// A sentence for the report.
    pub title: String,
    written: Written,
}

/// A vector as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written {
    title: Option<String>,
    hook: Option<Hook>,
    settings: Option<Value>,
    #[serde(default)]
    tables: BTreeMap<String, WrittenTable>,
    #[serde(default)]
    context: Map<String, Value>,
    user: Option<Map<String, Value>>,
    held: Option<Value>,
    client_id: Option<String>,
    scopes: Option<Vec<String>>,
    event: Option<Map<String, Value>>,
    expect: Map<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum WrittenTable {
    File(PathBuf),
    Rows(BTreeMap<String, BTreeMap<String, String>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Hook {
    Map,
    Validate,
    Admit,
    Claims,
    Event,
}

/// How it went.
#[derive(Debug)]
pub struct Played {
    /// Whether the answer was the one that it must be, else what was expected and found.
    pub verdict: Result<(), String>,
    /// What the call cost.
    pub cost: Cost,
}

/// What a plugin answered, as JSON.
enum Given {
    Answer(Value),
    Problem(Value),
}

/// Reads the vectors of a file, or of a folder's files that end in `.json`, by name.
pub fn read_all(path: &Path) -> Result<Vec<Vector>, VectorError> {
    if !path.is_dir() {
        return Ok(vec![Vector::read(path)?]);
    }
    let failed = |why| ReadError::Io { file: path.to_owned(), why };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            files.push(file);
        }
    }
    files.sort();
    if files.len() > VECTORS_MAX {
        let what = format!("expected at most {VECTORS_MAX} vectors, found {}", files.len());
        return Err(VectorError::Wrong { file: path.to_owned(), what });
    }
    files.iter().map(|file| Vector::read(file)).collect()
}

impl Vector {
    fn read(file: &Path) -> Result<Self, VectorError> {
        let written: Written = parse(file)?;
        let name = || file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { file: file.to_owned(), title: written.title.clone().unwrap_or_else(name), written })
    }

    fn wrong(&self, what: impl Into<String>) -> VectorError {
        VectorError::Wrong { file: self.file.clone(), what: what.into() }
    }

    /// Asks the plugin, and compares.
    pub fn play(&self, build: &Build, hooks: Hooks) -> Result<Played, VectorError> {
        let (expects, expected) = self.expectation()?;
        let hook = self.hook(expects, hooks)?;
        let build = self.build(build)?;
        let mut misfit = None;
        let noted = &mut misfit;
        let (ran, _) = build.ask(
            None,
            |store, guests| {
                let func = match hook {
                    Hook::Map => guests.mapper.as_ref().map(|guest| *guest.func_map_user().func()),
                    Hook::Validate => guests.validator.as_ref().map(|guest| *guest.func_validate().func()),
                    Hook::Admit => guests.gate.as_ref().map(|guest| *guest.func_admit().func()),
                    Hook::Claims => guests.claims.as_ref().map(|guest| *guest.func_claims().func()),
                    Hook::Event => guests.reactor.as_ref().map(|guest| *guest.func_on_event().func()),
                };
                let Some(func): Option<Func> = func else {
                    return Err(wasmtime::Error::msg("the plugin has no such hook"));
                };
                let of = func.ty(&mut *store);
                let asked = self.question(hook, of.params()).and_then(|params| {
                    let answer = of.results().next();
                    let expected = expected_as(answer.as_ref(), expects, &expected)?;
                    Ok((params, expected))
                });
                let (params, expected) = match asked {
                    Ok(asked) => asked,
                    Err(error) => {
                        *noted = Some(error);
                        return Ok(Ok((Given::Answer(Value::Null), Value::Null)));
                    }
                };
                let mut results = [Val::Bool(false)];
                func.call(&mut *store, &params, &mut results)?;
                let [result] = results;
                let given = match result {
                    Val::Result(Ok(Some(answer))) => Given::Answer(write(&answer)),
                    Val::Result(Err(Some(problem))) => Given::Problem(write(&problem)),
                    _ => return Err(wasmtime::Error::msg("the contract has no such answer")),
                };
                Ok(Ok((given, expected)))
            },
            Ok,
        );
        if let Some(Misfit { place, what }) = misfit {
            return Err(self.wrong(format!("{place}: {what}")));
        }
        let verdict = match ran.answer {
            Ok((given, expected)) => compare(expects, &expected, &given),
            // `configure` said so.
            Err(Failure::Problem(problem)) => {
                let kind = kind_word(problem.kind);
                let found = json!({ "kind": kind, "path": problem.path, "detail": problem.detail });
                compare(expects, &expected, &Given::Problem(found))
            }
            Err(failure) => Err(failed(&failure)),
        };
        Ok(Played { verdict, cost: ran.cost })
    }

    fn expectation(&self) -> Result<(&'static str, Value), VectorError> {
        const KNOWN: [&str; 6] = ["changes", "findings", "verdict", "claims", "notes", "problem"];
        let mut members = self.written.expect.iter();
        let (Some((name, value)), None) = (members.next(), members.next()) else {
            return Err(self.wrong(format!("expect: expected exactly one of {}", KNOWN.join(", "))));
        };
        match KNOWN.into_iter().find(|known| known == name) {
            Some(known) => Ok((known, value.clone())),
            None => Err(self.wrong(format!("expect: expected one of {}, found {name:?}", KNOWN.join(", ")))),
        }
    }

    fn hook(&self, expects: &str, has: Hooks) -> Result<Hook, VectorError> {
        let told = match expects {
            "changes" => Some(Hook::Map),
            "findings" => Some(Hook::Validate),
            "verdict" => Some(Hook::Admit),
            "claims" => Some(Hook::Claims),
            "notes" => Some(Hook::Event),
            _ => None,
        };
        let all = [
            (Hook::Map, has.map),
            (Hook::Validate, has.validate),
            (Hook::Admit, has.gate),
            (Hook::Claims, has.claims),
            (Hook::Event, has.react),
        ];
        let mut there = all.into_iter().filter(|(_, has)| *has).map(|(hook, _)| hook);
        let only = there.next().filter(|_| there.next().is_none());
        let hook = match (self.written.hook, told) {
            (Some(said), Some(told)) if said != told => {
                return Err(self.wrong(format!("hook: {expects} is not what that hook answers")));
            }
            (Some(hook), _) | (None, Some(hook)) => hook,
            (None, None) => only.ok_or_else(|| {
                self.wrong("hook: the plugin has more than one; say which must answer with a problem")
            })?,
        };
        if !all.into_iter().any(|(one, has)| one == hook && has) {
            return Err(self.wrong("hook: the plugin does not have the hook that this is about"));
        }
        if (hook == Hook::Event) == self.written.event.is_some() {
            Ok(hook)
        } else {
            Err(self.wrong("event: must be there for the hook event, and only for it"))
        }
    }

    /// The plugin with the settings and tables of the vector, where it has its own.
    fn build(&self, build: &Build) -> Result<Build, VectorError> {
        let mut build = build.clone();
        let folder = self.file.parent().unwrap_or(Path::new("."));
        match &self.written.settings {
            None => {}
            Some(Value::String(name)) => {
                let settings: Value = parse(&folder.join(name))?;
                build.settings = settings.to_string().into();
            }
            Some(settings) => build.settings = settings.to_string().into(),
        }
        if !self.written.tables.is_empty() {
            let read = |(name, table): (&String, &WrittenTable)| {
                let table = match table {
                    WrittenTable::File(file) => Table::read(&folder.join(file))?,
                    WrittenTable::Rows(rows) => Table::of(rows.clone()),
                };
                Ok((name.clone(), table))
            };
            let tables = self.written.tables.iter().map(read).collect::<Result<Vec<_>, VectorError>>()?;
            build.tables = Arc::new(Tables::new(tables));
        }
        Ok(build)
    }

    /// What the hook is asked.
    fn question<'t>(
        &self,
        hook: Hook,
        params: impl Iterator<Item = (&'t str, Type)>,
    ) -> Result<Vec<Val>, Misfit> {
        let context = self.context();
        let user = self.user(self.written.user.clone().unwrap_or_default());
        params
            .map(|(name, of)| {
                let (place, json) = match name {
                    "ctx" => ("context", Value::Object(context.clone())),
                    "user" => ("user", user.clone()),
                    "held" | "proposed" => ("held", self.written.held.clone().unwrap_or_else(|| json!({}))),
                    "client-id" => ("clientId", json!(self.written.client_id.as_deref().unwrap_or("client"))),
                    "scopes" => ("scopes", json!(self.written.scopes.as_deref().unwrap_or_default())),
                    "event" if hook == Hook::Event => ("event", self.event(&context, &user)),
                    other => {
                        let what = "the contract has no such parameter".to_owned();
                        return Err(Misfit { place: other.to_owned(), what });
                    }
                };
                read(&of, &json, place)
            })
            .collect()
    }

    fn context(&self) -> Map<String, Value> {
        let mut context = self.written.context.clone();
        let text = |name: &str| self.written.context.get(name).and_then(Value::as_str);
        let today = match (text("today"), text("now").and_then(|now| now.get(..10))) {
            (Some(day), _) | (None, Some(day)) => day.to_owned(),
            (None, None) => "2026-03-01".to_owned(),
        };
        fill(
            &mut context,
            [
                ("tenant", json!("main")),
                ("source", json!("idp")),
                ("operation", json!("create")),
                ("correlationId", json!("vector")),
                ("now", json!(format!("{today}T00:00:00Z"))),
                ("today", json!(today)),
                ("dryRun", json!(false)),
            ],
        );
        context
    }

    fn user(&self, mut user: Map<String, Value>) -> Value {
        fill(
            &mut user,
            [
                ("id", json!("00000000-0000-7000-8000-000000000001")),
                ("active", json!(true)),
                ("extra", json!({})),
                ("shadow", json!({})),
            ],
        );
        Value::Object(user)
    }

    fn event(&self, context: &Map<String, Value>, user: &Value) -> Value {
        let mut event = self.written.event.clone().unwrap_or_default();
        if let Some(Value::Object(given)) = event.get("user").cloned() {
            event.insert("user".to_owned(), self.user(given));
        }
        let subject = event.get("user").and_then(|user| user.get("id")).or_else(|| user.get("id")).cloned();
        fill(
            &mut event,
            [
                ("id", json!("evt_1")),
                ("sequence", json!("1")),
                ("operation", context.get("operation").cloned().unwrap_or_default()),
                ("subject", subject.unwrap_or_default()),
            ],
        );
        Value::Object(event)
    }
}

fn fill<const N: usize>(members: &mut Map<String, Value>, defaults: [(&str, Value); N]) {
    for (name, value) in defaults {
        members.entry(name).or_insert(value);
    }
}

/// The expected answer in the form that answers are written in: with everything that was left out.
fn expected_as(result: Option<&Type>, expects: &str, expected: &Value) -> Result<Value, Misfit> {
    let place = format!("expect.{expects}");
    let Some(Type::Result(result)) = result else {
        return Err(Misfit { place, what: "the contract has no such answer".to_owned() });
    };
    match (expects, result.ok()) {
        ("problem", _) | (_, None) => Ok(expected.clone()),
        (_, Some(ok)) => Ok(write(&read(&ok, expected, &place)?)),
    }
}

fn compare(expects: &str, expected: &Value, given: &Given) -> Result<(), String> {
    match (expects, given) {
        ("problem", Given::Problem(found)) => {
            let members = expected.as_object().cloned().unwrap_or_default();
            let differs = members
                .iter()
                .find(|(name, value)| found.get(name.as_str()).unwrap_or(&Value::Null) != *value);
            match differs {
                None if members.contains_key("kind") => Ok(()),
                None => Err("expect.problem: expected an object with kind".to_owned()),
                Some(_) => Err(format!("expected the problem {expected}, found {found}")),
            }
        }
        ("problem", Given::Answer(found)) => Err(format!("expected a problem, found the answer {found}")),
        (_, Given::Problem(found)) => Err(format!("expected {expects}, found the problem {found}")),
        (_, Given::Answer(found)) if found == expected => Ok(()),
        (_, Given::Answer(found)) => Err(format!("expected {expected}, found {found}")),
    }
}

const fn kind_word(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::InvalidValue => "invalid-value",
        ProblemKind::MissingData => "missing-data",
        ProblemKind::Conflict => "conflict",
        ProblemKind::Denied => "denied",
        ProblemKind::Configuration => "configuration",
        ProblemKind::Internal => "internal",
    }
}

fn parse<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T, VectorError> {
    let bytes = read_bounded(file, VECTOR_BYTES_MAX)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| VectorError::Wrong { file: file.to_owned(), what: error.to_string() })
}
