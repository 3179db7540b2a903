//! How an examination is made.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::find::Found;
use super::report::{Credential, Finding, Leniency, Level, Report, Standing};
use super::view::RequestView;
use super::{Doctor, failures, history, leniency, people, suggest};
use crate::roster::{RosterError, TokenView};
use crate::scim::Kinds;
use crate::scim::attr::{Resolved, resolve};
use crate::scim::urn;

/// A credential that ends sooner is said to.
const EXPIRING: SignedDuration = SignedDuration::from_hours(30 * 24);

impl Doctor {
    /// Examines a connection.
    pub(super) fn examine(&self, found: &Found) -> Result<Report, RosterError> {
        let (caller, connection) = (&found.caller, &found.connection);
        let now = caller.now();
        let mut tokens = self.roster.tokens(caller)?;
        tokens.retain(|token| token.connection == connection.name);
        let requests: Vec<RequestView> = match &self.requests {
            Some(log) => log.entries(found.who()).iter().map(|entry| RequestView::of(entry, true)).collect(),
            None => Vec::new(),
        };
        let seen = self.requests.as_ref().map(|log| log.overview(found.who())).unwrap_or_default();
        let snapshot = self.roster.store().snapshot()?;
        let past = history::of(snapshot.as_ref(), caller.tenant(), connection.id)?;
        let account = failures::account(&requests);
        let suggestion = suggest::of(seen.agent.as_deref(), &requests);
        let credentials: Vec<Credential> = tokens.iter().map(|token| credential(token, now)).collect();
        let last_used = tokens.iter().filter_map(|token| token.last_used).max();

        let mut findings = Vec::from_iter(about_credentials(&credentials, found));
        if last_used.max(seen.last).is_none() && past.deeds.writes == 0 {
            findings.push(Finding::problem(
                "nothing has come in through this connection yet",
                "until the provider's own test is green nobody is synchronised",
                "enter the SCIM URL and a token in the provider, and press its test button",
            ));
        }
        findings.extend(account.findings);
        findings.extend(about_unknown(&requests, self.roster.kinds()));
        findings.extend(people::findings(
            snapshot.as_ref(),
            caller.tenant(),
            connection.id,
            &past.shared,
            suggestion.as_ref(),
        )?);
        findings.extend(about_profile(suggestion.as_ref(), &connection.profile));
        findings.sort_by_key(|finding| finding.level);
        Ok(Report {
            tenant: found.tenant.clone(),
            connection: connection.name.clone(),
            green: findings.iter().all(|finding| finding.level != Level::Problem),
            scim_url: self.base_url.clone(),
            profile: connection.profile.clone(),
            credentials,
            remembered_since: self.requests.as_ref().map(|log| log.since()),
            last_seen: last_used.max(seen.last),
            seen,
            suggestion,
            deeds: past.deeds,
            failures: account.kinds,
            last_failed: account.last,
            leniencies: leniencies(&past.notes),
            findings,
        })
    }
}

fn credential(token: &TokenView, now: Timestamp) -> Credential {
    let left = token.expires.map(|end| end.duration_since(now));
    let standing = match left {
        Some(left) if left <= SignedDuration::ZERO => Standing::Expired,
        Some(left) if left <= EXPIRING => Standing::Expiring,
        _ => Standing::Live,
    };
    Credential { id: token.id, standing, expires: token.expires, last_used: token.last_used }
}

fn about_credentials(credentials: &[Credential], found: &Found) -> Option<Finding> {
    let make = format!(
        "rosterd token create --tenant {} --connection {}, then enter it in the provider",
        found.tenant, found.connection.name
    );
    let any = |standing| credentials.iter().any(|credential| credential.standing == standing);
    if any(Standing::Live) {
        return None;
    }
    let (what, why) = if any(Standing::Expiring) {
        (
            "the only credential that is good ends within thirty days",
            "then the provider is refused, and nobody is synchronised",
        )
    } else if any(Standing::Expired) {
        ("every credential has expired", "the provider is refused, and nobody is synchronised")
    } else {
        ("there is no credential", "nobody can come in through this connection")
    };
    Some(Finding::problem(what, why, make))
}

/// Says which attributes came that no schema has.
fn about_unknown(requests: &[RequestView], kinds: &Kinds) -> Option<Finding> {
    const NAMED_MAX: usize = 12;
    let mut unknown = BTreeSet::new();
    for request in requests.iter().filter(|request| matches!(request.method.as_str(), "POST" | "PUT")) {
        let of_kind = kinds.iter().find(|kind| {
            let rest =
                request.path().strip_prefix("/scim/v2").and_then(|rest| rest.strip_prefix(&kind.endpoint));
            rest.is_some_and(|rest| rest.is_empty() || (rest.starts_with('/') && !rest.starts_with("/.")))
        });
        let (Some(kind), Some(Value::Object(members))) = (of_kind, request.sent()) else { continue };
        for (name, value) in members {
            if urn::same(&name, "schemas") || kind.attribute(&name).is_some() {
                continue;
            }
            match (resolve(&name, kind), value) {
                (Resolved::Schema(schema), Value::Object(attributes)) => {
                    let inner = attributes.keys().filter(|inner| schema.attribute(inner).is_none());
                    unknown.extend(inner.map(|inner| format!("{}:{inner}", schema.id)));
                }
                (Resolved::Schema(_) | Resolved::Attribute { .. }, _) => {}
                _ => drop(unknown.insert(name)),
            }
        }
    }
    let mut names: Vec<String> = unknown.into_iter().collect();
    let all = names.len();
    names.truncate(NAMED_MAX);
    (all > 0).then(|| {
        Finding::advice(
            format!("{all} attributes come in that no schema has: {}", names.join(", ")),
            "they are left out of answers, and nobody here can use them",
            "take them out of the mapping, or map them to an attribute of the core or enterprise schema",
        )
    })
}

/// Says that there is a profile for the provider that this looks like.
fn about_profile(suggestion: Option<&super::report::Suggestion>, profile: &str) -> Option<Finding> {
    let suggestion = suggestion?;
    let better = suggestion.profile.as_deref().filter(|better| *better != profile)?;
    Some(Finding::advice(
        format!(
            "this looks like {} ({}), and the profile is {profile}",
            suggestion.provider, suggestion.because
        ),
        format!("the profile {better} is made for what {} sends", suggestion.provider),
        format!("if it is, make the connection with --profile {better}"),
    ))
}

fn leniencies(notes: &std::collections::BTreeMap<String, u64>) -> Vec<Leniency> {
    let mut by_rule: std::collections::BTreeMap<&str, (u64, BTreeSet<&str>)> =
        std::collections::BTreeMap::new();
    for (note, count) in notes {
        let (rule, attribute) = leniency::parts(note);
        let kept = by_rule.entry(rule).or_default();
        kept.0 = kept.0.saturating_add(*count);
        kept.1.extend(attribute);
    }
    let line = |(rule, (count, attributes)): (&str, (u64, BTreeSet<&str>))| {
        let (meaning, todo) = leniency::words(rule);
        let meaning = match attributes.is_empty() {
            true => meaning.to_owned(),
            false => format!("{meaning}: {}", attributes.into_iter().take(8).collect::<Vec<_>>().join(", ")),
        };
        Leniency { rule: rule.to_owned(), count, meaning, todo: todo.to_owned() }
    };
    let mut all: Vec<Leniency> = by_rule.into_iter().map(line).collect();
    all.sort_by_key(|leniency| std::cmp::Reverse(leniency.count));
    all
}
