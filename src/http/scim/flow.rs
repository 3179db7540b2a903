//! Answers that may be large: made while they are sent, so that no more than a few pieces of one are ever in memory.
//!
//! An answer is made of [`Pieces`]. What fits into [`WHOLE_BYTES_MAX`] is made at once and sent with its length, like any small answer. Of
//! what does not, the beginning is made before the status is sent, so that most of what can go wrong still gets a status of its
//! own; the rest is made a chunk at a time, and the next one not before the client has taken the last: a client that does not read holds one
//! chunk, no thread, and no place among the requests that may wait for the disk. `http::pulse` cuts it off.
//!
//! The end is said, never guessed: a body whose maker failed, panicked or was dropped ends in an error, and hyper breaks the
//! connection (HTTP/1) or the stream (HTTP/2) off, so that no part of an answer can be taken for the whole.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use crate::http::auth::Hold;
use crate::http::edge::Edge;
use crate::ids::RequestId;
use crate::roster::RosterError;

/// Largest answer that is made at once and sent with its length; one piece more at the most.
pub const WHOLE_BYTES_MAX: usize = 256 * 1024;
/// When a chunk of a longer one is full; one piece more at the most.
pub const CHUNK_BYTES: usize = 32 * 1024;
/// The room that an answer begins with: a person as identity providers send them takes less.
const USUAL_BYTES: usize = 2 * 1024;
/// Chunks that are made before the client has taken the one before them.
const CHUNKS_AHEAD: usize = 1;
/// Longest that an answer holds one moment of the store, whose pages the engine cannot use again meanwhile.
const MOMENT_TIME: Duration = if cfg!(test) { Duration::from_millis(100) } else { Duration::from_secs(30) };

/// An answer, a piece at a time.
pub trait Pieces: Send {
    /// Writes the next piece; says whether it was the last.
    fn write(&mut self, out: &mut Vec<u8>, edge: &Edge) -> Result<ControlFlow<()>, RosterError>;

    /// Lets go of the moment of the store that it reads from; what is left is read from a later one.
    fn let_go(&mut self);
}

/// An answer whose beginning has been made.
pub struct Begun {
    first: Vec<u8>,
    rest: Option<Box<dyn Pieces>>,
}

impl Begun {
    /// Makes the beginning of an answer, which is all of it where it is not large. May read, so for a thread that may wait.
    pub fn of(pieces: impl Pieces + 'static, edge: &Edge) -> Result<Self, RosterError> {
        Self::within(WHOLE_BYTES_MAX, pieces, edge)
    }

    fn within(bytes: usize, mut pieces: impl Pieces + 'static, edge: &Edge) -> Result<Self, RosterError> {
        let mut first = Vec::with_capacity(USUAL_BYTES);
        Ok(match fill(&mut first, bytes, &mut pieces, edge)? {
            ControlFlow::Break(()) => Self { first, rest: None },
            ControlFlow::Continue(()) => Self { first, rest: Some(Box::new(pieces)) },
        })
    }

    /// Makes the body: the rest is made while it is sent.
    pub fn body(self, edge: &Edge, hold: Hold) -> Body {
        let Some(rest) = self.rest else { return Body::from(self.first) };
        let (feed, flow) = flow(hold.request_id);
        tokio::spawn(pump(edge.clone(), rest, feed, hold));
        Body::new(Flow { first: Some(self.first.into()), ..flow })
    }
}

/// Writes pieces until there are so many bytes or no more pieces.
fn fill(
    out: &mut Vec<u8>,
    bytes: usize,
    pieces: &mut dyn Pieces,
    edge: &Edge,
) -> Result<ControlFlow<()>, RosterError> {
    while out.len() < bytes {
        if pieces.write(out, edge)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Makes chunk after chunk, each when there is room for it, until all is made or nobody reads any more.
async fn pump(edge: Edge, mut pieces: Box<dyn Pieces>, feed: Feed, hold: Hold) {
    let mut held_until = Instant::now() + MOMENT_TIME;
    loop {
        let room = match timeout_at(held_until, feed.room()).await {
            Ok(room) if Instant::now() < held_until => room,
            late => {
                pieces.let_go();
                let room = match late {
                    Ok(room) => room,
                    Err(_elapsed) => feed.room().await,
                };
                held_until = Instant::now() + MOMENT_TIME;
                room
            }
        };
        let Some(room) = room else { return };
        let made = edge.patiently(move |edge| {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES.saturating_mul(2));
            let flow = fill(&mut chunk, CHUNK_BYTES, pieces.as_mut(), edge)?;
            Ok((pieces, chunk, flow))
        });
        match timeout(hold.handler_time, made).await {
            Ok(Ok((rest, chunk, flow))) => {
                pieces = rest;
                room.give(chunk);
                if flow.is_break() {
                    return feed.end().await;
                }
            }
            Ok(Err(problem)) => return room.fail(problem.cause().unwrap_or("see the answer's status")),
            Err(_elapsed) => return room.fail("a part of it took too long to read"),
        }
    }
}

/// Makes a body, and what feeds it.
pub fn flow(request_id: RequestId) -> (Feed, Flow) {
    let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
    (Feed { sender, request_id }, Flow { first: None, chunks, over: false })
}

/// What comes through the channel.
enum Part {
    Chunk(Bytes),
    End,
    Failed,
}

/// Where the chunks of a body go in.
pub struct Feed {
    sender: mpsc::Sender<Part>,
    request_id: RequestId,
}

impl Feed {
    /// Waits until the client has taken enough for another chunk; `None` when it has gone.
    pub async fn room(&self) -> Option<Room<'_>> {
        let permit = self.sender.reserve().await.ok()?;
        Some(Room { permit, request_id: self.request_id })
    }

    /// Returns the id of the request that is answered.
    pub const fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// Says that this was all.
    pub async fn end(&self) {
        // Nobody listens if the client has gone.
        let _ = self.sender.send(Part::End).await;
    }
}

/// Room for one chunk.
pub struct Room<'a> {
    permit: mpsc::Permit<'a, Part>,
    request_id: RequestId,
}

impl Room<'_> {
    /// Sends a chunk.
    pub fn give(self, chunk: Vec<u8>) {
        self.permit.send(Part::Chunk(chunk.into()));
    }

    /// Breaks the answer off, and says why in the log.
    pub fn fail(self, cause: &str) {
        tracing::error!(request_id = %self.request_id, cause, "an answer that had begun was broken off");
        self.permit.send(Part::Failed);
    }
}

/// A body that is made while it is sent.
pub struct Flow {
    first: Option<Bytes>,
    chunks: mpsc::Receiver<Part>,
    over: bool,
}

impl HttpBody for Flow {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if self.over {
            return Poll::Ready(None);
        }
        self.chunks.poll_recv(cx).map(|part| match part {
            Some(Part::Chunk(chunk)) => Some(Ok(Frame::data(chunk))),
            Some(Part::End) => {
                self.over = true;
                None
            }
            // Also when whoever makes it is no more, which says nothing.
            Some(Part::Failed) | None => {
                self.over = true;
                Some(Err(BrokenOff))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.over && self.first.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// An answer came to no good end.
#[derive(Debug, thiserror::Error)]
#[error("the rest of the answer could not be made")]
pub struct BrokenOff;

#[cfg(test)]
mod tests;
