//! What people cost: the title says the level, and a rate card says what the level costs.
//!
//! A rate is appended, from today on, where another one is in force. What was in force before stays as it is: an entry is replaced only on
//! its own first day, or while it lies in the future.

use rosterd_plugin::prelude::*;

/// Where levels come from, and where their rates stand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Titles and their levels. The first whose title fits is taken; `*` stands for anything, and capitals do not matter.
    levels: Vec<Level>,
    /// The level of whoever has none of these titles. Without it they keep what they have.
    #[serde(default)]
    default_level: Option<String>,
    /// The currency of rows that name none.
    currency: Currency,
    /// The table with the rates: the level, `amount`, and if need be `currency`.
    #[serde(default = "rates")]
    table: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Level {
    /// A title, such as `Senior*`.
    title: Pattern,
    /// The key of a row.
    level: String,
}

fn rates() -> String {
    "rates".to_owned()
}

struct CostRate(Settings);

impl Plugin for CostRate {
    type Settings = Settings;
    const READS: &'static [&'static str] = &["title", "costRates"];
    const WRITES: &'static [&'static str] = &["costRates"];
    const SCHEMA: Option<&'static str> = Some(include_str!("../settings.schema.json"));

    fn new(settings: Settings) -> Result<Self, Problem> {
        if settings.levels.is_empty() && settings.default_level.is_none() {
            return Err(Problem::configuration(
                "levels",
                "expected a level, or a default_level: nobody would have a rate",
            ));
        }
        Ok(Self(settings))
    }
}

impl CostRate {
    fn level_of(&self, user: &User) -> Option<&str> {
        let title = user.title.as_deref().unwrap_or_default();
        let fits = self.0.levels.iter().find(|one| !title.is_empty() && one.title.matches(title));
        fits.map(|one| one.level.as_str()).or(self.0.default_level.as_deref())
    }

    /// What a level costs.
    fn price_of(&self, level: &str) -> Result<(Amount, Currency), Problem> {
        let row = lookup(&self.0.table, level)?.ok_or_else(|| {
            Problem::configuration(
                &format!("tables.{}", self.0.table),
                format!("expected a row for the level {level}, found none"),
            )
        })?;
        Ok((row.need("amount")?, row.parse("currency")?.unwrap_or_else(|| self.0.currency.clone())))
    }
}

impl Mapper for CostRate {
    fn map(&self, context: &Context, user: &User, held: &Psa) -> Result<Changes, Problem> {
        let mut changes = Changes::none();
        let Some(level) = self.level_of(user) else { return Ok(changes) };
        let (amount, currency) = self.price_of(level)?;
        let today = context.day()?;
        // Whose rates all begin later is not here yet: the first of them is what is meant.
        let first = held.cost_rates.first().and_then(|rate| Date::parse(&rate.start_date).ok());
        let start = first.map_or(today, |first| first.max(today));
        if !held.cost_rate_on(start).is_some_and(|rate| rate.is_worth(amount, &currency)) {
            log::debug!("another rate from {start} on, for the level {level}");
            changes.add_cost_rate(Rate::new(start, amount, &currency));
        }
        Ok(changes)
    }
}

register!(CostRate: Mapper);

#[cfg(test)]
mod tests {
    use super::*;
    use rosterd_plugin::testing;

    #[test]
    fn the_schema_is_that_of_the_settings() {
        testing::schema::<CostRate>("settings.schema.json");
    }

    #[test]
    fn the_vectors_hold() {
        testing::vectors::<CostRate>("tests");
    }

    #[test]
    fn what_it_has_appended_it_does_not_append_again() {
        let mut held = Psa::default();
        let settings = r#"{"levels": [{"title": "*", "level": "any"}], "currency": "EUR"}"#;
        for (day, amount, more) in [
            ("2026-01-01", "80", 1),
            ("2026-01-02", "80.00", 0),
            ("2026-02-01", "85.5", 1),
            ("2026-02-01", "85.50", 0),
        ] {
            let changes = testing::plugin::<CostRate>(settings)
                .table("rates", &format!("level,amount\nany,{amount}\n"))
                .today(day)
                .user(testing::user().title("Clerk"))
                .held(held.clone())
                .map()
                .unwrap();
            assert_eq!(changes.len(), more, "{day}");
            held.cost_rates.extend(changes.into_iter().filter_map(|change| match change {
                Change::AddCostRate(rate) => Some(rate),
                _ => None,
            }));
        }
        assert_eq!(held.cost_rates.len(), 2);
    }
}
