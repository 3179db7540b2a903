//! What every handler of the firm's own means shares, and how somebody is let in who has proved who they are.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use axum::response::Response;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::http::arrival::Arrival;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::http::signin::browser::{address, agent};
use crate::http::signin::pages::{self, with_cookie};
use crate::roster::{
    Caller, Entered, Refused, Roster, RosterError, Second, SessionKey, SignInEntry, SignInMethod, Turned,
    Whose,
};
use crate::signin::local::{Hasher, HashingError, Password, PasswordFlaw, Strength, Throttle, TotpSecret};
use crate::signin::vault::{Purpose, Vault};

/// Links that are made at a time for whoever asked; further ones are told to come later.
const LINKS_AT_ONCE_MAX: usize = 32;
/// Under which address what was shown of a second factor is counted for an account as a whole: whoever gets so far has its password, or its mail.
const ANYWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

/// What is shared.
#[derive(Debug)]
pub struct Own {
    /// Hashes passwords, few at a time.
    pub hasher: Hasher,
    /// Seals what must be read back.
    pub vault: Arc<Vault>,
    /// Counts who fails.
    pub throttle: Throttle,
    /// Whether mails are sent.
    pub mails: bool,
    /// Places for making links after an answer.
    pub(super) links: Arc<Semaphore>,
}

impl Own {
    /// Makes what is shared.
    pub fn new(hasher: Hasher, vault: Arc<Vault>, mails: bool) -> Self {
        let links = Arc::new(Semaphore::new(LINKS_AT_ONCE_MAX));
        Self { hasher, vault, throttle: Throttle::default(), mails, links }
    }

    /// Reads what somebody typed as a code: the step for which a device counted it, or a recovery code.
    pub(super) fn second<'c>(
        &self,
        sealed: &[u8],
        place: &[u8],
        typed: &'c str,
        now: Timestamp,
    ) -> Option<Second<'c>> {
        let digits = typed.chars().filter(|c| !c.is_whitespace()).count();
        if digits > 6 {
            return Some(Second::Recovery(typed));
        }
        let secret = self.vault.open(Purpose::SecondFactor, &[place], sealed);
        let secret =
            secret.inspect_err(|error| tracing::error!(%error, "a second factor cannot be read")).ok()?;
        let now = u64::try_from(now.as_second()).ok()?;
        TotpSecret::from_bytes(secret).step_of(typed, now).map(Second::Step)
    }
}

/// Where a person's second factor is sealed for.
pub(super) fn place_of(caller: &Caller, person: crate::ids::ResourceId) -> Vec<u8> {
    let mut place = caller.tenant().number().to_be_bytes().to_vec();
    place.extend(person.as_bytes());
    place
}

/// From where somebody tries, and as whom.
pub(super) struct Attempt {
    pub address: IpAddr,
    pub name: String,
}

impl Attempt {
    /// Finds out from where a request comes.
    pub fn of(edge: &Edge, arrival: &Arrival, parts: &Parts, name: impl Into<String>) -> Self {
        let address = address(edge.desk(), arrival, &parts.headers).unwrap_or(ANYWHERE);
        Self { address, name: name.into() }
    }

    /// Refuses who has to wait: the same for a name that is known and for one that is not.
    pub fn must_not_wait(&self, own: &Own) -> Result<(), Problem> {
        match own.throttle.wait(self.address, &self.name, Instant::now()) {
            None => Ok(()),
            Some(rest) => Err(Problem::too_many_requests(seconds(rest))),
        }
    }

    pub fn failed(&self, own: &Own) {
        own.throttle.failed(self.address, &self.name, Instant::now());
    }

    pub fn came_in(&self, own: &Own) {
        own.throttle.came_in(self.address, &self.name);
    }

    /// The same account from wherever.
    pub fn anywhere(person: crate::ids::ResourceId) -> Self {
        Self { address: ANYWHERE, name: format!("second factor of {person}") }
    }
}

fn seconds(rest: Duration) -> u32 {
    u32::try_from(rest.as_secs()).unwrap_or(u32::MAX).saturating_add(1)
}

