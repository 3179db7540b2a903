//! Who owns an attribute (section 1 of the domain): an identity provider replaces only what it can know, and it is known who wrote what.

use rosterd::psa::standing::{Standing, Writer};
use rosterd::psa::urn::STANDING;
use serde_json::{Value, json};

use super::{EXT, hire, local, make, psa, thing};
use crate::support::bodies::{ENTERPRISE, patch, replace, user};
use crate::support::{TestApp, on_every_store};

/// Where a person stands, as it is kept.
fn standing(app: &TestApp, path: &str) -> Standing {
    let id = rosterd::ids::ResourceId::parse(path.rsplit('/').next().unwrap()).unwrap();
    let snapshot = app.roster().store().snapshot().unwrap();
    let stored =
        snapshot.get(rosterd::ids::TenantId::new(1), rosterd::ids::Address::user(id)).unwrap().unwrap();
    let json = stored.segments().find(|(id, _)| *id == STANDING).map(|(_, json)| json);
    Standing::read(json).unwrap()
}

#[test]
fn x19_an_identity_provider_keeps_what_it_does_not_see() {
    on_every_store(|app| {
        let admin = local(&app);
        let company = make(&admin, "/Companies", &thing("Company", "Acme"));
        let boss = make(&admin, "/UserTypes", &thing("UserType", "Boss"));
        let ada = format!("/Users/{}", app.post("/Users", &user("ada")).expect(201).id());
        let rich = json!({ "company": { "value": company }, "userTypes": [{ "value": boss }], "costRates": [{ "startDate": "2026-01-01", "amount": "50", "currency": "EUR" }],
            "overrides": [{ "permission": "users.view", "effect": "grant" }], "schedule": { "deactivateOn": "2026-12-31" }, "kind": "freelancer" });
        admin.patch(&ada, &patch(&[json!({ "op": "add", "value": { EXT: rich } })])).expect(200).json();
        let before = admin.get(&ada).expect(200).json()[EXT].clone();
        let same = |what: &str| {
            let mut now = admin.get(&ada).expect(200).json()[EXT].clone();
            now["lifecycle"]["modifiedBy"] = before["lifecycle"]["modifiedBy"].clone();
            assert_eq!(now, before, "{what}");
        };
        app.put(&ada, &user("ada")).expect(200).json();
        same("a PUT with nothing");
        let mut more = user("ada");
        more["title"] = "Boss".into();
        app.put(&ada, &more).expect(200).json();
        same("a PUT");
        app.patch(&ada, &replace("title", "Bigger boss")).expect(200).json();
        same("a PATCH");
        app.patch(&ada, &patch(&[json!({ "op": "remove", "path": "title" })])).expect(200).json();
        same("a removal");
        // What it says of the extension is what no schema of its own knows.
        more[EXT] = json!({ "company": { "value": "x" }, "kind": "employee" });
        app.put(&ada, &more).expect(200).json();
        same("a PUT that names it");
        app.patch(
            &ada,
            &patch(&[json!({ "op": "replace", "path": format!("{EXT}:kind"), "value": "employee" })]),
        );
        same("a PATCH that names it");
    });
}

#[test]
fn it_is_known_who_wrote_what() {
    on_every_store(|app| {
        let admin = local(&app);
        let mut body = user("ada");
        body["title"] = "Coder".into();
        body["nickName"] = "A".into();
        let ada = format!("/Users/{}", app.post("/Users", &body).expect(201).id());
        let writers = || standing(&app, &ada).writers;
        assert!(writers().is_empty(), "whose the record is wrote it all");
        admin.patch(&ada, &replace("title", "Boss")).expect(200).json();
        admin.patch(&ada, &replace(&format!("{ENTERPRISE}:department"), "R&D")).expect(200).json();
        admin.patch(&ada, &replace(&format!("{EXT}:financialVisibility"), "full")).expect(200).json();
        let expected = |names: &[String]| names.iter().map(|name| (name.clone(), Writer::Admin)).collect();
        let visibility = format!("{EXT}:financialVisibility");
        assert_eq!(
            writers(),
            expected(&["title".into(), format!("{ENTERPRISE}:department"), visibility.clone()])
        );
        // The identity provider writes over one of them, and clears another.
        app.patch(&ada, &replace("title", "Bigger boss")).expect(200).json();
        assert_eq!(writers(), expected(&[format!("{ENTERPRISE}:department"), visibility.clone()]));
        app.patch(&ada, &patch(&[json!({ "op": "remove", "path": format!("{ENTERPRISE}:department") })]))
            .expect(200)
            .json();
        assert_eq!(writers(), expected(std::slice::from_ref(&visibility)));
        // The administrator takes back what they said: it is anybody's again.
        admin.patch(&ada, &patch(&[json!({ "op": "remove", "path": visibility })])).expect(200).json();
        assert!(writers().is_empty());
        assert_eq!(psa(&admin, &ada, "financialVisibility"), Value::Null);
    });
}

#[test]
fn an_administrators_own_people_are_written_by_administrators() {
    on_every_store(|app| {
        let admin = local(&app);
        let ada = hire(&admin, "ada", json!({ "financialVisibility": "full" }));
        assert!(standing(&app, &ada).writers.is_empty());
        admin.patch(&ada, &replace("title", "Boss")).expect(200).json();
        assert!(standing(&app, &ada).writers.is_empty());
    });
}
