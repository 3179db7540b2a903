//! What a run found out, as plain data: what the table shows, and what `--json` writes.

use serde::Serialize;

use super::which::Engine;

/// Everything of one run.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Where, when and how.
    pub run: Conditions,
    /// Loads for which this machine has not what they need, and what that is.
    pub left_out: Vec<String>,
    /// Every measurement.
    pub rows: Vec<Row>,
    /// What each daemon took, apart from requests.
    pub daemons: Vec<Footprint>,
    /// What users take on the disk, where that was measured.
    pub storage: Option<Storage>,
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
    /// What a daemon's cache may take on this machine, in bytes.
    pub cache_bytes: usize,
    /// Whether the folder lies in memory, where nothing is durable.
    pub folder_in_memory: bool,
    /// Where the daemons keep their people.
    pub engine: Engine,
    /// Users of the largest daemon before the first measurement.
    pub users: usize,
    /// Members of the large group.
    pub members: usize,
    /// Seconds of each turn, after warming up.
    pub seconds: f64,
    /// How often reference and daemon took turns.
    pub turns: usize,
    /// Requests a second that are due in an open loop.
    pub rate: u32,
    /// Seconds of each of its turns.
    pub steady_seconds: f64,
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
    /// PostgreSQL, inserting one document a transaction.
    #[serde(rename = "PostgreSQL")]
    Postgres,
    /// `serde_json` reading a user's text as it is answered.
    #[serde(rename = "serde_json")]
    Parse,
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
            Self::Postgres => "PostgreSQL",
            Self::Parse => "serde_json",
        }
    }
}

/// The names of measurements.
#[allow(missing_docs, reason = "they say what they are")]
pub mod case {
    pub const CREATE: &str = "L1 create";
    pub const GET: &str = "L2 GET by id";
    pub const FIND: &str = "L3 userName eq";
    pub const FIND_EXTERNAL: &str = "L4 externalId eq";
    pub const FIRST_PAGE: &str = "L5 first page by index";
    pub const MIDDLE_PAGE: &str = "L5 middle page by index";
    pub const LAST_PAGE: &str = "L5 last page by index";
    pub const FIRST_BY_CURSOR: &str = "L5 first page by cursor";
    pub const MIDDLE_BY_CURSOR: &str = "L5 middle page by cursor";
    pub const LAST_BY_CURSOR: &str = "L5 last page by cursor";
    pub const VERIFY: &str = "P19 GET /auth/verify";
    pub const MIXED: &str = "L9 mixed, open loop";
    pub const MIXED_FLUSHES: &str = "L9 its writes' flushes alone, as due";
    pub const DURABLE: &str = "P5 durable creates";
    pub const SYNC_BEGINS: &str = "P14 first tenth: look for, create";
    pub const SYNC_ENDS: &str = "P14 last tenth: look for, create";
    pub const VERIFY_BEFORE_HANG: &str = "R30 /auth/verify alone";
    pub const VERIFY_BESIDE_HANG: &str = "R30 /auth/verify while providers hang";
    pub const CREATE_PLAIN: &str = "P17 create, no plugin";
    pub const CREATE_PLUGGED: &str = "P17 create, a plugin";
    pub const BULK_PLAIN: &str = "P17 50 creates in Bulk, no plugin";
    pub const BULK_PLUGGED: &str = "P17 50 creates in Bulk, a plugin";
    pub const ACTIVATE: &str = "L6 PATCH active";
    pub const PUT: &str = "L7 PUT";
    pub const LOAD_GROUP: &str = "L8 members put in by 1000";
    pub const MOVE: &str = "L8 one member in, out";
    pub const MOVE_MANY: &str = "L8 100 members in, out";
    pub const GET_GROUP: &str = "L8 GET without members";
    pub const FIND_GROUP: &str = "L8 filter without members";
    pub const GET_ALL: &str = "L8 full GET";
    pub const GET_BEFORE_ALL: &str = "L8 L2 alone";
    pub const GET_BESIDE_ALL: &str = "L8 L2 beside full GETs";
    pub const PARSE: &str = "L10 a user's JSON";
    pub const SCAN: &str = "L10 filter without index";
    pub const SCAN_NARROWED: &str = "L10 narrowed by an index";
    pub const SCAN_REFUSED: &str = "L10 refused at the bound";
    pub const SCAN_REFUSED_AT_ONCE: &str = "L10 refused unread";
    pub const GET_BEFORE_SCANS: &str = "L10 L2 alone";
    pub const GET_BESIDE_SCANS: &str = "L10 L2 beside scans";
    pub const GET_BEFORE_NEIGHBOUR: &str = "R25 L2 alone";
    pub const GET_BESIDE_NEIGHBOUR: &str = "R25 L2 beside another tenant's L2";
    pub const PUT_BEFORE_NEIGHBOUR: &str = "R25 L7 alone";
    pub const PUT_BESIDE_NEIGHBOUR: &str = "R25 L7 beside another tenant's L7";
}

/// Creates in one Bulk request.
pub const BULK: usize = 50;

/// What is measured, on how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Case {
    /// Which load, in which form: one of [`case`].
    #[serde(rename = "case")]
    pub name: &'static str,
    /// Connections at once; of those that need none, records in a group.
    pub connections: usize,
    /// Users of the daemon; a reference has none.
    pub users: Option<usize>,
    /// Members of the group.
    pub members: Option<usize>,
    /// Users that each request reads one by one.
    pub read: Option<usize>,
}

impl Case {
    /// A case that does not depend on how much there is.
    pub const fn of(name: &'static str, connections: usize) -> Self {
        Self { name, connections, users: None, members: None, read: None }
    }

