//! How an examination is made.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::find::Found;
use super::report::{Credential, Finding, Leniency, Level, Report, Standing};
use super::view::RequestView;
use super::{Doctor, failures, history, leniency, people, suggest};
use crate::idp::profile::AUTO;
use crate::roster::{RosterError, TokenView, Used};

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
        findings.extend(about_sign_ins(&past.refused));
        findings.extend(about_unknown(past.unknown));
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
            leniencies: leniencies(&past.notes, &self.roster.leniencies(caller, connection)),
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

/// Says why people whom the provider let in were not let in here.
fn about_sign_ins(refused: &history::Refused) -> Option<Finding> {
    let (when, why) = refused.last.as_ref()?;
    let (why, todo) = why.split_once("; ").unwrap_or((why, "look into the log of that time"));
    Some(Finding::advice(
        format!("{} sign-ins by this provider were refused, the last at {when}: {why}", refused.count),
        "the person sees one page that tells nothing; the reason is here and in the history (sign-in-refuse)",
        todo,
    ))
}

/// Says which attributes came that no schema has.
fn about_unknown(unknown: BTreeSet<String>) -> Option<Finding> {
    const NAMED_MAX: usize = 12;
    let all = unknown.len();
    let names: Vec<String> = unknown.into_iter().take(NAMED_MAX).collect();
    (all > 0).then(|| {
        Finding::advice(
            format!("{all} attributes come in that no schema has: {}", names.join(", ")),
            "they are kept beside the person or group, and are part of no answer",
            "take them out of the mapping, or map them to an attribute of the core or enterprise schema",
        )
    })
}

/// Says that there is a profile for the provider that this looks like.
fn about_profile(suggestion: Option<&super::report::Suggestion>, profile: &str) -> Option<Finding> {
    let suggestion = suggestion?;
    let better = &suggestion.profile;
    // Whoever chose a profile had a reason.
    if profile != AUTO.name {
        return None;
    }
    Some(Finding::advice(
        format!(
            "this looks like {} ({}), and the profile is {profile}",
            suggestion.provider, suggestion.because
        ),
        format!("the profile {better} is made for what {} sends", suggestion.provider),
        format!("if it is, give the connection that profile: --profile {better} (rosterd connection --help)"),
    ))
}

/// Puts together how often each leniency was needed: by the history, and since the start.
fn leniencies(notes: &BTreeMap<String, u64>, used: &[Used]) -> Vec<Leniency> {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (rule, changes) in notes {
        counts.entry(rule).or_default().0 = *changes;
    }
    for used in used {
        counts.entry(used.rule.as_str()).or_default().1 = used.requests;
    }
    let line = |(rule, (changes, requests)): (&str, (u64, u64))| Leniency {
        rule: rule.to_owned(),
        changes,
        requests,
        meaning: leniency::meaning(rule).to_owned(),
        todo: leniency::advice(rule).to_owned(),
    };
    let mut all: Vec<Leniency> = counts.into_iter().map(line).collect();
    all.sort_by_key(|leniency| std::cmp::Reverse((leniency.changes, leniency.requests)));
    all
}
