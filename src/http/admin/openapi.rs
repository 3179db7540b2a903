//! The API's own description (OpenAPI 3.1), made from the list of endpoints, for each door the one that is true there.

use std::sync::OnceLock;

use axum::http::Method;
use bytes::Bytes;
use utoipa::openapi::path::{HttpMethod, PathItem, PathItemBuilder, PathsBuilder};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};

use super::ask::Ask;
use super::endpoint::{Object, Schemas};
use super::list;
use super::query;
use crate::http::metrics::Door;
use crate::http::problem::Problem;
use crate::http::signin::cookies::SESSION;

const ABOUT: &str = "What administrators do with a rosterd: connections, tokens, the history, people. Lists are paged: `next` of an \
answer is `after` of the next request, and null at the end. Errors are problem documents (RFC 9457).";

/// Describes the API as it is behind a door.
pub fn document(door: Door) -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut components = ComponentsBuilder::new();
    for endpoint in list::endpoints(door) {
        let mut schemas = Schemas::new();
        let mut operation = endpoint.described(&mut schemas);
        if door == Door::Socket {
            operation.parameters.get_or_insert_default().push(query::tenant_described().into());
        }
        paths = paths.path(endpoint.path, item(&endpoint.method, operation));
        components = components.schemas_from_iter(schemas);
    }
    let info = InfoBuilder::new().title("rosterd admin API").version("1").description(Some(ABOUT)).build();
    let mut document = OpenApiBuilder::new().info(info);
    if let Some((name, scheme)) = credential(door) {
        components = components.security_scheme(name, scheme);
        document = document.security(Some([SecurityRequirement::new(name, Vec::<String>::new())]));
    }
    document.paths(paths.build()).components(Some(components.build())).build()
}

/// Describes what says for whom a request is.
fn credential(door: Door) -> Option<(&'static str, SecurityScheme)> {
    const TOKEN: &str =
        "A token of the connection local: rosterd token create --connection local --scopes admin";
    const COOKIE: &str = "The session of somebody who is signed in. What changes something takes a sign-in that is not long ago.";
    match door {
        Door::Socket => None,
        Door::Admin => {
            let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(TOKEN)).build();
            Some(("token", SecurityScheme::Http(scheme)))
        }
        Door::Public => {
            let value = ApiKeyValue::with_description(SESSION, COOKIE);
            Some(("session", SecurityScheme::ApiKey(ApiKey::Cookie(value))))
        }
    }
}

fn item(method: &Method, operation: utoipa::openapi::path::Operation) -> PathItem {
    let method = match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    };
    PathItemBuilder::new().operation(method, operation).build()
}

/// The description of a door as it is sent: made when it is asked for first, as most daemons never are.
#[derive(Debug)]
pub struct Written {
    door: Door,
    bytes: OnceLock<Bytes>,
}

impl Written {
    /// Says which door it is about.
    pub const fn of(door: Door) -> Self {
        Self { door, bytes: OnceLock::new() }
    }

    /// Returns it.
    pub fn bytes(&self) -> Bytes {
        // A document of plain texts always serialises.
        self.bytes.get_or_init(|| serde_json::to_vec(&document(self.door)).unwrap_or_default().into()).clone()
    }
}

/// Shows the description.
pub async fn show(ask: Ask) -> Result<Object, Problem> {
    Ok(Object(ask.document()))
}
