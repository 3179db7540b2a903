//! What plugins add to assertions: below their own name, without money, and nothing where they fail.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rosterd::roster::hooks::{
    About, Addition, Broke, Failure, Finding, Grant, Granted, Held, Hooks, Mapped, Notice, OnFailure, Plugin,
    Remark, Subject, Then, Verdict,
};
use serde_json::{Value, json};

use super::{PSA, claims, firm, hire, local, must_be_whole, sign_in, verify};
use crate::support::{Engine, TestApp};

type Answer = Result<Vec<(&'static str, Value)>, Failure>;

/// A plugin that adds claims, and keeps what it was shown.
#[derive(Debug)]
struct Badge {
    answer: Mutex<Answer>,
    policy: OnFailure,
    grant: Grant,
    asked: AtomicUsize,
    shown: Mutex<String>,
}

impl Badge {
    fn answering(answer: Answer) -> Self {
        let attribute = |name: &str| Granted::Attribute { urn: Some(PSA.to_owned()), name: name.to_owned() };
        let reads = ["costRates", "billingRates", "kind"].map(attribute).into();
        Self {
            answer: Mutex::new(answer),
            policy: OnFailure::default(),
            grant: Grant { reads, ..Grant::default() },
            asked: AtomicUsize::new(0),
            shown: Mutex::default(),
        }
    }
}

impl Plugin for Badge {
    fn name(&self) -> &'static str {
        "badge"
    }

    fn fingerprint(&self) -> &'static str {
        "a test"
    }

    fn serves(&self, tenant: &str, _: &str) -> bool {
        tenant == "main"
    }

    fn hooks(&self) -> Hooks {
        Hooks { claims: true, ..Hooks::default() }
    }

    fn grant(&self) -> &Grant {
        &self.grant
    }

    fn policy(&self) -> OnFailure {
        self.policy
    }

    fn admit(&self, _: &About, _: &Subject) -> Result<Verdict, Failure> {
        unreachable!("it has no such hook")
    }

    fn map(&self, _: &About, _: &Subject, _: &Held) -> Result<Mapped, Failure> {
        unreachable!("it has no such hook")
    }

    fn validate(&self, _: &About, _: &Subject, _: &Held) -> Result<Vec<Finding>, Failure> {
        unreachable!("it has no such hook")
    }

    fn claims(
        &self,
        about: &About,
        user: &Subject,
        held: &Held,
        app: &str,
    ) -> Result<Vec<Addition>, Failure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        *self.shown.lock().unwrap() = format!("{about:?} {user:?} {held:?} {app}");
        let answer = self.answer.lock().unwrap().clone()?;
        Ok(answer.into_iter().map(|(name, value)| Addition { name: name.to_owned(), value }).collect())
    }

    fn react(&self, _: &About, _: &Notice) -> Result<Vec<Remark>, Failure> {
        unreachable!("it has no such hook")
    }
}

fn load(app: &TestApp, plugin: Badge) -> Arc<Badge> {
    let plugin = Arc::new(plugin);
    app.roster().use_plugins(Arc::new([Arc::clone(&plugin) as Arc<dyn Plugin>]));
    plugin
}

#[test]
fn a_plugin_adds_claims_below_its_own_name_and_is_asked_once_for_an_assertion() {
    let app = firm(Engine::Memory);
    let badge = load(&app, Badge::answering(Ok(vec![("badge", json!(42)), ("roles", json!(["root"]))])));
    let ada = hire(&local(&app), "ada", &json!({}));
    let cookie = sign_in(&app, &ada);
    for _ in 0..3 {
        let answer = verify(&app, "psa", &cookie).expect(200);
        let claims = claims(&app, &answer);
        assert_eq!(claims["plugins"], json!({ "badge": { "badge": 42, "roles": ["root"] } }));
        assert_eq!((&claims["sub"], &claims["roles"]), (&json!(ada), &json!([])));
    }
    assert_eq!(badge.asked.load(Ordering::SeqCst), 1);
    let shown = badge.shown.lock().unwrap().clone();
    assert!(shown.contains("SignIn") && shown.ends_with("psa"), "{shown}");
    app.clock().advance(31);
    let _ = verify(&app, "psa", &cookie).expect(200);
    assert_eq!(badge.asked.load(Ordering::SeqCst), 2);
}

#[test]
fn a_plugin_that_fails_or_says_what_is_not_its_to_say_adds_nothing_and_keeps_nobody_out() {
    let app = firm(Engine::Memory);
    let local = local(&app);
    let trap = || Err(Failure::Broke(Broke::Trap, "it broke".to_owned()));
    for (number, answer) in [
        trap(),
        Err(Failure::Broke(Broke::Deadline, "it took too long".to_owned())),
        Ok(vec![("badge", json!(1)), ("sub", json!("somebody"))]),
        Ok(vec![("exp", json!(9_999_999_999_i64))]),
        Ok(vec![("long", json!("x".repeat(5000)))]),
        Ok(vec![]),
    ]
    .into_iter()
    .enumerate()
    {
        load(&app, Badge::answering(answer));
        let ada = hire(&local, &format!("ada{number}"), &json!({}));
        let told = claims(&app, &verify(&app, "psa", &sign_in(&app, &ada)).expect(200));
        assert_eq!((&told["sub"], told.get("plugins")), (&json!(ada), None), "{number}");
    }
    // Unless its operator has said that nobody gets in without it.
    let policy = OnFailure { claims: Then::Reject, ..OnFailure::default() };
    load(&app, Badge { policy, ..Badge::answering(trap()) });
    let eve = hire(&local, "eve", &json!({}));
    let refused = verify(&app, "psa", &sign_in(&app, &eve)).expect(503);
    must_be_whole(&refused);
    assert!(!refused.text().contains("it broke"));
}

#[test]
fn a03_no_plugin_is_shown_money_that_it_could_pass_on_whatever_is_granted() {
    let app = firm(Engine::Memory);
    let badge = load(&app, Badge::answering(Ok(vec![("badge", json!(1))])));
    let rates = |amount: &str| json!([{ "startDate": "2026-01-01", "amount": amount, "currency": "EUR" }]);
    let psa =
        json!({ "costRates": rates("51739.41"), "billingRates": rates("12063.77"), "kind": "freelancer" });
    let ada = hire(&local(&app), "ada", &json!({ PSA: psa }));
    let _ = verify(&app, "psa", &sign_in(&app, &ada)).expect(200);
    let shown = badge.shown.lock().unwrap().clone();
    assert!(shown.contains("freelancer"), "{shown}");
    for money in ["51739", "12063", "EUR"] {
        assert!(!shown.contains(money), "{shown}");
    }
}
