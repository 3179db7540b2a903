//! The edge over real sockets: a small router of known handlers behind the real accept loop, with small limits.
//!
//! [`support`] starts it and speaks to it in raw bytes, because most of what is tested here no HTTP client would send.

mod answers;
mod bodies;
mod bounds;
mod drain;
mod framing;
mod http2;
mod logs;
mod support;
mod timeouts;
mod tls;
