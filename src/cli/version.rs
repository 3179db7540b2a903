//! `rosterd version`: which version this is, and what it was built with.

use anyhow::Result;
use clap::Args;

use super::{Exit, World};

/// The engines that were built in.
const ENGINES: &[&str] = &[
    #[cfg(feature = "redb")]
    "redb",
    #[cfg(feature = "sled")]
    "sled",
    #[cfg(feature = "postgres")]
    "postgres",
];

/// No arguments.
#[derive(Debug, Args)]
pub struct VersionArgs {}

/// Runs the command.
pub fn run(_args: &VersionArgs, world: &mut World<'_>) -> Result<Exit> {
    writeln!(world.out, "rosterd {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(world.out, "store engines: {}", ENGINES.join(", "))?;
    let platform = (std::env::consts::ARCH, std::env::consts::OS);
    writeln!(world.out, "built for: {} {}", platform.0, platform.1)?;
    Ok(Exit::Done)
}
