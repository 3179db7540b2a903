//! The whole store on its way to the command line, which makes a backup or an export of it.
//!
//! It is read from one moment of the store, which is let go of when it was sent, when whoever reads has gone or takes nothing any more
//! (`http::pulse`), and in any case after [`BACKUP_WITHIN`]. One at a time: each makes the engine keep old pages. No more than a few pieces are in
//! memory.

use std::io::{self, Write};
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::endpoint::with_body;
use crate::archive::{ArchiveError, BACKUP_WITHIN, Header, Shape, write};
use crate::http::arrival::Arrival;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::http::scim::flow::{CHUNK_BYTES, Feed, flow};

/// Where the command line asks for the whole store.
pub const ARCHIVE_PATH: &str = "/admin/v1/archive";

const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// What is told of the store, and who may have it next.
#[derive(Debug, Clone)]
pub struct ArchiveDesk {
    engine: &'static str,
    turn: Arc<Semaphore>,
}

impl ArchiveDesk {
    /// Makes the desk of a store on an engine.
    pub fn new(engine: &'static str) -> Self {
        Self { engine, turn: Arc::new(Semaphore::new(1)) }
    }
}

/// Sends every row of the store, in the shape that is asked for.
pub async fn stream(
    State(edge): State<Edge>,
    Extension(desk): Extension<ArchiveDesk>,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Problem> {
    let shape: Shape = super::read(&edge, request).await?;
    let Ok(turn) = Arc::clone(&desk.turn).try_acquire_owned() else {
        let detail = "another backup or export is being made; wait for it, and try again";
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    };
    let rows = edge.roster().store().rows().map_err(|error| Problem::internal(error.to_string()))?;
    let header = Header::new(edge.roster().current_time(), desk.engine);
    let (feed, body) = flow(arrival.request_id);
    let runtime = Handle::current();
    let until = Instant::now() + BACKUP_WITHIN;
    spawn_blocking(move || {
        let _turn = turn;
        let mut pipe = Pipe { feed, runtime, until, chunk: Vec::with_capacity(CHUNK_BYTES) };
        let written = write(&*rows, &header, shape, &mut pipe, &mut |_| {});
        drop(rows);
        pipe.end(shape, written.map(|done| done.rows));
    });
    Ok(with_body(StatusCode::OK, BYTES, Body::new(body)))
}

/// Where what is written goes to whoever reads, a piece at a time.
struct Pipe {
    feed: Feed,
    runtime: Handle,
    until: Instant,
    chunk: Vec<u8>,
}

impl Pipe {
    fn end(mut self, shape: Shape, written: Result<u64, ArchiveError>) {
        let what = shape.name();
        let request_id = self.feed.request_id();
        match written.and_then(|rows| self.give().map(|()| rows).map_err(ArchiveError::Io)) {
            Ok(rows) => {
                tracing::info!(%request_id, what, rows, "a copy of the store was sent");
                self.runtime.block_on(self.feed.end());
            }
            Err(error) => {
                let until = self.until.max(Instant::now());
                let room = self.runtime.block_on(timeout_at(until, self.feed.room()));
                match room {
                    Ok(Some(room)) => room.fail(&error.to_string()),
                    // Nobody reads any more: the body that is dropped breaks the answer off.
                    _ => tracing::warn!(%request_id, what, %error, "a copy of the store was broken off"),
                }
            }
        }
    }

    fn give(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let room = self.runtime.block_on(async {
            let late = Instant::now() >= self.until;
            if late { Err(()) } else { timeout_at(self.until, self.feed.room()).await.map_err(drop) }
        });
        match room {
            Ok(Some(room)) => room.give(std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES))),
            Ok(None) => return Err(io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads any more")),
            Err(()) => return Err(io::Error::new(io::ErrorKind::TimedOut, ArchiveError::TooSlow)),
        }
        Ok(())
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK_BYTES {
            self.give()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.give()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ids::RequestId;

    #[tokio::test(flavor = "multi_thread")]
    async fn r24_a_moment_of_the_store_is_let_go_of_though_nobody_reads() {
        let (feed, body) = flow(RequestId::from_bytes([1; 16]));
        let until = Instant::now() + Duration::from_millis(50);
        let runtime = Handle::current();
        let held = spawn_blocking(move || {
            let mut pipe = Pipe { feed, runtime, until, chunk: vec![] };
            // More than is made ahead of a reader.
            let failed = (0..8).find_map(|_| pipe.write_all(&vec![7; CHUNK_BYTES]).err());
            let kind = failed.as_ref().map(io::Error::kind);
            pipe.end(Shape::Backup, Err(failed.map_or(ArchiveError::TooSlow, ArchiveError::Io)));
            kind
        });
        assert_eq!(held.await.unwrap(), Some(io::ErrorKind::TimedOut));
        drop(body);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_hangs_up_ends_the_copy_at_once() {
        let (feed, body) = flow(RequestId::from_bytes([1; 16]));
        drop(body);
        let until = Instant::now() + Duration::from_hours(1);
        let runtime = Handle::current();
        let held = spawn_blocking(move || {
            let mut pipe = Pipe { feed, runtime, until, chunk: vec![] };
            let failed = pipe.write_all(&vec![7; CHUNK_BYTES]).unwrap_err();
            let kind = failed.kind();
            pipe.end(Shape::Lines, Err(failed.into()));
            kind
        });
        assert_eq!(held.await.unwrap(), io::ErrorKind::BrokenPipe);
    }
}
