//! `[[plugins]]` and `[plugin_host]`: what is taken, and what is said of mistakes.

use super::{Written, problems};

const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn plugin(more: &str) -> String {
    format!("[[plugins]]\nname = \"rates\"\npath = \"rates.wasm\"\nsha256 = \"{DIGEST}\"\n{more}")
}

#[test]
fn a_plugin_with_everything_is_taken_and_shown_as_it_is() {
    let text = plugin(
        "sources = [\"okta\", \"main/entra\"]\nhooks = [\"map\"]\nreads = [\"title\"]\nwrites = [\"costRates\"]\n\
         on_failure = { map = \"skip\" }\nfuel = 1_000_000\ndeadline = \"250ms\"\nmemory = \"16MiB\"\noutput = \"64KiB\"\n\
         required = false\ntests = [\"rates/tests\"]\n[plugins.tables]\nrates = \"rates.csv\"\n[plugins.settings]\ncurrency = \"EUR\"\n\
         levels = [{ title = \"Senior*\", level = 3 }]\n",
    );
    let config = Written::toml(&text).load().unwrap();
    let one = &config.plugins[0];
    assert_eq!((one.deadline.as_millis(), one.memory.0, one.output.0), (250, 16 << 20, 64 << 10));
    assert_eq!(one.settings["levels"][0]["level"], 3);
    assert_eq!(one.tables["rates"], "rates.csv");
    assert_eq!(Written::toml(&config.to_toml()).load().unwrap(), config);
}

#[test]
fn what_is_wrong_with_a_plugin_is_said_at_its_place() {
    for (more, said) in [
        ("sourcs = []", "rosterd.toml:1: plugins.0: sourcs: unknown key \"sourcs\""),
        ("fuel = 1", "rosterd.toml:1: plugins.0.fuel: expected 10000 to 100000000000, found 1"),
        (
            "deadline = \"5m\"",
            "rosterd.toml:1: plugins.0: deadline: expected a time such as 500ms or 2s, found \"5m\"",
        ),
        ("deadline = \"5ms\"", "rosterd.toml:1: plugins.0.deadline: expected 10ms to 60s, found 5ms"),
        (
            "memory = \"1GiB\"",
            "rosterd.toml:1: plugins.0: memory: expected a size such as 256KiB or 32MiB, found \"1GiB\"",
        ),
        ("memory = \"512MiB\"", "rosterd.toml:1: plugins.0.memory: expected 1MiB to 256MiB, found 512MiB"),
        (
            "overrides = [\"rates\"]",
            "rosterd.toml:1: plugins.0.overrides: expected the name of another plugin, found \"rates\"",
        ),
        (
            "sources = [\"a/b/c\"]",
            "rosterd.toml:1: plugins.0.sources: expected connection or tenant/connection, found \"a/b/c\"",
        ),
        (
            "on_failure = { gate = \"park\" }",
            "rosterd.toml:1: plugins.0.on_failure: expected deny, reject, skip for gate, found park",
        ),
        (
            "required = false",
            "rosterd.toml:1: plugins.0.hooks: expected the hooks of a plugin that need not be there, found none",
        ),
    ] {
        let found = problems(&plugin(more));
        assert!(found.len() == 1 && found[0].starts_with(said), "{more}: {found:?}");
    }
}

#[test]
fn x56_a_path_out_of_the_folder_and_a_plugin_without_a_digest_are_refused() {
    for path in ["../rates.wasm", "/etc/rates.wasm", "a/../../b.wasm"] {
        let text = plugin("").replace("rates.wasm", path);
        let found = problems(&text);
        assert!(found[0].contains("plugins.0.path: expected a file in plugin_host.folder"), "{found:?}");
    }
    let text = plugin("").replace(DIGEST, "");
    assert!(
        problems(&text)[0]
            .contains("plugins.0.sha256: expected the SHA-256 of the plugin's file, found nothing")
    );
    assert!(Written::toml(&format!("[plugin_host]\nallow_unpinned = true\n{text}")).load().is_ok());
    let text = plugin("").replace(DIGEST, "abc");
    assert!(problems(&text)[0].contains("plugins.0.sha256: expected 64 hexadecimal digits"));
}

#[test]
fn x56_a_key_that_is_no_public_key_of_ed25519_is_refused() {
    let with = |key: &str| format!("[plugin_host]\nsigning_keys = [\"{key}\"]\n{}", plugin(""));
    let good = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
    assert!(Written::toml(&with(good)).load().is_ok());
    for bad in
        ["", "key", "-----BEGIN PUBLIC KEY-----", good.trim_start_matches("MCow"), good.trim_end_matches('=')]
    {
        let found = problems(&with(bad));
        assert!(
            found[0].contains("plugin_host.signing_keys: expected the public keys of Ed25519")
                && found[0].contains("openssl pkey"),
            "{bad}: {found:?}"
        );
    }
}

#[test]
fn two_plugins_of_one_name_are_refused() {
    let found = problems(&format!("{}{}", plugin(""), plugin("")));
    assert!(found[0].contains("plugins.1.name: two plugins have the name \"rates\""), "{found:?}");
}
