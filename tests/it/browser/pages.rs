//! What is shown, and to whom: the ways in, My Account, and what a page never holds (X11, X41, X43, T13, H08).

use serde_json::{Value, json};

use super::{Browser, World, onward};
use crate::signin::op::{Op, form};
use crate::support::Request;

#[test]
fn x43_no_page_runs_a_script_or_stands_in_a_frame() {
    let world = World::start();
    world.ada();
    let mut browser = world.signed_in();
    for path in ["/login", "/logout", "/me", "/sso/nobody/start"] {
        let answer = browser.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        let html = answer.text();
        for never in ["<script", "onclick", "style=", "javascript:"] {
            assert!(!html.contains(never), "{path}: {never}");
        }
        assert!(html.contains("<html lang=\"en\">") && html.contains("<main id=\"main\""), "{path}");
    }
    let sheet = browser.get("/assets/rosterd.css").expect(200);
    assert_eq!(sheet.header("content-type"), Some("text/css; charset=utf-8"));
}

#[test]
fn x11_an_address_that_leads_nowhere_is_answered_alike_whatever_it_is() {
    let world = World::with("domains = [\"acme.example\"]");
    world.ada();
    let mut browser = world.browser();
    let mut post = |address: &str| browser.post("/login", &[("address", address)]);
    let nowhere: Vec<_> = ["x@unknown.example", "x@sub.acme.example", "no address", "a@b@acme.example", ""]
        .into_iter()
        .map(|address| post(address).essence())
        .collect();
    assert_eq!(nowhere[0].0, 200);
    assert!(nowhere.iter().all(|one| *one == nowhere[0]));
    // One of the domain leads to its provider, whether or not there is such a person.
    for address in ["ada@acme.example", "nobody@ACME.example"] {
        let answer = post(address).expect(200);
        let url = onward(&answer);
        assert_eq!(form(url.split_once('?').unwrap().1)["login_hint"], address);
        assert!(answer.text().contains("Going to Acme"));
    }
}

#[test]
fn whose_providers_there_are_is_told_to_those_alone_who_know_the_firm() {
    let other = "[[identity_providers]]\nname = \"entra\"\ntenant = \"other\"\ntitle = \"Other firm\"\nissuer = \"https://login.other.example\"\n\
         client_id = \"x\"\nclient_authentication = \"none\"\ndomains = [\"other.example\"]";
    let world = World::of(Op::start(), "domains = [\"acme.example\"]", other);
    let mut browser = world.browser();
    let all = browser.get("/login").expect(200).text();
    assert!(!all.contains("Acme") && !all.contains("Other firm"), "{all}");
    assert!(all.contains("name=\"address\""));
    let one = browser.get("/login?tenant=main").expect(200).text();
    assert!(one.contains("Sign in with Acme") && !one.contains("Other firm"), "{one}");
    // With one firm there is nothing to hide.
    let alone = World::start().browser().get("/login?return_to=/people%3Fa=%22%3E").expect(200).text();
    assert!(alone.contains("href=\"/sso/okta/start?return_to=%2Fpeople%3Fa%3D%22%3E\""), "{alone}");
}

#[test]
fn x43_what_stands_in_a_page_is_escaped() {
    let world = World::start();
    let ada = world.ada();
    let odd = "<script>alert(1)</script>";
    let rename = Request::scim("PATCH", &format!("/Users/{ada}")).json(&json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "displayName", "value": odd }],
    }));
    let _ = world.app.send(&rename).expect(200);
    let mut browser = world.browser();
    let there = browser
        .send(Request::new("GET", super::START_PATH).header("User-Agent", "\"><img src=x>"))
        .expect(303);
    let back = world.op.authorize(there.header("location").unwrap());
    let callback =
        Request::new("GET", format!("/sso/okta/callback?{back}")).header("User-Agent", "\"><img src=x>");
    let _ = browser.send(callback).expect(303);
    let html = browser.get("/me").expect(200).text();
    assert!(!html.contains("<script>") && !html.contains("<img"), "{html}");
    assert!(html.contains("alert(1)") && html.contains("img src=x"), "{html}");
}

