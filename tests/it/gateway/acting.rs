//! Acting for somebody (P07): who may, in what and until when; what programs are told of it, and what the history says.

use rosterd::psa::locks::Authority;
use rosterd::store::Action;
use serde_json::{Value, json};

use super::{COOKIE, FIRST_TENANT, PSA, claims, hire, id, local, reason, sign_in, verify};
use crate::admin::support::{Admin, problem};
use crate::browser::Browser;
use crate::support::bodies::replace;
use crate::support::world::{history, said};
use crate::support::{Answer, Client, Engine, Request, TestApp};

/// A firm whose people approve hours, some of which are about money, and two programs: one that is told who acts for whom, and one that is not.
const FILE: &str = r#"
[server]
cookie_domain = "roster.test"

[permissions.catalogue."hours.view"]
scope = "cost-centre"
description = "See hours"
[permissions.catalogue."hours.approve"]
scope = "cost-centre"
description = "Approve hours"
[permissions.catalogue."hours.bill"]
scope = "cost-centre"
description = "Bill hours"
money = true
[permissions.catalogue."hours.appoint"]
scope = "global"
description = "Say who approves hours"
privileged = "own"

[[identity_providers]]
name = "okta"
tenant = "main"
issuer = "https://firm.okta.test"
client_id = "rosterd"
client_authentication = "none"

[[apps]]
name = "desk"
tenant = "main"
url = "https://desk.roster.test"
claims = ["name", "email", "roles", "groups", "acting_for"]
permissions = ["*"]
requires = "hours.approve"

[[apps]]
name = "wiki"
tenant = "main"
url = "https://wiki.roster.test"
claims = ["name"]
permissions = ["*"]
"#;

/// Everything that there is in the firm.
const EVERYTHING: [&str; 6] =
    ["hours.view", "hours.approve", "hours.bill", "hours.appoint", "users.update", "rates.view"];

/// Who, the subject, and the values by their names.
type Acted = (Option<String>, Option<String>, Vec<(String, Value)>);

/// Ada, who may do everything, and Bob, who may do nothing and is her proxy on one day.
struct Firm {
    app: TestApp,
    local: Client,
    ada: String,
    bob: String,
}

impl Firm {
    fn start(engine: Engine) -> Self {
        let app = TestApp::written(engine, FILE);
        let local = local(&app);
        let all = EVERYTHING.map(|key| json!({ "permission": key, "level": "all" }));
        let chief = json!({ "schemas": [], "displayName": "Chief", "grants": all });
        let chief = local.post("/UserTypes", &chief).expect(201).id();
        // Somebody else administers too, so that Ada can be locked.
        let carol = id(&hire(&local, "carol", &json!({})));
        let operator = app.roster().operator(FIRST_TENANT, app.roster().request_id()).unwrap();
        app.roster().make_administrator(&operator, carol).unwrap();
        let bob = hire(&local, "bob", &json!({}));
        let ada = json!({ PSA: {
            "userTypes": [{ "value": chief, "primary": true }],
            "financialVisibility": "full",
            "proxies": [{ "value": bob, "from": "2026-03-01", "until": "2026-03-01" }],
        } });
        let ada = hire(&local, "ada", &ada);
        Self { app, local, ada, bob }
    }

    fn set(&self, person: &str, name: &str, value: Value) -> Answer {
        self.local.patch(&format!("/Users/{person}"), &replace(&format!("{PSA}:{name}"), value))
    }

    fn browser(&self, person: &str) -> Browser {
        let mut browser = Browser::of(self.app.stranger());
        browser.cookies.insert(COOKIE.to_owned(), sign_in(&self.app, person));
        browser
    }

    fn verify(&self, app: &str, browser: &Browser) -> Answer {
        verify(&self.app, app, &browser.cookies[COOKIE])
    }

    fn lock(&self, person: &str, is_locked: bool) {
        let (roster, by) = (self.app.roster(), Authority::Admin);
        let operator = roster.operator(FIRST_TENANT, roster.request_id()).unwrap();
        if is_locked {
            roster.lock(&operator, id(person), by, None).unwrap();
        } else {
            roster.unlock(&operator, id(person), by).unwrap();
        }
    }

