//! Which plugin is meant: one of the settings by its name, or a file. Both are loaded by the daemon's own code.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::app::Rim;
use crate::app::plugins::{options, specs};
use crate::cli::settings::SettingsArgs;
use crate::cli::{Refused, World};
use crate::config::Config;
use crate::plugins::host::shared;
use crate::plugins::load::{Compiled, File, Passed, compile, pass, tables};
use crate::plugins::loaded::Loaded;
use crate::plugins::machine::Machine;
use crate::plugins::tables::Tables;
use crate::plugins::{Limits, Names, Options, Spec};
use crate::roster::hooks::OnFailure;

/// A plugin that was found and compiled.
pub(super) struct Target {
    pub spec: Spec,
    pub file: File,
    pub compiled: Compiled,
    options: Options,
    /// Whether it was named as a file: then it is granted what it declares.
    pub is_file: bool,
}

/// Finds a plugin of the settings, or a file that ends in `.wasm`.
pub(super) fn find(settings: &SettingsArgs, what: &str, world: &World<'_>) -> Result<Target> {
    let config = Config::load(&settings.sources(world.environment.clone())).map_err(Refused)?;
    let machine = Arc::new(Machine::new(1, 1)?);
    let mut options = options(&config);
    if let Some(spec) = specs(&config).into_iter().find(|spec| spec.name == what) {
        let file = File::of(&spec, &options)?;
        let compiled = compile(&machine, &file.bytes, spec.limits)?;
        return Ok(Target { spec, file, compiled, options, is_file: false });
    }
    let path = Path::new(what);
    if !path.is_file() {
        let known: Vec<&str> = config.plugins.iter().map(|plugin| plugin.name.as_str()).collect();
        let known =
            if known.is_empty() { "none (is --config the right file?)".to_owned() } else { known.join(", ") };
        bail!("{what}: expected a file, or a plugin of the settings; they have: {known}");
    }
    let file = File::read(path)?;
    let compiled = compile(&machine, &file.bytes, Limits::default())?;
    options.folder = PathBuf::from(".");
    let spec = Spec {
        name: compiled.manifest.name.clone(),
        path: path.to_owned(),
        sha256: Some(file.sha256.clone()),
        sources: Vec::new(),
        hooks: None,
        reads: compiled.manifest.reads.clone(),
        writes: compiled.manifest.writes.clone(),
        overrides: std::collections::BTreeSet::new(),
        overwrite_manual: false,
        policy: OnFailure::default(),
        limits: Limits::default(),
        required: true,
        tables: Vec::new(),
        settings: json!({}),
        tests: Vec::new(),
    };
    Ok(Target { spec, file, compiled, options, is_file: true })
}

impl Target {
    /// The vectors of the settings.
    pub(super) fn tests(&self) -> Vec<PathBuf> {
        self.spec.tests.iter().map(|path| self.options.folder.join(path)).collect()
    }

    /// The tables of the settings.
    pub(super) fn tables(&self) -> Result<Tables> {
        Ok(tables(&self.spec, &self.options)?)
    }

    /// Takes settings from a JSON file in place of those of the settings.
    pub(super) fn set_settings(&mut self, file: Option<&Path>) -> Result<()> {
        if let Some(file) = file {
            self.spec.settings = read_json(file)?;
        }
        Ok(())
    }

    /// Takes it through every check, its vectors aside.
    pub(super) fn load(mut self) -> Result<Loaded> {
        self.spec.tests.clear();
        let tables = self.tables()?;
        let Self { spec, file, compiled, options, .. } = self;
        // Operators' own schemas are in the store, which a daemon may hold.
        let passed: Passed = pass(compiled, &spec, &options, &Names::without_own(), &file, tables)?;
        Ok(Loaded::new(spec, passed, file.sha256, shared(Rim::default().clock)))
    }
}

/// Reads a JSON file.
pub(super) fn read_json(file: &Path) -> Result<Value> {
    let bytes = crate::plugins::file::read_bounded(file, crate::plugins::vector::VECTOR_BYTES_MAX)?;
    serde_json::from_slice(&bytes).with_context(|| file.display().to_string())
}
