//! `/admin/v1/users/{id}/sessions` and `/identities`, `/admin/v1/identity-providers`: how people sign in, and what of it is ended (P06, X46).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ask::Ask;
use super::endpoint::{Done, Found};
use super::page::Page;
use super::people::person_id;
use crate::http::problem::Problem;
use crate::roster::{LinkView, RosterError, SessionView};
use crate::scim::error::quoted;

/// Longest issuer or subject.
const CLAIM_CHARACTERS_MAX: usize = 512;

/// A session of a person.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonSession {
    /// Its name, which opens nothing.
    pub id: String,
    /// How it began: `oidc`, `password` or `magic-link`.
    pub method: &'static str,
    /// By which identity provider.
    pub provider: Option<String>,
    /// When the person proved who they are.
    #[schema(value_type = String, format = DateTime)]
    pub signed_in: Timestamp,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When it was last used, to the minute.
    #[schema(value_type = String, format = DateTime)]
    pub seen: Timestamp,
    /// When it ends at the latest.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
    /// From where it was begun.
    pub address: String,
    /// With what program.
    pub agent: String,
}

/// Sessions of a person.
#[derive(Serialize, ToSchema)]
pub struct Sessions {
    /// Those that are good, latest first.
    pub items: Vec<PersonSession>,
}

/// An identity at a provider.
#[derive(Serialize, ToSchema)]
pub struct PersonIdentity {
    /// The provider's name.
    pub provider: String,
    /// Who speaks.
    pub issuer: String,
    /// Of whom.
    pub subject: String,
    /// Since when it is known.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// How it was found: `external-id`, `email` or `administrator`.
    pub by: String,
}

/// Identities of a person.
#[derive(Serialize, ToSchema)]
pub struct Identities {
    /// At most one of each provider.
    pub items: Vec<PersonIdentity>,
}

/// An identity that is to be a person's.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedIdentity {
    /// The subject, letter for letter as the provider's tokens say it (`sub`).
    pub subject: String,
    /// The issuer; the provider's own where it is left out.
    #[serde(default)]
    pub issuer: Option<String>,
}

/// A provider by which people sign in, with what must be entered there.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityProvider {
    /// Its name.
    pub name: String,
    /// What its button says.
    pub title: String,
    /// Whether it is asked.
    pub enabled: bool,
    /// Its issuer.
    pub issuer: String,
    /// The id of rosterd there.
    pub client_id: String,
    /// The connection by which it provisions.
    pub connection: Option<String>,
    /// The claim that says whom that connection means.
    pub key_claim: String,
    /// Domains of addresses that lead here.
    pub domains: Vec<String>,
    /// To be entered there as sign-in redirect URI.
    pub redirect_uri: String,
    /// To be entered there as sign-out redirect URI.
    pub post_logout_redirect_uri: String,
    /// To be entered there as the URI that begins a sign-in (Okta: Initiate login URI).
    pub initiate_login_uri: String,
    /// To be entered there for back-channel logout.
    pub backchannel_logout_uri: String,
    /// To be entered there for Okta's Universal Logout, with subjects as issuer and subject.
    pub global_token_revocation_uri: String,
}

impl From<SessionView> for PersonSession {
    fn from(view: SessionView) -> Self {
        let SessionView { id, method, provider, signed_in, created, seen, expires, address, agent, .. } =
            view;
        let method = method.name();
        Self { id, method, provider, signed_in, created, seen, expires, address, agent }
    }
}

impl From<LinkView> for PersonIdentity {
    fn from(view: LinkView) -> Self {
        let LinkView { provider, issuer, subject, since, by } = view;
        Self { provider, issuer, subject, since, by }
    }
}

/// Lists where somebody is signed in.
pub async fn list(ask: Ask) -> Result<Found<Sessions>, Problem> {
    let id = person_id(&ask)?;
    let edge = ask.edge().clone();
    let listed = ask.run(move |roster, caller, _| {
        roster.person_view(caller, id)?;
        let lifetimes = roster.lifetimes(caller.tenant())?;
        roster.sessions(caller, id, lifetimes, &|provider| edge.desk().is_open(provider))
    });
    Ok(Found(Sessions { items: listed.await?.into_iter().map(PersonSession::from).collect() }))
}

/// Ends everything that somebody had signed in with.
pub async fn end_all(ask: Ask) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    ask.run(move |roster, caller, _| roster.end_everything(caller, id)).await?;
    Ok(Done)
}

