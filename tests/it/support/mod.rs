//! What tests stand on: a client, the daemon in this process ([`TestApp`]) and as a process of its own ([`TestDaemon`]), and the look at the world
//! when a test ends.
//!
//! Read in this order: `client` (HTTP/1.1 by hand, so that a test can send what no library would), `app`, `daemon`, `world` (what must hold after
//! every test), `crowd` (groups of any size), `dice` (seeded randomness), `counting` (a store that counts), `bodies` (requests that many tests
//! send), `signer` (keys that sign tokens), `issuer` (a server by TLS that shows them), `patience` (waiting for what nothing announces).

mod app;
pub mod bodies;
pub mod bouncer;
mod client;
mod counting;
mod crowd;
mod daemon;
mod dice;
pub mod ground;
pub mod issuer;
mod patience;
pub mod power;
pub mod signer;
pub mod world;

pub use app::{Engine, PUBLIC_URL, TestApp, on_every_store};
pub use client::{Answer, Client, Request, encode};
pub use counting::Counting;
pub use crowd::Crowd;
pub use daemon::{TestDaemon, repeats};
pub use dice::Dice;
pub use patience::until;
