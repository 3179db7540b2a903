//! Where a webhook or a plugin begins in the history of which nothing is written down yet.

use super::react::Receiver;
use super::rows::{HOOKS, HookRow};
use super::worker::Shared;
use crate::config::WebhookFrom;
use crate::roster::RosterError;
use crate::store::{Given, Unit, Write};

/// Where one begins that has no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// With the first entry.
    First,
    /// After the latest.
    Latest,
}

/// Has a receiver that begins "now" take its place at once and durably: what is committed when this has returned is told, also by the next process where this one is
/// killed. Returns where it begins as long as it has no row.
pub(super) fn take(shared: &Shared, to: &Receiver) -> Begins {
    match to.from() {
        WebhookFrom::Beginning => Begins::First,
        WebhookFrom::Now => match write_down(shared, to) {
            Ok(()) => Begins::Latest,
            // It is here before the tenant is.
            Err(RosterError::Unknown(_)) => Begins::First,
            Err(error) => {
                tracing::warn!(webhook = %to.name(), %error, "where a webhook begins could not be written down; it begins when it can be");
                Begins::Latest
            }
        },
    }
}

fn write_down(shared: &Shared, to: &Receiver) -> Result<(), RosterError> {
    let roster = &shared.roster;
    let tenant = roster.operator(to.tenant(), roster.request_id())?.tenant();
    let key = to.name().as_bytes();
    let snapshot = roster.store().snapshot()?;
    if snapshot.small(tenant, HOOKS, key)?.is_some() {
        return Ok(());
    }
    let row = HookRow { url: to.place(), read: snapshot.head(tenant)?.seq, ..HookRow::default() };
    let value = serde_json::to_vec(&row).map_err(|error| RosterError::Broken(error.to_string()))?;
    // Where another daemon was faster, its row holds.
    let unit = Unit {
        given: vec![Given::Small(HOOKS, key.to_vec(), None)],
        writes: vec![Write::Small { space: HOOKS, key: key.to_vec(), value: Some(value) }],
        log: None,
    };
    roster.store().commit(tenant, unit)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use hyper::HeaderMap;

    use super::*;
    use crate::chance::SeededChance;
    use crate::clock::SystemClock;
    use crate::ids::TenantId;
    use crate::net::{Client, DeliveryUrl, Options, SystemResolver};
    use crate::outbox::desk::Pace;
    use crate::outbox::{Bell, Hook, Money, Outbox, Settings};
    use crate::roster::{Command, ConnectionOptions, Roster};
    use crate::store::Seq;
    use crate::store::memory::MemoryStore;

    const PACE: Pace =
        Pace { attempts_max: 1, first: Duration::from_millis(1), most: Duration::from_millis(1) };

    fn shared(roster: &Arc<Roster>) -> Shared {
        let second = Duration::from_secs(1);
        let options =
            Options { allow: vec![], connect: second, total: second, roots: vec![], at_once_max: 1 };
        Shared {
            roster: Arc::clone(roster),
            bell: Arc::new(Bell::default()),
            client: Client::new(options, Arc::new(SystemResolver)).unwrap(),
            clock: Arc::new(SystemClock),
            chance: Arc::new(SeededChance::new(2)),
            base_url: String::new(),
        }
    }

    fn outbox(roster: &Arc<Roster>) -> Outbox {
        let Shared { roster, bell, client, clock, chance, base_url } = shared(roster);
        Outbox::new(roster, bell, client, (clock, chance), base_url)
    }

    fn settings(tenant: &str) -> Settings {
        let hook = Hook {
            name: "ledger".to_owned(),
            tenant: tenant.to_owned(),
            url: DeliveryUrl::parse("https://ledger.test/in").unwrap(),
            secrets: vec![],
            patterns: vec![],
            money: Money::Hidden,
            from: WebhookFrom::Now,
            fields: HeaderMap::new(),
        };
        Settings { hooks: vec![hook], pace: PACE }
    }

    fn firm() -> Arc<Roster> {
        let (clock, chance) = (Arc::new(SystemClock), Arc::new(SeededChance::new(1)));
        let roster = Arc::new(Roster::new(Arc::new(MemoryStore::new()), clock, chance));
        roster.create_tenant("main", roster.request_id()).unwrap();
        roster
    }

    /// Writes an entry of the history.
    fn write(roster: &Roster, name: &str) {
        let options = ConnectionOptions::default();
        let (tenant, name, profile) = ("main".to_owned(), name.to_owned(), "auto".to_owned());
        let command = Command::ConnectionCreate { tenant, name, profile, options };
        let _ = roster.operate(command, roster.request_id()).unwrap();
    }

    fn tenant(roster: &Roster) -> TenantId {
        roster.operator("main", roster.request_id()).unwrap().tenant()
    }

    fn head(roster: &Roster) -> Seq {
        roster.store().snapshot().unwrap().head(tenant(roster)).unwrap().seq
    }

    fn written(roster: &Roster) -> Option<Seq> {
        let snapshot = roster.store().snapshot().unwrap();
        let row = snapshot.small(tenant(roster), HOOKS, b"ledger").unwrap()?;
        Some(serde_json::from_slice::<HookRow>(&row).unwrap().read)
    }

    /// Nothing runs in this runtime but the test, which waits for nothing: a webhook's task has done nothing yet.
    #[tokio::test]
    async fn r16_a_new_webhook_is_told_of_all_that_is_committed_once_the_settings_are_taken_over() {
        for ours in [true, false] {
            let roster = firm();
            write(&roster, "before");
            let before = head(&roster);
            let outbox = outbox(&roster);
            outbox.on_duty(ours);
            assert_eq!(written(&roster), None);
            outbox.set(settings("main"));
            write(&roster, "after");
            assert!(head(&roster) > before);
            assert_eq!(written(&roster), Some(before), "on duty: {ours}");
            // It keeps its place whoever takes the settings over again.
            outbox.set(settings("main"));
            assert_eq!(written(&roster), Some(before));
        }
    }

    #[test]
    fn r16_a_webhook_that_is_there_before_its_tenant_begins_with_its_first_entry() {
        let roster = firm();
        let shared = shared(&roster);
        let hook = settings("later").hooks.remove(0);
        let to = Receiver::Hook(Arc::new(hook));
        assert_eq!(take(&shared, &to), Begins::First);
        roster.create_tenant("later", roster.request_id()).unwrap();
        assert_eq!(take(&shared, &to), Begins::Latest);
    }
}
