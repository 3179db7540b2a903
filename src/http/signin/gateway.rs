//! What programs downstream are told of who is signed in: the keys that sign for them, and the header fields that a proxy puts before them.
//!
//! An assertion is kept for half its life and told again as long as what it says is still so. The gate is asked in any case: what is kept here lets nobody in.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};

use super::super::problem::Problem;
use crate::chance::Chance;
use crate::ids::RequestId;
use crate::roster::{
    AppVisit, FreshSigningKey, Roster, RosterError, SessionKey, Showing, ShownToApp, SigningKey,
    SigningKeyTurn, SigningKeys, hex, unhex,
};
use crate::signin::assertion::{Assertion, AssertionError, Fresh, Signer};
use crate::signin::vault::{Purpose, Vault, VaultError};

/// The field with the person's id, which stays the same for good.
pub const REMOTE_USER: HeaderName = HeaderName::from_static("remote-user");
/// The field with their address.
pub const REMOTE_EMAIL: HeaderName = HeaderName::from_static("remote-email");
/// The field with their name.
pub const REMOTE_NAME: HeaderName = HeaderName::from_static("remote-name");
/// The field with their groups.
pub const REMOTE_GROUPS: HeaderName = HeaderName::from_static("remote-groups");
/// The field with the assertion.
pub const X_ROSTERD_ASSERTION: HeaderName = HeaderName::from_static("x-rosterd-assertion");
/// Every field that says who somebody is. Each answer has all of them, so that a proxy that copies them overwrites what a browser sent.
pub const IDENTITY: [HeaderName; 5] =
    [REMOTE_USER, REMOTE_EMAIL, REMOTE_NAME, REMOTE_GROUPS, X_ROSTERD_ASSERTION];

/// How long an assertion is told again: what is left of its life then is enough for the way to the program.
const KEPT_FOR: SignedDuration = SignedDuration::from_secs(30);
/// Most assertions that are kept.
const KEPT_MAX: usize = 10_000;
/// Longest address: a longer one is left out, as a part of it may be somebody else's.
const EMAIL_BYTES_MAX: usize = 320;
/// Longest name; a longer one is cut.
const NAME_BYTES_MAX: usize = 256;
/// Longest list of groups; a longer one is left out.
const GROUPS_BYTES_MAX: usize = 2048;

/// A program that people come to through a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// What it is shown, and of whom.
    pub showing: Arc<Showing>,
    /// Where browsers find it: scheme, host and port.
    pub origin: String,
    /// Whom its assertions name as their audience.
    pub audience: String,
    /// Whether a browser without a session is sent to sign in.
    pub sends_to_sign_in: bool,
}

/// Why nothing could be told.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The roster.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// What is sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A key or a signature.
    #[error(transparent)]
    Assertion(#[from] AssertionError),
    /// There is no key, although one was just made.
    #[error("there is no signing key")]
    NoKey,
    /// A value that no header field can hold.
    #[error("an assertion that no header field can hold")]
    Field,
}

impl From<GatewayError> for Problem {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Roster(error) => error.into(),
            error => Self::internal(error.to_string()),
        }
    }
}

/// An assertion that is told again.
struct Minted {
    at: Timestamp,
    shown: Arc<ShownToApp>,
    showing: Arc<Showing>,
    fields: HeaderMap,
}

/// What was signed of late, by session and program.
type MintedOfLate = HashMap<(SessionKey, Arc<str>), Minted>;

/// The keys that sign, and what was signed of late.
pub struct Gateway {
    vault: Arc<Vault>,
    chance: Arc<dyn Chance>,
    signer: Mutex<Option<(SigningKey, Arc<Signer>)>>,
    minted: Arc<Mutex<MintedOfLate>>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("vault", &self.vault).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Opens a gateway whose private halves are sealed by a vault.
    pub fn new(vault: Arc<Vault>, chance: Arc<dyn Chance>) -> Self {
        Self { vault, chance, signer: Mutex::default(), minted: Arc::default() }
    }

    /// Opens one that has no place for its key, for tests that tell nobody anything.
    #[cfg(test)]
    pub fn that_signs_nothing() -> Self {
        struct Nowhere;
        impl crate::signin::vault::Marks for Nowhere {
            fn kept(&self) -> Result<Option<String>, String> {
                Err("nowhere".to_owned())
            }

            fn keep(&self, _: &str) -> Result<String, String> {
                Err("nowhere".to_owned())
            }
        }
        let chance: Arc<dyn Chance> = Arc::new(crate::chance::SeededChance::new(1));
        let vault = Vault::new(std::path::Path::new("/nowhere"), Arc::new(Nowhere), Arc::clone(&chance));
        Self::new(Arc::new(vault), chance)
    }

