//! `rosterd demo`: its arguments, and the order of what it shows.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;

use super::{Exit, Refused, World};
use crate::app::bootstrap::{FIRST_CONNECTION, FIRST_TENANT, bootstrap};
use crate::app::{self, Daemon, Rim};
use crate::config::{Config, Environment, Sources};
use crate::demo::client::Client;
#[cfg(feature = "plugins")]
use crate::demo::mapping;
use crate::demo::play::Player;
use crate::demo::provider::Provider;
use crate::demo::{entra, firm, okta, provider, show};
use crate::roster::{
    Caller, ConnectionOptions, LOCAL_NAME, Roster, Scope, Scopes, TOKENS_PER_CONNECTION_MAX, hex,
};
use crate::telemetry::{self, LogForm};

/// The connection that Entra's people come through. No administrator gives one such a name, whose tokens the demo could end.
const ENTRA_CONNECTION: &str = "demo-entra";
/// How long a token lives that is made to read a folder back.
const READ_BACK_HOURS: i64 = 24;

/// Show what rosterd does, on a fresh folder and free ports.
///
/// Starts the daemon, plays the first syncs of two identity providers through real HTTP, Okta and Entra ID, each in its own
/// dialect (people, groups, changes, somebody who leaves), with the four shipped plugins, which say what people cost, how they are employed, which seat and user type they have; adds what the firm itself knows (employment, rates, a seat, a lock, a leaver on a day)
/// and shows what somebody may do and why; prints what the roster now holds, has a provider of its own by which its people sign in, says what to type next, and serves until Ctrl-C.
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
    telemetry::start(LogForm::Readable, "warn")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let beside = beside(&dir);
    std::fs::create_dir_all(&beside).with_context(|| format!("make the folder {}", beside.display()))?;
    let (chance, clock) = (Arc::clone(&rim.chance), Arc::clone(&rim.clock));
    let provider = runtime.block_on(provider::serve(&beside, okta::subjects(), chance, clock))?;
    let sources = Sources::new(Environment::default())
        .flag("--data", "data.dir", dir.to_string_lossy())
        .flag("demo", "server.listen", "127.0.0.1:0")
        .flag("demo", "admin.listen", "127.0.0.1:0")
        .file(settings(&beside, &provider).context("lay out the demo's settings")?);
    let config = Config::load(&sources).map_err(Refused)?;
    let roster = app::open_roster(&config, &rim)?;
    let keys = keys(&roster, &config, is_new)?;
    runtime.block_on(async {
        let daemon = Daemon::start(&config, Arc::clone(&roster), &rim).await?;
        tokio::spawn(daemon.drain().on_signals()?);
        let at =
            At { public: daemon.public(), admin: daemon.admin(), base_url: daemon.base_url().to_owned() };
        writeln!(world.err, "rosterd serves {} from {}", at.base_url, dir.display())?;
        let drain = daemon.drain().clone();
        // What a daemon does beside serving, such as mapping the members of a group, goes on meanwhile.
        let serving = tokio::spawn(daemon.finish());
        let shown = async {
            let mut clients = Vec::new();
            for key in &keys {
                clients.push((key.connection, Client::connect(at.public, &key.token).await?));
            }
            if is_new {
                let token = firms_token(&roster, &config)?;
                story(&at, &mut clients, &token, &rim, world.err).await?;
            } else {
                writeln!(
                    world.err,
                    "\nThis folder holds a roster already: nothing is played, it is read back from disk."
                )?;
            }
            show_all(&mut clients, world).await?;
            if !args.once {
                what_next(&at, &dir, &keys, world.err)?;
            }
            anyhow::Ok(())
        };
        let shown = shown.await;
        if args.once || shown.is_err() {
            drain.begin();
        }
        serving.await?;
        shown
    })?;
    writeln!(
        world.err,
        "Stopped. The roster stays in {}; remove the folder (and the demo's plugins beside it) when you are done.",
        dir.display()
    )?;
    Ok(Exit::Done)
}

/// Where the daemon is.
struct At {
    public: SocketAddr,
    admin: SocketAddr,
    base_url: String,
}

