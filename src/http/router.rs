//! Every route, and nothing else. A route is here, in [`PUBLIC`] or [`ADMIN`] (from which logs, metrics and tests know it), or it does not exist (X73).
//! `/scim/v2` stands for the base path, which is a setting: `refuse` writes the one for the other, so that logs and metrics name routes alike everywhere.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Extension, Router};

use super::access::{self, EVALUATION, EVALUATIONS};
use super::admin;
use super::admin::archive::ARCHIVE_PATH;
use super::admin::desk::{Desks, PLUGINS_PATH};
use super::admin::endpoint::Frame;
use super::admin::openapi::Written;
use super::drain::Drain;
use super::edge::Edge;
use super::health::{self, AskReadiness};
use super::metrics::{Door, Metrics};
use super::oauth::{self, TOKEN_PATH};
use super::scim::{bulk, discovery, list, resource};
use super::signin;

/// The templates of the public listener, beside those of sign-in (`signin::PATHS`).
pub const PUBLIC: [&str; 39] = [
    "/livez",
    "/readyz",
    TOKEN_PATH,
    EVALUATION,
    EVALUATIONS,
    "/scim/v2",
    "/scim/v2/",
    "/scim/v2/.search",
    "/scim/v2/ServiceProviderConfig",
    "/scim/v2/Schemas",
    "/scim/v2/Schemas/{id}",
    "/scim/v2/ResourceTypes",
    "/scim/v2/ResourceTypes/{id}",
    "/scim/v2/Me",
    "/scim/v2/Bulk",
    "/scim/v2/Users",
    "/scim/v2/Users/.search",
    "/scim/v2/Users/{id}",
    "/scim/v2/Groups",
    "/scim/v2/Groups/.search",
    "/scim/v2/Groups/{id}",
    "/scim/v2/UserTypes",
    "/scim/v2/UserTypes/.search",
    "/scim/v2/UserTypes/{id}",
    "/scim/v2/CostCenters",
    "/scim/v2/CostCenters/.search",
    "/scim/v2/CostCenters/{id}",
    "/scim/v2/EmploymentTemplates",
    "/scim/v2/EmploymentTemplates/.search",
    "/scim/v2/EmploymentTemplates/{id}",
    "/scim/v2/Companies",
    "/scim/v2/Companies/.search",
    "/scim/v2/Companies/{id}",
    "/scim/v2/Clients",
    "/scim/v2/Clients/.search",
    "/scim/v2/Clients/{id}",
    "/scim/v2/LicensePools",
    "/scim/v2/LicensePools/.search",
    "/scim/v2/LicensePools/{id}",
];

/// The templates that the admin listener and the admin socket add, beside the endpoints of the API (`admin::list`).
pub const ADMIN: [&str; 6] =
    ["/metrics", "/admin/v1/operate", "/admin/v1/inspect", "/admin/v1/webhooks", PLUGINS_PATH, ARCHIVE_PATH];

/// Lists every template of every listener.
pub fn templates() -> Vec<&'static str> {
    PUBLIC.into_iter().chain(signin::PATHS).chain(ADMIN).chain(admin::list::paths()).collect()
}

/// Serves the public listener.
pub fn public(edge: Edge, ready: AskReadiness, drain: Drain) -> Router {
    let mut scim = Router::new()
        .route(TOKEN_PATH, post(oauth::token))
        .route(EVALUATION, post(access::evaluation))
        .route(EVALUATIONS, post(access::evaluations))
        .route("/scim/v2/ServiceProviderConfig", get(discovery::service_provider_config))
        .route("/scim/v2/Schemas", get(discovery::schemas))
        .route("/scim/v2/Schemas/{id}", get(discovery::schema))
        .route("/scim/v2/ResourceTypes", get(discovery::resource_types))
        .route("/scim/v2/ResourceTypes/{id}", get(discovery::resource_type))
        .route("/scim/v2/Me", get(discovery::me))
        .route("/scim/v2/Bulk", post(bulk::post))
        .route("/scim/v2", get(list::get_all))
        .route("/scim/v2/", get(list::get_all))
        .route("/scim/v2/.search", post(list::search_all));
    for kind in edge.roster().kinds().iter() {
        let collection = get(list::get).post(resource::post);
        let one = get(resource::get).put(resource::put).patch(resource::patch).delete(resource::delete);
        scim = scim
            .route(&format!("/scim/v2{}", kind.endpoint), collection)
            .route(&format!("/scim/v2{}/.search", kind.endpoint), post(list::search))
            .route(&format!("/scim/v2{}/{{id}}", kind.endpoint), one);
    }
    let scim = scim.merge(signin::router()).method_not_allowed_fallback(admin::no_such_method);
    scim.fallback(admin::nothing_here).with_state(edge).merge(health::router(ready, drain))
}

/// Serves the API on the public listener, to administrators who are signed in. Where `admin.by_session` is on.
pub fn by_session(frame: Frame) -> Router {
    api(frame, Door::Public)
}

/// Serves the admin listener: probes, metrics, and the API for whoever has a token of an administrator. Commands need the socket.
pub fn admin_listener(frame: Frame, metrics: Arc<Metrics>, ready: AskReadiness) -> Router {
    let drain = frame.drain.clone();
    api(frame, Door::Admin).merge(probes(metrics, ready, drain))
}

fn probes(metrics: Arc<Metrics>, ready: AskReadiness, drain: Drain) -> Router {
    health::router(ready, drain).route("/metrics", get(async move || metrics.page()))
}

/// Serves the endpoints of the API that a door has.
fn api(frame: Frame, door: Door) -> Router {
    let frame = Frame { document: Arc::new(Written::of(door)), ..frame };
    let endpoints = admin::list::endpoints(door).into_iter();
    endpoints
        .fold(Router::new(), |router, endpoint| router.route(endpoint.path, endpoint.service))
        .with_state(frame)
}

/// Serves the admin socket, which only the owner of the data folder can open.
pub fn admin_socket(frame: Frame, desks: Desks, metrics: Arc<Metrics>, ready: AskReadiness) -> Router {
    let drain = frame.drain.clone();
    Router::new()
        .route("/admin/v1/operate", post(admin::operate))
        .route("/admin/v1/inspect", post(admin::inspect))
        .layer(Extension(Arc::clone(&frame.doctor)))
        .route("/admin/v1/webhooks", post(admin::webhooks))
        .route(PLUGINS_PATH, post(admin::desk::order))
        .layer(Extension(desks.plugins))
        .route(ARCHIVE_PATH, post(admin::archive::stream))
        .layer(Extension(desks.archive))
        .layer(DefaultBodyLimit::disable())
        .with_state(frame.edge.clone())
        .merge(api(frame, Door::Socket))
        .merge(probes(metrics, ready, drain))
}
