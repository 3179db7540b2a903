//! What a run measures, for how long, and on how much.

use std::path::PathBuf;
use std::time::Duration;

use super::loads::Load;
use super::pace::Pace;
use super::which::Engine;

/// A run, as it was asked for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which loads. In the order of [`super::loads::LOADS`], whatever the order here.
    pub loads: Vec<&'static Load>,
    /// Whether these loads were asked for by name, so that none may be left out.
    pub insists: bool,
    /// Connections at once, of creates and their references.
    pub connections: Vec<usize>,
    /// Connections at once, of everything else.
    pub connections_of_reads: usize,
    /// How long one measurement takes.
    pub window: Duration,
    /// How fast requests are due in an open loop, and for how long.
    pub pace: Pace,
    /// How often references and daemons take turns.
    pub turns: usize,
    /// Users of the largest daemon. The others have what [`Plan::small`] and [`Plan::usual`] say.
    pub users: usize,
    /// Members of the large group. The small one has [`SMALL_GROUP`].
    pub members: usize,
    /// Where the daemons keep their people.
    pub engine: Engine,
    /// Where the plugins that are shipped lie.
    pub plugins: PathBuf,
    /// What a daemon's cache may take in MiB; 0 where that is for the daemon to say.
    pub cache_mib: u32,
    /// What it may take then on this machine, in bytes.
    pub cache_bytes: usize,
    /// On which disk: the run makes a folder of its own in here, and removes it.
    pub folder: PathBuf,
}

/// Users of the smallest daemon, which growth is measured from.
pub const SMALL_USERS: usize = 1_000;
/// Users of the daemon on which the cost of a write is judged.
pub const USUAL_USERS: usize = 10_000;
/// Members of the small group.
pub const SMALL_GROUP: usize = 100;

impl Plan {
    /// Users of the smallest daemon.
    pub fn small(&self) -> usize {
        SMALL_USERS.min(self.users)
    }

    /// Users of the daemon in the middle.
    pub fn usual(&self) -> usize {
        USUAL_USERS.min(self.users)
    }

    /// Users of all three daemons.
    pub fn sizes(&self) -> Vec<usize> {
        distinct([self.small(), self.usual(), self.users])
    }

    /// Users of all daemons that may be there, at the most.
    pub fn users_in_all(&self) -> usize {
        // Some loads have folders of their own beside the daemons.
        let own = self.loads.iter().filter(|load| load.has_own_folder).count();
        self.sizes().iter().sum::<usize>() + own.min(1) * self.users
    }

    /// Members of both groups, the small one first; one size where both are the same.
    pub fn groups(&self) -> Vec<usize> {
        distinct([SMALL_GROUP.min(self.members), self.members])
    }

    /// How long each measurement runs before it counts.
    pub fn warm_up(&self) -> Duration {
        (self.window / 5).min(Duration::from_secs(1))
    }

    /// How long an open loop runs before it counts.
    pub fn warm_up_of_pace(&self) -> Duration {
        (self.pace.time / 5).min(Duration::from_secs(1))
    }

    /// Tells whether a load was asked for.
    pub fn has(&self, load: &Load) -> bool {
        self.loads.iter().any(|asked| asked.name == load.name)
    }
}

/// Leaves each of some sizes, which come in order, once: in a small run they are the same, and so are their daemons.
pub(super) fn distinct<const N: usize>(sizes: [usize; N]) -> Vec<usize> {
    let mut sizes = sizes.to_vec();
    sizes.dedup();
    sizes
}
