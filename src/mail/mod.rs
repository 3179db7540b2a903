//! Mails: what is written in them (`texts`), and how they are handed to the firm's mail server (`server`).
//!
//! Knows nothing of people, links, or why something is told: it is given names, an address and a URL, and says whether the server has taken the mail. What
//! waits to be sent, and what is tried again, is told in `roster::signin` and `app::letters`.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod server;
mod texts;

pub use server::{Credentials, MailError, MailServer, Protection};
pub use texts::{About, Parts, Words};
