//! The flags by which every command finds its settings: which file, which data folder.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Environment, Sources};

/// Where settings come from.
#[derive(Debug, Clone, Default, Args)]
pub struct SettingsArgs {
    /// Read settings from this TOML file (else the one that ROSTERD_CONFIG names, else none).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keep everything in this folder: overrides data.dir.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl SettingsArgs {
    /// Collects the sources; a command with more flags adds them by [`Sources::flag`].
    pub fn sources(&self, environment: Environment) -> Sources {
        let mut sources = Sources::new(environment);
        if let Some(file) = &self.config {
            sources = sources.file(file);
        }
        if let Some(dir) = &self.data {
            sources = sources.flag("--data", "data.dir", dir.to_string_lossy());
        }
        sources
    }
}