    /// What the history has of who acted for whom: who, the subject, and the values.
    fn acted(&self) -> Vec<Acted> {
        let roster = self.app.roster();
        let tenant = roster.doorkeeper(FIRST_TENANT, roster.request_id()).unwrap().tenant();
        let rows = said(&history(roster, tenant)).into_iter();
        let acted = rows.filter(|(facts, _)| facts.action == Action::ActFor);
        acted
            .map(|(facts, values)| {
                let changes =
                    values.changes.into_iter().map(|one| (one.attribute, one.new.unwrap_or_default()));
                let subject = facts.subject.map(|at| at.id.to_string());
                (facts.who.person().map(|id| id.to_string()), subject, changes.collect())
            })
            .collect()
    }

    /// Asks as a program does whether somebody may do something for another.
    fn ask(&self, actor: &str, principal: &str, action: &str, resource: Value) -> Value {
        let subject = json!({ "type": "user", "id": actor, "properties": { "onBehalfOf": principal } });
        let question = json!({ "subject": subject, "action": { "name": action }, "resource": resource });
        let request = Request::new("POST", "/access/v1/evaluation").json(&question);
        self.local.send(&request).expect(200).json()
    }
}

fn act(browser: &mut Browser, whom: &str) -> u16 {
    browser.post("/me/acting", &[("for", whom)]).status
}

#[test]
fn p07_who_is_named_for_today_acts_for_another_and_programs_are_told_both_names() {
    for engine in Engine::ALL {
        let firm = Firm::start(engine);
        let mut here = firm.browser(&firm.bob);
        assert_eq!(reason(&firm.verify("desk", &here)), (403, "not-permitted"));
        let page = here.get("/me/acting").expect(200).text();
        assert!(page.contains("ada of the firm") && page.contains("2026-03-01"), "{page}");
        assert_eq!(act(&mut here, &firm.ada), 303);
        assert_eq!(here.whoami().unwrap()["session"]["actingFor"], firm.ada.as_str());
        // Bob stays Bob, in every field; for whom he acts stands beside it.
        let answer = firm.verify("desk", &here).expect(200);
        assert_eq!(answer.header("remote-user"), Some(firm.bob.as_str()));
        assert_eq!(answer.header("remote-email"), Some("bob@firm.test"));
        let told = claims(&firm.app, &answer);
        assert_eq!((&told["sub"], &told["permissions"]), (&json!(firm.bob), &json!({})));
        assert_eq!(
            told["acting_for"],
            json!({ "sub": firm.ada, "name": "ada of the firm", "email": "ada@firm.test",
                    "permissions": { "hours.approve": "all", "hours.view": "all" } }),
            "neither money nor power over others, nor administration"
        );
        // A program that is not to be told is not, and knows Bob alone.
        let told = claims(&firm.app, &firm.verify("wiki", &here).expect(200));
        assert_eq!((&told["acting_for"], &told["name"]), (&Value::Null, &json!("bob of the firm")));
        // He stops, and it counts at once; another session of his never had it.
        assert_eq!(firm.browser(&firm.bob).whoami().unwrap()["session"]["actingFor"], Value::Null);
        assert_eq!(here.post("/me/acting", &[]).status, 303);
        assert_eq!(reason(&firm.verify("desk", &here)), (403, "not-permitted"));
        let (bob, ada) = (Some(firm.bob.clone()), Some(firm.ada.clone()));
        let entry = |value: Value| (bob.clone(), ada.clone(), vec![("actingFor".to_owned(), value)]);
        assert_eq!(firm.acted(), [entry(json!(firm.ada)), entry(Value::Null)]);
    }
}

