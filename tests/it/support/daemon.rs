//! The daemon as a process of its own, for what only a process can show: kill -9, signals, files, system calls.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Client, Request, ground};

/// Longest wait for a start or an end.
const PATIENCE: Duration = Duration::from_secs(40);

/// Returns a count, or the larger one where `ROSTERD_TEST_LONG` asks for a long run.
pub fn repeats(usual: usize, long: usize) -> usize {
    if std::env::var_os("ROSTERD_TEST_LONG").is_some() { long } else { usual }
}

/// A `rosterd serve` on a folder of its own, or on one that another had before.
pub struct TestDaemon {
    child: Child,
    address: SocketAddr,
    home: Arc<TempDir>,
    lines: Arc<Mutex<Vec<String>>>,
    listener: Option<JoinHandle<()>>,
}

impl TestDaemon {
    /// The token that every test daemon is given.
    pub const TOKEN: &'static str = "test-token-of-the-first-start-0123456789abcdef";

    /// Starts on an empty folder.
    pub fn start() -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), &[])
    }

    /// Starts on an empty folder under another program (`strace -o …`).
    pub fn start_under(wrapper: &[&str]) -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), wrapper)
    }

    /// Returns the command line of a daemon in a home.
    pub fn command(home: &Path, wrapper: &[&str]) -> Command {
        Self::command_at(home, wrapper, "127.0.0.1:0")
    }

    fn command_at(home: &Path, wrapper: &[&str], listen: &str) -> Command {
        let program = env!("CARGO_BIN_EXE_rosterd");
        let mut command = match wrapper.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        let token = home.join("token");
        std::fs::write(&token, Self::TOKEN).unwrap();
        command
            .arg("serve")
            .arg("--data")
            .arg(home.join("data"))
            .args(["--listen", listen, "--admin-listen", "127.0.0.1:0", "--bootstrap-token-file"])
            .arg(token)
            .env_clear()
            .envs(ground::variables(home))
            .env("ROSTERD_LOG__LEVEL", "debug")
            .env("ROSTERD_SERVER__CLIENT_REQUESTS_PER_S_MAX", "1000000")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// Starts in a home with a command line that the test has changed: more flags, variables, a wrapper.
    pub fn start_with(home: &Arc<TempDir>, wrapper: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Self::command(home.path(), wrapper);
        change(&mut command);
        Self::spawn(Arc::clone(home), command)
    }

    /// Starts in a home, listening where the test knows beforehand: for settings that say so.
    pub fn start_at(home: &Arc<TempDir>, listen: &str, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Self::command_at(home.path(), &[], listen);
        change(&mut command);
        Self::spawn(Arc::clone(home), command)
    }

    fn start_in(home: Arc<TempDir>, wrapper: &[&str]) -> Self {
        let command = Self::command(home.path(), wrapper);
        Self::spawn(home, command)
    }

    fn spawn(home: Arc<TempDir>, mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (found, base_url) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let kept = Arc::clone(&lines);
        let listener = std::thread::spawn(move || {
            for line in stderr.lines() {
                let Ok(line) = line else { return };
                if let Some(address) = address_in(&line) {
                    let _ = found.send(address);
                }
                kept.lock().unwrap().push(line);
            }
        });
        let address = Self::first(&base_url, &mut child, &lines);
        Self { child, address, home, lines, listener: Some(listener) }
    }

    fn first(base_url: &Receiver<SocketAddr>, child: &mut Child, lines: &Mutex<Vec<String>>) -> SocketAddr {
        base_url.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("the daemon did not say where it listens:\n{}", lines.lock().unwrap().join("\n"))
        })
    }

    /// Returns a client with the first token.
    pub fn client(&self) -> Client {
        Client::new(self.address, Self::TOKEN)
    }

    /// Returns the data folder.
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Returns the folder that holds the data folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Returns everything the daemon has said so far.
    pub fn said(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// Waits until some line holds a text, and returns the first such line.
    pub fn until_said(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.lines.lock().unwrap().iter().find(|line| line.contains(text)).cloned();
            if let Some(line) = found {
                return line;
            }
            assert!(Instant::now() < deadline, "never said {text:?}:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns a client of the admin listener.
    pub fn admin(&self) -> Client {
        let line = self.until_said("(metrics, health)");
        let (_, rest) = line.split_once("http://").unwrap();
        Client::new(rest.split(' ').next().unwrap().parse().unwrap(), "").stranger()
    }

    /// Reads a metric without labels, or with the labels as they are written; 0 where there is none yet.
    pub fn metric(&self, name: &str) -> i64 {
        self.find_metric(name).unwrap_or(0)
    }

    /// Reads a metric; `None` where the page does not have it.
    pub fn find_metric(&self, name: &str) -> Option<i64> {
        let page = self.admin().send(&Request::new("GET", "/metrics")).expect(200).text();
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(|value| value.parse().unwrap())
    }

    /// Returns the process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends the process as a power cut would (but for the page cache), and starts another on the same folder.
    pub fn kill_and_restart(self) -> Self {
        self.kill_and_restart_with(|_| {})
    }

    /// Does the same with a command line that the test has changed.
    pub fn kill_and_restart_with(mut self, change: impl FnOnce(&mut Command)) -> Self {
        self.kill();
        let home = Arc::clone(&self.home);
        drop(self);
        Self::start_with(&home, &[], change)
    }

    /// Runs another command of the program on the same data folder.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
        command
            .args(arguments)
            .arg("--data")
            .arg(self.data())
            .env_clear()
            .envs(ground::variables(self.home()))
            .stdin(Stdio::null());
        command.output().unwrap()
    }

    /// Returns how many entries the first tenant's history has.
    pub fn history_length(&self) -> usize {
        let output = self.cli(&["audit", "export", "--tenant", "main"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().count()
    }

    /// Fails unless the store agrees with itself and every history is whole.
    pub fn must_be_sound(&self) {
        for arguments in [&["check"][..], &["audit", "verify"]] {
            let output = self.cli(arguments);
            let said = String::from_utf8_lossy(&output.stderr).into_owned()
                + &String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(0), "rosterd {}: {said}", arguments.join(" "));
        }
    }

    /// Ends the process at once.
    pub fn kill(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Asks the process to stop, waits until it has, and returns how it ended and all that it said.
    pub fn terminate(&mut self) -> (ExitStatus, String) {
        self.signal(Signal::TERM);
        let ended = self.ended();
        (ended, self.said())
    }

    /// Waits until the process has ended. Its standard error closes then, so nothing has to be polled.
    pub fn ended(&mut self) -> ExitStatus {
        let (done, closed) = channel();
        let listener = self.listener.take().expect("nobody waited before");
        std::thread::spawn(move || {
            let _ = listener.join();
            let _ = done.send(());
        });
        if closed.recv_timeout(PATIENCE).is_err() {
            let _ = self.child.kill();
            panic!("the daemon did not end:\n{}", self.said());
        }
        self.child.wait().unwrap()
    }
}

impl Drop for TestDaemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Finds the address in a line such as `base URL: http://127.0.0.1:40123/scim/v2`.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("://")?;
    let (address, _) = rest.split_once("/scim/v2")?;
    address.parse().ok()
}
