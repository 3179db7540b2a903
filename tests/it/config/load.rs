//! What holds when sources differ, and what is said of mistakes.

use proptest::prelude::*;
use rosterd::config::{Config, DEFAULTS, Environment, Level, Place, Sources};

use super::{Written, problems};

#[test]
fn without_sources_the_defaults_hold() {
    let config = Config::load(&Sources::default()).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.admin.socket_path(&config.data).to_string_lossy(), "data/admin.sock");
    assert_eq!(config.server.base_url(&config.tls, config.server.listen), "http://127.0.0.1:8080/scim/v2");
    assert!(!config.tls.is_on());
}

#[test]
fn a_flag_goes_before_a_variable_before_the_file_before_the_default() {
    let file = Written::toml("log.level = \"error\"\nstore.queue_max = 7\n[tokens]\nlifetime_days = 7\n");
    let config = file
        .variable("ROSTERD_LOG__LEVEL", "warn")
        .variable("ROSTERD_STORE__QUEUE_MAX", "8")
        .flag("--log-level", "log.level", "debug")
        .load()
        .unwrap();
    assert_eq!((config.log.level, config.store.queue_max), (Level::Debug, 8));
    assert_eq!(config.tokens.lifetime_days, 7);
}

#[test]
fn the_variable_rosterd_config_names_the_file_unless_a_flag_does() {
    let (one, other) = (Written::toml("store.queue_max = 1"), Written::toml("store.queue_max = 2"));
    let environment: Environment = [("ROSTERD_CONFIG", one.path().to_str().unwrap())].into_iter().collect();
    let by_variable = Sources::new(environment);
    assert_eq!(Config::load(&by_variable).unwrap().store.queue_max, 1);
    assert_eq!(Config::load(&by_variable.file(other.path())).unwrap().store.queue_max, 2);
}

#[test]
fn lists_are_written_with_commas_in_variables() {
    let file = Written::toml("").variable("ROSTERD_SERVER__TRUSTED_PROXIES", "10.0.0.1, fd00::/16");
    assert_eq!(file.load().unwrap().server.trusted_proxies.len(), 2);
    let none = Written::toml("server.trusted_proxies = [\"10.0.0.1\"]");
    let config = none.variable("ROSTERD_SERVER__TRUSTED_PROXIES", "").load().unwrap();
    assert_eq!(config.server.trusted_proxies, []);
}

#[test]
fn a_number_in_a_variable_is_a_text_where_a_text_is_expected() {
    let config = Written::toml("").variable("ROSTERD_DATA__DIR", "2026").load().unwrap();
    assert_eq!(config.data.dir.to_str(), Some("2026"));
}

#[test]
fn r29_unknown_keys_are_named_with_file_line_and_the_key_that_was_meant() {
    let text = "\
[server]
# a comment
listne = \"127.0.0.1:1\"
listen = \"127.0.0.1:1\"
[log]
queue_max = 5
colour = true
[sever]
listen = \"127.0.0.1:2\"
connections_max = 5
";
    assert_eq!(
        problems(text),
        [
            "rosterd.toml:3: server.listne: unknown key; did you mean server.listen?",
            "rosterd.toml:6: log.queue_max: unknown key; did you mean store.queue_max?",
            "rosterd.toml:7: log.colour: unknown key; `rosterd config reference` lists the keys",
            "rosterd.toml:9: sever.listen: there is no topic [sever]; did you mean [server]?",
        ]
    );
}

#[test]
fn r29_keys_outside_and_below_their_topic_are_unknown() {
    assert_eq!(
        problems("head_timeout_ms = 5\n[server.listen]\naddress = \"127.0.0.1\"\n[tls]\n"),
        [
            "rosterd.toml:1: head_timeout_ms: unknown key; did you mean server.head_timeout_ms?",
            "rosterd.toml:2: server.listen: expected a text in quotes, found a table",
        ]
    );
    assert_eq!(
        problems("server = 5\n[[data]]\ndir = \"x\"\n"),
        [
            "rosterd.toml:1: server: expected a topic: a line [server] with its keys below",
            "rosterd.toml:2: data: expected a topic: a line [data] with its keys below",
        ]
    );
}

#[test]
fn r29_unknown_variables_are_errors() {
    let file = Written::toml("")
        .variable("ROSTERD_SERVER__LISTNE", "127.0.0.1:1")
        .variable("ROSTERD_LISTEN", "127.0.0.1:1")
        .variable("ROSTERD_server__listen", "127.0.0.1:1")
        .variable("LISTEN", "ours begin with ROSTERD_");
    assert_eq!(
        file.problems(),
        [
            "variable ROSTERD_LISTEN: no setting has this variable; `rosterd config reference` lists the keys",
            "variable ROSTERD_SERVER__LISTNE: no setting has this variable; did you mean ROSTERD_SERVER__LISTEN?",
            "variable ROSTERD_server__listen: no setting has this variable; did you mean ROSTERD_SERVER__LISTEN?",
        ]
    );
}

