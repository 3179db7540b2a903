//! `rosterd plugin notices`: what a plugin that reacts has not been told yet or could not take, and how to have it told again.

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;

use crate::cli::operator::Operator;
use crate::cli::settings::SettingsArgs;
use crate::cli::{Exit, World, table, unexpected};
use crate::outbox::operate::Pending;
use crate::outbox::{Answer, Question, name_of_plugin};

/// Notices that are asked for at a time.
const PAGE_ROWS: usize = 1000;

/// Which plugin, and what to do.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd plugin notices payroll
  rosterd plugin notices payroll --replay
  rosterd plugin notices payroll --discard 4711")]
pub struct NoticesArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Of whose changes.
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub tenant: String,
    /// Tell it again what was set aside, in its order.
    #[arg(long, conflicts_with = "discard")]
    pub replay: bool,
    /// With --replay: only of this person.
    #[arg(long, value_name = "ID", requires = "replay")]
    pub person: Option<String>,
    /// Give up one notice that was set aside, by its number.
    #[arg(long, value_name = "SEQ")]
    pub discard: Option<u64>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Which plugin.
    #[arg(value_name = "NAME")]
    pub name: String,
}

#[derive(Serialize)]
struct Shown {
    state: &'static str,
    #[serde(flatten)]
    notice: Pending,
}

/// Runs the command.
pub fn run(args: &NoticesArgs, world: &mut World<'_>) -> Result<Exit> {
    let operator = Operator::reach(&args.settings, world)?;
    let (tenant, hook) = (args.tenant.clone(), name_of_plugin(&args.name));
    let order = match (args.replay, args.discard) {
        (true, _) => Some(Question::Replay {
            tenant: tenant.clone(),
            hook: hook.clone(),
            resource: args.person.clone(),
        }),
        (false, Some(seq)) => Some(Question::Discard { tenant: tenant.clone(), hook: hook.clone(), seq }),
        (false, None) => None,
    };
    let state = Question::State { tenant: tenant.clone(), hook: hook.clone() };
    let Answer::State { read, waiting, .. } = operator.webhooks(state)? else { return Err(unexpected()) };
    if read.is_none() {
        bail!(
            "no plugin {:?} has been told of anything of the tenant {tenant}; does it react, and does it serve one of its connections?",
            args.name
        );
    }
    if let Some(order) = order {
        let Answer::Ordered = operator.webhooks(order)? else { return Err(unexpected()) };
        let when = match operator {
            Operator::Daemon(_) => "The daemon does it now.",
            Operator::Folder(..) => "The daemon does it when it runs.",
        };
        writeln!(world.err, "{when}")?;
        return Ok(Exit::Done);
    }
    let mut all: Vec<Shown> = waiting.into_iter().map(|notice| Shown { state: "waiting", notice }).collect();
    let mut after = 0;
    loop {
        let asked =
            Question::SetAside { tenant: tenant.clone(), hook: hook.clone(), after, limit: PAGE_ROWS };
        let Answer::SetAside { events } = operator.webhooks(asked)? else { return Err(unexpected()) };
        let Some(last) = events.last() else { break };
        after = last.seq;
        all.extend(events.into_iter().map(|notice| Shown { state: "set aside", notice }));
    }
    all.sort_by_key(|shown| shown.notice.seq);
    let columns = ["SEQ", "TIME", "PERSON", "STATE", "ATTEMPTS", "WHY"];
    table::print(world, args.json, &all, columns, |Shown { state, notice }| {
        [
            notice.seq.to_string(),
            table::instant(Some(notice.time)),
            notice.resource.to_string(),
            (*state).to_owned(),
            notice.attempts.to_string(),
            notice.why.clone(),
        ]
    })?;
    Ok(Exit::Done)
}
