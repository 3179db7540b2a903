//! A catalogue of one's own: written, laid over a preset, otherwise for one tenant, and wrong.

use rosterd::config::{Config, DEFAULTS, Sources};
use rosterd::psa::catalogue::{Level, Reach};
use rosterd::psa::policy::GroupName;

use super::{decided, evaluate, preset, role, with_types};

/// Loads a file, and returns what is said of it, without its path.
fn problems(toml: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rosterd.toml");
    std::fs::write(&file, toml).unwrap();
    let path = format!("{}/", folder.path().display());
    let errors = Config::load(&Sources::default().file(file)).expect_err("this is wrong");
    errors.to_string().lines().map(|line| line.replace(&path, "")).collect()
}

const OWN: &str = r#"
[permissions.catalogue."ships.sail"]
scope = "cost-centre"
description = "Sail ships"
[permissions.bundles.captain]
grants = { "ships.*" = "all", "users.view" = "all" }
[permissions.classes.sailor]
caps = { "ships.sail" = "assigned" }
[[groups.map]]
connection = "okta"
display_name = "Bridge"
bundle = "captain"
[[groups.map]]
connection = "okta"
external_id = "00g1"
user_types = ["Captain"]
grants = [{ permission = "ships.sail", level = "own", cost_center = "North" }]
privileged = true
provisioned = true
"#;

#[test]
fn a_catalogue_of_ones_own_is_evaluated_like_a_preset() {
    let policy = decided(OWN, "acme");
    let sails = policy.catalogue.find("ships.sail").unwrap();
    assert_eq!(policy.catalogue.get(sails).unwrap().reach, Reach::CostCentre);
    let mut facts = with_types([role("captain")]);
    assert_eq!(evaluate(&policy.catalogue, &facts).level("ships.sail", None), Level::All);
    facts.class = Some("sailor".to_owned());
    assert_eq!(evaluate(&policy.catalogue, &facts).level("ships.sail", None), Level::Assigned);
    let [bridge, by_id] = &policy.group_maps[..] else { panic!("{:?}", policy.group_maps) };
    assert_eq!((bridge.bundle.as_deref(), bridge.privileged), (Some("captain"), false));
    assert_eq!(by_id.group, GroupName::External("00g1".to_owned()));
    assert_eq!(by_id.grants[0].cost_center.as_deref(), Some("North"));
    assert!(by_id.privileged && by_id.provisioned);
}

#[test]
fn what_is_written_goes_before_what_the_preset_says() {
    let policy = decided(
        "[permissions]\npreset = \"psohub\"\n[permissions.bundles.guest.grants]\n\"reports.view\" = \"own\"\n\
         [permissions.bundles.guest]\ndescription = \"Ours\"\n",
        "acme",
    );
    let guest = evaluate(&policy.catalogue, &with_types([role("guest")]));
    assert_eq!(
        (guest.level("reports.view", None), guest.level("projects.view", None)),
        (Level::Own, Level::Assigned)
    );
    assert_eq!(policy.catalogue.bundles["guest"].description, "Ours");
}

#[test]
fn a_tenant_that_chooses_another_preset_has_nothing_of_the_first() {
    let text =
        format!("{OWN}[tenants.acme.permissions]\npreset = \"heeros\"\n[tenants.beta.groups]\nmap = []\n")
            .replace(
                "\n[permissions.catalogue",
                "\n[permissions]\npreset = \"psohub\"\n[permissions.catalogue",
            );
    let acme = decided(&text, "acme");
    let everybody = decided(&text, "gamma");
    assert!(
        everybody.catalogue.bundles.contains_key("guest")
            && !everybody.catalogue.bundles.contains_key("basic")
    );
    assert!(acme.catalogue.bundles.contains_key("basic") && !acme.catalogue.bundles.contains_key("guest"));
    // What the installation itself wrote holds for both.
    assert!(acme.catalogue.find("ships.sail").is_some());
    assert_eq!((decided(&text, "beta").group_maps.len(), acme.group_maps.len()), (0, 2));
}

