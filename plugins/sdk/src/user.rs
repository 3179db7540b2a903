//! What a person is asked for besides their fields.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Context, Date, Pattern, Problem, User};

impl User {
    /// Tells whether they are in a group whose name the pattern takes.
    ///
    /// ```
    /// # use rosterd_plugin::{Pattern, testing};
    /// let user = testing::user().group("PSA Managers").done();
    /// assert!(user.is_in(&Pattern::new("psa*")));
    /// ```
    pub fn is_in(&self, group: &Pattern) -> bool {
        self.groups.iter().any(|one| group.matches(&one.display))
    }

    /// Reads what stands in `extra` under a path: an attribute of a schema of the operator's own, or a multi-valued one. `None` where it is
    /// absent or not granted.
    ///
    /// ```
    /// # use rosterd_plugin::testing;
    /// let user = testing::user().extra("urn:example:hr:User:grade", 7).done();
    /// assert_eq!(user.extra::<u8>("urn:example:hr:User:grade").unwrap(), Some(7));
    /// assert!(user.extra::<String>("urn:example:hr:User:grade").is_err());
    /// ```
    pub fn extra<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Problem> {
        member(&self.extra, path)
    }

    /// Reads what the identity provider said that no schema knows.
    pub fn shadow<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Problem> {
        member(&self.shadow, path)
    }
}

fn member<T: DeserializeOwned>(object: &str, path: &str) -> Result<Option<T>, Problem> {
    if object.is_empty() {
        return Ok(None);
    }
    let mut object: Value = serde_json::from_str(object)
        .map_err(|error| Problem::internal(format!("the host's JSON is none: {error}")))?;
    match object.get_mut(path).map(Value::take) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value)
            .map(Some)
            .map_err(|error| Problem::invalid_value(path, error.to_string())),
    }
}

impl Context {
    /// The day there is where the person is.
    pub fn day(&self) -> Result<Date, Problem> {
        Date::parse(&self.today)
            .map_err(|error| Problem::internal(format!("the host's day is none: {error}")))
    }
}
