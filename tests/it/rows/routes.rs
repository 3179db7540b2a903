//! X4, X8, X73: every route, every verb, every scope.

use std::collections::BTreeSet;

use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::http::router::{ADMIN, PUBLIC, templates};
use rosterd::roster::Scope;
use serde_json::json;

use crate::support::bodies::{group, replace, user};
use crate::support::{Answer, Client, Request, TestApp};

/// What a verb on a route needs, and how it is answered then.
struct Verb {
    name: &'static str,
    needs: Needs,
    status: u16,
}

#[derive(Clone, Copy, PartialEq)]
enum Needs {
    /// Nothing at all.
    Nothing,
    /// A credential, whatever its scopes.
    Credential,
    /// A credential with this scope.
    Scope(Scope),
    /// A credential that reads something.
    Reading,
    /// A credential that reads or changes people; to others there is no such thing.
    People,
}

const VERBS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

fn verb(name: &'static str, needs: Needs, status: u16) -> Verb {
    Verb { name, needs, status }
}

/// The matrix: what each route takes. A verb that is not listed is 405.
fn matrix(route: &str) -> Option<Vec<Verb>> {
    use Needs::{Credential, Nothing};
    let read = |needs, status| vec![verb("GET", needs, status), verb("HEAD", needs, status)];
    let collection = |reads, writes| {
        let mut verbs = read(Needs::Scope(reads), 200);
        verbs.push(verb("POST", Needs::Scope(writes), 201));
        verbs
    };
    let one = |reads, writes, patched| {
        let mut verbs = read(Needs::Scope(reads), 200);
        verbs.extend(
            [("PUT", 200), ("PATCH", patched), ("DELETE", 204)]
                .map(|(name, status)| verb(name, Needs::Scope(writes), status)),
        );
        verbs
    };
    Some(match route {
        "/livez" | "/readyz" => read(Nothing, 200),
        // Wants a form, and says so to everybody: whoever comes here has no token yet.
        "/oauth2/token" => vec![verb("POST", Nothing, 400)],
        "/access/v1/evaluation" | "/access/v1/evaluations" => {
            vec![verb("POST", Needs::Scope(Scope::KindsRead), 200)]
        }
        "/scim/v2/ServiceProviderConfig" | "/scim/v2/Schemas" | "/scim/v2/ResourceTypes" => {
            read(Credential, 200)
        }
        // It is people's that is asked for.
        "/scim/v2/Schemas/{id}" | "/scim/v2/ResourceTypes/{id}" => read(Needs::People, 200),
        "/scim/v2/Me" => read(Credential, 501),
        "/scim/v2/Bulk" => vec![verb("POST", Needs::Scope(Scope::Bulk), 200)],
        "/scim/v2" | "/scim/v2/" => read(Needs::Reading, 200),
        "/scim/v2/.search" => vec![verb("POST", Needs::Reading, 200)],
        "/scim/v2/Users/.search" => vec![verb("POST", Needs::Scope(Scope::UsersRead), 200)],
        "/scim/v2/Groups/.search" => vec![verb("POST", Needs::Scope(Scope::GroupsRead), 200)],
        "/scim/v2/Users" => collection(Scope::UsersRead, Scope::UsersWrite),
        "/scim/v2/Users/{id}" => one(Scope::UsersRead, Scope::UsersWrite, 200),
        "/scim/v2/Groups" => collection(Scope::GroupsRead, Scope::GroupsWrite),
        "/scim/v2/Groups/{id}" => one(Scope::GroupsRead, Scope::GroupsWrite, 204),
        _ => match firms_own(route)? {
            (_, "") => collection(Scope::KindsRead, Scope::KindsWrite),
            (_, "/.search") => vec![verb("POST", Needs::Scope(Scope::KindsRead), 200)],
            (_, "/{id}") => one(Scope::KindsRead, Scope::KindsWrite, 200),
            _ => return None,
        },
    })
}

/// The firm's own kinds: the endpoint of a route, and what follows it.
fn firms_own(route: &str) -> Option<(&str, &str)> {
    let kinds = ["UserTypes", "CostCenters", "EmploymentTemplates", "Companies", "Clients", "LicensePools"];
    let path = route.strip_prefix("/scim/v2")?;
    let name = path.split('/').nth(1).filter(|name| kinds.contains(name))?;
    Some(path.split_at(name.len() + 1))
}

