//! Plugins asked natively, so that `cargo test` needs no WebAssembly.
//!
//! [`plugin`] asks one question, and [`vectors`] those of a folder (docs/plugins/reference.md says how they are written); `rosterd plugin test`
//! asks a component the same ones through the daemon's own code. Nothing here is there in a component.
//!
//! Files: `asked` (one question), `people` (whom it is about), `vector` (questions in files), `surroundings` (log and tables),
//! `written` (the schema of the settings, written down).

mod asked;
mod people;
mod surroundings;
mod vector;
mod written;

use crate::{Changes, Claim, Context, Event, Finding, Note, Plugin, Problem, Psa, User, Verdict};

pub use asked::{Asked, plugin};
pub use people::{EventBuilder, HeldBuilder, UserBuilder, context, event, held, user};
pub(crate) use surroundings::{log, lookup};
pub use surroundings::{quietly, with_table};
pub use vector::vectors;
pub use written::schema;

/// How a mapper is asked.
pub type AskMapper<P> = fn(&P, &Context, &User, &Psa) -> Result<Changes, Problem>;
/// How a validator is asked.
pub type AskValidator<P> = fn(&P, &Context, &User, &Psa) -> Result<Vec<Finding>, Problem>;
/// How a gate is asked.
pub type AskGate<P> = fn(&P, &Context, &User) -> Result<Verdict, Problem>;
/// How claims are asked for.
pub type AskClaims<P> = fn(&P, &Context, &User, &Psa, &str, &[String]) -> Result<Vec<Claim>, Problem>;
/// How a reactor is told.
pub type AskReactor<P> = fn(&P, &Context, &Event) -> Result<Vec<Note>, Problem>;

/// A plugin with what [`register!`](crate::register) says of it: the hooks that it has. Only the macro implements it.
pub trait Registered: Plugin {
    /// Its mapper.
    fn mapper() -> Option<AskMapper<Self>> {
        None
    }
    /// Its validator.
    fn validator() -> Option<AskValidator<Self>> {
        None
    }
    /// Its gate.
    fn gate() -> Option<AskGate<Self>> {
        None
    }
    /// Its claims.
    fn claims() -> Option<AskClaims<Self>> {
        None
    }
    /// Its reactor.
    fn reactor() -> Option<AskReactor<Self>> {
        None
    }
}
