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
use super::keys::{Key, KeySet, Missing, SET_BYTES_MAX};
use crate::chance::Chance;
use crate::net::{Client, HttpsUrl, Pace};

/// After how long a set is fetched anew.
const FRESH: Duration = Duration::from_mins(15);
/// How long a set stays good while it cannot be fetched.
const STALE_MAX: Duration = Duration::from_hours(24);
/// How long the name of a key that is not there is remembered.
const UNKNOWN: Duration = Duration::from_mins(1);
/// Names that are remembered for each source; beyond, the memory begins anew.
const UNKNOWN_MAX: usize = 1000;
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
    client: Arc<Client>,
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
    pub fn new(client: impl Into<Arc<Client>>, chance: Arc<dyn Chance>) -> Self {
        Self { client: client.into(), chance, shelves: Mutex::default() }
    }

    /// Makes one that reaches nobody, for tests that ask for no key.
    #[cfg(test)]
    pub fn that_reaches_nobody(chance: Arc<dyn Chance>) -> Self {
        let (connect, total) = (Duration::ZERO, Duration::ZERO);
        let options = crate::net::Options { allow: vec![], connect, total, roots: vec![], at_once_max: 16 };
        Self::new(Client::new(options, Arc::new(crate::net::SystemResolver)).unwrap(), chance)
    }

    /// Finds the key by which a token says it was signed; `None` when the source has no such key, or cannot be asked.
    pub async fn find(&self, source: &Source, kid: Option<&str>, algorithm: Algorithm) -> Option<Key> {
        self.seek(source, kid, algorithm).await.ok()
    }

    /// Finds the key by which a token says it was signed, or says why there is none.
    pub async fn seek(
        &self,
        source: &Source,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Key, Missing> {
        let shelf = self.shelf(source);
        if let Look::Known(key) = shelf.look(kid, algorithm, false) {
            return key;
        }
        let _flight = shelf.flight.lock().await;
        // Whoever flew before may have brought it.
        if let Look::Known(key) = shelf.look(kid, algorithm, true) {
            return key;
        }
        self.bring(source, &shelf).await;
        shelf.change(|state| state.settle(kid, algorithm, Instant::now()))
    }

    /// Fetches a source's keys when they are no longer fresh, so that whoever needs one does not wait for that.
    pub async fn keep_fresh(&self, source: &Source) {
        let shelf = self.shelf(source);
        let _flight = shelf.flight.lock().await;
        if shelf.change(|state| state.is_due(Instant::now())) {
            self.bring(source, &shelf).await;
        }
    }

    /// Fetches a source's keys. Whoever calls holds the flight.
    async fn bring(&self, source: &Source, shelf: &Shelf) {
        match self.fetch(source).await {
            Ok(keys) => shelf.change(|state| state.landed(keys, Instant::now())),
            Err(why) => {
                tracing::warn!(reason = %why, "the keys of an issuer could not be fetched");
                let jitter = self.jitter();
                shelf.change(|state| state.failed(jitter, Instant::now()));
            }
        }
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
    fn jitter(&self) -> u8 {
        let mut byte = [0];
        self.chance.fill(&mut byte);
        byte[0]
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
    Known(Result<Key, Missing>),
    /// The source should be asked.
    Ask,
}

/// What is known of one source. Pure: the moment is an argument.
#[derive(Debug, Default)]
struct State {
    keys: KeySet,
    landed: Option<Instant>,
    unknown: HashMap<String, Instant>,
    pace: Pace,
}

impl State {
    /// Looks for a key. With `take`, an answer of [`Look::Ask`] uses up one of the requests that may be made.
    fn look(&mut self, kid: Option<&str>, algorithm: Algorithm, take: bool, now: Instant) -> Look {
        let found = self.known(kid, algorithm, now);
        if self.is_fresh(now) && (found.is_ok() || self.is_unknown(kid, now)) {
            return Look::Known(found);
        }
        if !self.pace.may_ask(take, now) {
            return Look::Known(found);
        }
        Look::Ask
    }

    /// Looks for a key after the source was asked, and remembers where it is not there.
    fn settle(&mut self, kid: Option<&str>, algorithm: Algorithm, now: Instant) -> Result<Key, Missing> {
        let found = self.known(kid, algorithm, now);
        if let (Err(Missing::Unknown), Some(kid), false) = (&found, kid, self.pace.is_failing()) {
            if self.unknown.len() >= UNKNOWN_MAX {
                self.unknown.clear();
            }
            self.unknown.insert(kid.to_owned(), now);
        }
        found
    }

    fn landed(&mut self, keys: KeySet, now: Instant) {
        (self.keys, self.landed) = (keys, Some(now));
        self.pace.succeeded();
    }

    fn failed(&mut self, jitter: u8, now: Instant) {
        self.pace.failed(jitter, now);
    }

    fn age(&self, now: Instant) -> Option<Duration> {
        self.landed.map(|landed| now.saturating_duration_since(landed))
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.age(now).is_some_and(|age| age <= FRESH)
    }

    /// Tells whether the set should be fetched though nobody looks for a key, and takes a request for that.
    fn is_due(&mut self, now: Instant) -> bool {
        !self.is_fresh(now) && self.pace.may_ask(true, now)
    }

    /// Looks for a key in what is remembered.
    fn known(&self, kid: Option<&str>, algorithm: Algorithm, now: Instant) -> Result<Key, Missing> {
        match self.age(now) {
            Some(age) if age <= STALE_MAX => self.keys.find(kid, algorithm).cloned(),
            _ => Err(Missing::Unreachable),
        }
    }

    fn is_unknown(&self, kid: Option<&str>, now: Instant) -> bool {
        // A token without a name asks for nothing that another set would have.
        kid.is_none_or(|kid| {
            self.unknown.get(kid).is_some_and(|since| now.saturating_duration_since(*since) < UNKNOWN)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALG: Algorithm = Algorithm::Rs256;

    fn set(names: &[&str]) -> KeySet {
        let n = format!("{}w", "_".repeat(341));
        let keys: Vec<_> =
            names.iter().map(|kid| json!({ "kty": "RSA", "kid": kid, "n": n, "e": "AQAB" })).collect();
        let set = KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
        assert_eq!(set.len(), names.len());
        set
    }

    fn second(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// Says whether the source would be asked, and asks.
    fn asks(state: &mut State, kid: &str, now: Instant) -> bool {
        matches!(state.look(Some(kid), ALG, true, now), Look::Ask)
    }

    fn finds(state: &mut State, kid: &str, now: Instant) -> bool {
        matches!(state.look(Some(kid), ALG, false, now), Look::Known(Ok(_)))
    }

    #[test]
    fn x50_a_key_that_is_known_is_not_asked_for_and_one_that_is_not_is_remembered_for_a_minute() {
        let (mut state, start) = (State::default(), Instant::now());
        assert!(asks(&mut state, "a", start));
        state.landed(set(&["a"]), start);
        assert!(finds(&mut state, "a", start + second(10)));
        assert!(asks(&mut state, "b", start + second(10)));
        state.landed(set(&["a"]), start + second(10));
        assert!(state.settle(Some("b"), ALG, start + second(10)).is_err());
        assert!(!asks(&mut state, "b", start + second(69)), "it was looked for in vain");
        assert!(asks(&mut state, "b", start + second(70)));
        state.landed(set(&["a", "b"]), start + second(70));
        assert!(state.settle(Some("b"), ALG, start + second(70)).is_ok());
        // A token without a name asks for nothing new.
        assert!(matches!(
            state.look(None, ALG, true, start + second(71)),
            Look::Known(Err(Missing::Ambiguous))
        ));
    }

    #[test]
    fn x50_two_requests_at_once_and_then_one_a_second() {
        let (mut state, start) = (State::default(), Instant::now());
        state.landed(set(&["a"]), start);
        let count = |state: &mut State, now| {
            (0..10).filter(|number| asks(state, &format!("junk{number}"), now)).count()
        };
        assert_eq!(count(&mut state, start), 2);
        assert_eq!(count(&mut state, start + Duration::from_millis(900)), 0);
        assert_eq!(count(&mut state, start + Duration::from_millis(1100)), 1);
        assert_eq!(count(&mut state, start + Duration::from_millis(1900)), 0);
        assert_eq!(count(&mut state, start + second(2)), 1);
        assert_eq!(count(&mut state, start + second(600)), 2);
    }

    #[test]
    fn r30_x50_while_the_issuer_is_away_its_old_keys_are_good_for_a_day_and_it_is_asked_ever_more_seldom() {
        let (mut state, start) = (State::default(), Instant::now());
        state.landed(set(&["a"]), start);
        let (mut now, mut asked) = (start, 0);
        while now < start + Duration::from_hours(23) {
            now += second(1);
            if asks(&mut state, "a", now) {
                asked += 1;
                state.failed(0, now);
            }
            assert!(state.settle(Some("a"), ALG, now).is_ok());
        }
        assert!((100..400).contains(&asked), "{asked} in a day of {} minutes", 23 * 60);
        // A name that is not there is not remembered as such while nobody can tell.
        assert!(state.settle(Some("b"), ALG, now).is_err() && state.unknown.is_empty());
        let late = start + STALE_MAX + second(1);
        assert!(!finds(&mut state, "a", late) && state.settle(Some("a"), ALG, late).is_err());
        state.landed(set(&["a"]), late);
        assert!(finds(&mut state, "a", late));
    }

    #[test]
    fn x50_what_is_remembered_of_junk_is_bounded() {
        let (mut state, start) = (State::default(), Instant::now());
        state.landed(set(&["a"]), start);
        for number in 0..3 * UNKNOWN_MAX {
            let _ = state.settle(Some(&format!("junk{number}")), ALG, start);
            assert!(state.unknown.len() <= UNKNOWN_MAX);
        }
    }
}
