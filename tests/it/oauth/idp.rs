//! An issuer: a server with TLS on loopback that shows keys, and the other halves of the keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use rosterd::net::Resolver;
use rosterd::roster::Federation;
use serde_json::{Value, json};

use crate::support::issuer::{Names, TlsServer, json_page, page};
use crate::support::{Engine, TestApp};

pub use crate::support::issuer::HOST;
pub use crate::support::signer::{Signer, hmac_sign, message};

/// Its name in assertions.
pub const ISSUER: &str = "https://login.idp.test/tenant/v2.0";
/// About whom its assertions are.
pub const SUBJECT: &str = "b3ed0a0a-0000-4000-8000-000000000001";
/// For whom they are made.
pub const AUDIENCE: &str = "api://8adf8e6e-67b2-4cf2-a259-e3dc5476c621";

/// What the server says for a path.
type Pages = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// A running issuer.
pub struct Idp {
    pages: Pages,
    pub names: Arc<Names>,
    pub rsa: Signer,
    pub ec: Signer,
    server: TlsServer,
}

impl Idp {
    /// Starts one that shows its two keys at `/keys`.
    pub fn start() -> Self {
        let pages = Pages::default();
        let shown = Arc::clone(&pages);
        let server = TlsServer::start(move |asked| {
            shown.lock().unwrap().get(&asked.target).cloned().unwrap_or_else(|| page("404 Not Found", ""))
        });
        let (rsa, ec) = (Signer::rsa("rsa-1"), Signer::ec("ec-1"));
        let idp = Self { pages, names: Arc::clone(&server.names), rsa, ec, server };
        idp.show_keys(&[idp.rsa.jwk(), idp.ec.jwk()]);
        idp
    }

    /// Shows these keys from now on.
    pub fn show_keys(&self, keys: &[Value]) {
        self.show("/keys", &json!({ "keys": keys }).to_string());
    }

    /// Shows a JSON page.
    pub fn show(&self, path: &str, body: &str) {
        self.show_raw(path, json_page(body));
    }

    /// Answers with exactly these bytes.
    pub fn show_raw(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.pages.lock().unwrap().insert(path.to_owned(), bytes.into());
    }

    /// Returns how often something was fetched.
    pub fn fetched(&self) -> usize {
        self.server.fetched()
    }

    /// Returns the URL of a path.
    pub fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Starts a daemon that may fetch from here.
    pub fn app(&self) -> TestApp {
        self.app_on(Engine::Memory, &[("net.allow", &format!("{HOST}:{}", self.port()))])
    }

    /// Starts a daemon that trusts the issuer's root, with further settings.
    pub fn app_on(&self, engine: Engine, settings: &[(&str, &str)]) -> TestApp {
        let root = self.server.root_file();
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
