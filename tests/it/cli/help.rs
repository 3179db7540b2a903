//! Every `--help`, and `version`.

use std::process::{Command, Stdio};

use super::{Ran, run};

fn rosterd(arguments: &[String]) -> Ran {
    run(Command::new(env!("CARGO_BIN_EXE_rosterd")).args(arguments).env_clear().stdin(Stdio::null()))
}

/// The names under "Commands:".
fn commands(help: &str) -> Vec<String> {
    let list =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = list.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect()
}

/// Visits every command, from the top.
fn each_command(path: &[String], visit: &mut dyn FnMut(&[String], &str)) {
    let asked = rosterd(&[path, &["--help".to_owned()]].concat()).done();
    assert_eq!(asked.err, "");
    visit(path, &asked.out);
    for name in commands(&asked.out) {
        each_command(&[path, &[name]].concat(), visit);
    }
}

#[test]
fn every_command_has_help_with_a_sentence_a_usage_and_every_flag_explained() {
    let mut seen = Vec::new();
    each_command(&[], &mut |path, help| {
        let name = path.join(" ");
        assert!(help.lines().next().unwrap().split(' ').count() >= 2, "{name}: {help}");
        assert!(help.contains(&format!("Usage: rosterd {name}").trim_end().to_owned()), "{name}: {help}");
        let options = help.lines().skip_while(|line| *line != "Options:").skip(1);
        let mut options = options.take_while(|line| !line.is_empty()).peekable();
        while let Some(line) = options.next() {
            if !line.trim_start().starts_with('-') {
                continue;
            }
            // The meaning stands behind two spaces, or on the next line.
            let explained = line.trim_start().contains("  ")
                || options.peek().is_some_and(|next| !next.trim_start().starts_with('-'));
            assert!(explained, "{name}: {line}");
        }
        seen.push(name);
    });
    for name in [
        "serve",
        "demo",
        "config check",
        "tenant create",
        "connection list",
        "token revoke",
        "admin create",
        "check",
        "audit verify",
        "version",
    ] {
        assert!(seen.iter().any(|known| known == name), "{name} is not in {seen:?}");
    }
}

#[test]
fn a_command_that_needs_more_than_its_name_shows_an_example_that_is_understood() {
    each_command(&[], &mut |path, help| {
        let name = path.join(" ");
        let usage = help.lines().find(|line| line.starts_with("Usage: ")).unwrap();
        let needs = usage.contains(" <") && !usage.contains("<COMMAND>") || usage.contains(" --");
        let prefix = format!("rosterd {name}");
        let examples: Vec<&str> = help
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("rosterd ") && !line.ends_with(':'))
            .collect();
        assert!(
            !needs || examples.iter().any(|line| line.starts_with(&prefix)),
            "{name} shows no example:\n{help}"
        );
        for example in examples {
            let words: Vec<String> = example
                .split("  ")
                .next()
                .unwrap()
                .split_whitespace()
                .skip(1)
                .take_while(|word| !matches!(*word, "|" | ">"))
                .map(str::to_owned)
                .collect();
            // `--help` at the end: clap reads all of the line before it, and does nothing.
            let understood = rosterd(&[&words[..], &["--help".to_owned()]].concat());
            assert_eq!(understood.code, Some(0), "{example}: {understood:?}");
        }
    });
}

#[test]
fn version_says_the_same_as_the_flag_and_what_was_built_in() {
    let version = rosterd(&["version".to_owned()]).done().out;
    let flag = rosterd(&["--version".to_owned()]).done().out;
    assert_eq!(version.lines().next(), flag.lines().next());
    assert_eq!(flag, format!("rosterd {}\n", env!("CARGO_PKG_VERSION")));
    for part in ["store engines: redb, sled, postgres\n", "built for: ", std::env::consts::OS] {
        assert!(version.contains(part), "{version}");
    }
}
