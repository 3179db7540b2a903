//! What was answered, as JSON for people and programs at the command line: in the form of vectors ([`super::json`]).

use serde_json::{Value, json};

use crate::roster::hooks::{Failure, Finding, Proposal, Rate, Severity, UserTypeChoice, Verdict};

/// Writes a proposal.
pub fn proposal(proposal: &Proposal) -> Value {
    let tagged = |tag: &str, val: Value| json!({ "tag": tag, "val": val });
    let alone = |tag: &str| json!({ "tag": tag });
    match proposal {
        Proposal::SetKind(kind) => tagged("set-kind", json!(kind)),
        Proposal::SetLicense(pool) => tagged("set-license", json!(pool)),
        Proposal::ReleaseLicense => alone("release-license"),
        Proposal::SetFinancialVisibility(word) => tagged("set-financial-visibility", json!(word)),
        Proposal::AddUserType(choice) => tagged("add-user-type", user_type(choice)),
        Proposal::RemoveUserType(choice) => tagged("remove-user-type", user_type(choice)),
        Proposal::AddEmployment(one) => tagged(
            "add-employment",
            json!({
                "startDate": one.start_date,
                "template": one.template,
                "overtimeBalanceStartDate": one.overtime_balance_start_date,
                "hourBalanceDisabled": one.hour_balance_disabled,
            }),
        ),
        Proposal::AddCostRate(one) => tagged("add-cost-rate", rate(one)),
        Proposal::AddBillingRate(one) => tagged("add-billing-rate", rate(one)),
        Proposal::SetActivateOn(day) => tagged("set-activate-on", json!(day)),
        Proposal::ClearActivateOn => alone("clear-activate-on"),
        Proposal::SetDeactivateOn(day) => tagged("set-deactivate-on", json!(day)),
        Proposal::ClearDeactivateOn => alone("clear-deactivate-on"),
        Proposal::SetAttribute { path, value } => {
            tagged("set-attribute", json!({ "path": path, "json": value }))
        }
        Proposal::ClearAttribute(path) => tagged("clear-attribute", json!(path)),
    }
}

fn user_type(choice: &UserTypeChoice) -> Value {
    json!({ "userType": choice.user_type, "primary": choice.primary, "costCenter": choice.cost_center })
}

fn rate(rate: &Rate) -> Value {
    json!({ "startDate": rate.start_date, "amount": rate.amount, "currency": rate.currency })
}

/// Writes a finding.
pub fn finding(finding: &Finding) -> Value {
    let severity = match finding.severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    json!({ "severity": severity, "path": finding.path, "code": finding.code, "detail": finding.detail })
}

/// Writes what a gate said.
pub fn verdict(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Allow => json!({ "tag": "allow" }),
        Verdict::Deny(why) => json!({ "tag": "deny", "val": why }),
    }
}

/// Writes a failure.
pub fn failure(failure: &Failure) -> Value {
    match failure {
        Failure::Problem(problem) => json!({ "problem": {
            "kind": super::vector::kind_word(problem.kind), "path": problem.path, "detail": problem.detail,
        } }),
        Failure::Broke(which, why) => json!({ "broke": super::figures::outcome(*which), "detail": why }),
    }
}
