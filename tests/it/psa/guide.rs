//! The requests of docs/operate/people.md do what the page says.

use serde_json::Value;

use super::{EXT, hire, local, make, psa, thing};
use crate::support::on_every_store;

const PAGE: &str = include_str!("../../../docs/operate/people.md");

/// The requests that the page shows: method, path below the SCIM base, body.
fn requests() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut lines = PAGE.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((method, path)) = line.strip_prefix("    ").and_then(|line| line.split_once(" /scim/v2"))
        else {
            continue;
        };
        let mut body = String::new();
        while let Some(more) = lines.next_if(|line| line.starts_with("    ")) {
            body.push_str(more);
        }
        found.push((method.to_owned(), path.to_owned(), body));
    }
    found
}

#[test]
fn the_requests_of_the_page_on_people_work() {
    on_every_store(|app| {
        let admin = local(&app);
        let centre = make(&admin, "/CostCenters", &thing("CostCenter", "Firm"));
        let mut company = Value::Null;
        let mut seen = 0;
        for (method, path, body) in requests() {
            let body = body.replace("<id of a cost centre>", &centre);
            let body: Value =
                serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"));
            seen += 1;
            if method == "POST" {
                let made = admin.post(&path, &body).expect(201);
                if path == "/Companies" {
                    company = made.id().into();
                }
                continue;
            }
            assert_eq!((method.as_str(), path.as_str()), ("PATCH", "/Users/<id>"));
            let ada = hire(&admin, "ada", serde_json::json!({ "company": { "value": company } }));
            admin.patch(&ada, &body).expect(200).json();
            let rate = psa(&admin, &ada, "costRates")[0].clone();
            assert_eq!((&rate["amount"], &rate["currency"]), (&"62.50".into(), &"EUR".into()));
        }
        assert_eq!(seen, 5, "the requests of the page");
        // Every attribute that an administrator writes has a line.
        let schema = admin.get(&format!("/Schemas/{EXT}")).expect(200).json();
        for attribute in schema["attributes"].as_array().unwrap() {
            let name = attribute["name"].as_str().unwrap();
            assert!(PAGE.contains(&format!("`{name}`")), "{name} is missing on the page");
        }
    });
}
