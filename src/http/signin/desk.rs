//! What every handler of sign-in shares: the providers that are asked at this moment, and who speaks with them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::cookies::Cookies;
use super::gateway::App;
use super::local::Own;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::http::problem::Problem;
use crate::http::throttle::Throttle;
use crate::ids::RequestId;
use crate::jwt::Keyring;
use crate::net::Client;
use crate::roster::{Identity, Roster, RosterError};
use crate::signin::rp::{Demand, Provider, RelyingParty, ReturnTo, Verified};

/// Sign-ins that one address may begin within a minute: an office behind one address at nine in the morning.
pub const STARTS_PER_MINUTE_MAX: u32 = 300;

/// Orders of one address that are refused within a minute, before none of it is looked at. What is taken is not counted: a provider may sign out a whole firm.
pub const REFUSED_ORDERS_PER_MINUTE_MAX: u32 = 300;

/// A provider that people are signed in by.
#[derive(Debug)]
pub struct Opened {
    /// What the relying party knows of it.
    pub provider: Provider,
    /// Whose people.
    pub tenant: String,
    /// What its button says.
    pub title: String,
    /// Whether it is asked.
    pub enabled: bool,
    /// The connection by which it provisions.
    pub connection: Option<String>,
    /// The claim that holds what that connection sends as `externalId`.
    pub key_claim: String,
    /// Domains of addresses whose people sign in here.
    pub domains: Vec<String>,
    /// Whether a verified address in one of them may find somebody.
    pub link_by_email: bool,
    /// What each sign-in must show.
    pub demand: Demand,
}

impl Opened {
    /// Returns its name.
    pub fn name(&self) -> &str {
        self.provider.id()
    }

    /// Tells whom a token is about, as the roster looks for people.
    pub fn identity<'a>(&'a self, verified: &'a Verified) -> Identity<'a> {
        let key = match self.key_claim.as_str() {
            "sub" => Some(verified.subject.as_str()),
            "oid" => verified.oid.as_deref(),
            other => verified.claims.get(other).and_then(|claim| claim.as_str()),
        };
        let email = verified.email.as_ref().filter(|email| email.verified);
        let email = email.map(|email| email.address.as_str());
        Identity {
            provider: self.name(),
            connection: self.connection.as_deref(),
            issuer: &verified.issuer,
            subject: &verified.subject,
            key: key.filter(|key| !key.is_empty()),
            email: email.filter(|address| self.link_by_email && self.may_find_by(address)),
        }
    }

    /// Tells whether an address is in one of the provider's domains: plain ASCII, with one `@`, and exactly that domain after it.
    pub fn may_find_by(&self, address: &str) -> bool {
        let mut parts = address.split('@');
        let (Some(name), Some(domain), None) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        let plain = address.bytes().all(|byte| byte.is_ascii_graphic());
        plain && !name.is_empty() && self.domains.iter().any(|own| own.eq_ignore_ascii_case(domain))
    }
}

/// The proxies whose word is taken for where a request came from (X38).
pub struct Proxies(Box<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl Proxies {
    /// Takes the word of those of whom this is true.
    pub fn new(are: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Box::new(are))
    }

    /// Tells whether an address is one of them.
    pub fn include(&self, address: IpAddr) -> bool {
        (self.0)(address)
    }
}

impl Default for Proxies {
    fn default() -> Self {
        Self::new(|_| false)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxies")
    }
}

/// What is offered at this moment: replaced as a whole when the settings are read again.
#[derive(Debug, Default)]
pub struct Offer {
    /// The providers, by their names.
    pub providers: BTreeMap<String, Arc<Opened>>,
    /// Programs that people come to through a proxy, by their names.
    pub apps: BTreeMap<String, Arc<App>>,
    /// How cookies are written.
    pub cookies: Cookies,
    /// Proxies whose word is taken for where a request came from.
    pub proxies: Proxies,
}

impl Offer {
    /// Reads a place to which a browser may be sent: one of our own, or one of a program in the settings.
    pub fn place(&self, text: &str) -> Option<ReturnTo> {
        ReturnTo::parse_below(text, self.apps.values().map(|app| app.origin.as_str())).ok()
    }

    /// Finds the provider that an address is sent to. The same work whether there is one or not.
    pub fn of_address(&self, tenant: Option<&str>, address: &str) -> Option<&Arc<Opened>> {
        let of_tenant = |one: &&Arc<Opened>| tenant.is_none_or(|tenant| one.tenant == tenant);
        let mut fits = self
            .providers
            .values()
            .filter(|one| one.enabled)
            .filter(of_tenant)
            .filter(|one| one.may_find_by(address));
        let first = fits.next();
        // An address that two tenants claim leads nowhere until the link says which.
        first.filter(|_| fits.next().is_none())
    }