/// A world in which every request of the matrix has something to be about.
struct Field<'a> {
    app: &'a TestApp,
    admin: Client,
    made: usize,
}

impl<'a> Field<'a> {
    fn new(app: &'a TestApp) -> Self {
        let admin = app.issue(FIRST_TENANT, "local", &["kinds:read", "kinds:write"]).0;
        Self { app, admin, made: 0 }
    }

    /// Sends a verb at a route, with a body that would be good and an id that exists.
    fn send(&mut self, client: &Client, method: &str, route: &str) -> Answer {
        self.made += 1;
        let name = format!("name-{}", self.made);
        let (id, body) = match route.split('/').nth(3) {
            Some("Users") => {
                (self.app.post("/Users", &user(&name)).expect(201).id(), user(&format!("{name}-new")))
            }
            Some("Groups") => (
                self.app.post("/Groups", &group(&name, &[])).expect(201).id(),
                group(&format!("{name}-new"), &[]),
            ),
            Some("Bulk") => (
                String::new(),
                json!({ "Operations": [{ "method": "POST", "path": "/Users", "bulkId": "u", "data": user(&name) }] }),
            ),
            Some("evaluation" | "evaluations") => {
                let thing = json!({ "type": "user", "id": "nobody" });
                (
                    String::new(),
                    json!({ "subject": thing, "action": { "name": "users.view" }, "resource": thing }),
                )
            }
            Some("Schemas") => ("urn:ietf:params:scim:schemas:core:2.0:User".to_owned(), json!({})),
            _ => match firms_own(route) {
                Some((endpoint, _)) => {
                    let body = |name: &str| json!({ "displayName": name, "seats": 1 });
                    (self.admin.post(endpoint, &body(&name)).expect(201).id(), body(&format!("{name}-new")))
                }
                None => ("User".to_owned(), json!({})),
            },
        };
        let request = Request::new(method, route.replace("{id}", &id));
        client.send(&match method {
            "POST" | "PUT" => request.json(&body),
            "PATCH" => request.json(&replace("displayName", format!("{name}-patched"))),
            _ => request,
        })
    }
}

#[test]
fn x4_every_route_verb_and_scope_is_answered_as_the_matrix_says() {
    let app = TestApp::start();
    let sets: Vec<Option<Vec<Scope>>> = std::iter::once(None)
        .chain(Scope::ALL.into_iter().map(|scope| Some(vec![scope])))
        .chain([Some(Scope::ALL.to_vec())])
        .collect();
    let mut field = Field::new(&app);
    for (number, scopes) in sets.into_iter().enumerate() {
        let client = match &scopes {
            None => app.stranger(),
            Some(scopes) => {
                let connection = format!("c{number}");
                app.operate(rosterd::roster::Command::ConnectionCreate {
                    tenant: FIRST_TENANT.to_owned(),
                    name: connection.clone(),
                    profile: "auto".to_owned(),
                    options: rosterd::roster::ConnectionOptions { adopt: true, ..Default::default() },
                });
                let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
                app.issue(FIRST_TENANT, &connection, &names).0
            }
        };
        for route in PUBLIC {
            let verbs =
                matrix(route).unwrap_or_else(|| panic!("{route} is served, and missing in the matrix"));
            for name in VERBS {
                let status = match verbs.iter().find(|verb| verb.name == name) {
                    None => 405,
                    Some(verb) => match (verb.needs, &scopes) {
                        (Needs::Nothing, _) | (Needs::Credential, Some(_)) => verb.status,
                        (_, None) => 401,
                        (Needs::Scope(scope), Some(scopes)) if scopes.contains(&scope) => verb.status,
                        (Needs::Reading, Some(scopes))
                            if [Scope::UsersRead, Scope::GroupsRead, Scope::KindsRead]
                                .iter()
                                .any(|it| scopes.contains(it)) =>
                        {
                            verb.status
                        }
                        // To a connection that groups were not given to, there are none (D-E1).
                        (Needs::Scope(Scope::GroupsRead), Some(scopes))
                            if scopes.contains(&Scope::UsersRead) && !route.contains("{id}") =>
                        {
                            verb.status
                        }
                        (Needs::People, Some(scopes)) => {
                            let reach = [Scope::UsersRead, Scope::UsersWrite];
                            if reach.iter().any(|it| scopes.contains(it)) { verb.status } else { 404 }
                        }
                        (Needs::Scope(_) | Needs::Reading, Some(_)) => 403,
                    },
                };
                let answer = field.send(&client, name, route);
                assert_eq!(answer.status, status, "{name} {route} with {scopes:?}: {}", answer.text());
            }
        }
    }
}

