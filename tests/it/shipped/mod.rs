//! The plugins that are shipped (`plugins/dist`), in the host that runs everybody's: loaded as their READMEs say, and asked their vectors.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rosterd::plugins::load::{File, Passed, load, tables};
use rosterd::plugins::machine::Machine;
use rosterd::plugins::vector;
use rosterd::plugins::{Limits, Names, Options, Spec};
use rosterd::roster::hooks::{Hooks, OnFailure};
use serde_json::{Map, Value, json};
use toml_edit::{DocumentMut, Item, Table};

const PLUGINS: [&str; 4] = ["cost-rate", "employment-template", "licence-by-group", "user-type-by-group"];
/// What a mapping of them may take: a fiftieth of what is allowed.
const FUEL_MAX: u64 = 1_000_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The digests that are written beside the components, by file.
fn digests() -> Vec<(String, String)> {
    let sums = read(&folder().join("dist/SHA256SUMS"));
    let pair = |line: &str| {
        let (digest, file) = line.split_once("  ").unwrap();
        (file.to_owned(), digest.to_owned())
    };
    sums.lines().map(pair).collect()
}

/// The configuration that a plugin's README shows.
fn shown(plugin: &str) -> Table {
    let readme = read(&folder().join(plugin).join("README.md"));
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let document: DocumentMut = text.parse().unwrap_or_else(|error| panic!("{plugin}: {error}"));
    let tables = document["plugins"].as_array_of_tables().unwrap();
    assert_eq!(tables.len(), 1, "{plugin}");
    tables.get(0).unwrap().clone()
}

fn to_json(item: &Item) -> Value {
    if let Some(table) = item.as_table_like() {
        return table.iter().map(|(key, item)| (key.to_owned(), to_json(item))).collect();
    }
    let value = item.as_value().unwrap();
    match value {
        toml_edit::Value::Array(array) => {
            array.iter().map(|one| to_json(&Item::Value(one.clone()))).collect()
        }
        toml_edit::Value::String(text) => text.value().clone().into(),
        toml_edit::Value::Boolean(truth) => (*truth.value()).into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        other => panic!("{other}"),
    }
}

fn texts(item: &Item) -> Vec<String> {
    serde_json::from_value(to_json(item)).unwrap()
}

/// Takes a plugin through every check, as its README has it, with its digest and its example's tables.
fn loaded(machine: &Arc<Machine>, plugin: &str) -> Passed {
    let shown = shown(plugin);
    let at = folder();
    let sha256 = digests().into_iter().find(|(file, _)| *file == format!("{plugin}.wasm")).unwrap().1;
    let example = |file: &Item| at.join(plugin).join("example").join(file.as_str().unwrap());
    let named = shown.get("tables").and_then(Item::as_table_like);
    let spec = Spec {
        name: shown["name"].as_str().unwrap().to_owned(),
        path: PathBuf::from(shown["path"].as_str().unwrap()),
        sha256: Some(sha256),
        sources: vec![],
        hooks: None,
        reads: texts(&shown["reads"]),
        writes: texts(&shown["writes"]),
        overrides: BTreeSet::new(),
        overwrite_manual: false,
        policy: OnFailure::default(),
        limits: Limits::default(),
        required: true,
        tables: named
            .map(|named| named.iter().map(|(name, file)| (name.to_owned(), example(file))).collect())
            .unwrap_or_default(),
        settings: to_json(&shown["settings"]),
        tests: vec![at.join(plugin).join("tests")],
    };
    let options =
        Options { folder: at.join("dist"), slots: 2, allow_unpinned: false, signing_keys: Vec::new() };
    let file = File::of(&spec, &options).unwrap();
    let tables = tables(&spec, &options).unwrap();
    load(machine, &spec, &options, &Names::new(vec![]), &file, tables)
        .unwrap_or_else(|error| panic!("{plugin}: {error}"))
}

