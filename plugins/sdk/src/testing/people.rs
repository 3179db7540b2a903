//! Whom a question is about: builders that begin with what a vector begins with.

use serde_json::{Map, Value};

use crate::{
    Amount, Context, Currency, Date, Employment, Event, GroupRef, Held, Operation, Origin, Psa, Rate, User,
    UserTypeChoice,
};

/// A context: somebody is created by the connection `idp` of the tenant `main` on 2026-03-01.
pub fn context() -> Context {
    Context {
        tenant: "main".to_owned(),
        source: "idp".to_owned(),
        operation: Operation::Create,
        correlation_id: "vector".to_owned(),
        now: "2026-03-01T00:00:00Z".to_owned(),
        today: "2026-03-01".to_owned(),
        dry_run: false,
    }
}

/// Somebody active, without any attribute.
///
/// ```
/// use rosterd_plugin::testing;
/// let ada = testing::user().title("Senior Consultant").country("FI").group("PSA Users").done();
/// assert_eq!(ada.groups[0].display, "PSA Users");
/// ```
pub fn user() -> UserBuilder {
    let user = User {
        id: "00000000-0000-7000-8000-000000000001".to_owned(),
        active: true,
        shadow: "{}".to_owned(),
        ..User::default()
    };
    UserBuilder { user, extra: Map::new() }
}

/// Makes a [`User`].
#[derive(Debug, Clone)]
pub struct UserBuilder {
    user: User,
    extra: Map<String, Value>,
}

macro_rules! texts {
    ($($field:ident $says:literal;)+) => {
        $(
            #[doc = $says]
            #[must_use]
            pub fn $field(mut self, value: &str) -> Self {
                self.user.$field = Some(value.to_owned());
                self
            }
        )+
    };
}

impl UserBuilder {
    texts! {
        external_id "The provider's id of them.";
        user_name "The name they sign in with.";
        display_name "The name they are shown by.";
        given_name "The first name.";
        family_name "The last name.";
        title "The title.";
        user_type "The core schema's `userType`.";
        email "The primary address.";
        locale "The locale.";
        timezone "The time zone.";
        country "The country of the primary address.";
        employee_number "The number of the employee.";
        cost_center "The enterprise schema's cost centre.";
        organization "The organization.";
        division "The division.";
        department "The department.";
        manager_id "The id of the manager.";
    }

    /// Somebody who may not sign in.
    #[must_use]
    pub fn inactive(mut self) -> Self {
        self.user.active = false;
        self
    }

    /// In a group.
    #[must_use]
    pub fn group(mut self, display: &str) -> Self {
        let id = format!("group-{}", self.user.groups.len());
        self.user.groups.push(GroupRef { id, display: display.to_owned() });
        self
    }

    /// An attribute that no field names.
    #[must_use]
    pub fn extra(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(path.to_owned(), value.into());
        self
    }

    /// The user.
    pub fn done(self) -> User {
        User { extra: Value::Object(self.extra).to_string(), ..self.user }
    }
}

impl From<UserBuilder> for User {
    fn from(builder: UserBuilder) -> Self {
        builder.done()
    }
}

/// Somebody of whom the firm knows nothing yet.
///
/// ```
/// use rosterd_plugin::testing;
/// let held = testing::held().license("Full").cost_rate("2025-01-01", "80", "EUR").done();
/// assert_eq!(held.cost_rates.len(), 1);
/// ```
pub fn held() -> HeldBuilder {
    HeldBuilder { held: Psa::default(), origin: Origin::Plugin }
}

/// Makes a [`Psa`]. What is added was written by plugins, unless [`HeldBuilder::by`] says otherwise before.
#[derive(Debug, Clone)]
pub struct HeldBuilder {
    held: Psa,
    origin: Origin,
}

impl HeldBuilder {
    /// Who has written what follows.
    #[must_use]
    pub fn by(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    fn value(&self, value: &str) -> Held {
        Held { value: value.to_owned(), origin: self.origin }
    }

    /// The kind.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        self.held.kind = Some(self.value(kind));
        self
    }