#[test]
fn x4_no_scope_makes_more_of_itself() {
    let app = TestApp::start();
    let (reader, _) = app.issue(FIRST_TENANT, "idp", &["users:read"]);
    // Members are groups' business, users are users' business.
    let ada = app.post("/Users", &user("ada")).expect(201).id();
    let crew = app.post("/Groups", &group("crew", &[&ada])).expect(201).id();
    reader.get(&format!("/Groups/{crew}")).refused(403, None);
    reader.post("/Users", &user("eve")).refused(403, None);
    assert_eq!(reader.get("/Groups").expect(200).json()["totalResults"], 0, "the crew is not for it");
    reader.patch(&format!("/Users/{ada}"), &replace("active", false)).refused(403, None);
    reader.post("/Groups", &group("crowd", &[&ada])).refused(403, None);
    assert_eq!(reader.get("/Users").expect(200).json()["totalResults"], 1);
}

#[test]
fn x8_without_a_token_nothing_can_be_learnt_about_what_exists() {
    let app = TestApp::start();
    let ada = app.post("/Users", &user("ada")).expect(201).id();
    let crowd = app.post("/Groups", &group("crowd", &[&ada])).expect(201).id();
    for client in [app.stranger(), app.with("rost_nobody")] {
        for (path, id) in [("/Users", &ada), ("/Groups", &crowd)] {
            for method in ["GET", "PUT", "PATCH", "DELETE", "HEAD"] {
                let ask = |id: &str| {
                    let request = Request::scim(method, &format!("{path}/{id}"));
                    client.send(&if method == "GET" || method == "HEAD" {
                        request
                    } else {
                        request.json(&json!({}))
                    })
                };
                let missing = ask("0192f0c1-2b3c-7def-8123-456789abcdef");
                assert_eq!(missing.status, 401);
                assert_eq!(ask(id).essence(), missing.essence(), "{method} {path}");
                assert_eq!(ask("not-an-id").essence(), missing.essence(), "{method} {path}");
            }
        }
        assert_eq!(client.get("/Nowhere").essence(), client.get("/Users").essence());
    }
}

#[test]
fn x8_no_spelling_of_a_path_gets_in_without_a_token() {
    let app = TestApp::start();
    let ada = app.post("/Users", &user("rosa")).expect(201).id();
    let stranger = app.stranger();
    let mut tried = 0;
    for template in [
        "/scim/v2/Users/ID",
        "//scim/v2/Users/ID",
        "/scim//v2/Users/ID",
        "/scim/v2//Users/ID",
        "/scim/v2/Users//ID",
        "/scim/v2/Users/ID/",
        "/scim/v2/%55sers/ID",
        "/scim/v2/Users;x/ID",
        "/scim/v2/Users/ID;x=1",
        "/scim/v2/x/../Users/ID",
        "/scim/v2/./Users/ID",
        "/scim/v2/USERS/ID",
        "/SCIM/V2/Users/ID",
        "/scim/v2/users/ID",
        "/scim/v2/Users%2fID",
        "/scim/v2/Users%2FID",
        "/scim%2fv2/Users/ID",
        "/scim/v2/Users/ID%00",
        "/scim/v2/Users/ID%20",
        "/scim/v2/Users/ID.json",
        "/scim/v2/Users\\ID",
        "/scim/v2/Users/..%2fUsers/ID",
        "/scim/v2/%2e%2e/v2/Users/ID",
        "/livez/../scim/v2/Users/ID",
        "/livez/scim/v2/Users/ID",
        "/scim/v2/Users/ID?access_token=x",
        "/scim/v1/Users/ID",
        "/v2/Users/ID",
        "/Users/ID",
        "/admin/v1/operate",
        "/metrics",
        "/",
        "",
        "*",
        "http://roster.test/scim/v2/Users/ID",
    ] {
        let target = template.replace("ID", &ada);
        for method in ["GET", "DELETE", "PATCH", "PUT", "POST"] {
            let request = Request::new(method, if target.is_empty() { "/" } else { &target });
            let answer = stranger.send(&request);
            assert!(answer.status >= 300, "{method} {target}: {}", answer.text());
            assert!(!answer.text().contains("rosa"), "{method} {target}");
            tried += 1;
        }
    }
    assert_eq!(tried, 175);
    assert_eq!(app.get(&format!("/Users/{ada}")).expect(200).json()["userName"], "rosa");
}

