//! `/admin/v1/schemas`: the schemas of the tenant's own. They are changed from the command line (`rosterd schema`).

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::ask::Ask;
use super::endpoint::{Found, Object};
use super::page::Page;
use super::query::{Form, Parameter};
use crate::http::problem::Problem;
use crate::roster::{Roster, SchemaView};

/// Which version is shown.
pub const VERSION: [Parameter; 1] = [Parameter::new(
    "version",
    Form::Number(1, u32::MAX as u64),
    "Which version; the one that holds where nothing is said.",
)];

/// A schema.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// Its URN.
    pub id: String,
    /// A short name for people.
    pub name: String,
    /// The name of the kind it extends.
    pub extends: String,
    /// The version that holds.
    pub version: u32,
    /// How many attributes it has.
    pub attributes: usize,
    /// The names of the connections it was given to.
    pub connections: Vec<String>,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub changed: Timestamp,
    /// Whether resources are still being indexed for it.
    pub building: bool,
}

impl From<SchemaView> for Schema {
    fn from(view: SchemaView) -> Self {
        let SchemaView { id, name, extends, version, attributes, connections, changed, building } = view;
        Self { id, name, extends, version, attributes, connections, changed, building }
    }
}

/// Lists the schemas.
pub async fn list(ask: Ask) -> Result<Found<Page<Schema>>, Problem> {
    let mut schemas = ask.edge().read(&ask.caller, Roster::schemas)?;
    schemas.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(Found(Page::of(&ask, schemas.into_iter().map(Schema::from), |schema| schema.id.clone())))
}

/// Shows one.
pub async fn show(ask: Ask) -> Result<Object, Problem> {
    let version = ask.number("version").and_then(|version| u32::try_from(version).ok());
    let id = ask.at("id").to_owned();
    let document =
        ask.edge().read(&ask.caller, |roster, caller| roster.schema_document(caller, &id, version))?;
    Ok(Object(document.to_string().into()))
}
