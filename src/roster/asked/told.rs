//! What the history keeps of a plugin that was asked: what it takes to ask it again and to compare.
//!
//! Values stand among what can be erased. A proposal about money is marked, so that it is shown to nobody who may not see money.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::psa::person::RATES;
use crate::roster::commit::hex;
use crate::roster::hooks::{
    About, Broke, Failure, Finding, Held, Operation, Plugin, ProblemKind, Proposal, Severity, Subject,
};
use crate::store::Asked;

pub(super) const GATE: &str = "gate";
pub(super) const MAP: &str = "map";
pub(super) const VALIDATE: &str = "validate";

/// Begins what is kept of a call.
pub(super) fn call(plugin: &dyn Plugin, hook: &str, about: &About, input: String) -> Asked {
    Asked {
        plugin: plugin.name().to_owned(),
        hook: hook.to_owned(),
        fingerprint: plugin.fingerprint().to_owned(),
        operation: operation(about.operation).to_owned(),
        input,
        outcome: "ok".to_owned(),
        ..Asked::default()
    }
}

/// What a plugin is shown, as its digest is computed. The names and their order never change: digests are compared with older ones.
#[derive(Serialize)]
struct Shown<'a> {
    tenant: &'a str,
    source: &'a str,
    operation: &'a str,
    today: String,
    id: String,
    core: &'a Map<String, Value>,
    #[serde(serialize_with = "by_id")]
    extensions: &'a [(String, Map<String, Value>)],
    groups: Vec<ShownGroup<'a>>,
    shadow: &'a Map<String, Value>,
    held: Option<&'a Held>,
}

#[derive(Serialize)]
struct ShownGroup<'a> {
    value: String,
    display: &'a str,
}

fn by_id<S: Serializer>(
    extensions: &&[(String, Map<String, Value>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(extensions.iter().map(|(id, attributes)| (id, attributes)))
}

/// Computes a digest of what a plugin is shown. The moment and the request are not in it, so that the same person in the same state gives
/// the same.
pub(super) fn digest(about: &About, user: &Subject, held: Option<&Held>) -> String {
    let groups = user.groups.iter().map(|(id, display)| ShownGroup { value: id.to_string(), display });
    let shown = Shown {
        tenant: &about.tenant,
        source: &about.source,
        operation: operation(about.operation),
        today: about.today.to_string(),
        id: user.id.to_string(),
        core: &user.document.core,
        extensions: &user.document.extensions,
        groups: groups.collect(),
        shadow: &user.shadow,
        held,
    };
    // Of names and JSON, which always can be written.
    hex(&Sha256::digest(serde_json::to_vec(&shown).unwrap_or_default()))
}

/// Writes a proposal as an object with one member, called as in the contract.
pub(super) fn proposal(proposal: &Proposal) -> Value {
    match proposal {
        Proposal::SetKind(word) => json!({ "set-kind": word }),
        Proposal::SetLicense(name) => json!({ "set-license": name }),
        Proposal::ReleaseLicense => json!({ "release-license": null }),
        Proposal::SetFinancialVisibility(word) => json!({ "set-financial-visibility": word }),
        Proposal::AddUserType(one) => json!({ "add-user-type": one }),
        Proposal::RemoveUserType(one) => json!({ "remove-user-type": one }),
        Proposal::AddEmployment(one) => json!({ "add-employment": one }),
        Proposal::AddCostRate(one) => json!({ "add-cost-rate": one }),
        Proposal::AddBillingRate(one) => json!({ "add-billing-rate": one }),
        Proposal::SetActivateOn(day) => json!({ "set-activate-on": day }),
        Proposal::ClearActivateOn => json!({ "clear-activate-on": null }),
        Proposal::SetDeactivateOn(day) => json!({ "set-deactivate-on": day }),
        Proposal::ClearDeactivateOn => json!({ "clear-deactivate-on": null }),
        Proposal::SetAttribute { path, value } => {
            json!({ "set-attribute": { "path": path, "value": value } })
        }
        Proposal::ClearAttribute(path) => json!({ "clear-attribute": path }),
    }
}

/// Names the attribute of the PSA extension that a proposal is about; `None` where it names one itself.
pub(super) const fn target(proposal: &Proposal) -> Option<&'static str> {
    Some(match proposal {
        Proposal::SetKind(_) => "kind",
        Proposal::SetLicense(_) | Proposal::ReleaseLicense => "license",
        Proposal::SetFinancialVisibility(_) => "financialVisibility",
        Proposal::AddUserType(_) | Proposal::RemoveUserType(_) => "userTypes",
        Proposal::AddEmployment(_) => "employments",
        Proposal::AddCostRate(_) => "costRates",
        Proposal::AddBillingRate(_) => "billingRates",
        Proposal::SetActivateOn(_)
        | Proposal::ClearActivateOn
        | Proposal::SetDeactivateOn(_)
        | Proposal::ClearDeactivateOn => "schedule",
        Proposal::SetAttribute { .. } | Proposal::ClearAttribute(_) => return None,
    })
}

/// Tells whether a proposal is about the firm's rates.
pub(super) fn is_of_rates(proposal: &Proposal) -> bool {
    target(proposal).is_some_and(|name| RATES.contains(&name))
}

/// Writes a finding.
pub(super) fn finding(found: &Finding) -> Value {
    json!({ "severity": severity(found.severity), "path": found.path, "code": found.code, "detail": found.detail })
}

pub(super) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// The word for what the directory is doing, as the contract spells it.
pub(in crate::roster) const fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "create",
        Operation::Replace => "replace",
        Operation::Patch => "patch",
        Operation::Activate => "activate",
        Operation::Deactivate => "deactivate",
        Operation::Lock => "lock",
        Operation::Unlock => "unlock",
        Operation::Delete => "delete",
        Operation::SignIn => "sign-in",
        Operation::Remap => "remap",
    }
}

