//! UserType: a named bundle of permission grants (P14, P15, H03).

use super::invalid;
use crate::ids::KindId;
use crate::psa::urn;
use crate::scim::schema::Schema;
use crate::scim::schema::build::{complex, string};
use crate::scim::{Document, Refusal};

/// Makes the schema.
pub(super) fn schema() -> Schema {
    let grant = vec![
        string("permission", "The key of a permission of the catalogue, such as users.update").required(),
        string("level", "How far it reaches: none, own, assigned or all")
            .only(&["none", "own", "assigned", "all"])
            .required(),
        string(
            "costCenter",
            "The id of the cost centre it is limited to, with all below; everywhere where absent",
        )
        .case_exact()
        .names(KindId::COST_CENTER),
    ];
    Schema::new(
        urn::USER_TYPE.into(),
        "UserType".into(),
        "A named bundle of permission grants".into(),
        vec![
            string("displayName", "What it is called; unique").required().server_unique(),
            string("description", "What it is for"),
            string("role", "The role that it stands for in the products that read it"),
            string("accessLevel", "The access level that it stands for"),
            string("licenseClass", "The licence class that it needs"),
            complex("grants", "What those of this type may do", grant).many(),
        ],
    )
}

/// Checks that no permission is granted twice in one place.
pub(super) fn check(document: &Document) -> Result<(), Refusal> {
    let grants = document.get("grants").and_then(serde_json::Value::as_array).map_or(&[][..], Vec::as_slice);
    let place =
        |grant: &serde_json::Value| (grant.get("permission").cloned(), grant.get("costCenter").cloned());
    for (number, grant) in grants.iter().enumerate() {
        if grants.iter().take(number).any(|earlier| place(earlier) == place(grant)) {
            return Err(invalid(format!(
                "grants: expected each permission once for a cost centre, found {} twice; leave one of them out",
                grant.get("permission").and_then(serde_json::Value::as_str).unwrap_or_default()
            )));
        }
    }
    Ok(())
}
