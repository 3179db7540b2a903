//! `rosterd connection requests`, `doctor` and `explain`: their arguments, and how they are shown.
//!
//! Nearly everything shown here was written by somebody else's program, so whatever could command a terminal is shown as `\uXXXX`.

use std::fmt::Display;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::operator::Operator;
use super::settings::SettingsArgs;
use super::{Exit, World, table, unexpected};
use crate::doctor::report::{Credential, Failed, Standing};
use crate::doctor::{Call, Explanation, Finding, Level, Proposal, Question, Reply, Report, RequestView};
use crate::telemetry::escape;

/// Shown below the help of `requests`.
pub const REQUESTS_HELP: &str = "\
A daemon remembers the last 200 requests of each connection and 100 failed ones before them, in memory,
without credentials and secrets; anew from each start. What was changed is in the history (rosterd audit).

Examples:
  rosterd connection requests okta --failed --body
  rosterd connection requests okta --follow";

/// Shown below the help of `doctor`.
pub const DOCTOR_HELP: &str = "\
Exit codes: 0 nobody has to act, 1 it could not be looked (standard error says why), 3 somebody has to act (and what
to do).

Example:
  rosterd connection doctor okta";

/// Shown below the help of `explain`.
pub const EXPLAIN_HELP: &str = "\
CHANGE is the number of an entry in the history, as rosterd connection requests and rosterd audit show it.

Example:
  rosterd connection explain 17";

/// Which requests to show.
#[derive(Debug, Args)]
pub struct RequestsArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose connection it is; needed where several tenants have one of that name.
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Only those that failed.
    #[arg(long)]
    pub failed: bool,
    /// How many, the latest.
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub last: u16,
    /// Show what was sent as well.
    #[arg(long)]
    pub body: bool,
    /// Go on, and show each as it comes, until interrupted.
    #[arg(long)]
    pub follow: bool,
    /// Print JSON, one request a line.
    #[arg(long)]
    pub json: bool,
    /// The connection.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// What to examine.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose connection it is; needed where several tenants have one of that name.
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// The connection.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// What to explain.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose history; needed where there are several tenants.
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// The number of the change.
    #[arg(value_name = "CHANGE")]
    pub change: u64,
}

/// How often a daemon is asked for what came since.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);
/// More than are remembered, so that nothing is left out between two looks.
const FOLLOWED_MAX: usize = 1000;

/// Shows requests.
pub fn requests(args: &RequestsArgs, world: &mut World<'_>) -> Result<Exit> {
    let operator = Operator::reach(&args.settings, world)?;
    let (mut after, mut last) = (0, usize::from(args.last));
    loop {
        let question = Question::Requests {
            tenant: args.tenant.clone(),
            connection: args.name.clone(),
            failed: args.failed,
            last,
            after,
            bodies: args.body || args.json,
        };
        let Reply::Requests { since, requests } = operator.inspect(question)? else {
            return Err(unexpected());
        };
        for request in &requests {
            after = after.max(request.number);
            if args.json {
                line(world, &serde_json::to_string(request)?)?;
            } else {
                show_request(world, request, "")?;
            }
        }
        if !args.follow {
            if requests.is_empty() && !args.json {
                let since = table::instant(Some(since));
                let what = if args.failed { "no request failed" } else { "no request came in" };
                writeln!(world.err, "{what} through {} since {since}, when the daemon started", args.name)?;
            }
            return Ok(Exit::Done);
        }
        world.out.flush()?;
        last = FOLLOWED_MAX;
        std::thread::sleep(FOLLOW_EVERY);
    }
}

/// Examines a connection.
pub fn doctor(args: DoctorArgs, world: &mut World<'_>) -> Result<Exit> {
    let operator = Operator::reach(&args.settings, world)?;
    let question = Question::Examine { tenant: args.tenant, connection: args.name };
    let Reply::Examined(report) = operator.inspect(question)? else { return Err(unexpected()) };
    if args.json {
        print_json(world, &report)?;
    } else {
        show_report(world, &report)?;
    }
    // Not Found: a page of findings is what was asked for, and 1 is what a monitor expects of a check that is not green.
    Ok(if report.green { Exit::Done } else { Exit::Found })
}

/// Explains a change.
pub fn explain(args: ExplainArgs, world: &mut World<'_>) -> Result<Exit> {
    let operator = Operator::reach(&args.settings, world)?;
    let question = Question::Explain { tenant: args.tenant, change: args.change };
    let Reply::Explained(explanation) = operator.inspect(question)? else { return Err(unexpected()) };
    if args.json {
        print_json(world, &explanation)?;
    } else {
        show_explanation(world, &explanation)?;
    }
    Ok(Exit::Done)
}

fn print_json<T: Serialize>(world: &mut World<'_>, what: &T) -> Result<()> {
    line(world, &serde_json::to_string(what)?)
}

