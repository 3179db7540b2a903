//! `rosterd plugin run`: one question, its answer, and what it cost.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::target::{self, read_json};
use crate::app::Rim;
use crate::cli::settings::SettingsArgs;
use crate::cli::{Exit, World};
use crate::plugins::call::Cost;
use crate::plugins::loaded::Loaded;
use crate::plugins::{hook_words, person, tell};
use crate::roster::hooks::{About, Failure, Held, Operation, Plugin, Series, Subject};

/// Examples.
pub(super) const EXAMPLES: &str = "\
Examples:
  rosterd plugin run cost-rate --config /etc/rosterd.toml --user senior.json
  rosterd plugin run ./visibility.wasm --with settings.json --user assistant.json --held held.json

A file has no tables: a plugin that needs some is asked by its name in the settings.
The user is a User as SCIM writes it; the plugin is shown what it is granted of it. Nothing is written anywhere.
Exit codes: 0 it answered, 3 it failed or had a problem.";

/// What to ask.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// A file, or the name of a plugin of the settings.
    #[arg(value_name = "FILE|NAME")]
    pub plugin: String,
    /// Who.
    #[command(flatten)]
    pub question: QuestionArgs,
}

/// A question, as it is typed.
#[derive(Debug, Args)]
pub struct QuestionArgs {
    /// The person: a JSON file with a User as SCIM writes it.
    #[arg(long, value_name = "FILE")]
    pub user: Option<PathBuf>,
    /// The firm's own side of them: a JSON file with kind, license, userTypes, employments, costRates and so on.
    #[arg(long, value_name = "FILE")]
    pub held: Option<PathBuf>,
    /// The plugin's settings: a JSON file, in place of those of the settings.
    #[arg(long, value_name = "FILE")]
    pub with: Option<PathBuf>,
    /// The moment of the request (else now), such as 2026-03-01T09:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub now: Option<String>,
    /// What the directory is doing.
    #[arg(long, value_enum, default_value = "create")]
    pub operation: Doing,
    /// The hook; else the only one that it has of these.
    #[arg(long, value_enum)]
    pub hook: Option<Hook>,
}

/// What the directory is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Doing {
    /// Somebody new.
    Create,
    /// PUT.
    Replace,
    /// PATCH.
    Patch,
    /// Somebody comes in again.
    Activate,
    /// A lock is taken away.
    Unlock,
    /// They are mapped anew.
    Remap,
}

/// A hook that can be asked by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Hook {
    /// What follows for the firm's own side.
    Map,
    /// What is wrong.
    Validate,
    /// Whether they may come in.
    Gate,
}

/// A question, as it is asked.
pub(super) struct Question {
    pub about: About,
    pub user: Subject,
    pub held: Held,
    pub hook: Hook,
}

impl QuestionArgs {
    /// Reads the files.
    pub(super) fn read(&self, plugin: &Loaded) -> Result<Question> {
        let now = match &self.now {
            Some(text) => text.parse::<Timestamp>().with_context(|| format!("--now {text:?}"))?,
            None => Rim::default().clock.now(),
        };
        let operation = match self.operation {
            Doing::Create => Operation::Create,
            Doing::Replace => Operation::Replace,
            Doing::Patch => Operation::Patch,
            Doing::Activate => Operation::Activate,
            Doing::Unlock => Operation::Unlock,
            Doing::Remap => Operation::Remap,
        };
        let read = |file: &Option<PathBuf>| file.as_deref().map_or_else(|| Ok(json!({})), read_json);
        let place = |file: &Option<PathBuf>| file.as_deref().unwrap_or("".as_ref()).display().to_string();
        Ok(Question {
            about: person::about(now, operation, Series::Alone),
            user: person::subject(read(&self.user)?).with_context(|| place(&self.user))?,
            held: person::held(read(&self.held)?).with_context(|| place(&self.held))?,
            hook: self.hook(plugin)?,
        })
    }

    fn hook(&self, plugin: &Loaded) -> Result<Hook> {
        let has = plugin.hooks();
        let all = [(Hook::Map, has.map), (Hook::Validate, has.validate), (Hook::Gate, has.gate)];
        let there: Vec<Hook> = all.into_iter().filter(|(_, has)| *has).map(|(hook, _)| hook).collect();
        match (self.hook, there.as_slice()) {
            (Some(hook), there) if there.contains(&hook) => Ok(hook),
            (None, [only]) => Ok(*only),
            (None, [first, _, ..]) if *first == Hook::Map => Ok(Hook::Map),
            _ => {
                let words: Vec<&str> = hook_words(has).collect();
                bail!("expected --hook to be one that the plugin has; it has: {}", words.join(", "))
            }
        }
    }
}

/// Asks. The answer is in the form of vectors.
pub(super) fn ask(plugin: &Loaded, question: &Question) -> (Result<Value, Failure>, Cost) {
    let Question { about, user, held, hook } = question;
    match hook {
        Hook::Map => {
            let ran = plugin.map_with_cost(about, user, held);
            let changes = |proposals: &[_]| json!({ "changes": proposals.iter().map(tell::proposal).collect::<Vec<_>>() });
            (ran.answer.map(|mapped| changes(&mapped.proposals)), ran.cost)
        }
        Hook::Validate => {
            let ran = plugin.validate_with_cost(about, user, held);
            let findings =
                |found: &[_]| json!({ "findings": found.iter().map(tell::finding).collect::<Vec<_>>() });
            (ran.answer.map(|found| findings(&found)), ran.cost)
        }
        Hook::Gate => {
            let ran = plugin.admit_with_cost(about, user);
            (ran.answer.map(|verdict| json!({ "verdict": tell::verdict(&verdict) })), ran.cost)
        }
    }
}

/// Runs the command.
pub fn run(args: &RunArgs, world: &mut World<'_>) -> Result<Exit> {
    let mut target = target::find(&args.settings, &args.plugin, world)?;
    target.set_settings(args.question.with.as_deref())?;
    let limits = target.spec.limits;
    let plugin = target.load()?;
    let question = args.question.read(&plugin)?;
    let (answer, cost) = ask(&plugin, &question);
    let said: Vec<Value> = cost
        .said
        .lines
        .iter()
        .map(|(level, line)| json!({ "level": level.as_str(), "line": line }))
        .collect();
    let mut shown = match &answer {
        Ok(answer) => answer.clone(),
        Err(failure) => tell::failure(failure),
    };
    if let Some(members) = shown.as_object_mut() {
        members.insert("log".to_owned(), json!(said));
        members.insert("log_lines".to_owned(), json!(cost.said.count));
        members.insert("fuel".to_owned(), json!(cost.fuel));
        members.insert("fuel_max".to_owned(), json!(limits.fuel));
        members.insert("memory_bytes_peak".to_owned(), json!(cost.memory_bytes_peak));
        members.insert("duration_us".to_owned(), json!(cost.took.as_micros()));
    }
    writeln!(world.out, "{}", serde_json::to_string_pretty(&shown)?)?;
    Ok(if answer.is_ok() { Exit::Done } else { Exit::Found })
}
