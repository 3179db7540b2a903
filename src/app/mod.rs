//! The wiring: what is started in which order, and stopped in which.
//!
//! Start: the data folder is locked and the store opened; the roster stands on it; plugins are loaded; the listeners are bound ([`Doors`]); the first
//! tenant is made where there is none ([`bootstrap`]); the listeners are served, and webhooks delivered. Stop: nothing new is taken or delivered, what was begun is answered, what was only in memory is written
//! down, the store is closed. `schedules` has what is due looked at, `mapping` has plugins asked again; `measure` shows the store's figures; `vault` holds the key that seals secrets, `store` opens the store, `duty` says which of several daemons does what one has to do for all. Only this room knows all the others.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod bootstrap;
mod duty;
mod letters;
mod mapping;
mod measure;
pub mod memory;
#[cfg(feature = "plugins")]
pub mod plugins;
#[cfg(not(feature = "plugins"))]
#[path = "plugins/none.rs"]
pub mod plugins;
mod schedules;
mod settings;
pub mod sign_in;
mod store;
mod vault;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::SignedDuration;
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::chance::{Chance, SystemChance};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Webhook};
use crate::doctor::Doctor;
use crate::http::admin::archive::ArchiveDesk;
use crate::http::admin::desk::{Desks, PluginDesk, ReloadAnswer};
use crate::http::admin::endpoint::Frame;
use crate::http::body::Bodies;
use crate::http::drain::Drain;
use crate::http::edge::Edge;
use crate::http::health::{AskReadiness, Readiness};
use crate::http::inventory::Inventory;
use crate::http::layers::{Front, FrontParts};
use crate::http::limits::Limits;
use crate::http::metrics::{Door, Metrics};
use crate::http::oauth::OAuth;
use crate::http::router;
use crate::http::serve::{Listener, serve};
use crate::http::signin::local::Own;
use crate::http::signin::{Desk, Gateway};
use crate::http::tls::{Tls, TlsError};
use crate::ids::{RequestId, TenantId};
use crate::jwt::Keyring;
use crate::mail::MailServer;
use crate::net::{Client, Resolver, RootsError, SystemResolver};
use crate::outbox::{Bell, Feed, Hook, HookError, Outbox, Settings, Trial, try_out};
use crate::requests::{Requests, SecretNames};
use crate::roster::{Roster, RosterError, TOKEN_PREFIX};
use crate::signin::local::Hasher;
use crate::signin::vault::{Vault, VaultError};
use crate::store::State;
use duty::Duty;
use measure::Reloads;
pub use plugins::{Done, Plugins};
pub use settings::policies;
pub use sign_in::ProviderError;
pub use store::{StoreOpenError, compact, migrate, open_roster, open_to_fill, place, roster_on};
pub use vault::{key_path as seal_key_path, settle as settle_key};

