//! A daemon with one webhook, and the receiver behind it.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use super::Receiver;
use crate::support::TestDaemon;

/// The first secret of every webhook.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A home with settings for one webhook called `ledger`.
pub struct Home {
    folder: Arc<TempDir>,
    port: u16,
    config: PathBuf,
}

impl Home {
    /// Writes the settings; `more` are further lines of the webhook.
    pub fn of(receiver: &Receiver, more: &str) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let config = folder.path().join("rosterd.toml");
        let home = Self { folder, port: receiver.port(), config };
        std::fs::write(home.secret(), format!("{SECRET}\n")).unwrap();
        home.write(&receiver.url(), more);
        home
    }

    /// Writes them anew.
    pub fn write(&self, url: &str, more: &str) {
        let secrets = if more.starts_with("secret_files") {
            String::new()
        } else {
            format!("secret_files = [\"{}\"]\n", self.secret().display())
        };
        let text = format!(
            "[net]\nallow = [\"127.0.0.1:{}\"]\nconnect_timeout_ms = 2000\ntotal_timeout_ms = 2000\n\
             [outbox]\nattempts_max = 3\nretry_first_ms = 10\nretry_longest_ms = 2000\n\
             [[webhooks]]\nname = \"ledger\"\ntenant = \"main\"\nurl = \"{url}\"\n{secrets}{more}\n",
            self.port
        );
        std::fs::write(&self.config, text).unwrap();
    }

    /// The file with the first secret.
    pub fn secret(&self) -> PathBuf {
        self.folder.path().join("ledger.secret")
    }

    /// Starts the daemon.
    pub fn start(&self) -> TestDaemon {
        TestDaemon::start_with(&self.folder, &[], |command| self.on(command))
    }

    /// Adds the settings to a command line.
    pub fn on(&self, command: &mut Command) {
        command.arg("--config").arg(&self.config);
    }

    /// Runs another command of the program with the same settings and folder.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
        command.args(arguments).arg("--data").arg(self.folder.path().join("data"));
        self.on(&mut command);
        command.env_clear().stdin(Stdio::null()).output().unwrap()
    }

    /// Runs one, and returns what it printed.
    #[track_caller]
    pub fn told(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Reads a gauge of the webhook; more than can be where there is none yet.
pub fn figure(daemon: &TestDaemon, name: &str) -> i64 {
    daemon.find_metric(&format!("rosterd_webhook_{name}{{webhook=\"ledger\"}}")).unwrap_or(i64::MAX)
}
