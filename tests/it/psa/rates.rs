//! What people cost and are billed at, through time (H05, H12, H13).

use serde_json::{Value, json};

use super::{EXT, hire, local, make, person, psa, thing, told};
use crate::support::bodies::{patch, replace};
use crate::support::on_every_store;

fn ext(name: &str) -> String {
    format!("{EXT}:{name}")
}

fn rate(start: &str, amount: &str) -> Value {
    json!({ "startDate": start, "amount": amount, "currency": "EUR" })
}

fn add(name: &str, rates: Value) -> Value {
    patch(&[json!({ "op": "add", "path": ext(name), "value": rates })])
}

#[test]
fn h05_a_person_has_a_price_and_a_cost() {
    on_every_store(|app| {
        let admin = local(&app);
        let ada = hire(
            &admin,
            "ada",
            json!({ "costRates": [rate("2026-01-01", "50")], "billingRates": [rate("2026-01-01", "120.50")] }),
        );
        assert_eq!(
            psa(&admin, &ada, "costRates"),
            json!([{ "startDate": "2026-01-01", "amount": "50.00", "currency": "EUR", "current": true }])
        );
        assert_eq!(psa(&admin, &ada, "billingRates")[0]["amount"], "120.50");
        // A number is exact as long as it is written out.
        admin
            .patch(
                &ada,
                &replace(
                    &ext("billingRates"),
                    json!([{ "startDate": "2026-01-01", "amount": 99.99, "currency": "usd" }]),
                ),
            )
            .expect(200)
            .json();
        let billing = psa(&admin, &ada, "billingRates");
        assert_eq!((&billing[0]["amount"], &billing[0]["currency"]), (&json!("99.99"), &json!("USD")));
    });
}

#[test]
fn h12_a_rate_ends_where_the_next_one_starts() {
    on_every_store(|app| {
        let admin = local(&app);
        let ada = hire(&admin, "ada", json!({ "costRates": [rate("2026-01-01", "50")] }));
        admin.patch(&ada, &add("costRates", json!([rate("2026-07-01", "60")]))).expect(200).json();
        admin.patch(&ada, &add("costRates", json!([rate("2026-02-15", "55")]))).expect(200).json();
        assert_eq!(
            psa(&admin, &ada, "costRates"),
            json!([
                { "startDate": "2026-01-01", "endDate": "2026-02-14", "amount": "50.00", "currency": "EUR", "current": false },
                { "startDate": "2026-02-15", "endDate": "2026-06-30", "amount": "55.00", "currency": "EUR", "current": true },
                { "startDate": "2026-07-01", "amount": "60.00", "currency": "EUR", "current": false },
            ])
        );
        // Computed: whoever sends it says nothing.
        let read = psa(&admin, &ada, "costRates");
        let etag = admin.get(&ada).etag();
        assert_eq!(admin.patch(&ada, &replace(&ext("costRates"), read)).expect(200).etag(), etag);
        admin
            .patch(
                &ada,
                &patch(&[json!({ "op": "remove", "path": ext("costRates[startDate eq \"2026-02-15\"]") })]),
            )
            .expect(200)
            .json();
        assert_eq!(psa(&admin, &ada, "costRates")[0]["endDate"], "2026-06-30", "the one before holds on");
        let found = admin
            .find("/Users", &format!("{}[current eq true and amount eq \"50.00\"]", ext("costRates")))
            .expect(200)
            .json();
        assert_eq!(found["totalResults"], 1);
    });
}

