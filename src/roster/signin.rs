//! Signing in: who an identity that a provider proved is (`link`), what a session is (`session`) and how it ends (`ending`), and the gate that looks at every
//! use of one (`gate`), what somebody signed in does themself (`visit`), and what is remembered for minutes meanwhile (`fleeting`); what programs downstream are shown (`shown`), the keys that sign for
//! programs downstream (`signing_keys`), and the mark of the one that seals secrets (`vault`).
//!
//! A session is good only while its person is let in **and carries the number of epochs that the person had when it began**. Whatever takes access
//! away raises that number in its own unit: a lock, a departure, an administrator who ends everything. So sessions die by being read, one or ten
//! thousand of them at once, and nothing that happens later makes an old one good again.
//!
//! Who somebody is was proved elsewhere (an OIDC token, a mailed link); what is proved comes here as values. No secret of a session is kept,
//! only its SHA-256.

mod ending;
mod fleeting;
mod gate;
mod link;
mod session;
mod shown;
mod signing_keys;
mod vault;
mod visit;

use super::error::RosterError;
use crate::ids::{ResourceId, TenantId};
use crate::store::{Snapshot, Write};
pub use fleeting::{FLEETING_BYTES_MAX, FLEETING_MAX};
pub use gate::{Dead, Live};
pub use link::{Identity, LinkView, NotLinked};
pub use session::{Entered, Entry, Lifetimes, Method, Refused, SessionKey, SessionView, Whose};
pub(super) use shown::Remembered;
pub use shown::{AppVisit, Claim, GROUPS_SHOWN_MAX, NotShown, SHOWN_BYTES_MAX, Showing, Shown};
pub use signing_keys::{FreshSigningKey, SIGNING_KEYS_REMEMBERED, SigningKey, SigningKeys, Turn};
pub use visit::{CONTACT_CHARACTERS_MAX, Contact, Turned};

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