/// Prints a line that somebody else's text may be part of.
fn line(world: &mut World<'_>, text: &str) -> Result<()> {
    writeln!(world.out, "{}", escape(text))?;
    Ok(())
}

/// Prints a line for each of a text's own.
fn lines(world: &mut World<'_>, indent: &str, text: &str) -> Result<()> {
    text.split('\n').try_for_each(|part| line(world, &format!("{indent}{part}")))
}

fn show_request(world: &mut World<'_>, request: &RequestView, indent: &str) -> Result<()> {
    let when = request.when.strftime("%Y-%m-%d %H:%M:%S%.3fZ");
    let word = request.scim_type.as_ref().map(|word| format!(" {word}")).unwrap_or_default();
    let took = f64::from(request.took_us) / 1000.0;
    let changes = match request.changes {
        None => String::new(),
        Some((first, last)) if first == last => format!("  change {first}"),
        Some((first, last)) => format!("  changes {first} to {last}"),
    };
    line(
        world,
        &format!(
            "{indent}{when}  {} {}  {}{word}  {took:.1} ms{changes}",
            request.method, request.target, request.status
        ),
    )?;
    let indent = format!("{indent}    ");
    if let Some(detail) = &request.detail {
        line(world, &format!("{indent}answered: {detail}"))?;
    }
    if let Some(body) = &request.body {
        let cut = if body.cut { ", of which the beginning was kept" } else { "" };
        match body.text.as_deref() {
            Some(text) => {
                line(world, &format!("{indent}sent {} bytes{cut}:", body.bytes))?;
                lines(world, &format!("{indent}  "), text.trim_end())?;
            }
            None => line(
                world,
                &format!(
                    "{indent}sent {} bytes that are no JSON and may hold a secret; they were not kept",
                    body.bytes
                ),
            )?,
        }
    }
    Ok(())
}

fn show_report(world: &mut World<'_>, report: &Report) -> Result<()> {
    let green = if report.green { "green: nobody has to act" } else { "not green: somebody has to act" };
    line(world, &format!("Connection {} of tenant {}: {green}", report.connection, report.tenant))?;
    writeln!(world.out)?;
    fact(world, "SCIM URL", report.scim_url.as_deref().unwrap_or("shown while a daemon runs"))?;
    fact(world, "profile", &report.profile)?;
    for credential in &report.credentials {
        fact(world, "credential", credential_line(credential))?;
    }
    if report.credentials.is_empty() {
        fact(world, "credential", "none")?;
    }
    fact(world, "last seen", at(report.last_seen))?;
    if let Some(agent) = &report.seen.agent {
        fact(world, "calls itself", agent)?;
    }
    if let Some(suggestion) = &report.suggestion {
        fact(world, "looks like", format!("{} ({})", suggestion.provider, suggestion.because))?;
    }
    fact(world, "read a list", at(report.seen.last_read))?;
    let deeds = &report.deeds;
    let from =
        if deeds.read_from > 1 { format!(", since change {}", deeds.read_from) } else { String::new() };
    fact(
        world,
        "has made",
        format!(
            "{} people, {} groups, {} changes in all{from}",
            deeds.users_created, deeds.groups_created, deeds.writes
        ),
    )?;
    let last = deeds.last_write.as_ref();
    fact(
        world,
        "last change",
        last.map_or_else(
            || "none".to_owned(),
            |deed| format!("{}, {} (change {})", table::instant(Some(deed.when)), deed.action, deed.change),
        ),
    )?;
    match report.remembered_since {
        Some(since) => {
            let classes = report.seen.by_class.iter().map(|(class, count)| format!("{class} {count}"));
            let classes = classes.collect::<Vec<_>>().join(", ");
            let counted = if classes.is_empty() { "none".to_owned() } else { classes };
            fact(world, "requests", format!("{counted}, since {}", table::instant(Some(since))))?;
        }
        None => fact(world, "requests", "nothing is known of them while no daemon runs")?,
    }
    for level in [Level::Problem, Level::Advice] {
        let findings: Vec<&Finding> =
            report.findings.iter().filter(|finding| finding.level == level).collect();
        let head = if level == Level::Problem { "To be done" } else { "Would be better" };
        if !findings.is_empty() {
            writeln!(world.out, "\n{head}")?;
        }
        for finding in findings {
            line(world, &format!("  - {}", finding.what))?;
            line(world, &format!("      why: {}", finding.why))?;
            line(world, &format!("      do:  {}", finding.todo))?;
        }
    }
    show_failures(world, report)?;
    if !report.leniencies.is_empty() {
        writeln!(
            world.out,
            "\nLeniencies used: what came otherwise than the standard has it, and was understood"
        )?;
        for leniency in &report.leniencies {
            let (changes, requests) = (leniency.changes, leniency.requests);
            let often = format!("{changes} changes, {requests} requests since the start");
            line(world, &format!("  - {} ({often}): {}", leniency.rule, leniency.meaning))?;
            line(world, &format!("      do:  {}", leniency.todo))?;
        }
    }
    Ok(())
}

