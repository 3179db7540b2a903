//! From a file to a plugin that may be asked: every step that can refuse it, in order (X54, X56).
//!
//! Read from the folder, measured, compared with its digest, its signature looked at where one is asked for, compiled, its imports and exports looked at, described, compared with its grant,
//! its settings checked, configured on trial, and its vectors played. What stands before compiling needs no trust in the file at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use super::call::{Build, broke};
use super::contract::{self, ContractError};
use super::file::{ReadError, inside, read_bounded};
use super::grant::{NameError, Names, lacking};
use super::limits::{COMPONENT_BYTES_MAX, Limits, SETTINGS_SCHEMA_BYTES_MAX};
use super::machine::Machine;
use super::signature::{self, SignatureError};
use super::spec::{Options, Spec};
use super::tables::{TableError, Tables};
use super::vector::{self, VectorError};
use super::wit::{Indices, State, linker};
use crate::roster::hex;
use crate::roster::hooks::{Failure, Grant, Hooks};

/// Why a plugin was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its file, or one beside it.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is another file than the configuration means.
    #[error("{}: expected the sha256 {wanted}, found {found}; if you have put a new version there, write its digest into the configuration", file.display())]
    Digest {
        /// The file.
        file: PathBuf,
        /// What the configuration says.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// No digest is configured.
    #[error("{}: no sha256 is configured; it is {found}. Write that down, once you trust the file (plugin_host.allow_unpinned goes without, for development)", file.display())]
    NotPinned {
        /// The file.
        file: PathBuf,
        /// What it is.
        found: String,
    },
    /// Nobody whom the configuration trusts has signed it.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It is not a component, or one that does not fit.
    #[error("it is not a component that can be run: {0}")]
    Malformed(String),
    /// It does not keep the contract.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// A function of it is not what the contract says.
    #[error("it does not keep the contract plugins/wit: {0}")]
    Types(String),
    /// A hook that the configuration names and it does not have.
    #[error("the configuration names the hook {0}, which it does not export")]
    NoSuchHook(&'static str),
    /// It failed when it was asked to describe itself, or to take its settings.
    #[error("{what} failed: {why}")]
    Trial {
        /// What was asked of it.
        what: &'static str,
        /// How it ended.
        why: String,
    },
    /// A name in its grant or manifest.
    #[error("{of}: {why}")]
    Name {
        /// Where: `reads`, `writes`, of the configuration or the manifest.
        of: &'static str,
        /// What is wrong with it.
        why: NameError,
    },
    /// It wants more than it is granted.
    #[error("it wants to {verb} {}, which the configuration does not grant; add to {verb}s what you agree to", names.join(", "))]
    Grant {
        /// `read` or `write`.
        verb: &'static str,
        /// What is lacking.
        names: Vec<String>,
    },
    /// Its own schema of settings.
    #[error("its settings-schema is not a JSON Schema: {0}; this is the plugin's mistake")]
    Schema(String),
    /// Its settings.
    #[error("its settings are wrong: {}", .0.join("; "))]
    Settings(Vec<String>),
    /// One of its tables.
    #[error(transparent)]
    Table(#[from] TableError),
    /// One of its vectors cannot be read.
    #[error(transparent)]
    Vector(#[from] VectorError),
    /// One of its vectors was answered otherwise.
    #[error("the vector {title:?} failed: {why}")]
    VectorFailed {
        /// Which.
        title: String,
        /// What was expected and found.
        why: String,
    },
    /// It writes what another does.
    #[error(
        "it and {other} may both write {attribute} for the same connections; let one of them have it, or say overrides = [\"{other}\"] of the one whose word goes"
    )]
    Clash {
        /// The other.
        other: String,
        /// What both write.
        attribute: String,
    },
}

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The name that its author gave it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The schema of its settings.
    pub settings_schema: String,
    /// What it wants to see.
    pub reads: Vec<String>,
    /// What it may propose.
    pub writes: Vec<String>,
}

/// A component that was read, with its digest.
#[derive(Debug)]
pub struct File {
    /// Where it lies, links followed.
    pub path: PathBuf,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// Its digest in hexadecimal.
    pub sha256: String,
}

impl File {
    /// Reads a component from the folder, compares it with its digest, and looks who has signed it.
    pub fn of(spec: &Spec, options: &Options) -> Result<Self, LoadError> {
        let file = Self::pinned(spec, options)?;
        signature::check(&file.path, &file.bytes, &options.signing_keys)?;
        Ok(file)
    }

