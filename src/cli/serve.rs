//! `rosterd serve`: its arguments, and the life of the daemon.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use clap::Args;
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::settings::SettingsArgs;
use super::{Exit, Refused, World, table};
use crate::app::bootstrap::bootstrap;
use crate::app::{self, Daemon, Doors, Plugins, Reloader, Rim};
use crate::config::environment::BOOTSTRAP_TOKEN_FILE;
use crate::config::secret::SecretText;
use crate::config::{Config, Environment, Format, Reload, Sources, surroundings};
use crate::http::admin::desk::ReloadAnswer;
use crate::http::panics;
use crate::roster::Issued;
use crate::telemetry::{self, LogForm, Volume};

/// How long work on other threads may go on after the last answer.
const WORK_ENDS_WITHIN: Duration = Duration::from_secs(3);

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

/// How many tasks a busy worker runs before it looks for what has come in. tokio's own 61 let a small tenant's request lie unseen for as long as a
/// large one's 61 take (R25); looking costs less than a microsecond.
const EVENT_INTERVAL: u32 = 8;

/// Runs the command.
pub fn run(args: &ServeArgs, world: &mut World<'_>) -> Result<Exit> {
    let sources = args.sources(world.environment.clone());
    let config = Config::load(&sources).map_err(Refused)?;
    for warning in surroundings::look(&config).map_err(Refused)? {
        writeln!(world.err, "warning: {warning}")?;
    }
    let brought = match args.bootstrap_token_file(&world.environment) {
        Some(file) => Some(SecretText::read_token(&file)?),
        None => None,
    };
    let volume = telemetry::start(log_form(config.log.format), config.log.level.as_str())?;
    panics::install_hook();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().event_interval(EVENT_INTERVAL).enable_all().build()?;
    let rim = Rim::default();
    let roster = app::open_roster(&config, &rim)?;
    app::settle_key(&config, &roster, &rim)?;
    let ended = runtime.block_on(async {
        // The doors before the first token: a start that fails at one must not use up the one time that the token is shown.
        // Before any door: a plugin that is needed and cannot be loaded is a start that failed.
        let plugins = Plugins::load(&config, &roster, &rim)?;
        let doors = Doors::open(&config, &rim).await?;
        let issued = bootstrap(&roster, &config, brought.as_ref().map(SecretText::expose))?;
        // Behind the doors and before anybody is let in: what is not indexed yet must not be changed.
        let indexed = roster.finish_schemas(roster.request_id())?;
        if indexed > 0 {
            tracing::info!(indexed, "went on with indexing resources for a schema that was being changed when the last process ended");
        }
        let mut daemon = Daemon::behind(doors, &config, roster, plugins, &rim);
        // The signals before the greeting: whoever has read it may send them.
        tokio::spawn(daemon.drain().on_signals()?);
        let hangups = signal(SignalKind::hangup())?;
        greet(&daemon, issued.as_ref(), brought.is_some(), world.err)?;
        drop(issued);
        let reloading = Reloading { reloader: daemon.reloader().clone(), volume, sources };
        let ordered = daemon.take_ordered();
        let reloading = tokio::spawn(keep_reloading(reloading, config, hangups, ordered));
        daemon.finish().await;
        reloading.abort();
        anyhow::Ok(())
    });
    // A long read that nobody waits for any more, a check of the whole store say, is not waited for either.
    runtime.shutdown_timeout(WORK_ENDS_WITHIN);
    ended.map(|()| Exit::Done)
}

const fn log_form(format: Format) -> LogForm {
    match format {
        Format::Text => LogForm::Readable,
        Format::Json => LogForm::Json,
    }
}

