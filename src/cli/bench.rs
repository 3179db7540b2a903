//! `rosterd bench`: its arguments.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Measure this machine: rosterd's loads beside references that do as little as possible.
///
/// Each run measures its own references (a bare HTTP server, a loop of durable writes), so that the shares it prints can be
/// compared between machines.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd bench
  rosterd bench --load create --load get --connections 16 --seconds 10 --json result.json")]
pub struct BenchArgs {
    /// Run this load only (may be given several times).
    #[arg(long, value_enum, value_name = "LOAD")]
    pub load: Vec<Load>,
    /// Connections at once (may be given several times).
    #[arg(long, value_name = "NUMBER", default_values_t = [1, 16, 64], value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub connections: Vec<u16>,
    /// Seconds a measurement takes.
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=600))]
    pub seconds: u16,
    /// Measure on the disk of this folder instead of the temporary folder's.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Write the figures to this file too, as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// What is done again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Load {
    /// Create a user (L1).
    Create,
    /// Read a user by id (L2).
    Get,
    /// Find a user by userName (L3).
    Find,
    /// Deactivate and reactivate a user by PATCH (L6).
    Patch,
}
