//! The order of things: fill, measure, add up, clean up.

use std::fs::{self, DirBuilder};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::BenchError;
use super::child::Server;
use super::engine::Engine;
use super::figures::{Conditions, Figures, Footprint};
use super::plan::{Load, Plan};
use super::script::{PRELOADED, Person, Scripts};
use super::session::Session;
use super::{goals, meter, preload};
use crate::chance::{Chance, SystemChance};
use crate::clock::{Clock, SystemClock};

/// Threads that send. The machine is shared with the server, and sending is cheap.
const SENDERS: usize = 2;

/// Runs a plan from an empty folder to the figures. Tells its progress.
pub fn run(plan: &Plan, progress: &mut (dyn Write + Send)) -> Result<Figures, BenchError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SENDERS)
        .enable_all()
        .build()
        .map_err(BenchError::system("start the threads that send"))?;
    runtime.block_on(measure(plan, progress))
}

async fn measure(plan: &Plan, progress: &mut (dyn Write + Send)) -> Result<Figures, BenchError> {
    let place = Place::make(&plan.folder)?;
    let load_average_before = meter::load_average();
    let token = token();
    let token_file = place.keep("token", &token)?;
    let scripts = Scripts::new(&token);
    let data = place.0.join("data");

    let mut daemon = Footprint::default();
    let people = fill(plan, &data, &token_file, &scripts, &mut daemon, progress).await?;
    let people = Arc::new(people);
    let twin = place.0.join("engine");
    if plan.has(Load::Create) {
        copy_folder(&data, &twin).map_err(BenchError::system("copy the data folder"))?;
    }
    daemon.disk_bytes = meter::folder_bytes(&data).map_err(BenchError::system("measure the data folder"))?;

    let (server, ready) = Server::daemon(&data, &token_file).await?;
    daemon.ready_ms = ready.as_secs_f64() * 1e3;
    daemon.idle_kib = meter::memory_kib(server.pid()).0;
    let mut session =
        Session { plan, daemon: &server, scripts, people, progress, rows: Vec::new(), created: 0 };
    for load in Load::ALL.into_iter().filter(|load| plan.has(*load)) {
        match load {
            Load::Get => session.get().await?,
            Load::Find => session.find().await?,
            Load::Activate => session.activate().await?,
            Load::Group => session.groups().await?,
            Load::Create => {
                let mut engine = Engine::open(&twin, &token)?;
                session.create(&mut engine, &place.0).await?;
            }
        }
    }
    let rows = session.rows;
    daemon.users_at_end = plan.users + usize::try_from(session.created).unwrap_or(usize::MAX);
    (daemon.end_kib, daemon.peak_kib) = meter::memory_kib(server.pid());
    daemon.disk_bytes_at_end =
        meter::folder_bytes(&data).map_err(BenchError::system("measure the data folder"))?;
    daemon.stop_ms = server.stop()?.as_secs_f64() * 1e3;
    let goals = goals::goals(&rows, &daemon, plan.members);
    let run = Conditions {
        version: env!("CARGO_PKG_VERSION"),
        optimised: !cfg!(debug_assertions),
        machine: meter::machine(),
        ended: SystemClock.now().strftime("%F %T UTC").to_string(),
        load_average_before,
        folder_in_memory: meter::is_in_memory(&place.0),
        users: plan.users,
        members: plan.members,
        seconds: plan.window.as_secs_f64(),
        turns: plan.turns,
    };
    Ok(Figures { run, rows, daemon, goals })
}

/// Starts a daemon on a folder that is not there yet, makes the users, and ends it.
async fn fill(
    plan: &Plan,
    data: &Path,
    token_file: &Path,
    scripts: &Scripts,
    daemon: &mut Footprint,
    progress: &mut (dyn Write + Send),
) -> Result<Vec<Person>, BenchError> {
    let (server, _) = Server::daemon(data, token_file).await?;
    daemon.idle_empty_kib = meter::memory_kib(server.pid()).0;
    let _ = writeln!(progress, "filling: {} users", plan.users);
    let started = Instant::now();
    let people = preload::people(server.at(), scripts, PRELOADED, plan.users, progress).await?;
    daemon.preload_per_second = rate(people.len(), started.elapsed());
    server.stop()?;
    Ok(people)
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(1e-9)
}

/// Makes a token that is good for this run.
fn token() -> String {
    use std::fmt::Write as _;
    let chance: &dyn Chance = &SystemChance;
    let mut token = String::from("bench-");
    for byte in chance.secret() {
        // Writing to a string cannot fail.
        let _ = write!(token, "{byte:02x}");
    }
    token
}

/// A folder of the run's own, removed with everything in it when the run ends.
struct Place(PathBuf);

impl Place {
    fn make(parent: &Path) -> Result<Self, BenchError> {
        let parent = fs::canonicalize(parent)
            .map_err(BenchError::system(format!("use the folder {}", parent.display())))?;
        let folder = parent.join(format!("rosterd-bench-{}", std::process::id()));
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(BenchError::system(format!("make the folder {}", folder.display())))?;
        Ok(Self(folder))
    }

    /// Writes a file that only this user may read.
    fn keep(&self, name: &str, text: &str) -> Result<PathBuf, BenchError> {
        let path = self.0.join(name);
        let written = fs::File::options()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(BenchError::system(format!("write {}", path.display())))?;
        Ok(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is the operator's to see; there is nobody to tell here.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Copies the files of a folder that nobody holds.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
