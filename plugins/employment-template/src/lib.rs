//! How people are employed: their country and department say which template.
//!
//! The table's keys are a country (`FI`), or a country and a department (`FI/Support`), which goes before. A template is appended, from
//! today on, where another one is in force; what was in force before stays as it is.

use std::collections::BTreeMap;

use rosterd_plugin::prelude::*;

/// Where the templates stand, and what is done without one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The table: `FI` or `FI/Support`, and `template`.
    #[serde(default = "templates")]
    table: String,
    /// Other names of countries, as providers send them: `{ "Finland": "FI" }`. Capitals do not matter.
    #[serde(default)]
    countries: BTreeMap<String, String>,
    /// The country of those whose address has none. Without it they keep what they have.
    #[serde(default)]
    default_country: Option<String>,
    /// What becomes of somebody in a country that the table does not have.
    #[serde(default)]
    unknown_country: Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Unknown {
    /// They keep what they have.
    #[default]
    Keep,
    /// The request is refused.
    Refuse,
}

fn templates() -> String {
    "templates".to_owned()
}

struct EmploymentTemplate(Settings);

impl Plugin for EmploymentTemplate {
    type Settings = Settings;
    const READS: &'static [&'static str] = &["addresses", "department", "employments"];
    const WRITES: &'static [&'static str] = &["employments"];
    const SCHEMA: Option<&'static str> = Some(include_str!("../settings.schema.json"));

    fn new(mut settings: Settings) -> Result<Self, Problem> {
        settings.countries =
            settings.countries.into_iter().map(|(name, code)| (name.to_lowercase(), code)).collect();
        Ok(Self(settings))
    }
}

impl EmploymentTemplate {
    /// The country as the table has it.
    fn country_of(&self, user: &User) -> Option<String> {
        let said = user.country.as_deref().map(str::trim).filter(|country| !country.is_empty());
        let country = said.or(self.0.default_country.as_deref())?;
        let known = self.0.countries.get(&country.to_lowercase());
        Some(known.map_or_else(|| country.to_uppercase(), Clone::clone))
    }

    fn template_of(&self, country: &str, department: Option<&str>) -> Result<Option<String>, Problem> {
        let of_department = department
            .map(|department| lookup(&self.0.table, &format!("{country}/{department}")))
            .transpose()?;
        let row = match of_department.flatten() {
            Some(row) => Some(row),
            None => lookup(&self.0.table, country)?,
        };
        row.map(|row| row.need("template")).transpose()
    }
}

impl Mapper for EmploymentTemplate {
    fn map(&self, context: &Context, user: &User, held: &Psa) -> Result<Changes, Problem> {
        let mut changes = Changes::none();
        let Some(country) = self.country_of(user) else { return Ok(changes) };
        let department =
            user.department.as_deref().map(str::trim).filter(|department| !department.is_empty());
        let Some(template) = self.template_of(&country, department)? else {
            return match self.0.unknown_country {
                Unknown::Keep => Ok(changes),
                Unknown::Refuse => Err(Problem::invalid_value(
                    "addresses",
                    format!("expected a country that people are employed in, found {country}"),
                )),
            };
        };
        let today = context.day()?;
        // Whose employment begins later is not here yet: that one is meant.
        let first = held.employments.first().and_then(|one| Date::parse(&one.start_date).ok());
        let start = first.map_or(today, |first| first.max(today));
        let in_force = held.employment_on(start);
        if in_force.and_then(|one| one.template.as_deref()) != Some(template.as_str()) {
            // What is said of balances of hours goes on.
            let before = in_force.cloned().unwrap_or_default();
            changes.add_employment(Employment {
                start_date: start.to_string(),
                template: Some(template),
                ..before
            });
        }
        Ok(changes)
    }
}

register!(EmploymentTemplate: Mapper);

#[cfg(test)]
mod tests {
    use super::*;
    use rosterd_plugin::testing;

    #[test]
    fn the_schema_is_that_of_the_settings() {
        testing::schema::<EmploymentTemplate>("settings.schema.json");
    }

    #[test]
    fn the_vectors_hold() {
        testing::vectors::<EmploymentTemplate>("tests");
    }

    #[test]
    fn a_table_that_is_not_configured_is_named() {
        let problem = testing::plugin::<EmploymentTemplate>("{}")
            .user(testing::user().country("FI"))
            .map()
            .unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Configuration);
        assert_eq!(problem.path.as_deref(), Some("tables.templates"));
    }
}
