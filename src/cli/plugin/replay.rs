//! `rosterd plugin replay`: what the history says a plugin proposed, beside what the plugin that is loaded proposes about the same people as
//! they are today.
//!
//! What a plugin was shown then is not kept, only a digest of it. Where digest and build are those of then, another answer is the plugin's own doing.

use anyhow::{Context, Result};
use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::{ask, refuse_at_rest};
use crate::app::Rim;
use crate::cli::operator::Operator;
use crate::cli::settings::SettingsArgs;
use crate::cli::{Exit, World, unexpected};
use crate::roster::{PluginAnswer, PluginAsk, Replayed};

/// Which calls to look at.
#[derive(Debug, Args)]
#[command(after_help = "\
What is compared: the proposals that the history recorded of each call since then, and the proposals of the plugin that is loaded now, asked with
the moment and the operation of that call about the person as they are today. Nothing is written. A call is
  same     it proposes the same
  differs  it does not; \"same input\" and \"same plugin\" say what can be the reason
  gone     the person is not there, or the plugin gives no answer

Examples:
  rosterd plugin replay cost-rate --since 7d --diff
  rosterd plugin replay cost-rate --since 2026-03-01T00:00:00Z --json

Exit codes: 0 everything is the same, 1 it failed, 3 something differs.")]
pub struct ReplayArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose people.
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub tenant: String,
    /// How far back: a number of days, hours or minutes as in 7d, 12h, 30m, or an instant.
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    pub since: String,
    /// Show what was and what would be proposed, of what differs.
    #[arg(long)]
    pub diff: bool,
    /// Print JSON, one call a line.
    #[arg(long)]
    pub json: bool,
    /// Which plugin.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Runs the command.
pub fn run(args: &ReplayArgs, world: &mut World<'_>) -> Result<Exit> {
    let since = since(&args.since, Rim::default().clock.now())?;
    let operator = Operator::reach(&args.settings, world)?;
    refuse_at_rest(&operator)?;
    let (mut after, mut same, mut differ, mut gone) = (0, 0_u64, 0_u64, 0_u64);
    loop {
        let asked = PluginAsk::Replay { plugin: args.name.clone(), since, after };
        let PluginAnswer::Replayed { calls, next } = ask(&operator, &args.tenant, asked)? else {
            return Err(unexpected());
        };
        for call in &calls {
            match (&call.today, call.is_same()) {
                (Err(_), _) => gone += 1,
                (Ok(_), true) => same += 1,
                (Ok(_), false) => differ += 1,
            }
            tell(call, args, world)?;
        }
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    writeln!(
        world.err,
        "{} calls of {}: {same} same, {differ} differ, {gone} gone.",
        same + differ + gone,
        args.name
    )?;
    Ok(if differ > 0 { Exit::Found } else { Exit::Done })
}

fn tell(call: &Replayed, args: &ReplayArgs, world: &mut World<'_>) -> Result<()> {
    if args.json {
        writeln!(world.out, "{}", serde_json::to_string(call)?)?;
        return Ok(());
    }
    let recorded = &call.recorded;
    let word = match (&call.today, call.is_same()) {
        (Err(_), _) => "gone",
        (Ok(_), true) => "same",
        (Ok(_), false) => "differs",
    };
    let yes = |is: bool| if is { "same" } else { "other" };
    writeln!(
        world.out,
        "{word} entry {} {} {} {}: {} input, {} plugin",
        recorded.seq,
        recorded.when,
        recorded.operation,
        recorded.person,
        yes(call.same_input),
        yes(call.same_plugin)
    )?;
    if !args.diff || call.is_same() {
        return Ok(());
    }
    match &call.today {
        Err(why) => writeln!(world.out, "  today: {}", why.escape_debug())?,
        Ok(today) => {
            for gone in recorded.proposals.iter().filter(|one| !today.contains(one)) {
                writeln!(world.out, "  - {gone}")?;
            }
            for new in today.iter().filter(|one| !recorded.proposals.contains(one)) {
                writeln!(world.out, "  + {new}")?;
            }
        }
    }
    Ok(())
}

/// Reads how far back.
fn since(text: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let expected = || {
        format!("--since: expected 7d, 12h, 30m or an instant such as 2026-03-01T00:00:00Z, found {text:?}")
    };
    let unit = text.chars().last().with_context(expected)?;
    let count: i64 = text.strip_suffix(unit).and_then(|count| count.parse().ok()).with_context(expected)?;
    let minutes = match unit {
        'd' => count.checked_mul(24 * 60),
        'h' => count.checked_mul(60),
        'm' => Some(count),
        _ => None,
    };
    let minutes = minutes.filter(|minutes| (0..=50_000_000).contains(minutes)).with_context(expected)?;
    now.checked_sub(SignedDuration::from_mins(minutes)).with_context(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_back_is_a_number_of_something_or_an_instant() {
        let now: Timestamp = "2026-03-08T00:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("7d", Some("2026-03-01T00:00:00Z")),
            ("12h", Some("2026-03-07T12:00:00Z")),
            ("30m", Some("2026-03-07T23:30:00Z")),
            ("2026-01-01T00:00:00Z", Some("2026-01-01T00:00:00Z")),
            ("7", None),
            ("-1d", None),
            ("xd", None),
            ("99999999999999999d", None),
            ("", None),
            ("7ä", None),
        ] {
            let found = since(text, now).ok().map(|instant| instant.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
