//! Where keys come from, and how often they are asked for (R30, X50).
//!
//! A set is fetched from the configured place alone, remembered, and fetched anew after a while or when a token names a key that it
//! lacks: one request under way for each source, a second apart after a burst of two, later and later while it fails. A name that was looked
//! for in vain is remembered for a minute. While the place does not answer, the old set stays good for a day.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use super::algorithm::Algorithm;
use super::keys::{Key, KeySet, SET_BYTES_MAX};
use crate::chance::Chance;
use crate::net::{Client, HttpsUrl};

/// After how long a set is fetched anew.
const FRESH: Duration = Duration::from_mins(15);
/// How long a set stays good while it cannot be fetched.
const STALE_MAX: Duration = Duration::from_hours(24);
/// How long the name of a key that is not there is remembered.
const UNKNOWN: Duration = Duration::from_mins(1);
/// Names that are remembered for each source; beyond, the memory begins anew.
const UNKNOWN_MAX: usize = 1000;
/// Between two requests to one source.
const SPACING: Duration = Duration::from_secs(1);
/// Requests that may be made without that.
const BURST: u32 = 2;
/// Longest wait after requests that failed.
const BACKOFF_MAX: Duration = Duration::from_mins(5);
/// Sources that are remembered; beyond, the memory begins anew.
const SOURCES_MAX: usize = 1000;

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// At this URL.
    Keys(String),
    /// Where the issuer's own metadata says (OpenID Connect Discovery §4).
    Issuer(String),
}

/// The keys of all issuers. One for the whole daemon.
#[derive(Debug)]
pub struct Keyring {
    client: Client,
    chance: Arc<dyn Chance>,
    shelves: Mutex<HashMap<Source, Arc<Shelf>>>,
}

/// The keys of one issuer.
#[derive(Debug, Default)]
struct Shelf {
    state: Mutex<State>,
    flight: tokio::sync::Mutex<()>,
}

impl Keyring {
    /// Starts with no keys.
    pub fn new(client: Client, chance: Arc<dyn Chance>) -> Self {
        Self { client, chance, shelves: Mutex::default() }
    }

    /// Finds the key by which a token says it was signed; `None` when the source has no such key, or cannot be asked.
    pub async fn find(&self, source: &Source, kid: Option<&str>, algorithm: Algorithm) -> Option<Key> {
        let shelf = self.shelf(source);
        if let Look::Known(key) = shelf.look(kid, algorithm, false) {
            return key;
        }
        let _flight = shelf.flight.lock().await;
        // Whoever flew before may have brought it.
        if let Look::Known(key) = shelf.look(kid, algorithm, true) {
            return key;
        }
        match self.fetch(source).await {
            Ok(keys) => shelf.change(|state| state.landed(keys, Instant::now())),
            Err(why) => {
                tracing::warn!(reason = %why, "the keys of an issuer could not be fetched");
                let jitter = self.jitter();
                shelf.change(|state| state.failed(jitter, Instant::now()));
            }
        }
        shelf.change(|state| state.settle(kid, algorithm, Instant::now()))
    }

    fn shelf(&self, source: &Source) -> Arc<Shelf> {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        if shelves.len() >= SOURCES_MAX && !shelves.contains_key(source) {
            shelves.clear();
        }
        Arc::clone(shelves.entry(source.clone()).or_default())
    }

    async fn fetch(&self, source: &Source) -> Result<KeySet, String> {
        let url = match source {
            Source::Keys(url) => url.clone(),
            Source::Issuer(issuer) => self.discover(issuer).await?,
        };
        let url = HttpsUrl::parse(&url).map_err(|error| error.to_string())?;
        let bytes = self.client.get(&url, SET_BYTES_MAX).await.map_err(|error| error.to_string())?;
        KeySet::parse(&bytes).map_err(|error| error.to_string())
    }

    /// Asks the issuer's metadata for the place of its keys. The metadata must be the issuer's own.
    async fn discover(&self, issuer: &str) -> Result<String, String> {
        #[derive(Deserialize)]
        struct Metadata {
            issuer: String,
            jwks_uri: String,
        }
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let url = HttpsUrl::parse(&url).map_err(|error| error.to_string())?;
        let bytes = self.client.get(&url, SET_BYTES_MAX).await.map_err(|error| error.to_string())?;
        let metadata: Metadata = serde_json::from_slice(&bytes)
            .map_err(|_| "expected metadata with issuer and jwks_uri".to_owned())?;
        if metadata.issuer != issuer {
            return Err("the metadata is another issuer's".to_owned());
        }
        Ok(metadata.jwks_uri)
    }

