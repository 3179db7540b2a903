//! What the process keeps from others on its machine, before it does anything else (X66, X71).

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};

/// Makes every file that is created from now on its owner's alone, and turns core dumps off: they would hold tokens and people.
pub(super) fn from_others() {
    umask(Mode::RWXG | Mode::RWXO);
    // Lowering a limit of one's own is always allowed; a kernel that refuses it dumps where its operator told it to.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}
