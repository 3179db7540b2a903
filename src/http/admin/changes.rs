//! `GET /admin/v1/changes`: the feed of changes, with waiting for the next one.

use std::time::Duration;

use super::ask::Ask;
use super::endpoint::Object;
use super::query::{AFTER_NUMBER, Form, Parameter};
use crate::http::problem::Problem;
use crate::outbox::Asked;
use crate::outbox::feed::{FeedError, PAGE_EVENTS_DEFAULT, PAGE_EVENTS_MAX, WAIT_MAX};
use crate::roster::RosterError;
use crate::store::Seq;

/// What the feed can be asked for.
pub const ASKED: [Parameter; 3] = [
    AFTER_NUMBER,
    Parameter::new("limit", Form::Number(1, PAGE_EVENTS_MAX as u64), "How many events at most."),
    Parameter::new(
        "wait_s",
        Form::Number(0, WAIT_MAX.as_secs()),
        "Seconds to wait for an event where there is none.",
    ),
];

/// Seconds after which a reader for whom there was no place comes again.
const AGAIN_AFTER_S: u32 = 5;

/// Answers with the events after a number; waits for the next where there is none. A client that hangs up is not waited for.
pub async fn read(ask: Ask) -> Result<Object, Problem> {
    let limit = ask.number("limit").and_then(|limit| usize::try_from(limit).ok());
    let asked = Asked {
        after: Seq(ask.number("after").unwrap_or(0)),
        limit: limit.unwrap_or(PAGE_EVENTS_DEFAULT),
        wait: Duration::from_secs(ask.number("wait_s").unwrap_or(0)),
    };
    let (feed, drain) = ask.feed();
    let page = feed.read(&ask.caller, asked, drain.begun()).await;
    let page = match page {
        Ok(page) => page,
        Err(FeedError::Roster(RosterError::Forbidden { needs })) => {
            return ask.edge().read(&ask.caller, |_, _| Err(RosterError::Forbidden { needs }));
        }
        Err(FeedError::Roster(error)) => return Err(error.into()),
        Err(error @ FeedError::Ahead { .. }) => return Err(Problem::bad_request(error.to_string())),
        Err(FeedError::Crowded) => return Err(Problem::busy(AGAIN_AFTER_S)),
    };
    let body = serde_json::to_vec(&page).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Object(body.into()))
}