#[test]
fn p07_it_ends_with_the_day_and_opens_nothing_while_either_is_locked() {
    for engine in Engine::ALL {
        let firm = Firm::start(engine);
        let _ =
            firm.set(&firm.ada, "proxies", json!([{ "value": firm.bob, "until": "2026-03-01" }])).expect(200);
        // 23:00 of the day.
        firm.app.clock().advance(15 * 3600);
        let mut here = firm.browser(&firm.bob);
        assert_eq!(act(&mut here, &firm.ada), 303);
        let is_let_in = || firm.verify("desk", &here).status == 200;
        assert!(is_let_in());
        firm.lock(&firm.ada, true);
        assert!(!is_let_in(), "who is locked has nobody act for them");
        firm.lock(&firm.ada, false);
        assert!(is_let_in());
        let decided = || {
            firm.ask(&firm.bob, &firm.ada, "hours.view", json!({ "type": "hour", "id": "1" }))["decision"]
                .clone()
        };
        assert_eq!(decided(), true);
        // What she may no more he may no more.
        let _ = firm
            .set(
                &firm.ada,
                "overrides",
                json!([{ "permission": "hours.approve", "effect": "deny", "level": "own" }]),
            )
            .expect(200);
        assert!(!is_let_in());
        let _ = firm.set(&firm.ada, "overrides", json!([])).expect(200);
        assert!(is_let_in());
        // What was remembered a moment ago is over at midnight, though nothing was written since: the session's use is, before.
        firm.app.clock().advance(3590);
        assert!(is_let_in());
        let seen = || here.clone().whoami().unwrap()["session"]["seen"].as_str().unwrap().to_owned();
        let tries = (0..200).take_while(|_| !seen().starts_with("2026-03-01T23:59"));
        tries.for_each(|_| std::thread::sleep(std::time::Duration::from_millis(10)));
        assert!(is_let_in() && is_let_in());
        firm.app.clock().advance(10);
        assert!(!is_let_in(), "the day is over");
        assert_eq!(decided(), false);
        assert_eq!(act(&mut firm.browser(&firm.bob), &firm.ada), 403);
        // Named anew he goes on, until he is locked himself.
        let _ = firm.set(&firm.ada, "proxies", json!([{ "value": firm.bob }])).expect(200);
        assert!(is_let_in());
        firm.lock(&firm.bob, true);
        assert_eq!(reason(&firm.verify("desk", &here)), (401, "signed-out"));
        assert_eq!(decided(), false);
        firm.lock(&firm.bob, false);
        assert_eq!(reason(&firm.verify("desk", &here)), (401, "signed-out"));
    }
}

#[test]
fn p07_nobody_acts_for_who_did_not_name_them() {
    let firm = Firm::start(Engine::Memory);
    let eve = hire(&firm.local, "eve", &json!({}));
    let mut here = firm.browser(&eve);
    let refused = |here: &mut Browser, whom: &str| {
        let answer = here.post("/me/acting", &[("for", whom)]);
        (answer.status, answer.text().replace(answer.header("x-request-id").unwrap(), ""))
    };
    // Whether there is somebody is not told.
    let nobody = refused(&mut here, "0192f0c1-2b3c-7def-8123-456789abcdef");
    assert_eq!(nobody.0, 403);
    for whom in [&firm.ada, &firm.bob, &eve] {
        assert_eq!(refused(&mut here, whom), nobody);
    }
    assert_eq!(act(&mut here, "ada"), 400);
    assert!(here.get("/me/acting").expect(200).text().contains("nobody's proxy"));
    // Nor does it go the other way round.
    assert_eq!(act(&mut firm.browser(&firm.ada), &firm.bob), 403);
    // Another site has nobody act for anybody.
    let mut bob = firm.browser(&firm.bob);
    for origin in ["https://evil.test", "null", ""] {
        let forged = Request::new("POST", "/me/acting")
            .header("Origin", origin)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(format!("for={}", firm.ada));
        assert_eq!(bob.send(forged).status, 403, "{origin}");
    }
    assert_eq!(firm.acted(), []);
    // Before the period begins, and after it.
    for period in [json!({ "from": "2026-03-02" }), json!({ "until": "2026-02-28" })] {
        let mut period = period;
        period["value"] = firm.bob.as_str().into();
        let _ = firm.set(&firm.ada, "proxies", json!([period])).expect(200);
        assert_eq!(act(&mut bob, &firm.ada), 403);
    }
}

#[test]
fn p07_p12_people_of_a_client_act_for_nobody() {
    let firm = Firm::start(Engine::Memory);
    let schema = "urn:rosterd:scim:schemas:core:1.0:Client";
    let customer = firm
        .local
        .post("/Clients", &json!({ "schemas": [schema], "displayName": "Customer" }))
        .expect(201)
        .id();
    let carl =
        hire(&firm.local, "carl", &json!({ PSA: { "kind": "client", "client": { "value": customer } } }));
    let _ = firm.set(&firm.ada, "proxies", json!([{ "value": carl }])).expect(200);
    assert_eq!(act(&mut firm.browser(&carl), &firm.ada), 403);
    assert_eq!(
        firm.ask(&carl, &firm.ada, "hours.view", json!({ "type": "hour", "id": "1" }))["decision"],
        false
    );
}

