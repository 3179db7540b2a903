//! Questions in files: the same that `rosterd plugin test` asks.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use super::surroundings::{self, Tables};
use super::{Registered, plugin};
use crate::bindings::contract::rosterd::plugin::host::Cell;
use crate::{Context, Event, Problem, Psa, User};

/// One question and its answer, as it stands in its file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Vector {
    title: Option<String>,
    hook: Option<Hook>,
    settings: Option<Value>,
    #[serde(default)]
    tables: BTreeMap<String, Value>,
    #[serde(default)]
    context: Map<String, Value>,
    #[serde(default)]
    user: Map<String, Value>,
    #[serde(default)]
    held: Psa,
    client_id: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    event: Option<Map<String, Value>>,
    expect: Expected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Hook {
    Map,
    Validate,
    Admit,
    Claims,
    Event,
}

/// Exactly one member.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Expected {
    Changes(Vec<crate::Change>),
    Findings(Vec<crate::Finding>),
    Verdict(crate::Verdict),
    Claims(Vec<crate::Claim>),
    Notes(Vec<crate::Note>),
    Problem(ExpectedProblem),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedProblem {
    kind: crate::ProblemKind,
    #[serde(default)]
    path: ExpectedPath,
    detail: Option<String>,
}

/// Null says that there must be none, which is more than saying nothing.
#[derive(Debug, Default)]
enum ExpectedPath {
    #[default]
    Any,
    Exactly(Option<String>),
}

impl<'de> Deserialize<'de> for ExpectedPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Exactly)
    }
}

/// Asks a plugin all vectors of a folder, or the one of a file.
///
/// # Panics
///
/// With everything that is not as expected. A folder without any vector is wrong too.
#[track_caller]
pub fn vectors<P: Registered>(at: impl AsRef<Path>) {
    let at = at.as_ref();
    let files = files(at).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
    assert!(!files.is_empty(), "{}: there is no vector", at.display());
    let wrong: Vec<String> = files
        .iter()
        .filter_map(|file| check::<P>(file).err().map(|why| format!("{}: {why}", file.display())))
        .collect();
    assert!(wrong.is_empty(), "{} of {} vectors:\n{}", wrong.len(), files.len(), wrong.join("\n"));
}