/// The word for a failure: nothing that the plugin said.
pub(super) const fn outcome(failure: &Failure) -> &'static str {
    match failure {
        Failure::Problem(problem) => match problem.kind {
            ProblemKind::InvalidValue => "invalid-value",
            ProblemKind::MissingData => "missing-data",
            ProblemKind::Conflict => "conflict",
            ProblemKind::Denied => "denied",
            ProblemKind::Configuration => "configuration",
            ProblemKind::Internal => "internal",
        },
        Failure::Broke(how, _) => match how {
            Broke::Trap => "trap",
            Broke::Fuel => "fuel",
            Broke::Deadline => "deadline",
            Broke::Memory => "memory",
            Broke::Output => "output",
            Broke::Busy => "busy",
            Broke::Open => "open",
            Broke::Absent => "absent",
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ids::{RequestId, ResourceId};
    use crate::psa::standing::Writer;
    use crate::roster::hooks::{Employment, Rate, Series, UserTypeChoice};

    #[test]
    fn o13_a_digest_is_that_of_the_same_words_for_ever() {
        let (id, group) = (ResourceId::from_bytes([1; 16]), ResourceId::from_bytes([2; 16]));
        let mut user =
            Subject { id, document: crate::scim::Document::default(), groups: vec![], shadow: Map::new() };
        user.document.set(None, "userName", Some("ada".into()));
        user.document.set(Some("urn:x"), "badge", Some(json!({ "no": 7 })));
        user.groups.push((group, "Staff \"A\"".to_owned()));
        user.shadow.insert("desk".to_owned(), json!(["4", null]));
        let held = Held {
            kind: Some("employee".to_owned()),
            user_types: vec![UserTypeChoice {
                user_type: "Dev".to_owned(),
                primary: true,
                cost_center: None,
            }],
            employments: vec![Employment {
                start_date: "2026-01-01".to_owned(),
                template: Some("40 h".to_owned()),
                overtime_balance_start_date: None,
                hour_balance_disabled: Some(false),
            }],
            cost_rates: vec![Rate {
                start_date: "2026-01-01".to_owned(),
                amount: "80.00".to_owned(),
                currency: "EUR".to_owned(),
            }],
            activate_on: Some("2026-02-01".to_owned()),
            writers: BTreeMap::from([("kind".to_owned(), Writer::Plugin("k".to_owned()))]),
            ..Held::default()
        };
        let about = About {
            tenant: "main".to_owned(),
            source: "okta".to_owned(),
            operation: Operation::Create,
            request: RequestId::from_bytes([3; 16]),
            now: "2026-01-02T03:04:05Z".parse().unwrap(),
            today: "2026-01-02".parse().unwrap(),
            dry_run: false,
            series: Series::Alone,
        };
        let words = |held: &str| {
            format!(
                r#"{{"tenant":"main","source":"okta","operation":"create","today":"2026-01-02","id":"{id}","core":{{"userName":"ada"}},"extensions":{{"urn:x":{{"badge":{{"no":7}}}}}},"groups":[{{"value":"{group}","display":"Staff \"A\""}}],"shadow":{{"desk":["4",null]}},"held":{held}}}"#
            )
        };
        let all = r#"{"kind":"employee","license":null,"financialVisibility":null,"userTypes":[{"userType":"Dev","primary":true,"costCenter":null}],"employments":[{"startDate":"2026-01-01","template":"40 h","overtimeBalanceStartDate":null,"hourBalanceDisabled":false}],"costRates":[{"startDate":"2026-01-01","amount":"80.00","currency":"EUR"}],"billingRates":[],"activateOn":"2026-02-01","deactivateOn":null,"writers":{"kind":"plugin:k"}}"#;
        for (held, words) in [(Some(&held), words(all)), (None, words("null"))] {
            assert_eq!(digest(&about, &user, held), hex(&Sha256::digest(words)));
        }
    }
}