    /// The pool whose seat they have.
    #[must_use]
    pub fn license(mut self, pool: &str) -> Self {
        self.held.license = Some(self.value(pool));
        self
    }

    /// The day on which they begin.
    #[must_use]
    pub fn activate_on(mut self, day: &str) -> Self {
        self.held.activate_on = Some(self.value(&checked(day)));
        self
    }

    /// The day from which on they are out.
    #[must_use]
    pub fn deactivate_on(mut self, day: &str) -> Self {
        self.held.deactivate_on = Some(self.value(&checked(day)));
        self
    }

    /// A user type that is good everywhere; the first is the primary one.
    #[must_use]
    pub fn user_type(mut self, user_type: &str) -> Self {
        let primary = self.held.user_types.is_empty();
        self.held.user_types.push(UserTypeChoice { primary, ..UserTypeChoice::everywhere(user_type) });
        self.held.user_types_origin = Some(self.origin);
        self
    }

    /// A template of employment from a day on.
    #[must_use]
    pub fn employment(mut self, start: &str, template: &str) -> Self {
        let employment = Employment {
            start_date: checked(start),
            template: Some(template.to_owned()),
            ..Employment::default()
        };
        self.held.employments.push(employment);
        self.held.employments_origin = Some(self.origin);
        self
    }

    /// What they cost from a day on.
    #[must_use]
    pub fn cost_rate(mut self, start: &str, amount: &str, currency: &str) -> Self {
        self.held.cost_rates.push(rate(start, amount, currency));
        self.held.cost_rates_origin = Some(self.origin);
        self
    }

    /// What they are billed at from a day on.
    #[must_use]
    pub fn billing_rate(mut self, start: &str, amount: &str, currency: &str) -> Self {
        self.held.billing_rates.push(rate(start, amount, currency));
        self.held.billing_rates_origin = Some(self.origin);
        self
    }

    /// What is held.
    pub fn done(self) -> Psa {
        self.held
    }
}

impl From<HeldBuilder> for Psa {
    fn from(builder: HeldBuilder) -> Self {
        builder.held
    }
}

fn checked(day: &str) -> String {
    match Date::parse(day) {
        Ok(day) => day.to_string(),
        Err(error) => panic!("{error}"),
    }
}

fn rate(start: &str, amount: &str, currency: &str) -> Rate {
    match (Date::parse(start), Amount::parse(amount), Currency::parse(currency)) {
        (Ok(start), Ok(amount), Ok(currency)) => Rate::new(start, amount, &currency),
        (start, amount, currency) => panic!("{start:?}, {amount:?}, {currency:?}"),
    }
}

/// An event about [`user`]: somebody was created, and nothing is said of what changed.
pub fn event() -> EventBuilder {
    let user = user().done();
    EventBuilder(Event {
        id: "evt_1".to_owned(),
        sequence: "1".to_owned(),
        operation: Operation::Create,
        subject: user.id.clone(),
        changed: Vec::new(),
        user: Some(user),
    })
}

/// Makes an [`Event`].
#[derive(Debug, Clone)]
pub struct EventBuilder(Event);

impl EventBuilder {
    /// What happened.
    #[must_use]
    pub fn operation(mut self, operation: Operation) -> Self {
        self.0.operation = operation;
        self
    }

    /// The paths that changed.
    #[must_use]
    pub fn changed<'a>(mut self, paths: impl IntoIterator<Item = &'a str>) -> Self {
        self.0.changed = paths.into_iter().map(str::to_owned).collect();
        self
    }

    /// The person as they are now.
    #[must_use]
    pub fn user(mut self, user: impl Into<User>) -> Self {
        let user = user.into();
        self.0.subject.clone_from(&user.id);
        self.0.user = Some(user);
        self
    }

    /// The person is no more.
    #[must_use]
    pub fn nobody(mut self) -> Self {
        self.0.user = None;
        self
    }
}

impl From<EventBuilder> for Event {
    fn from(builder: EventBuilder) -> Self {
        builder.0
    }
}
