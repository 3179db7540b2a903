//! `rosterd webhook`: its arguments, and how it runs.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::operator::Operator;
use super::settings::SettingsArgs;
use super::{Exit, Refused, World, table, unexpected};
use crate::app::{self, Rim};
use crate::config::{Config, Webhook};
use crate::outbox::operate::Pending;
use crate::outbox::{Answer, Question};

/// Who is told of changes: the webhooks of the settings, and what could not be delivered.
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// List the webhooks, and how far each has come.
    List(WebhookListArgs),
    /// Show what of a webhook waits, and what was set aside.
    #[command(after_help = "Example:\n  rosterd webhook show billing")]
    Show(WebhookShowArgs),
    /// Deliver again what was set aside, in its order; go on where the receiver had said that it is gone.
    #[command(after_help = "\
Examples:
  rosterd webhook replay billing
  rosterd webhook replay billing --resource 01980a7e-5b1c-7d3e-9f00-3c2b1a095e4d")]
    Replay(WebhookReplayArgs),
    /// Give up one event that was set aside. The receiver will never have it.
    #[command(after_help = "\
What stands behind it still lies aside, until it is replayed:
  rosterd webhook discard billing 4711
  rosterd webhook replay billing")]
    Discard(WebhookDiscardArgs),
    /// Deliver one event of the type webhook.test, now and from here, and say how it was answered.
    #[command(
        after_help = "Example:\n  rosterd webhook test billing\n\nExit codes: 0 it was taken (2xx), 1 it could not be sent, 3 it was answered otherwise."
    )]
    Test(WebhookArgs),
}

