//! Every endpoint of the admin API, and nothing else: the router, the document, and the names in logs and metrics are made from this list.

use axum::http::Method;

use super::endpoint::{Endpoint, route};
use super::{audit, changes, clients, connections, openapi, schemas, tenants, tokens, users};
use crate::http::admin::query::PAGED;
use crate::http::metrics::Door;
use crate::roster::Deed::{
    ChangeConnections, ChangeCredentials, ErasePeople, RunInstallation, SeeApi, SeeConnections,
    SeeCredentials, SeeHistory, SeeSchemas,
};

/// Lists what a door serves. What concerns the installation is served by the socket only, which only the owner of the data folder can open.
pub fn endpoints(door: Door) -> Vec<Endpoint> {
    let mut all = all();
    all.retain(|endpoint| endpoint.deed != RunInstallation || door == Door::Socket);
    all
}

/// Lists the paths, as the router writes them.
pub fn paths() -> Vec<&'static str> {
    let mut paths: Vec<&'static str> = all().into_iter().map(|endpoint| endpoint.path).collect();
    paths.dedup();
    paths
}

// One line each, in the order of their paths.
#[rustfmt::skip]
fn all() -> Vec<Endpoint> {
    let get = |path, deed, name, says| route(Method::GET, path, deed, name, says);
    let post = |path, deed, name, says| route(Method::POST, path, deed, name, says);
    let put = |path, deed, name, says| route(Method::PUT, path, deed, name, says);
    let patch = |path, deed, name, says| route(Method::PATCH, path, deed, name, says);
    let delete = |path, deed, name, says| route(Method::DELETE, path, deed, name, says);
    vec![
        get("/admin/v1/openapi.json", SeeApi, "showApi", "Describes this API.").to(openapi::show),

        get("/admin/v1/tenants", RunInstallation, "listTenants", "Lists the tenants, by name.").query(&PAGED).to(tenants::list),
        post("/admin/v1/tenants", RunInstallation, "makeTenant", "Makes a tenant.").taking(tenants::make),

        get("/admin/v1/connections", SeeConnections, "listConnections", "Lists the connections, by name.").query(&PAGED).to(connections::list),
        post("/admin/v1/connections", ChangeConnections, "makeConnection", "Makes a connection for an identity provider.").taking(connections::make),
        get("/admin/v1/connections/{name}", SeeConnections, "showConnection", "Shows a connection.").to(connections::show),
        patch("/admin/v1/connections/{name}", ChangeConnections, "changeConnection", "Changes a connection's profile or options.").taking(connections::change),
        get("/admin/v1/connections/{name}/report", SeeConnections, "examineConnection", "Says whether a connection is well, and what to do where it is not.").to(connections::report),
        get("/admin/v1/connections/{name}/requests", SeeConnections, "listRequests", "Lists what a connection asked of late, oldest first.").query(&connections::REQUESTS).to(connections::requests),

        get("/admin/v1/tokens", SeeCredentials, "listTokens", "Lists live tokens, by id; never the tokens themselves.").query(&PAGED).to(tokens::list),
        post("/admin/v1/tokens", ChangeCredentials, "makeToken", "Makes a token; the answer shows it this once.").taking(tokens::make),
        delete("/admin/v1/tokens/{id}", ChangeCredentials, "revokeToken", "Ends a token at once.").to(tokens::revoke),

        get("/admin/v1/clients", SeeCredentials, "listClients", "Lists the clients that fetch their tokens, by id.").query(&PAGED).to(clients::list),
        post("/admin/v1/clients", ChangeCredentials, "makeClient", "Makes a client of a connection; the answer shows its secret this once.").taking(clients::make),
        delete("/admin/v1/clients/{id}", ChangeCredentials, "revokeClient", "Ends a client at once, with its secrets and its access tokens.").to(clients::revoke),
        post("/admin/v1/clients/{id}/secrets", ChangeCredentials, "addSecret", "Gives a client another secret; the answer shows it this once.").taking(clients::add_secret),
        delete("/admin/v1/clients/{id}/secrets/{secret}", ChangeCredentials, "revokeSecret", "Ends a secret at once, with the access tokens it fetched.").to(clients::revoke_secret),
        put("/admin/v1/clients/{id}/federation", ChangeCredentials, "federateClient", "Pins whose assertions stand for a client.").taking(clients::federate),

        get("/admin/v1/schemas", SeeSchemas, "listSchemas", "Lists the tenant's own schemas, by URN.").query(&PAGED).to(schemas::list),
        get("/admin/v1/schemas/{id}", SeeSchemas, "showSchema", "Shows the document of a schema.").query(&schemas::VERSION).to(schemas::show),

        get("/admin/v1/audit", SeeHistory, "listAudit", "Lists the history, oldest first.").query(&audit::LISTED).to(audit::list),
        get("/admin/v1/audit/export", SeeHistory, "exportAudit", "Exports the history, one JSON object a line, oldest first.").query(&audit::EXPORTED).to(audit::export),

        get("/admin/v1/changes", SeeHistory, "listChanges", "Reads the feed of changes after a number, and waits for the next.").query(&changes::ASKED).to(changes::read),

        post("/admin/v1/users/{id}/erase", ErasePeople, "eraseUser", "Erases what is left of a person who was deleted.").to(users::erase),
    ]
}
