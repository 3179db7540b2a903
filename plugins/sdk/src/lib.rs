//! What plugins for rosterd are written with.
//!
//! A plugin says what it is ([`Plugin`]), has one hook or several ([`Mapper`], [`Validator`], [`Gate`], [`Claims`], [`Reactor`]) and is
//! registered ([`register!`]). This is a whole one: consultants get full financial visibility.
//!
//! ```
//! use rosterd_plugin::prelude::*;
//!
//! /// What the operator decides.
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Settings {
//!     /// The title that opens the books.
//!     title: Pattern,
//! }
//!
//! struct Books(Settings);
//!
//! impl Plugin for Books {
//!     type Settings = Settings;
//!     const READS: &'static [&'static str] = &["title"];
//!     const WRITES: &'static [&'static str] = &["financialVisibility"];
//!     fn new(settings: Settings) -> Result<Self, Problem> {
//!         Ok(Self(settings))
//!     }
//! }
//!
//! impl Mapper for Books {
//!     fn map(&self, _: &Context, user: &User, _: &Psa) -> Result<Changes, Problem> {
//!         let mut changes = Changes::none();
//!         if user.title.as_deref().is_some_and(|title| self.0.title.matches(title)) {
//!             changes.set_financial_visibility("full");
//!         }
//!         Ok(changes)
//!     }
//! }
//!
//! register!(Books: Mapper);
//!
//! # fn main() {
//! // How it is tested: natively, by `cargo test`.
//! use rosterd_plugin::testing;
//! let answer = testing::plugin::<Books>(r#"{"title": "*consultant"}"#)
//!     .user(testing::user().title("Senior Consultant"))
//!     .map();
//! assert_eq!(answer.unwrap(), [Change::SetFinancialVisibility("full".to_owned())]);
//! # }
//! ```
//!
//! The same input must always give the same answer. So there is no clock (the day is [`Context::today`]), no random number, no file and no
//! network; a plugin may [look up](lookup()) the tables of its configuration, and [log]. It is made anew for each request: what it
//! remembers is gone afterwards.
//!
//! The code, in reading order: `plugin` (the traits), `register`, `settings`, `problem`, `changes`, `held`, `user`, `host` (log and lookup), then the checked
//! values `date`, `money` and `pattern`, `testing`, and `bindings`, which nobody reads.

extern crate self as rosterd_plugin;

#[doc(hidden)]
pub mod bindings;
mod changes;
mod date;
mod held;
mod host;
mod json_text;
mod money;
mod pattern;
mod plugin;
mod problem;
mod register;
mod settings;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod user;

pub use bindings::contract::rosterd::plugin::types::{
    Assignment, Change, Claim, Context, Employment, Event, Finding, GroupRef, Held, Note, Operation, Origin,
    Problem, ProblemKind, Psa, Rate, Severity, User, UserTypeChoice, Verdict,
};
pub use changes::Changes;
pub use date::{Date, DateError};
pub use host::{Level, Row, log, lookup};
pub use money::{Amount, AmountError, Currency, CurrencyError};
pub use pattern::Pattern;
pub use plugin::{Claims, Gate, Mapper, Plugin, Reactor, Validator};

/// What settings are read and described with, in the version that the traits ask for.
pub use {schemars, serde, serde_json};

/// Everything that a plugin's file begins with.
///
/// `log` comes as the module of macros: `log::info!("…")`.
pub mod prelude {
    pub use crate::{
        Amount, Change, Changes, Claim, Claims, Context, Currency, Date, Employment, Event, Finding, Gate,
        GroupRef, Mapper, Note, Operation, Origin, Pattern, Plugin, Problem, ProblemKind, Psa, Rate, Reactor,
        Severity, User, UserTypeChoice, Validator, Verdict, log, lookup, register,
    };
    pub use schemars::JsonSchema;
    pub use serde::Deserialize;
}

/// What the macros reach; no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::register::{configure, describe, with};
    pub use wit_bindgen::rt;
}
