//! What a plugin is, and the hooks that it may have.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Changes, Claim, Context, Event, Finding, Note, Problem, Psa, User, Verdict};

/// What every plugin is: settings, and what it needs to see and to change.
///
/// ```
/// use rosterd_plugin::prelude::*;
///
/// #[derive(Deserialize, JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// struct Settings {
///     /// The pool of those who are not named otherwise.
///     pool: String,
/// }
///
/// struct Seats(Settings);
///
/// impl Plugin for Seats {
///     type Settings = Settings;
///     const READS: &'static [&'static str] = &["groups"];
///     const WRITES: &'static [&'static str] = &["license"];
///     fn new(settings: Settings) -> Result<Self, Problem> {
///         // What a type cannot say is checked here, once, not with each request.
///         if settings.pool.is_empty() {
///             return Err(Problem::configuration("pool", "expected the name of a licence pool, found an empty text"));
///         }
///         Ok(Self(settings))
///     }
/// }
/// # fn main() {}
/// ```
pub trait Plugin: Sized + 'static {
    /// The settings of the configuration. Its JSON Schema is derived, and is what `rosterd config check` holds the operator's settings to;
    /// the doc comments of its members are what the operator reads. `#[serde(deny_unknown_fields)]` finds what is misspelt.
    ///
    /// A plugin without settings has an empty struct, so that the first setting that comes later breaks nothing.
    type Settings: DeserializeOwned + JsonSchema;

    /// The attributes that it needs to see: names of the core, enterprise and PSA schemas as they are (`title`, `department`,
    /// `costRates`), others with their URN; `groups`; `shadow`.
    const READS: &'static [&'static str];

    /// The attributes that it may propose to change, written likewise. Empty for all hooks but [`Mapper`].
    const WRITES: &'static [&'static str];

    /// The schema of the settings, written down. Without it the component derives it when it is asked; with it the component is a third
    /// smaller. `include_str!("../settings.schema.json")` has it, and [`testing::schema`](crate::testing::schema) keeps that file right.
    const SCHEMA: Option<&'static str> = None;

    /// Makes the plugin of its settings, or says which of them it cannot take ([`Problem::configuration`]).
    fn new(settings: Self::Settings) -> Result<Self, Problem>;
}

/// Turns what an identity provider says of a person into what the firm knows.
///
/// May be asked twice for one request. What it answers are proposals: the host checks them, and one that changes nothing is none; so a
/// mapper says what should hold, and need not look whether it does already.
pub trait Mapper: Plugin {
    /// Says what should change on the firm's own side of a person.
    fn map(&self, context: &Context, user: &User, held: &Psa) -> Result<Changes, Problem>;
}

/// Says what is wrong with a person as they would be stored.
///
/// ```
/// use rosterd_plugin::prelude::*;
/// # #[derive(Deserialize, JsonSchema)]
/// # struct Settings {}
/// struct Costs;
/// # impl Plugin for Costs {
/// #     type Settings = Settings;
/// #     const READS: &'static [&'static str] = &["costCenter"];
/// #     const WRITES: &'static [&'static str] = &[];
/// #     fn new(_: Settings) -> Result<Self, Problem> { Ok(Self) }
/// # }
/// impl Validator for Costs {
///     fn validate(&self, _: &Context, user: &User, _: &Psa) -> Result<Vec<Finding>, Problem> {
///         Ok(match &user.cost_center {
///             Some(_) => vec![],
///             None => vec![Finding::error("costCenter", "no-cost-center", "nobody is billed without a cost centre")],
///         })
///     }
/// }
/// register!(Costs: Validator);
/// # fn main() {
/// let found = rosterd_plugin::testing::plugin::<Costs>("{}").validate().unwrap();
/// assert_eq!(found[0].code, "no-cost-center");
/// # }
/// ```
pub trait Validator: Plugin {
    /// Says what is wrong; an error among it refuses the request.
    fn validate(&self, context: &Context, user: &User, proposed: &Psa) -> Result<Vec<Finding>, Problem>;
}

