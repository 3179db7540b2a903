//! What the roster asks operators' plugins, over HTTP, with plugins written in Rust: `mapping` (proposals and what becomes of them), `failures`
//! (policies, and people who are mapped later), `gates` (who may come in, and what is found wrong), `others` (changes that plugins were not asked about),
//! `remap` (what an operator asks for), `reacting` (who is told afterwards).

mod failures;
mod gates;
mod mapping;
mod others;
mod reacting;
mod remap;

use std::fmt;
use std::sync::{Arc, Mutex};

use rosterd::app::bootstrap::{FIRST_CONNECTION, FIRST_TENANT};
use rosterd::ids::TenantId;
use rosterd::roster::Mended;
use rosterd::roster::hooks::{
    About, Addition, Broke, Failure, Finding, Grant, Granted, Held, Hooks, Mapped, Notice, OnFailure,
    Operation, Plugin, Problem, ProblemKind, Proposal, Rate, Remark, Series, Subject, UserTypeChoice,
    Verdict,
};
use rosterd::store::{Facts, Values};
use serde_json::{Value, json};

use crate::support::{Client, TestApp, world};

/// The PSA extension.
const EXT: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User";

type Maps = dyn Fn(&About, &Subject, &Held) -> Result<Mapped, Failure> + Send + Sync;
type Admits = dyn Fn(&About, &Subject) -> Result<Verdict, Failure> + Send + Sync;
type Validates = dyn Fn(&About, &Subject, &Held) -> Result<Vec<Finding>, Failure> + Send + Sync;
type Reacts = dyn Fn(&About, &Notice) -> Result<Vec<Remark>, Failure> + Send + Sync;

/// A plugin written in Rust.
struct Double {
    name: String,
    fingerprint: String,
    sources: Vec<String>,
    grant: Grant,
    policy: OnFailure,
    map: Option<Box<Maps>>,
    admit: Option<Box<Admits>>,
    validate: Option<Box<Validates>>,
    react: Option<Box<Reacts>>,
    /// Of which calls it was asked.
    asked: Arc<Mutex<Vec<About>>>,
}

impl fmt::Debug for Double {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn attribute(name: &str) -> Granted {
    let urn = ["title", "nickName", "userName", "displayName"].contains(&name).then_some(());
    Granted::Attribute { urn: urn.is_none().then(|| EXT.to_owned()), name: name.to_owned() }
}

impl Double {
    /// A plugin of the first connection without hooks, that may write everything of the firm's own side.
    fn new(name: &str) -> Self {
        let writes = [
            "kind",
            "license",
            "financialVisibility",
            "userTypes",
            "employments",
            "costRates",
            "billingRates",
            "schedule",
            "overrides",
            "accountOwner",
            "integrations",
            "title",
            "userName",
        ];
        Self {
            name: name.to_owned(),
            fingerprint: "f1".to_owned(),
            sources: vec![FIRST_CONNECTION.to_owned()],
            grant: Grant { writes: writes.into_iter().map(attribute).collect(), ..Grant::default() },
            policy: OnFailure::default(),
            map: None,
            admit: None,
            validate: None,
            react: None,
            asked: Arc::default(),
        }
    }

    /// A plugin that proposes.
    fn mapping(
        name: &str,
        propose: impl Fn(&Subject, &Held) -> Vec<Proposal> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name).maps(move |_, user, held| Ok(Mapped { proposals: propose(user, held), fuel: 7 }))
    }

    fn maps(
        mut self,
        map: impl Fn(&About, &Subject, &Held) -> Result<Mapped, Failure> + Send + Sync + 'static,
    ) -> Self {
        self.map = Some(Box::new(map));
        self
    }

    fn admits(
        mut self,
        admit: impl Fn(&About, &Subject) -> Result<Verdict, Failure> + Send + Sync + 'static,
    ) -> Self {
        self.admit = Some(Box::new(admit));
        self
    }

    fn validates(
        mut self,
        validate: impl Fn(&About, &Subject, &Held) -> Result<Vec<Finding>, Failure> + Send + Sync + 'static,
    ) -> Self {
        self.validate = Some(Box::new(validate));
        self
    }

    fn reacts(
        mut self,
        react: impl Fn(&About, &Notice) -> Result<Vec<Remark>, Failure> + Send + Sync + 'static,
    ) -> Self {
        self.react = Some(Box::new(react));
        self
    }

    fn with_policy(mut self, change: impl FnOnce(&mut OnFailure)) -> Self {
        change(&mut self.policy);
        self
    }

    fn with_grant(mut self, change: impl FnOnce(&mut Grant)) -> Self {
        change(&mut self.grant);
        self
    }

    fn reading_groups(self) -> Self {
        self.with_grant(|grant| {
            grant.reads.insert(Granted::Groups);
        })
    }

