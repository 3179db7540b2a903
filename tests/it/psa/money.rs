//! Money is not for everybody (A03, X25; section 4 of the domain): without the scope `financials` rates do not exist, and what names them is
//! refused whole.

use serde_json::{Value, json};

use super::{EXT, blind, hire, local, person, psa, told};
use crate::support::bodies::{patch, replace, user};
use crate::support::{Client, TestApp, encode, on_every_store};

fn rates(amount: &str) -> Value {
    json!([{ "startDate": "2026-01-01", "amount": amount, "currency": "EUR" }])
}

/// A person with rates: the path.
fn rich(admin: &Client) -> String {
    hire(
        admin,
        "ada",
        json!({ "costRates": rates("51.70"), "billingRates": rates("120.30"), "financialVisibility": "full" }),
    )
}

/// What the connection said of somebody that no schema knows.
fn shadow(app: &TestApp, client: &Client, path: &str) -> serde_json::Map<String, Value> {
    let caller = app.roster().authenticate(client.token(), app.roster().request_id()).unwrap().unwrap();
    let id = rosterd::ids::ResourceId::parse(path.rsplit('/').next().unwrap()).unwrap();
    app.roster().shadow(&caller, rosterd::ids::Address::user(id)).unwrap()
}

#[test]
fn a03_rates_are_in_no_answer_to_those_who_see_no_money() {
    on_every_store(|app| {
        let (admin, clerk) = (local(&app), blind(&app));
        let ada = rich(&admin);
        app.adopt();
        let search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "attributes": [format!("{EXT}:costRates"), "costRates", EXT] });
        for client in [&clerk, &app as &Client] {
            for answer in [
                client.get(&ada),
                client.get(&format!("{ada}?attributes={EXT}:costRates")),
                client.get(&format!("{ada}?attributes=costRates,billingRates.amount")),
                client.get(&format!("{ada}?attributes={EXT}")),
                client.get(&format!("{ada}?excludedAttributes=userName")),
                client.get("/Users"),
                client.get("/?filter=userName%20eq%20%22ada%22"),
                client.get(&format!("/Users?attributes={EXT}:billingRates")),
                client.get("/Users?sortBy=userName"),
                client.post("/Users/.search", &search),
                client.post("/.search", &search),
                client.patch(&ada, &replace("title", "Boss")),
                client.patch(&ada, &replace("title", "Boss again")),
                client.get("/Schemas"),
                client.get(&format!("/Schemas/{EXT}")),
                client.get("/ResourceTypes"),
            ] {
                let text = answer.text();
                assert!(
                    !text.contains("51.7")
                        && !text.contains("120.3")
                        && !text.contains("Rates")
                        && !text.contains("#money"),
                    "{text}"
                );
            }
        }
        assert_eq!(psa(&clerk, &ada, "financialVisibility"), "full", "the rest is there");
        assert_eq!(psa(&admin, &ada, "costRates")[0]["amount"], "51.70");
        let schema = admin.get(&format!("/Schemas/{EXT}")).expect(200).text();
        assert!(schema.contains("costRates"), "{schema}");
        let alone = admin.get(&format!("{ada}?attributes={EXT}:costRates.amount")).expect(200).json();
        assert_eq!(alone[EXT], json!({ "costRates": [{ "amount": "51.70" }] }));
        let without = admin.get(&format!("{ada}?excludedAttributes={EXT}:costRates")).expect(200).json();
        assert_eq!(
            (&without[EXT]["costRates"], &without[EXT]["billingRates"][0]["amount"]),
            (&Value::Null, &json!("120.30"))
        );
    });
}

