//! How the command line reaches a roster: through the socket of the daemon that holds the data folder, or by opening the folder itself.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::settings::SettingsArgs;
use super::{Refused, World, unexpected};
use crate::app::{self, Rim};
use crate::archive::{self, Header, Shape};
use crate::config::{Config, Engine};
use crate::doctor::{self, Doctor, Question};
use crate::http::admin::archive::ARCHIVE_PATH;
use crate::http::admin::desk::{PLUGINS_PATH, PluginOrder};
use crate::http::admin::{COMMAND_WITHIN, INSPECT_PATH, OPERATE_PATH, WEBHOOKS_PATH};
use crate::http::layers::X_REQUEST_ID;
use crate::http::panics;
use crate::outbox;
use crate::roster::{Command, PeopleAnswer, PeopleAsk, Reply, Roster, RosterError};

/// How long is waited for a daemon: a little longer than it gives itself, so that its own word comes first.
const ANSWER_WITHIN: Duration = COMMAND_WITHIN.saturating_add(Duration::from_secs(10));
/// How long is waited for the next piece of an answer that comes in pieces.
const PIECE_WITHIN: Duration = Duration::from_mins(2);
/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A roster within reach.
pub enum Operator {
    /// A daemon holds the folder.
    Daemon(PathBuf),
    /// Nobody does; we do.
    Folder(PathBuf, Arc<Roster>),
}

impl Operator {
    /// Finds the roster that the settings name. An empty folder is refused, so that a mistyped path makes nothing.
    pub fn reach(settings: &SettingsArgs, world: &World<'_>) -> Result<Self> {
        let config = Config::load(&settings.sources(world.environment.clone())).map_err(Refused)?;
        if let Some(daemon) = Self::running(&config) {
            return Ok(daemon);
        }
        let dir = &config.data.dir;
        if config.store.engine == Engine::Redb && !dir.join("FORMAT").exists() {
            bail!(
                "{}: expected a data folder of rosterd, found none; name it by --data, or start one with rosterd serve --data DIR",
                dir.display()
            );
        }
        // A panic of the engine at a damaged page comes back as an error with a sentence; its own words would only stand before that.
        panics::install_hook();
        Ok(Self::Folder(dir.clone(), app::open_roster(&config, &Rim::default())?))
    }

    /// Finds the daemon that serves the folder of the settings, if one does.
    pub fn running(config: &Config) -> Option<Self> {
        let socket = config.admin.socket_path(&config.data);
        std::os::unix::net::UnixStream::connect(&socket).is_ok().then_some(Self::Daemon(socket))
    }

    /// Asks for one thing.
    pub fn ask(&self, command: Command) -> Result<Reply> {
        match self {
            Self::Folder(dir, roster) => {
                roster.operate(command, roster.request_id()).map_err(|error| explained(error, dir))
            }
            Self::Daemon(socket) => over(socket, OPERATE_PATH, &command),
        }
    }

    /// Asks about a tenant's people as rows.
    pub fn people(&self, tenant: &str, ask: PeopleAsk) -> Result<PeopleAnswer> {
        match self.ask(Command::People { tenant: tenant.to_owned(), ask })? {
            Reply::People { answer } => Ok(answer),
            _ => Err(unexpected()),
        }
    }

    /// Asks about a connection.
    pub fn inspect(&self, question: Question) -> Result<doctor::Reply> {
        match self {
            Self::Folder(dir, roster) => {
                let doctor = Doctor::at_rest(Arc::clone(roster));
                doctor.ask(question, roster.request_id()).map_err(|error| explained(error, dir))
            }
            Self::Daemon(socket) => over(socket, INSPECT_PATH, &question),
        }
    }

    /// Orders something of the daemon's plugins; there must be one.
    pub fn plugins<A: DeserializeOwned>(&self, order: PluginOrder) -> Result<A> {
        match self {
            Self::Folder(dir, _) => bail!(
                "{}: expected a daemon that serves this folder, found none; plugins are loaded by the daemon (rosterd plugin check looks at a file without one)",
                dir.display()
            ),
            Self::Daemon(socket) => over(socket, PLUGINS_PATH, &order),
        }
    }

    /// Asks about webhooks, or orders something of one.
    pub fn webhooks(&self, question: outbox::Question) -> Result<outbox::Answer> {
        match self {
            Self::Folder(dir, roster) => {
                question.answer(roster, roster.request_id()).map_err(|error| explained(error, dir))
            }
            Self::Daemon(socket) => over(socket, WEBHOOKS_PATH, &question),
        }
    }
}