/// Says where things are, and what to do next. The token is shown this once, on standard error and never in the log.
fn greet(daemon: &Daemon, issued: Option<&Issued>, brought: bool, err: &mut dyn Write) -> Result<()> {
    let base = daemon.base_url();
    writeln!(err, "rosterd {} is serving.", env!("CARGO_PKG_VERSION"))?;
    writeln!(err, "  SCIM base URL  {base}")?;
    writeln!(
        err,
        "  administration http://{} (metrics, health), {}",
        daemon.admin(),
        daemon.socket().display()
    )?;
    let Some(issued) = issued else { return Ok(err.flush()?) };
    let until = table::instant(issued.expires);
    if brought {
        writeln!(err, "  bearer token   the one you brought, good until {until}")?;
        writeln!(err, "Try it:\n  curl -H \"Authorization: Bearer $TOKEN\" {base}/Users")?;
    } else {
        let token = issued.secret.as_str();
        writeln!(err, "  bearer token   {token}")?;
        writeln!(err, "                 (good until {until}; shown this once, keep it now)")?;
        writeln!(err, "Try it:\n  curl -H 'Authorization: Bearer {token}' {base}/Users")?;
    }
    writeln!(err, "Give base URL and token to your identity provider.")?;
    Ok(err.flush()?)
}

/// What a reload needs.
#[derive(Debug, Clone)]
struct Reloading {
    reloader: Reloader,
    volume: Volume,
    sources: Sources,
}

/// Reads the settings again at each SIGHUP, and whenever an operator orders it; looks at the folder of plugins where that is wanted.
async fn keep_reloading(
    reloading: Reloading,
    config: Config,
    mut hangups: Signal,
    ordered: Option<mpsc::Receiver<ReloadAnswer>>,
) {
    let mut ordered = ordered.unwrap_or_else(|| mpsc::channel(1).1);
    let mut current = config;
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seen: Option<FolderState> = None;
    loop {
        let answer = tokio::select! {
            hangup = hangups.recv() => match hangup {
                Some(()) => None,
                None => break,
            },
            Some(answer) = ordered.recv() => Some(answer),
            _ = look.tick(), if current.plugin_host.watch => {
                let before = seen.replace(FolderState::of(&current.plugin_host.folder));
                if before.is_none() || before == seen {
                    continue;
                }
                None
            }
        };
        // On a thread that may wait: plugins are compiled.
        let (with, old) = (reloading.clone(), current.clone());
        let done = tokio::task::spawn_blocking(move || with.reload(old)).await;
        let Ok((config, said)) = done else { continue };
        current = config;
        if let Some(answer) = answer {
            // Who ordered it may have gone.
            drop(answer.send(said));
        }
    }
}

impl Reloading {
    /// Reads the settings again: all of the new ones hold, or all of the old ones (R28). Says what became of it.
    fn reload(&self, current: Config) -> (Config, Result<Value, String>) {
        let candidate =
            Config::load(&self.sources).and_then(|config| surroundings::look(&config).map(|_| config));
        let applied = match (Reload { current: &current, candidate }).apply() {
            Ok(applied) => applied,
            Err(errors) => {
                for problem in errors.problems() {
                    tracing::error!(%problem, "the settings are wrong; the old ones stay");
                }
                self.reloader.failed();
                return (current, Err(format!("the settings are wrong; the old ones stay: {errors}")));
            }
        };
        let done = match self.reloader.apply(&applied.config) {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(%error, "what the settings name cannot be used; the old settings stay");
                return (current, Err(format!("{error}; the old settings and plugins stay")));
            }
        };
        if let Err(error) = self.volume.set(applied.config.log.level.as_str()) {
            tracing::error!(%error, "the level of the log cannot be changed");
        }
        tracing::info!(now = ?applied.now, at_restart = ?applied.at_restart, "the settings were read again");
        (applied.config, Ok(serde_json::to_value(done).unwrap_or_default()))
    }
}

/// How often the folder of plugins is looked at where it is watched.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The files of a folder and when each was written, to tell that something has changed.
#[derive(Debug, Default, PartialEq, Eq)]
struct FolderState(BTreeMap<PathBuf, (Option<SystemTime>, u64)>);

impl FolderState {
    fn of(folder: &Path) -> Self {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let states = files.filter_map(|entry| {
            let about = entry.metadata().ok()?;
            Some((entry.path(), (about.modified().ok(), about.len())))
        });
        Self(states.collect())
    }
}
