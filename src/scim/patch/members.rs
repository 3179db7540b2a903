//! Operations on members come out as changes of edges (S124, S125, S130; D-E8, D-K10, D-K11).

use serde_json::Value;

use super::super::error::{Refusal, Why};
use super::super::filter::{CompareOp, Filter, Literal};
use super::super::note::Rule;
use super::super::policy::{RemoveAll, RemoveValues, Unmatched};
use super::step::{Change, Work, mutability};
use super::{MemberChange, MemberRef, Op};
use crate::ids::KindId;

impl Work<'_> {
    /// Turns an operation on `members` into a change of edges.
    pub(super) fn member_change(
        &mut self,
        change: &Change<'_>,
        filter: Option<&Filter>,
    ) -> Result<(), Refusal> {
        let made = match (filter, change.sub) {
            (None, None) => self.listed(change)?,
            (Some(filter), None) => self.filtered(change, filter)?,
            // A member is added or removed, never edited (S49); what a client repeats of it is no edit.
            (Some(filter), Some(sub)) if change.op != Op::Remove => {
                let Some(value) = change.value.and_then(Value::as_str) else {
                    return Err(mutability(format!("{} cannot be changed", change.attr)));
                };
                let wanted =
                    named(filter).filter(|ids| sub.name != "value" || ids.iter().all(|id| id.value == value));
                match (wanted, self.policy.unmatched) {
                    (Some(refs), Unmatched::Create) => Some(MemberChange::Add(refs)),
                    _ => return Err(mutability(format!("{} cannot be changed", change.attr))),
                }
            }
            _ => return Err(mutability(format!("{} cannot be changed", change.attr))),
        };
        // Runs of additions, or of removals, are one change: IdPs send an operation per member (D-A4).
        match (self.members.last_mut(), made) {
            (Some(MemberChange::Add(known)), Some(MemberChange::Add(mut more)))
            | (Some(MemberChange::Remove(known)), Some(MemberChange::Remove(mut more))) => {
                known.append(&mut more);
            }
            (_, made) => self.members.extend(made),
        }
        Ok(())
    }

    /// An operation on `members` as a whole.
    fn listed(&mut self, change: &Change<'_>) -> Result<Option<MemberChange>, Refusal> {
        let refs = change.value.map(member_refs).transpose()?;
        Ok(match (change.op, refs) {
            (Op::Add, None) => None,
            (Op::Add, Some(refs)) => (!refs.is_empty()).then_some(MemberChange::Add(refs)),
            (Op::Replace, refs) => Some(MemberChange::Replace(refs.unwrap_or_default())),
            (Op::Remove, Some(_)) if self.policy.remove_values == RemoveValues::Refuse => {
                return Err(Refusal::new(
                    Why::InvalidSyntax,
                    "a removal takes no value: name the member in the path, as in members[value eq \"…\"]",
                ));
            }
            (Op::Remove, Some(refs)) => {
                self.notes.add(Rule::RemovalByValue);
                // An empty list names nobody, hence removes nobody.
                (!refs.is_empty()).then_some(MemberChange::Remove(refs))
            }
            (Op::Remove, None) if self.policy.remove_all_members == RemoveAll::Refuse => {
                return Err(Refusal::new(
                    Why::InvalidValue,
                    "this connection may not remove all members at once: name those to remove",
                ));
            }
            (Op::Remove, None) => {
                self.notes.add(Rule::AllMembersRemoved);
                Some(MemberChange::RemoveAll)
            }
        })
    }

    /// An operation on `members[…]`.
    fn filtered(&mut self, change: &Change<'_>, filter: &Filter) -> Result<Option<MemberChange>, Refusal> {
        let named = named(filter);
        match (change.op, named) {
            (Op::Remove, Some(refs)) => Ok(Some(MemberChange::Remove(refs))),
            (Op::Remove, None) => Ok(Some(MemberChange::RemoveWhere(filter.clone()))),
            (Op::Replace, Some(refs)) if change.value.is_none() => Ok(Some(MemberChange::Remove(refs))),
            (Op::Add | Op::Replace, Some(refs)) if self.policy.unmatched == Unmatched::Create => {
                let said = change.value.map(member_refs).transpose()?.unwrap_or_default();
                if said.iter().all(|said| refs.iter().any(|named| named.value == said.value)) {
                    Ok(Some(MemberChange::Add(refs)))
                } else {
                    Err(mutability(
                        "a member cannot become another: remove the one and add the other".to_owned(),
                    ))
                }
            }
            _ => Err(Refusal::new(
                Why::NoTarget,
                "members are added with the path members and a list of values",
            )),
        }
    }
}

/// Returns the members that a filter names one by one: `value eq "u-3"`, or several of these joined by `or`.
fn named(filter: &Filter) -> Option<Vec<MemberRef>> {
    match filter {
        Filter::Compare { path, op: CompareOp::Eq, value: Literal::Text(id) } if path.name == "value" => {
            Some(vec![MemberRef { value: id.clone(), kind: None }])
        }
        Filter::Or(operands) => {
            let mut all = Vec::with_capacity(operands.len());
            for operand in operands {
                all.append(&mut named(operand)?);
            }
            Some(all)
        }
        _ => None,
    }
}

/// Reads the members of a canonical `members` value: a list of objects with `value` and perhaps `type`.
pub fn member_refs(value: &Value) -> Result<Vec<MemberRef>, Refusal> {
    let elements = match value {
        Value::Array(elements) => elements.as_slice(),
        single => std::slice::from_ref(single),
    };
    elements.iter().enumerate().map(|(place, element)| member_ref(place, element)).collect()
}

fn member_ref(place: usize, element: &Value) -> Result<MemberRef, Refusal> {
    let refuse = |why: &str| Err(Refusal::new(Why::InvalidValue, format!("members[{place}]: {why}")));
    let Some(id) = element.get("value").and_then(Value::as_str).filter(|id| !id.trim().is_empty()) else {
        return refuse("expected the member's id in value");
    };
    let kind = match element.get("type").and_then(Value::as_str) {
        None => None,
        Some(name) if name.eq_ignore_ascii_case("User") => Some(KindId::USER),
        Some(name) if name.eq_ignore_ascii_case("Group") => Some(KindId::GROUP),
        Some(_) => return refuse("expected User or Group in type"),
    };
    Ok(MemberRef { value: id.to_owned(), kind })
}
