//! What a plugin answered, as the roster's values; and the bounds of an answer.

use super::limits::ANSWERS_MAX;
use super::wit::types;
use crate::roster::hooks::{
    Addition, Employment, Finding, Problem, ProblemKind, Proposal, Rate, Remark, Severity, UserTypeChoice,
    Verdict,
};

/// Why an answer is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It has too many parts.
    #[error("it answered with {found} {what}, and may with {ANSWERS_MAX}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
    },
    /// Its texts are too long.
    #[error("it answered with {found} bytes, and may with {max}")]
    TooLong {
        /// How many.
        found: usize,
        /// Its bound.
        max: usize,
    },
    /// What ought to be JSON is not.
    #[error("{place}: expected JSON, found something else: {why}")]
    NotJson {
        /// Where.
        place: String,
        /// What the parser said.
        why: String,
    },
}

/// Reads the changes that are proposed.
pub fn proposals(changes: Vec<types::Change>, bytes_max: usize) -> Result<Vec<Proposal>, AnswerError> {
    bounded(&changes, "changes", bytes_max, change_bytes)?;
    changes.into_iter().map(proposal).collect()
}

/// Reads findings.
pub fn findings(found: Vec<types::Finding>, bytes_max: usize) -> Result<Vec<Finding>, AnswerError> {
    bounded(&found, "findings", bytes_max, |one| {
        sum([one.code.len(), one.detail.len(), one.path.as_ref().map_or(0, String::len)])
    })?;
    Ok(found
        .into_iter()
        .map(|one| Finding {
            severity: match one.severity {
                types::Severity::Note => Severity::Note,
                types::Severity::Warning => Severity::Warning,
                types::Severity::Error => Severity::Error,
            },
            path: one.path,
            code: one.code,
            detail: one.detail,
        })
        .collect())
}

/// Reads the notes of a reaction.
pub fn remarks(notes: Vec<types::Note>, bytes_max: usize) -> Result<Vec<Remark>, AnswerError> {
    bounded(&notes, "notes", bytes_max, |one| sum([one.code.len(), one.detail.len()]))?;
    Ok(notes.into_iter().map(|one| Remark { code: one.code, detail: one.detail }).collect())
}

/// Reads claims.
pub fn additions(claims: Vec<types::Claim>, bytes_max: usize) -> Result<Vec<Addition>, AnswerError> {
    bounded(&claims, "claims", bytes_max, |one| sum([one.name.len(), one.json.len()]))?;
    let read = |one: types::Claim| {
        let value = serde_json::from_str(&one.json)
            .map_err(|error| AnswerError::NotJson { place: "a claim".to_owned(), why: error.to_string() })?;
        Ok(Addition { name: one.name, value })
    };
    claims.into_iter().map(read).collect()
}

/// Reads what a gate says.
pub fn verdict(verdict: types::Verdict, bytes_max: usize) -> Result<Verdict, AnswerError> {
    match verdict {
        types::Verdict::Allow => Ok(Verdict::Allow),
        types::Verdict::Deny(why) if why.len() > bytes_max => {
            Err(AnswerError::TooLong { found: why.len(), max: bytes_max })
        }
        types::Verdict::Deny(why) => Ok(Verdict::Deny(why)),
    }
}

/// Reads a problem. One that goes on too long is cut: it is a problem all the same.
pub fn problem(problem: types::Problem) -> Problem {
    let cut = |text: String| match text.get(..text.floor_char_boundary(PROBLEM_BYTES_MAX)) {
        Some(kept) if kept.len() < text.len() => format!("{kept}…"),
        _ => text,
    };
    Problem {
        kind: match problem.kind {
            types::ProblemKind::InvalidValue => ProblemKind::InvalidValue,
            types::ProblemKind::MissingData => ProblemKind::MissingData,
            types::ProblemKind::Conflict => ProblemKind::Conflict,
            types::ProblemKind::Denied => ProblemKind::Denied,
            types::ProblemKind::Configuration => ProblemKind::Configuration,
            types::ProblemKind::Internal => ProblemKind::Internal,
        },
        path: problem.path.map(cut),
        detail: cut(problem.detail),
    }
}

