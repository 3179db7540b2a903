//! `GET /admin/v1/changes`: the feed of changes, with waiting for the next one.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::auth::Bearer;
use super::drain::Drain;
use super::edge::Edge;
use super::problem::Problem;
use crate::outbox::feed::{FeedError, PAGE_EVENTS_DEFAULT, PAGE_EVENTS_MAX, WAIT_MAX};
use crate::outbox::{Asked, Feed};
use crate::roster::RosterError;
use crate::store::Seq;

/// Seconds after which a reader for whom there was no place comes again.
const AGAIN_AFTER_S: u32 = 5;

/// Answers with the events after a number; waits for the next where there is none. A client that hangs up is not waited for.
pub async fn changes(
    State(edge): State<Edge>,
    Extension(feed): Extension<Arc<Feed>>,
    Extension(drain): Extension<Drain>,
    Bearer { caller, hold }: Bearer,
    request: Request,
) -> Result<Response, Problem> {
    let asked = asked(request.uri().query().unwrap_or_default())?;
    let page = feed.read(&caller, asked, drain.begun()).await;
    drop(hold);
    let page = match page {
        Ok(page) => page,
        Err(FeedError::Roster(RosterError::Forbidden { needs })) => {
            return edge.read(&caller, |_, _| Err(RosterError::Forbidden { needs }));
        }
        Err(FeedError::Roster(error)) => return Err(error.into()),
        Err(error @ FeedError::Ahead { .. }) => return Err(Problem::bad_request(error.to_string())),
        Err(FeedError::Crowded) => return Err(Problem::busy(AGAIN_AFTER_S)),
    };
    let body = serde_json::to_vec(&page).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(super::scim::reply::json(StatusCode::OK, body))
}

fn asked(query: &str) -> Result<Asked, Problem> {
    let mut asked = Asked { after: Seq::ZERO, limit: PAGE_EVENTS_DEFAULT, wait: Duration::ZERO };
    let mut seen: Vec<String> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let number = |least: u64, most: u64| {
            let number = value.parse::<u64>().ok().filter(|number| (least..=most).contains(number));
            number.ok_or_else(|| {
                Problem::bad_request(format!("{name}: expected a whole number from {least} to {most}"))
            })
        };
        if seen.iter().any(|before| *before == name) {
            return Err(Problem::bad_request(format!("expected one {name}, found two")));
        }
        match name.as_ref() {
            "after" => asked.after = Seq(number(0, u64::MAX)?),
            "limit" => {
                let limit = number(1, PAGE_EVENTS_MAX as u64)?;
                asked.limit = usize::try_from(limit).unwrap_or(PAGE_EVENTS_MAX);
            }
            "wait_s" => asked.wait = Duration::from_secs(number(0, WAIT_MAX.as_secs())?),
            _ => {
                return Err(Problem::bad_request(
                    "expected the parameters after, limit and wait_s, found another",
                ));
            }
        }
        seen.push(name.into_owned());
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_strictly() {
        let read = asked("after=7&limit=5&wait_s=60").unwrap();
        assert_eq!(read, Asked { after: Seq(7), limit: 5, wait: Duration::from_mins(1) });
        assert_eq!(asked("").unwrap().limit, PAGE_EVENTS_DEFAULT);
        for wrong in
            ["after=-1", "after=x", "limit=0", "limit=1001", "wait_s=61", "since=1", "after=1&after=2"]
        {
            assert_eq!(asked(wrong).unwrap_err().status(), StatusCode::BAD_REQUEST, "{wrong}");
        }
    }
}
