//! What one connection is doing, and when it has done so for too long (R24).
//!
//! hyper cuts an unfinished head and nothing else, so this is our own: the socket wrapper and the request wrapper write down
//! what happens in a few atomics, and `supervise`, which runs in the connection's own task, reads them after each
//! poll and keeps one timer. A request costs a handful of stores; no timer is set or moved on the ordinary path.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use super::drain::Drain;
use super::limits::Limits;
use super::metrics::Cut;

/// The state of one connection. Times are milliseconds since it was opened, plus one; zero means "not so".
#[derive(Debug)]
pub(super) struct Pulse {
    opened: Instant,
    /// Since when the bytes of a head have been coming in (HTTP/1 only).
    head: AtomicU64,
    /// When the last answer ended, or the connection opened.
    idle: AtomicU64,
    /// Since when the socket takes no more bytes.
    stalled: AtomicU64,
    /// When an answer last moved.
    moved: AtomicU64,
    /// Requests between the end of their head and the end of their answer.
    requests: AtomicU32,
    /// Requests between the end of their head and the beginning of their answer.
    handlers: AtomicU32,
    /// Answers of which the next piece is being made.
    making: AtomicU32,
    /// Whether a request was ever read.
    used: AtomicBool,
    h2: AtomicBool,
    /// Whether the client may still be sending what nobody will read.
    unread: AtomicBool,
    /// Since when we have been waiting for it to stop.
    lingering: AtomicU64,
}

impl Pulse {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            head: AtomicU64::new(0),
            idle: AtomicU64::new(1),
            stalled: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            requests: AtomicU32::new(0),
            handlers: AtomicU32::new(0),
            making: AtomicU32::new(0),
            used: AtomicBool::new(false),
            h2: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            lingering: AtomicU64::new(0),
        })
    }

    pub(super) fn is_h2(&self, yes: bool) {
        self.h2.store(yes, Ordering::Relaxed);
    }

    /// Writes down that the client may still be sending, so that the connection is not closed over its words:
    /// closing with unread bytes makes the system take back the answer on its way.
    pub(super) fn linger(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    fn stamp(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.opened).as_millis();
        u64::try_from(elapsed).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Writes down that a request's head was read; the guard writes down the rest.
    pub(super) fn begin(self: &Arc<Self>, now: Instant) -> Turn {
        self.head.store(0, Ordering::Relaxed);
        self.used.store(true, Ordering::Relaxed);
        self.moved.store(self.stamp(now), Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.handlers.fetch_add(1, Ordering::Relaxed);
        Turn { pulse: Arc::clone(self), handling: true, making: false }
    }

    fn moved(&self) {
        self.moved.store(self.stamp(Instant::now()), Ordering::Relaxed);
    }

    fn read_some(&self) {
        let between = self.requests.load(Ordering::Relaxed) == 0 && !self.h2.load(Ordering::Relaxed);
        if between && self.head.load(Ordering::Relaxed) == 0 {
            self.head.store(self.stamp(Instant::now()), Ordering::Relaxed);
        }
    }

    fn wrote(&self, progress: bool) {
        if progress {
            if self.stalled.load(Ordering::Relaxed) != 0 {
                self.stalled.store(0, Ordering::Relaxed);
            }
        } else if self.stalled.load(Ordering::Relaxed) == 0 {
            self.stalled.store(self.stamp(Instant::now()), Ordering::Relaxed);
        }
    }

    /// Tells whether nothing is going on: no request, and not a byte of the next one.
    fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0
            && self.head.load(Ordering::Relaxed) == 0
            && self.stalled.load(Ordering::Relaxed) == 0
    }

    /// Returns when the connection must be cut if nothing changes, and what to call it.
    fn deadline(&self, limits: &Limits) -> Option<(Instant, Cut)> {
        let at = |stamp: u64, limit: Duration, why| {
            let since = Duration::from_millis(stamp.saturating_sub(1));
            Some((self.opened + since + limit, why))
        };
        let lingering = self.lingering.load(Ordering::Relaxed);
        if lingering != 0 {
            return at(lingering, LINGER, Cut::Drain);
        }
        let stalled = self.stalled.load(Ordering::Relaxed);
        if stalled != 0 {
            return at(stalled, limits.stall, Cut::Stalled);
        }
        let head = self.head.load(Ordering::Relaxed);
        if head != 0 {
            return at(head, limits.head, Cut::Head);
        }
        if self.requests.load(Ordering::Relaxed) == 0 {
            let idle = self.idle.load(Ordering::Relaxed);
            return if self.used.load(Ordering::Relaxed) || self.h2.load(Ordering::Relaxed) {
                at(idle, limits.idle, Cut::Idle)
            } else {
                at(idle, limits.first_byte, Cut::Silent)
            };
        }
        if self.handlers.load(Ordering::Relaxed) == 0 {
            // While a piece of an answer is being made, the client waits for us and not we for it.
            let ours = self.making.load(Ordering::Relaxed) > 0;
            let time = if ours { limits.stall.saturating_add(limits.handler) } else { limits.stall };
            return at(self.moved.load(Ordering::Relaxed), time, Cut::Stalled);
        }
        // A handler is at work: its own time-out and its body's watch over it.
        None
    }
}