    /// Returns what forgets all that was signed of late: for when another process may have had another key sign.
    pub fn forgets(&self) -> impl Fn() + Send + Sync + use<> {
        let minted = Arc::clone(&self.minted);
        move || minted.lock().unwrap_or_else(PoisonError::into_inner).clear()
    }

    /// Returns what seals secrets.
    pub const fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// Returns the keys; makes the first where there is none. May wait for the disk then.
    pub fn keys(&self, roster: &Roster, request: RequestId) -> Result<SigningKeys, GatewayError> {
        let keys = roster.signing_keys()?;
        if keys.signer(roster.current_time()).is_some() {
            return Ok(keys);
        }
        self.turn(roster, SigningKeyTurn::WhenDue, request)
    }

    /// Makes the key that follows where the one that signs is old, and lets go of those whose time is past. Makes none where none was ever needed.
    pub fn keep_keys(&self, roster: &Roster) -> Result<(), GatewayError> {
        let (keys, now) = (roster.signing_keys()?, roster.current_time());
        if keys.signer(now).is_some() && keys.wants_a_look(now) {
            self.turn(roster, SigningKeyTurn::WhenDue, roster.request_id())?;
        }
        Ok(())
    }

    /// Has another key sign. Waits for the disk.
    pub fn turn(
        &self,
        roster: &Roster,
        turn: SigningKeyTurn,
        request: RequestId,
    ) -> Result<SigningKeys, GatewayError> {
        let Fresh { public, private } = Fresh::make()?;
        let sealed = self.vault.seal(Purpose::SigningKey, &[public.kid.as_bytes()], &private)?;
        let fresh = FreshSigningKey { kid: public.kid, x: public.x, y: public.y, sealed };
        let keys = roster.turn_signing_keys(&fresh, turn, request)?;
        if turn == SigningKeyTurn::AtOnce {
            // What others may have signed as well is told to nobody any more.
            *self.signer.lock().unwrap_or_else(PoisonError::into_inner) = None;
            self.minted.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        Ok(keys)
    }

    /// Returns the key that signs at this moment, opened.
    fn signer(&self, roster: &Roster, request: RequestId) -> Result<Arc<Signer>, GatewayError> {
        let keys = self.keys(roster, request)?;
        let key = keys.signer(roster.current_time()).ok_or(GatewayError::NoKey)?;
        let mut held = self.signer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, signer)) = held.as_ref()
            && of == key
        {
            return Ok(Arc::clone(signer));
        }
        let sealed = unhex(&key.sealed).ok_or_else(|| AssertionError::Key(key.kid.clone()))?;
        let private = self.vault.open(Purpose::SigningKey, &[key.kid.as_bytes()], &sealed)?;
        let signer = Arc::new(Signer::of(&key.kid, &private)?);
        *held = Some((key.clone(), Arc::clone(&signer)));
        Ok(signer)
    }

    /// Returns the fields that were told of a visit less than half an assertion's life ago, as long as they would say the same.
    pub fn told(&self, app: &App, key: &SessionKey, visit: &AppVisit, now: Timestamp) -> Option<HeaderMap> {
        let place = (*key, Arc::clone(&app.showing.app));
        let minted = self.minted.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = minted.get(&place)?;
        let fits = is_fresh(kept.at, now)
            && Arc::ptr_eq(&kept.showing, &app.showing)
            && (Arc::ptr_eq(&kept.shown, &visit.shown) || kept.shown == visit.shown);
        fits.then(|| kept.fields.clone())
    }

    /// Tells a program who comes: plain fields, and an assertion that says the same. May wait for the disk where no key has ever signed.
    pub fn tell(
        &self,
        roster: &Roster,
        (app, key): (&App, &SessionKey),
        visit: &AppVisit,
        issuer: &str,
        request: RequestId,
    ) -> Result<HeaderMap, GatewayError> {
        let now = roster.current_time();
        let signer = self.signer(roster, request)?;
        let added = roster.claims_of_plugins(visit.tenant, visit.person, &app.showing.app, request)?;
        let beside = (!added.is_empty()).then(|| {
            let mut claims = visit.shown.claims.clone();
            claims.insert("plugins".to_owned(), added.into());
            claims
        });
        let mut name = [0_u8; 16];
        self.chance.fill(&mut name);
        let (iat, exp) = Assertion::life(now);
        let person = visit.person.to_string();
        let assertion = signer.sign(&Assertion {
            iss: issuer,
            aud: &app.audience,
            sub: &person,
            iat,
            exp,
            jti: &hex(&name),
            sid: &visit.session.id,
            tenant: &app.showing.tenant,
            auth_time: visit.session.signed_in.as_second(),
            shown: beside.as_ref().unwrap_or(&visit.shown.claims),
        })?;
        let mut fields = nobody();
        let mut put = |name, value: String| {
            let value =
                HeaderValue::from_maybe_shared(value.into_bytes()).map_err(|_| GatewayError::Field)?;
            fields.insert(name, value);
            Ok::<_, GatewayError>(())
        };
        put(REMOTE_USER, person)?;
        put(REMOTE_EMAIL, email_field(visit.shown.email.as_deref().unwrap_or_default()))?;
        put(REMOTE_NAME, name_field(visit.shown.name.as_deref().unwrap_or_default()))?;
        put(REMOTE_GROUPS, groups_field(&visit.shown.groups))?;
        put(X_ROSTERD_ASSERTION, assertion)?;
        if let Some(value) = fields.get_mut(X_ROSTERD_ASSERTION) {
            value.set_sensitive(true);
        }
        let place = (*key, Arc::clone(&app.showing.app));
        let (shown, showing) = (Arc::clone(&visit.shown), Arc::clone(&app.showing));
        let mut minted = self.minted.lock().unwrap_or_else(PoisonError::into_inner);
        if minted.len() >= KEPT_MAX {
            minted.retain(|_, kept| is_fresh(kept.at, now));
            if minted.len() >= KEPT_MAX {
                minted.clear();
            }
        }
        minted.insert(place, Minted { at: now, shown, showing, fields: fields.clone() });
        Ok(fields)
    }
}

