//! What the history keeps of a plugin that was asked: what it takes to ask it again and to compare.
//!
//! Values stand among what can be erased. A proposal about money is marked, so that it is shown to nobody who may not see money.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::psa::person::RATES;
use crate::psa::standing::Writer;
use crate::roster::commit::hex;
use crate::roster::hooks::{
    About, Broke, Employment, Failure, Finding, Held, Operation, Plugin, ProblemKind, Proposal, Rate,
    Severity, Subject, UserTypeChoice,
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

/// Computes a digest of what a plugin is shown. The moment and the request are not in it, so that the same person in the same state gives
/// the same.
pub(super) fn digest(about: &About, user: &Subject, held: Option<&Held>) -> String {
    let extensions: Map<String, Value> = user
        .document
        .extensions
        .iter()
        .map(|(id, attributes)| (id.clone(), Value::Object(attributes.clone())))
        .collect();
    let groups: Vec<Value> =
        user.groups.iter().map(|(id, name)| json!({ "value": id.to_string(), "display": name })).collect();
    let shown = json!({
        "tenant": about.tenant, "source": about.source, "operation": operation(about.operation),
        "today": about.today.to_string(), "id": user.id.to_string(), "core": user.document.core,
        "extensions": extensions, "groups": groups, "shadow": user.shadow, "held": held.map(held_to_value),
    });
    hex(&Sha256::digest(shown.to_string().as_bytes()))
}

fn held_to_value(held: &Held) -> Value {
    let writers: Map<String, Value> =
        held.writers.iter().map(|(name, writer)| (name.clone(), writer_word(writer).into())).collect();
    json!({
        "kind": held.kind, "license": held.license, "financialVisibility": held.financial_visibility,
        "userTypes": held.user_types.iter().map(choice).collect::<Vec<_>>(),
        "employments": held.employments.iter().map(employment).collect::<Vec<_>>(),
        "costRates": held.cost_rates.iter().map(rate).collect::<Vec<_>>(),
        "billingRates": held.billing_rates.iter().map(rate).collect::<Vec<_>>(),
        "activateOn": held.activate_on, "deactivateOn": held.deactivate_on, "writers": writers,
    })
}

fn writer_word(writer: &Writer) -> String {
    writer.clone().into()
}

/// Writes a proposal as an object with one member, called as in the contract.
pub(super) fn proposal(proposal: &Proposal) -> Value {
    match proposal {
        Proposal::SetKind(word) => json!({ "set-kind": word }),
        Proposal::SetLicense(name) => json!({ "set-license": name }),
        Proposal::ReleaseLicense => json!({ "release-license": null }),
        Proposal::SetFinancialVisibility(word) => json!({ "set-financial-visibility": word }),
        Proposal::AddUserType(one) => json!({ "add-user-type": choice(one) }),
        Proposal::RemoveUserType(one) => json!({ "remove-user-type": choice(one) }),
        Proposal::AddEmployment(one) => json!({ "add-employment": employment(one) }),
        Proposal::AddCostRate(one) => json!({ "add-cost-rate": rate(one) }),
        Proposal::AddBillingRate(one) => json!({ "add-billing-rate": rate(one) }),
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

fn choice(one: &UserTypeChoice) -> Value {
    json!({ "userType": one.user_type, "primary": one.primary, "costCenter": one.cost_center })
}

fn rate(one: &Rate) -> Value {
    json!({ "startDate": one.start_date, "amount": one.amount, "currency": one.currency })
}

fn employment(one: &Employment) -> Value {
    json!({
        "startDate": one.start_date, "template": one.template,
        "overtimeBalanceStartDate": one.overtime_balance_start_date,
        "hourBalanceDisabled": one.hour_balance_disabled,
    })
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
