//! The relying party of OpenID Connect: code flow with PKCE, logout that the provider orders, and nothing else (rows X43 to X46, X50 to X52, R30).
//!
//! Read in this order: [`settings`] (what a provider is, checked once), [`return_to`] (where a browser may be sent afterwards), [`metadata`] (what a
//! provider says of itself, and what of that is taken), [`discovery`] (how it is fetched and kept), [`pending`] (what is remembered between start and
//! callback), [`callback`] (what the browser brings back), [`party`] (the two steps, begin and finish), `exchange` (a code for tokens),
//! `verify` (an ID token against everything that was asked), `keys` (our keys as `openidconnect` wants them), [`claims`] (what it says, read leniently),
//! `userinfo`, [`logout`] (logout tokens, and the URL that ends the provider's session), [`revocation`] (Okta's global token revocation), [`refusal`]
//! (everything that can be wrong, in words).
//!
//! The crate `openidconnect` makes the requests' forms and checks ID tokens; only `exchange`, `verify`, `keys` and `party` know it.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod callback;
pub mod claims;
pub mod discovery;
mod exchange;
mod keys;
pub mod logout;
pub mod metadata;
pub mod party;
pub mod pending;
pub mod refusal;
pub mod return_to;
pub mod revocation;
pub mod settings;
mod userinfo;
mod verify;

pub use callback::{Callback, ThirdParty};
pub use claims::{Email, IdTokenHint, Verified};
pub use logout::{LogoutOrder, LogoutUrl, Whose, logout_form};
pub use metadata::{Endpoints, Metadata, MetadataFlaw};
pub use party::{Ask, RelyingParty, Started};
pub use pending::{Demand, Pending, Prompt};
pub use refusal::{FOR_THE_PERSON, Refusal, TokenFlaw};
pub use return_to::{ReturnTo, ReturnToError};
pub use revocation::{Revocation, RevocationSubject};
pub use settings::{Authentication, Preset, Provider, Secret, Settings, SettingsError};
