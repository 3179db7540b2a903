//! Signing people in for P19: on the folder itself, while no daemon holds it.

use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;

use super::BenchError;
use super::script::Person;
use crate::chance::SystemChance;
use crate::clock::SystemClock;
use crate::ids::ResourceId;
use crate::roster::{Identity, Lifetimes, Roster, RosterError, SignInEntry, SignInMethod, Whose};
use crate::store::StoreError;
use crate::store::redb::{RedbOptions, open};

/// The first tenant, as the daemon makes it.
const TENANT: &str = "main";
/// The provider by which people sign in.
const PROVIDER: &str = "bench";
const ISSUER: &str = "https://bench.test";
const LIFETIMES: Lifetimes =
    Lifetimes { idle: SignedDuration::from_hours(8), absolute: SignedDuration::from_hours(24) };

/// A daemon that knows a program, which is told everything that can be told.
pub(super) const SETTINGS: &str = r#"
[server]
public_url = "https://bench.test"

[[identity_providers]]
name = "bench"
tenant = "main"
issuer = "https://bench.test"
client_id = "bench"
client_authentication = "none"

[[apps]]
name = "bench"
tenant = "main"
url = "https://bench.test"
claims = ["email", "name", "user_name", "kind", "groups", "roles", "user_types", "license"]
permissions = ["*"]
"#;

/// Signs people in, and returns what their browsers hold.
pub(super) fn sign_in<'p>(
    folder: &Path,
    people: impl Iterator<Item = &'p Person>,
) -> Result<Vec<String>, BenchError> {
    let store = open(folder, &RedbOptions::default())
        .map_err(|error| BenchError::from(StoreError::Invalid(error.to_string())))?;
    let roster = Roster::new(Arc::new(store), Arc::new(SystemClock), Arc::new(SystemChance));
    people.map(|person| cookie(&roster, person).map_err(odd)).collect()
}

fn cookie(roster: &Roster, person: &Person) -> Result<String, RosterError> {
    let id = ResourceId::parse(&person.id)
        .map_err(|_| RosterError::Broken("the daemon gave an id that is none".to_owned()))?;
    let (operator, door) =
        (roster.operator(TENANT, roster.request_id())?, roster.doorkeeper(TENANT, roster.request_id())?);
    roster.link(&operator, id, (PROVIDER, ISSUER, &person.id))?;
    let identity =
        Identity { provider: PROVIDER, issuer: ISSUER, subject: &person.id, ..Identity::default() };
    let entry = SignInEntry {
        whose: Whose::Identity(identity),
        method: SignInMethod::Oidc,
        at: Some(door.now()),
        sid: None,
        acr: None,
        amr: &[],
        address: "127.0.0.1",
        agent: "rosterd bench",
        id_token: None,
    };
    let entered = roster.sign_in(&door, &entry, LIFETIMES)?;
    let entered = entered.map_err(|refused| RosterError::Broken(refused.to_string()))?;
    Ok(entered.cookie.to_string())
}

fn odd(error: RosterError) -> BenchError {
    StoreError::Invalid(error.to_string()).into()
}
