//! `rosterd bench`: how fast this build is on this machine, always beside a reference of the same run.
//!
//! Read in this order: [`plan`] (what is asked for), [`loads`] (what is measured: the place to add to), [`run`] (the order of things),
//! `contestant` and `session` (a load and its references, taking turns, added up in `sum`), `world` (a daemon with people in it). Then the
//! tools: `preload`, `people` and `script` (what is sent), `wire` and `load` (who sends it, and how long that takes), `child`
//! and `meter` (the processes under test and what they use), `place` (their folder), `reference` (the servers that do as little as
//! possible), `disk` and `engine` (the same for durable writes). What comes out: `figures` (plain data, also the JSON), `goals` (ratios
//! beside what must be reached), [`report`] (the table).
//!
//! Everything runs on loopback: load and server share the machine. Throughput therefore belongs to both, and the CPU time of the server's
//! process, read from the kernel, to the server alone. Knows the daemon as a client does: through its ports, its metrics and the kernel.

mod child;
mod contestant;
mod cores;
mod disk;
mod engine;
mod error;
pub mod figures;
mod goals;
mod load;
pub mod loads;
mod meter;
mod people;
mod place;
pub mod plan;
mod preload;
pub mod reference;
pub mod report;
pub mod run;
mod script;
mod session;
mod signin;
mod sum;
mod wire;
mod world;

pub use error::BenchError;
