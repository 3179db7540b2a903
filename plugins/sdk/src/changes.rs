//! What a mapper proposes, collected.

use serde_json::Value;

use crate::{Assignment, Change, Date, Employment, Rate, UserTypeChoice};

/// Proposals, in the order in which they were made.
///
/// ```
/// use rosterd_plugin::{Change, Changes};
/// let mut changes = Changes::none();
/// changes.set_kind("freelancer").set_license("Contractors");
/// assert_eq!(Vec::from(changes).len(), 2);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes(Vec<Change>);

impl Changes {
    /// Proposes nothing.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether nothing is proposed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a proposal as it is.
    pub fn push(&mut self, change: Change) -> &mut Self {
        self.0.push(change);
        self
    }

    /// Proposes what kind of person somebody is: `employee`, `freelancer` or `client`.
    pub fn set_kind(&mut self, kind: &str) -> &mut Self {
        self.push(Change::SetKind(kind.to_owned()))
    }

    /// Proposes a seat of a pool, by display name or externalId.
    pub fn set_license(&mut self, pool: &str) -> &mut Self {
        self.push(Change::SetLicense(pool.to_owned()))
    }

    /// Proposes that the seat becomes free.
    pub fn release_license(&mut self) -> &mut Self {
        self.push(Change::ReleaseLicense)
    }

    /// Proposes `full` or `hoursOnly`.
    pub fn set_financial_visibility(&mut self, visibility: &str) -> &mut Self {
        self.push(Change::SetFinancialVisibility(visibility.to_owned()))
    }

    /// Proposes a user type, or that the one held for that cost centre changes.
    pub fn add_user_type(&mut self, choice: UserTypeChoice) -> &mut Self {
        self.push(Change::AddUserType(choice))
    }

    /// Proposes that a user type held for that cost centre goes.
    pub fn remove_user_type(&mut self, choice: UserTypeChoice) -> &mut Self {
        self.push(Change::RemoveUserType(choice))
    }

    /// Proposes an employment from its day on.
    pub fn add_employment(&mut self, employment: Employment) -> &mut Self {
        self.push(Change::AddEmployment(employment))
    }

    /// Proposes what somebody costs from a day on.
    pub fn add_cost_rate(&mut self, rate: Rate) -> &mut Self {
        self.push(Change::AddCostRate(rate))
    }

    /// Proposes what somebody is billed at from a day on.
    pub fn add_billing_rate(&mut self, rate: Rate) -> &mut Self {
        self.push(Change::AddBillingRate(rate))
    }

    /// Proposes the first day.
    pub fn set_activate_on(&mut self, day: Date) -> &mut Self {
        self.push(Change::SetActivateOn(day.to_string()))
    }

    /// Proposes that there is no first day.
    pub fn clear_activate_on(&mut self) -> &mut Self {
        self.push(Change::ClearActivateOn)
    }

    /// Proposes the day from which on somebody is out.
    pub fn set_deactivate_on(&mut self, day: Date) -> &mut Self {
        self.push(Change::SetDeactivateOn(day.to_string()))
    }

    /// Proposes that there is no such day.
    pub fn clear_deactivate_on(&mut self) -> &mut Self {
        self.push(Change::ClearDeactivateOn)
    }

    /// Proposes a value of an attribute, by its path as in SCIM.
    ///
    /// ```
    /// # use rosterd_plugin::Changes;
    /// let mut changes = Changes::none();
    /// changes.set_attribute("division", "Nordics");
    /// ```
    pub fn set_attribute(&mut self, path: &str, value: impl Into<Value>) -> &mut Self {
        self.push(Change::SetAttribute(Assignment { path: path.to_owned(), json: value.into().to_string() }))
    }

    /// Proposes that an attribute has no value.
    pub fn clear_attribute(&mut self, path: &str) -> &mut Self {
        self.push(Change::ClearAttribute(path.to_owned()))
    }
}

impl From<Changes> for Vec<Change> {
    fn from(changes: Changes) -> Self {
        changes.0
    }
}

impl FromIterator<Change> for Changes {
    fn from_iter<I: IntoIterator<Item = Change>>(changes: I) -> Self {
        Self(changes.into_iter().collect())
    }
}