    fn pinned(spec: &Spec, options: &Options) -> Result<Self, LoadError> {
        let file = Self::read(&inside(&options.folder, &spec.path)?)?;
        match &spec.sha256 {
            Some(wanted) if wanted.eq_ignore_ascii_case(&file.sha256) => Ok(file),
            Some(wanted) => Err(LoadError::Digest {
                file: file.path,
                wanted: wanted.to_ascii_lowercase(),
                found: file.sha256,
            }),
            None if options.allow_unpinned => {
                tracing::warn!(
                    plugin = spec.name,
                    sha256 = file.sha256,
                    "a plugin without a digest was loaded: whoever can write its file runs code here; for development only"
                );
                Ok(file)
            }
            None => Err(LoadError::NotPinned { file: file.path, found: file.sha256 }),
        }
    }

    /// Reads a component from wherever it lies, within its bound.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let bytes = read_bounded(path, COMPONENT_BYTES_MAX)?;
        Ok(Self { path: path.to_owned(), sha256: hex(&Sha256::digest(&bytes)), bytes })
    }
}

/// A component that is compiled, linked and looked at.
#[derive(Debug)]
pub struct Compiled {
    /// What it exports.
    pub hooks: Hooks,
    /// What it says of itself.
    pub manifest: Manifest,
    /// The interfaces that it imports, with their versions.
    pub imports: Vec<String>,
    /// With empty settings and no tables.
    pub build: Build,
}

/// Compiles a component and has it describe itself. Takes seconds for a large one: not on a thread that others wait for.
pub fn compile(machine: &Arc<Machine>, bytes: &[u8], limits: Limits) -> Result<Compiled, LoadError> {
    let malformed = |error: wasmtime::Error| LoadError::Malformed(format!("{error:#}"));
    let engine = machine.engine();
    // Only ever the portable form: what is compiled already would have to be believed.
    let component = Component::from_binary(engine, bytes).map_err(malformed)?;
    let hooks = contract::look(engine, &component)?;
    let types = |error: wasmtime::Error| LoadError::Types(format!("{error:#}"));
    let pre = linker(engine).and_then(|linker| linker.instantiate_pre(&component)).map_err(types)?;
    let indices = Indices::of(&pre, hooks).map_err(types)?;
    let build = Build {
        machine: Arc::clone(machine),
        pre,
        indices,
        settings: "{}".into(),
        tables: Arc::default(),
        limits,
    };
    let manifest = describe(&build)?;
    let imports = component.component_type().imports(engine).map(|(name, _)| name.to_owned()).collect();
    Ok(Compiled { hooks, manifest, imports, build })
}

fn describe(build: &Build) -> Result<Manifest, LoadError> {
    let trial = |why: String| LoadError::Trial { what: "describe", why };
    let machine = &build.machine;
    let Some(_slot) = machine.slot(build.limits.deadline) else {
        return Err(trial("no slot was free in time".to_owned()));
    };
    let mut store = State::store(machine.engine(), Arc::clone(&build.tables), &build.limits);
    store.set_epoch_deadline(Machine::ticks(build.limits.deadline));
    let started = store.set_fuel(build.limits.fuel).and_then(|()| build.pre.instantiate(&mut store));
    let instance = started.map_err(|error| trial(failed(&broke(&error, store.data()))))?;
    let guests = build.indices.load(&mut store, &instance);
    let guests = guests.map_err(|error| LoadError::Types(format!("{error:#}")))?;
    let said = guests.lifecycle.call_describe(&mut store);
    let said = said.map_err(|error| trial(failed(&broke(&error, store.data()))))?;
    Ok(Manifest {
        name: said.name,
        version: said.version,
        settings_schema: said.settings_schema,
        reads: said.reads,
        writes: said.writes,
    })
}

/// Says in one line how a plugin failed.
pub fn failed(failure: &Failure) -> String {
    match failure {
        Failure::Problem(problem) => match &problem.path {
            Some(path) => format!("{path}: {}", problem.detail),
            None => problem.detail.clone(),
        },
        Failure::Broke(which, why) => format!("{}: {why}", super::figures::outcome(*which)),
    }
}

/// A plugin that passed every check.
#[derive(Debug)]
pub struct Passed {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The hooks at which it is asked.
    pub hooks: Hooks,
    /// What it sees and may propose: what it declares, all of which its operator grants.
    pub grant: Grant,
    /// The digest of component, settings and tables.
    pub fingerprint: String,
    /// Makes its instances.
    pub build: Build,
    /// How many vectors were played.
    pub vectors: usize,
}

/// The digest of everything by which one load differs from another.
pub fn fingerprint(file: &File, spec: &Spec, tables: &Tables) -> String {
    let mut digest = Sha256::new();
    digest.update(file.sha256.as_bytes());
    let settings = spec.settings.to_string();
    digest.update(settings.len().to_be_bytes());
    digest.update(settings.as_bytes());
    tables.digest(&mut digest);
    hex(&digest.finalize())
}

/// Reads the tables of a plugin.
pub fn tables(spec: &Spec, options: &Options) -> Result<Tables, TableError> {
    Tables::read(spec.tables.iter().map(|(name, path)| (name.as_str(), options.folder.join(path))))
}

