//! From the words of `[permissions]` and `[groups]` to those of the evaluation.

use crate::config::permissions::{self, Kind, Levels as Named};
use crate::config::{Groups, PermissionLevel, PermissionScope, Permissions};
use crate::psa::catalogue::{Bundle, Catalogue, Class, Level, Levels, Permission, PersonKind, Reach};
use crate::psa::policy::{GroupMap, GroupName, MappedGrant};

/// The permissions of a tenant, with what bounds and bundles them.
pub(super) fn catalogue(settings: &Permissions) -> Catalogue {
    let permissions = settings.catalogue.iter().map(|(key, said)| (key.as_str(), permission(said)));
    let mut catalogue = Catalogue::new(permissions);
    catalogue.deny = settings.deny;
    let bundles = settings.bundles.iter().map(|(name, said)| {
        let bundle =
            Bundle { description: said.description.clone(), grants: levels(&said.grants), off: said.off };
        (name.clone(), bundle)
    });
    catalogue.bundles = bundles.collect();
    let classes = settings.classes.iter().map(|(name, said)| {
        let class = Class {
            description: said.description.clone(),
            grants: levels(&said.grants),
            caps: levels(&said.caps),
            off: said.off,
        };
        (name.clone(), class)
    });
    catalogue.classes = classes.collect();
    catalogue.kinds = settings.kinds.iter().map(|(name, most)| (kind(*name), levels(most))).collect();
    catalogue
}

/// What groups give.
pub(super) fn group_maps(settings: &Groups) -> Vec<GroupMap> {
    let optional = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let map = |said: &permissions::GroupMap| GroupMap {
        connection: said.connection.clone(),
        group: if said.external_id.is_empty() {
            GroupName::Display(said.display_name.clone())
        } else {
            GroupName::External(said.external_id.clone())
        },
        bundle: optional(&said.bundle),
        user_types: said.user_types.clone(),
        grants: said
            .grants
            .iter()
            .map(|grant| MappedGrant {
                permission: grant.permission.clone(),
                level: level(grant.level),
                cost_center: optional(&grant.cost_center),
            })
            .collect(),
        privileged: said.privileged,
        provisioned: said.provisioned,
    };
    settings.map.iter().map(map).collect()
}

fn permission(said: &permissions::Permission) -> Permission {
    Permission {
        reach: match said.scope {
            PermissionScope::Global => Reach::Global,
            PermissionScope::CostCentre => Reach::CostCentre,
        },
        description: said.description.clone(),
        money: said.money,
        // "none" is how a setting takes back what lies beneath it.
        privileged: said.privileged.map(level).filter(|from| *from > Level::None),
        classes: said.classes.clone(),
    }
}

fn levels(named: &Named) -> Levels {
    named.iter().map(|(name, said)| (name.as_str(), level(*said))).collect()
}

const fn level(said: PermissionLevel) -> Level {
    match said {
        PermissionLevel::None => Level::None,
        PermissionLevel::Own => Level::Own,
        PermissionLevel::Assigned => Level::Assigned,
        PermissionLevel::All => Level::All,
    }
}

const fn kind(said: Kind) -> PersonKind {
    match said {
        Kind::Employee => PersonKind::Employee,
        Kind::Freelancer => PersonKind::Freelancer,
        Kind::Client => PersonKind::Client,
    }
}