fn files(at: &Path) -> std::io::Result<Vec<PathBuf>> {
    if at.is_file() {
        return Ok(vec![at.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(at)? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|ending| ending == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn check<P: Registered>(file: &Path) -> Result<(), String> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let vector: Vector = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let title = vector.title.clone();
    let named = |why: String| match &title {
        Some(title) => format!("{title}: {why}"),
        None => why,
    };
    ask::<P>(vector, folder).map_err(named)
}

fn ask<P: Registered>(vector: Vector, folder: &Path) -> Result<(), String> {
    let hook =
        vector.hook.or_else(|| told_by(&vector.expect)).or_else(only::<P>).ok_or(
            "expected `hook`: the plugin has more than one, and a problem does not tell which is meant",
        )?;
    let settings = match &vector.settings {
        None => json!({}),
        Some(Value::String(path)) => {
            let path = folder.join(path);
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?
        }
        Some(settings) => settings.clone(),
    };
    let context = context(vector.context)?;
    let user = user(vector.user)?;
    if vector.event.is_some() != (hook == Hook::Event) {
        return Err("expected `event` for the hook `event`, and for no other".to_owned());
    }
    let event = vector.event.map(|given| event(given, &context, &user)).transpose()?;
    let mut asked = plugin::<P>(&settings.to_string())
        .tables(tables(vector.tables, folder)?)
        .context(context)
        .user(user)
        .held(vector.held);
    let missing = || format!("the plugin has no hook for this: {hook:?}");
    let client_id = vector.client_id.as_deref().unwrap_or("client");
    let answer = match hook {
        Hook::Map => {
            let how = P::mapper().ok_or_else(missing)?;
            asked.ask(|plugin, asked| {
                let (context, user, held) = asked.given();
                how(plugin, context, user, held).map(|changes| told(&Vec::from(changes)))
            })
        }
        Hook::Validate => {
            let how = P::validator().ok_or_else(missing)?;
            asked.ask(|plugin, asked| {
                let (context, user, held) = asked.given();
                how(plugin, context, user, held).map(|found| told(&found))
            })
        }
        Hook::Admit => {
            let how = P::gate().ok_or_else(missing)?;
            asked.ask(|plugin, asked| {
                let (context, user, _) = asked.given();
                how(plugin, context, user).map(|verdict| told(&verdict))
            })
        }
        Hook::Claims => {
            let how = P::claims().ok_or_else(missing)?;
            asked.ask(|plugin, asked| {
                let (context, user, held) = asked.given();
                how(plugin, context, user, held, client_id, &vector.scopes).map(|claims| told(&claims))
            })
        }
        Hook::Event => {
            let how = P::reactor().ok_or_else(missing)?;
            let event = event.ok_or("expected `event`")?;
            asked.ask(|plugin, asked| {
                let (context, _, _) = asked.given();
                how(plugin, context, &event).map(|notes| told(&notes))
            })
        }
    };
    let wanted = match vector.expect {
        Expected::Changes(wanted) => told(&wanted),
        Expected::Findings(wanted) => told(&wanted),
        Expected::Verdict(wanted) => told(&wanted),
        Expected::Claims(wanted) => told(&wanted),
        Expected::Notes(wanted) => told(&wanted),
        Expected::Problem(wanted) => return wanted.compare(answer),
    };
    match answer {
        Ok(answer) if answer == wanted => Ok(()),
        Ok(answer) => Err(format!("expected\n  {wanted}\nfound\n  {answer}")),
        Err(problem) => Err(format!("expected\n  {wanted}\nfound the problem\n  {}", told(&problem))),
    }
}

impl ExpectedProblem {
    fn compare(self, answer: Result<Value, Problem>) -> Result<(), String> {
        let problem = match answer {
            Ok(answer) => return Err(format!("expected a problem, found\n  {answer}")),
            Err(problem) => problem,
        };
        let is_like = problem.kind == self.kind
            && match &self.path {
                ExpectedPath::Any => true,
                ExpectedPath::Exactly(path) => *path == problem.path,
            }
            && self.detail.as_ref().is_none_or(|detail| *detail == problem.detail);
        if is_like { Ok(()) } else { Err(format!("expected\n  {self:?}\nfound\n  {}", told(&problem))) }
    }
}

/// An answer as a vector has it.
fn told(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).unwrap_or_else(|error| panic!("the answer is no JSON: {error}"))
}

const fn told_by(expected: &Expected) -> Option<Hook> {
    match expected {
        Expected::Changes(_) => Some(Hook::Map),
        Expected::Findings(_) => Some(Hook::Validate),
        Expected::Verdict(_) => Some(Hook::Admit),
        Expected::Claims(_) => Some(Hook::Claims),
        Expected::Notes(_) => Some(Hook::Event),
        Expected::Problem(_) => None,
    }
}

/// The only hook of a plugin.
fn only<P: Registered>() -> Option<Hook> {
    let has = [
        P::mapper().map(|_| Hook::Map),
        P::validator().map(|_| Hook::Validate),
        P::gate().map(|_| Hook::Admit),
        P::claims().map(|_| Hook::Claims),
        P::reactor().map(|_| Hook::Event),
    ];
    let mut has = has.into_iter().flatten();
    let first = has.next();
    if has.next().is_some() { None } else { first }
}

/// Lays what is given over what holds without it, and reads it as what it is.
fn over<T: DeserializeOwned>(given: Map<String, Value>, defaults: Value, what: &str) -> Result<T, String> {
    let Value::Object(mut all) = defaults else { return Err("no object".to_owned()) };
    all.extend(given);
    serde_json::from_value(Value::Object(all)).map_err(|error| format!("{what}: {error}"))
}

fn context(given: Map<String, Value>) -> Result<Context, String> {
    let mut all = super::context();
    let text = |name: &str| given.get(name).and_then(Value::as_str);
    if let Some(today) = text("today") {
        all.now = format!("{today}T00:00:00Z");
    } else if let Some((day, _)) = text("now").and_then(|now| now.split_once('T')) {
        day.clone_into(&mut all.today);
    }
    over(given, told(&all), "context")
}

fn user(given: Map<String, Value>) -> Result<User, String> {
    over(given, told(&super::user().done()), "user")
}

fn event(mut given: Map<String, Value>, context: &Context, about: &User) -> Result<Event, String> {
    if let Some(Value::Object(whom)) = given.get("user") {
        let whom = user(whom.clone())?;
        given.insert("user".to_owned(), told(&whom));
    }
    let mut all = Event::from(super::event().user(about.clone()));
    all.operation = context.operation;
    over(given, told(&all), "event")
}

fn tables(given: BTreeMap<String, Value>, folder: &Path) -> Result<Tables, String> {
    given
        .into_iter()
        .map(|(name, table)| {
            let rows = match table {
                Value::String(path) => {
                    let path = folder.join(path);
                    let text =
                        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                    surroundings::table(&text).map_err(|error| format!("{}: {error}", path.display()))?
                }
                rows => {
                    let rows: BTreeMap<String, BTreeMap<String, String>> =
                        serde_json::from_value(rows).map_err(|error| format!("tables.{name}: {error}"))?;
                    let cells = |row: BTreeMap<String, String>| {
                        row.into_iter().map(|(column, value)| Cell { column, value }).collect()
                    };
                    rows.into_iter().map(|(key, row)| (key, cells(row))).collect()
                }
            };
            Ok((name, rows))
        })
        .collect()
}
