//! A SCIM client with one connection, as an identity provider's agent has it.

use std::io;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// The path that requests of SCIM begin with.
const BASE_PATH: &str = "/scim/v2";

/// One connection to a daemon.
#[derive(Debug)]
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    token: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body; null where there is none.
    pub body: Value,
}

impl Client {
    /// Connects.
    pub async fn connect(daemon: SocketAddr, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(daemon).await.with_context(|| format!("connecting to {daemon}"))?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, host: daemon.to_string(), token: token.to_owned() })
    }

    /// Sends a request below the base path, and reads the whole answer.
    pub async fn send(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        self.send_to(method, &format!("{BASE_PATH}{path}"), body).await
    }

    /// Sends a request to a path as it stands, and reads the whole answer.
    pub async fn send_to(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let bytes = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .header(USER_AGENT, "rosterd demo")
            .header(ACCEPT, "application/scim+json")
            .header(CONTENT_TYPE, "application/scim+json; charset=utf-8")
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Full::new(Bytes::from(bytes)))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body =
            Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(io::Error::other)?;
        let body = body.to_bytes();
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).context("the answer is no JSON")?
        };
        Ok(Answer { status, body })
    }
}

impl Answer {
    /// Refuses any other status.
    pub fn expect(self, status: StatusCode) -> Result<Value> {
        if self.status == status {
            return Ok(self.body);
        }
        let detail = self.body.get("detail").and_then(Value::as_str).unwrap_or("no detail");
        bail!("expected {status}, found {}: {detail}", self.status)
    }
}
