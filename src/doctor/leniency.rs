//! What to change in the provider's attribute mapping so that a leniency is not needed.
//!
//! Rules are known by the names that the history keeps; what one means the rule says itself.

use crate::scim::Rule;

/// Returns what a rule means.
pub(super) fn meaning(rule: &str) -> &'static str {
    Rule::by_name(rule).map_or("a rule of this name was used; this version does not know it", Rule::meaning)
}

/// Tells whether a note of the history is a sentence about plugins that were asked, and not the name of a rule.
pub(super) fn is_remark(note: &str) -> bool {
    note.contains(' ')
}

/// Returns what to change in the mapping.
#[rustfmt::skip]
pub(super) fn advice(rule: &str) -> &'static str {
    match rule {
        "string-as-boolean" => "Entra: add ?aadOptscim062020 to the tenant URL; elsewhere map a boolean, not a text",
        "string-as-number" => "nothing needs to change where the provider maps texts only, as Entra does; elsewhere map a number",
        "dotted-name" => "nothing needs to change; a custom template can nest the part: \"name\": {\"givenName\": …}",
        "number-as-string" => "put the mapped value in quotes, or convert it to text",
        "string-as-complex" => "map to the part: manager.value, emails[type eq \"work\"].value; for Entra's manager nothing needs to change",
        "single-as-list" => "wrap the value into a list in the template",
        "json-in-string" => "Entra: map roles by SingleAppRoleAssignment, or leave it: it is unpacked",
        "display-name-as-display" => "nothing needs to change; a custom template can say display",
        "empty-as-unassigned" => "nothing needs to change; to send nothing instead, leave the attribute out when it is empty",
        "schemas-missing" => "OneLogin: write urn:ietf:params:scim:schemas:core:2.0:User into the template",
        "core-as-container" => "map userName, not urn:ietf:params:scim:schemas:core:2.0:User:userName",
        "read-only-ignored" => "nothing needs to change; if groups are mapped on users, map them on groups instead",
        "password-dropped" => "switch password sync off in the provider: no password is ever kept here",
        "unknown-attribute" => "take it out of the mapping, or map it to an attribute of the core or enterprise schema",
        "null-active-kept" => "map active to a boolean: Entra: Switch([IsSoftDeleted], , \"False\", \"True\", \"True\", \"False\")",
        "several-primaries" => "mark one only",
        "element-created" => "nothing needs to change",
        "type-adopted" => "map the type too: emails[type eq \"work\"]",
        "removal-by-value" => "nothing needs to change; Entra sends the standard form with ?aadOptscim062020 in the tenant URL",
        "removal-without-path" => "nothing needs to change",
        "all-members-removed" => "make sure that it was meant: look at the group in the provider",
        "nothing-to-remove" => "nothing needs to change",
        "formatted-rebuilt" => "take name.formatted out of the mapping",
        "primary-by-name" => "map emails[type eq \"work\"].value; the name emails.primary is no path of the standard",
        "unknown-members" => "assign the missing people to the application too: a group's members are sent by the id that their own creation was answered with",
        "shadow-full" => "take what nobody here needs out of the mapping",
        "part-behind-brackets" | "value-without-quotes" => "nothing needs to change: Entra writes filters like this",
        "filter-spacing" | "filter-literal" => "nothing needs to change; under the profile strict such filters are refused",
        "sort-ignored" => "sort by an attribute that has an order, such as userName or displayName, ascending or descending",
        "groups-off" => "give the connection's token the scope groups:read, or switch groups off in the provider",
        "tag-spelling" => "send If-Match and If-None-Match as the ETag came: W/\"17\"",
        "media-type" => "send Content-Type: application/scim+json, in UTF-8",
        "outside-authority" => "take the attribute out of the mapping, or add its group for the connection in people.authority",
        "login-kept" => "nothing: the provider's next change of login or mail takes effect",
        _ => UNKNOWN,
    }
}

/// What is said of a rule that stands nowhere above.
const UNKNOWN: &str = "see the documentation of this version";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_advice_on_every_rule() {
        for rule in Rule::ALL {
            assert_ne!(advice(rule.as_str()), UNKNOWN, "{rule}");
            assert_eq!(meaning(rule.as_str()), rule.meaning());
        }
        assert_eq!(advice("no-such-rule"), UNKNOWN);
    }
}
