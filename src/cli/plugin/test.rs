//! `rosterd plugin test`: vectors, asked by the daemon's own code.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;

use super::target;
use crate::cli::settings::SettingsArgs;
use crate::cli::{Exit, World};
use crate::plugins::vector;

/// Examples.
pub(super) const EXAMPLES: &str = "\
Examples:
  rosterd plugin test cost-rate.wasm tests
  rosterd plugin test cost-rate --config /etc/rosterd.toml              (the vectors that the settings name)
  rosterd plugin test cost-rate.wasm tests --junit report.xml

docs/plugins/reference.md says how vectors are written. Exit codes: 0 all were answered as they must be, 3 some were not.";

/// What to ask.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// A file, or the name of a plugin of the settings.
    #[arg(value_name = "FILE|NAME")]
    pub plugin: String,
    /// Vectors: files, or folders with files that end in .json. Else those that the settings name.
    #[arg(value_name = "VECTORS")]
    pub vectors: Vec<PathBuf>,
    /// Write a report in the form of JUnit to this file.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Print JSON, one line for each vector.
    #[arg(long)]
    pub json: bool,
}

/// How one vector went.
#[derive(Debug, Serialize)]
struct Line {
    file: String,
    title: String,
    ok: bool,
    why: Option<String>,
    fuel: u64,
    duration_us: u128,
}

/// Runs the command.
pub fn run(args: &TestArgs, world: &mut World<'_>) -> Result<Exit> {
    let target = target::find(&args.settings, &args.plugin, world)?;
    let folders = if args.vectors.is_empty() { target.tests() } else { args.vectors.clone() };
    let mut build = target.compiled.build.clone();
    build.set(&target.spec.settings, Arc::new(target.tables()?));
    let hooks = target.compiled.hooks;
    let mut lines = Vec::new();
    for path in &folders {
        for vector in vector::read_all(path)? {
            let played = vector.play(&build, hooks)?;
            lines.push(Line {
                file: vector.file.display().to_string(),
                title: vector.title.clone(),
                ok: played.verdict.is_ok(),
                why: played.verdict.err(),
                fuel: played.cost.fuel,
                duration_us: played.cost.took.as_micros(),
            });
        }
    }
    if lines.is_empty() {
        bail!("expected vectors, found none; name files or folders, or plugins.tests in the settings");
    }
    for line in &lines {
        if args.json {
            writeln!(world.out, "{}", serde_json::to_string(line)?)?;
        } else {
            let word = if line.ok { "ok    " } else { "FAILED" };
            writeln!(world.out, "{word} {} (fuel {})", line.title, line.fuel)?;
            if let Some(why) = &line.why {
                writeln!(world.out, "       {}: {why}", line.file)?;
            }
        }
    }
    let failed = lines.iter().filter(|line| !line.ok).count();
    if !args.json {
        writeln!(world.out, "{} vectors, {failed} failed", lines.len())?;
    }
    if let Some(file) = &args.junit {
        std::fs::write(file, junit(&args.plugin, &lines)).with_context(|| file.display().to_string())?;
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::Found })
}

/// The report as other programs read it. Few words of XML, and no library among ours writes it.
fn junit(plugin: &str, lines: &[Line]) -> String {
    let failed = lines.iter().filter(|line| !line.ok).count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\">\n",
        escaped(plugin),
        lines.len()
    );
    for line in lines {
        let (name, file) = (escaped(&line.title), escaped(&line.file));
        let seconds = std::time::Duration::from_micros(u64::try_from(line.duration_us).unwrap_or(u64::MAX))
            .as_secs_f64();
        // Writing to a String cannot fail.
        let _ = match &line.why {
            None => {
                writeln!(text, "  <testcase name=\"{name}\" classname=\"{file}\" time=\"{seconds:.6}\"/>")
            }
            Some(why) => writeln!(
                text,
                "  <testcase name=\"{name}\" classname=\"{file}\" time=\"{seconds:.6}\"><failure message=\"{}\"/></testcase>",
                escaped(why)
            ),
        };
    }
    text.push_str("</testsuite>\n");
    text
}

/// Writes a text as the value of an attribute. Characters that XML has none of become a question mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => out.push('?'),
            control if control.is_control() => out.push('?'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_xml_whatever_the_titles_are() {
        let line = |title: &str, why: Option<&str>| Line {
            file: "a.json".into(),
            title: title.into(),
            ok: why.is_none(),
            why: why.map(str::to_owned),
            fuel: 1,
            duration_us: 1500,
        };
        let text = junit("x", &[line("a <b> & \"c\"", None), line("two", Some("no\nway\u{1}"))]);
        assert_eq!(
            text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"x\" tests=\"2\" failures=\"1\">\n\
             \x20 <testcase name=\"a &lt;b&gt; &amp; &quot;c&quot;\" classname=\"a.json\" time=\"0.001500\"/>\n\
             \x20 <testcase name=\"two\" classname=\"a.json\" time=\"0.001500\"><failure message=\"no&#10;way?\"/></testcase>\n\
             </testsuite>\n"
        );
    }
}
