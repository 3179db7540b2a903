//! What one tenant has otherwise: laid over what holds for everybody, checked like it, taken over by a reload.

use rosterd::config::{Config, Deprovision, Rehire, Reload, Sources};

use super::{Written, problems};

#[test]
fn a_key_that_a_tenant_leaves_out_means_what_holds_for_everybody() {
    let file = Written::toml(
        "[people]\nrehire = \"new\"\n[tenants.acme.people]\ndeprovision = \"lock\"\n[tenants.beta]\n",
    );
    let config = file.load().unwrap();
    let acme = &config.tenants["acme"].people;
    assert_eq!((acme.deprovision, acme.rehire), (Deprovision::Lock, Rehire::New));
    assert_eq!(config.people.deprovision, Deprovision::DeleteIfUnused);
    assert!(!config.tenants.contains_key("beta"), "nothing is otherwise there");
}

#[test]
fn a_tenants_settings_come_from_variables_and_flags_too() {
    let config = Written::toml(
        "[tenants.acme]\nsign_in = { password_characters_min = 9 }\npeople = { rehire = \"new\" }",
    )
    .variable("ROSTERD_TENANTS__ACME__SIGN_IN__PASSWORD_CHARACTERS_MIN", "10")
    .flag("--test", "tenants.acme.people.rehire", "resurrect")
    .load()
    .unwrap();
    let acme = &config.tenants["acme"];
    assert_eq!((acme.sign_in.password_characters_min, acme.people.rehire), (10, Rehire::Resurrect));
}

#[test]
fn r29_what_is_wrong_with_a_tenants_settings_is_named_with_its_line() {
    let text = "\
[tenants.acme.people]
deprovison = \"lock\"
rehire = \"maybe\"
time_zone = \"Mars/Olympus\"
[tenants.acme.sign_in]
password_characters_min = 7
[tenants.Acme.people]
rehire = \"new\"
[tenants.acme.server]
listen = \"127.0.0.1:1\"
[tenants.beta]
people = 5
";
    assert_eq!(
        problems(text),
        [
            "rosterd.toml:2: tenants.acme.people.deprovison: unknown key; \
             did you mean tenants.acme.people.deprovision?",
            "rosterd.toml:10: tenants.acme.server.listen: a tenant cannot have this otherwise; \
             expected one of: groups, people, permissions, sessions, sign_in",
            "rosterd.toml:8: tenants.Acme.people.rehire: no tenant can have this name; \
             expected 1 to 63 lower-case letters, digits and inner hyphens",
            "rosterd.toml:12: tenants.beta.people: unknown key; `rosterd config reference` lists the keys",
            "rosterd.toml:3: tenants.acme.people.rehire: expected \"resurrect\" or \"new\", found \"maybe\"",
            "rosterd.toml:4: tenants.acme.people.time_zone: expected the name of a time zone such as \
             Europe/Helsinki or UTC, found \"Mars/Olympus\"",
            "rosterd.toml:6: tenants.acme.sign_in.password_characters_min: expected 8 to 128, found 7",
        ]
    );
    assert_eq!(
        problems("tenants = 5"),
        ["rosterd.toml:1: tenants: expected a tenant's name and a topic; \
          write [tenants.NAME.people] with its keys below"]
    );
}

#[test]
fn what_is_wrong_for_everybody_is_said_once() {
    let tenant = "[tenants.acme.people]\nrehire = \"new\"\n";
    assert_eq!(
        problems(&format!("people.deprovision = \"shred\"\n{tenant}")),
        ["rosterd.toml:1: people.deprovision: expected \"delete-if-unused\" or \"lock\" or \"delete\", \
          found \"shred\""]
    );
    assert_eq!(
        problems(&format!("sign_in.password_characters_min = 1\n{tenant}")),
        ["rosterd.toml:1: sign_in.password_characters_min: expected 8 to 128, found 1"]
    );
}

#[test]
fn what_show_prints_of_tenants_means_the_same() {
    let file = Written::toml("[tenants.acme.people]\ndeprovision = \"lock\"\n");
    let config = file.load().unwrap();
    let shown = config.to_toml();
    assert!(shown.contains("\n[tenants.acme.people]\nauthority = []\ndeprovision = \"lock\"\n"), "{shown}");
    assert_eq!(Written::toml(&shown).load().unwrap(), config);
}

#[test]
fn r28_a_tenants_settings_take_effect_at_a_reload() {
    let before = Config::load(&Sources::default()).unwrap();
    let candidate = Written::toml("[tenants.acme.people]\ndeprovision = \"lock\"\n").load();
    let applied = Reload { current: &before, candidate: candidate.clone() }.apply().unwrap();
    assert_eq!(applied.config, candidate.clone().unwrap());
    assert!(applied.now.contains(&"tenants.acme.people.deprovision".to_owned()), "{:?}", applied.now);
    assert_eq!(applied.at_restart, Vec::<String>::new());
    // And back: what is no longer otherwise is as it is for everybody.
    let applied = Reload { current: &candidate.unwrap(), candidate: Ok(before.clone()) }.apply().unwrap();
    assert_eq!(applied.config, before);
    assert!(applied.now.contains(&"tenants.acme.people.deprovision".to_owned()), "{:?}", applied.now);
}

#[test]
fn r29_what_is_wrong_with_the_authority_of_a_connection_is_named_also_where_a_tenant_wrote_it() {
    let groups = "identity, status, contact, locale, organisation, roles, certificates, employment, user-types, \
                  license, schedule; or the URN of a schema of the tenant's own";
    for (entry, said) in [
        (
            "connection = \"okta\"\nwrites = [\"identity\", \"rates\"]\n",
            format!("\"okta\": there is no group of attributes \"rates\"; expected one of: {groups}"),
        ),
        (
            "connection = \"local\"\nwrites = []\n",
            "the connection \"local\" is bound by permissions alone; leave it out".to_owned(),
        ),
        (
            "connection = \"Okta!\"\nwrites = []\n",
            "no connection is named \"Okta!\"; `rosterd connection list` shows them".to_owned(),
        ),
        (
            "connection = \"a\"\nwrites = []\n[[tenants.acme.people.authority]]\nconnection = \"a\"\nwrites = [\"status\"]\n",
            "\"a\" stands there twice; write one entry with everything that it writes".to_owned(),
        ),
    ] {
        assert_eq!(
            problems(&format!("[[tenants.acme.people.authority]]\n{entry}")),
            [format!("rosterd.toml:1: tenants.acme.people.authority: {said}")]
        );
    }
    let file = Written::toml(
        "[[tenants.acme.people.authority]]\nconnection = \"okta\"\nwrites = [\"status\", \"urn:acme:User\"]\nstrict = true\n",
    );
    let config = file.load().unwrap();
    assert!(config.people.authority.is_empty());
    assert!(config.tenants["acme"].people.authority[0].strict);
}
