//! Signing in: who an identity that a provider proved is (`link`), what a session is (`session`) and how it ends (`ending`), and the gate that looks at every
//! use of one (`gate`), what somebody signed in does themself (`visit`), and for others (`acting`), and what is remembered for minutes meanwhile (`fleeting`); what programs downstream are shown (`shown`), the keys that sign for
//! programs downstream (`signing_keys`), and the mark of the one that seals secrets (`vault`).
//!
//! Of the firm's own means: how a person may sign in (`methods`), their password (`password`), links that are mailed to them (`mailed`, `mailing`, `reset`), their second factor
//! (`second`), what of these is a proof (`own`), and the mails themselves until they are sent (`letters`, `posting`).
//!
//! A session is good only while its person is let in **and carries the number of epochs that the person had when it began**. Whatever takes access
//! away raises that number in its own unit: a lock, a departure, an administrator who ends everything. So sessions die by being read, one or ten
//! thousand of them at once, and nothing that happens later makes an old one good again.
//!
//! Who somebody is was proved elsewhere (an OIDC token, a mailed link); what is proved comes here as values. No secret of a session is kept,
//! only its SHA-256.

mod acting;
mod ending;
mod fleeting;
mod gate;
mod letters;
mod link;
mod mailed;
mod mailing;
mod methods;
mod own;
mod password;
mod posting;
mod reset;
mod second;
mod session;
mod shown;
mod signing_keys;
mod vault;
mod visit;

use super::commit::Plan;
use super::error::RosterError;
use super::rows::{MEANS, PASSWORDS, SECOND_FACTORS};
use crate::ids::{ResourceId, TenantId};
use crate::store::{Given, Snapshot, Space, Write};
pub use acting::Principal;
pub use fleeting::{FLEETING_BYTES_MAX, FLEETING_MAX};
pub use gate::{Dead, Live};
pub(super) use letters::plan_told;
pub use letters::{LetterKind, Seal, letter_place};
pub use link::{Identity, LinkView, NotLinked};
pub(super) use mailed::plan_invitation;
pub use mailed::{INVITATION, MAGIC_LINK, MailedKey, MailedView, Purpose, RESET, SENT_AGAIN};
pub use mailing::{Mailed, Order, OrderedBy};
pub use methods::MeansView;
pub use own::{FirstPassword, NotProved};
pub use password::{ChangedPassword, KnownPassword, PasswordContext};
pub use posting::{Letter, Sent};
pub use reset::WRONG_CODES_MAX;
pub use second::{RECOVERY_CODES_MAX, Second, SecondFactor};
pub use session::{Entered, Entry, Lifetimes, Method, Refused, SessionKey, SessionView, Whose};
pub(super) use shown::Remembered;
pub use shown::{AppVisit, Claim, GROUPS_SHOWN_MAX, NotShown, SHOWN_BYTES_MAX, Showing, Shown};
pub use signing_keys::{FreshSigningKey, SIGNING_KEYS_REMEMBERED, SigningKey, SigningKeys, Turn};
pub use visit::{CONTACT_CHARACTERS_MAX, Contact, Turned};

/// Adds to a plan that nothing is left by which a person who leaves could come in by the firm's own means: who comes back begins anew.
pub(super) fn plan_forget_own(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    person: ResourceId,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    let key = person.as_bytes().to_vec();
    for space in OWN {
        let value = snapshot.small(tenant, space, &key)?;
        if value.is_some() {
            plan.given.push(Given::Small(space, key.clone(), value));
            plan.writes.push(Write::Small { space, key: key.clone(), value: None });
        }
    }
    mailed::plan_forget(snapshot, tenant, person, plan)
}

/// Where rows by person lie that are of the firm's own means.
const OWN: [Space; 3] = [PASSWORDS, MEANS, SECOND_FACTORS];

/// What forgets how a person signs in: their identities, and from where their sessions were begun.
pub(super) fn forget(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    person: ResourceId,
) -> Result<Vec<Write>, RosterError> {
    let mut writes = link::forget(snapshot, tenant, person)?;
    writes.extend(ending::forget(snapshot, tenant, person)?);
    Ok(writes)
}
