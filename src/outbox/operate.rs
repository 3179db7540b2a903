//! What an operator asks about webhooks, as plain data: over the admin socket, or of a folder that no daemon holds.
//!
//! Reads what the workers have written down. What is ordered is written as a row, which the worker carries out when it sees it; it
//! is woken by the entry that the history gets of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rows::{ASIDE, HOOKS, HookRow, ORDERS, Off, Order, SetAside, prefix, seq_of};
use crate::ids::{RequestId, ResourceId};
use crate::roster::{Roster, RosterError, hex};
use crate::store::{Action, Actor, Change, Entry, Facts, PAGE_ROWS_MAX, Seq, SmallRow, Unit, Values, Write};

/// What is asked. Each question names tenant and webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Question {
    /// How a webhook is doing.
    State {
        /// Whose.
        tenant: String,
        /// Its name.
        hook: String,
    },
    /// What was set aside.
    SetAside {
        /// Whose.
        tenant: String,
        /// Its name.
        hook: String,
        /// After which number.
        after: u64,
        /// How many at most.
        limit: usize,
    },
    /// Deliver again what was set aside, and go on where the receiver had said that it is gone.
    Replay {
        /// Whose.
        tenant: String,
        /// Its name.
        hook: String,
        /// Of which resource; of all when `None`.
        resource: Option<String>,
    },
    /// Deliver one of them no more.
    Discard {
        /// Whose.
        tenant: String,
        /// Its name.
        hook: String,
        /// Which.
        seq: u64,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// How a webhook is doing.
    State {
        /// Where the tenant's history stands.
        head: u64,
        /// Up to where it was read; `None` where the webhook has not begun.
        read: Option<u64>,
        /// Events that were read and are not delivered.
        waiting: Vec<Pending>,
        /// Events that were set aside.
        set_aside: usize,
        /// Since when and why nothing is delivered.
        off: Option<(Timestamp, String)>,
    },
    /// What was set aside, by number.
    SetAside {
        /// A page of them.
        events: Vec<Pending>,
    },
    /// It was written down, and will be done.
    Ordered,
}

/// An event that is not delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its number.
    pub seq: u64,
    /// Of which resource.
    pub resource: ResourceId,
    /// When it happened.
    pub time: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was not delivered.
    pub why: String,
}

impl Question {
    /// Answers it.
    pub fn answer(self, roster: &Roster, request: RequestId) -> Result<Answer, RosterError> {
        match self {
            Self::State { tenant, hook } => state(roster, &tenant, &hook, request),
            Self::SetAside { tenant, hook, after, limit } => {
                let tenant = roster.operator(&tenant, request)?.tenant();
                let after = super::rows::aside_key(&hook, Seq(after));
                let limit = limit.clamp(1, PAGE_ROWS_MAX);
                let rows = roster.store().snapshot()?.small_range(
                    tenant,
                    ASIDE,
                    &prefix(&hook),
                    Some(&after),
                    limit,
                )?;
                Ok(Answer::SetAside { events: rows.iter().map(pending).collect::<Result<_, _>>()? })
            }
            Self::Replay { tenant, hook, resource } => {
                let unfit =
                    || RosterError::Unfit("a resource is named by its id of 36 characters".to_owned());
                let resource = resource.map(|id| ResourceId::parse(&id).map_err(|_| unfit())).transpose()?;
                order(roster, &tenant, &hook, Order::Replay(resource), request)
            }
            Self::Discard { tenant, hook, seq } => {
                order(roster, &tenant, &hook, Order::Discard(Seq(seq)), request)
            }
        }
    }
}

fn state(roster: &Roster, tenant: &str, hook: &str, request: RequestId) -> Result<Answer, RosterError> {
    let tenant = roster.operator(tenant, request)?.tenant();
    let snapshot = roster.store().snapshot()?;
    let row = snapshot.small(tenant, HOOKS, hook.as_bytes())?;
    let row: Option<HookRow> = row.as_deref().map(decode).transpose()?;
    let (mut set_aside, mut after) = (0_usize, None);
    loop {
        let rows = snapshot.small_range(tenant, ASIDE, &prefix(hook), after.as_deref(), PAGE_ROWS_MAX)?;
        set_aside = set_aside.saturating_add(rows.len());
        match rows.last() {
            Some(last) if rows.len() == PAGE_ROWS_MAX => after = Some(last.key.clone()),
            _ => break,
        }
    }
    let head = snapshot.head(tenant)?.seq.0;
    let Some(HookRow { read, waiting, off, .. }) = row else {
        return Ok(Answer::State { head, read: None, waiting: vec![], set_aside, off: None });
    };
    let waiting = waiting.into_iter().map(|event| Pending {
        seq: event.seq.0,
        resource: event.resource,
        time: event.time,
        attempts: event.attempts,
        why: event.why,
    });
    let off = off.map(|Off { since, why }| (since, why));
    Ok(Answer::State { head, read: Some(read.0), waiting: waiting.collect(), set_aside, off })
}

/// Writes an order down. It is an entry of the history too: who gives up a delivery, or repeats many, can be asked about it.
fn order(
    roster: &Roster,
    tenant: &str,
    hook: &str,
    order: Order,
    request: RequestId,
) -> Result<Answer, RosterError> {
    let caller = roster.operator(tenant, request)?;
    let snapshot = roster.store().snapshot()?;
    if snapshot.small(caller.tenant(), HOOKS, hook.as_bytes())?.is_none() {
        return Err(RosterError::Unfit(format!(
            "no webhook {hook} of this tenant has ever delivered anything"
        )));
    }
    if let Order::Discard(seq) = order
        && snapshot.small(caller.tenant(), ASIDE, &super::rows::aside_key(hook, seq))?.is_none()
    {
        return Err(RosterError::Unfit(format!(
            "no event {} is set aside; rosterd webhook show lists those that are",
            seq.0
        )));
    }
    let value = serde_json::to_vec(&order).map_err(|error| RosterError::Broken(error.to_string()))?;
    let action = match order {
        Order::Replay(_) => Action::WebhookReplay,
        Order::Discard(_) => Action::WebhookDiscard,
    };
    let what = match order {
        Order::Replay(None) => format!("webhook {hook}: all"),
        Order::Replay(Some(resource)) => format!("webhook {hook}: {resource}"),
        Order::Discard(seq) => format!("webhook {hook}: event {}", seq.0),
    };
    let changes = vec![Change::of("webhook", None, Some(what.into()))];
    let facts = Facts {
        when: caller.now(),
        who: Actor::Cli,
        connection: Some(caller.connection()),
        request,
        action,
        subject: None,
        attributes: vec!["webhook".to_owned()],
        result: "ok".to_owned(),
        notes: vec![],
        asked: vec![],
    };
    let log = Some(Entry {
        facts,
        values: Values { salt: hex(roster.request_id().as_bytes()), changes, asked: vec![] },
    });
    let write = Write::Small { space: ORDERS, key: order.key(hook), value: Some(value) };
    roster.store().commit(caller.tenant(), Unit { given: vec![], writes: vec![write], log })?;
    Ok(Answer::Ordered)
}

fn pending(row: &SmallRow) -> Result<Pending, RosterError> {
    let seq = seq_of(&row.key)
        .ok_or_else(|| RosterError::Broken("a key of an event without its number".to_owned()))?;
    let SetAside { resource, time, attempts, why, .. } = decode(&row.value)?;
    Ok(Pending { seq: seq.0, resource, time, attempts, why })
}

pub(super) fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, RosterError> {
    serde_json::from_slice(bytes)
        .map_err(|error| RosterError::Broken(format!("a row of the outbox: {error}")))
}
