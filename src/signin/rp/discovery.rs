//! How providers' metadata is fetched and kept (R30): an hour, one request under way for each, the old one for a day while a new one cannot be had.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::metadata::{Endpoints, METADATA_BYTES_MAX, Metadata};
use super::refusal::Refusal;
use super::settings::Provider;
use crate::chance::Chance;
use crate::net::{Client, Pace};

/// After how long metadata is fetched anew.
const FRESH: Duration = Duration::from_hours(1);
/// How long it stays good while it cannot be fetched.
const STALE_MAX: Duration = Duration::from_hours(24);
/// Providers that are remembered; beyond, the memory begins anew.
const PROVIDERS_MAX: usize = 1000;

/// The metadata of all providers.
#[derive(Debug)]
pub struct Discovery {
    client: Arc<Client>,
    chance: Arc<dyn Chance>,
    shelves: Mutex<HashMap<String, Arc<Shelf>>>,
}

#[derive(Debug, Default)]
struct Shelf {
    state: Mutex<State>,
    flight: tokio::sync::Mutex<()>,
}

/// What is known of one provider. Pure: the moment is an argument.
#[derive(Debug, Default)]
struct State {
    kept: Option<(Metadata, Instant)>,
    pace: Pace,
    /// Why the last request brought nothing.
    why: Option<Refusal>,
}

/// What is kept, held against the settings of this moment.
enum Look {
    Fresh(Endpoints),
    /// Good, and to be fetched anew.
    Stale(Endpoints),
    Nothing,
}

impl Discovery {
    /// Starts with nothing.
    pub fn new(client: Arc<Client>, chance: Arc<dyn Chance>) -> Self {
        Self { client, chance, shelves: Mutex::default() }
    }

    /// Finds a provider's endpoints. Who finds them a little old fetches them anew, if nobody does; the others go on with what is there.
    pub async fn find(&self, provider: &Provider) -> Result<Endpoints, Refusal> {
        let shelf = self.shelf(provider);
        let stale = match shelf.look(provider) {
            Look::Fresh(endpoints) => return Ok(endpoints),
            Look::Stale(endpoints) => Some(endpoints),
            Look::Nothing => None,
        };
        let _flight = match (shelf.flight.try_lock(), stale) {
            (Ok(flight), _) => flight,
            (Err(_), Some(endpoints)) => return Ok(endpoints),
            (Err(_), None) => shelf.flight.lock().await,
        };
        let known = shelf.look(provider);
        if let Look::Fresh(endpoints) = known {
            return Ok(endpoints);
        }
        if shelf.change(|state| state.pace.may_ask(true, Instant::now())) {
            self.bring(provider, &shelf).await;
        }
        match shelf.look(provider) {
            Look::Fresh(endpoints) | Look::Stale(endpoints) => Ok(endpoints),
            Look::Nothing => Err(shelf.change(|state| state.why()).unwrap_or_else(|| {
                Refusal::MetadataUnreachable("it was asked for too often just now".to_owned())
            })),
        }
    }

    fn shelf(&self, provider: &Provider) -> Arc<Shelf> {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let key = provider.discovery.as_str();
        if shelves.len() >= PROVIDERS_MAX && !shelves.contains_key(key) {
            shelves.clear();
        }
        Arc::clone(shelves.entry(key.to_owned()).or_default())
    }

    /// Fetches the metadata. What is not sound for this provider replaces nothing.
    async fn bring(&self, provider: &Provider, shelf: &Shelf) {
        let fetched = self.client.get(&provider.discovery, METADATA_BYTES_MAX).await;
        let now = Instant::now();
        let (why, is_outage) = match fetched {
            Err(error) => (Refusal::MetadataUnreachable(error.to_string()), true),
            Ok(bytes) => match Metadata::parse(&bytes) {
                Err(flaw) => (Refusal::Metadata(flaw), true),
                Ok(metadata) => match metadata.endpoints(provider) {
                    Ok(_) => return shelf.change(|state| state.landed(metadata, now)),
                    // The settings may be what is wrong, and are set right by somebody who does not want to wait.
                    Err(flaw) => (Refusal::Metadata(flaw), false),
                },
            },
        };
        tracing::warn!(idp = provider.id(), reason = %why, cure = why.cure(), "the metadata of a provider was not taken");
        let mut jitter = [0];
        self.chance.fill(&mut jitter);
        shelf.change(|state| {
            state.why = Some(why);
            if is_outage {
                state.pace.failed(jitter[0], now);
            }
        });
    }
}

impl Shelf {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn look(&self, provider: &Provider) -> Look {
        self.change(|state| state.look(provider, Instant::now()))
    }
}

impl State {
    fn look(&self, provider: &Provider, now: Instant) -> Look {
        let Some((metadata, landed)) = &self.kept else { return Look::Nothing };
        let age = now.saturating_duration_since(*landed);
        match metadata.endpoints(provider) {
            Ok(endpoints) if age <= FRESH => Look::Fresh(endpoints),
            Ok(endpoints) if age <= STALE_MAX => Look::Stale(endpoints),
            _ => Look::Nothing,
        }
    }

    fn landed(&mut self, metadata: Metadata, now: Instant) {
        (self.kept, self.why) = (Some((metadata, now)), None);
        self.pace.succeeded();
    }

    fn why(&self) -> Option<Refusal> {
        self.why.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::settings::{Authentication, Settings};
    use super::*;

    #[test]
    fn r30_metadata_is_fresh_for_an_hour_and_good_for_a_day() {
        let issuer = "https://idp.example";
        let settings = Settings::new("a", issuer, "c", Authentication::Public, "https://r.example/cb");
        let provider = Provider::parse(settings.clone()).unwrap();
        let at = |path: &str| format!("{issuer}{path}");
        let document = json!({ "issuer": issuer, "authorization_endpoint": at("/a"), "token_endpoint": at("/t"), "jwks_uri": at("/k") });
        let metadata = Metadata::parse(document.to_string().as_bytes()).unwrap();
        let (mut state, start) = (State::default(), Instant::now());
        assert!(matches!(state.look(&provider, start), Look::Nothing));
        state.landed(metadata, start);
        let hours = |count: u64| start + Duration::from_hours(count);
        assert!(matches!(state.look(&provider, hours(1)), Look::Fresh(_)));
        assert!(matches!(state.look(&provider, hours(2)), Look::Stale(_)));
        assert!(matches!(state.look(&provider, hours(24)), Look::Stale(_)));
        assert!(matches!(state.look(&provider, hours(25)), Look::Nothing));
        // Settings that changed since are held against it anew.
        let other =
            Provider::parse(Settings { issuer: "https://other.example".to_owned(), ..settings }).unwrap();
        assert!(matches!(state.look(&other, start), Look::Nothing));
    }
}
