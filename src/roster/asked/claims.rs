//! Asking plugins what a program downstream is told of somebody beside what it is told in any case.
//!
//! A plugin adds, below its own name, and nothing else: no claim of ours and none of another's can be taken away or said otherwise by it. What somebody
//! earns or costs is not shown here, whatever a grant says, so that no plugin can pass it on. A failure leaves out what the plugin would have added, unless its operator
//! has said that nobody gets in without it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::matter::shorten;
use super::{subject, told};
use crate::ids::{RequestId, ResourceId, TenantId};
use crate::psa::calendar::today;
use crate::roster::Roster;
use crate::roster::depart::people;
use crate::roster::error::RosterError;
use crate::roster::hooks::{About, Addition, Failure, Grant, Operation, Problem, Series, Then};
use crate::roster::person::{attributes, zone};
use crate::store::{Snapshot, Stored};

/// Most claims that one plugin adds.
const ADDED_MAX: usize = 16;
/// Most bytes of what one plugin adds.
const ADDED_BYTES_MAX: usize = 1024;
/// Longest name of a claim.
const NAME_CHARACTERS_MAX: usize = 64;
/// The names under which no plugin says anything, even below its own name: those by which others know who somebody is.
const NOT_THEIRS: [&str; 10] =
    ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "sid", "tenant", "auth_time"];

impl Roster {
    /// Tells whether any plugin adds claims.
    pub fn has_claiming_plugins(&self) -> bool {
        self.plugins().iter().any(|plugin| plugin.hooks().claims)
    }

    /// Asks the plugins of a person's connection what a program is told beside. By the names of the plugins; empty where none adds anything.
    ///
    /// # Errors
    /// [`RosterError::Later`] where one failed without which nobody gets in.
    pub fn claims_of_plugins(
        &self,
        tenant: TenantId,
        person: ResourceId,
        app: &str,
        request: RequestId,
    ) -> Result<Map<String, Value>, RosterError> {
        let mut told = Map::new();
        if !self.has_claiming_plugins() {
            return Ok(told);
        }
        let caller = self.on_behalf_of_whose(tenant, person, request)?;
        let Some(served) = caller.served.clone() else { return Ok(told) };
        let plugins: Vec<_> = served.plugins.iter().filter(|plugin| plugin.hooks().claims).collect();
        if plugins.is_empty() {
            return Ok(told);
        }
        let snapshot = self.store.snapshot()?;
        let Some(stored) = snapshot.get(tenant, crate::ids::Address::user(person))? else {
            return Err(RosterError::NotFound);
        };
        let psa = attributes(&stored)?;
        let mut held = subject::held(snapshot.as_ref(), &caller, &psa, BTreeMap::new())?;
        // Never money.
        held.cost_rates.clear();
        held.billing_rates.clear();
        for plugin in plugins {
            let user = shown(snapshot.as_ref(), &caller, &stored, plugin.grant())?;
            let zone = zone(snapshot.as_ref(), &caller, &user.document, &psa)?;
            let about = About {
                tenant: served.tenant.to_string(),
                source: served.source.clone(),
                operation: Operation::SignIn,
                request,
                now: caller.now,
                today: today(caller.now, &zone).date(),
                dry_run: false,
                series: Series::Alone,
            };
            let added = plugin.claims(&about, &user, &held, app).map_err(|failure| {
                let (Failure::Problem(Problem { detail, .. }) | Failure::Broke(_, detail)) = &failure;
                (told::outcome(&failure), shorten(detail))
            });
            match added.and_then(checked) {
                Ok(added) if added.is_empty() => {}
                Ok(added) => {
                    told.insert(plugin.name().to_owned(), added.into());
                }
                Err((outcome, detail)) => {
                    tracing::warn!(plugin = plugin.name(), app, outcome, detail, "a plugin added no claims");
                    if plugin.policy().claims == Then::Reject {
                        return Err(RosterError::Later(
                            "what programs are told cannot be made at this moment; try again later"
                                .to_owned(),
                        ));
                    }
                }
            }
        }
        Ok(told)
    }
}

/// Shows a person without money, whatever is granted.
fn shown(
    snapshot: &dyn Snapshot,
    caller: &crate::roster::Caller,
    stored: &Stored,
    grant: &Grant,
) -> Result<crate::roster::hooks::Subject, RosterError> {
    let kind = people(caller)?;
    let user = subject::of_stored(snapshot, caller, kind, stored, grant)?;
    Ok(subject::without_money(caller, kind, &Grant::default(), Cow::Owned(user)).into_owned())
}

/// Takes over what a plugin adds, all of it or nothing.
fn checked(added: Vec<Addition>) -> Result<Map<String, Value>, (&'static str, String)> {
    let refused = |what: String| ("refused", what);
    if added.len() > ADDED_MAX {
        return Err(refused(format!("{} claims, expected {ADDED_MAX} at most", added.len())));
    }
    let mut claims = Map::new();
    for Addition { name, value } in added {
        let sound = (1..=NAME_CHARACTERS_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        if !sound || NOT_THEIRS.contains(&name.as_str()) {
            return Err(refused(format!("the name of a claim: {}", shorten(&name))));
        }
        if claims.insert(name, value).is_some() {
            return Err(refused("a claim that stands twice".to_owned()));
        }
    }
    let bytes = serde_json::to_string(&claims).map_or(usize::MAX, |text| text.len());
    if bytes > ADDED_BYTES_MAX {
        return Err(refused(format!("{bytes} bytes, expected {ADDED_BYTES_MAX} at most")));
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn adding(all: &[(&str, Value)]) -> Result<Map<String, Value>, (&'static str, String)> {
        checked(
            all.iter()
                .map(|(name, value)| Addition { name: (*name).to_owned(), value: value.clone() })
                .collect(),
        )
    }

    #[test]
    fn what_a_plugin_adds_is_taken_as_a_whole_or_not_at_all() {
        assert_eq!(Value::from(adding(&[("badge", json!(7))]).unwrap()), json!({ "badge": 7 }));
        let long = json!("x".repeat(ADDED_BYTES_MAX));
        let many: Vec<(String, Value)> = (0..=ADDED_MAX).map(|n| (format!("c{n}"), json!(1))).collect();
        let many: Vec<(&str, Value)> =
            many.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        for wrong in [
            &[("badge", json!(7)), ("sub", json!("somebody else"))][..],
            &[("exp", json!(1))],
            &[("", json!(1))],
            &[("a b", json!(1))],
            &[("a", json!(1)), ("a", json!(2))],
            &[("long", long)],
            &many,
        ] {
            assert!(adding(wrong).is_err(), "{wrong:?}");
        }
    }
}
