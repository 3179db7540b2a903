//! Daemons on a database: the tests of the rows once more (`rows`), the transcripts (`transcripts`), two daemons side by side (`two`, `sessions`, `duty`, `paging`), a database that goes away (`failing`,
//! `failover`), and how its tables come to be (`tables`).
//!
//! Each test starts a server of its own and says aloud when there is none on this machine.

mod duty;
mod failing;
mod failover;
mod paging;
mod pooled;
mod rows;
mod sessions;
mod tables;
mod transcripts;
mod two;