#[test]
fn t13_h08_somebody_changes_how_they_are_reached_and_nothing_else_of_their_card() {
    let world = World::start();
    let ada = world.ada();
    let mut browser = world.signed_in();
    let filled = [
        ("work_phone", "+44 20 7946 0000"),
        ("mobile_phone", ""),
        ("street", "12 St James's Square"),
        ("postal_code", "SW1Y 4JH"),
        ("locality", "London"),
        ("country", "gb"),
        // What is no field of the form is no field at all.
        ("displayName", "Somebody else"),
        ("userName", "root"),
        ("active", "false"),
    ];
    let answer = browser.post("/me/contact", &filled).expect(303);
    assert_eq!(answer.header("location"), Some("/me?done=saved"));
    let page = browser.get("/me?done=saved").expect(200).text();
    assert!(page.contains("Your details are saved.") && page.contains("SW1Y 4JH"), "{page}");
    let seen = world.app.send(&Request::scim("GET", &format!("/Users/{ada}"))).expect(200).json();
    let phones = seen["phoneNumbers"].as_array().unwrap();
    assert_eq!(phones.len(), 1);
    assert_eq!((&phones[0]["type"], &phones[0]["value"]), (&json!("work"), &json!("+44 20 7946 0000")));
    assert_eq!(seen["addresses"][0]["country"], "GB");
    assert_eq!(
        (&seen["displayName"], &seen["userName"]),
        (&json!("Ada Lovelace"), &json!("ada@acme.example"))
    );
    assert_eq!(seen["active"], true);
    // Emptied, it is gone.
    let _ = browser.post("/me/contact", &[("work_phone", "")]).expect(303);
    let seen = world.app.send(&Request::scim("GET", &format!("/Users/{ada}"))).expect(200).json();
    assert_eq!((&seen["phoneNumbers"], &seen["addresses"]), (&Value::Null, &Value::Null));
    // Not from elsewhere, not by a stranger, and no longer than a line.
    let form = Browser::form("/me/contact", &filled);
    assert_eq!(world.browser().send(form).expect(303).header("location"), Some("/login?return_to=/me"));
    let foreign = Request::new("POST", "/me/contact")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Origin", "https://evil.example")
        .body("work_phone=1");
    let _ = browser.send(foreign).expect(403);
    // What went wrong is told as a page to who is at one.
    let told = browser.post("/me/contact", &[("street", &"a".repeat(201))]).expect(409);
    assert_eq!(told.header("content-type"), Some("text/html; charset=utf-8"), "{told:?}");
    assert!(told.header("content-security-policy").is_some());
    assert!(told.text().contains("shorten it"), "{}", told.text());
}

#[test]
fn who_is_not_signed_in_is_led_to_the_ways_in_and_back() {
    let world = World::start();
    world.ada();
    let mut browser = world.browser();
    let answer = browser.get("/").expect(303);
    assert_eq!(answer.header("location"), Some("/me"));
    let answer = browser.get("/me").expect(303);
    assert_eq!(answer.header("location"), Some("/login?return_to=/me"));
    let _ = browser.get("/me/sessions").expect(401);
    let mut browser = world.signed_in();
    let page = browser.get("/me").expect(200).text();
    assert!(page.contains("Ada Lovelace") && page.contains("by Acme") && page.contains("this one"), "{page}");
}

#[test]
fn the_firms_own_means_are_offered_where_somebody_signs_in_by_them() {
    let page =
        |more: &str, path: &str| World::of(Op::start(), "", more).browser().get(path).expect(200).text();
    let shown = page("", "/login?return_to=/people");
    assert!(shown.contains("href=\"/password/login?return_to=%2Fpeople\""), "{shown}");
    assert!(!shown.contains("/magic-link"), "no mail is sent: {shown}");
    let sso = page("[sign_in]\nmethod = \"sso\"\n", "/login");
    assert!(!sso.contains("/password/login") && sso.contains("Sign in with Acme"), "{sso}");
    let one = "[sign_in]\nmethod = \"sso\"\n[tenants.main.sign_in]\nmethod = \"password\"\n";
    assert!(page(one, "/login?tenant=main").contains("/password/login?return_to=%2Fme&#38;tenant=main"));
    assert!(!page(one, "/login?tenant=other").contains("/password/login"));
}