/// Says who may come in at all. All gates must allow; the first that denies ends the request with 403.
///
/// ```
/// use rosterd_plugin::prelude::*;
/// # #[derive(Deserialize, JsonSchema)]
/// # struct Settings {}
/// struct NoTests;
/// # impl Plugin for NoTests {
/// #     type Settings = Settings;
/// #     const READS: &'static [&'static str] = &["userName"];
/// #     const WRITES: &'static [&'static str] = &[];
/// #     fn new(_: Settings) -> Result<Self, Problem> { Ok(Self) }
/// # }
/// impl Gate for NoTests {
///     fn admit(&self, _: &Context, user: &User) -> Result<Verdict, Problem> {
///         match user.user_name.as_deref() {
///             Some(name) if name.starts_with("test-") => Ok(Verdict::Deny(format!("{name} is an account for tests"))),
///             _ => Ok(Verdict::Allow),
///         }
///     }
/// }
/// register!(NoTests: Gate);
/// # fn main() {
/// use rosterd_plugin::testing;
/// assert_eq!(testing::plugin::<NoTests>("{}").user(testing::user().user_name("ada")).admit(), Ok(Verdict::Allow));
/// # }
/// ```
pub trait Gate: Plugin {
    /// Allows or denies.
    fn admit(&self, context: &Context, user: &User) -> Result<Verdict, Problem>;
}

/// Adds to what a program downstream is told at sign-in.
///
/// ```
/// use rosterd_plugin::prelude::*;
/// # #[derive(Deserialize, JsonSchema)]
/// # struct Settings {}
/// struct Badge;
/// # impl Plugin for Badge {
/// #     type Settings = Settings;
/// #     const READS: &'static [&'static str] = &["employeeNumber"];
/// #     const WRITES: &'static [&'static str] = &[];
/// #     fn new(_: Settings) -> Result<Self, Problem> { Ok(Self) }
/// # }
/// impl Claims for Badge {
///     fn claims(&self, _: &Context, user: &User, _: &Psa, _: &str, _: &[String]) -> Result<Vec<Claim>, Problem> {
///         Ok(user.employee_number.iter().map(|number| Claim::text("badge", number)).collect())
///     }
/// }
/// register!(Badge: Claims);
/// # fn main() {
/// use rosterd_plugin::testing;
/// let told = testing::plugin::<Badge>("{}").user(testing::user().employee_number("0042")).claims("payroll", &[]).unwrap();
/// assert_eq!(told[0].json, r#""0042""#);
/// # }
/// ```
pub trait Claims: Plugin {
    /// Says what to add for a program (`client_id`) that asked for `scopes`.
    fn claims(
        &self,
        context: &Context,
        user: &User,
        held: &Psa,
        client_id: &str,
        scopes: &[String],
    ) -> Result<Vec<Claim>, Problem>;
}

/// Hears of what was committed: at least once, in order for each person.
///
/// ```
/// use rosterd_plugin::prelude::*;
/// # #[derive(Deserialize, JsonSchema)]
/// # struct Settings {}
/// struct Watch;
/// # impl Plugin for Watch {
/// #     type Settings = Settings;
/// #     const READS: &'static [&'static str] = &["title"];
/// #     const WRITES: &'static [&'static str] = &[];
/// #     fn new(_: Settings) -> Result<Self, Problem> { Ok(Self) }
/// # }
/// impl Reactor for Watch {
///     fn on_event(&self, _: &Context, event: &Event) -> Result<Vec<Note>, Problem> {
///         let new_title = event.changed.iter().any(|path| path == "title");
///         Ok(if new_title { vec![Note::new("new-title", "look at the rate")] } else { vec![] })
///     }
/// }
/// register!(Watch: Reactor);
/// # fn main() {
/// use rosterd_plugin::testing;
/// let notes = testing::plugin::<Watch>("{}").on_event(testing::event().changed(["title"])).unwrap();
/// assert_eq!(notes[0].code, "new-title");
/// # }
/// ```
pub trait Reactor: Plugin {
    /// Hears of an event, and says for the log what it came to.
    fn on_event(&self, context: &Context, event: &Event) -> Result<Vec<Note>, Problem>;
}
