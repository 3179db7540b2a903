//! What is not loaded, and what is said of it (X54, X56).

use rosterd::plugins::limits::COMPONENT_BYTES_MAX;
use serde_json::json;

use super::guest::{Guest, rate};
use super::home::Home;

fn empty(image: &mut super::guest::Image) -> String {
    format!("(i32.const {})", image.changes(&[]))
}

#[test]
fn x56_a_file_with_another_digest_is_refused_and_told_its_digest() {
    let home = Home::new();
    let mut spec = home.spec("test", &rate());
    let found = spec.sha256.replace("0".repeat(64)).unwrap();
    let said = home.refusal(spec);
    assert!(said.contains(&"0".repeat(64)) && said.contains(&found), "{said}");
}

#[test]
fn x56_without_a_digest_nothing_is_loaded_unless_the_settings_say_so() {
    let mut home = Home::new();
    let mut spec = home.spec("test", &rate());
    let digest = spec.sha256.take().unwrap();
    let said = home.refusal(spec.clone());
    assert!(said.contains("no sha256 is configured") && said.contains(&digest), "{said}");
    home.options.allow_unpinned = true;
    home.load(&[spec]).unwrap();
}

/// Has the program that operators sign with make a key and a signature of a file; returns the key as settings have it.
fn signed(home: &Home, file: &str, key: &str) -> String {
    let openssl = |arguments: &[&str]| {
        let mut command = std::process::Command::new("openssl");
        let done = command.args(arguments).current_dir(home.folder.path()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    let _ = openssl(&["genpkey", "-algorithm", "ed25519", "-out", key]);
    let signature = format!("{file}.sig");
    let _ = openssl(&["pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", file, "-out", &signature]);
    let public = openssl(&["pkey", "-in", key, "-pubout"]);
    public.lines().find(|line| !line.starts_with('-')).unwrap().to_owned()
}

#[test]
fn x56_where_keys_are_named_only_what_one_of_them_has_signed_is_loaded() {
    let mut home = Home::new();
    let spec = home.spec("test", &rate());
    let key = signed(&home, "test.wasm", "ours.pem");
    home.options.signing_keys = vec![rosterd::config::signing_key(&key).unwrap()];
    home.load(std::slice::from_ref(&spec)).unwrap();
    home.load(&[]).unwrap();
    let _ = signed(&home, "test.wasm", "another.pem");
    let said = home.refusal(spec.clone());
    assert!(said.contains("test.wasm.sig: expected the signature of this component"), "{said}");
    std::fs::remove_file(home.folder.path().join("test.wasm.sig")).unwrap();
    let said = home.refusal(spec);
    assert!(
        said.contains("test.wasm.sig: cannot be read") && said.contains("openssl pkeyutl -sign"),
        "{said}"
    );
}

#[test]
fn x56_a_file_outside_the_folder_is_refused() {
    let home = Home::new();
    let mut spec = home.spec("test", &rate());
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("test.wasm");
    std::fs::write(&file, rate()).unwrap();
    spec.path = file;
    let said = home.refusal(spec);
    assert!(said.contains("components are loaded from nowhere else"), "{said}");
}

#[test]
fn x55_a_file_of_33_mib_is_refused_without_being_looked_at() {
    let home = Home::new();
    let spec = home.spec("test", &vec![0; usize::try_from(COMPONENT_BYTES_MAX).unwrap() + 1]);
    let said = home.refusal(spec);
    assert!(said.contains("expected at most 33554432 bytes, found more"), "{said}");
}

#[test]
fn x55_what_is_cut_off_or_no_component_is_refused() {
    let home = Home::new();
    let whole = rate();
    for bytes in
        [&whole[..whole.len() / 2], &whole[..9], b"", b"not wasm", b"\0asm\x01\0\0\0", b"\x7fELF\x02\x01\x01"]
    {
        let said = home.refusal(home.spec("test", bytes));
        assert!(said.contains("not a component that can be run"), "{said}");
    }
}

#[test]
fn x54_compiled_code_is_never_loaded() {
    // What an engine of the very same settings has compiled: the header is an ELF file's.
    let home = Home::new();
    let machine = std::sync::Arc::new(rosterd::plugins::machine::Machine::new(1, 1).unwrap());
    let compiled = machine.engine().precompile_component(&rate()).unwrap();
    let said = home.refusal(home.spec("test", &compiled));
    assert!(said.contains("not a component that can be run"), "{said}");
}

#[test]
fn x54_what_imports_wasi_is_refused_by_name() {
    let home = Home::new();
    for name in
        ["wasi:cli/environment@0.2.6", "wasi:filesystem/types@0.2.0", "rosterd:plugin/secrets@0.1.0", "env"]
    {
        let component = wat::parse_str(format!("(component (import \"{name}\" (instance)))")).unwrap();
        let said = home.refusal(home.spec("test", &component));
        assert!(said.contains(&format!("it imports {name};")), "{said}");
    }
}

#[test]
fn x54_another_version_of_the_contract_is_refused_with_the_versions() {
    let home = Home::new();
    for version in ["0.2.0", "1.0.0"] {
        let component = Guest::mapper().version(version).does(empty);
        let said = home.refusal(home.spec("test", &component));
        assert!(
            said.contains(&format!("is of version {version}")) && said.contains("serves 0.1.*"),
            "{said}"
        );
    }
    let said = Guest::mapper().version("0.1.7").does(empty);
    home.load(&[home.spec("test", &said)]).unwrap();
}

#[test]
fn x54_what_is_no_plugin_is_told_what_it_lacks() {
    let home = Home::new();
    let said = home.refusal(home.spec("test", &wat::parse_str("(component)").unwrap()));
    assert!(said.contains("does not export rosterd:plugin/lifecycle") && said.contains("nothing"), "{said}");
}

#[test]
fn x57_a_plugin_that_declares_more_than_it_is_granted_is_refused() {
    let home = Home::new();
    let component =
        Guest::mapper().reads(&["title", "emails", "groups"]).writes(&["billingRates"]).does(empty);
    let said = home.refusal(home.spec("test", &component));
    assert!(
        said.contains("it wants to read emails, groups, which the configuration does not grant"),
        "{said}"
    );
    let mut spec = home.spec("test", &component);
    spec.reads = ["title", "emails", "groups"].map(str::to_owned).to_vec();
    let said = home.refusal(spec);
    assert!(said.contains("it wants to write billingRates"), "{said}");
}

#[test]
fn x57_a_plugin_is_granted_what_it_declares_and_not_all_that_it_might_be() {
    let home = Home::new();
    let plugin = home.one(&Guest::mapper().reads(&["title"]).does(empty));
    let grant = rosterd::roster::hooks::Plugin::grant(&*plugin);
    assert!(grant.shows(None, "title") && grant.reads.len() == 1 && grant.writes.is_empty(), "{grant:?}");
}

#[test]
fn x57_a_password_can_be_declared_by_nobody() {
    let home = Home::new();
    let component = Guest::mapper().reads(&["password"]).does(empty);
    let mut spec = home.spec("test", &component);
    spec.reads = vec!["password".to_owned()];
    let said = home.refusal(spec);
    assert!(said.contains("password is never shown to anybody"), "{said}");
}

#[test]
fn settings_are_checked_against_the_plugins_schema() {
    let home = Home::new();
    let schema = r#"{"type": "object", "required": ["currency"], "additionalProperties": false,
        "properties": {"currency": {"type": "string", "pattern": "^[A-Z]{3}$"}, "levels": {"type": "array"}}}"#;
    let component = Guest::mapper().schema(schema).does(empty);
    for (settings, wanted) in [
        (json!({}), "\"currency\" is a required property"),
        (json!({ "currency": "euro" }), "/currency: \"euro\" does not match"),
        (json!({ "currency": "EUR", "curency": 1 }), "'curency' was unexpected"),
    ] {
        let mut spec = home.spec("test", &component);
        spec.settings = settings;
        let said = home.refusal(spec);
        assert!(said.contains("its settings are wrong") && said.contains(wanted), "{said}");
    }
    let mut spec = home.spec("test", &component);
    spec.settings = json!({ "currency": "EUR" });
    home.load(&[spec]).unwrap();
}

#[test]
fn a_schema_that_refers_elsewhere_is_refused_and_nothing_is_fetched() {
    let home = Home::new();
    for schema in [
        r#"{"$ref": "http://127.0.0.1:9/x.json"}"#,
        r#"{"$ref": "file:///etc/hostname"}"#,
        "{",
        r#"{"type": 7}"#,
    ] {
        let said = home.refusal(home.spec("test", &Guest::mapper().schema(schema).does(empty)));
        assert!(said.contains("its settings-schema is not a JSON Schema"), "{said}");
    }
}

#[test]
fn settings_that_the_plugin_itself_refuses_are_refused_with_its_words() {
    let home = Home::new();
    let component = Guest::mapper()
        .configure(|image| format!("(i32.const {})", image.problem(4, "no rate for level senior")))
        .does(empty);
    let said = home.refusal(home.spec("test", &component));
    assert_eq!(said, "plugin test: configure failed: no rate for level senior");
}

#[test]
fn two_plugins_that_write_one_single_value_are_refused_unless_one_overrides() {
    let home = Home::new();
    let writer = |writes: &[&'static str]| Guest::mapper().writes(writes).does(empty);
    let (one, other) =
        (home.spec("one", &writer(&["license"])), home.spec("other", &writer(&["license", "kind"])));
    let said = home.load(&[one.clone(), other.clone()]).unwrap_err().to_string();
    assert!(said.starts_with("plugin other: it and one may both write license"), "{said}");
    let mut overriding = other.clone();
    overriding.overrides.insert("one".to_owned());
    home.load(&[one.clone(), overriding]).unwrap();
    let mut elsewhere = other;
    elsewhere.sources = vec![rosterd::plugins::Source::parse("entra")];
    let mut here = one;
    here.sources = vec![rosterd::plugins::Source::parse("main/okta")];
    home.load(&[here, elsewhere]).unwrap();
    // Histories are lists: each adds its own entries.
    home.load(&[home.spec("one", &writer(&["costRates"])), home.spec("other", &writer(&["costRates"]))])
        .unwrap();
}

#[test]
fn a_hook_that_is_configured_and_not_exported_is_refused() {
    let home = Home::new();
    let mut spec = home.spec("test", &rate());
    spec.hooks = Some(rosterd::roster::hooks::Hooks { map: true, gate: true, ..Default::default() });
    let said = home.refusal(spec);
    assert_eq!(said, "plugin test: the configuration names the hook gate, which it does not export");
}