#[test]
fn every_preset_can_be_shown_and_read_again() {
    for name in rosterd::config::Preset::names() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rosterd.toml");
        std::fs::write(&file, format!("{OWN}[tenants.acme.permissions]\npreset = \"{name}\"\n")).unwrap();
        let config =
            Config::load(&Sources::default().file(&file)).unwrap_or_else(|errors| panic!("{name}: {errors}"));
        std::fs::write(&file, config.to_toml()).unwrap();
        assert_eq!(Config::load(&Sources::default().file(&file)).unwrap(), config, "{name}");
        assert!(DEFAULTS.contains(&format!("\"{name}\"")), "{name} is not documented");
        assert_ne!(preset(name).catalogue, preset("").catalogue);
    }
}

#[test]
fn r29_what_is_wrong_with_a_catalogue_is_named() {
    assert_eq!(
        problems("permissions.preset = \"harvest\""),
        [
            "rosterd.toml:1: permissions.preset: expected \"\" or \"heeros\" or \"projector\" or \"users-and-team\" or \
          \"psohub\" or \"accelo\", found \"harvest\""
        ]
    );
    assert_eq!(
        problems("[permissions.catalogue.\"ships.sail\"]\nscope = \"sea\"\ndescription = \"Sail\"\n"),
        [
            "rosterd.toml:1: permissions.catalogue: ships.sail.scope: expected \"global\" or \"cost-centre\", found \"sea\""
        ]
    );
    assert_eq!(
        problems(
            "[permissions.catalogue.\"ships.sail\"]\nscope = \"global\"\ndescription = \"Sail\"\ncolour = 1\n"
        ),
        [
            "rosterd.toml:1: permissions.catalogue: ships.sail.colour: unknown key \"colour\", expected one of: \
          scope, description, money, privileged, classes"
        ]
    );
    let wrong = "\
[permissions.catalogue.Ships]
scope = \"global\"
description = \"x\"
classes = [\"gold\"]
[permissions.bundles.captain.grants]
\"ship.*\" = \"all\"
\"ships.sail\" = \"all\"
[permissions.kinds.client]
\"rates\" = \"none\"
";
    let mut found = problems(wrong);
    found.sort();
    assert_eq!(
        found,
        [
            "rosterd.toml:1: permissions.catalogue: \"Ships\" is no key of a permission; write lower-case words with a \
             dot between, such as projects.view",
            "rosterd.toml:1: permissions.catalogue: Ships: there is no class \"gold\"; add it below \
             [permissions.classes], or leave it out here",
            "rosterd.toml:5: permissions.bundles: captain: there is no permission \"ship.*\"; add it below \
             [permissions.catalogue], or leave it out here",
            "rosterd.toml:5: permissions.bundles: captain: there is no permission \"ships.sail\"; add it below \
             [permissions.catalogue], or leave it out here",
            "rosterd.toml:8: permissions.kinds: there is no permission \"rates\"; add it below \
             [permissions.catalogue], or leave it out here",
        ]
    );
}

#[test]
fn r29_what_is_wrong_with_a_group_map_is_named_also_where_a_tenant_wrote_it() {
    let map = |inner: &str| format!("[[tenants.acme.groups.map]]\nconnection = \"okta\"\n{inner}");
    for (inner, said) in [
        ("bundle = \"x\"\n", "\"\": expected display_name or external_id; write one of them"),
        (
            "display_name = \"A\"\nexternal_id = \"B\"\ngrants = [{ permission = \"users.view\", level = \"all\" }]\n",
            "\"A\": expected display_name or external_id; write one of them",
        ),
        ("display_name = \"A\"\n", "\"A\" gives nothing; add bundle, user_types or grants, or leave it out"),
        (
            "display_name = \"A\"\nbundle = \"x\"\n",
            "\"A\": there is no bundle \"x\"; add it below [permissions.bundles]",
        ),
        (
            "display_name = \"A\"\ngrants = [{ permission = \"users.fly\", level = \"all\" }]\n",
            "\"A\": there is no permission \"users.fly\"; add it below [permissions.catalogue]",
        ),
        (
            "display_name = \"A\"\ngrants = [{ permission = \"audit.view\", level = \"all\", cost_center = \"N\" }]\n",
            "\"A\": audit.view is for the whole firm; leave cost_center out",
        ),
    ] {
        let found = problems(&map(inner));
        assert_eq!(found[0], format!("rosterd.toml:1: tenants.acme.groups.map: {said}"), "{found:?}");
    }
}
