//! Making links that are mailed: for whom one is made, and for whom none is.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::super::commit::{Plan, hex};
use super::super::error::RosterError;
use super::super::locks::{of_the_firm, plan_act};
use super::super::people::email;
use super::super::rows::{EPOCHS, MailedRow, SIGN_INS};
use super::super::rules::Act;
use super::super::scope::Scope;
use super::super::{Caller, Roster, core};
use super::gate::{epoch, is_let_in};
use super::letters::{self, Seal};
use super::mailed::{MAGIC_LINK, Purpose, RESET, live_row, plan_drop, plan_keep};
use super::{methods, password, second};
use crate::ids::{Address, ResourceId};
use crate::store::{Action, Change, Given, Snapshot};

/// How soon somebody may ask for another link. So nobody can keep others' links from living by asking for new ones all the time.
const ASKED_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// Letters and digits that are not taken for one another; 32 of them, so that each is five random bits.
const CODE_ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Characters of what has to be typed in.
const CODE_CHARACTERS: usize = 8;

/// Which link is made.
pub struct Order<'a> {
    /// For whom.
    pub person: ResourceId,
    /// What for.
    pub purpose: Purpose,
    /// For how long.
    pub lifetime: SignedDuration,
    /// Who has it made.
    pub by: OrderedBy,
    /// Seals what is mailed; nothing is mailed, and the link is given back, where `None`.
    pub mail: Option<Seal<'a>>,
}

/// Who has a link made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderedBy {
    /// The person, of whom nothing is known but that somebody typed their name.
    Themselves,
    /// Somebody who may.
    Administrator,
}

/// A link that was made.
pub struct Mailed {
    /// What it holds. Shown this once.
    pub token: Zeroizing<String>,
    /// What has to be typed in besides.
    pub code: Option<Zeroizing<String>>,
    /// When it stops working.
    pub expires: Timestamp,
}

impl Roster {
    /// Makes a link for a person, in one unit with the letter that brings it. `None` where none is made, whatever the reason: of what somebody asks who
    /// typed a name nothing may be learnt.
    ///
    /// # Errors
    /// For administrators [`RosterError::InUse`] says why none is made.
    pub fn issue_link(&self, caller: &Caller, order: &Order<'_>) -> Result<Option<Mailed>, RosterError> {
        of_the_firm(caller, Scope::UsersWrite)?;
        let secret = Zeroizing::new(hex(&self.chance.secret()));
        let hash: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        let code = (order.purpose == Purpose::Reset).then(|| self.code());
        let expires = caller.now.checked_add(order.lifetime).map_err(|error| {
            RosterError::Broken(format!("the clock stands at the end of the calendar: {error}"))
        })?;
        let token = Zeroizing::new(format!("{}.{}", caller.tenant.number(), secret.as_str()));
        let letter = self.chance.uuid(caller.now);
        let made = self.carry_out(caller, Action::LinkIssue, |snapshot| {
            let address = match may_issue(snapshot, caller, order)? {
                Ok(address) => address,
                Err(_) if order.by == OrderedBy::Themselves => return Ok((None, false)),
                Err(why) => return Err(RosterError::InUse(why)),
            };
            let mut plan = Plan { subject: Some(Address::user(order.person)), ..Plan::default() };
            plan_drop(snapshot, caller.tenant, order.person, order.purpose, &mut plan)?;
            let sealed = order.mail.map(|seal| {
                let said = json!({ "token": token.as_str(), "code": code.as_deref() });
                letters::seal(caller.tenant, letter, seal, &said)
            });
            let row = MailedRow {
                person: order.person,
                purpose: order.purpose,
                address: address.clone(),
                epoch: epoch(snapshot, caller.tenant, order.person)?,
                password_epoch: password::epoch(snapshot, caller.tenant, order.person)?,
                code: code.as_ref().map(|code| hex(&Sha256::digest(code.as_bytes()))),
                wrong: 0,
                letter: sealed.is_some().then_some(letter),
                created: caller.now,
                expires,
            };
            plan_keep(&hash, &row, &mut plan)?;
            if let Some(sealed) = sealed.transpose()? {
                letters::plan_sealed(
                    caller,
                    (order.person, order.purpose.letter()),
                    letter,
                    (address, expires),
                    sealed,
                    &mut plan,
                )?;
            }
            let key = order.person.as_bytes().to_vec();
            let value = snapshot.small(caller.tenant, EPOCHS, &key)?;
            plan.given.push(Given::Small(EPOCHS, key, value));
            let never_came = snapshot.small(caller.tenant, SIGN_INS, order.person.as_bytes())?.is_none();
            if order.purpose == Purpose::Invitation && never_came {
                plan_act(snapshot, caller, order.person, Act::Invited(caller.now), &mut plan)?;
            }
            plan.given.push(Given::Exists(Address::user(order.person)));
            let until = format!("{} until {expires}", order.purpose.name());
            plan.changes.push(Change::of("link", None, Some(until.into())));
            Ok((Some(plan), true))
        })?;
        Ok(made.then_some(Mailed { token, code, expires }))
    }

