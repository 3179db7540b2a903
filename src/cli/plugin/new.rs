//! `rosterd plugin new`: the folder of a new plugin.
//!
//! The templates are compiled into the program, and so is the crate that Rust plugins are written with: nothing is fetched but what a build
//! fetches from the registries. Knows nothing of daemons and data folders.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::cli::{Exit, World};

/// What stands below the help.
pub const EXAMPLES: &str = "\
Examples:
  rosterd plugin new visibility --lang rust
  rosterd plugin new visibility --lang js

The crate that plugins in Rust are written with is written into the new folder too, because it is on
no registry yet. --sdk takes it from a checkout of rosterd instead. docs/plugins tells the rest.";

/// Longest name.
const NAME_CHARACTERS_MAX: usize = 60;

/// What to make.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// Its name: small letters, digits and hyphens, a letter first.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What it is written in.
    #[arg(long, value_name = "LANGUAGE", value_enum)]
    pub lang: Language,
    /// The folder to make, which must be empty or not there. A folder of its name, where you are.
    #[arg(long, value_name = "FOLDER")]
    pub to: Option<PathBuf>,
    /// Rust: the folder of the crate rosterd-plugin, which is plugins/sdk in a checkout, instead of a copy.
    #[arg(long, value_name = "FOLDER")]
    pub sdk: Option<PathBuf>,
}

/// What plugins are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust 1.95 or newer.
    Rust,
    /// JavaScript, with Node 20.6 or newer and npm.
    Js,
}

/// A file: where it goes, and what stands in it.
type File = (&'static str, &'static str);

macro_rules! template {
    ($name:literal) => {
        include_str!(concat!("templates/", $name))
    };
}

macro_rules! from_plugins {
    ($name:literal) => {
        include_str!(concat!("../../../plugins/", $name))
    };
}

const RUST: &[File] = &[
    ("Cargo.toml", template!("rust/Cargo.toml.in")),
    ("src/lib.rs", template!("rust/lib.rs.in")),
    ("tests/01-hours-only.json", template!("hours-only.json.in")),
    ("tests/02-any-other.json", template!("any-other.json.in")),
    ("build", template!("rust/build.in")),
    ("README.md", template!("rust/README.md.in")),
    (".gitignore", "/target\n/*.wasm\n"),
];

const JAVASCRIPT: &[File] = &[
    ("package.json", template!("js/package.json.in")),
    ("plugin.js", template!("js/plugin.js.in")),
    ("tests/01-hours-only.json", template!("hours-only.json.in")),
    ("tests/02-any-other.json", template!("any-other.json.in")),
    ("testing/register.mjs", from_plugins!("examples/js-kind-by-user-type/testing/register.mjs")),
    ("testing/host.mjs", from_plugins!("examples/js-kind-by-user-type/testing/host.mjs")),
    ("testing/vectors.mjs", from_plugins!("examples/js-kind-by-user-type/testing/vectors.mjs")),
    ("wit/rosterd.wit", from_plugins!("wit/rosterd.wit")),
    ("README.md", template!("js/README.md.in")),
    (".gitignore", "/node_modules\n/*.wasm\n"),
];

/// The crate that plugins in Rust are written with, as it stands in `plugins/sdk`.
const SDK: &[File] = &[
    ("Cargo.toml", from_plugins!("sdk/Cargo.toml")),
    ("wit/rosterd.wit", from_plugins!("wit/rosterd.wit")),
    ("src/bindings.rs", from_plugins!("sdk/src/bindings.rs")),
    ("src/changes.rs", from_plugins!("sdk/src/changes.rs")),
    ("src/date.rs", from_plugins!("sdk/src/date.rs")),
    ("src/held.rs", from_plugins!("sdk/src/held.rs")),
    ("src/host.rs", from_plugins!("sdk/src/host.rs")),
    ("src/json_text.rs", from_plugins!("sdk/src/json_text.rs")),
    ("src/lib.rs", from_plugins!("sdk/src/lib.rs")),
    ("src/money.rs", from_plugins!("sdk/src/money.rs")),
    ("src/pattern.rs", from_plugins!("sdk/src/pattern.rs")),
    ("src/plugin.rs", from_plugins!("sdk/src/plugin.rs")),
    ("src/problem.rs", from_plugins!("sdk/src/problem.rs")),
    ("src/register.rs", from_plugins!("sdk/src/register.rs")),
    ("src/settings.rs", from_plugins!("sdk/src/settings.rs")),
    ("src/testing/asked.rs", from_plugins!("sdk/src/testing/asked.rs")),
    ("src/testing/mod.rs", from_plugins!("sdk/src/testing/mod.rs")),
    ("src/testing/people.rs", from_plugins!("sdk/src/testing/people.rs")),
    ("src/testing/surroundings.rs", from_plugins!("sdk/src/testing/surroundings.rs")),
    ("src/testing/vector.rs", from_plugins!("sdk/src/testing/vector.rs")),
    ("src/testing/written.rs", from_plugins!("sdk/src/testing/written.rs")),
    ("src/user.rs", from_plugins!("sdk/src/user.rs")),
];

