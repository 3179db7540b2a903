//! Which attributes of a person a connection may write (section 1 of the domain, "Who owns an attribute").
//!
//! Attributes come in groups with a name each, so that settings need not list them. Which group an attribute is in stands in one place,
//! [`AttributeGroup::of`]; a test holds it against the schemas that connections see. A schema of a tenant's own is a group by itself, named by its URN.

use std::collections::BTreeSet;

use crate::scim::urn;

/// A group of attributes of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttributeGroup {
    /// What they are called, and their picture.
    Identity,
    /// Whether they may come in.
    Status,
    /// How they are reached.
    Contact,
    /// Language, customs and time zone.
    Locale,
    /// Their place in the organisation, as the enterprise extension has it.
    Organisation,
    /// What they are called to elsewhere.
    Roles,
    /// What proves them.
    Certificates,
    /// As what, and under which template, they are employed.
    Employment,
    /// The primary user type, and where it holds.
    UserTypes,
    /// The licence that they take.
    License,
    /// From when and until when they are let in.
    Schedule,
}

impl AttributeGroup {
    /// Every group there is.
    pub const ALL: [Self; 11] = [
        Self::Identity,
        Self::Status,
        Self::Contact,
        Self::Locale,
        Self::Organisation,
        Self::Roles,
        Self::Certificates,
        Self::Employment,
        Self::UserTypes,
        Self::License,
        Self::Schedule,
    ];

    /// Returns the name by which settings know it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Status => "status",
            Self::Contact => "contact",
            Self::Locale => "locale",
            Self::Organisation => "organisation",
            Self::Roles => "roles",
            Self::Certificates => "certificates",
            Self::Employment => "employment",
            Self::UserTypes => "user-types",
            Self::License => "license",
            Self::Schedule => "schedule",
        }
    }

    /// Finds a group by its name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.as_str() == name)
    }

    /// Returns the group of an attribute, by the extension that defines it (`None` for the core schema).
    pub fn of(extension: Option<&str>, name: &str) -> Option<Self> {
        match extension {
            None => match name {
                "userName" | "name" | "displayName" | "nickName" | "profileUrl" | "photos" => {
                    Some(Self::Identity)
                }
                "active" => Some(Self::Status),
                "emails" | "phoneNumbers" | "ims" | "addresses" => Some(Self::Contact),
                "preferredLanguage" | "locale" | "timezone" => Some(Self::Locale),
                "title" | "userType" => Some(Self::Organisation),
                "roles" | "entitlements" => Some(Self::Roles),
                "x509Certificates" => Some(Self::Certificates),
                _ => None,
            },
            Some(id) if urn::same(id, urn::ENTERPRISE) => Some(Self::Organisation),
            Some(id) if urn::same(id, urn::PSA) => match name {
                "kind" | "employmentTemplate" => Some(Self::Employment),
                "primaryUserType" | "costCenter" => Some(Self::UserTypes),
                "license" => Some(Self::License),
                "activateOn" | "deactivateOn" => Some(Self::Schedule),
                _ => None,
            },
            Some(_) => None,
        }
    }
}

/// What one connection may write of people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Authority {
    /// The groups of attributes.
    pub groups: BTreeSet<AttributeGroup>,
    /// Schemas of the tenant's own, by their URN.
    pub schemas: Vec<String>,
    /// Whether a request that names anything else is refused, and not carried out without it.
    pub strict: bool,
}

impl Authority {
    /// Tells whether an attribute may be written. The `externalId` is the connection's own number for the person, and nobody else's matter.
    pub fn holds(&self, extension: Option<&str>, name: &str) -> bool {
        if extension.is_none() && name == "externalId" {
            return true;
        }
        match AttributeGroup::of(extension, name) {
            Some(group) => self.groups.contains(&group),
            None => extension.is_some_and(|id| self.schemas.iter().any(|known| urn::same(known, id))),
        }
    }

    /// Lists what may be written, as settings name it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(|group| group.as_str()).chain(self.schemas.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::KindId;
    use crate::psa::kinds;
    use crate::scim::schema::Mutability;

    #[test]
    fn every_attribute_that_a_connection_can_write_is_in_a_group_and_no_group_is_empty() {
        let seen = kinds::seen(&kinds::all(), false, false);
        let user = seen.by_id(KindId::USER).unwrap();
        let own: &[&str] = &["id", "meta", "schemas", "externalId", "password"];
        let of = |id: Option<&'static str>, schema: &crate::scim::schema::Schema| {
            let written = schema.attributes.iter().filter(|one| one.mutability != Mutability::ReadOnly);
            let names = written.map(|one| one.name.clone()).filter(|name| !own.contains(&name.as_str()));
            names.map(|name| (AttributeGroup::of(id, &name), name)).collect::<Vec<_>>()
        };
        let mut found = of(None, &user.core);
        for schema in &user.extensions {
            let id = [urn::ENTERPRISE, urn::PSA].into_iter().find(|id| *id == schema.id);
            found.extend(of(Some(id.unwrap_or("urn:of:nobody")), schema));
        }
        let without: Vec<_> = found.iter().filter(|(group, _)| group.is_none()).collect();
        assert!(without.is_empty(), "{without:?}");
        for group in AttributeGroup::ALL {
            assert!(found.iter().any(|(of, _)| *of == Some(group)), "{group:?} is empty");
            assert_eq!(AttributeGroup::by_name(group.as_str()), Some(group));
        }
    }

    #[test]
    fn a_schema_of_ones_own_is_held_by_its_urn_and_the_external_id_by_everybody() {
        let authority = Authority { schemas: vec!["urn:acme:User".to_owned()], ..Authority::default() };
        assert!(authority.holds(Some("URN:ACME:User"), "badge"));
        assert!(!authority.holds(Some("urn:other:User"), "badge"));
        assert!(authority.holds(None, "externalId"));
        assert!(!authority.holds(Some("urn:other:User"), "externalId"));
        assert!(!authority.holds(None, "userName"));
        assert!(!authority.holds(Some(crate::psa::urn::USER), "costRates"));
    }
}
