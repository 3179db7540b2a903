//! The `rosterd` program. Everything is in the library; this file only calls it.

use std::process::ExitCode;

fn main() -> ExitCode {
    rosterd::cli::run()
}