/// The documented list: what an operator may find open, and where.
const DOCUMENTED_PUBLIC: [&str; 39] = [
    "/livez",
    "/access/v1/evaluation",
    "/access/v1/evaluations",
    "/oauth2/token",
    "/readyz",
    "/scim/v2",
    "/scim/v2/",
    "/scim/v2/.search",
    "/scim/v2/Bulk",
    "/scim/v2/Clients",
    "/scim/v2/Clients/.search",
    "/scim/v2/Clients/{id}",
    "/scim/v2/Companies",
    "/scim/v2/Companies/.search",
    "/scim/v2/Companies/{id}",
    "/scim/v2/CostCenters",
    "/scim/v2/CostCenters/.search",
    "/scim/v2/CostCenters/{id}",
    "/scim/v2/EmploymentTemplates",
    "/scim/v2/EmploymentTemplates/.search",
    "/scim/v2/EmploymentTemplates/{id}",
    "/scim/v2/LicensePools",
    "/scim/v2/LicensePools/.search",
    "/scim/v2/LicensePools/{id}",
    "/scim/v2/UserTypes",
    "/scim/v2/UserTypes/.search",
    "/scim/v2/UserTypes/{id}",
    "/scim/v2/Groups",
    "/scim/v2/Groups/.search",
    "/scim/v2/Groups/{id}",
    "/scim/v2/Me",
    "/scim/v2/ResourceTypes",
    "/scim/v2/ResourceTypes/{id}",
    "/scim/v2/Schemas",
    "/scim/v2/Schemas/{id}",
    "/scim/v2/ServiceProviderConfig",
    "/scim/v2/Users",
    "/scim/v2/Users/.search",
    "/scim/v2/Users/{id}",
];
const DOCUMENTED_ADMIN: [&str; 6] = [
    "/metrics",
    "/admin/v1/archive",
    "/admin/v1/operate",
    "/admin/v1/inspect",
    "/admin/v1/webhooks",
    "/admin/v1/plugins/order",
];
/// What browsers and providers find on the public listener.
const DOCUMENTED_SIGN_IN: [&str; 26] = [
    "/",
    "/.well-known/jwks.json",
    "/assets/rosterd.css",
    "/auth/verify",
    "/invite/{token}",
    "/login",
    "/logout",
    "/magic-link",
    "/magic-link/{token}",
    "/me",
    "/me/acting",
    "/me/contact",
    "/me/second-factor",
    "/me/sessions",
    "/me/sessions/{id}",
    "/password/change",
    "/password/login",
    "/password/reset",
    "/password/reset/{token}",
    "/password/second-factor",
    "/session",
    "/sso/{idp}/backchannel-logout",
    "/sso/{idp}/callback",
    "/sso/{idp}/global-token-revocation",
    "/sso/{idp}/initiate",
    "/sso/{idp}/start",
];
/// The administrators' API, on the admin listener and the socket.
const DOCUMENTED_API: [&str; 47] = [
    "/admin/v1/identity-providers",
    "/admin/v1/identity-providers/{provider}/sessions",
    "/admin/v1/signing-keys",
    "/admin/v1/users/{id}/identities",
    "/admin/v1/users/{id}/identities/{provider}",
    "/admin/v1/users/{id}/sessions",
    "/admin/v1/users/{id}/sessions/{session}",
    "/admin/v1/audit",
    "/admin/v1/audit/export",
    "/admin/v1/changes",
    "/admin/v1/clients",
    "/admin/v1/clients/{id}",
    "/admin/v1/clients/{id}/federation",
    "/admin/v1/clients/{id}/secrets",
    "/admin/v1/clients/{id}/secrets/{secret}",
    "/admin/v1/connections",
    "/admin/v1/connections/{name}",
    "/admin/v1/connections/{name}/report",
    "/admin/v1/connections/{name}/requests",
    "/admin/v1/openapi.json",
    "/admin/v1/schemas",
    "/admin/v1/schemas/{id}",
    "/admin/v1/tenants",
    "/admin/v1/tokens",
    "/admin/v1/tokens/{id}",
    "/admin/v1/users/{id}/erase",
    "/admin/v1/licenses",
    "/admin/v1/plugins/parked",
    "/admin/v1/users",
    "/admin/v1/users/ambiguous",
    "/admin/v1/users/locked",
    "/admin/v1/users/report",
    "/admin/v1/users/{id}",
    "/admin/v1/users/{id}/activities",
    "/admin/v1/users/{id}/clone",
    "/admin/v1/users/{id}/holds",
    "/admin/v1/users/{id}/holds/{system}",
    "/admin/v1/users/{id}/lock",
    "/admin/v1/users/{id}/memos",
    "/admin/v1/users/{id}/memos/{memo}",
    "/admin/v1/users/{id}/permissions",
    "/admin/v1/users/{id}/sign-ins",
    "/admin/v1/users/{id}/transfer",
    "/admin/v1/users/{id}/links",
    "/admin/v1/users/{id}/password",
    "/admin/v1/users/{id}/second-factor",
    "/admin/v1/users/{id}/sign-in",
];

