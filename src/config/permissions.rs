//! `[permissions]` and `[groups]`: which permissions there are, what bundles and bounds them, what groups give.
//!
//! A preset is a file of settings, laid between the defaults and what the installation says. `config/presets/rosterd.toml`, what rosterd itself
//! asks for, lies below every preset. Knows nothing of who has a permission.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::known::shown;
use super::layer::Layer;
use super::problem::{Place, Problem};
use super::text::quoted;

/// Most permissions, bundles, classes or maps.
pub(super) const ENTRIES_MAX: usize = 1000;
/// Longest key of a permission, and longest name of a bundle or class.
const NAME_CHARACTERS_MAX: usize = 64;

/// What rosterd itself asks for.
const OWN: &str = include_str!("../../config/presets/rosterd.toml");

/// The rights that there are. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permissions {
    /// The product whose rights are taken over.
    pub preset: Preset,
    /// Whether an override may deny.
    pub deny: bool,
    /// Permissions by key.
    pub catalogue: BTreeMap<String, Permission>,
    /// Grants under a name.
    pub bundles: BTreeMap<String, Bundle>,
    /// Licence classes.
    pub classes: BTreeMap<String, Class>,
    /// The most that a kind of person may have.
    pub kinds: BTreeMap<Kind, Levels>,
}

/// Levels by permission, or by what several begin with (`rates.*`).
pub type Levels = BTreeMap<String, PermissionLevel>;

/// How far a permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PermissionLevel {
    /// Nowhere.
    None,
    /// What is one's own.
    Own,
    /// What one is assigned to as well.
    Assigned,
    /// Everything.
    All,
}

/// A kind of person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Employed.
    Employee,
    /// On a contract.
    Freelancer,
    /// Of a customer.
    Client,
}

/// A product whose rights are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preset {
    /// None: what rosterd itself asks for, and what is written here.
    #[serde(rename = "")]
    None,
    /// Heeros PSA.
    #[serde(rename = "heeros")]
    Heeros,
    /// Projector.
    #[serde(rename = "projector")]
    Projector,
    /// Users & Team, of a ticketing product.
    #[serde(rename = "users-and-team")]
    UsersAndTeam,
    /// PSOhub.
    #[serde(rename = "psohub")]
    Psohub,
    /// Accelo.
    #[serde(rename = "accelo")]
    Accelo,
}

impl Preset {
    /// Every preset, with its name and its settings.
    const EACH: [(Self, &'static str, &'static str); 5] = [
        (Self::Heeros, "heeros", include_str!("../../config/presets/heeros.toml")),
        (Self::Projector, "projector", include_str!("../../config/presets/projector.toml")),
        (Self::UsersAndTeam, "users-and-team", include_str!("../../config/presets/users-and-team.toml")),
        (Self::Psohub, "psohub", include_str!("../../config/presets/psohub.toml")),
        (Self::Accelo, "accelo", include_str!("../../config/presets/accelo.toml")),
    ];

    /// Names every preset.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::EACH.into_iter().map(|(_, name, _)| name)
    }
}

/// One permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// Whether it can be limited to a cost centre.
    pub scope: PermissionScope,
    /// What it allows.
    pub description: String,
    /// Whether it is only for those who see money.
    #[serde(default, skip_serializing_if = "is_false")]
    pub money: bool,
    /// The level from which on it gives power over others' rights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privileged: Option<PermissionLevel>,
    /// The licence classes that open it; every one if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

/// Whether a permission can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PermissionScope {
    /// For the whole firm or not at all.
    Global,
    /// To a cost centre and what lies below it.
    CostCentre,
}

/// Grants under a name, taken over by a user type's role or access level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// For whom it is.
    #[serde(default)]
    pub description: String,
    /// What it gives.
    pub grants: Levels,
    /// Turned off: it gives nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub off: bool,
}

/// A licence class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// For whom it is.
    #[serde(default)]
    pub description: String,
    /// What it gives.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grants: Levels,
    /// The most that everything together may give.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub caps: Levels,
    /// Not part of the plan: whoever has it may do nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub off: bool,
}

/// What groups give. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Groups {
    /// One entry a group.
    pub map: Vec<GroupMap>,
}

/// What a group gives to its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupMap {
    /// The connection whose group it is.
    pub connection: String,
    /// The group's `displayName`; this or `external_id`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// The `externalId` that the connection gave it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub external_id: String,
    /// The bundle that it gives.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub bundle: String,
    /// The user types that it gives, by `displayName` or `externalId`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_types: Vec<String>,
    /// What it gives beside them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<MappedGrant>,
    /// Marks it as one that gives power over others' rights, beyond those that are known to.
    #[serde(default, skip_serializing_if = "is_false")]
    pub privileged: bool,
    /// Whether an identity provider may make, rename and fill it although it is privileged.
    #[serde(default, skip_serializing_if = "is_false")]
    pub provisioned: bool,
}

/// A level of a permission, everywhere or at a cost centre.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappedGrant {
    /// The permission's key.
    pub permission: String,
    /// How far it goes.
    pub level: PermissionLevel,
    /// The cost centre, by `code`, `externalId` or `displayName`; everywhere if it is left out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cost_center: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over the field as it is")]
const fn is_false(truth: &bool) -> bool {
    !*truth
}

