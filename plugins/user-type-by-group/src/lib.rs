//! What people may do: each group that fits gives a user type, everywhere or for one cost centre.
//!
//! Who leaves a group loses the user type that it gave. User types that no rule names were given by somebody, and stay.

use rosterd_plugin::prelude::*;

/// Groups and their user types.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// All that fit are given. The first of them that is good everywhere is the primary one; if there is none, the first.
    rules: Vec<Rule>,
    /// Whether a user type is taken from who leaves the group that gave it.
    #[serde(default = "yes")]
    remove: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// The display name of a group; `*` stands for anything, and capitals do not matter.
    group: Pattern,
    /// The user type, by its display name.
    user_type: String,
    /// The cost centre that it is good for, by its display name. Everywhere where absent.
    #[serde(default)]
    cost_center: Option<String>,
}

const fn yes() -> bool {
    true
}

impl Rule {
    fn gives(&self) -> UserTypeChoice {
        UserTypeChoice {
            cost_center: self.cost_center.clone(),
            ..UserTypeChoice::everywhere(&self.user_type)
        }
    }
}

struct UserTypeByGroup(Settings);

impl Plugin for UserTypeByGroup {
    type Settings = Settings;
    const READS: &'static [&'static str] = &["groups", "userTypes"];
    const WRITES: &'static [&'static str] = &["userTypes"];
    const SCHEMA: Option<&'static str> = Some(include_str!("../settings.schema.json"));

    fn new(settings: Settings) -> Result<Self, Problem> {
        if settings.rules.is_empty() {
            return Err(Problem::configuration("rules", "expected a group and its user type, found none"));
        }
        Ok(Self(settings))
    }
}

impl UserTypeByGroup {
    /// Whether a rule gives this, to whomever.
    fn manages(&self, held: &UserTypeChoice) -> bool {
        self.0.rules.iter().any(|rule| rule.gives().is_for_the_same(held))
    }

    /// What the groups of somebody give, each once.
    fn wanted(&self, user: &User) -> Vec<UserTypeChoice> {
        let mut wanted: Vec<UserTypeChoice> = Vec::new();
        for rule in self.0.rules.iter().filter(|rule| user.is_in(&rule.group)) {
            let gives = rule.gives();
            if !wanted.iter().any(|one| one.is_for_the_same(&gives)) {
                wanted.push(gives);
            }
        }
        wanted
    }
}

impl Mapper for UserTypeByGroup {
    fn map(&self, _: &Context, user: &User, held: &Psa) -> Result<Changes, Problem> {
        let mut changes = Changes::none();
        let mut wanted = self.wanted(user);
        // A primary one that no rule gives was chosen by somebody.
        if held.primary_user_type().is_none_or(|primary| self.manages(primary)) {
            let first = wanted.iter().position(|choice| choice.cost_center.is_none()).unwrap_or_default();
            if let Some(choice) = wanted.get_mut(first) {
                choice.primary = true;
            }
        }
        // Given before taken, so that there is a primary one throughout; it takes that from the one before.
        for choice in &wanted {
            let has = held.user_types.iter().find(|one| one.is_for_the_same(choice));
            if has.is_none_or(|one| choice.primary && !one.primary) {
                changes.add_user_type(choice.clone());
            }
        }
        if self.0.remove {
            for one in &held.user_types {
                if self.manages(one) && !wanted.iter().any(|choice| choice.is_for_the_same(one)) {
                    changes.remove_user_type(one.clone());
                }
            }
        }
        Ok(changes)
    }
}

register!(UserTypeByGroup: Mapper);

#[cfg(test)]
mod tests {
    use super::*;
    use rosterd_plugin::testing;

    #[test]
    fn the_schema_is_that_of_the_settings() {
        testing::schema::<UserTypeByGroup>("settings.schema.json");
    }

    #[test]
    fn the_vectors_hold() {
        testing::vectors::<UserTypeByGroup>("tests");
    }

    #[test]
    fn a_setting_that_is_misspelt_is_named() {
        let settings = r#"{"rules": [{"group": "PSA", "usertype": "Consultant"}]}"#;
        let problem = testing::plugin::<UserTypeByGroup>(settings).configure().unwrap_err();
        assert_eq!(problem.path.as_deref(), Some("rules[0].usertype"));
        assert!(problem.detail.contains("user_type"), "{}", problem.detail);
    }
}
