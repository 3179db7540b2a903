//! What a connection may write of people, where the tenant's settings say so (section 1 of the domain).
//!
//! What a request says of anything else stays as it was, and the request counts a leniency; where the settings are strict it is refused as a
//! whole. What it leaves out is no attempt at anything: a PUT wipes nothing that is not its connection's to write.

use super::Caller;
use super::error::RosterError;
use crate::ids::KindId;
use crate::scim::Document;
use crate::scim::attr::AttrPath;
use crate::scim::doc::Difference;
use crate::scim::note::{Notes, Rule};
use crate::scim::schema::Kind;

/// What a request is about, beside what differs.
#[derive(Clone, Copy)]
pub(super) enum Spoken<'a> {
    /// Everything that differs was spoken of: the operations of a PATCH.
    OfEach,
    /// The body is a whole: what is missing was not spoken of, but for what it clears by name.
    OfWhole(&'a [AttrPath]),
}

/// Tells whether a caller may write an attribute of the core schema of people.
pub(super) fn may_write(caller: &Caller, name: &str) -> bool {
    caller.authority.as_ref().is_none_or(|authority| authority.holds(None, name))
}

/// Puts back what the caller may not write: to what it was, as the caller meets it; of somebody new to nothing. The login of somebody new is
/// taken in any case, as nobody is made without one.
pub(super) fn keep(
    caller: &Caller,
    kind: &Kind,
    before: Option<&Document>,
    wanted: &mut Document,
    spoken: Spoken<'_>,
    notes: &mut Notes,
) -> Result<(), RosterError> {
    let Some(authority) = caller.authority.as_ref().filter(|_| kind.id == KindId::USER) else {
        return Ok(());
    };
    let nothing = Document::default();
    let mut named = Vec::new();
    for Difference { name, old, new } in Document::diff(before.unwrap_or(&nothing), wanted) {
        let (extension, attribute) = match kind.extensions.iter().find_map(|schema| {
            let rest = name.strip_prefix(schema.id.as_str())?.strip_prefix(':')?;
            Some((schema.id.as_str(), rest))
        }) {
            Some((id, rest)) => (Some(id), rest),
            None => (None, name.as_str()),
        };
        if authority.holds(extension, attribute)
            || (before.is_none() && extension.is_none() && attribute == "userName")
        {
            continue;
        }
        // Whoever is made is let in, whoever makes them: it is what they are when nothing is said.
        let by_itself = before.is_none() && extension.is_none() && attribute == "active";
        let kept = if by_itself { Some(true.into()) } else { old };
        let is_spoken_of = kept != new
            && match spoken {
                Spoken::OfEach => true,
                Spoken::OfWhole(cleared) => {
                    new.is_some()
                        || cleared
                            .iter()
                            .any(|path| path.extension.as_deref() == extension && path.name == attribute)
                }
            };
        wanted.set(extension, attribute, kept);
        if is_spoken_of {
            notes.turn_to(extension, attribute);
            notes.add(Rule::OutsideAuthority);
            named.push(name);
        }
    }
    notes.turn_away();
    if authority.strict && !named.is_empty() {
        let mut may: Vec<&str> = authority.names().collect();
        if may.is_empty() {
            may.push("nothing of people");
        }
        return Err(RosterError::NotAllowed {
            needs: "authority",
            detail: format!(
                "this connection may not write {}: by the settings of the tenant (people.authority) it writes {}; leave the attributes out, or have them added there",
                named.join(", "),
                may.join(", ")
            ),
        });
    }
    Ok(())
}