#[test]
fn x73_the_router_serves_the_documented_list_and_nothing_else() {
    assert_eq!(BTreeSet::from(PUBLIC), BTreeSet::from(DOCUMENTED_PUBLIC));
    assert_eq!(BTreeSet::from(ADMIN), BTreeSet::from(DOCUMENTED_ADMIN));
    let listed: BTreeSet<_> = templates().into_iter().collect();
    let api: BTreeSet<_> = DOCUMENTED_API.into_iter().collect();
    let sign_in = DOCUMENTED_SIGN_IN.into_iter();
    assert_eq!(listed, PUBLIC.into_iter().chain(sign_in).chain(ADMIN).chain(api).collect());
    let app = TestApp::start();
    let mut field = Field::new(&app);
    for route in PUBLIC {
        assert_ne!(field.send(&app, "GET", route).status, 404, "{route} is listed and not served");
    }
    for route in ADMIN.into_iter().chain(DOCUMENTED_API) {
        let _ = app.send(&Request::new("GET", route)).expect(404);
        let _ = app.send(&Request::new("POST", route).json(&json!({ "command": "tenant-list" }))).expect(404);
    }
    for nowhere in [
        "/scim/v2/Bulk/1",
        "/scim/v2/Roles",
        "/scim/v2/Roles/.search",
        "/scim",
        "/login/",
        "/sso",
        "/sso/okta",
        "/auth",
        "/assets",
        "/debug/pprof",
        "/debug/vars",
        "/console",
        "/health",
        "/healthz",
        "/status",
        "/.well-known/openid-configuration",
        "/oauth2/authorize",
        "/oauth2/token/",
        "/.env",
        "/index.html",
    ] {
        let _ = app.send(&Request::new("GET", nowhere)).expect(404);
    }
}

#[test]
fn x71_x73_the_admin_listener_serves_probes_metrics_and_the_api_and_no_commands() {
    let app = TestApp::start();
    let admin = Client::new(app.daemon().admin(), app.token());
    for (path, status) in [
        ("/livez", 200),
        ("/readyz", 200),
        ("/metrics", 200),
        // For tokens with the scope audit.
        ("/admin/v1/changes", 403),
        ("/admin/v1/operate", 404),
        ("/admin/v1/inspect", 404),
        ("/admin/v1/tenants", 404),
        // Listed, for whoever has a token of an administrator.
        ("/admin/v1/connections", 403),
        ("/admin/v1/webhooks", 404),
        ("/admin/v1/plugins/order", 404),
        ("/scim/v2/Users", 404),
        ("/debug/pprof", 404),
    ] {
        assert_eq!(admin.send(&Request::new("GET", path)).status, status, "{path}");
    }
    let operate = Request::new("POST", "/admin/v1/operate").json(&json!({ "command": "tenant-list" }));
    assert_eq!(admin.send(&operate).status, 404, "commands need the socket");
}
