//! What the firm holds of a person, looked at by day and name.

use crate::{Amount, Currency, Date, Employment, Psa, Rate, UserTypeChoice};

impl Rate {
    /// An entry from a day on.
    ///
    /// ```
    /// # use rosterd_plugin::{Amount, Currency, Date, Rate};
    /// let rate = Rate::new(Date::parse("2026-03-01").unwrap(), Amount::parse("95").unwrap(), &Currency::parse("EUR").unwrap());
    /// assert_eq!(rate.amount, "95.00");
    /// ```
    pub fn new(start: Date, amount: Amount, currency: &Currency) -> Self {
        Self { start_date: start.to_string(), amount: amount.to_string(), currency: currency.to_string() }
    }

    /// Whether it is the same money; `95` and `95.00` are.
    pub fn is_worth(&self, amount: Amount, currency: &Currency) -> bool {
        Amount::parse(&self.amount).is_ok_and(|held| held == amount) && self.currency == currency.as_str()
    }
}

impl UserTypeChoice {
    /// A user type that is good everywhere, not the primary one.
    pub fn everywhere(user_type: &str) -> Self {
        Self { user_type: user_type.to_owned(), primary: false, cost_center: None }
    }

    /// Whether both are of one user type for one cost centre; names do not tell capitals from small letters.
    pub fn is_for_the_same(&self, other: &Self) -> bool {
        let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
        same(&self.user_type, &other.user_type)
            && match (&self.cost_center, &other.cost_center) {
                (Some(a), Some(b)) => same(a, b),
                (None, None) => true,
                _ => false,
            }
    }
}

/// Finds the entry in force on a day: the last that began.
fn in_force<E>(entries: &[E], day: Date, start: impl Fn(&E) -> &str) -> Option<&E> {
    entries.iter().rfind(|entry| Date::parse(start(entry)).is_ok_and(|began| began <= day))
}

impl Psa {
    /// What somebody costs on a day.
    ///
    /// ```
    /// # use rosterd_plugin::{Date, Psa, Rate};
    /// let rate = |day: &str, amount: &str| Rate { start_date: day.into(), amount: amount.into(), currency: "EUR".into() };
    /// let held = Psa { cost_rates: vec![rate("2025-01-01", "80"), rate("2026-01-01", "85")], ..Psa::default() };
    /// assert_eq!(held.cost_rate_on(Date::parse("2025-12-31").unwrap()).unwrap().amount, "80");
    /// assert_eq!(held.cost_rate_on(Date::parse("2024-12-31").unwrap()), None);
    /// ```
    pub fn cost_rate_on(&self, day: Date) -> Option<&Rate> {
        in_force(&self.cost_rates, day, |rate| &rate.start_date)
    }

    /// What somebody is billed at on a day.
    pub fn billing_rate_on(&self, day: Date) -> Option<&Rate> {
        in_force(&self.billing_rates, day, |rate| &rate.start_date)
    }

    /// How somebody is employed on a day.
    pub fn employment_on(&self, day: Date) -> Option<&Employment> {
        in_force(&self.employments, day, |employment| &employment.start_date)
    }

    /// The primary user type.
    pub fn primary_user_type(&self) -> Option<&UserTypeChoice> {
        self.user_types.iter().find(|choice| choice.primary)
    }
}
