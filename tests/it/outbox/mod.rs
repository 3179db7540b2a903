//! What leaves the house: webhooks (R16, X52, X53) and the feed of changes.
//!
//! `receiver` is the other side, written from the scheme's description and not from our code; `crashes` kills the daemon under load, `deliveries`
//! looks at one webhook in many moods, `hooked` is a daemon with one, `feed` reads changes over the admin listener.

pub mod crashes;
mod deliveries;
pub mod feed;
mod hooked;
mod receiver;

pub use receiver::{Delivery, Mood, Receiver};