#[test]
fn a03_in_filters_and_orders_rates_are_an_unknown_attribute() {
    on_every_store(|app| {
        let (admin, clerk) = (local(&app), blind(&app));
        rich(&admin);
        hire(&admin, "bob", json!({ "costRates": rates("10") }));
        let total = |client: &Client, filter: &str| {
            client.find("/Users", filter).expect(200).json()["totalResults"].clone()
        };
        for name in ["costRates", "billingRates"] {
            for filter in [
                format!("{EXT}:{name}.amount eq \"51.70\""),
                format!("{EXT}:{name} pr"),
                format!("{name} pr"),
                format!("{EXT}:{name}[amount sw \"5\"]"),
                format!("{EXT}:{name}[current eq true]"),
            ] {
                // The same words with a name that nobody ever had.
                let unknown = filter.replace(name, "shoeSizes");
                let (asked, other) = (clerk.find("/Users", &filter), clerk.find("/Users", &unknown));
                assert_eq!(asked.status, other.status, "{filter}");
                if asked.status == 200 {
                    assert_eq!(asked.json(), other.json(), "{filter}");
                } else {
                    assert_eq!(asked.text().replace(name, "shoeSizes"), other.text(), "{filter}");
                }
            }
        }
        assert_eq!(total(&admin, &format!("{EXT}:costRates pr")), 2);
        assert_eq!(total(&admin, &format!("{EXT}:costRates.amount eq \"51.70\"")), 1);
        assert_eq!(total(&admin, &format!("not ({EXT}:costRates[amount eq \"10.00\"])")), 1);
        let sorted =
            |client: &Client, by: &str| client.get(&format!("/Users?sortBy={}", encode(by))).essence();
        assert_eq!(
            sorted(&clerk, &format!("{EXT}:costRates.amount")).0,
            sorted(&clerk, &format!("{EXT}:shoeSizes.amount")).0
        );
    });
}

#[test]
fn a03_whoever_sees_no_money_and_names_it_is_refused_whole() {
    on_every_store(|app| {
        let (admin, clerk) = (local(&app), blind(&app));
        let ada = rich(&admin);
        app.adopt();
        let etag = admin.get(&ada).etag();
        let op = |op: &str, path: &str, value: Value| json!({ "op": op, "path": path, "value": value });
        let without_path = |value: Value| json!({ "op": "replace", "value": value });
        let core = crate::support::bodies::USER;
        let operations = [
            op("replace", &format!("{EXT}:costRates"), rates("1")),
            op("replace", &format!("{}:COSTRATES", EXT.to_uppercase()), rates("1")),
            op("add", &format!("{EXT}.billingRates"), rates("1")),
            op("add", "costRates", rates("1")),
            op("add", " billingrates ", rates("1")),
            op("replace", "costRates[startDate eq \"2026-01-01\"].amount", json!("1")),
            op("replace", &format!("{EXT}:costRates[ startDate eq \"2026-01-01\" ].amount"), json!("1")),
            op("replace", &format!("{EXT}:costRates.amount"), json!("1")),
            op("replace", &format!("{core}:costRates"), rates("1")),
            json!({ "op": "remove", "path": format!("{EXT}:costRates") }),
            json!({ "op": "remove", "path": "costRates" }),
            op("replace", EXT, json!({ "costRates": rates("1") })),
            op("replace", EXT, json!({ "CostRates": null })),
            op("replace", &format!("{EXT}:"), json!({ "costRates": rates("1") })),
            op("add", EXT, json!([{ "costRates": rates("1") }])),
            without_path(json!({ (format!("{EXT}:")): { "costRates": rates("1") } })),
            op("replace", EXT, json!({ "costRates.amount": "1" })),
            op("replace", core, json!({ "costRates": rates("1") })),
            without_path(json!({ "costRates": rates("1") })),
            without_path(json!({ EXT: { "billingRates": rates("1") } })),
            without_path(json!({ (EXT.to_uppercase()): { "BILLINGRATES": [] } })),
            without_path(json!({ (format!("{EXT}:costRates")): rates("1") })),
            without_path(json!({ core: { "costRates": rates("1") } })),
            json!({ "OP": "replace", "Path": format!("{EXT}:costRates"), "VALUE": rates("1") }),
        ];
        for client in [&clerk, &app as &Client] {
            for operation in &operations {
                // Refused whole: neither is what stands beside it carried out.
                let both =
                    patch(&[json!({ "op": "replace", "path": "title", "value": "Boss" }), operation.clone()]);
                let detail = client.patch(&ada, &both).refused(403, None);
                assert!(detail.contains("financials"), "{operation}: {detail}");
                let mut odd = both.clone();
                odd["operations"] = odd["Operations"].take();
                odd.as_object_mut().unwrap().remove("Operations");
                client.patch(&ada, &odd).refused(403, None);
                let bulk = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [{ "method": "PATCH", "path": ada, "data": both }] });
                if client.token() == clerk.token() {
                    let answer = client.post("/Bulk", &bulk).expect(200).json();
                    assert_eq!(answer["Operations"][0]["status"], "403", "{operation}: {answer}");
                }
            }
            let mut bodies = vec![
                person("ada", json!({ "costRates": rates("1") })),
                person("ada", json!({ "BillingRates": [] })),
                user("ada"),
                user("ada"),
                user("ada"),
                user("ada"),
            ];
            bodies[2]["costRates"] = rates("1");
            bodies[3][format!("{EXT}:costRates")] = rates("1");
            bodies[4][core] = json!({ "costRates": rates("1") });
            bodies[5][EXT] = json!({ "costRates": null });
            for body in &bodies {
                client.put(&ada, body).refused(403, None);
                let mut other = body.clone();
                other["userName"] = "bob".into();
                client.post("/Users", &other).refused(403, None);
            }
            assert_eq!(shadow(&app, client, &ada), serde_json::Map::new());
        }
        assert_eq!(
            (admin.get(&ada).etag(), admin.get("/Users").expect(200).json()["totalResults"].clone()),
            (etag, json!(1))
        );
        // Of the same names elsewhere nothing is said.
        let fine = patch(&[
            op("replace", "nickName", json!("costRates")),
            op("add", "urn:acme:x:User:costRates", json!("1")),
        ]);
        clerk.patch(&ada, &fine).expect(200).json();
        app.post("/Users", &user("costRates")).expect(201).json();
    });
}

