//! The first start: an empty folder gets a tenant, a connection and a token, so that the first thing to do is to point an IdP at it.

use jiff::SignedDuration;

use crate::config::Config;
use crate::roster::{ConnectionOptions, Issued, Roster, RosterError, Scopes};

/// The tenant that an empty folder gets.
pub const FIRST_TENANT: &str = "main";
/// Its first connection.
pub const FIRST_CONNECTION: &str = "idp";

/// Makes tenant, connection and token where there is no tenant yet; `None` where there is one.
///
/// `brought` is the operator's own first token, in place of a random one (X2). A start that was cut short is taken up where it ended.
pub fn bootstrap(
    roster: &Roster,
    config: &Config,
    brought: Option<&str>,
) -> Result<Option<Issued>, RosterError> {
    let request = roster.request_id();
    let tenants = roster.tenants()?;
    match tenants.as_slice() {
        [] => roster.create_tenant(FIRST_TENANT, request)?,
        [only] if only.name == FIRST_TENANT => {}
        _ => return Ok(None),
    }
    let caller = roster.operator(FIRST_TENANT, request)?;
    let connections = roster.connections(&caller)?;
    match connections.iter().filter(|connection| connection.created.is_some()).collect::<Vec<_>>().as_slice()
    {
        [] => {
            roster.create_connection(&caller, FIRST_CONNECTION, "auto", ConnectionOptions::default())?;
        }
        [only] if only.name == FIRST_CONNECTION && !roster.was_ever_given_a_token(&caller, only.id)? => {}
        _ => return Ok(None),
    }
    let lifetime = SignedDuration::from_hours(24_i64.saturating_mul(config.tokens.lifetime_days.into()));
    roster.create_token(&caller, FIRST_CONNECTION, Scopes::idp(), Some(lifetime), brought).map(Some)
}
