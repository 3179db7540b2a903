//! The accept loop of a listener, and the life of one connection.
//!
//! hyper owns the wire; the time-outs it lacks are in [`super::pulse`], the refusals it lacks in [`super::refuse`].
//! HTTP/2 is spoken where TLS's ALPN chose it, or, when the limits say so, where a plain connection begins with its preface.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, server::conn::http1, server::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::layers::{Front, Wire};
use super::limits::{Gauge, HEAD_BYTES_HARD_MAX, HEADER_BYTES_MAX, Limits, Shares};
use super::metrics::{Cut, Door, Metrics, Rejected};
use super::pulse::{End, Felt, Pulse, supervise};
use super::tls::Tls;

/// Something that connections come from.
#[derive(Debug)]
pub enum Listener {
    /// A TCP address.
    Tcp(TcpListener),
    /// A socket in the file system; its file is removed when the listener is dropped.
    Unix(UnixListener, SocketFile),
}

/// The file of a unix socket; removed on drop.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may be gone already; there is nothing left to do about it here.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Binds a TCP address.
    pub async fn tcp(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).await.map(Self::Tcp)
    }

    /// Binds a unix socket that only its owner may use. A file left behind by a daemon that no longer answers is
    /// replaced; one that somebody still answers on is an error of kind `AddrInUse`.
    pub async fn unix(path: &Path) -> io::Result<Self> {
        if path.exists() {
            match UnixStream::connect(path).await {
                Ok(_) => {
                    return Err(io::Error::new(
                        io::ErrorKind::AddrInUse,
                        "another process answers on this socket",
                    ));
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
                Err(error) => return Err(error),
            }
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self::Unix(listener, SocketFile(path.to_owned())))
    }

    /// Returns the TCP address, with the port that the system chose.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    async fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok(Socket::Tcp(stream, peer))
            }
            Self::Unix(listener, _) => Ok(Socket::Unix(listener.accept().await?.0)),
        }
    }

    /// Closes, after handing over whoever waits to be accepted. Asks the system itself: the runtime knows only of those that its
    /// last look has shown it, and the others would be reset.
    fn close(self, mut take: impl FnMut(Socket)) {
        match self {
            Self::Tcp(listener) => {
                let Ok(listener) = listener.into_std() else { return };
                while let Ok((stream, peer)) = listener.accept() {
                    let made = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                    made.into_iter().for_each(|stream| take(Socket::Tcp(stream, peer)));
                }
            }
            Self::Unix(listener, _file) => {
                let Ok(listener) = listener.into_std() else { return };
                while let Ok((stream, _)) = listener.accept() {
                    let made = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
                    made.into_iter().for_each(|stream| take(Socket::Unix(stream)));
                }
            }
        }
    }
}

enum Socket {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

/// Serves a listener until the drain is over: returns when no connection is left, or when the drain's time is up.
pub async fn serve(listener: Listener, front: Arc<Front>, tls: Option<Arc<Tls>>) {
    let limits = front.limits();
    let drain = front.parts.drain.clone();
    let mut house = House {
        tls,
        open: Gauge::up_to(u64::try_from(limits.connections_max).unwrap_or(u64::MAX)),
        turning_away: Gauge::up_to(TURNING_AWAY_MAX),
        addresses: limits.connections_per_address_max.map(Shares::up_to),
        connections: JoinSet::new(),
        front,
    };
    let mut backoff = Backoff::default();
    loop {
        tokio::select! {
            biased;
            () = drain.begun() => break,
            Some(_) = house.connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok(socket) => {
                    backoff.reset();
                    house.welcome(socket);
                }
                Err(error) => backoff.wait(&error, &house.front.parts.metrics).await,
            },
        }
    }
    // Whoever the system has already accepted for us has been told that the connection stands.
    listener.close(|socket| house.welcome(socket));
    let within = house.front.limits().drain;
    house.empty(within).await;
}

/// How many connections at once are told that there is no room; those beyond are closed without a word.
const TURNING_AWAY_MAX: u64 = 32;

/// What they are told. The length is that of the body after the empty line; a test counts it.
const NO_ROOM: &str = concat!(
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nCache-Control: no-store\r\n",
    "X-Content-Type-Options: nosniff\r\nContent-Type: application/scim+json\r\nContent-Length: 119\r\n",
    "Connection: close\r\n\r\n",
    r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"503","detail":"too many connections; retry later"}"#
);