#[test]
fn p07_a_program_asks_what_somebody_may_do_for_another() {
    let firm = Firm::start(Engine::Redb);
    let thing = || json!({ "type": "hour", "id": "1" });
    for (action, decision) in [
        ("hours.view", true),
        ("hours.approve", true),
        ("hours.bill", false),
        ("hours.appoint", false),
        ("users.update", false),
        ("rates.view", false),
        ("hours.unheard-of", false),
    ] {
        let answer = firm.ask(&firm.bob, &firm.ada, action, thing());
        assert_eq!(answer["decision"], decision, "{action}: {answer}");
        assert_eq!(
            (&answer["context"]["actor"], &answer["context"]["onBehalfOf"]),
            (&json!(firm.bob), &json!(firm.ada))
        );
        let own = firm.ask(&firm.ada, &firm.bob, action, thing());
        assert_eq!(own["decision"], false, "{action}: she is not his");
    }
    // Only what was named.
    let named = json!([{ "value": firm.bob, "permissions": ["hours.view"] }]);
    let _ = firm.set(&firm.ada, "proxies", named).expect(200);
    assert_eq!(firm.ask(&firm.bob, &firm.ada, "hours.view", thing())["decision"], true);
    assert_eq!(firm.ask(&firm.bob, &firm.ada, "hours.approve", thing())["decision"], false);
    // What is Ada's own is her own for Bob as well, and what is his is not hers.
    let own = json!([{ "permission": "hours.view", "effect": "deny", "level": "assigned" }]);
    let _ = firm.set(&firm.ada, "overrides", own).expect(200);
    let person = |id: &str| json!({ "type": "user", "id": id });
    assert_eq!(firm.ask(&firm.bob, &firm.ada, "hours.view", person(&firm.ada))["decision"], true);
    assert_eq!(firm.ask(&firm.bob, &firm.ada, "hours.view", person(&firm.bob))["decision"], false);
    for wrong in ["", "nobody", &firm.bob] {
        assert_eq!(firm.ask(&firm.bob, wrong, "hours.view", thing())["decision"], false, "{wrong}");
    }
    let subject = json!({ "type": "user", "id": firm.bob, "properties": { "onBehalfOf": 7 } });
    let question = json!({ "subject": subject, "action": { "name": "hours.view" }, "resource": thing() });
    let request = Request::new("POST", "/access/v1/evaluation").json(&question);
    let _ = firm.local.send(&request).expect(400);
    // Each yes is in the history with both names and the permission; the same within the minute once.
    let acted = firm.acted();
    let permissions: Vec<&Value> = acted.iter().map(|(_, _, changes)| &changes[1].1).collect();
    assert_eq!(permissions, ["hours.view", "hours.approve"]);
    for (_, subject, changes) in &acted {
        assert_eq!((subject.as_deref(), &changes[0].1), (Some(firm.ada.as_str()), &json!(firm.bob)));
    }
}

#[test]
fn p07_p20_nobody_names_themself_or_others_to_act_for_who_may_do_more() {
    let firm = Firm::start(Engine::Memory);
    let keeper = |name: &str, keys: &[&str]| {
        let grants: Vec<Value> =
            keys.iter().map(|key| json!({ "permission": key, "level": "all" })).collect();
        let role = json!({ "schemas": [], "displayName": name, "grants": grants });
        let role = firm.local.post("/UserTypes", &role).expect(201).id();
        let id =
            hire(&firm.local, name, &json!({ PSA: { "userTypes": [{ "value": role, "primary": true }] } }));
        let bound = Admin::bound(&firm.app, FIRST_TENANT, &["users:read", "users:write"], Some(&id));
        (id, firm.app.with(bound.0.token()))
    };
    let (one, without) = keeper("one", &["users.view", "users.update"]);
    let (two, with) = keeper("two", &["users.view", "users.update", "proxies.update"]);
    let proxies = |of: &Client, whose: &str, proxy: &str| {
        of.patch(&format!("/Users/{whose}"), &replace(&format!("{PSA}:proxies"), json!([{ "value": proxy }])))
    };
    assert!(proxies(&without, &firm.bob, &one).expect(403).text().contains("proxies.update"));
    let refused = proxies(&with, &firm.ada, &two).expect(403).text();
    assert!(refused.contains("hours."), "Ada may do more: {refused}");
    let _ = proxies(&with, &two, &one).expect(409);
    let _ = proxies(&with, &firm.bob, &one).expect(200);
    // The admin API and SCIM are nobody's to use for another.
    let admin = Admin::bound(&firm.app, FIRST_TENANT, &["admin", "users:read"], Some(&firm.bob));
    let mut here = firm.browser(&firm.bob);
    assert_eq!(act(&mut here, &firm.ada), 303);
    problem(&admin.get("/users"), 403);
}
