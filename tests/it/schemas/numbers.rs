//! S46: numbers come back as they were sent, to the last digit, or are refused.

use serde_json::json;

use super::{ACME, add, person};
use crate::support::bodies::replace;
use crate::support::{Request, on_every_store};

#[test]
fn s46_a_decimal_comes_back_as_it_was_sent_or_is_refused() {
    on_every_store(|app| {
        add(&app, ACME, &json!([{ "name": "rate", "type": "decimal" }, { "name": "note" }]), &["idp"]);
        let id = app.post("/Users", &person("ada", ACME, json!({ "note": "x" }))).expect(201).id();
        let path = format!("/Users/{id}");
        let send = |text: &str| {
            let body = format!(
                r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{{"op":"replace","path":"{ACME}:rate","value":{text}}}]}}"#
            );
            app.send(&Request::scim("PATCH", &path).body(body))
        };
        // What comes back is read as text: a parser of numbers would forgive.
        let shown = |query: &str| {
            let text = app.get(&format!("{path}{query}")).expect(200).text();
            let (_, after) = text.split_once("\"rate\":").unwrap();
            after.split([',', '}']).next().unwrap().to_owned()
        };
        for (sent, kept) in [
            ("0.1", "0.1"),
            ("1e-7", "1e-7"),
            ("12345678901.2345", "12345678901.2345"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("1.50", "1.5"),
            ("7", "7"),
            ("-0.000123", "-0.000123"),
            ("9007199254740993", "9007199254740993"),
            ("123456789012345.6", "123456789012345.6"),
        ] {
            assert_eq!(send(sent).status, 200, "{sent}");
            assert_eq!(shown(""), kept);
            // Parsed and written again, by a projection and by a change beside it.
            assert_eq!(shown(&format!("?attributes={ACME}:rate")), kept);
            app.patch(&path, &replace(&format!("{ACME}:note"), sent)).expect(200).json();
            assert_eq!(shown(""), kept);
            assert_eq!(
                app.find("/Users", &format!("{ACME}:rate eq {sent}")).expect(200).json()["totalResults"],
                1,
                "{sent}"
            );
        }
        for sent in ["12345678901234567.89", "999999999999999.99", "1e999"] {
            let detail = send(sent).refused(400, Some("invalidSyntax"));
            assert!(detail.contains("number"), "{detail}");
            assert_eq!(shown(""), "123456789012345.6");
        }
    });
}

#[test]
fn d_e13_a_number_in_a_string_is_a_number_and_nothing_else_is() {
    on_every_store(|app| {
        let strict = app.strict();
        let attributes =
            json!([{ "name": "level", "type": "integer" }, { "name": "rate", "type": "decimal" }]);
        add(&app, ACME, &attributes, &["idp", "strict"]);
        let made = app
            .post("/Users", &person("ada", ACME, json!({ "level": "42", "rate": "0.5" })))
            .expect(201)
            .json();
        assert_eq!(made[ACME], json!({ "level": 42, "rate": 0.5 }));
        for wrong in ["4 2", " 42", "42px", "true", "0x2a", "1.5", "042", "١"] {
            app.post("/Users", &person("bob", ACME, json!({ "level": wrong })))
                .refused(400, Some("invalidValue"));
        }
        strict
            .post("/Users", &person("bob", ACME, json!({ "level": "42" })))
            .refused(400, Some("invalidValue"));
    });
}
