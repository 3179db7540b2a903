//! `/admin/v1/tokens`: bearer tokens, shown once when they are made and never again.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ask::Ask;
use super::endpoint::{Done, Found, Made};
use super::page::Page;
use crate::http::problem::Problem;
use crate::ids::{ResourceId, TokenId};
use crate::roster::{NewToken, Roster, RosterError, Scope, Scopes, TokenView};
use crate::scim::error::quoted;

/// Most days that a token lives.
const DAYS_MAX: u32 = 3650;

/// A live token.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// Its id, which is no secret.
    #[schema(value_type = String, format = "uuid")]
    pub id: TokenId,
    /// The name of its connection.
    pub connection: String,
    /// What it may do.
    #[schema(value_type = Vec<String>)]
    pub scopes: Scopes,
    /// As whom it acts; null where it acts as nobody but itself.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub person: Option<ResourceId>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When it stops working; null for never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used: Option<Timestamp>,
}

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedToken {
    /// The name of its connection; `local` for administrators and their programs.
    pub connection: String,
    /// What it may do; an identity provider's scopes where there are none.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Days until it stops working.
    #[schema(minimum = 1, maximum = 3650)]
    pub days: u32,
    /// As whom it acts: an id or a userName. Only for the connection `local`.
    #[serde(default)]
    pub person: Option<String>,
}

/// A token that has just been made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeToken {
    /// Its id, which is no secret.
    #[schema(value_type = String, format = "uuid")]
    pub id: TokenId,
    /// The token, which is shown this once.
    pub secret: String,
    /// When it stops working.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<Timestamp>,
}

impl From<TokenView> for Token {
    fn from(view: TokenView) -> Self {
        let TokenView { id, connection, scopes, created, expires, last_used, person } = view;
        Self { id, connection, scopes, person, created, expires, last_used }
    }
}

/// Lists live tokens.
pub async fn list(ask: Ask) -> Result<Found<Page<Token>>, Problem> {
    let mut tokens = ask.run(|roster, caller, _| Roster::tokens(roster, caller)).await?;
    tokens.sort_by_key(|token| token.id);
    Ok(Found(Page::of(&ask, tokens.into_iter().map(Token::from), |token| token.id.to_string())))
}

/// Makes one.
pub async fn make(ask: Ask, wanted: WantedToken) -> Result<Made<MadeToken>, Problem> {
    let lifetime = days(wanted.days)?;
    let made = ask.run(move |roster, caller, _| {
        let wanted = &wanted;
        let new = NewToken {
            scopes: scopes(&wanted.scopes)?,
            lifetime: Some(lifetime),
            brought: None,
            person: wanted.person.as_deref(),
        };
        roster.issue_token(caller, &wanted.connection, new)
    });
    let made = made.await?;
    Ok(Made(MadeToken { id: made.id, secret: made.secret.to_string(), expires: made.expires }))
}

/// Ends one.
pub async fn revoke(ask: Ask) -> Result<Done, Problem> {
    let id = ask.at("id");
    let id = TokenId::parse(id).map_err(|_| {
        Problem::from(RosterError::Unknown(format!(
            "no live token has the id {}; GET /admin/v1/tokens lists them",
            quoted(id)
        )))
    })?;
    ask.run(move |roster, caller, _| roster.revoke_token(caller, id)).await?;
    Ok(Done)
}

/// Reads names of scopes; an identity provider's where there are none.
pub(super) fn scopes(names: &[String]) -> Result<Scopes, RosterError> {
    if names.is_empty() {
        return Ok(Scopes::idp());
    }
    Ok(Scopes::of(names.iter().map(|name| Scope::parse(name)).collect::<Result<Vec<_>, _>>()?))
}

/// Reads how long something lives.
pub(super) fn days(days: u32) -> Result<SignedDuration, Problem> {
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Problem::bad_request(format!("days: expected 1 to {DAYS_MAX}, found {days}")));
    }
    Ok(SignedDuration::from_hours(24_i64.saturating_mul(days.into())))
}
