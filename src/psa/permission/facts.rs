//! What is known of a person, as far as rights follow from it. Made by whoever reads the store; plain data.

use crate::ids::ResourceId;
use crate::psa::catalogue::{Level, PersonKind};

/// What is known of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What kind of person it is.
    pub kind: PersonKind,
    /// The class of the licence that the person holds; without one, the primary user type's.
    pub class: Option<String>,
    /// Made by `rosterd admin create`.
    pub administrator: bool,
    /// May not see money (`financialVisibility: hoursOnly`, row A03).
    pub hours_only: bool,
    /// User types, primary and secondary.
    pub user_types: Vec<HeldType>,
    /// Groups that the settings map to rights.
    pub groups: Vec<HeldGroup>,
    /// Exceptions for this person.
    pub overrides: Vec<Override>,
}

/// A user type that a person has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldType {
    /// Which one.
    pub id: ResourceId,
    /// Its `displayName`.
    pub name: String,
    /// Whether it is the primary one.
    pub primary: bool,
    /// The cost centre to which the person has it limited (row P15).
    pub cost_center: Option<ResourceId>,
    /// Its role: a bundle.
    pub role: Option<String>,
    /// Its access level: a bundle.
    pub access_level: Option<String>,
    /// Its licence class.
    pub license_class: Option<String>,
    /// Its own grants.
    pub grants: Vec<Grant>,
}

/// A level of a permission, everywhere or at a cost centre and below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The permission's key.
    pub permission: String,
    /// How far it goes.
    pub level: Level,
    /// Where; everywhere if it is left out.
    pub cost_center: Option<ResourceId>,
}

/// A group of which the person is a member, with what the settings map to it (rows A04, X21).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldGroup {
    /// Which one.
    pub id: ResourceId,
    /// Its `displayName`.
    pub name: String,
    /// The bundle that it gives.
    pub bundle: Option<String>,
    /// Its grants.
    pub grants: Vec<Grant>,
    /// The user types that it gives.
    pub user_types: Vec<HeldType>,
}

/// An exception for one person (row P16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The permission's key.
    pub permission: String,
    /// Whether it gives or takes.
    pub effect: Effect,
    /// What a grant gives (all, if left out); the least that a deny takes away (own, and so everything, if left out).
    pub level: Option<Level>,
    /// Where; everywhere if it is left out.
    pub cost_center: Option<ResourceId>,
}

/// Whether an override gives or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It gives.
    Grant,
    /// It takes.
    Deny,
}