/// Most bytes of the path and of the detail of a problem.
const PROBLEM_BYTES_MAX: usize = 2048;

fn bounded<T>(
    parts: &[T],
    what: &'static str,
    bytes_max: usize,
    bytes: impl Fn(&T) -> usize,
) -> Result<(), AnswerError> {
    if parts.len() > ANSWERS_MAX {
        return Err(AnswerError::TooMany { what, found: parts.len() });
    }
    let found = sum(parts.iter().map(bytes));
    if found > bytes_max { Err(AnswerError::TooLong { found, max: bytes_max }) } else { Ok(()) }
}

fn sum(lengths: impl IntoIterator<Item = usize>) -> usize {
    lengths.into_iter().fold(0, usize::saturating_add)
}

fn length(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}

fn change_bytes(change: &types::Change) -> usize {
    use types::Change as C;
    match change {
        C::SetKind(text)
        | C::SetLicense(text)
        | C::SetFinancialVisibility(text)
        | C::SetActivateOn(text)
        | C::SetDeactivateOn(text)
        | C::ClearAttribute(text) => text.len(),
        C::ReleaseLicense | C::ClearActivateOn | C::ClearDeactivateOn => 0,
        C::AddUserType(choice) | C::RemoveUserType(choice) => {
            sum([choice.user_type.len(), length(choice.cost_center.as_ref())])
        }
        C::AddEmployment(one) => sum([
            one.start_date.len(),
            length(one.template.as_ref()),
            length(one.overtime_balance_start_date.as_ref()),
        ]),
        C::AddCostRate(rate) | C::AddBillingRate(rate) => {
            sum([rate.start_date.len(), rate.amount.len(), rate.currency.len()])
        }
        C::SetAttribute(set) => sum([set.path.len(), set.json.len()]),
    }
}

fn proposal(change: types::Change) -> Result<Proposal, AnswerError> {
    use types::Change as C;
    Ok(match change {
        C::SetKind(kind) => Proposal::SetKind(kind),
        C::SetLicense(pool) => Proposal::SetLicense(pool),
        C::ReleaseLicense => Proposal::ReleaseLicense,
        C::SetFinancialVisibility(word) => Proposal::SetFinancialVisibility(word),
        C::AddUserType(choice) => Proposal::AddUserType(user_type(choice)),
        C::RemoveUserType(choice) => Proposal::RemoveUserType(user_type(choice)),
        C::AddEmployment(one) => Proposal::AddEmployment(Employment {
            start_date: one.start_date,
            template: one.template,
            overtime_balance_start_date: one.overtime_balance_start_date,
            hour_balance_disabled: one.hour_balance_disabled,
        }),
        C::AddCostRate(one) => Proposal::AddCostRate(rate(one)),
        C::AddBillingRate(one) => Proposal::AddBillingRate(rate(one)),
        C::SetActivateOn(day) => Proposal::SetActivateOn(day),
        C::ClearActivateOn => Proposal::ClearActivateOn,
        C::SetDeactivateOn(day) => Proposal::SetDeactivateOn(day),
        C::ClearDeactivateOn => Proposal::ClearDeactivateOn,
        C::SetAttribute(types::Assignment { path, json }) => match serde_json::from_str(&json) {
            Ok(value) => Proposal::SetAttribute { path, value },
            Err(why) => {
                let place = format!("set-attribute {path:?}");
                return Err(AnswerError::NotJson { place, why: why.to_string() });
            }
        },
        C::ClearAttribute(path) => Proposal::ClearAttribute(path),
    })
}

fn user_type(choice: types::UserTypeChoice) -> UserTypeChoice {
    UserTypeChoice { user_type: choice.user_type, primary: choice.primary, cost_center: choice.cost_center }
}

fn rate(rate: types::Rate) -> Rate {
    Rate { start_date: rate.start_date, amount: rate.amount, currency: rate.currency }
}
