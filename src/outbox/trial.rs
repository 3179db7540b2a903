//! One delivery by hand: does the receiver answer, and does it take the signature?

use hyper::body::Bytes;
use jiff::Timestamp;
use serde_json::json;

use super::hook::Hook;
use super::worker::send;
use crate::ids::RequestId;
use crate::net::Client;

/// How the trial went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The event's id, by which the receiver's log shows it.
    pub id: String,
    /// The status, or why there was none.
    pub answer: Result<u16, String>,
}

/// Delivers an event of the type `webhook.test`, which is about nothing and changes nothing.
pub async fn try_out(client: &Client, hook: &Hook, request: RequestId, now: Timestamp) -> Trial {
    let id = format!("evt_test_{request}");
    let body = json!({ "id": id, "time": now, "type": "webhook.test", "request": request, "changes": [] });
    let answer = send(client, hook, &id, Bytes::from(body.to_string()), now).await;
    Trial { id, answer: answer.map(|answer| answer.status.as_u16()) }
}
