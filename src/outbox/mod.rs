//! What leaves the house: the feed of changes, and their delivery to webhooks (rows R16, X53).
//!
//! Read in this order: [`event`] (from a row of the history to an event), [`feed`] (events after a number, with waiting for the next), [`bell`]
//! (who is woken by a commit), then the webhooks: [`hook`] (one, as the settings say), [`sign`] (how a body is signed), [`desk`] (what waits, in
//! which order, and what is set aside: pure), [`rows`] (what of it is kept in the store), [`kept`] (how it is taken up and written down), `place` (where one that is new begins), `worker` (the task of one webhook), `react` (plugins, told in the same way), [`Outbox`] (all of
//! them: start, reload, stop, figures), [`operate`] (what an operator asks), `trial` (one delivery by hand).
//!
//! The history is the outbox: a change and the news of it are one write, and a webhook keeps only how far it has come. So nothing that
//! was committed can be lost, and what is delivered twice has the same id.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod all;
pub mod bell;
pub mod desk;
pub mod event;
pub mod feed;
pub mod hook;
pub mod kept;
pub mod operate;
mod place;
mod react;
pub mod rows;
pub mod sign;
mod trial;
mod worker;

pub use all::{Figures, Outbox, Settings};
pub use bell::Bell;
pub use event::{Event, Money, Reading, Verb};
pub use feed::{Asked, Feed, Page};
pub use hook::{Hook, HookError, Pattern};
pub use operate::{Answer, Question};
pub use react::name_of_plugin;
pub use trial::{Trial, try_out};
