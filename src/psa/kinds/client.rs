//! Client: a customer company that client users belong to (P12).

use crate::psa::urn;
use crate::scim::schema::Schema;
use crate::scim::schema::build::string;

/// Makes the schema.
pub(super) fn schema() -> Schema {
    Schema::new(
        urn::CLIENT.into(),
        "Client".into(),
        "A customer company".into(),
        vec![
            string("displayName", "What it is called; unique").required().server_unique(),
            string("code", "Its number in other programs"),
            string("description", "What it is"),
        ],
    )
}