/// Finds the door of a tenant: of the one that was named, else of the only one there is.
pub(super) fn door(
    roster: &Roster,
    tenant: Option<&str>,
    id: crate::ids::RequestId,
) -> Result<Option<Caller>, RosterError> {
    let found = match tenant {
        Some(name) => roster.doorkeeper(name, id),
        None => match roster.tenants()?.as_slice() {
            [only] => roster.doorkeeper(&only.name, id),
            _ => return Ok(None),
        },
    };
    match found {
        Ok(door) => Ok(Some(door)),
        Err(RosterError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Finds the door of a tenant by its number, which a link carries.
pub(super) fn door_of(
    roster: &Roster,
    tenant: crate::ids::TenantId,
    id: crate::ids::RequestId,
) -> Result<Option<Caller>, RosterError> {
    match roster.doorkeeper_of(tenant, id) {
        Ok(door) => Ok(Some(door)),
        Err(RosterError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// From where somebody comes in, for their list of sessions.
pub(super) struct From {
    address: String,
    agent: String,
    now: Timestamp,
}

impl From {
    pub fn of(edge: &Edge, arrival: &Arrival, parts: &Parts) -> Self {
        let desk = edge.desk();
        let address = address(desk, arrival, &parts.headers).map(|address| address.to_string());
        Self {
            address: address.unwrap_or_default(),
            agent: agent(&parts.headers).to_owned(),
            now: desk.now(),
        }
    }

    /// Makes a session for whoever proved who they are; says in the log and the history where none is made.
    pub fn enter(
        &self,
        roster: &Roster,
        door: &Caller,
        whose: Whose<'_>,
        amr: &[&str],
    ) -> Result<Result<Entered, Refused>, RosterError> {
        let amr: Vec<String> = amr.iter().map(|&by| by.to_owned()).collect();
        let entry = SignInEntry {
            whose,
            // The proof says it of itself.
            method: SignInMethod::Password,
            at: Some(self.now),
            sid: None,
            acr: None,
            amr: &amr,
            address: &self.address,
            agent: &self.agent,
            id_token: None,
        };
        let entered = roster.sign_in(door, &entry, roster.lifetimes(door.tenant())?)?;
        if let Err(refused) = &entered {
            turned_away(roster, door, refused.code(), refused.person(), refused.to_string())?;
        }
        Ok(entered)
    }
}

/// Says in the log and in the history that somebody was not let in; of many, not each.
pub(super) fn turned_away(
    roster: &Roster,
    door: &Caller,
    code: &'static str,
    person: Option<crate::ids::ResourceId>,
    reason: String,
) -> Result<(), RosterError> {
    tracing::info!(code, "a sign-in by the firm's own means was refused");
    roster.turned_away(door, &Turned { by: "own", connection: None, code, person, reason })
}

/// Answers with a session's cookie, in the place of any that the browser had.
pub(super) async fn welcome(
    edge: &Edge,
    arrival: &Arrival,
    parts: &Parts,
    entered: Entered,
    to: &str,
) -> Result<Response, Problem> {
    let desk = edge.desk();
    let offer = desk.offer();
    if let Some(old) = offer.cookies.session(&parts.headers) {
        end(edge, old, arrival).await?;
    }
    let Entered { cookie, expires, .. } = entered;
    let cookie = offer.cookies.set_session(&cookie, expires, desk.now());
    Ok(with_cookie(pages::see_other(to)?, cookie))
}

async fn end(edge: &Edge, key: SessionKey, arrival: &Arrival) -> Result<(), Problem> {
    let id = arrival.request_id;
    let ended = edge.wait(move |roster| match door_of(roster, key.tenant, id)? {
        Some(door) => roster.end_session(&door, &key).map(drop),
        None => Ok(()),
    });
    ended.await
}

/// What was typed as a new password, once it was held against what the firm wants.
pub(super) fn new_password(
    roster: &Roster,
    door: &Caller,
    person: crate::ids::ResourceId,
    typed: &str,
    again: &str,
) -> Result<Result<Password, PasswordFlaw>, RosterError> {
    let password = match Password::read_twice(typed, again) {
        Ok(password) => password,
        Err(flaw) => return Ok(Err(flaw)),
    };
    let context = roster.password_context(door, person)?;
    let strength = Strength {
        characters_min: context.characters_min,
        second_factor: context.second_factor,
        words: &context.words,
    };
    Ok(strength.check(&password).map(|()| password))
}

impl std::convert::From<HashingError> for Problem {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Busy => Self::busy(1),
            HashingError::Failed => Self::internal("a password could not be hashed"),
        }
    }
}
