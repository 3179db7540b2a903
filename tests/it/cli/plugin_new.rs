//! `rosterd plugin new`: what it writes, and what it leaves alone. That the new folder can be built, `.ci/test` shows.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Ran, run};

fn new(at: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    run(command.args(["plugin", "new"]).args(arguments).env_clear().current_dir(at))
}

fn read(folder: &Path, path: &str) -> String {
    fs::read_to_string(folder.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below a folder, by its path.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(at) = waiting.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                waiting.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_new_plugin_in_rust_comes_with_the_crate_that_it_is_written_with() {
    let at = tempfile::tempdir().unwrap();
    let ran = new(at.path(), &["seats", "--lang", "rust"]).done();
    assert!(ran.out.starts_with("seats is there. Next:\n\n  cd seats\n  cargo test "), "{}", ran.out);
    let folder = at.path().join("seats");
    let manifest = read(&folder, "Cargo.toml");
    assert!(
        manifest.contains("name = \"seats\"") && manifest.contains("path = \"rosterd-plugin\""),
        "{manifest}"
    );
    assert!(read(&folder, "src/lib.rs").contains("register!(Mapping: Mapper);"));
    assert_eq!(
        read(&folder, "rosterd-plugin/wit/rosterd.wit"),
        include_str!("../../../plugins/wit/rosterd.wit")
    );
    for file in files(&folder).iter().filter(|file| !file.starts_with("rosterd-plugin/")) {
        let text = read(&folder, file);
        for placeholder in ["@name@", "@crate@", "@sdk@"] {
            assert!(!text.contains(placeholder), "{file}: {placeholder}");
        }
    }
    let build =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(folder.join("build")).unwrap().permissions());
    assert_eq!(build & 0o111, 0o111);
}

#[test]
fn what_is_written_has_the_modes_that_the_mask_leaves_like_other_sources() {
    let at = tempfile::tempdir().unwrap();
    let mode = |path: &str| {
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(at.path().join(path)).unwrap().permissions())
            & 0o777
    };
    for (mask, folder, file, program) in [("022", 0o755, 0o644, 0o755), ("027", 0o750, 0o640, 0o750)] {
        let mut command = Command::new("sh");
        let script = format!("umask {mask}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_rosterd")]);
        let name = format!("under-{mask}");
        command.args(["plugin", "new", &name, "--lang", "rust"]).env_clear().current_dir(at.path());
        let _ = run(&mut command).done();
        assert_eq!((mode(&name), mode(&format!("{name}/src"))), (folder, folder), "{mask}");
        assert_eq!(mode(&format!("{name}/src/lib.rs")), file, "{mask}");
        assert_eq!(mode(&format!("{name}/rosterd-plugin/src/lib.rs")), file, "{mask}");
        assert_eq!(mode(&format!("{name}/build")), program, "{mask}");
    }
}

#[test]
fn a_new_plugin_can_take_the_crate_from_a_checkout() {
    let at = tempfile::tempdir().unwrap();
    let sdk = concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/sdk");
    new(at.path(), &["seats", "--lang", "rust", "--to", "deep/er", "--sdk", sdk]).done();
    let folder = at.path().join("deep/er");
    assert!(read(&folder, "Cargo.toml").contains(&format!("path = \"{sdk}\"")));
    assert!(!folder.join("rosterd-plugin").exists());
    let wrong = new(at.path(), &["other", "--lang", "rust", "--sdk", "deep"]).failed();
    assert!(wrong.contains("expected the folder of the crate rosterd-plugin"), "{wrong}");
    assert!(!at.path().join("other").exists());
}

#[test]
fn a_new_plugin_in_javascript_comes_with_the_contract_and_what_asks_its_vectors() {
    let at = tempfile::tempdir().unwrap();
    new(at.path(), &["seats", "--lang", "js"]).done();
    let found = files(&at.path().join("seats"));
    for file in [
        "package.json",
        "plugin.js",
        "testing/vectors.mjs",
        "tests/01-hours-only.json",
        "wit/rosterd.wit",
        "README.md",
    ] {
        assert!(found.iter().any(|one| one == file), "{file} is not in {found:?}");
    }
    let package: serde_json::Value =
        serde_json::from_str(&read(&at.path().join("seats"), "package.json")).unwrap();
    assert_eq!(package["name"], "seats");
}

#[test]
fn a_folder_that_has_something_in_it_is_left_as_it_is() {
    let at = tempfile::tempdir().unwrap();
    fs::create_dir(at.path().join("seats")).unwrap();
    fs::write(at.path().join("seats/plugin.js"), "mine").unwrap();
    let said = new(at.path(), &["seats", "--lang", "js"]).failed();
    assert!(said.contains("seats is not empty: nothing was written"), "{said}");
    assert_eq!(files(&at.path().join("seats")), ["plugin.js"]);
    assert_eq!(read(at.path(), "seats/plugin.js"), "mine");
    let said = new(at.path(), &["Seats!", "--lang", "js"]).failed();
    assert!(said.contains("expected a name of small letters"), "{said}");
}

/// What stands between two lines of fences in the guide.
fn in_guide(language: &str) -> String {
    let guide = include_str!("../../../docs/plugins/README.md");
    let (_, rest) = guide.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_guide_shows_what_a_new_folder_holds_and_settings_that_are_right() {
    let at = tempfile::tempdir().unwrap();
    new(at.path(), &["visibility", "--lang", "rust"]).done();
    let vector = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let first = read(&at.path().join("visibility"), "tests/01-hours-only.json");
    assert_eq!(vector(&in_guide("json")), vector(&first));
    // Its component takes a compiler: everything else about the settings is right.
    let settings = in_guide("toml").replace('…', &"0".repeat(64));
    fs::create_dir(at.path().join("plugins")).unwrap();
    fs::write(at.path().join("rosterd.toml"), settings).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    command.args(["config", "check", "--config", "rosterd.toml"]).env_clear().current_dir(at.path());
    let ran = run(&mut command);
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    let said = ran.failed();
    let missing = "plugin visibility: plugins/visibility.wasm: cannot be read: there is no such file";
    assert!(said.starts_with(missing), "{said}");
}