#[test]
fn a03_a_put_that_leaves_rates_out_keeps_them() {
    on_every_store(|app| {
        let (admin, clerk) = (local(&app), blind(&app));
        let ada = rich(&admin);
        let before = psa(&admin, &ada, "costRates");
        let mut read = clerk.get(&ada).expect(200).json();
        read["title"] = "Boss".into();
        clerk.put(&ada, &read).expect(200).json();
        assert_eq!(psa(&admin, &ada, "costRates"), before);
        clerk.put(&ada, &user("ada")).expect(200).json();
        assert_eq!(psa(&admin, &ada, "financialVisibility"), Value::Null, "what they see they replace");
        clerk.patch(&ada, &patch(&[json!({ "op": "remove", "path": EXT })])).expect(200).json();
        assert_eq!(psa(&admin, &ada, "costRates"), before);
        assert_eq!(psa(&admin, &ada, "billingRates")[0]["amount"], "120.30");
        // Who does see them replaces them.
        admin.put(&ada, &user("ada")).expect(200).json();
        assert_eq!(psa(&admin, &ada, "costRates"), Value::Null);
    });
}

#[test]
fn a03_the_history_marks_what_is_money() {
    on_every_store(|app| {
        let (admin, clerk) = (local(&app), blind(&app));
        let ada = rich(&admin);
        clerk.patch(&ada, &replace("title", "Boss")).expect(200).json();
        let changes = told(&app, &ada, &format!("{EXT}:costRates"));
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert!(changes[0].money);
        assert!(!told(&app, &ada, "title")[0].money);
    });
}

#[test]
fn a03_an_identity_provider_with_the_scope_still_sees_no_extension_that_is_not_its_own() {
    on_every_store(|app| {
        let admin = local(&app);
        let ada = rich(&admin);
        app.adopt();
        let seeing = app.issue("main", "idp", &["users:read", "users:write", "financials"]).0;
        assert_eq!(seeing.get(&ada).expect(200).json().get(EXT), None);
        seeing.put(&ada, &user("ada")).expect(200).json();
        assert_eq!(psa(&admin, &ada, "costRates")[0]["amount"], "51.70");
    });
}