#[test]
fn every_shipped_component_has_its_digest_and_its_source() {
    let sums = digests();
    let known: BTreeSet<String> = sums.iter().map(|(file, _)| file.clone()).collect();
    assert_eq!(known, PLUGINS.iter().map(|plugin| format!("{plugin}.wasm")).collect());
    let found = fs::read_dir(folder().join("dist")).unwrap().map(|entry| entry.unwrap().path());
    let components = found.filter(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    for file in components {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let digest = File::read(&file).unwrap().sha256;
        assert!(sums.contains(&(name.clone(), digest)), "{name}");
    }
}

#[test]
fn every_shipped_plugin_loads_as_its_readme_says_and_gives_the_answers_of_its_vectors() {
    let machine = Arc::new(Machine::new(2, 0).unwrap());
    for plugin in PLUGINS {
        let passed = loaded(&machine, plugin);
        assert_eq!(passed.hooks, Hooks { map: true, ..Hooks::default() }, "{plugin}");
        assert_eq!(passed.manifest.name, plugin);
        assert!(passed.vectors >= 8, "{plugin}: {}", passed.vectors);
        // What the README grants is what the plugin wants, no more.
        let shown = shown(plugin);
        assert_eq!(passed.manifest.reads, texts(&shown["reads"]), "{plugin}");
        assert_eq!(passed.manifest.writes, texts(&shown["writes"]), "{plugin}");
        let written = read(&folder().join(plugin).join("settings.schema.json"));
        assert_eq!(passed.manifest.settings_schema, written, "{plugin}: plugins/build makes dist anew");
    }
}

#[test]
fn the_same_question_takes_the_same_fuel_and_little_of_it() {
    for plugin in PLUGINS {
        let played = || {
            // Each time in a machine of its own, as after a restart.
            let machine = Arc::new(Machine::new(2, 0).unwrap());
            let passed = loaded(&machine, plugin);
            let vectors = vector::read_all(&folder().join(plugin).join("tests")).unwrap();
            let fuel = vectors.iter().map(|vector| {
                let played = vector.play(&passed.build, passed.hooks).unwrap();
                (vector.title.clone(), played.cost.fuel)
            });
            fuel.collect::<Vec<_>>()
        };
        let first = played();
        assert_eq!(first, played());
        for (title, fuel) in first {
            assert!(fuel < FUEL_MAX, "{plugin}: {title}: {fuel}");
        }
    }
}

/// What a mapping of somebody takes who is in a number of groups, the last of which the settings know.
fn fuel_of(plugin: &str, passed: &Passed, groups: usize) -> u64 {
    let shown = shown(plugin);
    let granted = |name: &str| texts(&shown["reads"]).iter().any(|read| read == name);
    let mut user = json!({});
    let mut see = |field: &str, grant: &str, value: Value| {
        if granted(grant) {
            user[field] = value;
        }
    };
    see("title", "title", "Senior Consultant".into());
    see("country", "addresses", "Finland".into());
    see("department", "department", "Support".into());
    let group = |number: usize| {
        let name = if number == groups { "PSA Managers".to_owned() } else { format!("Group {number}") };
        json!({ "id": format!("00000000-0000-7000-8000-{number:012}"), "display": name })
    };
    see("groups", "groups", (1..=groups).map(group).collect());
    let tables = shown.get("tables").and_then(Item::as_table_like).map_or_else(Map::new, |named| {
        let path = |file: &Item| folder().join(plugin).join("example").join(file.as_str().unwrap());
        named.iter().map(|(name, file)| (name.to_owned(), path(file).to_str().unwrap().into())).collect()
    });
    let asked = json!({
        "settings": to_json(&shown["settings"]), "tables": tables, "user": user, "expect": { "changes": [] },
    });
    let at = tempfile::tempdir().unwrap();
    fs::write(at.path().join("asked.json"), asked.to_string()).unwrap();
    let vectors = vector::read_all(at.path()).unwrap();
    vectors[0].play(&passed.build, passed.hooks).unwrap().cost.fuel
}

#[test]
fn the_limits_page_states_what_the_shipped_plugins_take() {
    let page = read(&folder().join("../docs/plugins/limits.md"));
    let machine = Arc::new(Machine::new(2, 0).unwrap());
    let row = |plugin: &str| {
        let passed = loaded(&machine, plugin);
        let fuel = [0, 10, 1000].map(|groups| with_commas(fuel_of(plugin, &passed, groups))).join(" | ");
        let bytes = fs::metadata(folder().join(format!("dist/{plugin}.wasm"))).unwrap().len();
        format!("| `{plugin}` | {} | {fuel} |\n", with_commas(bytes))
    };
    let rows: String = PLUGINS.into_iter().map(row).collect();
    assert!(page.contains(&rows), "docs/plugins/limits.md must say:\n{rows}");
}

fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}