/// How to list them.
#[derive(Debug, Args)]
pub struct WebhookListArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Which webhook.
#[derive(Debug, Args)]
pub struct WebhookArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Its name in the settings.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// What to show.
#[derive(Debug, Args)]
pub struct WebhookShowArgs {
    /// Which.
    #[command(flatten)]
    pub hook: WebhookArgs,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// What to deliver again.
#[derive(Debug, Args)]
pub struct WebhookReplayArgs {
    /// Which.
    #[command(flatten)]
    pub hook: WebhookArgs,
    /// Only the events of this resource.
    #[arg(long, value_name = "ID")]
    pub resource: Option<String>,
}

/// What to give up.
#[derive(Debug, Args)]
pub struct WebhookDiscardArgs {
    /// Which.
    #[command(flatten)]
    pub hook: WebhookArgs,
    /// The event's number, as `webhook show` prints it.
    #[arg(value_name = "SEQ")]
    pub seq: u64,
}

/// Events that are asked for at a time.
const PAGE_ROWS: usize = 1000;

/// Runs the command.
pub fn run(command: WebhookCommand, world: &mut World<'_>) -> Result<Exit> {
    match command {
        WebhookCommand::List(args) => list(&args, world),
        WebhookCommand::Show(args) => show(&args, world),
        WebhookCommand::Replay(args) => {
            let (operator, Webhook { tenant, name: hook, .. }) = reach(&args.hook, world)?;
            order(&operator, Question::Replay { tenant, hook, resource: args.resource }, world)
        }
        WebhookCommand::Discard(args) => {
            let (operator, Webhook { tenant, name: hook, .. }) = reach(&args.hook, world)?;
            order(&operator, Question::Discard { tenant, hook, seq: args.seq }, world)
        }
        WebhookCommand::Test(args) => test(&args, world),
    }
}

/// One line of the list.
#[derive(Serialize)]
struct Line {
    name: String,
    tenant: String,
    url: String,
    state: String,
    behind: Option<u64>,
    waiting: usize,
    set_aside: usize,
}

fn list(args: &WebhookListArgs, world: &mut World<'_>) -> Result<Exit> {
    let hooks = load(&args.settings, world)?.webhooks;
    let operator = Operator::reach(&args.settings, world)?;
    let mut lines = Vec::new();
    for Webhook { name, tenant, url, .. } in hooks {
        let asked = Question::State { tenant: tenant.clone(), hook: name.clone() };
        let Answer::State { head, read, waiting, set_aside, off } = operator.webhooks(asked)? else {
            return Err(unexpected());
        };
        let failing = waiting.iter().any(|event| event.attempts > 0);
        let state = match (off, read) {
            (Some((since, why)), _) => format!("off since {}: {why}", table::instant(Some(since))),
            (None, None) => "not begun".to_owned(),
            (None, Some(_)) if failing => "failing".to_owned(),
            (None, Some(_)) => "well".to_owned(),
        };
        let behind = read.map(|read| head.saturating_sub(read).saturating_add(waiting.len() as u64));
        lines.push(Line { name, tenant, url, state, behind, waiting: waiting.len(), set_aside });
    }
    let columns = ["NAME", "TENANT", "URL", "STATE", "BEHIND", "WAITING", "SET ASIDE"];
    table::print(world, args.json, &lines, columns, |line| {
        [
            line.name.clone(),
            line.tenant.clone(),
            line.url.clone(),
            line.state.clone(),
            line.behind.map_or_else(|| "-".to_owned(), |behind| behind.to_string()),
            line.waiting.to_string(),
            line.set_aside.to_string(),
        ]
    })?;
    Ok(Exit::Done)
}

/// One event of a webhook.
#[derive(Serialize)]
struct Shown {
    state: &'static str,
    #[serde(flatten)]
    event: Pending,
}

fn show(args: &WebhookShowArgs, world: &mut World<'_>) -> Result<Exit> {
    let (operator, Webhook { tenant, name: hook, .. }) = reach(&args.hook, world)?;
    let asked = Question::State { tenant: tenant.clone(), hook: hook.clone() };
    let Answer::State { waiting, off, .. } = operator.webhooks(asked)? else { return Err(unexpected()) };
    if let Some((since, why)) = off {
        writeln!(world.err, "Nothing is delivered since {}: {why}.", table::instant(Some(since)))?;
    }
    let mut events: Vec<Shown> = waiting.into_iter().map(|event| Shown { state: "waiting", event }).collect();
    let mut after = 0;
    loop {
        let asked =
            Question::SetAside { tenant: tenant.clone(), hook: hook.clone(), after, limit: PAGE_ROWS };
        let Answer::SetAside { events: page } = operator.webhooks(asked)? else { return Err(unexpected()) };
        let Some(last) = page.last() else { break };
        after = last.seq;
        events.extend(page.into_iter().map(|event| Shown { state: "set aside", event }));
    }
    events.sort_by_key(|shown| shown.event.seq);
    let columns = ["SEQ", "TIME", "RESOURCE", "STATE", "ATTEMPTS", "WHY"];
    table::print(world, args.json, &events, columns, |Shown { state, event }| {
        [
            event.seq.to_string(),
            table::instant(Some(event.time)),
            event.resource.to_string(),
            (*state).to_owned(),
            event.attempts.to_string(),
            event.why.clone(),
        ]
    })?;
    Ok(Exit::Done)
}

fn order(operator: &Operator, question: Question, world: &mut World<'_>) -> Result<Exit> {
    let Answer::Ordered = operator.webhooks(question)? else { return Err(unexpected()) };
    let when = match operator {
        Operator::Daemon(_) => "The daemon does it now; rosterd webhook list shows how it goes.",
        Operator::Folder(..) => "The daemon does it when it runs.",
    };
    writeln!(world.err, "{when}")?;
    Ok(Exit::Done)
}

fn test(args: &WebhookArgs, world: &mut World<'_>) -> Result<Exit> {
    let config = load(&args.settings, world)?;
    let hook = named(&config, &args.name)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let trial = runtime.block_on(app::try_webhook(&config, &hook, &Rim::default()))?;
    match trial.answer {
        Ok(status) => writeln!(world.out, "{}: answered {status}", trial.id)?,
        Err(ref why) => writeln!(world.err, "error: {}: {why}", trial.id)?,
    }
    Ok(match trial.answer {
        Ok(200..=299) => Exit::Done,
        Ok(_) => Exit::Found,
        Err(_) => Exit::Failed,
    })
}

fn reach(args: &WebhookArgs, world: &World<'_>) -> Result<(Operator, Webhook)> {
    let hook = named(&load(&args.settings, world)?, &args.name)?;
    Ok((Operator::reach(&args.settings, world)?, hook))
}

fn load(settings: &SettingsArgs, world: &World<'_>) -> Result<Config> {
    Ok(Config::load(&settings.sources(world.environment.clone())).map_err(Refused)?)
}

fn named(config: &Config, name: &str) -> Result<Webhook> {
    let Some(hook) = config.webhooks.iter().find(|hook| hook.name == name) else {
        let known: Vec<&str> = config.webhooks.iter().map(|hook| hook.name.as_str()).collect();
        bail!(
            "the settings have no webhook {name:?}; they have: {}",
            if known.is_empty() { "none (is --config the right file?)".to_owned() } else { known.join(", ") }
        );
    };
    Ok(hook.clone())
}