/// Shows what the roster holds, for each connection what came through it.
async fn show_all(clients: &mut [(&'static str, Client)], world: &mut World<'_>) -> Result<()> {
    writeln!(world.err, "\nThe roster now holds, for each connection what came through it:")?;
    world.err.flush()?;
    for (connection, client) in clients {
        writeln!(world.out, "\nConnection {connection}")?;
        show::roster(client, world.out).await?;
    }
    Ok(world.out.flush()?)
}

/// Plays what happens on a fresh folder: Okta's people, the firm's own lists, Entra's people with whom plugins map, and what the firm adds.
async fn story(
    at: &At,
    clients: &mut [(&'static str, Client)],
    token: &str,
    rim: &Rim,
    told: &mut dyn Write,
) -> Result<()> {
    let guid = || rim.chance.uuid(rim.clock.now());
    let mut firms = Client::connect(at.public, token).await?;
    let mut admin = Client::connect(at.admin, token).await?;
    let [(_, first), (_, second)] = clients.first_chunk_mut().context("expected two connections")?;
    okta::first_sync(&mut Player::new(first, told)).await?;
    let lists = firm::lists(&mut Player::new(&mut firms, told)).await?;
    let people = entra::assign_people(&mut Player::new(second, told), &guid).await?;
    #[cfg(feature = "plugins")]
    mapping::decide(&mut Player::new(&mut firms, told)).await?;
    entra::change_people(&mut Player::new(second, told), &people, &guid).await?;
    #[cfg(feature = "plugins")]
    mapping::show(&mut Player::new(&mut firms, told), &mut admin).await?;
    let ada = firm::first_day(&mut Player::new(&mut firms, told), &lists).await?;
    firm::explain(&mut admin, &ada, told).await
}

/// Where the demo's settings and plugins lie: a folder of their own beside the data.
fn beside(dir: &Path) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push("-plugins");
    dir.with_file_name(name)
}

/// Writes the demo's settings: its plugins, and by whom people sign in.
fn settings(beside: &Path, provider: &Provider) -> Result<PathBuf> {
    #[cfg(feature = "plugins")]
    let (file, plugins) = {
        let file = mapping::lay_out(beside, ENTRA_CONNECTION)?;
        let text = std::fs::read_to_string(&file)?;
        (file, text)
    };
    #[cfg(not(feature = "plugins"))]
    let (file, plugins) = (beside.join("rosterd.toml"), String::new());
    std::fs::write(&file, format!("{plugins}\n{}", provider::settings(provider)))?;
    Ok(file)
}

/// A connection that is shown, and a token for it.
struct Key {
    connection: &'static str,
    token: String,
}

/// Gives tokens for the demo's connections, which a new folder gets; of an older one those that it has.
fn keys(roster: &Roster, config: &Config, is_new: bool) -> Result<Vec<Key>> {
    let mut keys = vec![Key { connection: FIRST_CONNECTION, token: first_token(roster, config)? }];
    let caller = roster.operator(FIRST_TENANT, roster.request_id())?;
    if is_new {
        roster.create_connection(&caller, ENTRA_CONNECTION, "entra", ConnectionOptions::default())?;
    }
    if roster.connections(&caller)?.iter().any(|connection| connection.name == ENTRA_CONNECTION) {
        let hours =
            if is_new { 24_i64.saturating_mul(config.tokens.lifetime_days.into()) } else { READ_BACK_HOURS };
        let token = token(roster, &caller, ENTRA_CONNECTION, hours)?;
        keys.push(Key { connection: ENTRA_CONNECTION, token });
    }
    Ok(keys)
}

/// Gives the folder's first connection a token: the folder's first, or one more.
fn first_token(roster: &Roster, config: &Config) -> Result<String> {
    match bootstrap(roster, config, None)? {
        Some(issued) => Ok(issued.secret.to_string()),
        None => token(
            roster,
            &roster.operator(FIRST_TENANT, roster.request_id())?,
            FIRST_CONNECTION,
            READ_BACK_HOURS,
        ),
    }
}

/// Gives the firm's own program a token for a day.
fn firms_token(roster: &Roster, config: &Config) -> Result<String> {
    let scopes = [
        Scope::UsersRead,
        Scope::UsersWrite,
        Scope::KindsRead,
        Scope::KindsWrite,
        Scope::Financials,
        Scope::Audit,
    ];
    let caller = roster.operator(FIRST_TENANT, roster.request_id())?;
    let hours = 24_i64.saturating_mul(config.tokens.lifetime_days.into()).min(READ_BACK_HOURS);
    let lifetime = jiff::SignedDuration::from_hours(hours);
    let issued = roster.create_token(&caller, LOCAL_NAME, Scopes::of(scopes), Some(lifetime), None)?;
    Ok(issued.secret.to_string())
}

/// Gives a connection a new token, where it has enough of them in place of its oldest. Tokens of other connections are not the demo's.
fn token(roster: &Roster, caller: &Caller, connection: &str, hours: i64) -> Result<String> {
    let mut tokens = roster.tokens(caller)?;
    tokens.retain(|token| token.connection == connection);
    if tokens.len() >= TOKENS_PER_CONNECTION_MAX
        && let Some(oldest) = tokens.first()
    {
        roster.revoke_token(caller, oldest.id)?;
    }
    let lifetime = jiff::SignedDuration::from_hours(hours);
    let issued = roster.create_token(caller, connection, Scopes::idp(), Some(lifetime), None)?;
    Ok(issued.secret.to_string())
}

fn what_next(at: &At, dir: &Path, keys: &[Key], err: &mut dyn Write) -> Result<()> {
    let (base, dir, home) = (&at.base_url, dir.display(), format!("http://{}", at.public));
    let [Key { token, .. }, ..] = keys else { return Ok(()) };
    writeln!(
        err,
        "
It keeps serving until Ctrl-C. Next, in another terminal:

  Sign in as one of Okta's people, in a browser (lock them meanwhile, and see the page die):
    {home}/login
  One person:
    curl -H 'Authorization: Bearer {token}' '{base}/Users?filter=userName+eq+%22ada.byron@acme.example%22'
  How a provider is doing, what it sends otherwise than the standard has it, and what to do about that:
    rosterd connection doctor {last} --data {dir}
  Who did what:
    rosterd audit export --tenant {FIRST_TENANT} --data {dir}
  Nothing is lost: kill it the hard way, and have the same table read back from disk:
    kill -9 {pid}; rosterd demo --data {dir}

(rosterd is target/release/rosterd after a build with cargo.)",
        last = keys.last().map_or(FIRST_CONNECTION, |key| key.connection),
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
        let first = first_token(&roster, &config).unwrap();
        let request = roster.request_id();
        let caller = roster.operator(FIRST_TENANT, request).unwrap();
        let others =
            [(); 2].map(|()| roster.create_token(&caller, "local", Scopes::idp(), None, None).unwrap());
        let works = |secret: &str| roster.authenticate(secret, request).unwrap().is_some();
        let second = first_token(&roster, &config).unwrap();
        assert!(works(&first) && works(&second));
        let third = first_token(&roster, &config).unwrap();
        assert!(!works(&first) && works(&second) && works(&third));
        assert!(others.iter().all(|other| works(&other.secret)));
    }

    #[test]
    fn an_older_folder_is_shown_as_it_is_and_gets_no_connection() {
        let roster = roster_on(Arc::new(MemoryStore::new()), &Rim::default());
        let config = Config::load(&Sources::new(Environment::default())).unwrap();
        let names = |is_new| {
            let keys = keys(&roster, &config, is_new).unwrap();
            keys.iter().map(|key| key.connection).collect::<Vec<_>>()
        };
        assert_eq!(names(false), [FIRST_CONNECTION]);
        assert_eq!(names(true), [FIRST_CONNECTION, ENTRA_CONNECTION]);
        assert_eq!(names(false), [FIRST_CONNECTION, ENTRA_CONNECTION]);
    }
}