    /// Returns a number between 0 and 255, so that daemons which lost the same issuer do not come back together.
    fn jitter(&self) -> u32 {
        let mut byte = [0];
        self.chance.fill(&mut byte);
        u32::from(byte[0])
    }
}

impl Shelf {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn look(&self, kid: Option<&str>, algorithm: Algorithm, take: bool) -> Look {
        self.change(|state| state.look(kid, algorithm, take, Instant::now()))
    }
}

/// What a look at a shelf tells.
#[derive(Debug)]
enum Look {
    /// What is known holds: this key, or none.
    Known(Option<Key>),
    /// The source should be asked.
    Ask,
}

/// What is known of one source. Pure: the moment is an argument.
#[derive(Debug, Default)]
struct State {
    keys: KeySet,
    landed: Option<Instant>,
    unknown: HashMap<String, Instant>,
    failures: u32,
    /// Until when nobody asks, after failures.
    rest: Option<Instant>,
    /// Requests that may be made now, and since when that is so.
    tokens: Option<(u32, Instant)>,
}

impl State {
    /// Looks for a key. With `take`, an answer of [`Look::Ask`] uses up one of the requests that may be made.
    fn look(&mut self, kid: Option<&str>, algorithm: Algorithm, take: bool, now: Instant) -> Look {
        let age = self.landed.map(|landed| now.saturating_duration_since(landed));
        let found = match age {
            Some(age) if age <= STALE_MAX => self.keys.find(kid, algorithm).cloned(),
            _ => None,
        };
        let fresh = age.is_some_and(|age| age <= FRESH);
        if fresh && (found.is_some() || self.is_unknown(kid, now)) {
            return Look::Known(found);
        }
        if !self.may_ask(take, now) {
            return Look::Known(found);
        }
        Look::Ask
    }

    /// Looks for a key after the source was asked, and remembers where it is not there.
    fn settle(&mut self, kid: Option<&str>, algorithm: Algorithm, now: Instant) -> Option<Key> {
        let age = self.landed.map(|landed| now.saturating_duration_since(landed))?;
        if age > STALE_MAX {
            return None;
        }
        let found = self.keys.find(kid, algorithm).cloned();
        if let (None, Some(kid), 0) = (&found, kid, self.failures) {
            if self.unknown.len() >= UNKNOWN_MAX {
                self.unknown.clear();
            }
            self.unknown.insert(kid.to_owned(), now);
        }
        found
    }

    fn landed(&mut self, keys: KeySet, now: Instant) {
        *self = Self {
            keys,
            landed: Some(now),
            tokens: self.tokens,
            unknown: std::mem::take(&mut self.unknown),
            ..Self::default()
        };
    }

    fn failed(&mut self, jitter: u32, now: Instant) {
        let doubled = SPACING.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let wait = doubled.min(BACKOFF_MAX);
        // Between the whole and half as much again.
        let wait = wait.saturating_add(wait.saturating_mul(jitter) / 512);
        self.failures = self.failures.saturating_add(1).min(16);
        self.rest = now.checked_add(wait);
    }

    fn is_unknown(&self, kid: Option<&str>, now: Instant) -> bool {
        // A token without a name asks for nothing that another set would have.
        kid.is_none_or(|kid| {
            self.unknown.get(kid).is_some_and(|since| now.saturating_duration_since(*since) < UNKNOWN)
        })
    }

    fn may_ask(&mut self, take: bool, now: Instant) -> bool {
        if self.rest.is_some_and(|rest| now < rest) {
            return false;
        }
        let (left, since) = self.tokens.unwrap_or((BURST, now));
        let earned = u32::try_from(now.saturating_duration_since(since).as_secs()).unwrap_or(u32::MAX);
        let (left, since) = if left.saturating_add(earned) >= BURST {
            (BURST, now)
        } else {
            (left.saturating_add(earned), since.checked_add(SPACING.saturating_mul(earned)).unwrap_or(now))
        };
        self.tokens = Some((left.saturating_sub(u32::from(take && left > 0)), since));
        left > 0
    }
}
