//! The flat extension through which an identity provider can say what a firm that sells people's time needs to know of a person.
//!
//! Flat, because the custom attributes of most identity providers are single strings (D-E13). The values are kept and shown as they were
//! sent; what follows from them is for the roster to say, which knows what user types and cost centres there are.

use super::Schema;
use super::build::string;
use crate::scim::urn;

/// Makes the schema.
pub(super) fn schema() -> Schema {
    Schema::new(
        urn::PSA.into(),
        "PsaUser".into(),
        "What an identity provider says of a person's place in the firm, by name. Kept and shown as it was sent. What names something \
         that is there takes effect unless an administrator has decided otherwise; what does not changes nothing, and the history says so"
            .into(),
        vec![
            string("kind", "What the person is to the firm: employee or freelancer; cannot be changed once it was given"),
            string("employmentTemplate", "The display name or externalId of the employment template that holds from the day of the request on"),
            string("license", "The display name or externalId of the licence pool whose seat the person takes"),
            string("primaryUserType", "The display name or externalId of the primary user type"),
            string("costCenter", "The display name or externalId of the cost centre that the primary user type is limited to"),
            string("activateOn", "The first day of access in the person's time zone, as in 2026-03-01"),
            string("deactivateOn", "The first day without access in the person's time zone, as in 2026-04-01"),
        ],
    )
}
