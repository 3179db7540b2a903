//! Where people stand: locks, seats, who leaves and comes back, who owns the account, and schedules. Over HTTP where there is a route.

mod by_group;
mod leaving;
mod locks;
mod owner;
mod schedules;
mod seats;

use std::sync::Arc;

use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::ids::ResourceId;
use rosterd::psa::policy::{Policies, Policy};
use rosterd::roster::{Caller, Command, Reply};
use serde_json::{Value, json};

use crate::support::bodies::USER;
use crate::support::{Client, TestApp};

/// The PSA extension.
const PSA: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
const POOL: &str = "urn:rosterd:scim:schemas:core:1.0:LicensePool";

fn operator(app: &TestApp) -> Caller {
    app.roster().operator(FIRST_TENANT, app.roster().request_id()).unwrap()
}

fn local(app: &TestApp) -> Client {
    let scopes = ["users:read", "users:write", "groups:read", "kinds:read", "kinds:write", "bulk", "admin"];
    app.issue(FIRST_TENANT, "local", &scopes).0
}

fn id(text: &str) -> ResourceId {
    ResourceId::parse(text).unwrap()
}

fn decide(app: &TestApp, policy: Policy) {
    app.roster().set_policies(Policies::new(policy, [])).unwrap();
}

fn administrator(app: &TestApp, name: &str) -> String {
    let (tenant, user_name) = (FIRST_TENANT.to_owned(), name.to_owned());
    let reply = app.operate(Command::AdminCreate { tenant, user_name, display_name: None });
    let Reply::Administrator { person, .. } = reply else { panic!("{reply:?}") };
    person.to_string()
}

fn pool(client: &Client, name: &str, seats: u64, when_full: &str) -> String {
    let body = json!({ "schemas": [POOL], "displayName": name, "seats": seats, "whenFull": when_full });
    client.post("/LicensePools", &body).expect(201).id()
}

fn used(client: &Client, pool: &str) -> u64 {
    client.get(&format!("/LicensePools/{pool}")).expect(200).json()["used"].as_u64().unwrap()
}

/// A person with these attributes of the PSA extension.
fn person(name: &str, psa: &Value) -> Value {
    json!({ "schemas": [USER, PSA], "userName": name, PSA: psa })
}

fn licensed(name: &str, pool: &str) -> Value {
    person(name, &json!({ "license": { "value": pool } }))
}

/// A person as a provider makes them.
fn provisioned(name: &str, external: &str) -> Value {
    json!({ "schemas": [USER], "userName": name, "externalId": external, "active": true })
}

fn lifecycle(client: &Client, id: &str) -> Value {
    client.get(&format!("/Users/{id}")).expect(200).json()[PSA]["lifecycle"].clone()
}

fn is_active(client: &Client, id: &str) -> bool {
    client.get(&format!("/Users/{id}")).expect(200).json()["active"].as_bool().unwrap()
}

/// Lets threads do something at the same moment.
fn at_once<T: Send>(many: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Arc::new(std::sync::Barrier::new(many));
    std::thread::scope(|scope| {
        let spawn = |number| {
            let (start, act) = (Arc::clone(&start), &act);
            scope.spawn(move || {
                start.wait();
                act(number)
            })
        };
        let threads: Vec<_> = (0..many).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
