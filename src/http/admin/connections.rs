//! `/admin/v1/connections`: identity providers' connections, how they are, and what came in through them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ask::Ask;
use super::endpoint::{Found, Made};
use super::page::Page;
use super::query::{AFTER_NUMBER, Form, LIMIT, Parameter};
use super::report::{Report, RequestSeen};
use crate::http::problem::Problem;
use crate::ids::ConnectionId;
use crate::roster::{
    Caller, ConnectionChange, ConnectionOptions, ConnectionView, LOCAL_NAME, Roster, RosterError,
};
use crate::scim::error::quoted;

/// What the log of requests can be asked for.
pub const REQUESTS: [Parameter; 4] = [
    AFTER_NUMBER,
    LIMIT,
    Parameter::new("failed", Form::Switch, "Only what failed."),
    Parameter::new("bodies", Form::Switch, "With what was sent, secrets taken out."),
];

/// The profile that suits most providers.
const PROFILE_DEFAULT: &str = "auto";

/// A connection.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Its name.
    pub name: String,
    /// Its id, by which the history names it.
    #[schema(value_type = String, format = "uuid")]
    pub id: ConnectionId,
    /// The name of its profile.
    pub profile: String,
    /// It sees and may change every record of the tenant; what it changes is its own from then on.
    pub adopt: bool,
    /// A POST with the externalId of an inactive person of its own restores that person.
    pub reclaim_inactive: bool,
    /// When it was made; null for the built-in one.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created: Option<Timestamp>,
}

/// A connection to be made.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewConnection {
    /// Its name: lower-case letters, digits and inner hyphens.
    pub name: String,
    /// The name of its profile: `auto` for most providers.
    #[serde(default = "auto")]
    #[schema(default = "auto")]
    pub profile: String,
    /// See the connection.
    #[serde(default)]
    pub adopt: bool,
    /// See the connection.
    #[serde(default)]
    pub reclaim_inactive: bool,
}

fn auto() -> String {
    PROFILE_DEFAULT.to_owned()
}

/// What of a connection is to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangedConnection {
    /// The name of its profile.
    #[serde(default)]
    pub profile: Option<String>,
    /// See the connection.
    #[serde(default)]
    pub adopt: Option<bool>,
    /// See the connection.
    #[serde(default)]
    pub reclaim_inactive: Option<bool>,
}

impl From<ConnectionView> for Connection {
    fn from(view: ConnectionView) -> Self {
        let ConnectionView { name, id, profile, options, created } = view;
        let ConnectionOptions { adopt, reclaim_inactive } = options;
        Self { name, id, profile, adopt, reclaim_inactive, created }
    }
}

/// Lists the connections.
pub async fn list(ask: Ask) -> Result<Found<Page<Connection>>, Problem> {
    let mut connections = ask.edge().read(&ask.caller, Roster::connections)?;
    connections.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Found(Page::of(&ask, connections.into_iter().map(Connection::from), |one| one.name.clone())))
}

/// Shows one.
pub async fn show(ask: Ask) -> Result<Found<Connection>, Problem> {
    let name = ask.at("name").to_owned();
    let found = ask.edge().read(&ask.caller, |roster, caller| named(roster, caller, &name))?;
    Ok(Found(found.into()))
}

/// Makes one.
pub async fn make(ask: Ask, wanted: NewConnection) -> Result<Made<Connection>, Problem> {
    let made = ask.run(move |roster, caller, _| {
        let NewConnection { name, profile, adopt, reclaim_inactive } = wanted;
        roster.create_connection(caller, &name, &profile, ConnectionOptions { adopt, reclaim_inactive })?;
        named(roster, caller, &name)
    });
    Ok(Made(made.await?.into()))
}

/// Changes one.
pub async fn change(ask: Ask, wanted: ChangedConnection) -> Result<Found<Connection>, Problem> {
    let name = ask.at("name").to_owned();
    let changed = ask.run(move |roster, caller, _| {
        let ChangedConnection { profile, adopt, reclaim_inactive } = wanted;
        roster.change_connection(caller, &name, &ConnectionChange { profile, adopt, reclaim_inactive })
    });
    Ok(Found(changed.await?.into()))
}

/// Says how one is.
pub async fn report(ask: Ask) -> Result<Found<Report>, Problem> {
    let (name, doctor) = (ask.at("name").to_owned(), ask.doctor());
    let report = ask.run(move |_, caller, _| doctor.report(caller, &name)).await?;
    Ok(Found(report.into()))
}

/// Lists what came in.
pub async fn requests(ask: Ask) -> Result<Found<Page<RequestSeen>>, Problem> {
    let name = ask.at("name").to_owned();
    let found = ask.edge().read(&ask.caller, |roster, caller| named(roster, caller, &name))?;
    let (doctor, after, failed) = (ask.doctor(), ask.number("after").unwrap_or(0), ask.is_on("failed"));
    let mut seen =
        doctor.seen(&ask.caller, found.id, after, failed, ask.limit().saturating_add(1), ask.is_on("bodies"));
    let more = seen.len() > ask.limit();
    seen.truncate(ask.limit());
    let next = seen.last().filter(|_| more).map(|last| last.number.to_string());
    Ok(Found(Page { items: seen.into_iter().map(RequestSeen::from).collect(), next }))
}

fn named(roster: &Roster, caller: &Caller, name: &str) -> Result<ConnectionView, RosterError> {
    let found = roster.connections(caller)?.into_iter().find(|connection| connection.name == name);
    found.ok_or_else(|| {
        RosterError::Unknown(format!(
            "no connection is named {}; GET /admin/v1/connections lists them, and \"{LOCAL_NAME}\" is there always",
            quoted(name)
        ))
    })
}
