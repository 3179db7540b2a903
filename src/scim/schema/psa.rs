//! The flat extension through which an identity provider can say what a firm that sells people's time needs to know of a person.
//!
//! Flat, because the custom attributes of most identity providers are single strings (D-E13). What it names, kinds of people, user
//! types, cost centres, is not kept here yet: the values are kept and shown as they were sent, and nothing follows from them.

use super::Schema;
use super::build::string;
use crate::scim::urn;

/// Makes the schema.
pub(super) fn schema() -> Schema {
    Schema::new(
        urn::PSA.into(),
        "PsaUser".into(),
        "What an identity provider says of a person's place in the firm. Kept and shown as it was sent; nothing follows from it yet: \
         the names will be looked up once the firm's own lists are kept here"
            .into(),
        vec![
            string("kind", "The name of the kind of person, such as employee or subcontractor"),
            string("employmentTemplate", "The name of the template of working hours and days off"),
            string("license", "The name of the licence class"),
            string("primaryUserType", "The name of the primary user type"),
            string("costCenter", "The name or external id of the cost centre that the person belongs to"),
            string("activateOn", "The first day of access, as a date such as 2026-03-01; not checked"),
            string("deactivateOn", "The last day of access, as a date such as 2026-03-31; not checked"),
        ],
    )
}
