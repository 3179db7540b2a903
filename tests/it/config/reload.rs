//! R28: a reload takes the whole new configuration or nothing of it.

use rosterd::config::reload::WITHOUT_RESTART;
use rosterd::config::{Config, DEFAULTS, Reload, Sources};
use toml_edit::Document;

use super::Written;

const OLD_TLS: &str = "tls.cert_file = \"cert.pem\"\ntls.key_file = \"key.pem\"\n";

fn current() -> Config {
    Config::load(&Sources::default()).unwrap()
}

/// What a reload from `text` answers: the lines that would be logged.
fn refused(text: &str) -> String {
    let before = current();
    let file = Written::toml(text);
    let errors = Reload { current: &before, candidate: file.load() }.apply().unwrap_err();
    assert_eq!(before, current());
    errors.to_string().replace(&format!("{}/", file.path().parent().unwrap().display()), "")
}

#[test]
fn r28_a_file_that_is_not_toml_keeps_the_old_configuration() {
    let said = refused("[log]\nlevel = \"debug\"\n[tokens\n");
    assert!(said.starts_with("rosterd.toml:3: not TOML: "), "{said}");
}

#[test]
fn r28_an_unknown_key_keeps_the_old_configuration() {
    let said = refused("[log]\nlevel = \"debug\"\nlevle = \"debug\"\n");
    assert_eq!(said, "rosterd.toml:3: log.levle: unknown key; did you mean log.level?");
}

#[test]
fn r28_a_wrong_value_keeps_the_old_configuration() {
    let said = refused("[log]\nlevel = \"debug\"\n[tokens]\nlifetime_days = 0\n");
    assert_eq!(said, "rosterd.toml:4: tokens.lifetime_days: expected 1 to 3650, found 0");
}

#[test]
fn r28_keys_that_do_not_agree_keep_the_old_configuration() {
    let said = refused("[log]\nlevel = \"debug\"\n[tls]\nkey_file = \"key.pem\"\n");
    assert_eq!(said, "default: tls.cert_file: not set, but tls.key_file is; set both, or none");
}

#[test]
fn r28_what_changed_is_named_and_what_needs_a_restart_keeps_its_value() {
    let before = current();
    let text =
        "[log]\nlevel = \"debug\"\nformat = \"json\"\n[store]\nqueue_max = 9\n[tokens]\nlifetime_days = 30\n";
    let applied = Reload { current: &before, candidate: Written::toml(text).load() }.apply().unwrap();
    assert_eq!(applied.now, ["log.level", "tokens.lifetime_days"]);
    assert_eq!(applied.at_restart, ["log.format", "store.queue_max"]);
    assert_eq!(applied.config.tokens.lifetime_days, 30);
    assert_eq!(applied.config.store, before.store);
    assert_eq!(applied.config.log.format, before.log.format);
}

#[test]
fn r28_without_a_change_nothing_is_named() {
    let before = current();
    let applied = Reload { current: &before, candidate: Ok(before.clone()) }.apply().unwrap();
    assert_eq!((applied.now.len(), applied.at_restart.len()), (0, 0));
    assert_eq!(applied.config, before);
}

