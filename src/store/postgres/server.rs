//! A database of a test's own: started on a free port of this machine, and gone with the test however that ends.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "test code")]

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;
use tempfile::TempDir;

use super::wire::Wire;
use super::{PgOptions, Place};
use crate::store::writer::WriterOptions;

/// Where Debian keeps the programs, the newest first.
const PROGRAMS: [&str; 4] = [
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
    "/usr/lib/postgresql/14/bin",
];
/// Longest wait for a start.
const PATIENCE: Duration = Duration::from_mins(1);
/// The role that owns everything.
pub const OWNER: &str = "owner";

/// A running server. Dropping it stops it.
pub struct PgServer {
    home: TempDir,
    port: u16,
    process: Mutex<Option<Child>>,
    databases: AtomicU32,
}

/// Returns the folder of the server's programs, or says aloud that there is none.
pub fn programs() -> Option<PathBuf> {
    let found = PROGRAMS.iter().map(PathBuf::from).find(|folder| folder.join("postgres").exists());
    if found.is_none() {
        eprintln!(
            "NOT LOOKED AT: there is no PostgreSQL server on this machine; install postgresql-15 (.ci/test does) and run this again"
        );
    }
    found
}

/// A command as somebody whom the server does not refuse: it will not run as root.
pub fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    // Dies with the thread that started it, also when that was killed.
    command.args(["--pdeathsig", "QUIT"]);
    if rustix::process::getuid().is_root() {
        command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]);
    }
    command.arg("--").arg(program).env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin");
    command.current_dir("/").stdin(Stdio::null());
    command
}

fn run(command: &mut Command) {
    let done = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A port on which nobody listens at this moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn a_home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    if rustix::process::getuid().is_root() {
        run(Command::new("chown").arg("nobody:nogroup").arg(home.path()));
    }
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
    home
}

