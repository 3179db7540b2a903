//! `rosterd serve`: its arguments.

use std::path::PathBuf;

use clap::Args;

use super::settings::SettingsArgs;
use crate::config::environment::BOOTSTRAP_TOKEN_FILE;
use crate::config::{Environment, Sources};

/// Run the daemon.
///
/// On an empty data folder it makes a tenant, a connection and a token, and prints the base URL, the token (this once)
/// and a line to try it with. SIGTERM ends it after begun requests are answered; SIGHUP reads the settings again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd serve --data /var/lib/rosterd --listen 127.0.0.1:8080
  rosterd serve --config /etc/rosterd.toml --bootstrap-token-file /run/secrets/scim-token

Ends with 1 before any port is opened if the settings are wrong or another daemon holds the folder.")]
pub struct ServeArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Listen here: overrides server.listen. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// Listen here for administrators: overrides admin.listen.
    #[arg(long, value_name = "ADDR:PORT")]
    pub admin_listen: Option<String>,
    /// Take the first token from this file instead of making one (32 characters or more; else the file that
    /// ROSTERD_BOOTSTRAP_TOKEN_FILE names). Only looked at when the data folder is empty.
    #[arg(long, value_name = "FILE")]
    pub bootstrap_token_file: Option<PathBuf>,
}

impl ServeArgs {
    /// Collects the sources of settings.
    pub fn sources(&self, environment: Environment) -> Sources {
        let mut sources = self.settings.sources(environment);
        let flags = [
            ("--listen", "server.listen", &self.listen),
            ("--admin-listen", "admin.listen", &self.admin_listen),
        ];
        for (flag, key, value) in flags {
            if let Some(value) = value {
                sources = sources.flag(flag, key, value);
            }
        }
        sources
    }

    /// Returns the file with the first token, if one is named by flag or variable.
    pub fn bootstrap_token_file(&self, environment: &Environment) -> Option<PathBuf> {
        let by_variable = || environment.get(BOOTSTRAP_TOKEN_FILE).map(PathBuf::from);
        self.bootstrap_token_file.clone().or_else(by_variable)
    }
}