#[test]
fn r29_every_wrong_value_is_reported_and_not_only_the_first() {
    let file = Written::toml(
        "\
[server]
listen = \"localhost:8080\"
connections_max = \"many\"
head_timeout_ms = -1
idle_timeout_ms = 99
trusted_proxies = [\"10.0.0.1\", \"0.0.0.0/0\"]
[store]
engine = \"sqlite\"
[tls]
cert_file = 5
",
    )
    .variable("ROSTERD_TOKENS__LIFETIME_DAYS", "soon")
    .flag("--data", "data.dir", "");
    let mut found = file.problems();
    found.sort();
    assert_eq!(
        found,
        [
            "flag --data: data.dir: expected a path, found \"\"",
            "rosterd.toml:10: tls.cert_file: expected a text in quotes, found 5",
            "rosterd.toml:2: server.listen: expected an IP address and a port such as 127.0.0.1:8080 or \
             [::1]:8080, found \"localhost:8080\"",
            "rosterd.toml:3: server.connections_max: expected a whole number, found \"many\"",
            "rosterd.toml:4: server.head_timeout_ms: expected a whole number, found -1",
            "rosterd.toml:5: server.idle_timeout_ms: expected 100 to 3600000, found 99",
            "rosterd.toml:6: server.trusted_proxies: expected a network of /8 or narrower, found \"0.0.0.0/0\"",
            "rosterd.toml:8: store.engine: expected \"redb\" or \"sled\" or \"postgres\", found \"sqlite\"",
            "variable ROSTERD_TOKENS__LIFETIME_DAYS: tokens.lifetime_days: expected a whole number, found \"soon\"",
        ]
    );
}

#[test]
fn r29_a_file_that_is_not_toml_is_named_with_its_line() {
    for (text, begins) in [
        ("[server]\nlisten = \n", "rosterd.toml:2: not TOML: "),
        ("[server]\n\nlisten = \"a\"\nlisten = \"b\"\n", "rosterd.toml:4: not TOML: "),
        ("[server\n", "rosterd.toml:1: not TOML: "),
    ] {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(begins), "{found:?}");
    }
}

#[test]
fn r29_a_file_that_cannot_be_read_is_named() {
    let file = Written::toml("");
    std::fs::remove_file(file.path()).unwrap();
    assert_eq!(
        file.problems(),
        ["rosterd.toml: the configuration file cannot be read: No such file or directory (os error 2); \
          see --config and ROSTERD_CONFIG, which name it"]
    );
    std::fs::write(file.path(), b"[log]\nlevel = \"\xff\"\n").unwrap();
    assert_eq!(file.problems(), ["rosterd.toml: not UTF-8 after byte 15; save the file as UTF-8"]);
    std::fs::write(file.path(), vec![b'#'; (1 << 20) + 1]).unwrap();
    assert_eq!(
        file.problems(),
        ["rosterd.toml: the configuration file is longer than 1048576 bytes; is it the right file?"]
    );
}

#[test]
fn x61_the_text_of_a_broken_file_is_not_repeated() {
    for text in ["token = hunter2", "[server]\nlisten = \"127.0.0.1:1\n secret = \"hunter2\"", "hunter2"] {
        let found = problems(text).concat();
        assert!(!found.contains("hunter2"), "{found}");
    }
    let found = problems("[server]\npublic_url = \"https://ada:hunter2@example.com\"").concat();
    assert!(!found.contains("hunter2"), "{found}");
}

#[test]
fn x65_plain_http_beyond_loopback_needs_tls_or_trusted_proxies() {
    let open = "[server]\nlisten = \"0.0.0.0:8080\"\npublic_url = \"https://scim.example.com\"\n";
    assert_eq!(
        problems(open),
        ["rosterd.toml:2: server.listen: 0.0.0.0:8080 is beyond loopback, where plain HTTP is not served; \
          set tls.cert_file and tls.key_file, or name the proxies that end TLS in server.trusted_proxies"]
    );
    Written::toml(&format!("{open}trusted_proxies = [\"10.0.0.0/8\"]")).load().unwrap();
    Written::toml(&format!("{open}[tls]\ncert_file = \"a\"\nkey_file = \"b\"")).load().unwrap();
}

