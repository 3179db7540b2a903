//! `rosterd bench`: how fast this build is on this machine, always beside a reference of the same run.
//!
//! Read in this order: [`plan`] (what is asked for), [`loads`] (what is measured: the place to add to), [`run`] (the order of things),
//! `contestant` and `session` (a load and its references, taking turns, added up in `sum`), [`which`] and `world` (a daemon with people in it). Then the
//! tools: `preload`, `people` and `script` (what is sent), `wire`, `load` and [`pace`] (who sends it, and how long that takes), `child`
//! and `meter` (the processes under test and what they use), `hang` (a provider that does not answer), `place` (their folder), `reference` (the servers that do as little as
//! possible), `disk` and `engine` (the same for durable writes), `postgres` and `pgbench` (what a database on this machine does). What is measured once and not in turns: `sync` (a first synchronisation) and `storage` (the disk, and opening what lies there). What comes out: `figures` (plain data, also the JSON), `goals` (ratios
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
mod hang;
mod load;
pub mod loads;
mod meter;
pub mod pace;
mod people;
mod pgbench;
mod place;
pub mod plan;
mod postgres;
mod preload;
pub mod reference;
pub mod report;
pub mod run;
mod script;
mod session;
mod signin;
mod storage;
mod sum;
mod sync;
pub mod which;
mod wire;
mod world;

pub use error::BenchError;
