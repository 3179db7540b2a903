//! One request to somewhere else, and nothing that an answer could make larger, longer or lead astray (R24, X52).
//!
//! A GET fetches what a URL names; a POST delivers, and of its answer only status and Retry-After are looked at; an exchange sends and reads, whatever the
//! status. The name is looked up once, every address it has is checked, and the connection goes to one of these. No redirect is followed, no
//! compression undone, no proxy used, no connection kept: what is fetched here is fetched now and then.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body as _, Bytes};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::address::{is_permitted, may_reach};
use super::resolve::Resolver;
use crate::config::Permit;

/// Longest URL.
pub const URL_CHARACTERS_MAX: usize = 2048;
/// Requests under way at once, unless a client is made for more; further ones wait within their time.
pub const AT_ONCE_MAX: usize = 16;
/// Addresses of one host that are tried.
const ADDRESSES_TRIED_MAX: usize = 4;
/// What is read of an answer's head.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// An absolute https URL without credentials or a fragment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpsUrl {
    text: String,
    host: String,
    port: u16,
    target: String,
}

impl HttpsUrl {
    /// Reads a URL, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NetError> {
        Self::read(text, "https", 443)
    }

    fn read(text: &str, scheme: &str, port: u16) -> Result<Self, NetError> {
        let refused = |why: &'static str| NetError::Url(why);
        if text.len() > URL_CHARACTERS_MAX {
            return Err(refused("it is longer than 2048 characters"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains(['\\', '#', '@']) {
            return Err(refused(
                "it holds spaces, a fragment, a name with a password, or characters outside ASCII",
            ));
        }
        let uri: Uri = text.parse().map_err(|_| refused("it is no URL"))?;
        if uri.scheme_str() != Some(scheme) {
            return Err(refused("it does not begin with https://"));
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| refused("it names no host"))?;
        // Not the library's own reading, which takes a port that is none for no port.
        let authority = uri.authority().map_or("", hyper::http::uri::Authority::as_str);
        let port = match authority.strip_prefix(host).unwrap_or(":") {
            "" => port,
            rest => rest
                .strip_prefix(':')
                .and_then(|port| port.parse::<u16>().ok())
                .filter(|port| *port > 0)
                .ok_or_else(|| refused("its port is none"))?,
        };
        let target = uri.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str).to_owned();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        Ok(Self { text: text.to_owned(), host, port, target })
    }

    /// Returns the URL as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the host in lower case, an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where something is delivered to: an https URL, or an http URL of a place that `net.allow` names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeliveryUrl {
    at: HttpsUrl,
    plain: bool,
}

impl DeliveryUrl {
    /// Reads a URL, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NetError> {
        let plain = text.starts_with("http://");
        let at = if plain { HttpsUrl::read(text, "http", 80)? } else { HttpsUrl::parse(text)? };
        Ok(Self { at, plain })
    }

    /// Returns the URL as it was written.
    pub fn as_str(&self) -> &str {
        self.at.as_str()
    }
}

/// How a delivery was answered. What else the answer holds is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The status.
    pub status: StatusCode,
    /// The field Retry-After, as it was written.
    pub retry_after: Option<String>,
}

/// An answer that was read as a whole, within its bound.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The status.
    pub status: StatusCode,
    /// What the answer says of its body.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// Why nothing was fetched. For the log; a caller's own client is told nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The URL is none that is fetched.
    #[error("expected an https URL: {0}")]
    Url(&'static str),
    /// The name has no address.
    #[error("the host's name could not be resolved: {0}")]
    Resolve(String),
    /// The name leads where requests must not go.
    #[error("the host has the address {0}, which is not public; net.allow can open it")]
    Forbidden(IpAddr),
    /// No connection.
    #[error("no connection to the host: {0}")]
    Connect(io::Error),
    /// It took too long.
    #[error("the host took longer than {0:?}")]
    TooSlow(Duration),
    /// Another status than 200. Redirects are among them.
    #[error("expected the status 200, found {}", .0.as_u16())]
    Status(StatusCode),
    /// The answer is compressed, although nobody asked for that.
    #[error("expected an answer without Content-Encoding")]
    Encoded,
    /// The answer is larger than it may be.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// The answer broke off, or is no HTTP.
    #[error("the answer broke off: {0}")]
    Broken(String),
}