/// How often what is only in memory (when tokens were last used) is written down.
const WRITE_DOWN_EVERY: Duration = Duration::from_mins(1);
/// How often entries of the history are looked for that have become too old for their values.
const FORGET_EVERY: Duration = Duration::from_hours(1);

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder or the store in it.
    #[error(transparent)]
    Store(#[from] StoreOpenError),
    /// The key that seals what a shared store holds.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The certificate or its key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The first tenant.
    #[error("the first tenant could not be made: {0}")]
    Bootstrap(#[from] RosterError),
    /// The roots for requests to others.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// TLS for requests to others.
    #[error("no TLS for requests to others: {0}")]
    Outbound(#[from] rustls::Error),
    /// A webhook.
    #[error(transparent)]
    Webhook(#[from] HookError),
    /// An identity provider.
    #[error(transparent)]
    IdentityProvider(#[from] ProviderError),
    /// The mail server.
    #[error("{0}")]
    Mail(String),
    /// A plugin.
    #[error(transparent)]
    Plugins(#[from] plugins::HostError),
    /// A listener.
    #[error("{key}: cannot listen on {place}: {why}; {}", remedy(why))]
    Listen {
        /// The configuration key.
        key: &'static str,
        /// The address or path.
        place: String,
        /// What the system said.
        why: std::io::Error,
    },
}

/// Says what an operator can do about a place that cannot be listened on.
fn remedy(why: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{AddrNotAvailable, InvalidInput, NotFound, PermissionDenied};
    match why.kind() {
        AddrNotAvailable => "choose an address that this machine has",
        PermissionDenied => "choose a port above 1023, or a path that the daemon's user may write",
        NotFound => "make the folder first, or choose another",
        InvalidInput => "a socket's path has 107 bytes at most; set admin.socket to a shorter one",
        _ => "choose another, or stop what is there",
    }
}

/// Clock and randomness, from the machine or from a test.
#[derive(Debug, Clone)]
pub struct Rim {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids and secrets.
    pub chance: Arc<dyn Chance>,
    /// Finds the addresses of hosts that are asked for something.
    pub resolver: Arc<dyn Resolver>,
}

impl Default for Rim {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            chance: Arc::new(SystemChance),
            resolver: Arc::new(SystemResolver),
        }
    }
}

/// Delivers one event that is about nothing to a webhook, from this process.
pub async fn try_webhook(config: &Config, hook: &Webhook, rim: &Rim) -> Result<Trial, StartError> {
    let client = Client::new(settings::deliveries(config)?, Arc::clone(&rim.resolver))?;
    let now = rim.clock.now();
    let request = RequestId::new(rim.chance.uuid(now));
    Ok(try_out(&client, &Hook::read(hook)?, request, now).await)
}

/// The listeners, bound and not served yet: whoever connects waits.
#[derive(Debug)]
pub struct Doors {
    tls: Option<Arc<Tls>>,
    public: (Listener, SocketAddr),
    admin: (Listener, SocketAddr),
    socket: Listener,
    oauth: OAuth,
    desk: Desk,
    deliveries: Client,
    webhooks: Settings,
    mail: Option<MailServer>,
}

impl Doors {
    /// Reads the certificate and binds what the configuration names. The data folder must be ours: the socket may lie in it.
    pub async fn open(config: &Config, rim: &Rim) -> Result<Self, StartError> {
        let client = Client::new(settings::outbound(config)?, Arc::clone(&rim.resolver))?;
        let keyring = Keyring::new(client, Arc::clone(&rim.chance));
        let oauth = OAuth::new(keyring, config.tokens.access_lifetime_minutes);
        let deliveries = Client::new(settings::deliveries(config)?, Arc::clone(&rim.resolver))?;
        let webhooks = settings::webhooks(config)?;
        let mail = settings::mail(config, rim)?;
        let tls = settings::tls_files(config).map(|files| Tls::load(&files)).transpose()?;
        let public = bind("server.listen", config.server.listen).await?;
        let public_url = config.server.origin(&config.tls, public.1).to_string();
        let offer = sign_in::offer(config, &public_url)?;
        let client = Client::new(settings::outbound(config)?, Arc::clone(&rim.resolver))?;
        let desk = Desk::new(client, public_url, Arc::clone(&rim.chance), Arc::clone(&rim.clock));
        desk.set(offer);
        let admin = bind("admin.listen", config.admin.listen).await?;
        let path = config.admin.socket_path(&config.data);
        let place = path.display().to_string();
        let socket = Listener::unix(&path).await.map_err(|why| StartError::Listen {
            key: "admin.socket",
            place,
            why,
        })?;
        Ok(Self { tls, public, admin, socket, oauth, desk, deliveries, webhooks, mail })
    }
}

/// A daemon that is serving.
#[derive(Debug)]
pub struct Daemon {
    public: SocketAddr,
    admin: SocketAddr,
    socket: PathBuf,
    base_url: String,
    roster: Arc<Roster>,
    reloader: Reloader,
    drain: Drain,
    listeners: JoinSet<()>,
    /// How long the history keeps values; `None` for ever.
    keeps: Option<SignedDuration>,
    ordered: Option<mpsc::Receiver<ReloadAnswer>>,
    vault: Arc<Vault>,
    duty: Duty,
}

impl Daemon {
    /// Binds the listeners and serves the roster until the drain begins.
    pub async fn start(config: &Config, roster: Arc<Roster>, rim: &Rim) -> Result<Self, StartError> {
        vault::settle(config, &roster, rim)?;
        let plugins = Plugins::load(config, &roster, rim)?;
        Ok(Self::behind(Doors::open(config, rim).await?, config, roster, plugins, rim))
    }

    /// Serves the roster behind doors that are open already, until the drain begins. Within a runtime.
    pub fn behind(doors: Doors, config: &Config, roster: Arc<Roster>, plugins: Plugins, rim: &Rim) -> Self {
        let Doors { tls, public: (public, public_at), admin: (admin, admin_at), socket: unix, oauth, .. } =
            doors;
        let (desk, deliveries, webhooks) = (doors.desk, doors.deliveries, doors.webhooks);
        let public_url = desk.public_url.clone();
        let limits = settings::limits(config);
        let socket = config.admin.socket_path(&config.data);
        let drain = Drain::new();
        let base_url = config.server.base_url(&config.tls, public_at);
        let base_path: Arc<str> = config.server.base_path.as_str().into();
        let bell = Arc::new(Bell::default());
        let rung = Arc::clone(&bell);
        roster.watch(Arc::new(move |tenant, seq| rung.ring(tenant, seq)));
        let times = (Arc::clone(&rim.clock), Arc::clone(&rim.chance));
        let (kept, rings) = (Arc::clone(&roster), Arc::clone(&bell));
        let outbox = Arc::new(Outbox::new(kept, rings, deliveries, times, base_url.clone()));
        let feed = Arc::new(Feed::new(Arc::clone(&roster), bell, base_url.clone()));
        let mut registry = Registry::default();
        let reloads = measure::register(&mut registry, Arc::clone(&roster), Arc::clone(&outbox));
        plugins.register(&mut registry);
        let (orders, ordered) = mpsc::channel(1);
        let shown = plugins.clone();
        let list = move || serde_json::to_value(shown.views()).unwrap_or_default();
        let plugin_desk = PluginDesk { list: Arc::new(list), reload: orders };
        let metrics = Metrics::new(Inventory::new(&router::templates()), registry);
        let bodies = Bodies::new(&limits);
        let admin_limits = Arc::new(ArcSwap::from_pointee(settings::admin_limits(config)));
        let socket_limits = Arc::new(ArcSwap::from_pointee(settings::socket_limits(config)));
        let limits = Arc::new(ArcSwap::from_pointee(limits));
        let vault = vault::vault(config, &roster, rim);
        match Hasher::new(Arc::clone(&rim.chance)) {
            Ok(hasher) => desk.bring(Own::new(hasher, Arc::clone(&vault), config.mail.is_on())),
            Err(error) => tracing::error!(%error, "nobody can sign in by the firm's own means"),
        }
        let edge = Edge::new(
            Arc::clone(&roster),
            base_url.clone(),
            settings::body_sizes(config),
            bodies.clone(),
            oauth,
            desk,
            Gateway::new(Arc::clone(&vault), Arc::clone(&rim.chance)),
        );
        let forgets = edge.gateway().forgets();
        let system = AtomicU64::new(0);
        roster.watch(Arc::new(move |tenant, seq| {
            // Among what has a number there is that another key signs.
            if tenant == TenantId::SYSTEM && system.swap(seq.0, Ordering::AcqRel) != seq.0 {
                forgets();
            }
        }));
        let ready = readiness(&roster);
        let names = SecretNames::of(roster.kinds(), TOKEN_PREFIX);
        let requests = Arc::new(Requests::new(rim.clock.now(), names));
        let front = |router, door, limits: &Arc<ArcSwap<Limits>>| {
            Front::new(FrontParts {
                router,
                door,
                limits: Arc::clone(limits),
                metrics: Arc::clone(&metrics),
                bodies: bodies.clone(),
                chance: Arc::clone(&rim.chance),
                clock: Arc::clone(&rim.clock),
                drain: drain.clone(),
                base_path: Arc::clone(&base_path),
                requests: (door == Door::Public).then(|| Arc::clone(&requests)),
            })
        };
        let mut public_router = router::public(edge.clone(), Arc::clone(&ready), drain.clone());
        let doctor = Arc::new(Doctor::new(Arc::clone(&roster), Arc::clone(&requests), base_url.clone()));
        let frame = Frame::new(edge.clone(), doctor, feed, drain.clone(), settings::admission(config));
        if config.admin.by_session {
            tracing::info!("administrators who are signed in reach /admin/v1 on the public listener");
            public_router = public_router.merge(router::by_session(frame.clone()));
        }
        let admin_router = router::admin_listener(frame.clone(), Arc::clone(&metrics), Arc::clone(&ready));
        let desks = Desks { plugins: plugin_desk, archive: ArchiveDesk::new(config.store.engine.name()) };
        let socket_router = router::admin_socket(frame, desks, Arc::clone(&metrics), ready);
        settings::hold_policies(&roster, config);
        let duty = duty::begin(&roster, config, rim, drain.clone());
        // Before anything is let in that they are to be told of.
        outbox.on_duty(duty.is_ours());
        outbox.set(webhooks);
        outbox.keep_reactors();
        let mut listeners = JoinSet::new();
        listeners.spawn(serve(public, front(public_router, Door::Public, &limits), tls.clone()));
        listeners.spawn(serve(admin, front(admin_router, Door::Admin, &admin_limits), None));
        listeners.spawn(serve(unix, front(socket_router, Door::Socket, &socket_limits), None));
        if let Some(server) = doors.mail {
            let bell = Arc::new(Notify::new());
            let rung = Arc::clone(&bell);
            roster.watch(Arc::new(move |_, _| rung.notify_one()));
            let post = letters::Post {
                roster: Arc::clone(&roster),
                vault: Arc::clone(&vault),
                server,
                public_url,
                attempts_max: config.mail.attempts_max,
                bell,
            };
            listeners.spawn(post.keep(drain.clone(), duty.clone()));
        }
        listeners.spawn(deliver_on_duty(Arc::clone(&outbox), duty.clone(), drain.clone()));
        let (stopping, drained) = (Arc::clone(&outbox), drain.clone());
        // What is committed from then on is delivered by the next process.
        listeners.spawn(async move {
            drained.begun().await;
            stopping.begin_stop();
        });
        listeners.spawn(mapping::tell(Arc::clone(&outbox), drain.clone()));
        let reloader = Reloader {
            tls,
            limits,
            edge,
            metrics,
            outbox,
            reloads,
            roster: Arc::clone(&roster),
            plugins,
            rim: rim.clone(),
        };
        reloader.show_certificate();
        let keeps = settings::keeps(config);
        Self {
            public: public_at,
            admin: admin_at,
            socket,
            base_url,
            roster,
            reloader,
            drain,
            listeners,
            keeps,
            ordered: Some(ordered),
            vault,
            duty,
        }
    }

    /// Returns where a reload is ordered over the admin socket. Once: whoever has it carries the reloads out.
    pub const fn take_ordered(&mut self) -> Option<mpsc::Receiver<ReloadAnswer>> {
        self.ordered.take()
    }

    /// Returns the address of the public listener, with the port that the system chose.
    pub const fn public(&self) -> SocketAddr {
        self.public
    }

    /// Returns the address of the admin listener.
    pub const fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Returns the path of the admin socket.
    pub fn socket(&self) -> &std::path::Path {
        &self.socket
    }

    /// Returns the URL that an IdP is given.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Returns what programs downstream are told by.
    pub fn gateway(&self) -> &Gateway {
        self.reloader.edge.gateway()
    }

    /// Says how many passwords were hashed or tried.
    pub fn hashes(&self) -> u64 {
        self.reloader.edge.desk().own().map_or(0, |own| own.hasher.count())
    }

    /// Returns what seals secrets.
    pub const fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// Returns the roster that is served.
    pub const fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// Returns what begins the stop.
    pub const fn drain(&self) -> &Drain {
        &self.drain
    }

    /// Returns what carries out a reload.
    pub const fn reloader(&self) -> &Reloader {
        &self.reloader
    }

    /// Serves until the drain has begun and every begun request is answered, then writes down what was only in memory.
    pub async fn finish(mut self) {
        let mut tick = interval(WRITE_DOWN_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hour = interval(FORGET_EVERY);
        hour.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let schedules =
            tokio::spawn(schedules::keep(Arc::clone(&self.roster), self.drain.clone(), self.duty.clone()));
        let mapping =
            tokio::spawn(mapping::keep(Arc::clone(&self.roster), self.drain.clone(), self.duty.clone()));
        loop {
            tokio::select! {
                ended = self.listeners.join_next() => if ended.is_none() { break },
                _ = tick.tick() => {
                    self.reloader.plugins.sweep();
                    self.write_down().await;
                }
                _ = hour.tick() => {
                    self.forget();
                    // At the start as well: the first tick comes at once.
                    tokio::spawn(sign_in::keep_fresh(self.reloader.edge.clone()));
                }
            }
        }
        self.reloader.outbox.stop().await;
        if schedules.await.is_err() {
            tracing::error!("the task that looks at schedules failed");
        }
        if mapping.await.is_err() {
            tracing::error!("the task that has plugins asked again failed");
        }
        self.write_down().await;
    }

    /// Erases what the history has kept long enough. Nobody waits for it: it may take a while, and goes on where it was broken off.
    fn forget(&self) {
        let Some(keeps) = self.keeps else { return };
        let roster = Arc::clone(&self.roster);
        tokio::task::spawn_blocking(move || {
            let Ok(before) = roster.current_time().checked_sub(keeps) else { return };
            match roster.forget_values_before(before, roster.request_id()) {
                Ok(0) => {}
                Ok(entries) => tracing::info!(entries, "values of old entries of the history were erased"),
                Err(error) => {
                    tracing::error!(%error, "values of old entries of the history could not be erased");
                }
            }
        });
    }

    async fn write_down(&self) {
        let roster = Arc::clone(&self.roster);
        let edge = self.reloader.edge.clone();
        let written = tokio::task::spawn_blocking(move || {
            roster.write_down_token_use();
            if let Err(error) = edge.gateway().keep_keys(&roster) {
                tracing::error!(%error, "the keys that sign for programs downstream could not be looked at");
            }
        });
        if written.await.is_err() {
            tracing::error!("writing down when tokens were last used failed");
        }
    }
}

/// Carries out a reload in a daemon that is serving.
#[derive(Debug, Clone)]
pub struct Reloader {
    tls: Option<Arc<Tls>>,
    limits: Arc<ArcSwap<Limits>>,
    edge: Edge,
    metrics: Arc<Metrics>,
    outbox: Arc<Outbox>,
    reloads: Reloads,
    roster: Arc<Roster>,
    plugins: Plugins,
    rim: Rim,
}

impl Reloader {
    /// Takes over what may change without a restart. Certificate and key, and the secrets of webhooks, are read again in any case; what is
    /// broken keeps the old ones (R32), and then nothing else is taken over either (R28). So are plugins (R31). Says what became of those.
    ///
    /// May compile: not on a thread that others wait for.
    pub fn apply(&self, config: &Config) -> Result<Done, StartError> {
        let read = || {
            let webhooks = settings::webhooks(config)?;
            let offer = sign_in::offer(config, &self.edge.desk().public_url)?;
            let prepared = self.plugins.prepare(config)?;
            if let (Some(tls), Some(files)) = (&self.tls, settings::tls_files(config)) {
                tls.reload(&files)?;
            }
            Ok((webhooks, offer, prepared))
        };
        let (webhooks, offer, prepared) = read().inspect_err(|_: &StartError| self.failed())?;
        self.outbox.set(webhooks);
        self.edge.desk().set(offer);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(sign_in::keep_fresh(self.edge.clone()));
        }
        self.limits.store(Arc::new(settings::limits(config)));
        self.edge.set_body_sizes(settings::body_sizes(config));
        settings::hold_policies(&self.roster, config);
        self.edge.oauth().set_lifetime_minutes(config.tokens.access_lifetime_minutes);
        self.show_certificate();
        let done = self.plugins.take_over(prepared);
        self.reloads.done.inc();
        Ok(done)
    }

    /// Counts a reload that was refused.
    pub fn failed(&self) {
        self.reloads.failed.inc();
    }

    fn show_certificate(&self) {
        if let Some(tls) = &self.tls {
            self.metrics.tls_days_to_expiry(tls.days_to_expiry(self.rim.clock.now()));
        }
    }
}

/// Delivers while that is this daemon's duty, until it stops.
async fn deliver_on_duty(outbox: Arc<Outbox>, mut duty: Duty, drain: Drain) {
    loop {
        tokio::select! {
            () = drain.begun() => return,
            ours = duty.changed() => outbox.on_duty(ours),
        }
    }
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<(Listener, SocketAddr), StartError> {
    let failed = |why| StartError::Listen { key, place: address.to_string(), why };
    let listener = Listener::tcp(address).await.map_err(failed)?;
    let bound = listener.address().unwrap_or(address);
    Ok((listener, bound))
}

fn readiness(roster: &Arc<Roster>) -> AskReadiness {
    let roster = Arc::clone(roster);
    Arc::new(move || match roster.store().health().state {
        State::Ready => Readiness::Ready,
        State::Poisoned => Readiness::NotReady("store poisoned"),
        State::Full => Readiness::NotReady("disk full"),
    })
}
