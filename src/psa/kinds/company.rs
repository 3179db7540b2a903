//! Company: an employer, where a firm has several (H01, H12).

use super::employment_template::check_country;
use super::invalid;
use crate::psa::calendar::Zone;
use crate::psa::money::Currency;
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

/// Checks the currency and the time zone.
pub(super) fn check(document: &Document) -> Result<(), Refusal> {
    if let Some(code) = document.text("baseCurrency") {
        let currency = Currency::parse(code).map_err(|error| invalid(format!("baseCurrency: {error}")))?;
        if currency.code() != code {
            return Err(invalid(format!("baseCurrency: expected capital letters, as in {currency}")));
        }
    }
    if let Some(name) = document.text("timeZone") {
        Zone::parse(name).map_err(|error| invalid(format!("timeZone: {error}")))?;
    }
    check_country(document)
}
