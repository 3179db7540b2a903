//! R32, X64: TLS 1.2 and 1.3 and nothing older, HTTP/2 where it is asked for, and a new certificate without a dropped connection.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rosterd::http::limits::Limits;
use rosterd::http::tls::{Tls, TlsFiles};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::support::{Edge, short};

fn files(folder: &TempDir) -> TlsFiles {
    TlsFiles { certificate: folder.path().join("certificate.pem"), key: folder.path().join("key.pem") }
}

/// Writes a fresh self-signed pair that runs out at the start of a year, and returns the certificate.
fn write_pair(files: &TlsFiles, until_year: i32) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(until_year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(&files.certificate, certificate.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    certificate.der().clone()
}

async fn dial(
    edge: &Edge,
    trusted: &CertificateDer<'static>,
    alpn: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(edge.address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

async fn livez(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 4096];
    let count = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn r32_a_new_pair_serves_new_connections_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(&folder);
    let first = write_pair(&files, 2040);
    let tls = Tls::load(&files).unwrap();
    let edge = Edge::with(Limits::default(), Some(Arc::clone(&tls))).await;
    let mut old = dial(&edge, &first, &[b"http/1.1"]).await.unwrap();
    assert!(livez(&mut old).await.starts_with("HTTP/1.1 200"));

    let second = write_pair(&files, 2041);
    tls.reload(&files).unwrap();
    let mut new = dial(&edge, &second, &[]).await.unwrap();
    assert!(livez(&mut new).await.starts_with("HTTP/1.1 200"));
    assert!(dial(&edge, &first, &[]).await.is_err(), "the old certificate is still shown");
    assert!(livez(&mut old).await.starts_with("HTTP/1.1 200"), "the old connection was dropped");

    let breakages: [(&str, &dyn Fn()); 4] = [
        ("no key", &|| std::fs::remove_file(&files.key).unwrap()),
        ("a key that is none", &|| std::fs::write(&files.key, "none").unwrap()),
        ("another's key", &|| {
            std::fs::write(&files.key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
        }),
        ("no certificate", &|| std::fs::write(&files.certificate, "").unwrap()),
    ];
    for (what, break_it) in breakages {
        break_it();
        let error = tls.reload(&files).expect_err(what).to_string();
        assert!(
            error.contains(folder.path().to_str().unwrap()),
            "{what}: the message names no file: {error}"
        );
        assert!(dial(&edge, &second, &[]).await.is_ok(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alpn_chooses_the_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = write_pair(&files(&folder), 2040);
    let edge = Edge::with(Limits::default(), Some(Tls::load(&files(&folder)).unwrap())).await;
    let mut stream = dial(&edge, &certificate, &[b"h2", b"http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4, "the first frame is SETTINGS");
}

#[tokio::test(flavor = "multi_thread")]
async fn r24_a_handshake_that_does_not_end_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    write_pair(&files(&folder), 2040);
    let edge = Edge::with(short(), Some(Tls::load(&files(&folder)).unwrap())).await;
    let mut raw = edge.connect().await;
    raw.send(&[0x16, 0x03, 0x01]).await;
    assert_eq!(raw.rest().await, "");
    edge.until_metric("rosterd_http_cut_total{reason=\"handshake\"}", 1.0).await;
}

#[test]
fn r32_the_days_to_expiry_are_whole_days_and_go_negative() {
    let folder = tempfile::tempdir().unwrap();
    write_pair(&files(&folder), 2040);
    let tls = Tls::load(&files(&folder)).unwrap();
    let days = |now: &str| tls.days_to_expiry(now.parse().unwrap());
    assert_eq!(days("2039-12-30T12:00:00Z"), 1);
    assert_eq!(days("2039-12-31T00:00:00Z"), 1);
    assert_eq!(days("2040-01-01T00:00:01Z"), -1);
}

// Rows: S10.
#[tokio::test(flavor = "multi_thread")]
async fn x64_old_protocols_and_weak_suites_are_refused() {
    if !Path::new("/usr/bin/openssl").exists() {
        println!("SKIPPED x64: /usr/bin/openssl is missing; install the package openssl");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_pair(&files(&folder), 2040);
    let edge = Edge::with(Limits::default(), Some(Tls::load(&files(&folder)).unwrap())).await;
    let address = edge.address.to_string();
    let handshake = |offer: &'static [&'static str]| {
        let address = address.clone();
        tokio::task::spawn_blocking(move || {
            Command::new("/usr/bin/openssl")
                .args(["s_client", "-connect", &address])
                .args(offer)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap()
                .success()
        })
    };
    for good in [&["-tls1_3"][..], &["-tls1_2"], &["-tls1_2", "-cipher", "ECDHE+AESGCM"]] {
        assert!(handshake(good).await.unwrap(), "{good:?} should do");
    }
    for bad in [
        &["-tls1", "-cipher", "ALL:@SECLEVEL=0"][..],
        &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "ECDHE+AES:!AESGCM:!AESCCM:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "aNULL:eNULL:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "DHE:@SECLEVEL=0"],
    ] {
        assert!(!handshake(bad).await.unwrap(), "{bad:?} should not do");
    }
}