#[test]
fn x65_the_administrators_listener_stays_on_loopback_without_a_proxy_even_with_tls() {
    let text = "[admin]\nlisten = \"[::]:8081\"\n[tls]\ncert_file = \"a\"\nkey_file = \"b\"";
    assert_eq!(
        problems(text),
        ["rosterd.toml:2: admin.listen: [::]:8081 is beyond loopback, where plain HTTP is not served; \
          use 127.0.0.1, or name the proxies that end TLS in server.trusted_proxies"]
    );
}

#[test]
fn x6_sessions_that_administer_are_shown_to_no_other_host() {
    let on = "[admin]\nby_session = true\n";
    Written::toml(on).load().unwrap();
    assert_eq!(
        problems(&format!(
            "{on}[server]\npublic_url = \"https://id.acme.example\"\ncookie_domain = \"acme.example\""
        )),
        [
            "rosterd.toml:2: admin.by_session: on, but server.cookie_domain shows the sessions of administrators to every host of \
          acme.example; leave server.cookie_domain out, or have administrators use tokens"
        ]
    );
}

#[test]
fn x37_beyond_loopback_the_public_url_must_be_known() {
    let text = "[server]\nlisten = \"0.0.0.0:8080\"\ntrusted_proxies = [\"10.0.0.1\"]";
    assert_eq!(
        problems(text),
        ["default: server.public_url: not set, and 0.0.0.0:8080 tells no client where to find the server; \
          set it to the URL that clients use, such as https://scim.example.com"]
    );
}

#[test]
fn keys_that_must_agree_are_compared() {
    assert_eq!(
        problems("[tls]\ncert_file = \"a\""),
        ["default: tls.key_file: not set, but tls.cert_file is; set both, or none"]
    );
    assert_eq!(
        problems("[tls]\ncert_file = \"a\"\nkey_file = \"b\"\n[server]\npublic_url = \"http://localhost\""),
        ["rosterd.toml:5: server.public_url: expected https, because TLS is on, found http; write https://"]
    );
    assert_eq!(
        problems("[server]\nbody_bytes_max = 33554432"),
        ["default: server.body_bytes_large_max: expected at least server.body_bytes_max (33554432); \
          raise it, or lower server.body_bytes_max"]
    );
    assert_eq!(
        problems("[server]\nbody_bytes_in_flight_max = 1048576"),
        ["rosterd.toml:2: server.body_bytes_in_flight_max: expected at least server.body_bytes_large_max \
          (16777216); raise it, or lower server.body_bytes_large_max"]
    );
    assert_eq!(
        problems("[admin]\nlisten = \"127.0.0.1:8080\""),
        ["rosterd.toml:2: admin.listen: 127.0.0.1:8080 is the public listener's address too; \
          give it a port of its own"]
    );
    Written::toml("server.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"").load().unwrap();
}

#[test]
fn r35_a_hostile_file_is_refused_and_does_no_harm() {
    let deep = 100_000;
    for text in [
        format!("server.{}x = 1", "a.".repeat(deep)),
        format!("[{}x]\ny = 1", "a.".repeat(deep)),
        format!("x = {}", "[".repeat(deep)),
        format!("x = {}", "{a=".repeat(deep)),
        format!("x = {}1{}", "[".repeat(60), "]".repeat(60)),
        format!("x = \"{}\"", "a".repeat(900_000)),
        format!("[log]\nlevel = \"{}\"", "\\u001b[31m".repeat(20_000)),
        format!("{} = 1", "a".repeat(900_000)),
        format!("[log]\n\"{}\" = 1", "\\u001b\\n".repeat(20_000)),
        format!("[{}]\nlevel = 1", "a".repeat(900_000)),
        "\u{feff}\u{feff}[log]".to_owned(),
        "\0".to_owned(),
    ] {
        let found = problems(&text).join("\n");
        let start: String = text.chars().take(40).collect();
        assert!(found.len() < 1_000, "{start}: a message of {} bytes", found.len());
        assert!(!found.contains('\u{1b}'), "{start}: {found}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// The defaults with a few bytes changed are taken or refused, and never do harm; what is refused has a place.
    #[test]
    fn r35_a_damaged_file_is_taken_or_refused_with_its_place(
        damage in proptest::collection::vec((0..DEFAULTS.len(), any::<u8>()), 1..6)
    ) {
        let mut bytes = DEFAULTS.as_bytes().to_vec();
        for (at, byte) in damage {
            bytes[at] = byte;
        }
        let file = Written::toml("");
        std::fs::write(file.path(), bytes).unwrap();
        if let Err(errors) = file.load() {
            for problem in errors.problems() {
                prop_assert!(!matches!(problem.place, Place::Flag(_) | Place::Variable(_)), "{}", problem);
            }
        }
    }
}
