//! What stands in for plugins in a build without them: settings that name one are refused.

use std::sync::Arc;

use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};

use super::{Rim, StartError};
use crate::config::Config;
use crate::roster::Roster;

/// Why plugins were not loaded.
#[derive(Debug, thiserror::Error)]
#[error("the settings name plugins, but this rosterd was built without them (the feature `plugins`)")]
pub struct HostError;

/// A plugin as an operator sees it: there is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct View {}

/// What a load did: nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Done {}

/// The plugins of a daemon: none.
#[derive(Debug, Clone)]
pub struct Plugins;

/// Refuses settings that name plugins.
pub fn check(config: &Config, _: &Rim) -> Result<Vec<String>, Vec<String>> {
    if config.plugins.is_empty() { Ok(Vec::new()) } else { Err(vec![HostError.to_string()]) }
}

impl Plugins {
    /// Refuses settings that name plugins.
    pub fn load(config: &Config, _: &Arc<Roster>, _: &Rim) -> Result<Self, StartError> {
        Self.prepare(config).map(|_| Self)
    }

    pub(super) fn prepare(&self, config: &Config) -> Result<Done, StartError> {
        if config.plugins.is_empty() { Ok(Done {}) } else { Err(HostError.into()) }
    }

    pub(super) fn take_over(&self, prepared: Done) -> Done {
        prepared
    }

    /// Shows the plugins.
    pub fn views(&self) -> Vec<View> {
        Vec::new()
    }

    pub(super) fn sweep(&self) {}

    pub(super) fn register(&self, _: &mut Registry) {}
}
