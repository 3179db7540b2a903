//! EmploymentTemplate: how much somebody is expected to work, and where (H04).

use serde_json::Value;

use super::invalid;
use crate::psa::urn;
use crate::scim::schema::Schema;
use crate::scim::schema::build::{boolean, complex, decimal, string};
use crate::scim::{Document, Refusal};

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Makes the schema.
pub(super) fn schema() -> Schema {
    let days = DAYS.map(|day| decimal(day, "Hours, from 0 to 24"));
    Schema::new(
        urn::EMPLOYMENT_TEMPLATE.into(),
        "EmploymentTemplate".into(),
        "How much somebody is expected to work".into(),
        vec![
            string("displayName", "What it is called; unique").required().server_unique(),
            string("description", "Whom it is for"),
            complex("hours", "Expected hours on each weekday", days.to_vec()),
            boolean("overtimeTracked", "Whether a balance of overtime is kept"),
            string("country", "Whose public holidays count: a code of ISO 3166-1 such as FI"),
        ],
    )
}

/// Checks the hours and the country.
pub(super) fn check(document: &Document) -> Result<(), Refusal> {
    let hours = document.get("hours").and_then(Value::as_object);
    for (day, value) in hours.into_iter().flatten() {
        if !value.as_f64().is_some_and(|hours| (0.0..=24.0).contains(&hours)) {
            return Err(invalid(format!(
                "hours.{day}: expected a number of hours from 0 to 24, found {value}"
            )));
        }
    }
    check_country(document)
}

/// Checks a country.
pub(super) fn check_country(document: &Document) -> Result<(), Refusal> {
    match document.text("country") {
        Some(code) if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) => {
            Err(invalid("country: expected the two capital letters of a code of ISO 3166-1, such as FI"))
        }
        _ => Ok(()),
    }
}
