//! The permissions that there are in a tenant, and what bounds or bundles them. Plain data, made of settings.
//!
//! A permission is a key (`users.update`) with a level: none < own < assigned < all. [`OWN`] lists those that rosterd itself asks for; a
//! preset or the tenant's settings add those of the programs downstream. Licence classes and kinds of people bound what anything else
//! gives; bundles are what a user type takes over by the name of its role or access level. Knows nobody who has any of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The class of those who have no licence, or one that the catalogue does not know.
pub const NO_CLASS: &str = "none";
/// The word for all permissions, or for all below a prefix (`rates.*`).
const EVERY: &str = "*";

/// How far a permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nowhere.
    #[default]
    None,
    /// What is the person's own.
    Own,
    /// What the person is assigned to as well.
    Assigned,
    /// Everything.
    All,
}

impl Level {
    /// Every level, least first.
    pub const EACH: [Self; 4] = [Self::None, Self::Own, Self::Assigned, Self::All];

    /// Returns the level that is left when this one is taken away.
    #[must_use]
    pub const fn below(self) -> Self {
        match self {
            Self::None | Self::Own => Self::None,
            Self::Assigned => Self::Own,
            Self::All => Self::Assigned,
        }
    }

    /// Returns the name, as settings and resources write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Own => "own",
            Self::Assigned => "assigned",
            Self::All => "all",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::EACH.into_iter().find(|level| level.name() == name)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What kind of person somebody is (rows H01, P12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PersonKind {
    /// Somebody whom the firm employs.
    #[default]
    Employee,
    /// Somebody who works for the firm on a contract.
    Freelancer,
    /// Somebody of a customer's.
    Client,
}

/// Whether a permission can be given for some cost centres only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// It is for the whole firm or not at all.
    Global,
    /// It may be limited to a cost centre, and then holds for all below it.
    CostCentre,
}

/// One permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// Whether it can be limited to a cost centre.
    pub reach: Reach,
    /// What it allows, for people.
    pub description: String,
    /// Whether it is about money, and so only for those who see money (row A03).
    pub money: bool,
    /// The level from which on it gives power over others' rights (rows X20, X21); none when it never does.
    pub privileged: Option<Level>,
    /// The licence classes that open it (row A02); empty when every class does.
    pub classes: Vec<String>,
}

/// Levels by permission. A name that ends in `*` stands for all that begin so; the longest name that fits decides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Levels(BTreeMap<String, Level>);

impl Levels {
    /// Returns the level of a permission, if one of the names fits.
    pub fn of(&self, key: &str) -> Option<Level> {
        if let Some(level) = self.0.get(key) {
            return Some(*level);
        }
        let mut rest = key;
        while let Some((prefix, _)) = rest.rsplit_once('.') {
            if let Some(level) = self.0.get(&format!("{prefix}.{EVERY}")) {
                return Some(*level);
            }
            rest = prefix;
        }
        self.0.get(EVERY).copied()
    }

    /// Tells whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>> FromIterator<(N, Level)> for Levels {
    fn from_iter<I: IntoIterator<Item = (N, Level)>>(levels: I) -> Self {
        Self(levels.into_iter().map(|(name, level)| (name.into(), level)).collect())
    }
}

/// Grants under a name, that a user type takes over by its role or access level.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bundle {
    /// For whom it is.
    pub description: String,
    /// What it gives.
    pub grants: Levels,
    /// Turned off (row O06): it gives nothing.
    pub off: bool,
}

/// What a licence class gives, and the most that everything together may give to those who have it (row A01).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Class {
    /// For whom it is.
    pub description: String,
    /// What it gives.
    pub grants: Levels,
    /// The most that may be had; what is not named is not bounded.
    pub caps: Levels,
    /// Not part of the firm's plan (row A01): whoever has it may do nothing.
    pub off: bool,
}

/// The place of a permission in its catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PermissionId(pub(super) usize);

/// The permissions of a tenant, with what bounds and bundles them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    /// In order of key.
    permissions: Vec<(Box<str>, Permission)>,
    /// Whether an override may deny (row P16).
    pub deny: bool,
    /// Bundles by name.
    pub bundles: BTreeMap<String, Bundle>,
    /// Licence classes by name.
    pub classes: BTreeMap<String, Class>,
    /// The most that a kind of person may have.
    pub kinds: BTreeMap<PersonKind, Levels>,
}

