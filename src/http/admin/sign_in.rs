//! `/admin/v1/users/{id}/sign-in…`, `/password`, `/links`, `/second-factor`: how people sign in by the firm's own means, and what an administrator gives them
//! and takes from them (H10, H11, P05, P06, T08, T10, X46).

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ask::Ask;
use super::endpoint::{Done, Found};
use super::people::person_id;
use crate::http::problem::Problem;
use crate::roster::{INVITATION, LinkOrder, LinkPurpose, OrderedBy, RESET, SENT_AGAIN, Way};
use crate::scim::error::quoted;
use crate::signin::local::{Password, PasswordFlaw, Strength};
use crate::signin::vault::Purpose;

/// How a person signs in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignIn {
    /// How: `sso`, `magic-link` or `password`. What stands later is allowed beside what stands before it, but `sso`, which is the only one.
    pub method: &'static str,
    /// Whether that was said of them, and not decided for all.
    pub own: bool,
    /// Whether they may use a password although they sign in otherwise.
    pub break_glass: bool,
    /// Since when they have a password.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub password_since: Option<Timestamp>,
    /// Whether it has to be changed at the next sign-in.
    pub password_must_change: bool,
    /// Since when they have a second factor.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub second_factor_since: Option<Timestamp>,
    /// How many recovery codes they have left.
    pub recovery_codes: usize,
    /// The links that were sent to them and are good.
    pub links: Vec<LiveLink>,
}

/// A link that was sent to somebody.
#[derive(Serialize, ToSchema)]
pub struct LiveLink {
    /// What for: `magic-link`, `invitation` or `reset`.
    pub purpose: &'static str,
    /// Until when it is good.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// How a person is to sign in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedMethod {
    /// `sso`, `magic-link` or `password`; what the firm has decided where nothing is said.
    #[serde(default)]
    pub method: Option<String>,
    /// Whether they may use a password although they sign in otherwise: for when the provider is out of reach.
    #[serde(default)]
    pub break_glass: bool,
}

/// A password for somebody.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedPassword {
    /// The password.
    pub password: String,
    /// The same again.
    pub password_again: String,
    /// Whether it has to be changed at the next sign-in.
    #[serde(default)]
    pub temporary: bool,
}

/// A link for somebody.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedLink {
    /// `invitation` (seven days, and a day when it is sent again), `magic-link` (a day) or `reset` (half an hour).
    pub purpose: String,
}

/// Shows how a person signs in.
pub async fn show(ask: Ask) -> Result<Found<SignIn>, Problem> {
    let id = person_id(&ask)?;
    let means = ask.run(move |roster, caller, _| roster.sign_in_means(caller, id)).await?;
    Ok(Found(SignIn {
        method: means.method.name(),
        own: means.own,
        break_glass: means.break_glass,
        password_since: means.password_since,
        password_must_change: means.password_must_change,
        second_factor_since: means.second_factor_since,
        recovery_codes: means.recovery_codes,
        links: means.links.into_iter().map(|(purpose, until)| LiveLink { purpose, until }).collect(),
    }))
}

/// Says how a person signs in.
pub async fn set_method(ask: Ask, wanted: WantedMethod) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    let way = wanted.method.as_deref().map(way).transpose()?;
    let work = ask.run(move |roster, caller, permit| {
        roster.set_sign_in_method(caller, permit, id, way, wanted.break_glass)
    });
    work.await?;
    Ok(Done)
}

/// Gives a person a password.
pub async fn set_password(ask: Ask, wanted: WantedPassword) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    let password = Password::read_twice(&wanted.password, &wanted.password_again).map_err(refused)?;
    let context = ask.run(move |roster, caller, _| roster.password_context(caller, id)).await?;
    let strength = Strength {
        characters_min: context.characters_min,
        second_factor: context.second_factor,
        words: &context.words,
    };
    strength.check(&password).map_err(refused)?;
    let hash = ask.edge().desk().own()?.hasher.hash(&password).await?;
    let work = ask
        .run(move |roster, caller, permit| roster.set_password(caller, permit, id, &hash, wanted.temporary));
    work.await?;
    Ok(Done)
}

/// Takes a person's password away.
pub async fn clear_password(ask: Ask) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    ask.run(move |roster, caller, permit| roster.clear_password(caller, permit, id)).await?;
    Ok(Done)
}

/// Takes a person's second factor away.
pub async fn clear_second_factor(ask: Ask) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    ask.run(move |roster, caller, permit| roster.clear_second_factor(caller, permit, id)).await?;
    Ok(Done)
}

/// Sends a person a link.
pub async fn send_link(ask: Ask, wanted: WantedLink) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    let named = |purpose: &&LinkPurpose| purpose.name() == wanted.purpose;
    let purpose = LinkPurpose::ALL.iter().find(named).copied().ok_or_else(|| {
        let found = quoted(&wanted.purpose);
        Problem::bad_request(format!("purpose: expected invitation, magic-link or reset, found {found}"))
    })?;
    let vault = Arc::clone(&ask.edge().desk().own()?.vault);
    let work = ask.run(move |roster, caller, _| {
        let was_invited = roster.card(caller, id)?.invited.is_some();
        let lifetime = match purpose {
            LinkPurpose::Invitation if !was_invited => INVITATION,
            LinkPurpose::Invitation | LinkPurpose::MagicLink => SENT_AGAIN,
            LinkPurpose::Reset => RESET,
        };
        let seal = |place: &[u8], plain: &[u8]| vault.seal(Purpose::Mail, &[place], plain).ok();
        let (by, mail) = (OrderedBy::Administrator, Some(&seal as _));
        roster.issue_link(caller, &LinkOrder { person: id, purpose, lifetime, by, mail }).map(drop)
    });
    work.await?;
    Ok(Done)
}

fn way(name: &str) -> Result<Way, Problem> {
    Way::ALL.into_iter().find(|way| way.name() == name).ok_or_else(|| {
        Problem::bad_request(format!("method: expected sso, magic-link or password, found {}", quoted(name)))
    })
}

fn refused(flaw: PasswordFlaw) -> Problem {
    Problem::bad_request(format!("password: {flaw}"))
}
