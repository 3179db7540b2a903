//! What a run measures, for how long, and on how much.

use std::path::PathBuf;
use std::time::Duration;

/// What is done again and again. The names are those of the requirements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Load {
    /// Create a user as Okta does, with the enterprise extension.
    #[serde(rename = "L1")]
    Create,
    /// Read a user by id.
    #[serde(rename = "L2")]
    Get,
    /// Find a user by userName.
    #[serde(rename = "L3")]
    Find,
    /// Deactivate and reactivate a user by PATCH.
    #[serde(rename = "L6")]
    Activate,
    /// Add one member to a group and remove it again; read the group without its members.
    #[serde(rename = "L8")]
    Group,
}

impl Load {
    /// Every load, in the order in which they run: those that leave the number of users alone come first.
    pub const ALL: [Self; 5] = [Self::Get, Self::Find, Self::Activate, Self::Group, Self::Create];

    /// Returns the short name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "L1",
            Self::Get => "L2",
            Self::Find => "L3",
            Self::Activate => "L6",
            Self::Group => "L8",
        }
    }
}

/// A run, as it was asked for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which loads. In the order of [`Load::ALL`], whatever the order here.
    pub loads: Vec<Load>,
    /// Connections at once, of creates and their references.
    pub connections: Vec<usize>,
    /// Connections at once, of everything else.
    pub connections_of_reads: usize,
    /// How long one measurement takes.
    pub window: Duration,
    /// How often reference and daemon take turns.
    pub turns: usize,
    /// Users that are there before the first measurement.
    pub users: usize,
    /// Members of the large group. The small one has [`SMALL_GROUP`].
    pub members: usize,
    /// On which disk: the run makes a folder of its own in here, and removes it.
    pub folder: PathBuf,
}

/// Members of the small group.
pub const SMALL_GROUP: usize = 100;

impl Plan {
    /// How long each measurement runs before it counts.
    pub fn warm_up(&self) -> Duration {
        (self.window / 5).clamp(Duration::from_millis(200), Duration::from_secs(1))
    }

    /// Tells whether a load was asked for.
    pub fn has(&self, load: Load) -> bool {
        self.loads.contains(&load)
    }
}
