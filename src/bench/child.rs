//! The processes under test: this very program, started again as a daemon or as a reference.
//!
//! A child has an empty environment, so that only the defaults hold, and ends with the value that holds it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::BenchError;
use super::meter;
use super::wire::Connection;

/// How long a server may take to be ready. Opening a million users takes milliseconds.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take to end.
const ENDED_WITHIN: Duration = Duration::from_secs(40);
/// How often one looks whether a server is there: as precisely as its start is told.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// A server that runs until this value is dropped.
pub(super) struct Server {
    who: &'static str,
    child: Child,
    at: SocketAddr,
    /// Where the daemon's metrics are.
    admin: Option<SocketAddr>,
    log: Option<PathBuf>,
}

/// Which reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    /// Answers every request with so many bytes.
    Get(usize),
    /// Parses, serialises, and sends back.
    Echo,
}

impl Server {
    /// Starts the daemon on a data folder, and returns when it is ready and how long that took. Its log goes beside the folder.
    pub(super) async fn daemon(folder: &Path, token_file: &Path) -> Result<(Self, Duration), BenchError> {
        let log = folder.with_extension("log");
        let (at, admin) = free_ports().map_err(BenchError::system("find two free ports"))?;
        let stderr = File::options().create(true).append(true).open(&log);
        let mut command = this_program()?;
        command.arg("serve").arg("--data").arg(folder);
        command.args(["--listen", &at.to_string(), "--admin-listen", &admin.to_string()]);
        command.arg("--bootstrap-token-file").arg(token_file);
        let settings = settings_of(folder);
        if settings.exists() {
            command.arg("--config").arg(settings);
        }
        // One client sends what a thousand would.
        command.env("ROSTERD_SERVER__CLIENT_REQUESTS_PER_S_MAX", "1000000");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(stderr.map_err(BenchError::system(format!("write {}", log.display())))?);
        let started = Instant::now();
        let child = command.spawn().map_err(BenchError::system("start the daemon"))?;
        let mut server = Self { who: "the daemon", child, at, admin: Some(admin), log: Some(log) };
        server.wait_until_ready(started).await?;
        Ok((server, started.elapsed()))
    }

    /// Starts a reference. It tells its port, and ends when its standard input does.
    pub(super) fn reference(kind: Reference) -> Result<Self, BenchError> {
        let mut command = this_program()?;
        command.arg("bench-reference");
        match kind {
            Reference::Get(bytes) => command.args(["hyper-get", "--bytes", &bytes.to_string()]),
            Reference::Echo => command.arg("post-echo"),
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(BenchError::system("start a reference"))?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            let read = BufReader::new(out).read_line(&mut line);
            read.map_err(BenchError::system("read the reference's port"))?;
        }
        let who = "the reference";
        let at = line.trim().parse().map_err(|_| BenchError::Server {
            who: who.into(),
            what: format!("said {line:?} instead of its address"),
        })?;
        Ok(Self { who, child, at, admin: None, log: None })
    }

    pub(super) const fn at(&self) -> SocketAddr {
        self.at
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads one of the daemon's counters.
    pub(super) async fn counter(&self, name: &str) -> Option<u64> {
        let mut connection = Connection::open(self.admin?).await.ok()?;
        let answer = connection.ask(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.ok()?;
        let text = String::from_utf8_lossy(answer.body);
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
    }

    /// Adds up a counter of which there is one for each of some labels.
    pub(super) async fn counters_of(&self, name: &str) -> Option<u64> {
        let mut connection = Connection::open(self.admin?).await.ok()?;
        let answer = connection.ask(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.ok()?;
        let text = String::from_utf8_lossy(answer.body);
        let values =
            text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.rsplit(' ').next());
        Some(values.filter_map(|value| value.parse::<u64>().ok()).sum())
    }

    /// Ends the server as an operator would, and says how long that took.
    pub(super) fn stop(&mut self) -> Result<Duration, BenchError> {
        let started = Instant::now();
        self.terminate();
        while self.ended()?.is_none() {
            if started.elapsed() > ENDED_WITHIN {
                return Err(self.odd(format!("did not end within {ENDED_WITHIN:?} of SIGTERM")));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(started.elapsed())
    }

    /// Ends the server in the midst of what it does.
    pub(super) fn kill(&mut self) -> Result<(), BenchError> {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .map(|_| ())
            .map_err(BenchError::system("kill a server"))
    }

    async fn wait_until_ready(&mut self, started: Instant) -> Result<(), BenchError> {
        const READY: &[u8] = b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
        loop {
            if let Some(status) = self.ended()? {
                return Err(self.odd(format!("ended at once ({status})")));
            }
            if let Ok(mut connection) = Connection::open(self.at).await
                && connection.ask(READY).await.is_ok_and(|answer| answer.is_success())
            {
                return Ok(());
            }
            if started.elapsed() > READY_WITHIN {
                return Err(self.odd(format!("was not ready within {READY_WITHIN:?}")));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn ended(&mut self) -> Result<Option<std::process::ExitStatus>, BenchError> {
        self.child.try_wait().map_err(BenchError::system("wait for a server"))
    }

    fn terminate(&mut self) {
        drop(self.child.stdin.take());
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended by itself; waiting finds out.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    fn odd(&self, what: String) -> BenchError {
        let log = self.log.as_ref().and_then(|log| std::fs::read_to_string(log).ok()).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(5).collect();
        let tail: String = tail.into_iter().rev().flat_map(|line| ["\n  ", line]).collect();
        BenchError::Server { who: self.who.into(), what: format!("{what}{tail}") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // Nothing of the run is kept, so there is no need to be gentle.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the settings of a daemon lie that has any: beside its folder.
pub(super) fn settings_of(folder: &Path) -> PathBuf {
    folder.with_extension("toml")
}

/// What a server uses, for [`super::load::closed_loop`].
pub(super) fn probe(server: &Server) -> impl Fn() -> meter::Used + use<> {
    let pid = server.pid();
    move || meter::used(pid)
}

/// Makes a second tenant with a connection, as an operator would beside the running daemon, and returns its token.
pub(super) fn second_tenant(folder: &Path) -> Result<String, BenchError> {
    let steps: [&[&str]; 3] = [
        &["tenant", "create", "neighbour"],
        &["connection", "create", "idp", "--tenant", "neighbour"],
        &["token", "create", "--tenant", "neighbour", "--connection", "idp"],
    ];
    let mut token = String::new();
    for step in steps {
        let mut command = this_program()?;
        command.args(step).arg("--data").arg(folder).stdin(Stdio::null());
        let done = command.output().map_err(BenchError::system("start an operator's command"))?;
        if !done.status.success() {
            let what = format!("{}: {}", step.join(" "), String::from_utf8_lossy(&done.stderr).trim());
            return Err(BenchError::Server { who: "an operator's command".into(), what });
        }
        String::from_utf8_lossy(&done.stdout).trim().clone_into(&mut token);
    }
    Ok(token)
}

fn this_program() -> Result<Command, BenchError> {
    let program = std::env::current_exe().map_err(BenchError::system("find this program's file"))?;
    let mut command = Command::new(program);
    command.env_clear();
    Ok(command)
}

/// Asks the system for two ports that nobody has. Somebody could take them before the daemon does; it would say so.
fn free_ports() -> std::io::Result<(SocketAddr, SocketAddr)> {
    let any = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (one, two) = (any()?, any()?);
    Ok((one.local_addr()?, two.local_addr()?))
}
