//! What each leniency means, and what to change in the provider's attribute mapping so that it is not needed.
//!
//! Rules are known by the names that the history keeps; one that is not known here is shown by its name.

/// Splits a note of the history into the rule and, where it was noted, the attribute.
pub(super) fn parts(note: &str) -> (&str, Option<&str>) {
    match note.split_once([' ', ':']) {
        Some((rule, rest)) => (rule, Some(rest.trim()).filter(|rest| !rest.is_empty())),
        None => (note, None),
    }
}

/// Returns what a rule means, and what to change in the mapping.
#[rustfmt::skip]
pub(super) fn words(rule: &str) -> (&'static str, &'static str) {
    match rule {
        "string-as-boolean" => ("a boolean came as text (\"True\")",
            "Entra: add ?aadOptscim062020 to the tenant URL; elsewhere map a boolean, not a text"),
        "number-as-string" => ("a number came where a text belongs", "put the mapped value in quotes, or convert it to text"),
        "string-as-complex" => ("a plain text came where an object belongs (manager, roles)",
            "map to the part: manager.value, emails[type eq \"work\"].value; for Entra's manager nothing needs to change"),
        "single-as-list" => ("one value came where a list belongs", "wrap the value into a list in the template"),
        "json-in-string" => ("an object came as text that holds JSON",
            "Entra: map roles by SingleAppRoleAssignment, or leave it: it is unpacked"),
        "display-name-as-display" => ("displayName was sent within a value that has display", "nothing needs to change; a custom template can say display"),
        "empty-as-unassigned" => ("an empty text was sent for \"no value\"",
            "nothing needs to change; to send nothing instead, leave the attribute out when it is empty"),
        "schemas-missing" => ("the list of schemas was missing, or named none of the RFC's",
            "OneLogin: write urn:ietf:params:scim:schemas:core:2.0:User into the template"),
        "core-as-container" => ("attributes stood inside an object named after the core schema", "map userName, not urn:ietf:params:scim:schemas:core:2.0:User:userName"),
        "read-only-ignored" => ("an attribute was sent that only the server sets (id, meta, groups); it was left out",
            "nothing needs to change; if groups are mapped on users, map them on groups instead"),
        "password-dropped" => ("a password was sent; it was thrown away at once",
            "switch password sync off in the provider: no password is ever kept here"),
        "unknown-attribute" => ("an attribute came that no schema has; it is not kept",
            "take it out of the mapping, or map it to an attribute of the core or enterprise schema"),
        "null-active-kept" => ("active came as null, and was left as it was", "map active to a boolean: Entra: Switch([IsSoftDeleted], , \"False\", \"True\", \"True\", \"False\")"),
        "several-primaries" => ("several values were marked as primary; the last one counts", "mark one only"),
        "element-created" => ("a change was meant for an element that was not there (a work address); it was made",
            "nothing needs to change"),
        "type-adopted" => ("an element without a type was meant by its type, and has it now", "map the type too: emails[type eq \"work\"]"),
        "removal-by-value" => ("members were removed by listing them in the value",
            "nothing needs to change; Entra sends the standard form with ?aadOptscim062020 in the tenant URL"),
        "removal-without-path" => ("a removal had no path, only what to remove", "nothing needs to change"),
        "all-members-removed" => ("all members of a group were taken away at once", "make sure that it was meant: look at the group in the provider"),
        "nothing-to-remove" => ("something was to be removed that was not there", "nothing needs to change"),
        "formatted-rebuilt" => ("name.formatted did not fit its parts, and was rebuilt from them", "take name.formatted out of the mapping"),
        _ => ("a rule of this name was used", "see the documentation of this version"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::Rule;

    #[test]
    fn every_rule_has_words_of_its_own() {
        let (unknown, _) = words("no-such-rule");
        for rule in [
            Rule::StringAsBoolean,
            Rule::NumberAsString,
            Rule::StringAsComplex,
            Rule::SingleAsList,
            Rule::JsonInString,
            Rule::DisplayNameAsDisplay,
            Rule::EmptyAsUnassigned,
            Rule::SchemasMissing,
            Rule::CoreAsContainer,
            Rule::ReadOnlyIgnored,
            Rule::PasswordDropped,
            Rule::UnknownAttribute,
            Rule::NullActiveKept,
            Rule::SeveralPrimaries,
            Rule::ElementCreated,
            Rule::TypeAdopted,
            Rule::RemovalByValue,
            Rule::RemovalWithoutPath,
            Rule::AllMembersRemoved,
            Rule::NothingToRemove,
            Rule::FormattedRebuilt,
        ] {
            assert_ne!(words(rule.as_str()).0, unknown, "{rule}");
        }
    }

    #[test]
    fn a_note_may_say_which_attribute_it_is_about() {
        assert_eq!(parts("string-as-boolean"), ("string-as-boolean", None));
        assert_eq!(parts("unknown-attribute costCenter"), ("unknown-attribute", Some("costCenter")));
        assert_eq!(parts("unknown-attribute: urn:x:y"), ("unknown-attribute", Some("urn:x:y")));
    }
}
