//! The daemon in this process: the real router behind the real accept loop, on a store of choice, with time and chance of the test's own.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use rosterd::app::bootstrap::{FIRST_CONNECTION, FIRST_TENANT, bootstrap};
use rosterd::app::{Daemon, Rim, open_roster, roster_on};
use rosterd::chance::SeededChance;
use rosterd::clock::Clock;
use rosterd::config::{Config, Environment, Sources};
use rosterd::net::{Resolver, SystemResolver};
use rosterd::roster::{Command, ConnectionChange, ConnectionOptions, Reply, Roster};
use rosterd::store::Store;
use rosterd::store::memory::MemoryStore;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Client, ground, world};

/// The URL that the daemon is told to be reached by. Not the one it is reached by, so that nothing can be right by accident (X37).
pub const PUBLIC_URL: &str = "https://roster.test";

/// Which store a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The one that forgets.
    Memory,
    /// The embedded default.
    Redb,
}

impl Engine {
    /// Every store there is.
    pub const ALL: [Self; 2] = [Self::Memory, Self::Redb];
}

/// Runs a test on every store in turn.
pub fn on_every_store(test: impl Fn(TestApp)) {
    if ground::is_laid() {
        return test(TestApp::on(Engine::Redb));
    }
    for engine in Engine::ALL {
        eprintln!("on {engine:?}:");
        test(TestApp::on(engine));
    }
}

/// A clock that is a millisecond later at each look, so that nothing happens at the same time and every run shows the same times.
#[derive(Debug)]
pub struct TickingClock(AtomicI64);

impl TickingClock {
    fn at(text: &str) -> Self {
        let start: Timestamp = text.parse().unwrap();
        Self(AtomicI64::new(start.as_millisecond()))
    }

    /// Moves the clock, backwards as well.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::Relaxed);
    }
}

impl Clock for TickingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.fetch_add(1, Ordering::Relaxed)).unwrap()
    }
}

/// A daemon with one tenant, one connection and one token, as the first start makes them. Dereferences to the client with that token.
pub struct TestApp {
    client: Client,
    clock: Arc<TickingClock>,
    rim: Rim,
    config: Config,
    folder: TempDir,
    engine: Engine,
    runtime: Runtime,
    daemon: Option<Daemon>,
}

impl Deref for TestApp {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl TestApp {
    /// Starts on the memory store.
    pub fn start() -> Self {
        Self::on(Engine::Memory)
    }

    /// Starts on a store.
    pub fn on(engine: Engine) -> Self {
        Self::with(engine, &[], Arc::new(SystemResolver))
    }

    /// Starts on a store with further settings, and with another resolver in the system's place.
    pub fn with(engine: Engine, settings: &[(&str, &str)], resolver: Arc<dyn Resolver>) -> Self {
        let mut parts = Parts::with(settings);
        parts.rim.resolver = resolver;
        let roster = parts.roster(engine);
        parts.start(engine, roster)
    }

    /// Starts another daemon on the database of one that runs.
    pub fn beside(other: &Self) -> Self {
        let parts = Parts::with(&[("postgres.database", &other.config.postgres.database)]);
        let roster = parts.roster(Engine::Redb);
        parts.join(Engine::Redb, roster, other.client.token())
    }

    /// Starts another on the database of one that runs, with a file of settings beside the flags.
    pub fn beside_written(other: &Self, text: &str) -> Self {
        let settings = [("postgres.database", &*other.config.postgres.database)];
        let parts = Parts::of(&settings, Some(text), "2026-03-01T08:00:00Z");
        let roster = parts.roster(Engine::Redb);
        parts.join(Engine::Redb, roster, other.client.token())
    }

    /// Starts another on a store that the test opened in that database.
    pub fn beside_with(other: &Self, store: Arc<dyn Store>) -> Self {
        let parts = Parts::with(&[("postgres.database", &other.config.postgres.database)]);
        let roster = roster_on(store, &parts.rim);
        parts.join(Engine::Redb, roster, other.client.token())
    }

    /// Returns the settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Starts on the memory store with a file of settings beside the flags, at a moment, and with another resolver in the system's place.
    pub fn with_file_on(engine: Engine, text: &str, start: &str, resolver: Arc<dyn Resolver>) -> Self {
        let mut parts = Parts::of(&[], Some(text), start);
        parts.rim.resolver = resolver;
        let roster = parts.roster(engine);
        parts.start(engine, roster)
    }

