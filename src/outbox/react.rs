//! Operators' plugins that react: told of changes by the same task, desk and rows as webhooks, so that they are told at least once, of each
//! person in order, and what they could not take is set aside and can be told again.

use std::fmt;
use std::sync::Arc;

use super::desk::Failure;
use super::event::{Event, Money};
use super::hook::Hook;
use super::worker::{Landing, Shared};
use crate::config::WebhookFrom;
use crate::ids::TenantId;
use crate::roster::Reaction;
use crate::roster::hooks::Plugin;
use crate::store::Seq;

/// Before the name of a plugin where it stands for its rows. No webhook is called so: a colon is in none of their names.
const PREFIX: &str = "plugin:";

/// Names the rows of a plugin, for those who ask how far it has come.
pub fn name_of_plugin(plugin: &str) -> String {
    format!("{PREFIX}{plugin}")
}

/// A plugin that is told of one tenant's changes.
pub(super) struct Reactor {
    name: String,
    tenant: String,
    plugin: Arc<dyn Plugin>,
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("name", &self.name)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

impl Reactor {
    pub(super) fn new(tenant: String, plugin: Arc<dyn Plugin>) -> Self {
        Self { name: name_of_plugin(plugin.name()), tenant, plugin }
    }

    /// Tells whether it is the same plugin, as it is loaded now.
    pub(super) fn is(&self, plugin: &Arc<dyn Plugin>) -> bool {
        Arc::ptr_eq(&self.plugin, plugin)
    }
}

/// Who is told.
#[derive(Debug, Clone)]
pub(super) enum Receiver {
    /// A webhook.
    Hook(Arc<Hook>),
    /// A plugin.
    Plugin(Arc<Reactor>),
}

impl Receiver {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Hook(hook) => &hook.name,
            Self::Plugin(reactor) => &reactor.name,
        }
    }

    pub(super) fn tenant(&self) -> &str {
        match self {
            Self::Hook(hook) => &hook.tenant,
            Self::Plugin(reactor) => &reactor.tenant,
        }
    }

    /// Where it is. Who was switched off goes on when this changes.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Hook(hook) => hook.url.as_str().to_owned(),
            Self::Plugin(reactor) => reactor.name.clone(),
        }
    }

    pub(super) fn from(&self) -> WebhookFrom {
        match self {
            Self::Hook(hook) => hook.from,
            // What was before it was loaded is none of its business.
            Self::Plugin(_) => WebhookFrom::Now,
        }
    }

    /// Whether it is told of changes of money alone. What a plugin may know of them its grant says, attribute by attribute.
    pub(super) fn money(&self) -> Money {
        match self {
            Self::Hook(hook) => hook.money,
            Self::Plugin(_) => Money::Shown,
        }
    }

    pub(super) fn wants(&self, event: &Event) -> bool {
        match self {
            Self::Hook(hook) => hook.wants(event),
            Self::Plugin(_) => event.what.kind == "user",
        }
    }
}

/// Tells a plugin of one entry of the history.
pub(super) fn tell(shared: &Shared, reactor: &Reactor, tenant: TenantId, seq: Seq) -> Landing {
    let failed = |why: String| Landing::Failed(Failure { why, wait: None });
    let row = match shared.row(tenant, seq) {
        Ok(row) => row,
        Err(landing) => return landing,
    };
    let event = match shared.reading(Money::Shown, tenant).event(&row) {
        Ok(Some(event)) => event,
        Ok(None) => return Landing::Taken { sent: false },
        Err(error) => return failed(error.to_string()),
    };
    match shared.roster.tell_plugin(reactor.plugin.as_ref(), (tenant, &reactor.tenant), &row, event.id) {
        Ok(Reaction::Taken) => Landing::Taken { sent: true },
        Ok(Reaction::NotForIt) => Landing::Taken { sent: false },
        Ok(Reaction::Failed(outcome)) => failed(format!("the plugin gave no answer ({outcome})")),
        Err(error) => Landing::NotTried(error.to_string()),
    }
}