/// Returns what lies between the defaults and what is written: rosterd's own rights, and those of the preset that the highest layer names.
pub(super) fn beneath<'l>(layers: impl DoubleEndedIterator<Item = &'l Layer>) -> Result<Vec<Layer>, Problem> {
    let read = |text| Layer::of_toml(text, &|_| Place::Default);
    let mut beneath = vec![read(OWN)?];
    let chosen = layers.rev().find_map(|layer| layer.find("permissions.preset"));
    let chosen = chosen.and_then(|entry| entry.value.as_str().map(str::to_owned));
    if let Some((_, _, text)) = Preset::EACH.iter().find(|(_, name, _)| chosen.as_deref() == Some(*name)) {
        beneath.push(read(text)?);
    }
    Ok(beneath)
}

impl Permissions {
    /// `above` is what stands before the topic's name: nothing, or a tenant's.
    pub(super) fn check(&self, above: &str, found: &mut Findings) {
        let mut wrong = |key: &str, what: String, remedy: &str| {
            found.wrong(format!("{above}permissions.{key}"), what, remedy);
        };
        for (key, entries) in [
            ("catalogue", self.catalogue.len()),
            ("bundles", self.bundles.len()),
            ("classes", self.classes.len()),
        ] {
            if entries > ENTRIES_MAX {
                wrong(key, format!("{entries} entries, expected {ENTRIES_MAX} at most"), "leave some out");
                return;
            }
        }
        for (key, permission) in &self.catalogue {
            if !is_key(key) {
                let what = format!("{} is no key of a permission", quoted(key));
                wrong("catalogue", what, "write lower-case words with a dot between, such as projects.view");
            }
            for class in permission.classes.iter().filter(|class| !self.classes.contains_key(*class)) {
                let what = format!("{}: there is no class {}", shown(key), quoted(class));
                wrong("catalogue", what, "add it below [permissions.classes], or leave it out here");
            }
        }
        let bundles = self.bundles.keys().map(|name| ("bundles", name));
        for (key, name) in bundles.chain(self.classes.keys().map(|name| ("classes", name))) {
            if !is_name(name) {
                let what = format!("{} is no name", quoted(name));
                wrong(key, what, "write lower-case letters, digits and inner hyphens");
            }
        }
        let of_bundles = self.bundles.iter().map(|(name, bundle)| ("bundles", name.as_str(), &bundle.grants));
        let of_classes = self.classes.iter().flat_map(|(name, class)| {
            [("classes", name.as_str(), &class.grants), ("classes", name.as_str(), &class.caps)]
        });
        let of_kinds = self.kinds.values().map(|levels| ("kinds", "", levels));
        for (key, name, levels) in of_bundles.chain(of_classes).chain(of_kinds) {
            for pattern in levels.keys().filter(|pattern| !self.has(pattern)) {
                let place = if name.is_empty() { String::new() } else { format!("{}: ", shown(name)) };
                let what = format!("{place}there is no permission {}", quoted(pattern));
                wrong(key, what, "add it below [permissions.catalogue], or leave it out here");
            }
        }
    }

    /// Tells whether a key, or something that begins so, is in the catalogue.
    pub(super) fn has(&self, pattern: &str) -> bool {
        match pattern.strip_suffix('*') {
            Some("") => true,
            Some(prefix) => prefix.ends_with('.') && self.catalogue.keys().any(|key| key.starts_with(prefix)),
            None => self.catalogue.contains_key(pattern),
        }
    }
}

impl Groups {
    /// `above` is what stands before the topic's name: nothing, or a tenant's.
    pub(super) fn check(&self, above: &str, permissions: &Permissions, found: &mut Findings) {
        let key = format!("{above}groups.map");
        let mut wrong = |what: String, remedy: &str| found.wrong(key.clone(), what, remedy);
        if self.map.len() > ENTRIES_MAX {
            wrong(format!("{} entries, expected {ENTRIES_MAX} at most", self.map.len()), "leave some out");
            return;
        }
        for map in &self.map {
            let name = if map.display_name.is_empty() { &map.external_id } else { &map.display_name };
            let name = quoted(name);
            if map.display_name.is_empty() == map.external_id.is_empty() {
                wrong(format!("{name}: expected display_name or external_id"), "write one of them");
            }
            if !is_name(&map.connection) {
                let what = format!("{name}: no connection is named {}", quoted(&map.connection));
                wrong(what, "`rosterd connection list` shows them");
            }
            if map.bundle.is_empty() && map.user_types.is_empty() && map.grants.is_empty() {
                wrong(format!("{name} gives nothing"), "add bundle, user_types or grants, or leave it out");
            }
            if !map.bundle.is_empty() && !permissions.bundles.contains_key(&map.bundle) {
                let what = format!("{name}: there is no bundle {}", quoted(&map.bundle));
                wrong(what, "add it below [permissions.bundles]");
            }
            for grant in &map.grants {
                match permissions.catalogue.get(&grant.permission) {
                    None => {
                        let what = format!("{name}: there is no permission {}", quoted(&grant.permission));
                        wrong(what, "add it below [permissions.catalogue]");
                    }
                    Some(known)
                        if known.scope == PermissionScope::Global && !grant.cost_center.is_empty() =>
                    {
                        let what = format!("{name}: {} is for the whole firm", shown(&grant.permission));
                        wrong(what, "leave cost_center out");
                    }
                    Some(_) => {}
                }
            }
        }
    }
}

fn is_key(key: &str) -> bool {
    let is_word = |word: &str| word.starts_with(|first: char| first.is_ascii_lowercase()) && is_name(word);
    key.len() <= NAME_CHARACTERS_MAX && key.contains('.') && key.split('.').all(is_word)
}

pub(super) fn is_name(name: &str) -> bool {
    (1..=NAME_CHARACTERS_MAX).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !name.starts_with('-')
        && !name.ends_with('-')
}