/// Another valid value for each key, to see for each whether a reload really takes it over.
fn another_value(key: &str, default: &toml_edit::Item) -> String {
    match (key, default.as_integer()) {
        (_, Some(number)) => (number + 1).to_string(),
        ("server.listen" | "admin.listen", _) => "\"127.0.0.1:9\"".to_owned(),
        ("server.public_url", _) => "\"https://scim.example.com\"".to_owned(),
        ("server.base_path", _) => "\"/other\"".to_owned(),
        ("server.cookie_domain", _) => {
            "\"example.com\"\nserver.public_url = \"https://id.example.com\"".to_owned()
        }
        ("server.trusted_proxies" | "net.allow", _) => "[\"10.0.0.1\"]".to_owned(),
        ("plugin_host.signing_keys", _) => {
            "[\"MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\"]".to_owned()
        }
        ("log.format", _) => "\"json\"".to_owned(),
        ("log.level", _) => "\"warn\"".to_owned(),
        ("groups.map", _) => "[{ connection = \"okta\", display_name = \"A\", \
             grants = [{ permission = \"users.view\", level = \"all\" }] }]"
            .to_owned(),
        ("permissions.preset", _) => "\"psohub\"".to_owned(),
        (
            "admin.by_session"
            | "admin.tokens_make_tokens"
            | "plugin_host.allow_unpinned"
            | "plugin_host.watch"
            | "sign_in.login_instructions",
            _,
        ) => "true".to_owned(),
        ("permissions.deny", _) => "false".to_owned(),
        ("permissions.catalogue", _) => "{ \"a.b\" = { scope = \"global\", description = \"\" } }".to_owned(),
        ("permissions.bundles", _) => "{ other = { grants = {} } }".to_owned(),
        ("permissions.classes", _) => "{ other = {} }".to_owned(),
        ("permissions.kinds", _) => "{ freelancer = { \"*\" = \"own\" } }".to_owned(),
        ("people.authority", _) => "[{ connection = \"okta\", writes = [\"identity\"] }]".to_owned(),
        ("people.deprovision", _) => "\"lock\"".to_owned(),
        ("people.rehire", _) => "\"new\"".to_owned(),
        ("people.time_zone", _) => "\"Europe/Helsinki\"".to_owned(),
        ("postgres.hosts", _) => "[\"127.0.0.1\"]".to_owned(),
        ("postgres.tls", _) => "\"none\"".to_owned(),
        ("store.engine", _) => "\"postgres\"\npostgres.hosts = [\"127.0.0.1\"]".to_owned(),
        ("mail.tls", _) => "\"tls\"".to_owned(),
        ("sign_in.method", _) => "\"sso\"".to_owned(),
        _ => "\"other\"".to_owned(),
    }
}

#[test]
fn r28_exactly_the_keys_that_are_said_to_take_effect_do() {
    let before = Written::toml(OLD_TLS).load().unwrap();
    let defaults = Document::parse(DEFAULTS).unwrap();
    for (topic, item) in defaults.iter() {
        for (name, default) in item.as_table().unwrap() {
            let key = format!("{topic}.{name}");
            let mut text = format!("{key} = {}\n", another_value(&key, default));
            match key.as_str() {
                "tls.cert_file" => text.push_str("tls.key_file = \"key.pem\"\n"),
                "mail.host" => text.push_str("mail.from = \"roster@acme.test\"\n"),
                "tls.key_file" => text.push_str("tls.cert_file = \"cert.pem\"\n"),
                _ => text.push_str(OLD_TLS),
            }
            let candidate = Written::toml(&text).load().unwrap_or_else(|errors| panic!("{key}: {errors}"));
            let applied = Reload { current: &before, candidate: Ok(candidate.clone()) }.apply().unwrap();
            let now = WITHOUT_RESTART.contains(&key.as_str());
            assert_eq!(applied.now.contains(&key), now, "{key}");
            assert_eq!(applied.at_restart.contains(&key), !now, "{key}");
            assert_eq!(&applied.config, if now { &candidate } else { &before }, "{key}");
        }
    }
}

#[test]
fn x65_a_reload_cannot_serve_plain_http_beyond_loopback_by_halves() {
    // Each is right for itself; but the listener stays where it is until a restart.
    let open = "server.listen = \"0.0.0.0:8443\"\nserver.public_url = \"https://scim.example.com\"\n";
    let before = Written::toml(&format!("{open}server.trusted_proxies = [\"10.0.0.1\"]")).load().unwrap();
    let errors = Reload { current: &before, candidate: Ok(current()) }.apply().unwrap_err();
    assert_eq!(
        errors.to_string(),
        "reload: server.listen: 0.0.0.0:8443 is beyond loopback, where plain HTTP is not served; \
         restart instead: some of the changes cannot take effect before"
    );
    // TLS does not go off under a listener that stays.
    let before = Written::toml(&format!("{open}{OLD_TLS}")).load().unwrap();
    let applied = Reload { current: &before, candidate: Ok(current()) }.apply().unwrap();
    assert_eq!(applied.config.tls, before.tls);
    assert_eq!(applied.at_restart, ["server.listen", "server.public_url", "tls.cert_file", "tls.key_file"]);
}