/// Ends one session.
pub async fn end(ask: Ask) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    let name = ask.at("session").to_owned();
    ask.run(move |roster, caller, _| roster.end_session_named(caller, id, &name)).await?;
    Ok(Done)
}

/// Lists somebody's identities.
pub async fn identities(ask: Ask) -> Result<Found<Identities>, Problem> {
    let id = person_id(&ask)?;
    let links = ask.run(move |roster, caller, _| {
        roster.person_view(caller, id)?;
        roster.links(caller, id)
    });
    Ok(Found(Identities { items: links.await?.into_iter().map(PersonIdentity::from).collect() }))
}

/// Says that an identity is somebody's.
pub async fn link(ask: Ask, wanted: WantedIdentity) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    let name = ask.at("provider").to_owned();
    let edge = ask.edge().clone();
    let sound = |text: &str| {
        !text.is_empty() && text.len() <= CLAIM_CHARACTERS_MAX && !text.chars().any(char::is_control)
    };
    if !sound(&wanted.subject) || !wanted.issuer.as_deref().is_none_or(sound) {
        return Err(Problem::bad_request(format!(
            "expected a subject (and an issuer) of 1 to {CLAIM_CHARACTERS_MAX} characters, as the provider's tokens have them"
        )));
    }
    let work = ask.run(move |roster, caller, _| {
        let known = edge.desk().offer().providers.get(&name).cloned();
        let ours = known.filter(|opened| {
            let door = roster.doorkeeper(&opened.tenant, roster.request_id());
            door.is_ok_and(|door| door.tenant() == caller.tenant())
        });
        let Some(opened) = ours else {
            return Err(RosterError::Unknown(format!(
                "no identity provider is called {}; GET /admin/v1/identity-providers lists them",
                quoted(&name)
            )));
        };
        let issuer = match wanted.issuer.as_deref() {
            Some(issuer) if opened.provider.is_issuer(issuer) => issuer,
            None if !opened.provider.has_tenants() => opened.provider.issuer(),
            _ => {
                return Err(RosterError::Unfit(
                    "expected the issuer that the provider's tokens name, with the directory filled in"
                        .to_owned(),
                ));
            }
        };
        roster.link(caller, id, (&name, issuer, &wanted.subject))
    });
    work.await?;
    Ok(Done)
}

/// Says that somebody's identity at a provider is nobody's any more.
pub async fn unlink(ask: Ask) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    let provider = ask.at("provider").to_owned();
    ask.run(move |roster, caller, _| roster.unlink(caller, id, &provider)).await?;
    Ok(Done)
}

/// Lists the tenant's providers, with what must be entered there.
pub async fn providers(ask: Ask) -> Result<Found<Page<IdentityProvider>>, Problem> {
    let desk_of = ask.edge().clone();
    let listed = ask.run(move |roster, caller, _| {
        let desk = desk_of.desk();
        let at = |name: &str, what: &str| format!("{}/sso/{name}/{what}", desk.public_url);
        let mut all = Vec::new();
        for (name, opened) in &desk.offer().providers {
            let door = match roster.doorkeeper(&opened.tenant, roster.request_id()) {
                Ok(door) => door,
                Err(RosterError::NotFound) => continue,
                Err(error) => return Err(error),
            };
            if door.tenant() != caller.tenant() {
                continue;
            }
            all.push(IdentityProvider {
                name: name.clone(),
                title: opened.title.clone(),
                enabled: opened.enabled,
                issuer: opened.provider.issuer().to_owned(),
                client_id: opened.provider.client_id().to_owned(),
                connection: opened.connection.clone(),
                key_claim: opened.key_claim.clone(),
                domains: opened.domains.clone(),
                redirect_uri: desk.redirect_uri(name),
                post_logout_redirect_uri: format!("{}/logout", desk.public_url),
                initiate_login_uri: at(name, "initiate"),
                backchannel_logout_uri: at(name, "backchannel-logout"),
                global_token_revocation_uri: at(name, "global-token-revocation"),
            });
        }
        Ok(all)
    });
    let listed = listed.await?;
    Ok(Found(Page::of(&ask, listed, |one| one.name.clone())))
}

/// Ends everything that anybody had signed in with through a provider.
pub async fn end_of_provider(ask: Ask) -> Result<Done, Problem> {
    let name = ask.at("provider").to_owned();
    ask.run(move |roster, caller, _| roster.end_sessions_of_provider(caller, &name)).await?;
    Ok(Done)
}
