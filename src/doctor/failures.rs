//! What failed: which failures were made good since, what each kind means, and what to do about it.

use std::collections::BTreeMap;

use super::report::{Failed, Failures, Finding};
use super::view::RequestView;
use crate::scim::fold;

/// How many of the latest are shown whole.
pub(super) const SHOWN_MAX: usize = 5;

/// What failed, in three forms.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) kinds: Vec<Failures>,
    pub(super) last: Vec<Failed>,
    pub(super) findings: Vec<Finding>,
}

/// Looks through requests, oldest first.
pub(super) fn account(requests: &[RequestView]) -> Account {
    let mut kinds: BTreeMap<(u16, Option<&str>), (Failures, &RequestView)> = BTreeMap::new();
    let mut last = Vec::new();
    for (place, request) in requests.iter().enumerate().filter(|(_, request)| request.failed()) {
        let later = requests.get(place.saturating_add(1)..).unwrap_or_default();
        let made_good = is_made_good(request, later);
        let kind = kind_of(request);
        let kept = kinds.entry((request.status, request.scim_type.as_deref())).or_insert_with(|| {
            let failures = Failures {
                status: request.status,
                scim_type: request.scim_type.clone(),
                count: 0,
                open: 0,
                meaning: kind.meaning.to_owned(),
                todo: kind.todo.to_owned(),
            };
            (failures, request)
        });
        kept.0.count = kept.0.count.saturating_add(1);
        if !made_good {
            kept.0.open = kept.0.open.saturating_add(1);
            kept.1 = request;
        }
        last.push(Failed { request: request.clone(), made_good, todo: kind.todo.to_owned() });
    }
    last.drain(..last.len().saturating_sub(SHOWN_MAX));
    let findings =
        kinds.values().filter(|(kind, _)| kind.open > 0).map(|(kind, latest)| finding(kind, latest));
    let findings = findings.collect();
    Account { kinds: kinds.into_values().map(|(kind, _)| kind).collect(), last, findings }
}

fn finding(kind: &Failures, latest: &RequestView) -> Finding {
    let word = kind.scim_type.as_ref().map(|word| format!(" {word}")).unwrap_or_default();
    let what = format!(
        "{} failed with {}{word} and were not made good since; the latest: {} {}: {}",
        if kind.open == 1 { "1 request".to_owned() } else { format!("{} requests", kind.open) },
        kind.status,
        latest.method,
        latest.target,
        latest.detail.as_deref().unwrap_or("without a word")
    );
    if kind_of(latest).harmless {
        Finding::advice(what, &*kind.meaning, &*kind.todo)
    } else {
        Finding::problem(what, &*kind.meaning, &*kind.todo)
    }
}

/// Tells whether the same was sent again later, and went well.
fn is_made_good(failed: &RequestView, later: &[RequestView]) -> bool {
    let mut good = later.iter().filter(|request| !request.failed());
    // Who is refused for the credential, or because it is too much at once, is well as soon as anything is answered.
    if matches!(failed.status, 401 | 408 | 429 | 503 | 507) {
        return good.any(|request| request.status < 300);
    }
    if failed.method != "POST" {
        return good.any(|request| request.method == failed.method && request.path() == failed.path());
    }
    let about = subject(failed);
    good.any(|request| {
        request.method == "POST"
            && request.path() == failed.path()
            && match (&about, subject(request)) {
                (Some(one), Some(other)) => fold::same(one, &other),
                // What the failed one was about could not be read; the next that can be answers for it.
                (None, _) => true,
                (Some(_), None) => false,
            }
    })
}

/// Says whom or what a POST is about.
fn subject(request: &RequestView) -> Option<String> {
    let sent = request.sent()?;
    let members = sent.as_object()?;
    ["userName", "displayName", "externalId"].iter().find_map(|wanted| {
        let value = members.iter().find(|(name, _)| fold::same(name, wanted))?.1;
        value.as_str().map(str::to_owned)
    })
}

