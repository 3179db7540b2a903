//! The admin API, from outside: by TCP with a token of an administrator, and by the socket.

mod api;
mod audit;
mod bound;
mod by_session;
mod docs;
mod erase;
mod hours_only;
mod people;
pub mod support;
