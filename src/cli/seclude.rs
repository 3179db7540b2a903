//! What the process keeps from others on its machine, before it does anything else (X66, X71).

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};

/// Whose the files are that a command creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NewFiles {
    /// Its owner's alone: they hold people, tokens or rates.
    Owners,
    /// As the mask has it under which the command was started: sources and reports, which others are to read.
    #[cfg_attr(
        not(feature = "plugins"),
        expect(dead_code, reason = "only the commands for authors of plugins write such files")
    )]
    AsUsual,
}

/// Keeps the files that are created from now on from others, and turns core dumps off: they would hold tokens and people.
pub(super) fn from_others(files: NewFiles) {
    if files == NewFiles::Owners {
        umask(Mode::RWXG | Mode::RWXO);
    }
    // Lowering a limit of one's own is always allowed; a kernel that refuses it dumps where its operator told it to.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}
