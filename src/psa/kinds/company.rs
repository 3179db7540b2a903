//! Company: an employer, where a firm has several (H01, H12).

use super::invalid;
use crate::psa::urn;
use crate::scim::schema::Schema;
use crate::scim::schema::build::string;
use crate::scim::{Document, Refusal};

/// Makes the schema.
pub(super) fn schema() -> Schema {
    Schema::new(
        urn::COMPANY.into(),
        "Company".into(),
        "An employer".into(),
        vec![
            string("displayName", "What it is called; unique").required().server_unique(),
            string("baseCurrency", "The currency of its cost rates: a code of ISO 4217 such as EUR"),
            string(
                "timeZone",
                "The time zone of those who have none of their own: an IANA name such as Europe/Helsinki",
            ),
            string("country", "A code of ISO 3166-1 such as FI"),
        ],
    )
}

/// Checks the currency.
pub(super) fn check(document: &Document) -> Result<(), Refusal> {
    match document.text("baseCurrency") {
        Some(code) if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) => Err(invalid(
            "baseCurrency: expected the three capital letters of a code of ISO 4217, such as EUR",
        )),
        _ => Ok(()),
    }
}
