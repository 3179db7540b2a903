//! HTTP/1.1 by hand: one connection, one credential, blocking. Sends what it is told, byte for byte, so that a test can be as rude as it must.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

/// Longest wait for an answer; a server that hangs fails the test instead of holding it.
const PATIENCE: Duration = Duration::from_mins(1);
/// What stands before every SCIM path.
const BASE: &str = "/scim/v2";

/// A request in the making.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// Asks for a whole target: `/livez`, `/scim/v2/Users?count=1`.
    pub fn new(method: &str, target: impl Into<String>) -> Self {
        Self { method: method.to_owned(), target: target.into(), headers: vec![], body: None }
    }

    /// Asks for a path below the SCIM base.
    pub fn scim(method: &str, path: &str) -> Self {
        Self::new(method, format!("{BASE}{path}"))
    }

    /// Adds a field. A field named here is not added by the client; with an empty value it is not sent at all.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Adds a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
    }

    fn names(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// Writes the request as it goes over the wire.
    pub fn bytes(&self, host: SocketAddr, token: Option<&str>) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut add = |name: &str, value: &str| {
            if !value.is_empty() {
                let _ = write!(head, "{name}: {value}\r\n");
            }
        };
        if !self.names("host") {
            add("Host", &host.to_string());
        }
        if let (Some(token), false) = (token, self.names("authorization")) {
            add("Authorization", &format!("Bearer {token}"));
        }
        if !self.names("accept") {
            add("Accept", "application/scim+json");
        }
        if let Some(body) = &self.body {
            if !self.names("content-type") {
                add("Content-Type", "application/scim+json");
            }
            if !self.names("content-length") && !self.names("transfer-encoding") {
                add("Content-Length", &body.len().to_string());
            }
        }
        for (name, value) in &self.headers {
            add(name, value);
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend(self.body.iter().flatten());
        bytes
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The fields in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns the first field of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Reads the body as JSON; `null` when there is none.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// Returns the `id` of the resource in the body.
    pub fn id(&self) -> String {
        self.json()["id"].as_str().unwrap_or_else(|| panic!("no id in {self:?}")).to_owned()
    }

    /// Returns the entity tag.
    pub fn etag(&self) -> String {
        self.header("etag").unwrap_or_else(|| panic!("no ETag in {self:?}")).to_owned()
    }

    /// Fails unless the status is the one hoped for.
    #[track_caller]
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?}\n{}", self.headers, self.text());
        self
    }

    /// Fails unless the answer is an error in SCIM's words (S170), with this status and `scimType`.
    #[track_caller]
    pub fn refused(&self, status: u16, scim_type: Option<&str>) -> String {
        let body = self.json();
        let detail = body["detail"].as_str().unwrap_or_default().to_owned();
        let mut expected = serde_json::json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string(), "detail": detail
        });
        if let Some(word) = scim_type {
            expected["scimType"] = word.into();
        }
        assert_eq!((self.status, &body), (status, &expected));
        assert_ne!(detail, "", "an error without a word of explanation");
        assert_eq!(self.header("content-type"), Some("application/scim+json"));
        detail
    }

    /// Returns what two answers to equal questions must have in common: everything but the id of the request and the time.
    pub fn essence(&self) -> (u16, Vec<(String, String)>, Vec<u8>) {
        let changing = ["x-request-id", "date"];
        let kept =
            self.headers.iter().filter(|(name, _)| !changing.contains(&name.as_str())).cloned().collect();
        (self.status, kept, self.body.clone())
    }
}

/// One connection with one credential. A clone has a connection of its own.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    token: Option<String>,
    line: Mutex<Option<BufReader<TcpStream>>>,
}

impl Clone for Client {
    fn clone(&self) -> Self {
        Self { address: self.address, token: self.token.clone(), line: Mutex::default() }
    }
}

