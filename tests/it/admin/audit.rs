//! X60: the history has a scope of its own, comes in pages and as a stream, and shows money to nobody without the scope for it.

use rosterd::ids::TenantId;
use rosterd::roster::Command;
use serde_json::{Value, json};

use super::support::{Admin, problem};
use crate::support::bodies::{replace, user};
use crate::support::world::history;
use crate::support::{TestApp, on_every_store};

const TENANT: TenantId = TenantId::new(1);
const RATES: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User:costRates";

#[test]
fn x60_the_history_is_read_with_its_own_scope_and_with_no_other() {
    on_every_store(|app| {
        let _ = app.post("/Users", &user("ada")).expect(201);
        let admin = Admin::of(&app, &["admin", "financials", "users:read"]);
        for path in ["/audit", "/audit/export"] {
            assert!(problem(&admin.get(path), 403).contains("scope audit"));
        }
        let auditor = Admin::of(&app, &["audit"]);
        let page = auditor.get("/audit").expect(200).json();
        assert_eq!(page["items"][0]["seq"], 1);
        // Who may read the history may nothing else by that.
        problem(&auditor.get("/connections"), 403);
    });
}

#[test]
fn x60_pages_and_stream_hold_the_same_entries_and_those_of_the_store() {
    on_every_store(|app| {
        for number in 0..23 {
            let _ = app.post("/Users", &user(&format!("user-{number}"))).expect(201);
        }
        let auditor = Admin::of(&app, &["audit"]);
        let rows = history(app.roster(), TENANT);
        let exported: Vec<Value> = {
            let answer = auditor.get("/audit/export").expect(200);
            assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
            answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        assert_eq!(exported.len(), rows.len());
        for (entry, row) in exported.iter().zip(&rows) {
            assert_eq!(entry["seq"], row.seq.0);
            assert_eq!(entry["link"], rosterd::roster::hex(&row.link.0));
        }
        for limit in [1, 7, 200] {
            assert_eq!(auditor.all("/audit", limit), exported, "{limit}");
        }
        let after = exported.len() as u64 - 3;
        assert_eq!(
            auditor.get(&format!("/audit/export?after={after}")).expect(200).text().lines().count(),
            3
        );
        assert_eq!(auditor.get("/audit/export?after=99999999").expect(200).text(), "");
        assert_eq!(
            auditor.get("/audit?after=18446744073709551615").expect(200).json(),
            json!({ "items": [], "next": null })
        );
    });
}

#[test]
fn the_history_is_picked_by_subject_action_and_time() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let eve = app.post("/Users", &user("eve")).expect(201).id();
        let _ = app.patch(&format!("/Users/{ada}"), &replace("title", "CTO")).expect(200);
        let auditor = Admin::of(&app, &["audit"]);
        let of = |query: &str| auditor.all(&format!("/audit?{query}"), 1);
        let actions =
            |entries: &[Value]| entries.iter().map(|entry| entry["action"].clone()).collect::<Vec<_>>();
        let about = of(&format!("subject={ada}"));
        assert_eq!(actions(&about), [json!("create"), json!("patch")]);
        assert_eq!(about[1]["subject"], json!({ "kind": "User", "id": ada }));
        assert_eq!(about[1]["changes"][0]["new"], "CTO");
        assert_eq!(about[1]["who"]["kind"], "token");
        assert_eq!(actions(&of(&format!("subject={ada}&action=patch"))), [json!("patch")]);
        let both: Vec<Value> =
            of("action=create").iter().map(|entry| entry["subject"]["id"].clone()).collect();
        assert_eq!(both, [json!(ada), json!(eve)]);
        let when = about[1]["when"].as_str().unwrap();
        assert!(
            of(&format!("subject={ada}&until={when}")).len() == 1
                && of(&format!("subject={ada}&since={when}")).len() == 1
        );
        for wrong in ["subject=ada", "action=explode", "since=yesterday", "after=-1"] {
            problem(&auditor.get(&format!("/audit?{wrong}")), 400);
        }
    });
}

#[test]
fn x60_money_and_the_names_of_its_attributes_are_left_out_without_the_scope() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &["admin"]);
        // An administrator who may see money gives somebody a rate, through SCIM.
        let payroll = Admin::of(&app, &["users:read", "users:write", "financials"]);
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:rosterd:scim:schemas:extension:psa:1.0:User"],
            "userName": "ada",
            "urn:rosterd:scim:schemas:extension:psa:1.0:User": {
                "kind": "freelancer",
                "costRates": [{ "startDate": "2026-01-01", "amount": "123.4567", "currency": "EUR" }]
            }
        });
        let ada = app.with(payroll.0.token()).post("/Users", &body).expect(201).id();
        let path = format!("/audit?subject={ada}");
        let seeing = Admin::of(&app, &["audit", "financials"]).get(&path).expect(200).text();
        assert!(seeing.contains(RATES) && seeing.contains("123.4567"), "{seeing}");
        let auditor = Admin::of(&app, &["audit"]);
        for blind in [auditor.get(&path), auditor.get("/audit/export")] {
            let blind = blind.expect(200).text();
            assert!(!blind.contains("costRates") && !blind.contains("123.4567"), "{blind}");
            assert!(blind.contains("freelancer"), "{blind}");
        }
        drop(admin);
    });
}

#[test]
fn x14_the_history_is_that_of_the_tokens_tenant() {
    let app = TestApp::start();
    let _ = app.post("/Users", &user("rosa")).expect(201);
    app.operate(Command::TenantCreate { name: "acme".to_owned() });
    let other = Admin::bound(&app, "acme", &["audit"], None);
    for path in ["/audit", "/audit/export"] {
        assert!(!other.get(path).expect(200).text().contains("rosa"));
    }
}