/// A listener's connections.
struct House {
    front: Arc<Front>,
    tls: Option<Arc<Tls>>,
    open: Gauge,
    turning_away: Gauge,
    addresses: Option<Shares<IpAddr>>,
    connections: JoinSet<()>,
}

impl House {
    fn welcome(&mut self, socket: Socket) {
        let peer = match &socket {
            Socket::Tcp(_, peer) => Some(*peer),
            Socket::Unix(_) => None,
        };
        let Some(room) = self.open.take(1) else { return self.turn_away(socket, Rejected::Connections) };
        let address = match (&self.addresses, peer) {
            (Some(addresses), Some(peer)) => match addresses.take(peer.ip()) {
                Some(share) => Some(share),
                None => return self.turn_away(socket, Rejected::Address),
            },
            _ => None,
        };
        let front = Arc::clone(&self.front);
        let tls = self.tls.as_ref().map(|tls| TlsAcceptor::from(tls.config()));
        self.connections.spawn(async move {
            let _held = (room, address);
            let _counted = Counted::new(&front);
            match (socket, tls) {
                (Socket::Tcp(stream, _), None) => {
                    // Answers are written whole; waiting for more would only delay them.
                    let _ = stream.set_nodelay(true);
                    converse(stream, front, peer, Speaks::plain).await;
                }
                (Socket::Tcp(stream, _), Some(acceptor)) => {
                    let _ = stream.set_nodelay(true);
                    match timeout(front.limits().first_byte, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => {
                            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                            let speaks = if h2 { Speaks::Http2 } else { Speaks::Http1 };
                            converse(stream, front, peer, |_| speaks).await;
                        }
                        _ => front.parts.metrics.cut(Cut::Handshake),
                    }
                }
                (Socket::Unix(stream), _) => converse(stream, front, peer, Speaks::plain).await,
            }
        });
    }

    /// Tells a plain connection that there is no room, without reading what it asks. A TLS one is just closed: a handshake would cost more.
    fn turn_away(&mut self, socket: Socket, why: Rejected) {
        self.front.parts.metrics.reject(why);
        if self.tls.is_some() {
            return;
        }
        let (Socket::Tcp(mut stream, _), Some(place)) = (socket, self.turning_away.take(1)) else { return };
        self.connections.spawn(async move {
            let _held = place;
            let _ = timeout(Duration::from_secs(1), async {
                stream.write_all(NO_ROOM.as_bytes()).await?;
                stream.shutdown().await?;
                // Closing with unread bytes would make the system take the answer back.
                let mut sink = [0; 1024];
                while stream.read(&mut sink).await? > 0 {}
                io::Result::Ok(())
            })
            .await;
        });
    }

    /// Waits for the last connection, but no longer than the drain may take.
    async fn empty(mut self, within: Duration) {
        let all = async { while self.connections.join_next().await.is_some() {} };
        if timeout(within, all).await.is_err() {
            let left = self.connections.len();
            for _ in 0..left {
                self.front.parts.metrics.cut(Cut::Drain);
            }
            tracing::warn!(
                listener = self.front.parts.door.as_str(),
                connections = left,
                "the drain ran out of time; the connections left were cut"
            );
            self.connections.shutdown().await;
        }
    }
}

/// One open connection, as the metrics count it.
struct Counted(Arc<Front>);

impl Counted {
    fn new(front: &Arc<Front>) -> Self {
        front.parts.metrics.connected(front.parts.door, 1);
        Self(Arc::clone(front))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.parts.metrics.connected(self.0.parts.door, -1);
    }
}

/// Which protocol a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Http1,
    Http2,
    Either,
}

impl Speaks {
    fn plain(limits: &Limits) -> Self {
        if limits.h2c { Self::Either } else { Self::Http1 }
    }
}

