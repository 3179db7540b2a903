//! Every endpoint of the admin API, and nothing else: the router, the document, and the names in logs and metrics are made from this list.

use axum::http::Method;

use super::endpoint::{Endpoint, route};
use super::{
    audit, changes, clients, connections, memos, openapi, people, plugins, roll, schemas, sessions, sign_in,
    signing_keys, standing, tenants, tokens, users,
};
use crate::http::admin::query::PAGED;
use crate::http::metrics::Door;
use crate::roster::Deed::{
    AddPeople, ChangeConnections, EndCredentials, EndSessions, ErasePeople, LockPeople, MakeCredentials,
    RemovePeople, ReportUse, RunInstallation, SeeApi, SeeConnections, SeeCredentials, SeeHistory,
    SeeLicenses, SeePeople, SeeRights, SeeSchemas, SendLinks, SetSignIn, TransferAccount, WriteMemos,
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

        get("/admin/v1/identity-providers", SeeConnections, "listIdentityProviders", "Lists by whom people sign in, by name, with what must be entered there.").query(&PAGED).to(sessions::providers),
        delete("/admin/v1/identity-providers/{provider}/sessions", ChangeConnections, "endSessionsOfProvider", "Ends everything that anybody had signed in with through an identity provider.").to(sessions::end_of_provider),

        get("/admin/v1/tokens", SeeCredentials, "listTokens", "Lists live tokens, by id; never the tokens themselves.").query(&PAGED).to(tokens::list),
        post("/admin/v1/tokens", MakeCredentials, "makeToken", "Makes a token; the answer shows it this once.").taking(tokens::make),
        delete("/admin/v1/tokens/{id}", EndCredentials, "revokeToken", "Ends a token at once.").to(tokens::revoke),

        get("/admin/v1/clients", SeeCredentials, "listClients", "Lists the clients that fetch their tokens, by id.").query(&PAGED).to(clients::list),
        post("/admin/v1/clients", MakeCredentials, "makeClient", "Makes a client of a connection; the answer shows its secret this once.").taking(clients::make),
        delete("/admin/v1/clients/{id}", EndCredentials, "revokeClient", "Ends a client at once, with its secrets and its access tokens.").to(clients::revoke),
        post("/admin/v1/clients/{id}/secrets", MakeCredentials, "addSecret", "Gives a client another secret; the answer shows it this once.").taking(clients::add_secret),
        delete("/admin/v1/clients/{id}/secrets/{secret}", EndCredentials, "revokeSecret", "Ends a secret at once, with the access tokens it fetched.").to(clients::revoke_secret),
        put("/admin/v1/clients/{id}/federation", MakeCredentials, "federateClient", "Pins whose assertions stand for a client.").taking(clients::federate),

        get("/admin/v1/schemas", SeeSchemas, "listSchemas", "Lists the tenant's own schemas, by URN.").query(&PAGED).to(schemas::list),
        get("/admin/v1/schemas/{id}", SeeSchemas, "showSchema", "Shows the document of a schema.").query(&schemas::VERSION).to(schemas::show),

        get("/admin/v1/audit", SeeHistory, "listAudit", "Lists the history, oldest first.").query(&audit::LISTED).to(audit::list),
        get("/admin/v1/audit/export", SeeHistory, "exportAudit", "Exports the history, one JSON object a line, oldest first.").query(&audit::EXPORTED).to(audit::export),

        get("/admin/v1/changes", SeeHistory, "listChanges", "Reads the feed of changes after a number, and waits for the next.").query(&changes::ASKED).to(changes::read),

        get("/admin/v1/licenses", SeeLicenses, "listLicenses", "Lists licence pools with the seats that are taken, by id.").query(&PAGED).to(roll::licenses),

        get("/admin/v1/plugins/parked", SeePeople, "listParkedUsers", "Lists who waits to be mapped by plugins, by id.").query(&PAGED).to(plugins::parked),

        get("/admin/v1/signing-keys", RunInstallation, "listSigningKeys", "Lists the keys that sign for programs downstream, in the order in which they sign.").query(&PAGED).to(signing_keys::list),
        post("/admin/v1/signing-keys", RunInstallation, "turnSigningKeys", "Has another key sign for programs downstream.").taking(signing_keys::turn),

        get("/admin/v1/users", SeePeople, "listUsers", "Lists people, by id; who is locked only where that is asked for.").query(&people::SOUGHT).to(people::list),
        post("/admin/v1/users", AddPeople, "addUser", "Adds a person.").taking(people::add),
        get("/admin/v1/users/locked", SeePeople, "listLockedUsers", "Lists those who are locked, by id.").query(&PAGED).to(people::locked),
        get("/admin/v1/users/ambiguous", SeePeople, "listAmbiguousUsers", "Lists who may be one and the same: people of one display name and one email address.").query(&PAGED).to(roll::ambiguous),
        get("/admin/v1/users/report", SeeRights, "reportUsers", "Reports everybody with what they may do.").query(&roll::REPORT).to(roll::report),
        get("/admin/v1/users/{id}", SeePeople, "showUser", "Shows a person, departed or not, with their log.").query(&people::CARD).to(people::card),
        delete("/admin/v1/users/{id}", RemovePeople, "removeUser", "Removes a person who never signed in and of whom no program has records.").to(standing::remove),
        get("/admin/v1/users/{id}/activities", SeePeople, "listActivities", "Lists what happened to a person, newest first.").query(&memos::ACTIVITIES).to(memos::activities),
        post("/admin/v1/users/{id}/clone", AddPeople, "cloneUser", "Adds a person who may do what another may.").taking(people::copy),
        get("/admin/v1/users/{id}/holds", SeePeople, "listHolds", "Lists which programs have records of a person.").to(standing::holds),
        put("/admin/v1/users/{id}/holds/{system}", ReportUse, "holdUser", "Says that a program has records of a person.").taking(standing::hold),
        delete("/admin/v1/users/{id}/holds/{system}", ReportUse, "releaseUser", "Says that a program has no records of a person any more.").to(standing::release),
        get("/admin/v1/users/{id}/identities", SeePeople, "listIdentities", "Lists as whom a person signs in at identity providers.").to(sessions::identities),
        put("/admin/v1/users/{id}/identities/{provider}", EndSessions, "linkIdentity", "Says that an identity at a provider is a person's.").taking(sessions::link),
        delete("/admin/v1/users/{id}/identities/{provider}", EndSessions, "unlinkIdentity", "Says that it is nobody's any more, and ends everything that the person had signed in with.").to(sessions::unlink),
        put("/admin/v1/users/{id}/lock", LockPeople, "lockUser", "Locks a person: they are let in no more, and their data stay.").taking(standing::lock),
        delete("/admin/v1/users/{id}/lock", LockPeople, "unlockUser", "Takes a lock on a person back.").query(&standing::UNLOCK).to(standing::unlock),
        post("/admin/v1/users/{id}/links", SendLinks, "sendLink", "Sends a person a link to their own address: to come in by, for the first time or again, or to set a password by.").taking(sign_in::send_link),
        get("/admin/v1/users/{id}/memos", SeePeople, "listMemos", "Lists the memos about a person, oldest first.").query(&PAGED).to(memos::list),
        post("/admin/v1/users/{id}/memos", WriteMemos, "addMemo", "Writes a memo about a person.").taking(memos::add),
        delete("/admin/v1/users/{id}/memos/{memo}", WriteMemos, "removeMemo", "Removes a memo.").to(memos::remove),
        put("/admin/v1/users/{id}/password", SetSignIn, "setPassword", "Gives a person a password, without asking for the old one.").taking(sign_in::set_password),
        delete("/admin/v1/users/{id}/password", SetSignIn, "clearPassword", "Takes a person's password away; what it opened ends.").to(sign_in::clear_password),
        get("/admin/v1/users/{id}/permissions", SeeRights, "explainPermissions", "Explains what a person may do, and why.").to(standing::permissions),
        delete("/admin/v1/users/{id}/second-factor", SetSignIn, "clearSecondFactor", "Takes a person's second factor away.").to(sign_in::clear_second_factor),
        get("/admin/v1/users/{id}/sessions", SeePeople, "listSessions", "Lists where a person is signed in, latest first.").to(sessions::list),
        delete("/admin/v1/users/{id}/sessions", EndSessions, "endSessions", "Ends everything that a person had signed in with, at once.").to(sessions::end_all),
        delete("/admin/v1/users/{id}/sessions/{session}", EndSessions, "endSession", "Ends one session of a person.").to(sessions::end),
        get("/admin/v1/users/{id}/sign-in", SeePeople, "showSignIn", "Shows how a person signs in, and with what.").to(sign_in::show),
        put("/admin/v1/users/{id}/sign-in", SetSignIn, "setSignIn", "Says how a person signs in; everything that they had signed in with is ended.").taking(sign_in::set_method),
        post("/admin/v1/users/{id}/sign-ins", ReportUse, "reportSignIn", "Says that a person has signed in.").taking(standing::signed_in),
        post("/admin/v1/users/{id}/transfer", TransferAccount, "transferAccount", "Gives the account to a person, who must be an administrator.").to(standing::transfer),
        post("/admin/v1/users/{id}/erase", ErasePeople, "eraseUser", "Erases what is left of a person who was deleted.").to(users::erase),
    ]
}
