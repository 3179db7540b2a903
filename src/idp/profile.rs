//! What differs between identity providers: a profile is a list of answers, nothing else.

use super::providers;
use crate::scim::policy::Policy;

/// What happens to an attribute the schema does not know (S33).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// Kept beside the document, for audit and mapping; never answered.
    Keep,
    /// Left out of bodies; refused in PATCH paths.
    Ignore,
    /// Refused.
    Refuse,
}

/// Whether values of a wrong but obvious type are put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Types {
    /// Wrong types are refused.
    Exact,
    /// Strings for booleans, numbers for strings, strings for complex values, single values for lists.
    Coerce,
}

/// What an empty string means for an attribute that is not required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// An empty string.
    Value,
    /// No value.
    Unassigned,
}

/// Whether a body must say which schemas it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schemas {
    /// 400 invalidSyntax without it.
    Required,
    /// The endpoint says enough.
    Optional,
}

/// What a PUT does to attributes it does not mention (S102).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOmitted {
    /// They are unassigned.
    Clear,
    /// They are unassigned, but for `externalId`: it is how the provider knows whom it means, and bodies without it have
    /// been seen (D-K4). Only an explicit `null` clears it.
    ClearButExternalId,
    /// They stay.
    Keep,
}

/// What happens when a group gets a member that does not exist (S131).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownMember {
    /// 400 invalidValue, and nothing is applied.
    Refuse,
    /// The others are applied, and the audit tells.
    Skip,
}

/// Whether two groups of one connection may bear one name (D-E11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupNames {
    /// Any number.
    Free,
    /// 409 uniqueness.
    Unique,
}

/// What a removal without a path means (S117).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoveWithoutPath {
    /// 400 noTarget.
    Refuse,
    /// What the value lists goes.
    Listed,
}

/// What a list of groups is to somebody who may not read groups (D-E1, D-A7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupsOff {
    /// 403.
    Forbidden,
    /// Empty: identity providers test the endpoint also where groups are not to be provisioned.
    Empty,
}

/// How filters must be written, those in the paths of a PATCH as well (S71).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filters {
    /// By the grammar of RFC 7644 §3.4.2.2.
    Grammar,
    /// As they have been seen: a part behind its brackets, texts without quotes, values of a wrong but obvious type, blanks anywhere.
    Seen,
}

/// The leniencies of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// Its name on the command line and in the store.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// How the User-Agent of its requests begins, as far as is known. It only suggests a profile to the administrator: anybody can
    /// send it, so behaviour never depends on it.
    pub agents: &'static [&'static str],
    /// See [`Policy`].
    pub policy: Policy,
    /// See [`Unknown`].
    pub unknown: Unknown,
    /// See [`Types`].
    pub types: Types,
    /// See [`Empty`].
    pub empty: Empty,
    /// See [`Schemas`].
    pub schemas: Schemas,
    /// See [`PutOmitted`].
    pub put_omitted: PutOmitted,
    /// See [`UnknownMember`].
    pub unknown_member: UnknownMember,
    /// See [`GroupNames`].
    pub group_names: GroupNames,
    /// See [`RemoveWithoutPath`].
    pub remove_without_path: RemoveWithoutPath,
    /// See [`GroupsOff`].
    pub groups_off: GroupsOff,
    /// See [`Filters`].
    pub filters: Filters,
}

/// Safe for every identity provider at once: the default.
pub const AUTO: Profile = Profile {
    name: "auto",
    title: "any identity provider",
    agents: &[],
    policy: Policy::AUTO,
    unknown: Unknown::Keep,
    types: Types::Coerce,
    empty: Empty::Unassigned,
    schemas: Schemas::Optional,
    put_omitted: PutOmitted::ClearButExternalId,
    unknown_member: UnknownMember::Skip,
    group_names: GroupNames::Unique,
    remove_without_path: RemoveWithoutPath::Listed,
    groups_off: GroupsOff::Empty,
    filters: Filters::Seen,
};

/// The RFC and nothing beside it.
pub const STRICT: Profile = Profile {
    name: "strict",
    title: "RFC 7644 to the letter",
    agents: &[],
    policy: Policy::STRICT,
    unknown: Unknown::Ignore,
    types: Types::Exact,
    empty: Empty::Value,
    schemas: Schemas::Required,
    put_omitted: PutOmitted::Clear,
    unknown_member: UnknownMember::Refuse,
    group_names: GroupNames::Free,
    remove_without_path: RemoveWithoutPath::Refuse,
    groups_off: GroupsOff::Forbidden,
    filters: Filters::Grammar,
};

impl Profile {
    /// Every profile there is.
    pub const ALL: [&'static Self; 12] = [
        &AUTO,
        &STRICT,
        &providers::OKTA,
        &providers::ENTRA,
        &providers::ONELOGIN,
        &providers::JUMPCLOUD,
        &providers::GOOGLE,
        &providers::PING,
        &providers::RIPPLING,
        &providers::AUTHENTIK,
        &providers::KEYCLOAK,
        &providers::SAILPOINT,
    ];

    /// Suggests a profile from a User-Agent, for the administrator to choose.
    pub fn suggested_by(agent: &str) -> Option<&'static Self> {
        let begins =
            |start: &&str| agent.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
        Self::ALL.into_iter().find(|profile| profile.agents.iter().any(begins))
    }

    /// Tells whether a message without its schema is refused.
    pub fn requires_schemas(&self) -> bool {
        self.schemas == Schemas::Required
    }

    /// Tells whether a path to an attribute that nobody knows is refused rather than ignored (S33, S84).
    pub fn refuses_unknown_paths(&self) -> bool {
        self.unknown != Unknown::Keep
    }

    /// Tells whether filters beyond the grammar are refused.
    pub fn holds_filters_to_the_grammar(&self) -> bool {
        self.filters == Filters::Grammar
    }

    /// Finds a profile by name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|profile| profile.name == name)
    }
}
