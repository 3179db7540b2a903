//! Which attributes are about money, by their names in the history.

/// Whose financial attributes they are.
const PSA: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
/// What a person's hour costs, and what it is sold for.
const RATES: [&str; 2] = ["costRates", "billingRates"];

/// Tells whether an attribute is financial.
pub fn is_money(attribute: &str) -> bool {
    attribute.strip_prefix(PSA).and_then(|rest| rest.rsplit(':').next()).is_some_and(|name| {
        let whole = name.split(['.', '[']).next().unwrap_or(name);
        RATES.iter().any(|rate| rate.eq_ignore_ascii_case(whole))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_money_and_nothing_else_is() {
        for name in ["costRates", "billingRates", "costRates.amount"] {
            assert!(is_money(&format!("{PSA}:{name}")), "{name}");
        }
        for other in ["costRates", "title", &format!("{PSA}:kind"), &format!("{PSA}:costRatesOf")] {
            assert!(!is_money(other), "{other}");
        }
    }
}
