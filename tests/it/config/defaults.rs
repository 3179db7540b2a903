//! `config/default.toml` says what is so: its keys are the structs' keys, its ranges the ranges that are checked.

use std::collections::BTreeSet;

use rosterd::config::reload::WITHOUT_RESTART;
use rosterd::config::{Config, DEFAULTS, Sources, reference};
use toml_edit::{Document, Item};

use super::{Written, problems};

/// Every key of a TOML text, with its value.
fn keys(text: &str) -> Vec<(String, Item)> {
    let document = Document::parse(text).unwrap();
    let topics = document.iter().flat_map(|(topic, item)| {
        let keys = item.as_table().unwrap().iter();
        keys.map(move |(key, item)| (format!("{topic}.{key}"), item.clone())).collect::<Vec<_>>()
    });
    topics.collect()
}

fn names(text: &str) -> BTreeSet<String> {
    keys(text).into_iter().map(|(key, _)| key).collect()
}

#[test]
fn the_defaults_hold_exactly_the_keys_of_the_structs() {
    // A key that only the file has is refused as unknown; one that only a struct has would be missing.
    let config = Config::load(&Sources::default()).unwrap();
    assert_eq!(names(&config.to_toml()), names(DEFAULTS));
}

#[test]
fn what_show_prints_is_a_configuration_that_means_the_same() {
    let config = Written::toml(include_str!("../../../config/example.toml")).load().unwrap();
    assert_eq!(Written::toml(&config.to_toml()).load().unwrap(), config);
    let defaults = Config::load(&Sources::default()).unwrap();
    assert_eq!(Written::toml(DEFAULTS).load().unwrap(), defaults);
}

#[test]
fn every_key_is_explained() {
    let reference = reference();
    for (key, item) in keys(DEFAULTS) {
        let row = reference.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
        let cells: Vec<&str> = row.unwrap_or_else(|| panic!("no row for {key}")).split(" | ").collect();
        assert_eq!(cells.len(), 6, "{cells:?}");
        assert_eq!(cells[3], format!("`{}`", item.to_string().trim()), "{key}");
        let meaning = cells[5].trim_end_matches(" |");
        assert!(meaning.ends_with('.') && meaning.len() > 10, "{key}: {meaning}");
    }
    assert!(reference.contains("\n## `[tls]`\n\nTLS of the public listener."), "{reference}");
}

/// Reads "1 to 100" out of a meaning.
fn range_in(meaning: &str) -> Option<(i64, i64)> {
    let words: Vec<&str> = meaning.split_whitespace().collect();
    words.windows(3).find_map(|three| {
        let number = |word: &str| word.trim_end_matches(['.', ',']).parse::<i64>().ok();
        (three[1] == "to").then(|| Some((number(three[0])?, number(three[2])?)))?
    })
}

#[test]
fn the_ranges_that_are_documented_are_the_ranges_that_are_checked() {
    let reference = reference();
    for (key, item) in keys(DEFAULTS) {
        if !item.is_integer() {
            continue;
        }
        let row = reference.lines().find(|line| line.starts_with(&format!("| `{key}` |"))).unwrap();
        let (least, most) = range_in(row).unwrap_or_else(|| panic!("{key}: no range in its comment"));
        let refusal =
            |value: i64| format!("rosterd.toml:1: {key}: expected {least} to {most}, found {value}");
        assert_eq!(problems(&format!("{key} = {}", most + 1)), [refusal(most + 1)]);
        if least > 0 {
            assert_eq!(problems(&format!("{key} = {}", least - 1)), [refusal(least - 1)]);
        }
        for value in [least, most] {
            // Other keys may object to a value at the edge; the range must not.
            let said = Written::toml(&format!("{key} = {value}")).load().err().map(|e| e.to_string());
            assert!(!said.clone().unwrap_or_default().contains(&refusal(value)), "{key} = {value}: {said:?}");
        }
    }
}

#[test]
fn numbers_with_a_dimension_name_it() {
    let dimensions = [
        "_ms",
        "_days",
        "_minutes",
        "_mib",
        "bytes_max",
        "bytes_large_max",
        "bytes_in_flight_max",
        "_per_s_min",
        "_per_s_max",
        "_characters_min",
    ];
    let counts = [
        "mail.attempts_max",
        "mail.port",
        "outbox.attempts_max",
        "plugin_host.slots",
        "postgres.connections_max",
        "server.connections_max",
        "server.requests_in_flight_max",
        "server.requests_in_flight_per_tenant_max",
        "store.queue_max",
    ];
    for (key, item) in keys(DEFAULTS) {
        if item.is_integer() && !counts.contains(&key.as_str()) {
            assert!(dimensions.iter().any(|dimension| key.ends_with(dimension)), "{key} names no unit");
        }
    }
}

#[test]
fn r28_the_keys_that_need_no_restart_exist() {
    let all = names(DEFAULTS);
    for key in WITHOUT_RESTART {
        assert!(all.contains(*key), "{key}");
    }
}
