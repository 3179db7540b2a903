//! npm's `oidc-provider` as a process: a certified provider, with a browser and a person in front of it (conformance/signin).

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::issuer::{HOST, Names};

/// Where its packages are.
pub fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/signin")
}

/// The provider's process, and what is said to it.
pub struct Certified {
    process: Child,
    orders: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    /// Where it is, and the secret of its clients.
    pub hello: Value,
    pub names: Arc<Names>,
    pub root: rustls::pki_types::CertificateDer<'static>,
    folder: TempDir,
}

impl Certified {
    /// Starts it for a client that is sent back there, or says why not.
    pub fn start(redirect_uri: &str) -> Result<Self, String> {
        let home = home();
        if !home.join("node_modules/oidc-provider").is_dir() {
            return Err("its packages are missing (npm ci --prefix conformance/signin)".to_owned());
        }
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([HOST.to_owned()]).unwrap().self_signed(&key).unwrap();
        let [certificate_file, key_file] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        std::fs::write(&certificate_file, certificate.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        let mut process = Command::new("node")
            .arg(home.join("server.mjs"))
            .args([&certificate_file, &key_file])
            .args([HOST, redirect_uri])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|why| format!("Node cannot be started: {why}"))?;
        let (orders, output) = (process.stdin.take(), process.stdout.take().unwrap());
        let mut lines = BufReader::new(output).lines();
        let hello = serde_json::from_str(&lines.next().expect("the provider ends at once").unwrap()).unwrap();
        let names = Arc::new(Names::default());
        names.lead(HOST, &[&["127.0.0.1"]]);
        Ok(Self { process, orders, lines, hello, names, root: certificate.der().clone(), folder })
    }

    pub fn read(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().expect("the provider has ended").unwrap()).unwrap()
    }

    pub fn order(&mut self, order: &Value) {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
    }

    /// The file of its certificate.
    pub fn root_file(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }
}

impl Drop for Certified {
    fn drop(&mut self) {
        // It ends with its input.
        self.orders = None;
        let _ = self.process.wait();
    }
}