/// Where the crate goes in a new folder.
const SDK_FOLDER: &str = "rosterd-plugin";
/// What is run rather than read.
const EXECUTABLES: &[&str] = &["build"];

/// Runs the command.
pub fn run(args: &NewArgs, world: &mut World<'_>) -> Result<Exit> {
    check_name(&args.name)?;
    let sdk = args.sdk.as_deref().map(|sdk| checkout(sdk, args.lang)).transpose()?;
    let folder = args.to.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    make_room(&folder)?;
    let (files, next) = match args.lang {
        Language::Rust => (RUST, "cargo test        # its vectors, natively\n  ./build           # makes "),
        Language::Js => (
            JAVASCRIPT,
            "npm install\n  npm test          # its vectors, natively\n  npm run build     # makes ",
        ),
    };
    let filled = |text: &str| {
        let sdk = sdk.as_deref().unwrap_or(SDK_FOLDER);
        text.replace("@name@", &args.name)
            .replace("@crate@", &args.name.replace('-', "_"))
            .replace("@sdk@", sdk)
    };
    for (path, text) in files {
        write(&folder, path, &filled(text))?;
    }
    if args.lang == Language::Rust && sdk.is_none() {
        for (path, text) in SDK {
            write(&folder.join(SDK_FOLDER), path, text)?;
        }
    }
    writeln!(world.out, "{} is there. Next:\n", folder.display())?;
    writeln!(world.out, "  cd {}\n  {next}{}.wasm\n", folder.display(), args.name)?;
    writeln!(world.out, "Its README.md says how rosterd loads it.")?;
    Ok(Exit::Done)
}

/// Takes names that cargo, npm and the configuration all take.
fn check_name(name: &str) -> Result<()> {
    let is_fine = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-')
        && !name.ends_with('-')
        && name.len() <= NAME_CHARACTERS_MAX;
    if !is_fine {
        bail!(
            "expected a name of small letters, digits and hyphens, a letter first and at most {NAME_CHARACTERS_MAX} characters, such \
             as cost-rate, found {name:?}"
        );
    }
    // A crate of that name could not be built against itself, or hides what it is built with.
    if ["rosterd-plugin", "test", "std", "core", "alloc", "proc-macro"].contains(&name) {
        bail!("expected a name that no crate of the build has, found {name}: choose another one");
    }
    Ok(())
}

/// Finds the crate in a checkout, as cargo wants it: from the root, so that the new folder can lie anywhere.
fn checkout(sdk: &Path, lang: Language) -> Result<String> {
    if lang != Language::Rust {
        bail!("--sdk is for plugins in Rust: leave it out");
    }
    let found = fs::canonicalize(sdk).with_context(|| format!("--sdk: looking for {}", sdk.display()))?;
    let manifest = fs::read_to_string(found.join("Cargo.toml")).unwrap_or_default();
    if !manifest.contains("name = \"rosterd-plugin\"") {
        bail!(
            "--sdk: expected the folder of the crate rosterd-plugin (plugins/sdk in a checkout of rosterd), found {}",
            sdk.display()
        );
    }
    match found.to_str() {
        Some(path) if !path.contains(['"', '\\']) => Ok(path.to_owned()),
        _ => bail!("--sdk: expected a path that a Cargo.toml can hold, found {}", found.display()),
    }
}

/// Makes the folder, and touches none that has something in it.
fn make_room(folder: &Path) -> Result<()> {
    match fs::read_dir(folder) {
        Ok(mut inside) => {
            if inside.next().is_some() {
                bail!(
                    "{} is not empty: nothing was written. Choose another folder with --to",
                    folder.display()
                );
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))
        }
        Err(error) => Err(error).with_context(|| format!("looking at {}", folder.display())),
    }
}

fn write(folder: &Path, path: &str, text: &str) -> Result<()> {
    let file = folder.join(path);
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&file, text));
    written.with_context(|| format!("writing {}", file.display()))?;
    #[cfg(unix)]
    if EXECUTABLES.contains(&path) {
        use std::os::unix::fs::PermissionsExt as _;
        // For whoever may read it, as compilers do.
        let runnable = fs::metadata(&file).and_then(|about| {
            let mode = about.permissions().mode();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode | ((mode & 0o444) >> 2)))
        });
        runnable.with_context(|| format!("making {} executable", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn below(folder: &Path, at: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder.join(at)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{at}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                below(folder, &path, found);
            } else {
                found.insert(path);
            }
        }
    }

    #[test]
    fn the_whole_crate_is_written_into_a_new_folder() {
        let mut found = BTreeSet::from(["Cargo.toml".to_owned(), "wit/rosterd.wit".to_owned()]);
        below(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/sdk")), "src", &mut found);
        let known: BTreeSet<String> = SDK.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(known, found, "plugins/sdk and the list in this file differ");
    }

    #[test]
    fn names_that_a_build_would_stumble_over_are_refused() {
        for name in
            ["", "Cost", "1st", "a_b", "a/b", "..", "-a", "a-", "rosterd-plugin", "std", &"a".repeat(61)]
        {
            assert!(check_name(name).is_err(), "{name}");
        }
        for name in ["a", "cost-rate", "x2"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
    }
}
