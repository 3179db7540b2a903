//! Proofs by the firm's own means: a password that was tried, a link that was followed. What they have in common is that the unit of the sign-in itself
//! stands on what they rest on: so a password that is set meanwhile, a link that is followed twice, a code that counted once, let nobody in.

use super::super::Caller;
use super::super::commit::Plan;
use super::super::error::RosterError;
use super::mailed::{self, MailedKey, Purpose};
use super::methods;
use super::password::{self, ChangedPassword};
use super::second::{self, Second};
use super::session::{Method, Refused, Whose};
use crate::ids::{Address, ResourceId};
use crate::store::Snapshot;

/// Why a proof by the firm's own means is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotProved {
    /// There is no such link: it was followed, is over, was made anew, or never was.
    #[error("no such link, or none any more")]
    NoSuchLink,
    /// What was typed in is not what the mail says.
    #[error("what was typed in is not what the mail says")]
    WrongCode,
    /// The password was set or taken since it was tried.
    #[error("the password was changed since it was tried")]
    PasswordChanged,
    /// The person does not sign in so.
    #[error("the person does not sign in in this way")]
    OtherMethod,
    /// A second factor is wanted besides.
    #[error("a second factor is wanted")]
    SecondFactor,
    /// What was shown of it is wrong, or has counted before.
    #[error("the second factor is wrong, or was used before")]
    SecondFactorWrong,
}

impl NotProved {
    /// Names the reason in a word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoSuchLink => "no_such_link",
            Self::WrongCode => "wrong_code",
            Self::PasswordChanged => "password_changed",
            Self::OtherMethod => "other_method",
            Self::SecondFactor => "second_factor",
            Self::SecondFactorWrong => "second_factor_wrong",
        }
    }
}

/// A password that somebody sets when they come in by a link.
#[derive(Clone, Copy)]
pub struct FirstPassword<'a> {
    /// Its hash, as a PHC string.
    pub hash: &'a str,
}

/// Whom a proof was found to be of.
pub(super) struct Proved {
    /// Who.
    pub person: ResourceId,
    /// How they come in.
    pub method: Method,
    /// How often their password had been set, where they come in by it.
    pub password_epoch: Option<u64>,
    /// Whether they have to change it first.
    pub must_change: bool,
}

/// Finds whom a proof is of, and adds to a plan what it stands on and what it uses up. Whether the person is let in is for the sign-in to say.
pub(super) fn find(
    snapshot: &dyn Snapshot,
    door: &Caller,
    whose: &Whose<'_>,
    plan: &mut Plan,
) -> Result<Option<Result<Proved, Refused>>, RosterError> {
    match *whose {
        Whose::Identity(_) => Ok(None),
        Whose::Password { person, epoch, second } => {
            by_password(snapshot, door, (person, epoch), Factor::Shown(second), plan).map(Some)
        }
        Whose::Changed(ChangedPassword { person, epoch }) => {
            by_password(snapshot, door, (person, epoch), Factor::Counted, plan).map(Some)
        }
        Whose::Mailed { key, purpose, second, sets } => {
            by_link(snapshot, door, (key, purpose), second, sets, plan).map(Some)
        }
    }
}

/// What became of the second factor beside a password.
enum Factor<'a> {
    /// This was shown of it.
    Shown(Option<Second<'a>>),
    /// It counted in the step before, which set the password.
    Counted,
}

fn by_password(
    snapshot: &dyn Snapshot,
    door: &Caller,
    (person, tried): (ResourceId, u64),
    second: Factor<'_>,
    plan: &mut Plan,
) -> Result<Result<Proved, Refused>, RosterError> {
    let refused = |why| Ok(Err(Refused::NotProved { person: Some(person), why }));
    let Some(stored) = snapshot.get(door.tenant, Address::user(person))? else {
        return Ok(Err(Refused::NotLetIn { person }));
    };
    plan.given.push(password::fact(snapshot, door.tenant, person)?);
    let must_change = password::must_change(snapshot, door.tenant, person)?;
    let (Some(must_change), true) = (must_change, tried == password::epoch(snapshot, door.tenant, person)?)
    else {
        return refused(NotProved::PasswordChanged);
    };
    let means = methods::means(snapshot, door.tenant, &door.policy, &stored)?;
    plan.given.push(methods::fact(snapshot, door.tenant, person)?);
    if !means.allow(Method::Password) {
        return refused(NotProved::OtherMethod);
    }
    if let Factor::Shown(second) = second
        && let Err(why) = second::plan_use(snapshot, door.tenant, person, second, plan)?
    {
        return refused(why);
    }
    if means.is_emergency(Method::Password) {
        plan.remark_all(vec![
            "break-glass: by a password, although the person signs in otherwise".to_owned(),
        ]);
    }
    Ok(Ok(Proved { person, method: Method::Password, password_epoch: Some(tried), must_change }))
}

fn by_link(
    snapshot: &dyn Snapshot,
    door: &Caller,
    (key, purpose): (&MailedKey, Purpose),
    second: Option<Second<'_>>,
    sets: Option<FirstPassword<'_>>,
    plan: &mut Plan,
) -> Result<Result<Proved, Refused>, RosterError> {
    if purpose == Purpose::Reset {
        // It sets a password, and lets nobody in.
        return Ok(Err(Refused::NotProved { person: None, why: NotProved::NoSuchLink }));
    }
    let opened = match mailed::plan_follow(snapshot, door, key, purpose, plan)? {
        Ok(opened) => opened,
        Err(why) => return Ok(Err(Refused::NotProved { person: None, why })),
    };
    let person = opened.row.person;
    let refused = |why| Ok(Err(Refused::NotProved { person: Some(person), why }));
    if let Err(why) = second::plan_use(snapshot, door.tenant, person, second, plan)? {
        return refused(why);
    }
    if let Some(first) = sets {
        let means = methods::means(snapshot, door.tenant, &door.policy, &opened.stored)?;
        if purpose != Purpose::Invitation || !means.allow(Method::Password) {
            return refused(NotProved::OtherMethod);
        }
        password::plan_set(snapshot, door, &opened.stored, first.hash, false, plan)?;
    }
    plan.remark_all(vec![format!("by {}", purpose.name())]);
    Ok(Ok(Proved { person, method: Method::MagicLink, password_epoch: None, must_change: false }))
}