/// Copies the whole store of a roster within reach, in a shape; `progress` is told how many bytes were written.
pub fn copy(
    operator: &Operator,
    shape: Shape,
    engine: &str,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    match operator {
        Operator::Folder(dir, roster) => {
            let rows = roster.store().rows().with_context(|| dir.display().to_string())?;
            let header = Header::new(roster.current_time(), engine);
            let mut counted = Counted { out, bytes: 0, progress };
            let written = archive::write(&*rows, &header, shape, &mut counted, &mut |_| {});
            written.map(drop).with_context(|| dir.display().to_string())
        }
        Operator::Daemon(socket) => {
            let mut counted = Counted { out, bytes: 0, progress };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(receive(socket, ARCHIVE_PATH, &shape, &mut counted))
        }
    }
}

/// Counts what is written.
struct Counted<'w> {
    out: &'w mut dyn Write,
    bytes: u64,
    progress: &'w mut dyn FnMut(u64),
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes = self.bytes.saturating_add(written as u64);
        (self.progress)(self.bytes);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Clients are told "internal error"; whoever sits here may know, and has no log to look into.
fn explained(error: RosterError, dir: &Path) -> anyhow::Error {
    match error {
        RosterError::Broken(cause) => anyhow!(
            "{}: the store failed: {cause}; restore a backup by rosterd restore, and keep this folder for those who look into it",
            dir.display()
        ),
        error => error.into(),
    }
}

/// Asks the daemon behind a socket.
fn over<Q: Serialize, A: DeserializeOwned>(socket: &Path, path: &str, asked: &Q) -> Result<A> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::time::timeout(ANSWER_WITHIN, send(socket, path, asked))
            .await
            .with_context(|| format!("the daemon behind {} did not answer", socket.display()))?
    })
}

async fn send<Q: Serialize, A: DeserializeOwned>(socket: &Path, path: &str, asked: &Q) -> Result<A> {
    let (response, task) = post(socket, path, asked).await?;
    let status = response.status();
    let request = request_of(&response);
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(io::Error::other)?.to_bytes();
    task.await??;
    if status == StatusCode::OK {
        return serde_json::from_slice(&body)
            .context("the daemon's answer was not understood; are program and daemon of one version?");
    }
    Err(refused(status, request, &body))
}

/// Writes an answer of any length while it comes in.
async fn receive<Q: Serialize>(socket: &Path, path: &str, asked: &Q, out: &mut dyn Write) -> Result<()> {
    let (mut response, task) = post(socket, path, asked).await?;
    let (status, request) = (response.status(), request_of(&response));
    if status == StatusCode::NOT_FOUND {
        bail!(
            "the daemon behind {} does not know this command; are program and daemon of one version?",
            socket.display()
        );
    }
    if status != StatusCode::OK {
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        return Err(refused(status, request, &body.map_err(io::Error::other)?.to_bytes()));
    }
    let broken = || match &request {
        Some(request) => format!("the daemon broke off; its log says why under request_id {request}"),
        None => "the daemon broke off; its log says why".to_owned(),
    };
    loop {
        let next = tokio::time::timeout(PIECE_WITHIN, response.body_mut().frame());
        match next.await.with_context(|| format!("the daemon behind {} fell silent", socket.display()))? {
            Some(frame) => {
                if let Ok(bytes) = frame.with_context(broken)?.into_data() {
                    out.write_all(&bytes)?;
                }
            }
            None => break,
        }
    }
    drop(response);
    task.abort();
    Ok(())
}

type Connection = tokio::task::JoinHandle<hyper::Result<()>>;

async fn post<Q: Serialize>(
    socket: &Path,
    path: &str,
    asked: &Q,
) -> Result<(hyper::Response<hyper::body::Incoming>, Connection)> {
    let stream = UnixStream::connect(socket).await.with_context(|| socket.display().to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let task = tokio::spawn(connection);
    let request = Request::post(path)
        .header("Host", "localhost")
        .header("Content-Type", "application/json")
        .body(Full::new(Bytes::from(serde_json::to_vec(asked)?)))?;
    Ok((sender.send_request(request).await?, task))
}

fn request_of<B>(response: &hyper::Response<B>) -> Option<String> {
    response.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned)
}

fn refused(status: StatusCode, request: Option<String>, body: &[u8]) -> anyhow::Error {
    if let (StatusCode::INTERNAL_SERVER_ERROR, Some(request)) = (status, request) {
        return anyhow!("the daemon failed; its log says why under request_id {request}");
    }
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let detail = problem.get("detail").and_then(serde_json::Value::as_str);
    anyhow!("{}", detail.unwrap_or("the daemon refused"))
}
