//! A server by TLS on loopback, found by a name that the test answers for: what issuers and providers are made of.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rosterd::net::Resolver;
use rosterd::net::resolve::Addresses;
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

/// The name under which it is found.
pub const HOST: &str = "idp.test";

/// What the world's names lead to, and how often somebody asked.
#[derive(Debug, Default)]
pub struct Names {
    /// For each name, the answers in turn; the last one stays.
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    pub asked: AtomicUsize,
}

impl Names {
    /// Says what a name leads to: an answer for each time it is asked for, and the last from then on.
    pub fn lead(&self, name: &str, answers: &[&[&str]]) {
        let answers = answers.iter().map(|one| one.iter().map(|text| text.parse().unwrap()).collect());
        self.answers.lock().unwrap().insert(name.to_owned(), answers.collect());
    }
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> Addresses<'a> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut all = self.answers.lock().unwrap();
        let answers = all.get_mut(host);
        let found = match answers {
            Some(answers) if answers.len() > 1 => Ok(answers.remove(0)),
            Some(answers) => Ok(answers.first().cloned().unwrap_or_default()),
            None => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
        };
        Box::pin(async move { found })
    }
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// All lines of the head.
    pub head: String,
    pub body: Vec<u8>,
}

impl Asked {
    /// A field of the head.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// What a server answers, byte for byte.
type Answering = dyn Fn(&Asked) -> Vec<u8> + Send + Sync;

#[derive(Default)]
struct Counts {
    fetched: AtomicUsize,
    stopped: AtomicBool,
}

/// A running server. Each connection has a thread and one request.
pub struct TlsServer {
    pub names: Arc<Names>,
    address: SocketAddr,
    root: CertificateDer<'static>,
    folder: TempDir,
    counts: Arc<Counts>,
    server: Option<JoinHandle<()>>,
}

impl TlsServer {
    /// Starts one that answers so.
    pub fn start(answering: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let params = CertificateParams::new([HOST.to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("root.pem"), certificate.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let (counted, config) = (Arc::clone(&counts), Arc::new(config));
        let answering: Arc<Answering> = Arc::new(answering);
        let server = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if counted.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (config, answering, counted) =
                    (Arc::clone(&config), Arc::clone(&answering), Arc::clone(&counted));
                std::thread::spawn(move || {
                    // A client that hangs up in between is its own affair.
                    let _ = stream.and_then(|stream| answer(stream, &config, &*answering, &counted));
                });
            }
        });
        let names = Arc::new(Names::default());
        names.lead(HOST, &[&["127.0.0.1"]]);
        let root = certificate.der().clone();
        Self { names, address, root, folder, counts, server: Some(server) }
    }

    /// Returns how often something was fetched.
    pub fn fetched(&self) -> usize {
        self.counts.fetched.load(Ordering::SeqCst)
    }

    /// Returns the URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://{HOST}:{}{path}", self.address.port())
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the certificate by which it is trusted.
    pub fn root(&self) -> CertificateDer<'static> {
        self.root.clone()
    }

    /// Returns the file with that certificate.
    pub fn root_file(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.counts.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// Answers one request of one connection.
fn answer(
    stream: TcpStream,
    config: &Arc<rustls::ServerConfig>,
    answering: &Answering,
    counts: &Counts,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let connection = rustls::ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
    let mut stream = rustls::StreamOwned::new(connection, stream);
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if !more(&mut stream, &mut bytes)? {
            return Ok(());
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut words = text.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut asked = Asked { method, target, head: text, body: Vec::new() };
    let length = asked.field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while bytes.len() < head + length && more(&mut stream, &mut bytes)? {}
    asked.body = bytes.split_off(head);
    counts.fetched.fetch_add(1, Ordering::SeqCst);
    stream.write_all(&answering(&asked))?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn more(stream: &mut impl Read, bytes: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut piece = [0; 2048];
    let count = stream.read(&mut piece)?;
    bytes.extend_from_slice(&piece[..count]);
    Ok(count > 0)
}

/// An answer with a JSON body.
pub fn json_page(body: &str) -> Vec<u8> {
    page("200 OK", body)
}

/// An answer with a status and a JSON body.
pub fn page(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}
