//! What a connection did, from the durable history: its latest stretch, read backwards until it is long or large enough.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::leniency;
use super::report::{Deed, Deeds};
use crate::ids::{Address, ConnectionId, KindId, TenantId};
use crate::roster::{LOCAL, RosterError};
use crate::store::{Action, Facts, Seq, Snapshot, Values};

/// Most changes of the tenant that are read.
pub(super) const CHANGES_MAX: u64 = 5000;
/// Most bytes of them.
const BYTES_MAX: usize = 32 << 20;
/// Most names that no schema knows.
const UNKNOWN_MAX: usize = 100;
/// What the history calls a change of what is kept beside a resource.
const SHADOW: &str = "shadow";
/// Changes that are read at a time: one of a large group is megabytes by itself.
const STRETCH: u64 = 4;

/// What the history says of a connection.
#[derive(Debug, Default)]
pub(super) struct Past {
    pub(super) deeds: Deeds,
    /// How many of its changes needed each leniency.
    pub(super) notes: BTreeMap<String, u64>,
    /// People whom this connection changed, and another as well.
    pub(super) shared: Vec<Address>,
    /// Names that it sent and no schema knows.
    pub(super) unknown: BTreeSet<String>,
    /// Sign-ins by the same provider that were refused.
    pub(super) refused: Refused,
}

/// Refused sign-ins.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// How many.
    pub(super) count: u64,
    /// When the last one was, and why, with what to do; without the reason where it was erased.
    pub(super) last: Option<(Timestamp, String)>,
}

/// Reads it.
pub(super) fn of(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    connection: ConnectionId,
) -> Result<Past, RosterError> {
    let mut past = Past::default();
    let mut hands: HashMap<Address, HashSet<ConnectionId>> = HashMap::new();
    let end = snapshot.head(tenant)?.seq.0;
    let (mut until, mut bytes) = (end, 0_usize);
    while until > 0 && end.saturating_sub(until) < CHANGES_MAX && bytes < BYTES_MAX {
        let after = until.saturating_sub(STRETCH);
        let mut rows =
            snapshot.changes(tenant, Seq(after), usize::try_from(STRETCH).unwrap_or(usize::MAX))?;
        rows.retain(|row| row.seq.0 <= until);
        for row in rows.iter().rev() {
            bytes = bytes.saturating_add(row.facts.len()).saturating_add(row.values.len());
            let facts: Facts = serde_json::from_slice(&row.facts)
                .map_err(|error| RosterError::Broken(format!("change {}: {error}", row.seq.0)))?;
            past.take(row.seq, &facts, connection, &mut hands);
            past.sign_in(&facts, connection, &row.values);
            let is_ours = facts.connection == Some(connection) && past.unknown.len() < UNKNOWN_MAX;
            if is_ours && facts.attributes.iter().any(|name| name == SHADOW) {
                past.unknown.extend(unknown_in(&row.values));
            }
        }
        until = after;
    }
    past.deeds.read_from = until.saturating_add(1);
    let others = |hands: &HashSet<ConnectionId>| hands.len() > 1 && hands.contains(&connection);
    past.shared = hands.into_iter().filter(|(_, hands)| others(hands)).map(|(at, _)| at).collect();
    past.shared.sort();
    Ok(past)
}

impl Past {
    /// Notes a sign-in. Rows come latest first.
    fn sign_in(&mut self, facts: &Facts, of: ConnectionId, values: &[u8]) {
        if facts.action != Action::SignInRefuse || facts.connection != Some(of) {
            return;
        }
        let refused = &mut self.refused;
        refused.count = refused.count.saturating_add(1);
        if refused.last.is_none() {
            let values: Option<Values> = serde_json::from_slice(values).ok();
            let said = values.into_iter().flat_map(|values| values.changes).find_map(|change| change.new);
            let said = said.and_then(|new| new.as_str().map(str::to_owned));
            refused.last = Some((facts.when, said.unwrap_or_else(|| facts.result.clone())));
        }
    }

    fn take(
        &mut self,
        seq: Seq,
        facts: &Facts,
        of: ConnectionId,
        hands: &mut HashMap<Address, HashSet<ConnectionId>>,
    ) {
        let is_write =
            matches!(facts.action, Action::Create | Action::Replace | Action::Patch | Action::Delete);
        let (true, Some(by)) = (is_write, facts.connection) else { return };
        if let Some(at) = facts.subject.filter(|at| at.kind == KindId::USER && by != LOCAL) {
            hands.entry(at).or_default().insert(by);
        }
        if by != of {
            return;
        }
        let deeds = &mut self.deeds;
        deeds.writes = deeds.writes.saturating_add(1);
        let made = facts.subject.filter(|_| facts.action == Action::Create).map(|at| at.kind);
        deeds.users_created = deeds.users_created.saturating_add(u64::from(made == Some(KindId::USER)));
        deeds.groups_created = deeds.groups_created.saturating_add(u64::from(made == Some(KindId::GROUP)));
        deeds.last_write.get_or_insert_with(|| Deed {
            change: seq.0,
            when: facts.when,
            action: word(facts.action),
        });
        for note in facts.notes.iter().filter(|note| !leniency::is_remark(note)) {
            let count = self.notes.entry(note.clone()).or_default();
            *count = count.saturating_add(1);
        }
    }
}

/// Lists what a change says that no schema knows; nothing where its values were erased.
fn unknown_in(values: &[u8]) -> Vec<String> {
    let values: Option<Values> = serde_json::from_slice(values).ok();
    let changes = values.into_iter().flat_map(|values| values.changes);
    let kept = changes.filter(|change| change.attribute == SHADOW).filter_map(|change| change.new);
    kept.filter_map(|new| Some(new.as_object()?.keys().cloned().collect::<Vec<_>>())).flatten().collect()
}

/// The history's own word for what was done.
pub(super) fn word(action: Action) -> String {
    serde_json::to_value(action).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}