/// A kind of failure.
struct Kind {
    meaning: &'static str,
    todo: &'static str,
    /// Whether it happens in healthy connections too.
    harmless: bool,
}

fn kind_of(request: &RequestView) -> Kind {
    let (meaning, todo, harmless) = words(request.status, request.scim_type.as_deref());
    Kind { meaning, todo, harmless }
}

#[rustfmt::skip]
fn words(status: u16, scim_type: Option<&str>) -> (&'static str, &'static str, bool) {
    match (status, scim_type) {
        (200..=299, _) => ("the request as a whole was answered, and parts of it failed",
            "read the detail: it names the first that failed and says what was expected", false),
        (_, Some("uniqueness")) => ("somebody of this tenant has this userName, externalId or group name already",
            "if it is the same person or group, have the provider match it (search by userName) instead of creating it; \
             if not, rename one; look for a second connection that sends the same people", false),
        (_, Some("invalidValue")) => ("a value does not fit its attribute: the detail names the attribute",
            "correct the mapping of that attribute in the provider, then have it send the person again", false),
        (_, Some("invalidSyntax")) => ("the body is not the JSON that SCIM asks for",
            "look at what was sent (rosterd connection requests NAME --failed --body); a custom template of the provider is the usual cause", false),
        (_, Some("invalidPath")) => ("a PATCH path names an attribute that there is none of",
            "remove that attribute from the mapping, or correct its name; with the profile auto unknown names are accepted", false),
        (_, Some("noTarget")) => ("a PATCH path matches nothing that is there",
            "with the profile auto the element is made; else map an add instead of a replace", false),
        (_, Some("invalidFilter")) => ("the search cannot be understood",
            "correct the matching attribute or the custom filter in the provider", false),
        (_, Some("tooMany")) => ("the search would have read too many records",
            "match by userName, externalId or an e-mail address: these are found at once", false),
        (_, Some("mutability")) => ("an attribute was sent that the provider cannot change",
            "take the attribute out of the mapping; with the profile auto it is ignored", false),
        (_, Some("sensitive")) => ("a secret stood in a URL",
            "have the provider search by POST, or not for secrets at all", false),
        (400, _) => ("the request cannot be understood: the detail says where",
            "look at what was sent (rosterd connection requests NAME --failed --body), and correct the mapping", false),
        (401, _) => ("the credential is no longer good: it has expired, was revoked or was replaced",
            "make a new token (rosterd token create), enter it in the provider, then test the connection", false),
        (403, _) => ("the credential may not do this: the detail names the scope that it lacks",
            "make a token with that scope (rosterd token create --scopes), or switch the feature off in the provider", false),
        (404, _) => ("the provider asked for somebody or something that is not there, or no longer",
            "if it goes on, the provider remembers an id that was deleted: have it match anew (restart its provisioning, or assign the person again)", true),
        (405 | 501, _) => ("the provider asked for a feature that is not there",
            "nothing, if the rest works; else switch the feature off in the provider", true),
        (408, _) => ("the body did not arrive in time", "look at the network between the provider and here", true),
        (409, _) => ("the request does not fit what is there", "read the detail, and look at the record", false),
        (412, _) => ("the record had changed since the provider read it", "nothing, if it is sent again", true),
        (413, _) => ("the request was too large: the detail names the limit",
            "let the provider send smaller batches, or raise server.body_bytes_max", false),
        (415, _) => ("the body was not declared as JSON", "set the Content-Type to application/scim+json in the provider", false),
        (429, _) => ("too many requests of this tenant at once", "nothing: the provider waits and sends again; raise server.requests_in_flight_per_tenant_max if it goes on", true),
        (503, _) => ("the server was busy, or too slow", "nothing, if it is sent again; else look at rosterd's log under the request id", true),
        (507, _) => ("the disk is full", "make room on the disk of the data folder: nothing can be written until then", false),
        (500.., _) => ("the server failed", "look at rosterd's log under the request id, and report it", false),
        _ => ("the request was refused", "read the detail", false),
    }
}
