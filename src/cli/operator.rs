//! How the command line reaches a roster: through the socket of the daemon that holds the data folder, or by opening the folder itself.

use std::io;
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
use crate::config::{Config, Engine};
use crate::doctor::{self, Doctor, Question};
use crate::http::admin::desk::{PLUGINS_PATH, PluginOrder};
use crate::http::admin::{COMMAND_WITHIN, INSPECT_PATH, OPERATE_PATH, WEBHOOKS_PATH};
use crate::http::layers::X_REQUEST_ID;
use crate::http::panics;
use crate::outbox;
use crate::roster::{Command, PeopleAnswer, PeopleAsk, Reply, Roster, RosterError};

/// How long is waited for a daemon: a little longer than it gives itself, so that its own word comes first.
const ANSWER_WITHIN: Duration = COMMAND_WITHIN.saturating_add(Duration::from_secs(10));
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

/// Clients are told "internal error"; whoever sits here may know, and has no log to look into.
fn explained(error: RosterError, dir: &Path) -> anyhow::Error {
    match error {
        RosterError::Broken(cause) => anyhow!(
            "{}: the store failed: {cause}; restore a backup, and keep this folder for those who look into it",
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
    let stream = UnixStream::connect(socket).await.with_context(|| socket.display().to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let task = tokio::spawn(connection);
    let request = Request::post(path)
        .header("Host", "localhost")
        .header("Content-Type", "application/json")
        .body(Full::new(Bytes::from(serde_json::to_vec(asked)?)))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let request = response.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(io::Error::other)?.to_bytes();
    drop(sender);
    task.await??;
    if status == StatusCode::OK {
        return serde_json::from_slice(&body)
            .context("the daemon's answer was not understood; are program and daemon of one version?");
    }
    if let (StatusCode::INTERNAL_SERVER_ERROR, Some(request)) = (status, request) {
        bail!("the daemon failed; its log says why under request_id {request}");
    }
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    bail!("{}", problem.get("detail").and_then(serde_json::Value::as_str).unwrap_or("the daemon refused"))
}