    /// The same, with other flags.
    pub fn with_file_and(
        settings: &[(&str, &str)],
        text: &str,
        start: &str,
        resolver: Arc<dyn Resolver>,
    ) -> Self {
        let mut parts = Parts::of(settings, Some(text), start);
        parts.rim.resolver = resolver;
        let roster = roster_on(Arc::new(MemoryStore::new()), &parts.rim);
        parts.start(Engine::Memory, roster)
    }

    /// Starts on a store with a file of settings beside the flags.
    pub fn written(engine: Engine, text: &str) -> Self {
        let parts = Parts::of(&[], Some(text), "2026-03-01T08:00:00Z");
        let roster = parts.roster(engine);
        parts.start(engine, roster)
    }

    /// Takes over another file of settings, as a reload does.
    pub fn reload(&mut self, text: &str) {
        let candidate = Parts::config(self.folder.path(), &[], Some(text));
        self.daemon().reloader().apply(&candidate).unwrap();
        self.config = candidate;
    }

    /// Starts with SCIM below another base path.
    pub fn below(base_path: &str) -> Self {
        let parts = Parts::with(&[("server.base_path", base_path)]);
        let roster = roster_on(Arc::new(MemoryStore::new()), &parts.rim);
        parts.start(Engine::Memory, roster)
    }

    /// Starts on a store that the test brought.
    pub fn around(store: Arc<dyn Store>) -> Self {
        let parts = Parts::with(&[]);
        let roster = roster_on(store, &parts.rim);
        parts.start(Engine::Memory, roster)
    }

    /// Returns the roster, to look behind the wire.
    pub fn roster(&self) -> &Roster {
        self.daemon().roster()
    }

    /// Returns the clock.
    pub fn clock(&self) -> &TickingClock {
        &self.clock
    }

    /// Returns the running daemon.
    pub fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("a daemon that runs")
    }

    /// Returns the data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Does what an operator asks for.
    #[track_caller]
    pub fn operate(&self, command: Command) -> Reply {
        let roster = self.roster();
        roster.operate(command, roster.request_id()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Makes a tenant with a connection of the profile `auto`, and returns a client of it.
    pub fn tenant(&self, name: &str) -> Client {
        self.operate(Command::TenantCreate { name: name.to_owned() });
        self.connection(name, FIRST_CONNECTION, "auto")
    }

    /// Makes a connection in a tenant that knows of what others provisioned as well, and returns a client with an IdP's scopes.
    pub fn connection(&self, tenant: &str, name: &str, profile: &str) -> Client {
        self.operate(Command::ConnectionCreate {
            tenant: tenant.to_owned(),
            name: name.to_owned(),
            profile: profile.to_owned(),
            options: ConnectionOptions { adopt: true, ..ConnectionOptions::default() },
        });
        self.issue(tenant, name, &[]).0
    }

    /// Lets the first connection know of what others provisioned as well.
    pub fn adopt(&self) {
        let change = ConnectionChange { adopt: Some(true), ..ConnectionChange::default() };
        let (tenant, name) = (FIRST_TENANT.to_owned(), FIRST_CONNECTION.to_owned());
        self.operate(Command::ConnectionSet { tenant, name, change });
    }

    /// Makes a connection of the profile `strict` in the first tenant.
    pub fn strict(&self) -> Client {
        self.connection(FIRST_TENANT, "strict", "strict")
    }

    /// Makes a token with these scopes (an IdP's when none is named); returns a client that uses it, and its id.
    pub fn issue(&self, tenant: &str, connection: &str, scopes: &[&str]) -> (Client, String) {
        let reply = self.operate(Command::TokenCreate {
            tenant: tenant.to_owned(),
            connection: connection.to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            days: Some(30),
            secret: None,
            person: None,
        });
        let Reply::Token { id, secret, .. } = reply else { panic!("{reply:?}") };
        (self.client.with(&secret), id.to_string())
    }

    /// Stops the daemon as SIGTERM does, and starts it again on the same folder. Only on a store that remembers.
    pub fn restart(&mut self) {
        self.restart_after(|_| {});
    }

    /// The same, with something done to the folder while nobody holds it.
    pub fn restart_after(&mut self, between: impl FnOnce(&Path)) {
        self.restart_with(self.config.clone(), |before, _| between(&before.data.dir));
    }

    /// Returns the settings of a file, and further ones, for the ground that is laid now.
    pub fn settings(&self, text: &str, further: &[(&str, &str)]) -> Config {
        Parts::config(self.folder.path(), further, Some(text))
    }

    /// The same with other settings afterwards, and something done to the stores of both while nobody has them.
    pub fn restart_with(&mut self, config: Config, between: impl FnOnce(&Config, &Config)) {
        assert_eq!(self.engine, Engine::Redb, "the memory store forgets");
        let before = Arc::clone(self.daemon().roster());
        self.stop();
        // What nobody waits for (a refusal on its way into the history) still holds the folder.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while Arc::strong_count(&before) > 1 {
            assert!(std::time::Instant::now() < deadline, "somebody still holds the roster");
            std::thread::yield_now();
        }
        drop(before);
        between(&self.config, &config);
        self.config = config;
        let roster = open_roster(&self.config, &self.rim).unwrap();
        let daemon = self.runtime.block_on(Daemon::start(&self.config, roster, &self.rim)).unwrap();
        self.client = Client::new(daemon.public(), self.client.token());
        self.daemon = Some(daemon);
    }

    fn stop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.drain().begin();
            self.runtime.block_on(daemon.finish());
        }
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        let Some(roster) = self.daemon.as_ref().map(|daemon| Arc::clone(daemon.roster())) else { return };
        self.stop();
        // A test that has failed says enough.
        if !std::thread::panicking() {
            world::must_be_whole(&roster);
        }
    }
}