    fn heard(&self) -> Arc<Mutex<Vec<About>>> {
        Arc::clone(&self.asked)
    }

    fn note(&self, about: &About) {
        self.asked.lock().unwrap().push(about.clone());
    }
}

impl Plugin for Double {
    fn name(&self) -> &str {
        &self.name
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn serves(&self, tenant: &str, connection: &str) -> bool {
        tenant == FIRST_TENANT && self.sources.iter().any(|source| source == connection)
    }

    fn hooks(&self) -> Hooks {
        Hooks {
            gate: self.admit.is_some(),
            map: self.map.is_some(),
            validate: self.validate.is_some(),
            claims: false,
            react: self.react.is_some(),
        }
    }

    fn grant(&self) -> &Grant {
        &self.grant
    }

    fn policy(&self) -> OnFailure {
        self.policy
    }

    fn admit(&self, about: &About, user: &Subject) -> Result<Verdict, Failure> {
        self.note(about);
        (self.admit.as_ref().unwrap())(about, user)
    }

    fn map(&self, about: &About, user: &Subject, held: &Held) -> Result<Mapped, Failure> {
        self.note(about);
        (self.map.as_ref().unwrap())(about, user, held)
    }

    fn validate(&self, about: &About, user: &Subject, proposed: &Held) -> Result<Vec<Finding>, Failure> {
        self.note(about);
        (self.validate.as_ref().unwrap())(about, user, proposed)
    }

    fn claims(&self, _: &About, _: &Subject, _: &Held, _: &str) -> Result<Vec<Addition>, Failure> {
        unreachable!("it has no such hook")
    }

    fn react(&self, about: &About, event: &Notice) -> Result<Vec<Remark>, Failure> {
        self.note(about);
        (self.react.as_ref().unwrap())(about, event)
    }
}

/// Loads plugins, in this order.
fn load(app: &TestApp, plugins: impl IntoIterator<Item = Double>) {
    let plugins: Vec<Arc<dyn Plugin>> =
        plugins.into_iter().map(|plugin| Arc::new(plugin) as Arc<dyn Plugin>).collect();
    app.roster().use_plugins(plugins.into());
}

/// An administrator's program that may see money.
fn admin(app: &TestApp) -> Client {
    let scopes = [
        "users:read",
        "users:write",
        "groups:read",
        "groups:write",
        "kinds:read",
        "kinds:write",
        "bulk",
        "financials",
        "admin",
        "audit",
    ];
    app.issue(FIRST_TENANT, "local", &scopes).0
}

/// Makes a resource of one of the firm's own kinds, and returns its id.
#[track_caller]
fn make(client: &Client, kind: &str, name: &str) -> String {
    let mut body =
        json!({ "schemas": [format!("urn:rosterd:scim:schemas:core:1.0:{kind}")], "displayName": name });
    if kind == "LicensePool" {
        body["seats"] = 10.into();
    }
    let endpoint = match kind {
        "Company" => "/Companies".to_owned(),
        other => format!("/{other}s"),
    };
    client.post(&endpoint, &body).expect(201).id()
}

/// Reads an attribute of the firm's own side.
#[track_caller]
fn psa(client: &Client, path: &str, name: &str) -> Value {
    client.get(path).expect(200).json()[EXT][name].clone()
}

/// Has everybody noted and mapped who is due.
fn catch_up(app: &TestApp) -> Mended {
    app.roster().follow_changes(&|| true).unwrap();
    app.roster().map_parked(&|| true).unwrap()
}

/// Reads the tenant's history.
fn history(app: &TestApp) -> Vec<(Facts, Values)> {
    world::said(&world::history(app.roster(), TenantId::new(1)))
}

fn rate(day: &str, amount: &str) -> Rate {
    Rate { start_date: day.to_owned(), amount: amount.to_owned(), currency: "EUR".to_owned() }
}

fn choice(name: &str) -> UserTypeChoice {
    UserTypeChoice { user_type: name.to_owned(), primary: false, cost_center: None }
}

fn broke<T>() -> Result<T, Failure> {
    Err(Failure::Broke(Broke::Trap, "a canary of its own".to_owned()))
}

fn problem<T>(kind: ProblemKind, path: Option<&str>, detail: &str) -> Result<T, Failure> {
    Err(Failure::Problem(Problem { kind, path: path.map(str::to_owned), detail: detail.to_owned() }))
}

/// The operations that a plugin was asked about.
fn operations(heard: &Mutex<Vec<About>>) -> Vec<Operation> {
    heard.lock().unwrap().iter().map(|about| about.operation).collect()
}

/// The series that it was asked within.
fn series(heard: &Mutex<Vec<About>>) -> Vec<Series> {
    heard.lock().unwrap().iter().map(|about| about.series).collect()
}