/// What a grant or an override says that the catalogue cannot take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// There is no such permission.
    #[error("there is no permission \"{0}\"; the catalogue of the tenant lists what there is")]
    Unknown(String),
    /// A global permission was limited.
    #[error("\"{0}\" is for the whole firm; leave the cost centre out")]
    Global(String),
    /// Denying is not allowed.
    #[error("an override may only grant here; permissions.deny in the settings would allow to deny")]
    DenyOff,
}

impl Catalogue {
    /// Collects permissions; what bounds and bundles them is added by field.
    pub fn new<N: Into<String>>(permissions: impl IntoIterator<Item = (N, Permission)>) -> Self {
        let sorted: BTreeMap<String, Permission> =
            permissions.into_iter().map(|(key, permission)| (key.into(), permission)).collect();
        Self {
            permissions: sorted.into_iter().map(|(key, permission)| (key.into(), permission)).collect(),
            deny: true,
            bundles: BTreeMap::new(),
            classes: BTreeMap::new(),
            kinds: BTreeMap::new(),
        }
    }

    /// Finds a permission by its key.
    pub fn find(&self, key: &str) -> Option<PermissionId> {
        self.permissions.binary_search_by(|(known, _)| known.as_ref().cmp(key)).ok().map(PermissionId)
    }

    /// Returns a permission's key.
    pub fn key(&self, id: PermissionId) -> &str {
        self.permissions.get(id.0).map_or("", |(key, _)| key)
    }

    /// Returns a permission.
    pub fn get(&self, id: PermissionId) -> Option<&Permission> {
        self.permissions.get(id.0).map(|(_, permission)| permission)
    }

    /// Lists the permissions by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (PermissionId, &str, &Permission)> {
        let numbered = self.permissions.iter().enumerate();
        numbered.map(|(at, (key, permission))| (PermissionId(at), key.as_ref(), permission))
    }

    /// Returns how many permissions there are.
    pub fn len(&self) -> usize {
        self.permissions.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.permissions.is_empty()
    }

    /// Refuses a grant of a user type that could mean nothing.
    pub fn check_grant(&self, permission: &str, limited: bool) -> Result<(), GrantError> {
        let known = self.find(permission).and_then(|id| self.get(id));
        match known {
            None => Err(GrantError::Unknown(permission.to_owned())),
            Some(known) if limited && known.reach == Reach::Global => {
                Err(GrantError::Global(permission.to_owned()))
            }
            Some(_) => Ok(()),
        }
    }

    /// Refuses an override that could mean nothing, or that denies where nobody may.
    ///
    /// Only for new ones: an override that denies and is there already goes on to hold when denying is turned off.
    pub fn check_override(&self, permission: &str, limited: bool, denies: bool) -> Result<(), GrantError> {
        self.check_grant(permission, limited)?;
        if denies && !self.deny { Err(GrantError::DenyOff) } else { Ok(()) }
    }

    /// Tells whether a level of a permission gives power over others' rights (rows X20, X21).
    pub fn is_privileged(&self, permission: &str, level: Level) -> bool {
        let from = self.find(permission).and_then(|id| self.get(id)).and_then(|known| known.privileged);
        from.is_some_and(|from| level >= from)
    }

    /// Tells whether a bundle gives power over others' rights. One that is turned off may be turned on, so it counts.
    pub fn is_privileged_bundle(&self, name: &str) -> bool {
        let Some(bundle) = self.bundles.get(name) else { return false };
        self.iter()
            .any(|(_, key, _)| bundle.grants.of(key).is_some_and(|level| self.is_privileged(key, level)))
    }
}

