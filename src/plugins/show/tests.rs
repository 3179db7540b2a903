//! What is shown, for each way of granting it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::*;
use crate::ids::{RequestId, ResourceId};
use crate::roster::hooks::{Series, UserTypeChoice};
use crate::scim::Document;

const OWN: &str = "urn:example:firm:1.0:User";

fn id(last: u8) -> ResourceId {
    let mut bytes = [0; 16];
    bytes[15] = last;
    ResourceId::from_bytes(bytes)
}

fn subject() -> Subject {
    let mut document = Document::default();
    let core = json!({
        "userName": "anna@example.com", "externalId": "e-1", "active": false, "displayName": "Anna K", "title": "Senior",
        "name": { "givenName": "Anna", "familyName": "Kovač" }, "password": "must never be seen", "locale": "fi-FI",
        "emails": [{ "value": "a@home.example" }, { "value": "a@work.example", "primary": true }],
        "addresses": [{ "country": "FI" }], "nickName": "An"
    });
    document.core = core.as_object().unwrap().clone();
    for (urn, value) in [
        (
            ENTERPRISE,
            json!({ "department": "Design", "manager": { "value": "m-1" }, "employeeNumber": "42" }),
        ),
        (OWN, json!({ "badge": 7, "floor": "3" })),
    ] {
        document.extensions.push((urn.to_owned(), value.as_object().unwrap().clone()));
    }
    let shadow = json!({ "urn:x:weird": 1 }).as_object().unwrap().clone();
    Subject { id: id(1), document, groups: vec![(id(2), "Design".to_owned())], shadow }
}

fn held() -> Held {
    let rate = || vec![Rate { start_date: "2026-01-01".into(), amount: "80".into(), currency: "EUR".into() }];
    Held {
        kind: Some("employee".into()),
        license: Some("Pool".into()),
        financial_visibility: Some("full".into()),
        user_types: vec![UserTypeChoice { user_type: "Consultant".into(), primary: true, cost_center: None }],
        employments: vec![Employment {
            start_date: "2026-01-01".into(),
            template: Some("Full time".into()),
            overtime_balance_start_date: None,
            hour_balance_disabled: None,
        }],
        cost_rates: rate(),
        billing_rates: rate(),
        activate_on: Some("2026-01-01".into()),
        deactivate_on: Some("2027-01-01".into()),
        writers: BTreeMap::from([
            ("costRates".to_owned(), Writer::Admin),
            ("kind".to_owned(), Writer::Plugin("other".to_owned())),
        ]),
    }
}

fn grant(names: &[(Option<&str>, &str)]) -> Grant {
    let reads: BTreeSet<Granted> = names
        .iter()
        .map(|(urn, name)| match *name {
            "groups" => Granted::Groups,
            "shadow" => Granted::Shadow,
            name => Granted::Attribute { urn: urn.map(str::to_owned), name: name.to_owned() },
        })
        .collect();
    Grant { reads, ..Grant::default() }
}

#[test]
fn x57_without_a_grant_nothing_but_the_id_is_shown() {
    let shown = user(&subject(), &grant(&[]));
    let nobody = user(
        &Subject { id: id(1), document: Document::default(), groups: Vec::new(), shadow: Map::new() },
        &grant(&[]),
    );
    assert_eq!(format!("{shown:?}"), format!("{nobody:?}"));
    assert_eq!(shown.id, id(1).to_string());
    assert_eq!((shown.extra.as_str(), shown.shadow.as_str()), ("{}", "{}"));
    let (all, none) = (psa(&held(), &grant(&[])), psa(&Held::default(), &grant(&[])));
    assert_eq!(format!("{all:?}"), format!("{none:?}"));
}

#[test]
fn x57_each_attribute_is_shown_to_whom_it_is_granted_and_to_nobody_else() {
    let places: &[(Option<&str>, &str, &str)] = &[
        (None, "userName", "anna@example.com"),
        (None, "externalId", "e-1"),
        (None, "displayName", "Anna K"),
        (None, "name", "Kovač"),
        (None, "title", "Senior"),
        (None, "locale", "fi-FI"),
        (None, "emails", "a@work.example"),
        (None, "addresses", "FI\\\""),
        (None, "nickName", "\\\"An\\\""),
        (None, "groups", "\"Design\""),
        (None, "shadow", "urn:x:weird"),
        (Some(ENTERPRISE), "manager", "m-1"),
        (Some(ENTERPRISE), "employeeNumber", "\"42\""),
        (Some(OWN), "badge", "badge\\\":7"),
        (Some(OWN), "floor", "floor"),
    ];
    for (urn, name, text) in places {
        let shown = format!("{:?}", user(&subject(), &grant(&[(*urn, name)])));
        assert!(shown.contains(text), "{name} is not shown: {shown}");
        for (_, other, secret) in places.iter().filter(|(_, other, _)| other != name) {
            assert!(!shown.contains(secret), "{other} is shown to who may see {name}: {shown}");
        }
    }
}

#[test]
fn x57_a_password_is_shown_to_nobody_whatever_is_granted() {
    let shown = user(&subject(), &grant(&[(None, "password"), (None, "Password"), (None, "title")]));
    assert_eq!(shown.title.as_deref(), Some("Senior"));
    assert!(!format!("{shown:?}").contains("must never be seen"), "{shown:?}");
}

#[test]
fn x57_money_is_shown_to_whom_it_is_granted_only() {
    let of = |name: &str| psa(&held(), &grant(&[(Some(PSA), name)]));
    let shown = of("costRates");
    assert_eq!((shown.cost_rates.len(), shown.billing_rates.len()), (1, 0));
    assert!(matches!(shown.cost_rates_origin, Some(types::Origin::Admin)));
    assert!(shown.kind.is_none() && shown.user_types.is_empty() && shown.activate_on.is_none());
    let shown = of("kind");
    assert!(shown.cost_rates.is_empty() && shown.cost_rates_origin.is_none());
    assert!(matches!(shown.kind, Some(types::Held { origin: types::Origin::Plugin, .. })));
    // The same name in another schema is another attribute.
    assert!(psa(&held(), &grant(&[(None, "costRates")])).cost_rates.is_empty());
}

#[test]
fn a_primary_address_goes_before_the_first() {
    let shown = user(&subject(), &grant(&[(None, "emails")]));
    assert_eq!(shown.email.as_deref(), Some("a@work.example"));
    assert!(shown.extra.contains("a@home.example"), "the whole list is in extra: {}", shown.extra);
}

#[test]
fn x57_of_what_changed_only_granted_paths_are_told() {
    let notice = Notice {
        id: "evt_1".into(),
        sequence: 7,
        subject: id(1),
        changed: vec![
            "title".into(),
            "name.givenName".into(),
            "password".into(),
            "groups".into(),
            format!("{PSA}:costRates"),
            format!("{ENTERPRISE}:department"),
        ],
        user: Some(subject()),
    };
    let about = About {
        tenant: "main".into(),
        source: "okta".into(),
        operation: Operation::Patch,
        request: RequestId::from_bytes([1; 16]),
        now: "2026-03-01T00:00:00Z".parse().unwrap(),
        today: "2026-03-01".parse().unwrap(),
        dry_run: false,
        series: Series::Alone,
    };
    let told = event(
        &about,
        &notice,
        &grant(&[(None, "name"), (None, "password"), (Some(ENTERPRISE), "department")]),
    );
    assert_eq!(told.changed, ["name.givenName".to_owned(), format!("{ENTERPRISE}:department")]);
    assert_eq!((told.id.as_str(), told.sequence.as_str()), ("evt_1", "7"));
    assert!(told.user.unwrap().title.is_none());
}
