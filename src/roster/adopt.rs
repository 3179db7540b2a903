//! Adoption: a connection takes over what another provisioned, where its operator allows that (X19).
//!
//! It happens with the first change: the record is the connection's own from then on. In that step neither the login nor a mail address
//! changes, whatever the request says: who can write a mail address into an identity provider must not get at a local account with it.

use std::borrow::Cow;

use super::Caller;
use crate::ids::KindId;
use crate::scim::Document;
use crate::scim::note::{Notes, Rule};
use crate::store::Stored;

const EXTERNAL_ID: &str = "externalId";

/// Tells whether a change through the caller makes a record the caller's own.
pub(super) fn adopts(caller: &Caller, stored: &Stored) -> bool {
    caller.options.adopt
        && caller.connection != super::LOCAL
        && stored.connection() != Some(caller.connection)
}

/// What a record is to the caller who changes it: if that adopts it, without the name under which the other connection knew it.
pub(super) fn as_met<'a>(caller: &Caller, stored: &Stored, kept: &'a Document) -> Cow<'a, Document> {
    if !adopts(caller, stored) || kept.external_id().is_none() {
        return Cow::Borrowed(kept);
    }
    let mut met = kept.clone();
    met.set(None, EXTERNAL_ID, None);
    Cow::Owned(met)
}

/// Puts back the login and the mail addresses of a person who is adopted.
pub(super) fn keep_login(kind: KindId, before: &Document, wanted: &mut Document, notes: &mut Notes) {
    if kind != KindId::USER {
        return;
    }
    for name in ["userName", "emails"] {
        if wanted.get(name) != before.get(name) {
            wanted.set(None, name, before.get(name).cloned());
            notes.turn_to(None, name);
            notes.add(Rule::LoginKept);
        }
    }
}