#[test]
fn h12_the_current_rate_is_that_of_today_where_the_person_is() {
    on_every_store(|app| {
        let admin = local(&app);
        let ada =
            hire(&admin, "ada", json!({ "costRates": [rate("2026-01-01", "50"), rate("2026-03-02", "60")] }));
        let current = || {
            psa(&admin, &ada, "costRates")
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["current"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(current(), [true, false]);
        app.clock().advance(15 * 3600);
        admin.patch(&ada, &replace("timezone", "Europe/Helsinki")).expect(200).json();
        assert_eq!(current(), [false, true], "at 23:00 in UTC it is the next day in Helsinki");
        admin.patch(&ada, &replace("timezone", "America/New_York")).expect(200).json();
        assert_eq!(current(), [true, false]);
    });
}

#[test]
fn h12_cost_rates_are_in_the_base_currency_of_the_company() {
    on_every_store(|app| {
        let admin = local(&app);
        let mut acme = thing("Company", "Acme");
        acme["baseCurrency"] = "EUR".into();
        let acme = make(&admin, "/Companies", &acme);
        let plain = json!([{ "startDate": "2026-01-01", "amount": "50" }]);
        let ada = hire(
            &admin,
            "ada",
            json!({ "company": { "value": acme }, "costRates": plain, "billingRates": plain }),
        );
        assert_eq!(psa(&admin, &ada, "costRates")[0]["currency"], "EUR");
        assert_eq!(psa(&admin, &ada, "billingRates")[0]["currency"], "EUR");
        let dollars = json!([{ "startDate": "2026-02-01", "amount": "50", "currency": "USD" }]);
        let detail = admin.patch(&ada, &add("costRates", dollars.clone())).refused(400, Some("invalidValue"));
        assert!(detail.contains("EUR") && detail.contains("USD"), "{detail}");
        admin.patch(&ada, &add("billingRates", dollars)).expect(200).json();
        let detail = admin
            .post("/Users", &person("bob", json!({ "costRates": plain })))
            .refused(400, Some("invalidValue"));
        assert!(detail.contains("currency"), "{detail}");
        admin.post("/Users", &person("bob", json!({ "costRates": [{ "startDate": "2026-01-01", "amount": "50", "currency": "QQQ" }] }))).refused(400, Some("invalidValue"));
        // Rates from before the company had this currency stay as they were.
        admin.patch(&format!("/Companies/{acme}"), &replace("baseCurrency", "SEK")).expect(200).json();
        admin.patch(&ada, &replace("title", "Boss")).expect(200).json();
        admin
            .patch(&ada, &add("costRates", json!([{ "startDate": "2026-05-01", "amount": "500" }])))
            .expect(200)
            .json();
        let rates = psa(&admin, &ada, "costRates");
        assert_eq!((&rates[0]["currency"], &rates[1]["currency"]), (&json!("EUR"), &json!("SEK")));
    });
}

#[test]
fn h13_an_overwritten_rate_is_told_with_old_new_and_from_when_on() {
    on_every_store(|app| {
        let admin = local(&app);
        let first = json!([rate("2026-01-01", "50.00"), rate("2026-02-01", "55.00")]);
        let ada = hire(&admin, "ada", json!({ "costRates": first }));
        admin.patch(&ada, &add("costRates", json!([rate("2026-02-01", "58")]))).expect(200).json();
        assert_eq!(psa(&admin, &ada, "costRates")[1]["amount"], "58.00", "in place of the one of that day");
        let changes = told(&app, &ada, &ext("costRates"));
        assert_eq!(changes.len(), 2);
        let last = &changes[1];
        assert_eq!(last.old, Some(first.clone()));
        assert_eq!(last.new, Some(json!([rate("2026-01-01", "50.00"), rate("2026-02-01", "58.00")])));
        assert_eq!(last.from.as_deref(), Some("2026-02-01"));
        assert!(changes.iter().all(|change| change.money));
        admin.patch(&ada, &patch(&[json!({ "op": "remove", "path": ext("costRates") })])).expect(200).json();
        let changes = told(&app, &ada, &ext("costRates"));
        assert_eq!((changes[2].new.clone(), changes[2].from.as_deref()), (None, Some("2026-01-01")));
        // Employments are a history as well, and no money.
        admin.patch(&ada, &add("employments", json!([{ "startDate": "2026-04-01" }]))).expect(200).json();
        let changes = told(&app, &ada, &ext("employments"));
        assert_eq!((changes[0].from.as_deref(), changes[0].money), (Some("2026-04-01"), false));
    });
}
