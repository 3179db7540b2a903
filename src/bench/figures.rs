//! What a run found out, as plain data: what the table shows, and what `--json` writes.

use serde::Serialize;

/// Everything of one run.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Where, when and how.
    pub run: Conditions,
    /// Every measurement.
    pub rows: Vec<Row>,
    /// What the daemon took, apart from requests.
    pub daemon: Footprint,
    /// The ratios, beside what must be reached.
    pub goals: Vec<Goal>,
}

/// Where, when and how a run was made.
#[derive(Debug, Clone, Serialize)]
pub struct Conditions {
    /// Version of the program.
    pub version: &'static str,
    /// Whether this build is optimised; figures of one that is not mean nothing.
    pub optimised: bool,
    /// Cores and processor.
    pub machine: String,
    /// When it ended, in UTC.
    pub ended: String,
    /// Processes ready to run, averaged over a minute, before the run: what the neighbours did.
    pub load_average_before: String,
    /// Whether the folder lies in memory, where nothing is durable.
    pub folder_in_memory: bool,
    /// Users that were there before the first measurement.
    pub users: usize,
    /// Members of the large group.
    pub members: usize,
    /// Seconds of each turn, after warming up.
    pub seconds: f64,
    /// How often reference and daemon took turns.
    pub turns: usize,
}

/// Who was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Who {
    /// The daemon.
    #[serde(rename = "rosterd")]
    Rosterd,
    /// A hyper server that answers with a static body of the same size.
    #[serde(rename = "bare hyper")]
    BareHyper,
    /// A hyper server that parses, serialises and sends back the same body.
    #[serde(rename = "POST echo")]
    PostEcho,
    /// Records of the same size appended to a file, with one fdatasync for each group.
    #[serde(rename = "append + fdatasync")]
    Append,
    /// The store's engine, committing the same rows.
    #[serde(rename = "engine alone")]
    Engine,
}

impl Who {
    /// Returns the name that the table shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rosterd => "rosterd",
            Self::BareHyper => "bare hyper",
            Self::PostEcho => "POST echo",
            Self::Append => "append + fdatasync",
            Self::Engine => "engine alone",
        }
    }
}

/// One measurement; all its turns added up.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Which load, in which form.
    pub case: String,
    /// Against whom.
    pub who: Who,
    /// Connections at once; of those that need none, records in a group.
    pub connections: usize,
    /// How long it was measured.
    pub seconds: f64,
    /// Answers, or records made durable.
    pub requests: u64,
    /// Answers other than 2xx, and connections that failed.
    pub errors: u64,
    /// The first of them.
    pub first_error: Option<String>,
    /// Requests, or records, a second.
    pub per_second: f64,
    /// Half of the requests (or flushes) took less.
    pub p50_us: f64,
    /// All but one in a hundred took less.
    pub p99_us: f64,
    /// CPU time of the server's process for each request (of the engine's thread for each record).
    pub cpu_us: Option<f64>,
    /// What the store did meanwhile.
    pub written: Option<Written>,
    /// Each turn by itself, so that one sees what the neighbours did.
    pub turns: Vec<Turn>,
}

/// One turn of a measurement.
#[derive(Debug, Clone, Serialize)]
pub struct Turn {
    /// Requests, or records, a second.
    pub per_second: f64,
    /// CPU time for each of them.
    pub cpu_us: Option<f64>,
}

/// What the store did while it was written to.
#[derive(Debug, Clone, Serialize)]
pub struct Written {
    /// Units that shared one durable commit.
    pub units_per_batch: f64,
    /// Bytes that the kernel wrote to the disk for each request.
    pub bytes_per_request: Option<f64>,
}

/// What the daemon took, apart from requests.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Footprint {
    /// Memory when it had just started on an empty folder, in KiB.
    pub idle_empty_kib: u64,
    /// The same with the users.
    pub idle_kib: u64,
    /// Memory at the end of the run.
    pub end_kib: u64,
    /// The most that it had.
    pub peak_kib: u64,
    /// From its start until it was ready, with the users, in milliseconds.
    pub ready_ms: f64,
    /// From SIGTERM to its end, in milliseconds.
    pub stop_ms: f64,
    /// Users at the end.
    pub users_at_end: usize,
    /// The data folder before the first measurement, in bytes on the disk.
    pub disk_bytes: u64,
    /// The same at the end.
    pub disk_bytes_at_end: u64,
    /// Creates a second while the users were made, with 64 connections.
    pub preload_per_second: f64,
}

/// A ratio, and what it must be.
#[derive(Debug, Clone, Serialize)]
pub struct Goal {
    /// The requirement's row.
    pub row: &'static str,
    /// What is divided by what.
    pub what: String,
    /// The median of the turns; `None` when it was not measured.
    pub figure: Option<f64>,
    /// The lowest and the highest turn.
    pub spread: Option<(f64, f64)>,
    /// What must be reached.
    pub must: Bound,
    /// What is hoped for.
    pub hoped: Bound,
    /// Whether the must is reached.
    pub reached: Option<bool>,
}

/// A figure's bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// A share of the reference, 1 being as good.
    ShareAtLeast(f64),
    /// A multiple of the reference.
    TimesAtMost(f64),
    /// Megabytes.
    MegabytesAtMost(f64),
}

impl Bound {
    /// Tells whether a figure keeps it.
    pub fn is_kept_by(self, figure: f64) -> bool {
        match self {
            Self::ShareAtLeast(bound) => figure >= bound,
            Self::TimesAtMost(bound) | Self::MegabytesAtMost(bound) => figure <= bound,
        }
    }

    /// Writes a figure in the bound's unit.
    pub fn show(self, figure: f64) -> String {
        match self {
            Self::ShareAtLeast(_) => format!("{:.0} %", figure * 100.0),
            Self::TimesAtMost(_) => format!("{figure:.2} ×"),
            Self::MegabytesAtMost(_) => format!("{figure:.1} MB"),
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ShareAtLeast(bound) => write!(f, "≥ {:.0} %", bound * 100.0),
            Self::TimesAtMost(bound) => write!(f, "≤ {bound} ×"),
            Self::MegabytesAtMost(bound) => write!(f, "≤ {bound} MB"),
        }
    }
}
