//! The command line, as a process: help, exit codes, closed pipes.

use std::process::{Command, Output, Stdio};

use super::Written;

fn rosterd(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn run(arguments: &[&str]) -> Output {
    rosterd(arguments).output().unwrap()
}

#[test]
fn help_lists_the_commands_and_what_exit_codes_mean() {
    let output = run(&["--help"]);
    let help = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    for part in ["config", "version", "Exit codes:", "0  it was done", "3  a check", "ROSTERD_"] {
        assert!(help.contains(part), "{part}\n{help}");
    }
}

#[test]
fn help_of_a_command_shows_an_example_that_works() {
    let help = text(&run(&["config", "check", "--help"]).stdout);
    let example =
        help.lines().find_map(|line| line.trim().strip_prefix("rosterd config check --config")).unwrap();
    assert_eq!(example.trim(), "/etc/rosterd.toml");
    assert!(help.contains("exits with 1"), "{help}");
}

#[test]
fn a_command_line_that_is_not_understood_exits_with_2() {
    for arguments in [&["config", "chekc"][..], &["--colour"], &[]] {
        let output = run(arguments);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{arguments:?}");
        assert!(text(&output.stderr).contains("Usage: rosterd"), "{}", text(&output.stderr));
    }
}

#[test]
fn r29_config_check_names_file_line_and_key_and_exits_with_1() {
    let file = Written::toml("[server]\nlistne = \"x\"\nhead_timeout_ms = 1\n");
    let path = file.path();
    let path = path.to_str().unwrap();
    let output = run(&["config", "check", "--config", path]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
    assert_eq!(
        text(&output.stderr),
        format!(
            "error: {path}:2: server.listne: unknown key; did you mean server.listen?\n\
             error: {path}:3: server.head_timeout_ms: expected 100 to 600000, found 1\n"
        )
    );
}

#[test]
fn config_check_says_when_all_is_right() {
    let file = Written::toml("[log]\nlevel = \"debug\"\n");
    let output = rosterd(&["config", "check"]).env("ROSTERD_CONFIG", file.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "The settings are right.\n");
}

#[test]
fn config_show_prints_what_holds() {
    let output =
        rosterd(&["config", "show", "--data", "/x"]).env("ROSTERD_LOG__LEVEL", "warn").output().unwrap();
    let shown = text(&output.stdout);
    assert!(shown.contains("[data]\ndir = \"/x\"\n"), "{shown}");
    assert!(shown.contains("[log]\nformat = \"text\"\nlevel = \"warn\"\n"), "{shown}");
}

#[test]
fn config_reference_prints_a_row_for_each_key() {
    let output = run(&["config", "reference"]);
    assert!(
        text(&output.stdout).contains("| `tls.key_file` | `ROSTERD_TLS__KEY_FILE` | text | `\"\"` | now |")
    );
}

#[test]
fn version_names_the_version_and_the_engines() {
    let shown = text(&run(&["version"]).stdout);
    let first = format!("rosterd {}\nstore engines: redb, sled, postgres\n", env!("CARGO_PKG_VERSION"));
    assert!(shown.starts_with(&first), "{shown}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = rosterd(&["config", "reference"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}