impl Client {
    /// Speaks to an address with a bearer token.
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self { address, token: Some(token.to_owned()), line: Mutex::default() }
    }

    /// Speaks to the same address with another token.
    pub fn with(&self, token: &str) -> Self {
        Self::new(self.address, token)
    }

    /// Speaks to the same address without a credential.
    pub fn stranger(&self) -> Self {
        Self { address: self.address, token: None, line: Mutex::default() }
    }

    /// Returns the address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the token.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("a client with a token")
    }

    /// Sends a request and reads its answer.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Answer {
        self.try_send(request)
            .unwrap_or_else(|error| panic!("{} {}: {error}", request.method, request.target))
    }

    /// Sends a request and reads its answer; an error where the daemon is gone.
    pub fn try_send(&self, request: &Request) -> io::Result<Answer> {
        let bytes = request.bytes(self.address, self.token.as_deref());
        let mut line = self.line.lock().unwrap();
        if let Some(mut open) = line.take() {
            // The daemon may have closed an idle connection; nothing of a request was taken then.
            match talk(&mut open, &bytes, request.method == "HEAD") {
                Ok((answer, goes_on)) => {
                    *line = goes_on.then_some(open);
                    return Ok(answer);
                }
                Err(Broken::Unheard) => {}
                Err(Broken::Midway(error)) => return Err(error),
            }
        }
        let mut fresh = BufReader::new(self.connect()?);
        match talk(&mut fresh, &bytes, request.method == "HEAD") {
            Ok((answer, goes_on)) => {
                *line = goes_on.then_some(fresh);
                Ok(answer)
            }
            Err(Broken::Unheard) => Err(ErrorKind::ConnectionReset.into()),
            Err(Broken::Midway(error)) => Err(error),
        }
    }

    /// Opens a bare connection.
    pub fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// Reads below the SCIM base.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send(&Request::scim("GET", path))
    }

    /// Posts JSON below the SCIM base.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(&Request::scim("POST", path).json(body))
    }

    /// Puts JSON below the SCIM base.
    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(&Request::scim("PUT", path).json(body))
    }

    /// Patches with JSON below the SCIM base.
    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(&Request::scim("PATCH", path).json(body))
    }

    /// Deletes below the SCIM base.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.send(&Request::scim("DELETE", path))
    }

    /// Lists what a filter means.
    #[track_caller]
    pub fn find(&self, path: &str, filter: &str) -> Answer {
        self.get(&format!("{path}?filter={}", encode(filter)))
    }
}

/// Reads one answer from a stream that a test holds itself.
pub(super) fn read_answer(stream: &mut BufReader<TcpStream>) -> io::Result<Answer> {
    match read(stream, false) {
        Ok((answer, _)) => Ok(answer),
        Err(Broken::Unheard) => Err(ErrorKind::UnexpectedEof.into()),
        Err(Broken::Midway(error)) => Err(error),
    }
}

impl Answer {
    /// Reads one answer from a stream that a test holds itself.
    pub fn read_from(stream: &TcpStream) -> io::Result<Self> {
        read_answer(&mut BufReader::new(stream.try_clone()?))
    }
}

/// Why there is no answer.
enum Broken {
    /// The connection had ended before a byte of an answer came.
    Unheard,
    /// Anything else.
    Midway(io::Error),
}

fn talk(line: &mut BufReader<TcpStream>, bytes: &[u8], head_only: bool) -> Result<(Answer, bool), Broken> {
    // A refusal may come, and the connection close, before the whole body was taken: read what was said all the same.
    let written = line.get_mut().write_all(bytes);
    match (read(line, head_only), written) {
        (Err(Broken::Unheard), _) => Err(Broken::Unheard),
        (read, _) => read,
    }
}

fn read(line: &mut BufReader<TcpStream>, head_only: bool) -> Result<(Answer, bool), Broken> {
    let mut status_line = String::new();
    match line.read_line(&mut status_line) {
        Ok(0) => return Err(Broken::Unheard),
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
            return Err(Broken::Unheard);
        }
        Err(error) => return Err(Broken::Midway(error)),
        Ok(_) => {}
    }
    read_rest(line, &status_line, head_only).map_err(Broken::Midway)
}

fn read_rest(
    line: &mut BufReader<TcpStream>,
    status_line: &str,
    head_only: bool,
) -> io::Result<(Answer, bool)> {
    let bad = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
    let status: u16 =
        status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| bad(status_line))?;
    let mut headers = Vec::new();
    loop {
        let mut field = String::new();
        if line.read_line(&mut field)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let field = field.trim_end();
        if field.is_empty() {
            break;
        }
        let (name, value) = field.split_once(':').ok_or_else(|| bad(field))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer { status, headers, body: vec![] };
    let goes_on = answer.header("connection") != Some("close");
    if head_only || matches!(status, 204 | 304) {
        return Ok((answer, goes_on));
    }
    if answer.header("transfer-encoding") == Some("chunked") {
        loop {
            let mut size = String::new();
            line.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(|_| bad("no chunk size"))?;
            let mut chunk = vec![0; size + 2];
            line.read_exact(&mut chunk)?;
            answer.body.extend(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    } else {
        let length = answer.header("content-length").ok_or_else(|| bad("no length"))?.parse();
        answer.body = vec![0; length.map_err(|_| bad("no number"))?];
        line.read_exact(&mut answer.body)?;
    }
    Ok((answer, goes_on))
}

/// Encodes a value of a query parameter.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
