//! The enterprise extension of User (RFC 7643 §4.3).

use super::Schema;
use super::build::{complex, reference, string};
use crate::scim::urn;

/// Makes the schema.
pub(super) fn schema() -> Schema {
    Schema::new(
        urn::ENTERPRISE.into(),
        "EnterpriseUser".into(),
        "What an employer says of a person".into(),
        vec![
            string("employeeNumber", "The number the employer gave the person"),
            string("costCenter", "The cost centre"),
            string("organization", "The organization"),
            string("division", "The division"),
            string("department", "The department"),
            complex(
                "manager",
                "Who leads the person",
                vec![
                    string("value", "The id of the manager, a User").case_exact(),
                    reference("$ref", &["User"], "The URL of the manager").read_only(),
                    string("displayName", "The name of the manager, for people").read_only(),
                ],
            ),
        ],
    )
}