/// Tells whether what was signed at a moment is told again at another. A clock that was put back makes it anew.
fn is_fresh(at: Timestamp, now: Timestamp) -> bool {
    at <= now && at.checked_add(KEPT_FOR).is_ok_and(|end| now < end)
}

/// The fields that say that somebody is nobody: every one of them, empty.
pub fn nobody() -> HeaderMap {
    IDENTITY.into_iter().map(|name| (name, HeaderValue::from_static(""))).collect()
}

/// Drops what a field cannot hold or what would make it look otherwise than it is: controls, and marks that turn the direction of writing.
fn plain(text: &str) -> String {
    let sound = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().filter(sound).collect::<String>().trim().to_owned()
}

/// An address as a field holds it: as it stands, or not at all.
fn email_field(email: &str) -> String {
    let sound = email.len() <= EMAIL_BYTES_MAX
        && plain(email) == email
        && !email.contains([',', ';', ' ', '"', '<', '>']);
    if sound { email.to_owned() } else { String::new() }
}

fn name_field(name: &str) -> String {
    let mut name = plain(name);
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    name
}

/// Groups as a field holds them: separated by commas. A comma in a name is written `%2C` and a percent sign `%25`, so that nobody gets into a group by
/// the name of another.
fn groups_field(groups: &[String]) -> String {
    let escaped = groups.iter().map(|group| plain(group).replace('%', "%25").replace(',', "%2C"));
    let field = escaped.collect::<Vec<_>>().join(",");
    if field.len() > GROUPS_BYTES_MAX { String::new() } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_into_a_group_by_the_name_of_another() {
        let groups =
            ["Sales, admins".to_owned(), "100%".to_owned(), "a%2Cb".to_owned(), "x\r\nadmins".to_owned()];
        assert_eq!(groups_field(&groups), "Sales%2C admins,100%25,a%252Cb,xadmins");
        assert_eq!(groups_field(&vec!["a".repeat(100); 30]), "", "no list is shown in part");
    }

    #[test]
    fn x61_what_a_person_is_called_breaks_no_field() {
        assert_eq!(name_field("Ada\r\nRemote-User: root\u{0}\u{202e} "), "AdaRemote-User: root");
        assert_eq!(name_field("Åsa Öberg"), "Åsa Öberg");
        assert!(name_field(&"ä".repeat(500)).len() <= NAME_BYTES_MAX);
        for whole in ["ada@example.com", "åsa@example.com"] {
            assert_eq!(email_field(whole), whole);
        }
        let long = format!("{}@example.com", "a".repeat(400));
        for odd in ["a@b,root@b", "a@b\nc", "Ada <a@b>", "a@b ", &long] {
            assert_eq!(email_field(odd), "", "{odd}");
        }
        for value in [name_field("Åsa\u{7f}"), groups_field(&["\u{85}Gruppe".to_owned()])] {
            HeaderValue::from_maybe_shared(value.into_bytes()).unwrap();
        }
    }

    #[test]
    fn who_is_nobody_has_every_field_and_each_is_empty() {
        let fields = nobody();
        assert_eq!(fields.len(), IDENTITY.len());
        assert!(fields.values().all(HeaderValue::is_empty));
    }
}