    /// Makes a link for whoever a login names, where there is somebody and they may have one.
    pub fn issue_link_for_login(
        &self,
        door: &Caller,
        login: &str,
        purpose: Purpose,
        seal: Seal<'_>,
    ) -> Result<bool, RosterError> {
        let found = password::named(self.store.snapshot()?.as_ref(), door.tenant, login)?;
        let Some(stored) = found else { return Ok(false) };
        let lifetime = if purpose == Purpose::Reset { RESET } else { MAGIC_LINK };
        let (person, by, mail) = (stored.at().id, OrderedBy::Themselves, Some(seal));
        self.issue_link(door, &Order { person, purpose, lifetime, by, mail }).map(|made| made.is_some())
    }

    /// Makes what has to be typed in.
    fn code(&self) -> Zeroizing<String> {
        let mut random = [0_u8; CODE_CHARACTERS];
        self.chance.fill(&mut random);
        let letter = |byte: &u8| CODE_ALPHABET.get(usize::from(byte % 32)).copied().map(char::from);
        Zeroizing::new(random.iter().filter_map(letter).collect())
    }
}

/// Says to which address a link may be mailed (`None`: it is not mailed), or why none is made.
fn may_issue(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    order: &Order<'_>,
) -> Result<Result<Option<String>, String>, RosterError> {
    let Some(stored) = snapshot.get(caller.tenant, Address::user(order.person))? else {
        return Err(RosterError::NotFound);
    };
    let document = core(&stored)?;
    if !is_let_in(&stored, &document, caller.now)? {
        return Ok(Err("the person is not let in; let them in first".to_owned()));
    }
    let means = methods::means(snapshot, caller.tenant, &caller.policy, &stored)?;
    if !means.allow(order.purpose.method()) {
        return Ok(Err(format!(
            "the person signs in by {}; change how they sign in first",
            means.way.name()
        )));
    }
    if order.purpose == Purpose::Reset {
        if second::confirmed(snapshot, caller.tenant, order.person)?.is_some() {
            return Ok(Err(
                "the person has a second factor, so only they change their password, at sign-in".to_owned()
            ));
        }
        // Nothing to be reset; and of who is told of an invitation that alone sets the first one (T07).
        if password::must_change(snapshot, caller.tenant, order.person)?.is_none()
            && order.by == OrderedBy::Themselves
        {
            return Ok(Err("the person has no password".to_owned()));
        }
    }
    if order.by == OrderedBy::Themselves
        && let Some(row) = live_row(snapshot, caller.tenant, order.person, order.purpose)?
        && row.created.checked_add(ASKED_AGAIN_AFTER).is_ok_and(|next| next > caller.now)
    {
        return Ok(Err("one was sent just now".to_owned()));
    }
    if order.mail.is_none() {
        return Ok(Ok(None));
    }
    if !caller.policy.sign_in.mails {
        return Ok(Err("no mails are sent; set mail.host first".to_owned()));
    }
    Ok(email(&document).map(Some).ok_or_else(|| "the person has no address".to_owned()))
}
