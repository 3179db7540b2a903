//! The command line on a roster: each command through the socket of a daemon that runs, and on the folder when none does.
//!
//! [`Site`] is such a place; `help` (every `--help`), `schemas`, `tenants` (tenants, connections, administrators), `tokens` (X1, X2, X3), `clients` (D-E20), `folders` (a mistyped
//! path, a folder in use), `check` (damage), `backup` (all of it in a file and back), `moving` (into a database and back), `audit`, `import` (people in and out), `plugins` (where none is loaded), `doctor` (what came in through a connection, and whether it is well).

mod audit;
mod backup;
mod check;
mod clients;
mod doctor;
mod folders;
mod help;
mod import;
mod moving;
mod plugin_new;
mod plugins;
mod schemas;
mod tenants;
mod tokens;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::TestDaemon;

/// How a command ended.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    /// Fails unless the command did what it was asked.
    #[track_caller]
    fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Fails unless the command failed, printed nothing, and ended its words with one line that begins with `error:`; returns that line.
    #[track_caller]
    fn failed(self) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(1), ""), "{self:?}");
        let line = self.err.lines().last().unwrap_or_default();
        line.strip_prefix("error: ").unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }

    /// Reads standard output as JSON, one value a line.
    fn json(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }
}

/// Runs the program on a data folder.
fn rosterd<A: AsRef<OsStr>>(data: &Path, arguments: &[A]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    command.args(arguments).arg("--data").arg(data).env_clear().stdin(Stdio::null());
    run(&mut command)
}

fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A folder that has had its first start, with or without a daemon on it.
struct Site {
    home: Arc<TempDir>,
    daemon: Option<TestDaemon>,
}

impl Site {
    /// A daemon runs.
    fn served() -> Self {
        let home = Arc::new(tempfile::tempdir().unwrap());
        let daemon = TestDaemon::start_with(&home, &[], |_| {});
        Self { home, daemon: Some(daemon) }
    }

    /// None runs.
    fn at_rest() -> Self {
        let mut site = Self::served();
        site.stop();
        site
    }

    /// Runs a test in both places.
    fn each(test: impl Fn(&mut Self)) {
        for mut site in [Self::served(), Self::at_rest()] {
            eprintln!("with a daemon: {}", site.daemon.is_some());
            test(&mut site);
        }
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Runs a command.
    fn run(&self, arguments: &[&str]) -> Ran {
        rosterd(&self.data(), arguments)
    }

    fn stop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            assert_eq!(daemon.terminate().0.code(), Some(0));
        }
    }

    /// Stops the daemon, if one runs, and starts one.
    fn restart(&mut self) -> &TestDaemon {
        self.stop();
        self.serve()
    }

    /// Returns the daemon, started if none runs.
    fn serve(&mut self) -> &TestDaemon {
        let home = Arc::clone(&self.home);
        self.daemon.get_or_insert_with(|| TestDaemon::start_with(&home, &[], |_| {}))
    }
}
