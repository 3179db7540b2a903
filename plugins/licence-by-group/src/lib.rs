//! Which seat people have: the first group that fits says from which pool.
//!
//! Who leaves all of these groups gives the seat back, if it is of one of these pools. A seat of another pool was given by somebody who
//! knew why, and stays.

use rosterd_plugin::prelude::*;

/// Groups and their pools.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// In the order in which they are looked at: the first whose group the person is in is taken.
    licences: Vec<Licence>,
    /// Whether a seat is given back by who leaves all of these groups.
    #[serde(default = "yes")]
    release: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Licence {
    /// The display name of a group; `*` stands for anything, and capitals do not matter.
    group: Pattern,
    /// The pool, by its display name.
    pool: String,
}

const fn yes() -> bool {
    true
}

struct LicenceByGroup(Settings);

impl Plugin for LicenceByGroup {
    type Settings = Settings;
    const READS: &'static [&'static str] = &["active", "groups", "license"];
    const WRITES: &'static [&'static str] = &["license"];
    const SCHEMA: Option<&'static str> = Some(include_str!("../settings.schema.json"));

    fn new(settings: Settings) -> Result<Self, Problem> {
        if settings.licences.is_empty() {
            return Err(Problem::configuration("licences", "expected a group and its pool, found none"));
        }
        Ok(Self(settings))
    }
}

fn is_same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

impl Mapper for LicenceByGroup {
    fn map(&self, _: &Context, user: &User, held: &Psa) -> Result<Changes, Problem> {
        let mut changes = Changes::none();
        // A locked person has no seat, and the host frees it; which pool they had is kept for the day they come back.
        if !user.active {
            return Ok(changes);
        }
        let held = held.license.as_ref().map(|license| license.value.as_str());
        let wanted = self.0.licences.iter().find(|one| user.is_in(&one.group)).map(|one| one.pool.as_str());
        match (wanted, held) {
            (Some(wanted), Some(held)) if is_same(wanted, held) => {}
            (Some(wanted), _) => {
                changes.set_license(wanted);
            }
            (None, Some(held))
                if self.0.release && self.0.licences.iter().any(|one| is_same(&one.pool, held)) =>
            {
                changes.release_license();
            }
            (None, _) => {}
        }
        Ok(changes)
    }
}

register!(LicenceByGroup: Mapper);

#[cfg(test)]
mod tests {
    use super::*;
    use rosterd_plugin::testing;

    #[test]
    fn the_schema_is_that_of_the_settings() {
        testing::schema::<LicenceByGroup>("settings.schema.json");
    }

    #[test]
    fn the_vectors_hold() {
        testing::vectors::<LicenceByGroup>("tests");
    }

    #[test]
    fn without_release_a_seat_stays() {
        let settings = r#"{"licences": [{"group": "PSA", "pool": "Full"}], "release": false}"#;
        let changes = testing::plugin::<LicenceByGroup>(settings).held(testing::held().license("Full")).map();
        assert_eq!(changes, Ok(vec![]));
    }
}