    /// The same, at a daemon with so many users.
    #[must_use]
    pub const fn with_users(self, users: usize) -> Self {
        Self { users: Some(users), ..self }
    }

    /// The same, with a group of so many members.
    #[must_use]
    pub const fn with_members(self, members: usize) -> Self {
        Self { members: Some(members), ..self }
    }

    /// The same, with requests that read so many users.
    #[must_use]
    pub const fn reading(self, read: usize) -> Self {
        Self { read: Some(read), ..self }
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)?;
        match (self.members, self.users) {
            (Some(members), _) => write!(f, ", {members} members"),
            (None, Some(users)) => write!(f, ", {users} users"),
            (None, None) => Ok(()),
        }
    }
}

/// One measurement; all its turns added up.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was measured.
    #[serde(flatten)]
    pub case: Case,
    /// Who.
    pub who: Who,
    /// How long it was measured.
    pub seconds: f64,
    /// Answers, or records made durable.
    pub requests: u64,
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
    /// How late the sender of an open loop was itself.
    pub sender_behind: Option<Behind>,
    /// Each turn by itself, so that one sees what the neighbours did.
    pub turns: Vec<Turn>,
}

/// One turn of a measurement.
#[derive(Debug, Clone, Serialize)]
pub struct Turn {
    /// Requests, or records, a second.
    pub per_second: f64,
    /// Half of the requests (or flushes) took less.
    pub p50_us: f64,
    /// All but one in a hundred took less.
    pub p99_us: f64,
    /// CPU time for each of them.
    pub cpu_us: Option<f64>,
    /// How much more memory the server had at its most than when the turn began, in KiB.
    pub grew_kib: Option<u64>,
}

/// How long after it could have been sent a request was sent. It is a part of what the request's latency says, and none of the server's doing.
#[derive(Debug, Clone, Serialize)]
pub struct Behind {
    /// All but one in a hundred were sent sooner.
    pub p99_us: f64,
    /// The latest one.
    pub most_us: f64,
}

/// What the store did while it was written to.
#[derive(Debug, Clone, Serialize)]
pub struct Written {
    /// Units that shared one durable commit.
    pub units_per_batch: f64,
    /// Bytes that the kernel wrote to the disk for each request.
    pub bytes_per_request: Option<f64>,
}

/// What a daemon took, apart from requests.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Footprint {
    /// Users before the first measurement.
    pub users: usize,
    /// What the daemon has beside them; mostly nothing.
    pub beside: &'static str,
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

/// What users take on the disk, and how long a daemon takes to open them.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Storage {
    /// How many.
    pub users: usize,
    /// The JSON that was sent to create them.
    pub raw_json_bytes: u64,
    /// The data folder when they had been created, and the daemon stopped.
    pub after_creates_bytes: u64,
    /// The same when each had been changed once.
    pub after_patches_bytes: u64,
    /// Starts after a stop.
    pub after_stop: Vec<Opened>,
    /// Starts after a kill in the midst of writing.
    pub after_kill: Vec<Opened>,
}

/// One start.
#[derive(Debug, Clone, Serialize)]
pub struct Opened {
    /// From the execution of the program to the first answer, in milliseconds.
    pub ready_ms: f64,
    /// How long the store alone took to open, after a stop or a kill like that.
    pub store_ms: f64,
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
    /// A share of the reference, less being better.
    ShareAtMost(f64),
    /// A multiple of the reference.
    TimesAtMost(f64),
    /// Seconds.
    SecondsAtMost(f64),
    /// Milliseconds.
    MillisecondsAtMost(f64),
    /// Microseconds.
    MicrosecondsAtMost(f64),
    /// Bytes.
    BytesAtMost(f64),
    /// Megabytes.
    MegabytesAtMost(f64),
}

impl Bound {
    /// Tells whether a figure keeps it.
    pub fn is_kept_by(self, figure: f64) -> bool {
        match self {
            Self::ShareAtLeast(bound) => figure >= bound,
            Self::ShareAtMost(bound)
            | Self::TimesAtMost(bound)
            | Self::SecondsAtMost(bound)
            | Self::MillisecondsAtMost(bound)
            | Self::MicrosecondsAtMost(bound)
            | Self::BytesAtMost(bound)
            | Self::MegabytesAtMost(bound) => figure <= bound,
        }
    }

    /// Writes a figure in the bound's unit.
    pub fn show(self, figure: f64) -> String {
        match self {
            Self::ShareAtLeast(_) | Self::ShareAtMost(_) => format!("{:.0} %", figure * 100.0),
            Self::SecondsAtMost(_) => format!("{figure:.1} s"),
            Self::MillisecondsAtMost(_) => format!("{figure:.0} ms"),
            Self::MicrosecondsAtMost(_) => format!("{figure:.0} µs"),
            Self::BytesAtMost(_) => format!("{figure:.0} B"),
            Self::TimesAtMost(_) => format!("{figure:.2} ×"),
            Self::MegabytesAtMost(_) => format!("{figure:.1} MB"),
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ShareAtLeast(bound) => write!(f, "≥ {:.0} %", bound * 100.0),
            Self::ShareAtMost(bound) => write!(f, "≤ {:.0} %", bound * 100.0),
            Self::SecondsAtMost(bound) => write!(f, "≤ {bound} s"),
            Self::MillisecondsAtMost(bound) => write!(f, "≤ {bound} ms"),
            Self::MicrosecondsAtMost(bound) => write!(f, "≤ {bound} µs"),
            Self::BytesAtMost(bound) => write!(f, "≤ {bound} B"),
            Self::TimesAtMost(bound) => write!(f, "≤ {bound} ×"),
            Self::MegabytesAtMost(bound) => write!(f, "≤ {bound} MB"),
        }
    }
}