/// Serves one connection to its end.
async fn converse<T>(
    stream: T,
    front: Arc<Front>,
    peer: Option<SocketAddr>,
    speaks: impl FnOnce(&Limits) -> Speaks,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = front.limits();
    let drain = front.parts.drain.clone();
    let pulse = Pulse::new();
    let io = TokioIo::new(Felt::new(stream, Arc::clone(&pulse)));
    let wire = Wire::new(Arc::clone(&front), Arc::clone(&pulse), peer);
    let service = service_fn(move |request: Request<Incoming>| Front::answer(Arc::clone(&wire), request));
    let door = front.parts.door;
    let end = match speaks(&limits) {
        Speaks::Http1 => {
            let connection = h1(door).serve_connection(io, service);
            supervise(connection, http1::Connection::graceful_shutdown, pulse, limits, &drain).await
        }
        Speaks::Http2 => {
            pulse.is_h2(true);
            let connection = h2(&limits).serve_connection(io, service);
            supervise(connection, http2::Connection::graceful_shutdown, pulse, limits, &drain).await
        }
        Speaks::Either => {
            let builder = either(&limits, door);
            let connection = builder.serve_connection(io, service);
            supervise(connection, auto::Connection::graceful_shutdown, pulse, limits, &drain).await
        }
    };
    if let End::Cut(why) = end {
        front.parts.metrics.cut(why);
        tracing::debug!(
            target: "rosterd::connection",
            listener = front.parts.door.as_str(),
            reason = why.as_str(),
            "connection cut"
        );
    }
}

/// What hyper buffers of an HTTP/1 connection, and what a stream of HTTP/2 may have unsent.
const BUFFER_BYTES: usize = 64 * 1024;
/// Streams that a client has opened and reset before we saw them (rapid reset, CVE-2023-44487).
const H2_PENDING_RESETS_MAX: usize = 20;
/// Resets that a client's errors may cause before the connection is ended.
const H2_ERROR_RESETS_MAX: usize = 64;

/// HTTP/1.1. A client that closes its half after asking is answered; at the administrators' door it has hung up, and is not waited for (there
/// one waits for changes). hyper's own head timer is off, because ours watches.
fn h1(door: Door) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .half_close(door != Door::Admin)
        .header_read_timeout(None)
        .max_header_size(HEAD_BYTES_HARD_MAX)
        .max_buf_size(BUFFER_BYTES);
    builder
}

/// HTTP/2 within X36's bounds. The defaults for windows and frames are the RFC's.
fn h2(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .max_concurrent_streams(limits.h2_streams_max)
        .max_header_list_size(H2_HEADER_LIST_BYTES_MAX)
        .max_pending_accept_reset_streams(H2_PENDING_RESETS_MAX)
        .max_local_error_reset_streams(H2_ERROR_RESETS_MAX)
        .max_send_buf_size(BUFFER_BYTES);
    builder
}

/// Both, told apart by HTTP/2's preface; only where h2c is configured.
fn either(limits: &Limits, door: Door) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().half_close(door != Door::Admin).header_read_timeout(None).max_buf_size(BUFFER_BYTES);
    builder
        .http2()
        .max_concurrent_streams(limits.h2_streams_max)
        .max_header_list_size(H2_HEADER_LIST_BYTES_MAX)
        .max_pending_accept_reset_streams(H2_PENDING_RESETS_MAX)
        .max_local_error_reset_streams(H2_ERROR_RESETS_MAX)
        .max_send_buf_size(BUFFER_BYTES);
    builder
}

/// [`HEADER_BYTES_MAX`], as HTTP/2 counts it.
#[expect(clippy::cast_possible_truncation, reason = "16 KiB")]
const H2_HEADER_LIST_BYTES_MAX: u32 = HEADER_BYTES_MAX as u32;

/// Waits ever longer after accepts that fail (no file descriptors, no memory), and says so once per spell (R26).
#[derive(Default)]
struct Backoff {
    wait_ms: u64,
}

impl Backoff {
    const FIRST_MS: u64 = 10;
    const LAST_MS: u64 = 1000;

    fn reset(&mut self) {
        self.wait_ms = 0;
    }

    async fn wait(&mut self, error: &io::Error, metrics: &Metrics) {
        metrics.accept_failed();
        // The client went away before we looked: nothing is wrong here.
        if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            return;
        }
        if self.wait_ms == 0 {
            tracing::error!(error = %error, "no connection can be accepted; trying again, ever more slowly");
        }
        self.wait_ms = (self.wait_ms.saturating_mul(2)).clamp(Self::FIRST_MS, Self::LAST_MS);
        sleep(Duration::from_millis(self.wait_ms)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::NO_ROOM;

    #[test]
    fn the_answer_to_one_connection_too_many_says_how_long_it_is() {
        let (head, body) = NO_ROOM.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