/// How requests are made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where they may go beside public addresses.
    pub allow: Vec<Permit>,
    /// For a connection to stand, the name's look-up and TLS included.
    pub connect: Duration,
    /// For a request as a whole.
    pub total: Duration,
    /// Roots that are trusted beside those that browsers trust.
    pub roots: Vec<CertificateDer<'static>>,
    /// How many may be under way at once.
    pub at_once_max: usize,
}

/// Why a file of roots was not taken.
#[derive(Debug, thiserror::Error)]
#[error("net.ca_file: expected root certificates in PEM form in {}, found: {why}", path.display())]
pub struct RootsError {
    /// Which file.
    path: PathBuf,
    /// What the reader met.
    why: String,
}

impl RootsError {
    /// Says what the reader met, without the setting that named the file.
    pub fn why(&self) -> &str {
        &self.why
    }
}

/// Reads a PEM file with at least one root certificate.
pub fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let refused = |why: String| RootsError { path: path.to_owned(), why };
    let roots = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refused(error.to_string()))?;
    let mut store = RootCertStore::empty();
    for root in &roots {
        store.add(root.clone()).map_err(|error| refused(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(refused("no certificate".to_owned()));
    }
    Ok(roots)
}

/// Makes requests. One for the whole daemon.
pub struct Client {
    resolver: Arc<dyn Resolver>,
    tls: TlsConnector,
    /// The same for other protocols than HTTP, whose name is not said.
    bare_tls: TlsConnector,
    allow: Vec<Permit>,
    connect: Duration,
    total: Duration,
    places: Semaphore,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("allow", &self.allow).finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a client. Roots that are no certificates are left out; [`read_roots`] refuses them before.
    pub fn new(options: Options, resolver: Arc<dyn Resolver>) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        roots.add_parsable_certificates(options.roots);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let bare_tls = TlsConnector::from(Arc::new(config.clone()));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            resolver,
            bare_tls,
            tls: TlsConnector::from(Arc::new(config)),
            allow: options.allow,
            connect: options.connect,
            total: options.total,
            places: Semaphore::new(options.at_once_max),
        })
    }

    /// Fetches what a URL names: a 200 of at most so many bytes, or nothing.
    pub async fn get(&self, url: &HttpsUrl, bytes_max: usize) -> Result<Bytes, NetError> {
        let whole = async {
            // The semaphore is never closed; without a place the request goes on all the same.
            let _place = self.places.acquire().await.ok();
            let stream = self.in_time(self.reach(url)).await?;
            let request = request(Method::GET, url, HeaderMap::new(), Bytes::new(), 443)?;
            let (response, line) = ask(stream, request).await?;
            if response.status() != StatusCode::OK {
                return Err(NetError::Status(response.status()));
            }
            read((response, line), bytes_max).await
        };
        timeout(self.total, whole).await.map_err(|_| NetError::TooSlow(self.total))?
    }

    /// Sends a request and reads its answer, whatever the status, of at most so many bytes. Fields beside those of every request are the caller's.
    pub async fn exchange(
        &self,
        method: Method,
        url: &HttpsUrl,
        fields: HeaderMap,
        body: Bytes,
        bytes_max: usize,
    ) -> Result<Answered, NetError> {
        let whole = async {
            let _place = self.places.acquire().await.ok();
            let stream = self.in_time(self.reach(url)).await?;
            let (response, line) = ask(stream, request(method, url, fields, body, 443)?).await?;
            let content_type = response.headers().get(header::CONTENT_TYPE);
            let content_type = content_type.and_then(|field| field.to_str().ok()).map(str::to_owned);
            let status = response.status();
            Ok(Answered { status, content_type, body: read((response, line), bytes_max).await? })
        };
        timeout(self.total, whole).await.map_err(|_| NetError::TooSlow(self.total))?
    }

    /// Delivers a body, and says how it was answered, whatever the status. Fields beside those of every request are the caller's.
    pub async fn post(
        &self,
        url: &DeliveryUrl,
        fields: HeaderMap,
        body: Bytes,
    ) -> Result<Delivered, NetError> {
        let whole = async {
            let _place = self.places.acquire().await.ok();
            let default_port = if url.plain { 80 } else { 443 };
            let request = request(Method::POST, &url.at, fields, body, default_port)?;
            let (response, _line) = if url.plain {
                let found = self.in_time(async {
                    let may = |address| is_permitted(address, &url.at.host, url.at.port, &self.allow);
                    connect(&url.at, self.addresses(&url.at, may).await?).await
                });
                ask(found.await?, request).await?
            } else {
                ask(self.in_time(self.reach(&url.at)).await?, request).await?
            };
            let retry_after = response.headers().get(header::RETRY_AFTER);
            let retry_after = retry_after.and_then(|field| field.to_str().ok()).map(str::to_owned);
            Ok(Delivered { status: response.status(), retry_after })
        };
        timeout(self.total, whole).await.map_err(|_| NetError::TooSlow(self.total))?
    }

    /// Opens a connection for another protocol than HTTP. Without TLS (`plain`) only where the operator has named the place; to loopback, if the name says
    /// that it is.
    pub async fn dial(&self, host: &str, port: u16, plain: bool) -> Result<TcpStream, NetError> {
        let is_loopback =
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let url =
            HttpsUrl { text: String::new(), host: host.to_ascii_lowercase(), port, target: String::new() };
        let may = |address: IpAddr| {
            (is_loopback && address.to_canonical().is_loopback())
                || if plain {
                    is_permitted(address, host, port, &self.allow)
                } else {
                    may_reach(address, host, port, &self.allow)
                }
        };
        self.in_time(async { connect(&url, self.addresses(&url, may).await?).await }).await
    }

    /// Speaks TLS on a connection that was opened, with whoever is of that name.
    pub async fn secure(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, NetError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| NetError::Url("its host is neither a name nor an address"))?;
        self.in_time(async { self.bare_tls.connect(name, stream).await.map_err(NetError::Connect) }).await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, NetError>>) -> Result<T, NetError> {
        timeout(self.connect, work).await.map_err(|_| NetError::TooSlow(self.connect))?
    }

    /// Finds where the host may be spoken to, and speaks TLS there.
    async fn reach(&self, url: &HttpsUrl) -> Result<TlsStream<TcpStream>, NetError> {
        let name = ServerName::try_from(url.host.clone())
            .map_err(|_| NetError::Url("its host is neither a name nor an address"))?;
        let may = |address| may_reach(address, &url.host, url.port, &self.allow);
        let stream = connect(url, self.addresses(url, may).await?).await?;
        self.tls.connect(name, stream).await.map_err(NetError::Connect)
    }

    /// Looks the host up. One address that must not be spoken to spoils the rest: no honest name has such company.
    async fn addresses(&self, url: &HttpsUrl, may: impl Fn(IpAddr) -> bool) -> Result<Vec<IpAddr>, NetError> {
        let addresses = match url.host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => {
                let found = self.resolver.resolve(&url.host).await;
                found.map_err(|error| NetError::Resolve(error.to_string()))?
            }
        };
        if addresses.is_empty() {
            return Err(NetError::Resolve("it has none".to_owned()));
        }
        match addresses.iter().find(|address| !may(**address)) {
            Some(forbidden) => Err(NetError::Forbidden(*forbidden)),
            None => Ok(addresses),
        }
    }
}