    /// Lists those that have a button: a tenant's, where the link said whose, or where there is but one. Whose providers there are beside them is nobody's
    /// business.
    pub fn of_tenant(&self, tenant: Option<&str>) -> Vec<&Arc<Opened>> {
        let open = || self.providers.values().filter(|one| one.enabled);
        let first = open().next().map(|one| one.tenant.as_str());
        let sole = first.filter(|first| open().all(|one| one.tenant == *first));
        let Some(tenant) = tenant.or(sole) else { return Vec::new() };
        open().filter(|one| one.tenant == tenant).collect()
    }

    /// Tells whether an address may lead anywhere.
    pub fn asks_addresses(&self, tenant: Option<&str>) -> bool {
        let fits = |one: &Arc<Opened>| one.enabled && tenant.is_none_or(|tenant| one.tenant == tenant);
        self.providers.values().any(|one| fits(one) && !one.domains.is_empty())
    }
}

/// What the handlers of sign-in share.
#[derive(Debug)]
pub struct Desk {
    /// Who speaks with providers.
    pub party: RelyingParty,
    /// Under which URL browsers find us, without a slash at its end. From the settings only (X37).
    pub public_url: String,
    /// Makes states, nonces and the names of browsers.
    pub chance: Arc<dyn Chance>,
    /// Counts who begins sign-ins.
    pub starts: Throttle,
    /// Counts who gives orders that are none.
    pub orders: Throttle,
    clock: Arc<dyn Clock>,
    offer: ArcSwap<Offer>,
    own: OnceLock<Own>,
}

impl Desk {
    /// Opens a desk that offers nothing yet.
    pub fn new(net: Client, public_url: String, chance: Arc<dyn Chance>, clock: Arc<dyn Clock>) -> Self {
        let net = Arc::new(net);
        let keyring = Arc::new(Keyring::new(Arc::clone(&net), Arc::clone(&chance)));
        Self {
            party: RelyingParty::new(net, keyring, Arc::clone(&chance)),
            public_url,
            chance,
            starts: Throttle::up_to(STARTS_PER_MINUTE_MAX),
            orders: Throttle::up_to(REFUSED_ORDERS_PER_MINUTE_MAX),
            clock,
            offer: ArcSwap::from_pointee(Offer::default()),
            own: OnceLock::new(),
        }
    }

    /// Opens one that reaches nobody, for tests that sign nobody in.
    #[cfg(test)]
    pub fn that_reaches_nobody() -> Self {
        let (connect, total) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
        let options = crate::net::Options { allow: vec![], connect, total, roots: vec![], at_once_max: 16 };
        let net = Client::new(options, Arc::new(crate::net::SystemResolver)).unwrap();
        let chance = Arc::new(crate::chance::SeededChance::new(1));
        Self::new(net, "https://roster.test".to_owned(), chance, Arc::new(crate::clock::SystemClock))
    }

    /// Brings the firm's own means. Once, before anybody is served.
    pub fn bring(&self, own: Own) {
        drop(self.own.set(own));
    }

    /// Returns the firm's own means.
    pub fn own(&self) -> Result<&Own, Problem> {
        self.own.get().ok_or_else(|| Problem::busy(1))
    }

    /// Offers something else from now on.
    pub fn set(&self, offer: Offer) {
        self.offer.store(Arc::new(offer));
    }

    /// Returns what is offered.
    pub fn offer(&self) -> Arc<Offer> {
        self.offer.load_full()
    }

    /// Finds a provider that is asked. One that was switched off is as if there were none (X46).
    pub fn provider(&self, name: &str) -> Option<Arc<Opened>> {
        self.offer.load().providers.get(name).filter(|one| one.enabled).map(Arc::clone)
    }

    /// Tells whether a provider is asked still, for the gate.
    pub fn is_open(&self, name: &str) -> bool {
        self.offer.load().providers.get(name).is_some_and(|one| one.enabled)
    }

    /// Returns the moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Names the redirect URI of a provider.
    pub fn redirect_uri(&self, name: &str) -> String {
        redirect_uri(&self.public_url, name)
    }

    /// Acts at the door of a provider's tenant. `None` where there is no such tenant yet.
    pub fn door(
        &self,
        roster: &Roster,
        opened: &Opened,
        request: RequestId,
    ) -> Result<Option<crate::roster::Caller>, RosterError> {
        match roster.doorkeeper(&opened.tenant, request) {
            Ok(door) => Ok(Some(door)),
            Err(RosterError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Names the redirect URI of a provider.
pub fn redirect_uri(public_url: &str, name: &str) -> String {
    format!("{public_url}/sso/{name}/callback")
}
