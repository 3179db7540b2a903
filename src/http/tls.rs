//! TLS of the public listener: rustls with aws-lc, TLS 1.3 and 1.2 only (X64), reloaded without dropping anybody (R32).
//!
//! A connection keeps the certificate it was opened with. A pair that cannot be read, does not match, or is no
//! certificate leaves the old pair in place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Where the pair lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain in PEM form, own certificate first.
    pub certificate: PathBuf,
    /// Its private key in PEM form (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
}

/// Why a pair was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read, or holds nothing of the kind.
    #[error("expected {wanted} in PEM form in {}, found: {found}", path.display())]
    File {
        /// What should be there.
        wanted: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the reader met.
        found: rustls_pki_types::pem::Error,
    },
    /// The two do not belong together, or rustls cannot use them.
    #[error("the certificate in {} and the key in {} cannot be used together: {why}", files.certificate.display(), files.key.display())]
    Pair {
        /// Which files.
        files: TlsFiles,
        /// What rustls said.
        why: rustls::Error,
    },
    /// The certificate's dates cannot be read.
    #[error("the first certificate in {} cannot be parsed", path.display())]
    Certificate {
        /// Which file.
        path: PathBuf,
    },
}

/// The pair in use. Shared by the listener and by whoever reloads it.
#[derive(Debug)]
pub struct Tls {
    current: ArcSwap<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    config: Arc<ServerConfig>,
    not_after: Timestamp,
}

impl Tls {
    /// Reads the pair for the first time.
    pub fn load(files: &TlsFiles) -> Result<Arc<Self>, TlsError> {
        let current = ArcSwap::from_pointee(Loaded::read(files)?);
        Ok(Arc::new(Self { current }))
    }

    /// Reads the pair again, from the same files or others. On an error the old pair stays in use. Blocking; a few file reads.
    pub fn reload(&self, files: &TlsFiles) -> Result<(), TlsError> {
        self.current.store(Arc::new(Loaded::read(files)?));
        Ok(())
    }

    /// Returns what new connections use.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().config)
    }

    /// Returns the whole days until the certificate runs out; negative when it has.
    pub fn days_to_expiry(&self, now: Timestamp) -> i64 {
        const DAY_S: i64 = 86_400;
        self.current.load().not_after.as_second().saturating_sub(now.as_second()).div_euclid(DAY_S)
    }
}

impl Loaded {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let file = |wanted, path: &Path| {
            let path = path.to_owned();
            move |found| TlsError::File { wanted, path, found }
        };
        let chain = CertificateDer::pem_file_iter(&files.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(file("a certificate chain", &files.certificate))?;
        let first = chain.first().ok_or_else(|| {
            file("a certificate chain", &files.certificate)(rustls_pki_types::pem::Error::NoItemsFound)
        })?;
        let not_after =
            not_after(first).ok_or_else(|| TlsError::Certificate { path: files.certificate.clone() })?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(file("a private key", &files.key))?;
        let config = config(chain, key).map_err(|why| TlsError::Pair { files: files.clone(), why })?;
        Ok(Self { config: Arc::new(config), not_after })
    }
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn not_after(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()
}
