//! `[data]`: where everything is kept.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::text;

/// The data folder. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The folder.
    #[serde(with = "text")]
    pub dir: PathBuf,
    /// The key that seals secrets; none: in the folder.
    #[serde(with = "text::option")]
    pub seal_key_file: Option<PathBuf>,
}