fn show_failures(world: &mut World<'_>, report: &Report) -> Result<()> {
    if report.failures.is_empty() {
        return Ok(());
    }
    writeln!(world.out, "\nFailures that are remembered")?;
    for kind in &report.failures {
        let word = kind.scim_type.as_ref().map(|word| format!(" {word}")).unwrap_or_default();
        line(
            world,
            &format!(
                "  - {}{word}: {} ({} not made good since): {}",
                kind.status, kind.count, kind.open, kind.meaning
            ),
        )?;
    }
    writeln!(world.out, "\nThe latest of them")?;
    for Failed { request, made_good, todo } in &report.last_failed {
        show_request(world, request, "  ")?;
        let todo = if *made_good { "nothing: it was sent again, and went well" } else { todo };
        line(world, &format!("      do: {todo}"))?;
    }
    Ok(())
}

fn fact(world: &mut World<'_>, name: &str, value: impl Display) -> Result<()> {
    line(world, &format!("  {name:<13} {value}"))
}

fn at(when: Option<jiff::Timestamp>) -> String {
    when.map_or_else(|| "not yet".to_owned(), |when| table::instant(Some(when)))
}

fn credential_line(credential: &Credential) -> String {
    let standing = match credential.standing {
        Standing::Live => "live",
        Standing::Expiring => "live, ends soon",
        Standing::Expired => "expired",
    };
    let until = credential
        .expires
        .map_or_else(|| "for ever".to_owned(), |end| format!("until {}", table::instant(Some(end))));
    let used = at(credential.last_used);
    format!("{standing}, {until}, last used: {used} (token {})", credential.id)
}

/// Shows which plugins were asked, and what became of what they proposed.
fn show_calls(world: &mut World<'_>, calls: &[Call]) -> Result<()> {
    if !calls.is_empty() {
        writeln!(world.out, "\nPlugins that were asked:")?;
    }
    for call in calls {
        let said = match (call.proposals.is_empty(), call.findings.is_empty()) {
            (true, true) => ": proposed nothing",
            _ => "",
        };
        let failed =
            if call.outcome == "ok" { said.to_owned() } else { format!(" failed: {}", call.outcome) };
        line(world, &format!("  {} ({}){failed}", call.plugin, call.hook))?;
        for Proposal { proposal, refused } in &call.proposals {
            let became = refused.as_ref().map_or_else(|| "taken".to_owned(), |why| format!("refused: {why}"));
            line(world, &format!("    {proposal}: {became}"))?;
        }
        for finding in &call.findings {
            line(world, &format!("    found {finding}"))?;
        }
    }
    Ok(())
}

fn show_explanation(world: &mut World<'_>, explanation: &Explanation) -> Result<()> {
    let on = explanation.subject.as_ref().map(|subject| {
        let name = subject.display.as_deref().unwrap_or("no longer there");
        format!(" of {} {} ({name})", subject.kind, subject.id)
    });
    line(
        world,
        &format!(
            "Change {}: {}{}, {}",
            explanation.change,
            explanation.action,
            on.unwrap_or_default(),
            explanation.result
        ),
    )?;
    writeln!(world.out)?;
    fact(world, "when", table::instant(Some(explanation.when)))?;
    fact(world, "who", &explanation.who)?;
    if let Some(connection) = &explanation.connection {
        fact(world, "connection", connection)?;
    }
    fact(world, "request", explanation.request)?;
    for used in &explanation.leniencies {
        fact(world, "leniency", format!("{}: {}", used.rule, used.meaning))?;
    }
    for remark in &explanation.remarks {
        fact(world, "remark", remark)?;
    }
    writeln!(world.out)?;
    if explanation.erased {
        writeln!(world.out, "The values were erased.")?;
    }
    for value in &explanation.values {
        line(
            world,
            &format!("{}: {} → {}", value.attribute, shown(value.old.as_ref()), shown(value.new.as_ref())),
        )?;
        for part in &value.from {
            line(world, &format!("    from {}: {}", part.place, part.sent))?;
        }
        if let (Some(operation), true) = (value.operation, value.from.is_empty()) {
            line(world, &format!("    from Operations[{operation}] of the request"))?;
        }
        for used in &value.leniencies {
            line(world, &format!("    by the leniency {}: {}", used.rule, used.meaning))?;
        }
        if let Some(because) = &value.because {
            line(world, &format!("    because {because}"))?;
        }
    }
    show_calls(world, &explanation.plugins)?;
    writeln!(world.out)?;
    match &explanation.sent {
        Some(request) => {
            writeln!(world.out, "The request that made it:")?;
            show_request(world, request, "  ")
        }
        None => {
            writeln!(
                world.out,
                "The request that made it is not remembered (any more): a daemon remembers the latest of each connection, from its start on."
            )?;
            Ok(())
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "(none)".to_owned(), Value::to_string)
}
