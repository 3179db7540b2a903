//! `rosterd demo`: its arguments, and the order of what it shows.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::Args;

use super::{Exit, Refused, World};
use crate::app::bootstrap::{FIRST_CONNECTION, FIRST_TENANT, bootstrap};
use crate::app::{self, Daemon, Rim};
use crate::config::{Config, Environment, Sources};
use crate::demo::client::Client;
use crate::demo::{play, show};
use crate::roster::{Roster, Scopes, TOKENS_PER_CONNECTION_MAX, hex};
use crate::telemetry::{self, LogForm};

/// Show what rosterd does, on a fresh folder and free ports.
///
/// Starts the daemon, plays a first sync of an identity provider through real HTTP (users, groups, a changed profile, a
/// deactivation, a group push), prints the roster that it now holds, says what to type next, and serves until Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd demo
  rosterd demo --once --data /tmp/rosterd-demo")]
pub struct DemoArgs {
    /// Keep the data here instead of in a new temporary folder. A folder that holds a roster already is read back.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// End after the table instead of serving on.
    #[arg(long)]
    pub once: bool,
}

/// Runs the command.
pub fn run(args: &DemoArgs, world: &mut World<'_>) -> Result<Exit> {
    let rim = Rim::default();
    let dir = match &args.data {
        Some(dir) => dir.clone(),
        None => std::env::temp_dir().join(format!("rosterd-demo-{}", short_name(&rim))),
    };
    let is_new = !dir.join("FORMAT").exists();
    let config = Config::load(
        &Sources::new(Environment::default())
            .flag("--data", "data.dir", dir.to_string_lossy())
            .flag("demo", "server.listen", "127.0.0.1:0")
            .flag("demo", "admin.listen", "127.0.0.1:0"),
    )
    .map_err(Refused)?;
    telemetry::start(LogForm::Readable, "warn")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let roster = app::open_roster(&config, &rim)?;
    let token = token(&roster, &config)?;
    runtime.block_on(async {
        let daemon = Daemon::start(&config, Arc::clone(&roster), &rim).await?;
        tokio::spawn(daemon.drain().on_signals()?);
        let mut client = Client::connect(daemon.public(), &token).await?;
        writeln!(world.err, "rosterd serves {} from {}", daemon.base_url(), dir.display())?;
        if is_new {
            play::first_sync(&mut client, world.err).await?;
        } else {
            writeln!(
                world.err,
                "\nThis folder holds a roster already: nothing is played, it is read back from disk."
            )?;
        }
        writeln!(world.err, "\nThe roster now holds:\n")?;
        world.err.flush()?;
        show::roster(&mut client, world.out).await?;
        world.out.flush()?;
        drop(client);
        if args.once {
            daemon.drain().begin();
        } else {
            what_next(&daemon, &dir, &token, world.err)?;
        }
        daemon.finish().await;
        anyhow::Ok(())
    })?;
    writeln!(
        world.err,
        "Stopped. The roster stays in {}; remove the folder when you are done.",
        dir.display()
    )?;
    Ok(Exit::Done)
}

/// Gives the folder's connection a token: the first, or a new one in place of its oldest. Tokens of other connections are not the demo's.
fn token(roster: &Roster, config: &Config) -> Result<String> {
    if let Some(issued) = bootstrap(roster, config, None)? {
        return Ok(issued.secret.to_string());
    }
    let caller = roster.operator(FIRST_TENANT, roster.request_id())?;
    let mut tokens = roster.tokens(&caller)?;
    tokens.retain(|token| token.connection == FIRST_CONNECTION);
    if tokens.len() >= TOKENS_PER_CONNECTION_MAX
        && let Some(oldest) = tokens.first()
    {
        roster.revoke_token(&caller, oldest.id)?;
    }
    let lifetime = jiff::SignedDuration::from_hours(24);
    let issued = roster.create_token(&caller, FIRST_CONNECTION, Scopes::idp(), Some(lifetime), None)?;
    Ok(issued.secret.to_string())
}

fn what_next(daemon: &Daemon, dir: &Path, token: &str, err: &mut dyn Write) -> Result<()> {
    let (base, dir) = (daemon.base_url(), dir.display());
    writeln!(
        err,
        "
It keeps serving until Ctrl-C. Next, in another terminal:

  One person:
    curl -H 'Authorization: Bearer {token}' '{base}/Users?filter=userName+eq+%22ada.byron@acme.example%22'
  Who did what:
    rosterd audit export --tenant {FIRST_TENANT} --data {dir}
  Nothing is lost: kill it the hard way, and have the same table read back from disk:
    kill -9 {pid}; rosterd demo --data {dir}

(rosterd is target/release/rosterd after a build with cargo.)",
        pid = std::process::id()
    )?;
    Ok(err.flush()?)
}

/// A few random letters for the name of a folder.
fn short_name(rim: &Rim) -> String {
    let mut bytes = [0_u8; 4];
    rim.chance.fill(&mut bytes);
    hex(&bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::{Rim, roster_on};
    use crate::config::{Environment, Sources};
    use crate::store::memory::MemoryStore;

    #[test]
    fn the_demo_ends_no_token_of_another_connection() {
        let roster = roster_on(Arc::new(MemoryStore::new()), &Rim::default());
        let config = Config::load(&Sources::new(Environment::default())).unwrap();
        let first = token(&roster, &config).unwrap();
        let request = roster.request_id();
        let caller = roster.operator(FIRST_TENANT, request).unwrap();
        let others =
            [(); 2].map(|()| roster.create_token(&caller, "local", Scopes::idp(), None, None).unwrap());
        let works = |secret: &str| roster.authenticate(secret, request).unwrap().is_some();
        let second = token(&roster, &config).unwrap();
        assert!(works(&first) && works(&second));
        let third = token(&roster, &config).unwrap();
        assert!(!works(&first) && works(&second) && works(&third));
        assert!(others.iter().all(|other| works(&other.secret)));
    }
}
