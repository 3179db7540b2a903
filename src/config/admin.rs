//! `[admin]`: the administrators' listener and socket, apart from the public one (row X65).

use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::{Data, Server, text};

/// The administrators' listener. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Address and port to listen on.
    #[serde(with = "text")]
    pub listen: SocketAddr,
    /// The Unix socket, if it is not to lie in the data folder.
    #[serde(with = "text::option")]
    pub socket: Option<PathBuf>,
    /// Whether administrators who are signed in reach the API on the public listener.
    pub by_session: bool,
    /// Minutes for which a sign-in is fresh: nothing is changed by a session whose person proved longer ago who they are.
    pub fresh_sign_in_minutes: u32,
    /// Whether a token makes others on the administrators' listener.
    pub tokens_make_tokens: bool,
}

/// Most minutes for which a sign-in is fresh: a day.
const FRESH_MINUTES_MAX: u32 = 24 * 60;

impl Admin {
    /// Returns the path of the Unix socket.
    pub fn socket_path(&self, data: &Data) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| data.dir.join("admin.sock"))
    }

    /// Returns how long ago a sign-in may be of an administrator who changes something; `None` where they have no sessions.
    pub fn fresh_within(&self) -> Option<SignedDuration> {
        self.by_session.then(|| SignedDuration::from_mins(self.fresh_sign_in_minutes.into()))
    }

    pub(super) fn check(&self, found: &mut Findings) {
        found.range("admin.fresh_sign_in_minutes", self.fresh_sign_in_minutes, 1..=FRESH_MINUTES_MAX);
    }

    pub(super) fn check_together(&self, server: &Server, found: &mut Findings) {
        if let (true, Some(domain)) = (self.by_session, &server.cookie_domain) {
            found.wrong(
                "admin.by_session",
                format!("on, but server.cookie_domain shows the sessions of administrators to every host of {domain}"),
                "leave server.cookie_domain out, or have administrators use tokens",
            );
        }
        if !self.listen.ip().is_loopback() && server.trusted_proxies.is_empty() {
            found.wrong(
                "admin.listen",
                format!("{} is beyond loopback, where plain HTTP is not served", self.listen),
                "use 127.0.0.1, or name the proxies that end TLS in server.trusted_proxies",
            );
        }
        if self.listen == server.listen && self.listen.port() != 0 {
            found.wrong(
                "admin.listen",
                format!("{} is the public listener's address too", self.listen),
                "give it a port of its own",
            );
        }
    }
}
