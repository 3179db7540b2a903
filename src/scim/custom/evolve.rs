//! What a new version of a schema takes away from the one before, and what it makes findable.
//!
//! Stored values must stay valid whatever becomes of their schema. Everything that could make one invalid is a [`Loss`]: harmless while
//! nobody has such a value, and refused otherwise. Whether somebody has one is not known here.

use crate::scim::attr::AttrPath;
use crate::scim::schema::{Attribute, Canonical, Mutability, Returned, Schema, Uniqueness};

/// Something that a new version takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Which attribute; `None` for one that every resource with the extension would have to have.
    pub of: Option<AttrPath>,
    /// What becomes of it, as the end of a sentence: `department is removed`.
    pub what: String,
}

/// Lists what the version `new` takes away from `old`.
pub fn losses(old: &Schema, new: &Schema) -> Vec<Loss> {
    let mut all = Vec::new();
    let path = |name: &str, sub: Option<&str>| AttrPath {
        extension: Some(old.id.clone()),
        name: name.to_owned(),
        sub: sub.map(str::to_owned),
    };
    for before in &old.attributes {
        let Some(after) = new.attribute(&before.name) else {
            all.push(Loss {
                of: Some(path(&before.name, None)),
                what: format!("{} is removed", before.name),
            });
            continue;
        };
        let mut say = |sub: Option<&str>, what: String| {
            all.push(Loss { of: Some(path(&before.name, sub)), what });
        };
        compare(before, after, &before.name, &mut |what| say(None, what));
        for part in &before.sub_attributes {
            let name = format!("{}.{}", before.name, part.name);
            match after.sub(&part.name) {
                Some(now) => compare(part, now, &name, &mut |what| say(Some(&part.name), what)),
                None => say(Some(&part.name), format!("{name} is removed")),
            }
        }
        for part in after.sub_attributes.iter().filter(|part| part.required) {
            // Every value of the attribute would have to have it.
            if before.sub(&part.name).is_none_or(|known| !known.required) {
                say(None, format!("{}.{} becomes required", before.name, part.name));
            }
        }
    }
    for after in new.attributes.iter().filter(|attribute| attribute.required) {
        if old.attribute(&after.name).is_none_or(|known| !known.required) {
            all.push(Loss { of: None, what: format!("{} becomes required", after.name) });
        }
    }
    all
}

/// Says what an attribute loses, but for being required, which is about those who do not have it.
fn compare(old: &Attribute, new: &Attribute, name: &str, lose: &mut dyn FnMut(String)) {
    if old.name != new.name {
        lose(format!("{name} is spelled {}", new.name));
    }
    if old.kind != new.kind {
        lose(format!("{name} changes its type from {} to {}", old.kind.as_str(), new.kind.as_str()));
    }
    if old.financial != new.financial {
        // The value is kept elsewhere, and may have been shown to others.
        let word = if new.financial { "financial" } else { "no longer financial" };
        lose(format!("{name} becomes {word}"));
    }
    if old.multi_valued != new.multi_valued {
        let word = if new.multi_valued { "a list" } else { "a single value" };
        lose(format!("{name} becomes {word}"));
    }
    if old.case_exact != new.case_exact {
        lose(format!("{name} changes caseExact"));
    }
    let opened = new.mutability == Mutability::ReadWrite && !old.is_secret();
    if old.mutability != new.mutability && !opened {
        lose(format!("{name} becomes {}", new.mutability.as_str()));
    }
    if new.returned == Returned::Never && old.returned != Returned::Never {
        lose(format!("{name} is no longer returned"));
    }
    if new.canonical == Canonical::Enforced {
        let was_closed = old.canonical == Canonical::Enforced;
        let kept = old.canonical_values.iter().all(|value| new.canonical_values.contains(value));
        if !was_closed || !kept {
            lose(format!("{name} takes fewer values"));
        }
    }
}

/// Lists the attributes by which resources are to be found from now on and were not before: each with whether its values are to be unique.
pub fn newly_keyed(old: &Schema, new: &Schema) -> Vec<(AttrPath, bool)> {
    let mut found = Vec::new();
    for after in &new.attributes {
        let before = old.attribute(&after.name);
        let parts = after
            .sub_attributes
            .iter()
            .map(|part| (part, before.and_then(|before| before.sub(&part.name)), Some(part.name.clone())));
        for (now, then, sub) in std::iter::once((after, before, None)).chain(parts) {
            // Nobody has a value of what is new.
            let Some(then) = then else { continue };
            let unique = |attribute: &Attribute| attribute.uniqueness != Uniqueness::None;
            let became_unique = unique(now) && !unique(then);
            // An attribute that was unique has keys, and needs entries of its own once it is only indexed.
            let became_indexed = now.indexed && !unique(now) && (!then.indexed || unique(then));
            if became_unique || became_indexed {
                let path = AttrPath { extension: Some(new.id.clone()), name: after.name.clone(), sub };
                found.push((path, became_unique));
            }
        }
    }
    found
}