/// The connection behind an answer; ends with it.
struct Line(tokio::task::JoinHandle<()>);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Connects to the first address that answers.
async fn connect(url: &HttpsUrl, addresses: Vec<IpAddr>) -> Result<TcpStream, NetError> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses.into_iter().take(ADDRESSES_TRIED_MAX) {
        // The address that was checked, not the name: nobody is asked a second time.
        match TcpStream::connect(SocketAddr::new(address, url.port)).await {
            Ok(stream) => {
                // Each message goes out as it was written: those who speak by turns would wait for a late acknowledgement at each.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(NetError::Connect(last))
}

fn request(
    method: Method,
    url: &HttpsUrl,
    fields: HeaderMap,
    body: Bytes,
    default_port: u16,
) -> Result<Request<Full<Bytes>>, NetError> {
    let bare = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.clone() };
    let host = if url.port == default_port { bare } else { format!("{bare}:{}", url.port) };
    let unsendable = || NetError::Url("its host or path cannot be sent");
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = url.target.parse().map_err(|_| unsendable())?;
    *request.headers_mut() = fields;
    let own = [
        (header::HOST, HeaderValue::from_str(&host).map_err(|_| unsendable())?),
        (header::ACCEPT, HeaderValue::from_static("application/json")),
        (header::ACCEPT_ENCODING, HeaderValue::from_static("identity")),
        (header::CONNECTION, HeaderValue::from_static("close")),
        (header::USER_AGENT, HeaderValue::from_static("rosterd")),
    ];
    request.headers_mut().extend(own);
    Ok(request)
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<(Response<hyper::body::Incoming>, Line), NetError> {
    let broken = |error: hyper::Error| NetError::Broken(error.to_string());
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let line = Line(tokio::spawn(async move {
        // What went wrong comes to whoever reads the answer.
        let _ = connection.await;
    }));
    let response = sender.send_request(request).await.map_err(broken)?;
    Ok((response, line))
}

async fn read(
    (response, _line): (Response<hyper::body::Incoming>, Line),
    bytes_max: usize,
) -> Result<Bytes, NetError> {
    let encoding = response.headers().get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(NetError::Encoded);
    }
    let body = response.into_body();
    if usize::try_from(body.size_hint().lower()).is_ok_and(|declared| declared > bytes_max) {
        return Err(NetError::TooLarge(bytes_max));
    }
    match Limited::new(body, bytes_max).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(NetError::TooLarge(bytes_max)),
        Err(error) => Err(NetError::Broken(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_roots_that_holds_none_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("roots.pem");
        for (content, part) in [
            ("", "no certificate"),
            ("no PEM", "no certificate"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "found: "),
        ] {
            std::fs::write(&file, content).unwrap();
            let said = read_roots(&file).unwrap_err().to_string();
            assert!(said.starts_with("net.ca_file: expected root certificates in PEM form in "), "{said}");
            assert!(said.contains("roots.pem") && said.contains(part), "{said}");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(read_roots(&file).is_err());
    }

    #[test]
    fn x52_deliveries_go_by_https_or_http_and_nothing_else() {
        for good in ["https://hooks.example/in", "http://127.0.0.1:9000/in?x=1"] {
            assert_eq!(DeliveryUrl::parse(good).unwrap().as_str(), good);
        }
        for wrong in
            ["ftp://hooks.example/", "HTTP://hooks.example/", "http://me@hooks.example/", "http:///in", ""]
        {
            assert!(DeliveryUrl::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn x52_only_plain_https_urls_are_fetched() {
        for (text, host, port, target) in [
            ("https://idp.example/keys", "idp.example", 443, "/keys"),
            ("https://IdP.example:8443", "idp.example", 8443, "/"),
            ("https://idp.example/keys?v=2", "idp.example", 443, "/keys?v=2"),
            ("https://[2606:2800::1]:8443/k", "2606:2800::1", 8443, "/k"),
        ] {
            let url = HttpsUrl::parse(text).unwrap();
            assert_eq!((url.host.as_str(), url.port, url.target.as_str()), (host, port, target), "{text}");
        }
        let long = format!("https://idp.example/{}", "k".repeat(URL_CHARACTERS_MAX));
        for wrong in [
            "http://idp.example/keys",
            "HTTP://idp.example/keys",
            "file:///etc/passwd",
            "ftp://idp.example/",
            "//idp.example/keys",
            "/keys",
            "idp.example",
            "https://",
            "https:///keys",
            "https://me:secret@idp.example/",
            "https://idp.example@127.0.0.1/",
            "https://idp.example/#keys",
            "https://idp.example\\@127.0.0.1/",
            "https://idp.example/a b",
            "https://idp.example:0/",
            "https://idp.example:/",
            "https://idp.example:99999/",
            "https://idp.éxample/",
            "",
            &long,
        ] {
            assert!(HttpsUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}
