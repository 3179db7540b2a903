//! A PostgreSQL server of the run's own, for P5 and for daemons that keep their data there: in the run's folder, reached by a socket that nobody
//! else can reach, everything as the installation has it, and durable.
//!
//! It refuses to run as root, so that root runs it as somebody without rights, who must be able to get to the folder.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::BenchError;
use super::place::Place;

/// The role that owns everything.
pub(super) const OWNER: &str = "bench";
/// Where Debian and its children keep the programs, in a folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// What is needed of them.
const PROGRAMS: [&str; 4] = ["initdb", "postgres", "psql", "pgbench"];
/// Whom root runs it as: the first of these that there is.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];
/// The port is a part of the socket's name.
const PORT: &str = "5432";
/// The longest name of a socket that the system takes.
const SOCKET_BYTES_MAX: usize = 107;
/// How long a start, or an end, may take.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A running server; it ends with this value.
pub(super) struct Postgres {
    programs: PathBuf,
    home: PathBuf,
    child: Child,
}

/// Somebody whom the server does not refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Account {
    user: u32,
    group: u32,
}

impl Postgres {
    /// Makes a server in the run's folder, and returns when it answers.
    pub(super) fn start(place: &Place) -> Result<Self, BenchError> {
        let programs = programs()?;
        let home = place.path("postgres");
        let socket = home.join(format!(".s.PGSQL.{PORT}"));
        if socket.as_os_str().len() > SOCKET_BYTES_MAX {
            return Err(missing(format!(
                "the name of its socket, {}, is longer than {SOCKET_BYTES_MAX} bytes; name a folder with a shorter path by --data",
                socket.display()
            )));
        }
        let account = account()?;
        if account.is_some() {
            open_the_way(place, &home)?;
        }
        fs::create_dir(&home).map_err(BenchError::system(format!("make {}", home.display())))?;
        let mode = Permissions::from_mode(0o700);
        fs::set_permissions(&home, mode).map_err(BenchError::system("close the server's folder"))?;
        if let Some(Account { user, group }) = account {
            std::os::unix::fs::chown(&home, Some(user), Some(group))
                .map_err(BenchError::system("give the server's folder away"))?;
        }
        let data = home.join("data");
        let mut initdb = as_account(&programs.join("initdb"), account);
        initdb.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "-U", OWNER, "-D"]).arg(&data);
        said(&mut initdb, "initdb")?;
        let log = File::create(place.path("postgres.log"));
        let log = log.map_err(BenchError::system("write the server's log"))?;
        let mut command = as_account(&programs.join("postgres"), account);
        command.arg("-D").arg(&data).arg("-k").arg(&home);
        for setting in
            ["listen_addresses=", "port=5432", "max_connections=1100", "fsync=on", "synchronous_commit=on"]
        {
            command.args(["-c", setting]);
        }
        command.stdout(Stdio::null()).stderr(log);
        let child = command.spawn().map_err(BenchError::system("start postgres"))?;
        let mut server = Self { programs, home, child };
        server.wait_until_ready(place)?;
        for (setting, expected) in [("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on")]
        {
            let found = server.ask("postgres", &format!("SHOW {setting}"))?;
            if found != expected {
                return Err(odd(format!("has {setting} = {found}, so that nothing it says is durable")));
            }
        }
        Ok(server)
    }

    fn wait_until_ready(&mut self, place: &Place) -> Result<(), BenchError> {
        let started = Instant::now();
        while self.ask("postgres", "SELECT 1").is_err() {
            let ended = self.child.try_wait().map_err(BenchError::system("wait for postgres"))?;
            if ended.is_some() || started.elapsed() > PATIENCE {
                let log = fs::read_to_string(place.path("postgres.log")).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(5).collect();
                let tail: String = tail.into_iter().rev().flat_map(|line| ["\n  ", line]).collect();
                return Err(odd(format!("was not ready within {PATIENCE:?}, or ended{tail}")));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The folder in which its socket is.
    pub(super) fn folder(&self) -> &Path {
        &self.home
    }

    /// One of its programs, as a client of a database.
    pub(super) fn client(&self, program: &str) -> Command {
        let mut command = as_account(&self.programs.join(program), None);
        command.arg("-h").arg(&self.home).args(["-p", PORT, "-U", OWNER]);
        command
    }

    /// Has statements carried out, and returns what they say: one value a line.
    pub(super) fn ask(&self, database: &str, statements: &str) -> Result<String, BenchError> {
        let mut psql = self.client("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statements]);
        Ok(said(&mut psql, "psql")?.trim().to_owned())
    }

    /// Makes an empty database.
    pub(super) fn make(&self, database: &str) -> Result<(), BenchError> {
        self.ask("postgres", &format!("CREATE DATABASE {database}")).map(|_| ())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // At once, with everybody whom it started; nothing of the run is kept.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::QUIT);
        }
        let _ = self.child.wait();
    }
}

/// Finds the folder that has all programs: on the path, or the newest version of those that a distribution keeps apart.
fn programs() -> Result<PathBuf, BenchError> {
    let mut versions: Vec<(u32, PathBuf)> = Vec::new();
    for entry in fs::read_dir(VERSIONS).into_iter().flatten().flatten() {
        let version = entry.file_name().to_str().and_then(|name| name.parse().ok());
        versions.extend(version.map(|version| (version, entry.path().join("bin"))));
    }
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(versions.into_iter().rev().map(|(_, folder)| folder));
    first_with_all(folders)
}

fn first_with_all(mut folders: impl Iterator<Item = PathBuf>) -> Result<PathBuf, BenchError> {
    let found = folders.find(|folder| PROGRAMS.iter().all(|program| folder.join(program).is_file()));
    found.ok_or_else(|| {
        let needed = PROGRAMS.join(", ");
        missing(format!(
            "no folder of PATH, and none of {VERSIONS}/*/bin, has {needed}; install PostgreSQL's server"
        ))
    })
}

/// Whom to run it as; `None` where this process is nobody special.
fn account() -> Result<Option<Account>, BenchError> {
    if !rustix::process::getuid().is_root() {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd").map_err(BenchError::system("read /etc/passwd"))?;
    let found = UNPRIVILEGED.iter().find_map(|name| account_in(&accounts, name));
    found.map(Some).ok_or_else(|| {
        missing(format!("it does not run as root, and there is no user {}", UNPRIVILEGED.join(" or ")))
    })
}

fn account_in(accounts: &str, name: &str) -> Option<Account> {
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some(Account { user: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
}

/// Lets others through the run's folder, in which everything else is closed by itself; what is above must let them through already.
fn open_the_way(place: &Place, home: &Path) -> Result<(), BenchError> {
    for folder in home.ancestors().skip(2) {
        let found = folder.metadata().map_err(BenchError::system(format!("look at {}", folder.display())))?;
        if found.mode() & 0o001 == 0 {
            return Err(missing(format!(
                "it does not run as root, and nobody else may enter {}; name another folder by --data",
                folder.display()
            )));
        }
    }
    fs::set_permissions(place.folder(), Permissions::from_mode(0o711))
        .map_err(BenchError::system("let the server into the run's folder"))
}

fn as_account(program: &Path, account: Option<Account>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
    if let Some(Account { user, group }) = account {
        command.uid(user).gid(group);
    }
    command
}

/// Runs a program to its end, and returns what it said.
pub(super) fn said(command: &mut Command, name: &str) -> Result<String, BenchError> {
    let done = command.output().map_err(BenchError::system(format!("start {name}")))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let what = format!("ended with {}: {}", done.status, String::from_utf8_lossy(&done.stderr).trim());
    Err(BenchError::Server { who: name.to_owned(), what })
}

fn missing(what: String) -> BenchError {
    BenchError::Missing(format!("PostgreSQL: {what}"))
}

fn odd(what: String) -> BenchError {
    BenchError::Server { who: "PostgreSQL".into(), what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_are_no_programs_one_is_told_which_and_where_they_were_looked_for() {
        let empty = tempfile::tempdir().unwrap();
        let why = first_with_all([empty.path().to_owned()].into_iter()).unwrap_err();
        assert!(matches!(why, BenchError::Missing(_)));
        let why = why.to_string();
        assert!(why.contains("pgbench") && why.contains("PATH"), "{why}");
        for program in PROGRAMS {
            File::create(empty.path().join(program)).unwrap();
        }
        assert_eq!(first_with_all([empty.path().to_owned()].into_iter()).unwrap(), empty.path());
    }

    #[test]
    fn an_account_is_read_from_the_list_of_accounts() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:n:/:/bin/false\n";
        assert_eq!(account_in(accounts, "nobody"), Some(Account { user: 65534, group: 65533 }));
        assert_eq!(account_in(accounts, "postgres"), None);
    }
}