/// What a daemon is made of.
struct Parts {
    folder: TempDir,
    config: Config,
    clock: Arc<TickingClock>,
    rim: Rim,
}

impl Parts {
    fn with(settings: &[(&str, &str)]) -> Self {
        Self::of(settings, None, "2026-03-01T08:00:00Z")
    }

    fn config(folder: &Path, settings: &[(&str, &str)], file: Option<&str>) -> Config {
        let mut sources = Sources::new(Environment::default())
            .flag("--data", "data.dir", folder.to_str().unwrap())
            .flag("--listen", "server.listen", "127.0.0.1:0")
            .flag("--admin-listen", "admin.listen", "127.0.0.1:0")
            .flag("--public-url", "server.public_url", PUBLIC_URL)
            .flag("--rate", "server.client_requests_per_s_max", "1000000");
        for (key, value) in ground::settings(folder) {
            sources = sources.flag("the ground", key, value);
        }
        for (key, value) in settings {
            sources = sources.flag("a test", key, *value);
        }
        if let Some(text) = file {
            let path = folder.join("rosterd.toml");
            std::fs::write(&path, text).unwrap();
            sources = sources.file(path);
        }
        Config::load(&sources).unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn of(settings: &[(&str, &str)], file: Option<&str>, start: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Self::config(folder.path(), settings, file);
        let clock = Arc::new(TickingClock::at(start));
        // Two on one ground must not make the same ids.
        let chance = Arc::new(SeededChance::new(ground::seed()));
        let rim =
            Rim { clock: Arc::clone(&clock) as Arc<dyn Clock>, chance, resolver: Arc::new(SystemResolver) };
        Self { folder, config, clock, rim }
    }

    fn roster(&self, engine: Engine) -> Arc<Roster> {
        match engine {
            Engine::Memory if !ground::is_laid() => roster_on(Arc::new(MemoryStore::new()), &self.rim),
            _ => open_roster(&self.config, &self.rim).unwrap(),
        }
    }

    fn start(self, engine: Engine, roster: Arc<Roster>) -> TestApp {
        let issued = bootstrap(&roster, &self.config, None).unwrap().expect("a token for an empty store");
        self.join(engine, roster, &issued.secret)
    }

    fn join(self, engine: Engine, roster: Arc<Roster>, token: &str) -> TestApp {
        let Self { folder, config, clock, rim } = self;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let daemon = runtime.block_on(Daemon::start(&config, roster, &rim)).unwrap();
        let client = Client::new(daemon.public(), token);
        TestApp { client, clock, rim, config, folder, engine, runtime, daemon: Some(daemon) }
    }
}
