//! What the tests of sign-in stand on: a provider, a relying party that may speak to it, and a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rosterd::chance::{Chance, SystemChance};
use rosterd::config::Permit;
use rosterd::jwt::Keyring;
use rosterd::net::{AT_ONCE_MAX, Client, Options, Resolver};
use rosterd::signin::rp::{
    Ask, Authentication, Callback, Demand, Provider, Refusal, RelyingParty, ReturnTo, Secret, Settings,
    Started, TokenFlaw, Verified,
};
use rustls::pki_types::CertificateDer;
use tokio::runtime::Runtime;

use super::op::{CLIENT, Op, SECRET};
use crate::support::issuer::HOST;

/// Where the provider sends browsers back to.
pub const REDIRECT: &str = "https://rosterd.test/sso/op/callback";

/// The moment of all tests.
pub fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// So many seconds later.
pub fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

/// A relying party that may speak to this port of the test's host.
pub fn party(
    port: u16,
    root: CertificateDer<'static>,
    names: Arc<dyn Resolver>,
    change: impl FnOnce(Options) -> Options,
) -> Arc<RelyingParty> {
    let options = change(Options {
        allow: vec![Permit::parse(&format!("{HOST}:{port}")).unwrap()],
        connect: Duration::from_secs(5),
        total: Duration::from_secs(10),
        roots: vec![root],
        at_once_max: AT_ONCE_MAX,
    });
    let client = Arc::new(Client::new(options, names).unwrap());
    let chance: Arc<dyn Chance> = Arc::new(SystemChance);
    let keyring = Arc::new(Keyring::new(Arc::clone(&client), Arc::clone(&chance)));
    Arc::new(RelyingParty::new(client, keyring, chance))
}

/// A provider and a relying party.
pub struct World {
    pub op: Op,
    pub rp: Arc<RelyingParty>,
    pub chance: SystemChance,
    pub runtime: Runtime,
}

impl World {
    pub fn start() -> Self {
        Self::with(Op::start(), |options| options)
    }

    /// With other ways to reach the world.
    pub fn with(op: Op, change: impl FnOnce(Options) -> Options) -> Self {
        let names = Arc::clone(&op.server.names) as Arc<dyn Resolver>;
        let rp = party(op.server.port(), op.server.root(), names, change);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { op, rp, chance: SystemChance, runtime }
    }

    /// The settings of the provider, with the secret in the field.
    pub fn settings(&self) -> Settings {
        let secret = Authentication::SecretBasic(Secret::new(SECRET.to_owned()));
        Settings::new("op", &self.op.issuer(), CLIENT, secret, REDIRECT)
    }

    pub fn provider(&self) -> Provider {
        self.provider_with(|_| ())
    }

    pub fn provider_with(&self, change: impl FnOnce(&mut Settings)) -> Provider {
        let mut settings = self.settings();
        change(&mut settings);
        Provider::parse(settings).unwrap()
    }

    pub fn begin(&self, provider: &Provider) -> Result<Started, Refusal> {
        self.begin_with(provider, Demand::default())
    }

    pub fn begin_with(&self, provider: &Provider, demand: Demand) -> Result<Started, Refusal> {
        let return_to = ReturnTo::parse("/people?sort=name", &[]).unwrap();
        let ask = Ask { demand, ..Ask::plain(return_to) };
        self.runtime.block_on(self.rp.begin(provider, ask, &self.chance, now()))
    }

    /// Finishes with what the browser brings back.
    pub fn finish(&self, provider: &Provider, started: &Started, brought: &str) -> Result<Verified, Refusal> {
        self.finish_at(provider, started, brought, now())
    }

    pub fn finish_at(
        &self,
        provider: &Provider,
        started: &Started,
        brought: &str,
        at: Timestamp,
    ) -> Result<Verified, Refusal> {
        let callback = Callback::parse(brought.as_bytes())?;
        self.runtime.block_on(self.rp.finish(provider, started.pending.clone(), &callback, at))
    }

    /// Signs in, all the way.
    pub fn sign_in(&self, provider: &Provider) -> Result<Verified, Refusal> {
        self.sign_in_with(provider, Demand::default())
    }

    pub fn sign_in_with(&self, provider: &Provider, demand: Demand) -> Result<Verified, Refusal> {
        let started = self.begin_with(provider, demand)?;
        let brought = self.op.authorize(&started.url);
        self.finish(provider, &started, &brought)
    }

    /// Signs in, and says what was wrong with the ID token.
    #[track_caller]
    pub fn flaw(&self) -> TokenFlaw {
        match self.sign_in(&self.provider()) {
            Err(Refusal::IdToken(flaw)) => flaw,
            other => panic!("{other:?}"),
        }
    }
}