/// One request on a connection, from the end of its head to the end of its answer.
#[derive(Debug)]
pub(super) struct Turn {
    pulse: Arc<Pulse>,
    handling: bool,
    making: bool,
}

impl Turn {
    /// Writes down that the handler is done and the answer begins.
    pub(super) fn answered(&mut self, now: Instant) {
        if std::mem::take(&mut self.handling) {
            self.pulse.handlers.fetch_sub(1, Ordering::Relaxed);
            self.pulse.moved.store(self.pulse.stamp(now), Ordering::Relaxed);
        }
    }

    /// Writes down that the client waits for the next piece of the answer, which is still being made.
    pub(super) fn making(&mut self) {
        if !std::mem::replace(&mut self.making, true) {
            self.pulse.making.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes down that the client took a piece of the answer.
    pub(super) fn moved(&mut self) {
        self.made();
        self.pulse.moved();
    }

    fn made(&mut self) {
        if std::mem::take(&mut self.making) {
            self.pulse.making.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.made();
        if self.handling {
            self.pulse.handlers.fetch_sub(1, Ordering::Relaxed);
        }
        let now = self.pulse.stamp(Instant::now());
        self.pulse.idle.store(now, Ordering::Relaxed);
        self.pulse.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A socket whose reads and writes leave their mark in a [`Pulse`].
pub(super) struct Felt<T> {
    inner: T,
    pulse: Arc<Pulse>,
}

impl<T> Felt<T> {
    pub(super) fn new(inner: T, pulse: Arc<Pulse>) -> Self {
        Self { inner, pulse }
    }
}

impl<T: AsyncRead + Unpin> Felt<T> {
    /// Reads and forgets until the client stops; [`supervise`] ends it after [`LINGER`].
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.pulse.lingering.load(Ordering::Relaxed) == 0 {
            self.pulse.lingering.store(self.pulse.stamp(Instant::now()), Ordering::Relaxed);
        }
        let mut bytes = [0; 8 * 1024];
        // A bounded number of rounds, so that a client that never stops does not keep the worker to itself.
        for _ in 0..16 {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.inner).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// How long we listen to a client that goes on sending after our last word.
const LINGER: Duration = Duration::from_secs(2);

impl<T: AsyncRead + Unpin> AsyncRead for Felt<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pulse.read_some();
        }
        poll
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Felt<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.pulse.wrote(poll.is_ready());
        poll
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(cx);
        self.pulse.wrote(poll.is_ready());
        poll
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.pulse.wrote(poll.is_ready());
        if poll.is_pending() || !self.pulse.unread.load(Ordering::Relaxed) {
            return poll;
        }
        self.poll_linger(cx).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut room = [0; JOINED_BYTES_MAX];
        let poll = match joined(slices, &mut room) {
            Some(bytes) => Pin::new(&mut self.inner).poll_write(cx, bytes),
            None => Pin::new(&mut self.inner).poll_write_vectored(cx, slices),
        };
        self.pulse.wrote(poll.is_ready());
        poll
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

/// How much is copied together before it is written: a head and the answer for one person. The system takes longer over a list of pieces than such a copy takes.
const JOINED_BYTES_MAX: usize = 4096;

/// Puts pieces together, if there is room for them.
fn joined<'a>(slices: &[io::IoSlice<'_>], room: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut end = 0_usize;
    for slice in slices {
        let next = end.checked_add(slice.len())?;
        room.get_mut(end..next)?.copy_from_slice(slice);
        end = next;
    }
    room.get(..end)
}

/// How a connection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By itself.
    Closed,
    /// By us, with nothing owed: idle while draining, or still talking after our last word.
    Left,
    /// Too long at one thing.
    Cut(Cut),
}

/// How long an idle connection is kept once the drain has begun: the bytes of a request may be on their way.
const DRAIN_GRACE: Duration = Duration::from_millis(200);
/// The same for HTTP/2, whose last answers may still lie in its send buffer, and which closes by itself once it has said goodbye.
const DRAIN_GRACE_H2: Duration = Duration::from_secs(5);

/// Runs a connection until it ends, is late, or is idle while draining.
///
/// `wind_down` is called on HTTP/2 only, where it sends GOAWAY. HTTP/1 has no such word: hyper would close a connection
/// on which half a head has come in, so there we wait until it is idle and let the answers say `Connection: close`.
pub(super) async fn supervise<C: Future>(
    connection: C,
    wind_down: impl Fn(Pin<&mut C>),
    pulse: Arc<Pulse>,
    limits: Limits,
    drain: &Drain,
) -> End {
    let mut connection = pin!(connection);
    let mut begun = pin!(drain.begun());
    let mut waiting = false;
    let far = Duration::from_hours(1);
    let mut draining: Option<Instant> = None;
    let mut armed = pulse.deadline(&limits).map_or_else(|| Instant::now() + far, |(at, _)| at);
    let mut clock = pin!(sleep_until(armed));
    std::future::poll_fn(|cx| {
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(End::Closed);
        }
        // Waiting takes a lock that all connections share, so the future is polled once to leave the task's waker there,
        // and then only when the flag says that there is something to find.
        let look = draining.is_none() && (!waiting || drain.has_begun());
        waiting = true;
        if look && begun.as_mut().poll(cx).is_ready() {
            let h2 = pulse.h2.load(Ordering::Relaxed);
            draining = Some(Instant::now() + if h2 { DRAIN_GRACE_H2 } else { DRAIN_GRACE });
            if h2 {
                wind_down(connection.as_mut());
                // Once more, so that the GOAWAY is written and the task woken when the socket takes it.
                if connection.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(End::Closed);
                }
            }
        }
        loop {
            let mut deadline = pulse.deadline(&limits);
            if let Some(until) = draining
                && pulse.is_idle()
                && deadline.is_none_or(|(at, _)| at > until)
            {
                deadline = Some((until, Cut::Drain));
            }
            let wanted = deadline.map_or(armed.max(Instant::now()) + far, |(at, _)| at);
            // Only an earlier time moves the timer; a later one is looked at when the timer fires.
            if wanted < armed {
                armed = wanted;
                clock.as_mut().reset(armed);
            }
            if clock.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            match deadline {
                Some((at, Cut::Drain)) if at <= Instant::now() => return Poll::Ready(End::Left),
                Some((at, why)) if at <= Instant::now() => return Poll::Ready(End::Cut(why)),
                _ => {
                    armed = wanted;
                    clock.as_mut().reset(armed);
                }
            }
        }
    })
    .await
}
