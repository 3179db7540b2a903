//! An issuer: a server with TLS on loopback that shows keys, and the other halves of the keys.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::EncodingKey;
use rcgen::{CertificateParams, KeyPair, RsaKeySize, SigningKey as _};
use rosterd::net::Resolver;
use rosterd::net::resolve::Addresses;
use rosterd::roster::Federation;
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;

use crate::support::{Engine, TestApp};

/// The name under which the issuer is found.
pub const HOST: &str = "idp.test";
/// Its name in assertions.
pub const ISSUER: &str = "https://login.idp.test/tenant/v2.0";
/// About whom its assertions are.
pub const SUBJECT: &str = "b3ed0a0a-0000-4000-8000-000000000001";
/// For whom they are made.
pub const AUDIENCE: &str = "api://8adf8e6e-67b2-4cf2-a259-e3dc5476c621";

/// A key pair for signing.
pub struct Signer {
    pub kid: &'static str,
    pub algorithm: &'static str,
    pair: KeyPair,
}

impl Signer {
    /// Makes an RSA key.
    pub fn rsa(kid: &'static str) -> Self {
        let pair = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        Self { kid, algorithm: "RS256", pair }
    }

    /// Makes a key on P-256.
    pub fn ec(kid: &'static str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Self { kid, algorithm: "ES256", pair }
    }

    /// The bytes of the modulus, or of the point.
    pub fn public(&self) -> Vec<u8> {
        let raw = self.pair.public_key_raw();
        // SEQUENCE, INTEGER of 257 bytes of which the first is zero; the exponent after it is 65537.
        if self.algorithm == "RS256" { raw[9..9 + 256].to_vec() } else { raw.to_vec() }
    }

    /// The key as a set shows it.
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public = self.public();
        if self.algorithm == "RS256" {
            json!({ "kty": "RSA", "use": "sig", "kid": self.kid, "n": text(&public), "e": "AQAB" })
        } else {
            let (x, y) = public[1..].split_at(32);
            json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": self.kid, "x": text(x), "y": text(y) })
        }
    }

    fn signature(&self, message: &str) -> String {
        if self.algorithm == "RS256" {
            return URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes()).unwrap());
        }
        let key = EncodingKey::from_ec_der(&self.pair.serialize_der());
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::ES256).unwrap()
    }

    /// Signs claims under a header.
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        format!("{message}.{}", self.signature(&message))
    }

    /// Signs claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({ "alg": self.algorithm, "typ": "JWT", "kid": self.kid }), claims)
    }
}

/// Writes header and claims as they are signed.
pub fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// Signs with a shared secret, which is what the confusion of algorithms needs.
pub fn hmac_sign(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = message(header, claims);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

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

/// What the server says for a path, and how often it was asked.
#[derive(Default)]
struct Pages {
    by_path: Mutex<HashMap<String, Vec<u8>>>,
    fetched: AtomicUsize,
    stopped: AtomicBool,
}

/// A running issuer.
pub struct Idp {
    address: SocketAddr,
    pages: Arc<Pages>,
    pub names: Arc<Names>,
    pub rsa: Signer,
    pub ec: Signer,
    folder: TempDir,
    server: Option<JoinHandle<()>>,
}

impl Idp {
    /// Starts one that shows its two keys at `/keys`.
    pub fn start() -> Self {
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
        let pages = Arc::new(Pages::default());
        let (serving, config) = (Arc::clone(&pages), Arc::new(config));
        let server = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.stopped.load(Ordering::SeqCst) {
                    return;
                }
                // A client that hangs up in between is its own affair.
                let _ = stream.and_then(|stream| answer(stream, &config, &serving));
            }
        });
        let names = Arc::new(Names::default());
        names.lead(HOST, &[&["127.0.0.1"]]);
        let idp = Self {
            address,
            pages,
            names,
            rsa: Signer::rsa("rsa-1"),
            ec: Signer::ec("ec-1"),
            folder,
            server: Some(server),
        };
        idp.show_keys(&[idp.rsa.jwk(), idp.ec.jwk()]);
        idp
    }

    /// Shows these keys from now on.
    pub fn show_keys(&self, keys: &[Value]) {
        self.show("/keys", &json!({ "keys": keys }).to_string());
    }

    /// Shows a JSON page.
    pub fn show(&self, path: &str, body: &str) {
        self.show_raw(
            path,
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
        );
    }

    /// Answers with exactly these bytes.
    pub fn show_raw(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.pages.by_path.lock().unwrap().insert(path.to_owned(), bytes.into());
    }

    /// Returns how often something was fetched.
    pub fn fetched(&self) -> usize {
        self.pages.fetched.load(Ordering::SeqCst)
    }

    /// Returns the URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://{HOST}:{}{path}", self.address.port())
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Starts a daemon that may fetch from here.
    pub fn app(&self) -> TestApp {
        self.app_on(Engine::Memory, &[("net.allow", &format!("{HOST}:{}", self.port()))])
    }

    /// Starts a daemon that trusts the issuer's root, with further settings.
    pub fn app_on(&self, engine: Engine, settings: &[(&str, &str)]) -> TestApp {
        let root = self.folder.path().join("root.pem");
        let settings = [&[("net.ca_file", root.to_str().unwrap())], settings].concat();
        TestApp::with(engine, &settings, Arc::clone(&self.names) as Arc<dyn Resolver>)
    }

    /// What an operator pins of this issuer.
    pub fn pinned(&self) -> Federation {
        Federation {
            issuer: ISSUER.to_owned(),
            subject: SUBJECT.to_owned(),
            audiences: vec!["api://another".to_owned(), AUDIENCE.to_owned()],
            keys_url: Some(self.url("/keys")),
            algorithms: ["RS256", "PS256", "ES256"].map(str::to_owned).to_vec(),
            lifetime_minutes_max: 90,
        }
    }
}

impl Drop for Idp {
    fn drop(&mut self) {
        self.pages.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// Answers one request of one connection.
fn answer(stream: TcpStream, config: &Arc<rustls::ServerConfig>, pages: &Pages) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let connection = rustls::ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
    let mut stream = rustls::StreamOwned::new(connection, stream);
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let mut bytes = [0; 2048];
        let count = stream.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        head.extend_from_slice(&bytes[..count]);
    }
    pages.fetched.fetch_add(1, Ordering::SeqCst);
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
    let page = pages.by_path.lock().unwrap().get(path).cloned().unwrap_or(missing);
    stream.write_all(&page)?;
    stream.conn.send_close_notify();
    stream.flush()
}
