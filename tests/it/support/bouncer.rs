//! PgBouncer between daemons and their database: the program that Debian has, on a free port of this machine, and gone with the test however that ends.

use std::fmt;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rosterd::store::postgres::server::{OWNER, PgServer, unprivileged};
use tempfile::TempDir;

const PROGRAM: &str = "/usr/sbin/pgbouncer";
/// Longest wait for a start.
const PATIENCE: Duration = Duration::from_secs(20);

/// When a connection to the database is handed to the next client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// When the client leaves.
    Session,
    /// After each transaction. Few connections then serve many clients.
    Transaction,
    /// After each statement, which allows no transactions of several.
    Statement,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Session => "session",
            Self::Transaction => "transaction",
            Self::Statement => "statement",
        })
    }
}

impl Mode {
    /// Connections to each database: fewer than one daemon opens, where they are shared.
    pub const fn connections(self) -> usize {
        match self {
            Self::Session => 60,
            Self::Transaction | Self::Statement => 6,
        }
    }
}

/// A running pooler. Dropping it stops it.
pub struct Bouncer {
    process: Child,
    port: u16,
    _home: TempDir,
}

impl Bouncer {
    /// Starts one before a server; `None`, said aloud, where the program is missing.
    pub fn before(server: &PgServer, mode: Mode) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            eprintln!(
                "NOT LOOKED AT: there is no PgBouncer on this machine; install pgbouncer (.ci/test does) and run this again"
            );
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let users = home.path().join("users.txt");
        std::fs::write(&users, format!("\"{OWNER}\" \"\"\n")).unwrap();
        let settings = home.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {}\npool_mode = {mode}\nmax_client_conn = 500\ndefault_pool_size = {}\n",
            server.port(),
            users.display(),
            mode.connections(),
        );
        std::fs::write(&settings, text).unwrap();
        let everybody = |path: &Path, mode| {
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        };
        everybody(home.path(), 0o755);
        everybody(&users, 0o644);
        everybody(&settings, 0o644);
        let mut command = unprivileged(Path::new(PROGRAM));
        let process = command.arg("-q").arg(&settings).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut bouncer = Self { process: process.unwrap(), port, _home: home };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = bouncer.process.try_wait().unwrap();
            assert!(ended.is_none(), "PgBouncer did not start: {ended:?}");
            assert!(Instant::now() < until, "PgBouncer was not ready in time");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(bouncer)
    }

    /// Returns the port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