/// What rosterd itself asks for: key, reach, the level from which on it gives power over others' rights, whether it is about money, and
/// what it allows. `config/presets/rosterd.toml` says the same.
pub const OWN: &[(&str, Reach, Option<Level>, bool, &str)] = {
    use Level::{All, Assigned, Own};
    use Reach::{CostCentre, Global};
    &[
        ("account.transfer", Global, Some(Own), false, "Hand the account over to another owner"),
        ("audit.view", Global, None, false, "Read and export the history"),
        ("connections.update", Global, Some(Own), false, "Change connections, their credentials and schemas"),
        ("groups.update", Global, Some(Own), false, "Change groups and their members"),
        ("groups.view", Global, None, false, "See groups and their members"),
        ("holds.update", Global, None, false, "Say that a program has records of a person"),
        (
            "kinds.update",
            Global,
            Some(Own),
            false,
            "Change user types, cost centres, templates, companies, clients and licences",
        ),
        (
            "kinds.view",
            Global,
            None,
            false,
            "See user types, cost centres, templates, companies, clients and licences",
        ),
        ("permissions.update", CostCentre, Some(Own), false, "Give and take user types and overrides"),
        ("permissions.view", CostCentre, None, false, "See what somebody may do, and why"),
        ("proxies.update", CostCentre, Some(Assigned), false, "Say who acts for somebody, and when"),
        ("rates.update", CostCentre, None, true, "Change cost and billing rates"),
        ("rates.view", CostCentre, None, true, "See cost and billing rates"),
        ("settings.update", Global, Some(Own), false, "Change how people sign in"),
        ("users.create", CostCentre, None, false, "Add and invite people"),
        ("users.delete", CostCentre, Some(All), false, "Remove people"),
        ("users.lock", CostCentre, Some(All), false, "Lock and unlock people"),
        ("users.password", CostCentre, Some(Assigned), false, "Set and reset passwords, end sessions"),
        ("users.update", CostCentre, Some(Assigned), false, "Change people"),
        ("users.view", CostCentre, None, false, "See people"),
    ]
};

impl Default for Catalogue {
    /// What there is without a preset: what rosterd asks for itself. People of customers may look at themselves, and have
    /// nothing of the management (row P12).
    fn default() -> Self {
        let own = OWN.iter().map(|(key, reach, privileged, money, description)| {
            let permission = Permission {
                reach: *reach,
                description: (*description).to_owned(),
                money: *money,
                privileged: *privileged,
                classes: Vec::new(),
            };
            (*key, permission)
        });
        let mut catalogue = Self::new(own);
        let most = [("*", Level::None), ("users.update", Level::Own), ("users.view", Level::Own)];
        catalogue.kinds.insert(PersonKind::Client, most.into_iter().collect());
        catalogue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_that_fits_decides() {
        let levels: Levels = [
            ("*", Level::All),
            ("rates.*", Level::None),
            ("rates.view", Level::Own),
            ("a.b.*", Level::Assigned),
        ]
        .into_iter()
        .collect();
        for (key, level) in [
            ("users.view", Level::All),
            ("rates.update", Level::None),
            ("rates.view", Level::Own),
            ("a.b.c.d", Level::Assigned),
            ("a.bb", Level::All),
        ] {
            assert_eq!(levels.of(key), Some(level), "{key}");
        }
        assert_eq!(Levels::default().of("users.view"), None);
    }

    #[test]
    fn x20_x21_power_over_others_rights_is_known() {
        let mut catalogue = Catalogue::default();
        for (key, level, privileged) in [
            ("users.update", Level::All, true),
            ("users.update", Level::Own, false),
            ("permissions.update", Level::Own, true),
            ("kinds.update", Level::All, true),
            ("users.view", Level::All, false),
            ("no.such", Level::All, false),
            ("permissions.update", Level::None, false),
        ] {
            assert_eq!(catalogue.is_privileged(key, level), privileged, "{key} {level}");
        }
        let bundle = |grants: &[(&str, Level)]| Bundle {
            grants: grants.iter().copied().collect(),
            ..Bundle::default()
        };
        catalogue.bundles.insert("all".to_owned(), bundle(&[("*", Level::All)]));
        catalogue
            .bundles
            .insert("looks".to_owned(), bundle(&[("*", Level::None), ("users.view", Level::All)]));
        assert!(catalogue.is_privileged_bundle("all"));
        assert!(!catalogue.is_privileged_bundle("looks"));
        assert!(!catalogue.is_privileged_bundle("no such"));
    }

    #[test]
    fn p16_a_grant_that_could_mean_nothing_is_refused() {
        let mut catalogue = Catalogue::default();
        assert_eq!(catalogue.check_grant("users.view", true), Ok(()));
        assert_eq!(catalogue.check_grant("audit.view", false), Ok(()));
        assert_eq!(catalogue.check_grant("audit.view", true), Err(GrantError::Global("audit.view".into())));
        assert_eq!(catalogue.check_grant("users.fly", false), Err(GrantError::Unknown("users.fly".into())));
        assert_eq!(catalogue.check_override("users.view", false, true), Ok(()));
        catalogue.deny = false;
        assert_eq!(catalogue.check_override("users.view", false, true), Err(GrantError::DenyOff));
        assert_eq!(catalogue.check_override("users.view", false, false), Ok(()));
    }
}