impl PgServer {
    /// Starts an empty server; `None`, said aloud, where the programs are missing.
    pub fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// The same with further settings.
    pub fn start_with(settings: &str) -> Option<Self> {
        let programs = programs()?;
        let home = a_home();
        let data = home.path().join("data");
        run(unprivileged(&programs.join("initdb"))
            .args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "-U", OWNER, "-D"])
            .arg(&data));
        let server =
            Self { home, port: free_port(), process: Mutex::default(), databases: AtomicU32::new(0) };
        server.settle(settings);
        server.run();
        Some(server)
    }

    /// Has it ask everybody for a password, over TLS alone, and show a certificate for 127.0.0.1. Returns the certificate, which is its own root.
    pub fn guard(&self, password: &str) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let files = [("server.crt", made.cert.pem()), ("server.key", made.signing_key.serialize_pem())];
        for (name, text) in files {
            let path = self.data().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            if rustix::process::getuid().is_root() {
                run(Command::new("chown").arg("nobody:nogroup").arg(&path));
            }
        }
        self.tell("postgres", "ALTER SYSTEM SET ssl = on");
        self.tell("postgres", &format!("ALTER ROLE {OWNER} PASSWORD '{password}'"));
        std::fs::write(self.data().join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n")
            .unwrap();
        self.kill();
        self.run();
        made.cert.der().clone()
    }

    /// Makes a standby that follows this server, and starts it. It is this server's to name it in `synchronous_standby_names`.
    #[must_use]
    pub fn standby(&self, name: &str) -> Self {
        let programs = programs().unwrap();
        let home = a_home();
        let data = home.path().join("data");
        run(unprivileged(&programs.join("pg_basebackup"))
            .args([
                "--no-sync",
                "--checkpoint=fast",
                "--wal-method=stream",
                "--write-recovery-conf",
                "-U",
                OWNER,
                "-D",
            ])
            .arg(&data)
            .arg("-d")
            .arg(format!("host=127.0.0.1 port={} application_name={name}", self.port)));
        let server =
            Self { home, port: free_port(), process: Mutex::default(), databases: AtomicU32::new(0) };
        server.settle("");
        server.run();
        server
    }

    fn settle(&self, settings: &str) {
        let path = self.data().join("postgresql.auto.conf");
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        let own = format!(
            "{before}\nlisten_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nmax_connections = 200\n\
             shared_buffers = '32MB'\nlog_min_messages = 'warning'\n{settings}\n",
            self.port,
            self.home.path().display()
        );
        std::fs::write(path, own).unwrap();
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Starts the process, and waits until it lets somebody in. What is left of one that was killed goes within moments.
    pub fn run(&self) {
        let patience = Instant::now() + PATIENCE;
        while let Err(said) = self.begin() {
            let is_left = said.contains("is still in use");
            assert!(is_left && Instant::now() < patience, "the server did not start:\n{said}");
            self.kill();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn begin(&self) -> Result<(), String> {
        let mut command = unprivileged(&programs().unwrap().join("postgres"));
        command.arg("-D").arg(self.data()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (tell, told) = channel();
        let mut said = BufReader::new(process.stderr.take().unwrap());
        std::thread::spawn(move || {
            let mut all = String::new();
            let mut line = String::new();
            while said.read_line(&mut line).is_ok_and(|read| read > 0) {
                all.push_str(&line);
                if line.contains("ready to accept") {
                    let _ = tell.send(Ok(()));
                }
                line.clear();
            }
            let _ = tell.send(Err(all));
            // What is said later keeps nobody from going on.
            let _ = said.read_to_end(&mut vec![]);
        });
        *self.process() = Some(process);
        told.recv_timeout(PATIENCE).unwrap_or_else(|error| Err(format!("it was not ready in time: {error}")))
    }

    /// Ends the process as a power cut would, but for what the system's cache holds.
    pub fn kill(&self) {
        if let Some(mut process) = self.process().take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Has a standby take over.
    pub fn promote(&self) {
        run(unprivileged(&programs().unwrap().join("pg_ctl")).args(["promote", "-w", "-D"]).arg(self.data()));
    }

    /// Returns the port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Makes an empty database, and returns its name.
    pub fn database(&self) -> String {
        let name = format!("d{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.tell("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// Returns how a store is opened in a database here.
    pub fn options(&self, database: &str) -> PgOptions {
        PgOptions {
            places: vec![Place::Host("127.0.0.1".to_owned(), self.port)],
            database: database.to_owned(),
            user: OWNER.to_owned(),
            password: None,
            tls: None,
            connections_max: 16,
            statement_within: Duration::from_secs(10),
            writer: rand_bytes(),
            options: WriterOptions::default(),
        }
    }

    /// Has statements carried out in a database.
    pub fn tell(&self, database: &str, statements: &str) {
        let wire = Wire::new(&self.options(database)).unwrap();
        let session = wire.connect().unwrap();
        let statements = statements.to_owned();
        wire.ask(async move { Ok(session.batch_execute(&statements).await?) }).unwrap();
    }

    /// Asks for one number.
    pub fn number(&self, database: &str, statement: &str) -> i64 {
        let wire = Wire::new(&self.options(database)).unwrap();
        let session = wire.connect().unwrap();
        let statement = statement.to_owned();
        wire.ask(async move {
            let rows = session.query_typed(&statement, &[]).await?;
            Ok(rows.first().map(|row| row.try_get::<_, i64>(0)).transpose()?.unwrap_or(0))
        })
        .unwrap()
    }

    /// Ends every connection to a database but the one that orders it.
    pub fn cut_all(&self, database: &str) {
        self.tell(
            database,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
    }
}

/// Bytes that two openings of one process do not share.
fn rand_bytes() -> [u8; 16] {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut bytes = [0; 16];
    let (process, number) = bytes.split_at_mut(8);
    process.copy_from_slice(&u64::from(std::process::id()).to_be_bytes());
    number.copy_from_slice(&u64::from(NEXT.fetch_add(1, Ordering::Relaxed)).to_be_bytes());
    bytes
}

impl Drop for PgServer {
    fn drop(&mut self) {
        let Some(mut process) = self.process().take() else { return };
        // At once: nothing of it is looked at any more.
        let pid = rustix::process::Pid::from_child(&process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        let _ = process.wait();
    }
}
