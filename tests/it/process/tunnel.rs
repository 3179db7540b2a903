//! TLS to a daemon as a process: a pair of certificate and key, and a client that trusts it.

use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;

use crate::support::TestDaemon;

/// Writes a fresh self-signed pair, and returns the certificate.
pub fn write_pair(home: &Path, until_year: i32) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(until_year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(home.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(home.join("key.pem"), key.serialize_pem()).unwrap();
    certificate.der().clone()
}

/// A TLS connection that stays open, and the certificate that it was shown.
pub struct Tunnel(rustls::StreamOwned<rustls::ClientConnection, std::net::TcpStream>);

impl Tunnel {
    /// Connects, and fails unless the daemon shows this certificate.
    pub fn open(daemon: &TestDaemon, trusted: &CertificateDer<'static>) -> std::io::Result<Self> {
        let config = trusting(trusted, &[]);
        let name = "localhost".try_into().unwrap();
        let session = rustls::ClientConnection::new(config, name).unwrap();
        let mut tunnel = Self(rustls::StreamOwned::new(session, daemon.client().connect()?));
        tunnel.livez().map(|()| tunnel)
    }

    /// Asks whether the daemon is alive, and reads its answer.
    pub fn livez(&mut self) -> std::io::Result<()> {
        use std::io::{Read, Write};
        self.0.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"alive") {
            let mut piece = [0; 512];
            let count = self.0.read(&mut piece)?;
            assert!(count > 0, "closed: {}", String::from_utf8_lossy(&answer));
            answer.extend(&piece[..count]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        Ok(())
    }
}

/// Returns a client's configuration that trusts one certificate and offers these protocols.
pub fn trusting(trusted: &CertificateDer<'static>, protocols: &[&[u8]]) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut config = config;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}
