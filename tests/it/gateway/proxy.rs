//! nginx and Caddy as the machine has them, with the configurations that `docs/operate/forward-auth.md` shows: read from there, so that what is shown is what
//! works. Only addresses and certificates are put in their places.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const GUIDE: &str = include_str!("../../../docs/operate/forward-auth.md");

/// Which proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    Nginx,
    Caddy,
}

impl Make {
    pub const ALL: [Self; 2] = [Self::Nginx, Self::Caddy];

    const fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
        }
    }

    /// Tells whether the machine has it. Says so loudly where it has not.
    pub fn is_there(self) -> bool {
        let version = if self == Self::Nginx { "-v" } else { "version" };
        let asked =
            Command::new(self.program()).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let found = asked.is_ok_and(|status| status.success());
        if !found {
            eprintln!(
                "SKIPPED: {} is not installed, so its configuration was NOT tried; apt-get install {0}",
                self.program()
            );
        }
        found
    }
}

/// A proxy that runs. Stops when it is dropped, by its own process.
pub struct Proxy {
    address: SocketAddr,
    child: Child,
    _folder: TempDir,
}

impl Proxy {
    /// Starts one before a daemon and a program.
    pub fn start(make: Make, daemon: SocketAddr, program: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Free at this moment: nothing else on the machine takes ports by their numbers.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let block = block(make)
            .replace("127.0.0.1:8080", &daemon.to_string())
            .replace("127.0.0.1:9000", &program.to_string());
        let home = folder.path();
        let mut command = match make {
            Make::Nginx => nginx(home, &block, address),
            Make::Caddy => caddy(home, &block, address),
        };
        let log = fs::File::create(home.join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            let ended = child.try_wait().unwrap();
            let told = || fs::read_to_string(home.join("log")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < deadline, "{make:?} does not listen: {}", told());
            std::thread::yield_now();
        }
        Self { address, child, _folder: folder }
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The configuration that the guide shows.
fn block(make: Make) -> String {
    let fence = if make == Make::Nginx { "```nginx\n" } else { "```caddyfile\n" };
    let (_, rest) = GUIDE.split_once(fence).expect("a block of configuration in the guide");
    rest.split_once("\n```").unwrap().0.to_owned()
}

fn nginx(home: &Path, block: &str, address: SocketAddr) -> Command {
    assert!(block.contains("listen 443 ssl;"), "the guide's block has another form");
    let kept = block.lines().filter(|line| !line.trim_start().starts_with("ssl_certificate"));
    let block = kept.collect::<Vec<_>>().join("\n").replace("listen 443 ssl;", &format!("listen {address};"));
    let at = home.display();
    let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {at}/{kind};"))
        .join("\n");
    let whole = format!(
        "pid {at}/pid;\nerror_log stderr warn;\ndaemon off;\nmaster_process off;\nevents {{}}\nhttp {{\naccess_log off;\n{places}\n{block}\n}}\n"
    );
    fs::write(home.join("nginx.conf"), whole).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-p").arg(home).arg("-c").arg(home.join("nginx.conf")).args(["-e", "stderr"]);
    command
}

fn caddy(home: &Path, block: &str, address: SocketAddr) -> Command {
    assert!(block.contains("psa.example.com {"), "the guide's block has another form");
    let block = block.replace("psa.example.com {", &format!("http://{address} {{"));
    fs::write(home.join("Caddyfile"), format!("{{\n\tadmin off\n\tauto_https off\n}}\n\n{block}\n")).unwrap();
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(home.join("Caddyfile"));
    for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        command.env(variable, home);
    }
    command
}
