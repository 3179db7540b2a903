//! `[admin]`: the administrators' listener and socket, apart from the public one (row X65).

use std::net::SocketAddr;
use std::path::PathBuf;

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
}

impl Admin {
    /// Returns the path of the Unix socket.
    pub fn socket_path(&self, data: &Data) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| data.dir.join("admin.sock"))
    }

    pub(super) fn check_together(&self, server: &Server, found: &mut Findings) {
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
