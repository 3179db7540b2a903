//! The edge over real sockets: a small router of known handlers behind the real accept loop, with small limits.
//!
//! [`support`] starts it and speaks to it in raw bytes, because most of what is tested here no HTTP client would send.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "helpers of tests are tests, which clippy cannot see outside a test function"
)]

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