/// Takes a plugin through everything that comes after its file.
pub fn load(
    machine: &Arc<Machine>,
    spec: &Spec,
    options: &Options,
    names: &Names,
    file: &File,
    tables: Tables,
) -> Result<Passed, LoadError> {
    let compiled = compile(machine, &file.bytes, spec.limits)?;
    pass(compiled, spec, options, names, file, tables)
}

/// Takes a plugin through everything that comes after its compilation.
pub fn pass(
    compiled: Compiled,
    spec: &Spec,
    options: &Options,
    names: &Names,
    file: &File,
    tables: Tables,
) -> Result<Passed, LoadError> {
    let fingerprint = fingerprint(file, spec, &tables);
    let Compiled { hooks, manifest, mut build, .. } = compiled;
    let hooks = chosen(hooks, spec.hooks)?;
    let grant = granted(spec, &manifest, names)?;
    check_settings(&manifest.settings_schema, &spec.settings)?;
    build.settings = spec.settings.to_string().into();
    build.tables = Arc::new(tables);
    configure(&build)?;
    let mut vectors: usize = 0;
    for path in &spec.tests {
        for vector in vector::read_all(&options.folder.join(path))? {
            let title = vector.title.clone();
            let played = vector.play(&build, hooks)?;
            played.verdict.map_err(|why| LoadError::VectorFailed { title, why })?;
            vectors = vectors.saturating_add(1);
        }
    }
    Ok(Passed { manifest, hooks, grant, fingerprint, build, vectors })
}

/// Configures an instance on trial.
pub fn configure(build: &Build) -> Result<(), LoadError> {
    let (ran, _) = build.ask(None, |_, _| Ok(Ok(())), Ok);
    ran.answer.map_err(|failure| LoadError::Trial { what: "configure", why: failed(&failure) })
}

/// Leaves the hooks at which it shall be asked. All that are named must be there.
fn chosen(has: Hooks, wanted: Option<Hooks>) -> Result<Hooks, LoadError> {
    let Some(wanted) = wanted else { return Ok(has) };
    let pairs = [
        ("gate", wanted.gate, has.gate),
        ("map", wanted.map, has.map),
        ("validate", wanted.validate, has.validate),
        ("claims", wanted.claims, has.claims),
        ("event", wanted.react, has.react),
    ];
    match pairs.into_iter().find(|(_, wanted, has)| *wanted && !has) {
        Some((name, ..)) => Err(LoadError::NoSuchHook(name)),
        None => Ok(wanted),
    }
}

/// Compares what a plugin declares with what its operator grants.
pub fn granted(spec: &Spec, manifest: &Manifest, names: &Names) -> Result<Grant, LoadError> {
    let named = |of| move |why| LoadError::Name { of, why };
    let reads = names.reads(&manifest.reads).map_err(named("the plugin's reads"))?;
    let writes = names.writes(&manifest.writes).map_err(named("the plugin's writes"))?;
    let may_read = names.reads(&spec.reads).map_err(named("reads"))?;
    let may_write = names.writes(&spec.writes).map_err(named("writes"))?;
    for (verb, wanted, given) in [("read", &reads, &may_read), ("write", &writes, &may_write)] {
        let names = lacking(wanted, given);
        if !names.is_empty() {
            return Err(LoadError::Grant { verb, names });
        }
    }
    let (overrides, overwrite_manual) = (spec.overrides.clone(), spec.overwrite_manual);
    Ok(Grant { reads, writes, overrides, overwrite_manual })
}

/// Most mistakes in settings that are told.
const MISTAKES_MAX: usize = 10;

/// Most characters of one: it repeats what was found.
const MISTAKE_CHARACTERS_MAX: usize = 300;

/// Checks settings against the plugin's schema. A schema that refers to another place is refused: nothing is fetched.
pub fn check_settings(schema: &str, settings: &Value) -> Result<(), LoadError> {
    if schema.len() > SETTINGS_SCHEMA_BYTES_MAX {
        return Err(LoadError::Schema(format!("it has more than {SETTINGS_SCHEMA_BYTES_MAX} bytes")));
    }
    let schema: Value = serde_json::from_str(schema).map_err(|error| LoadError::Schema(error.to_string()))?;
    let draft = jsonschema::options().with_draft(jsonschema::Draft::Draft202012);
    let validator = draft.build(&schema).map_err(|error| LoadError::Schema(error.to_string()))?;
    let mistakes: Vec<String> = validator
        .iter_errors(settings)
        .take(MISTAKES_MAX)
        .map(|error| {
            let place = error.instance_path().to_string();
            let what: String = error.to_string().chars().take(MISTAKE_CHARACTERS_MAX).collect();
            if place.is_empty() { what } else { format!("{place}: {what}") }
        })
        .collect();
    if mistakes.is_empty() { Ok(()) } else { Err(LoadError::Settings(mistakes)) }
}
