//! Who may do what in each preset, as its product documents it: the settings, read and evaluated, without a daemon.

mod accelo;
mod heeros;
mod projector;
mod psohub;
mod settings;
mod users_and_team;

use std::sync::Arc;

use rosterd::app::policies;
use rosterd::config::{Config, Environment, Sources};
use rosterd::ids::ResourceId;
use rosterd::psa::catalogue::{Catalogue, Level, PersonKind};
use rosterd::psa::permission::{CostCenters, Effect, Effective, Facts, Grant, HeldGroup, HeldType, Override};
use rosterd::psa::policy::Policy;

/// Reads a file of settings, and returns what a tenant has decided by it.
fn decided(toml: &str, tenant: &str) -> Arc<Policy> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rosterd.toml");
    std::fs::write(&file, toml).unwrap();
    let sources = Sources::new(Environment::default()).file(file);
    let config = Config::load(&sources).unwrap_or_else(|errors| panic!("{errors}"));
    Arc::clone(policies(&config).of(tenant))
}

/// What a tenant has decided that chose a preset, and nothing else.
fn preset(name: &str) -> Arc<Policy> {
    decided(&format!("permissions.preset = \"{name}\""), "acme")
}

fn id(number: u8) -> ResourceId {
    let mut bytes = [0; 16];
    bytes[15] = number;
    ResourceId::from_bytes(bytes)
}

/// A firm: cost centre 1 holds 2 and 3, 2 holds 4.
fn firm() -> Arc<CostCenters> {
    let parents = [(1, None), (2, Some(1)), (3, Some(1)), (4, Some(2))];
    Arc::new(CostCenters::new(parents.map(|(node, parent): (u8, Option<u8>)| (id(node), parent.map(id)))))
}

fn evaluate(catalogue: &Arc<Catalogue>, facts: &Facts) -> Effective {
    Effective::of(catalogue, &firm(), facts)
}

/// A user type that takes a bundle over by its role.
fn role(bundle: &str) -> HeldType {
    HeldType {
        id: id(100),
        name: bundle.to_owned(),
        primary: true,
        cost_center: None,
        role: Some(bundle.to_owned()),
        access_level: None,
        license_class: None,
        grants: vec![],
    }
}

fn with_types(user_types: impl Into<Vec<HeldType>>) -> Facts {
    Facts { user_types: user_types.into(), ..Facts::default() }
}

fn grant(permission: &str, level: Level) -> Grant {
    Grant { permission: permission.to_owned(), level, cost_center: None }
}

fn group(number: u8, name: &str, grants: Vec<Grant>) -> HeldGroup {
    HeldGroup { id: id(number), name: name.to_owned(), bundle: None, grants, user_types: vec![] }
}

fn exception(permission: &str, effect: Effect, cost_center: Option<u8>) -> Override {
    Override { permission: permission.to_owned(), effect, level: None, cost_center: cost_center.map(id) }
}

/// Everybody in a preset keeps away from what rosterd asks for who has no right to it, and a client from the management whatever is given.
#[test]
fn p12_people_of_a_client_never_manage_anything_in_any_preset() {
    for name in rosterd::config::Preset::names() {
        let policy = preset(name);
        let everything = policy.catalogue.iter().map(|(_, key, _)| grant(key, Level::All)).collect();
        let facts = Facts {
            kind: PersonKind::Client,
            class: Some("administrator".to_owned()),
            administrator: true,
            groups: vec![group(9, "Everything", everything)],
            ..Facts::default()
        };
        let may = evaluate(&policy.catalogue, &facts);
        for (_, key, about) in policy.catalogue.iter() {
            let most = match key {
                "users.update" | "users.view" => Level::Own,
                "projects.view" | "time.approve" if name == "projector" => Level::Assigned,
                _ => Level::None,
            };
            assert_eq!(may.anywhere(key), most, "{name}: {key}");
            assert!(about.privileged.is_none_or(|from| may.anywhere(key) < from), "{name}: {key}");
        }
        assert!(!may.is_administrator(), "{name}");
    }
}

#[test]
fn a_preset_knows_what_rosterd_itself_asks_for_and_says_what_each_right_is() {
    for name in rosterd::config::Preset::names() {
        let policy = preset(name);
        for key in rosterd::psa::permission::permits::KEYS {
            assert!(policy.catalogue.find(key).is_some(), "{name}: {key}");
        }
        for (_, key, about) in policy.catalogue.iter() {
            assert!(about.description.len() > 5, "{name}: {key} is not explained");
        }
        // Power over others' rights stays known, whatever a preset says anew.
        for key in ["users.update", "permissions.update", "kinds.update", "settings.update", "groups.update"]
        {
            assert!(policy.catalogue.is_privileged(key, Level::All), "{name}: {key}");
        }
    }
}
