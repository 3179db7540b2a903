//! X26, X27: which names are one person's, over HTTP.

use serde_json::json;

use crate::support::bodies::{group, user};
use crate::support::on_every_store;
use crate::support::world::must_agree;

#[test]
fn x26_names_that_differ_in_case_width_or_composition_collide_everywhere() {
    on_every_store(|app| {
        let pairs = [
            ("ada@acme.test", "ADA@ACME.TEST"),
            ("Ada Byron", "ada byron"),
            ("jos\u{e9}", "jose\u{301}"),
            ("Ren\u{c9}", "rene\u{301}"),
            ("\u{ff42}ob", "bob"),
            ("\u{ff25}\u{ff36}\u{ff25}", "eve"),
            ("\u{430}\u{434}\u{430}", "\u{410}\u{414}\u{410}"),
            ("\u{3a3}\u{39f}\u{3a6}\u{39f}\u{3a3}", "\u{3c3}\u{3bf}\u{3c6}\u{3bf}\u{3c2}"),
            ("\u{c5}se", "a\u{30a}se"),
            ("\u{212b}ke", "\u{e5}ke"),
            ("\u{ff76}\u{ff85}", "\u{30ab}\u{30ca}"),
        ];
        for (first, second) in pairs {
            let made = app.post("/Users", &user(first)).expect(201);
            assert_eq!(made.json()["userName"], first, "shown as it was sent");
            app.post("/Users", &user(second)).refused(409, Some("uniqueness"));
            // One function for uniqueness and for the filter.
            for name in [first, second] {
                let found = app.find("/Users", &format!("userName eq {}", json!(name))).expect(200).json();
                assert_eq!(
                    (&found["totalResults"], &found["Resources"][0]["id"]),
                    (&json!(1), &json!(made.id())),
                    "{name}"
                );
            }
            let _ = app.delete(&format!("/Users/{}", made.id())).expect(204);
            let again = app.post("/Users", &user(second)).expect(201).id();
            let _ = app.delete(&format!("/Users/{again}")).expect(204);
        }
    });
}

#[test]
fn x26_names_with_characters_that_nobody_sees_are_refused() {
    on_every_store(|app| {
        for name in [
            " ada",
            "ada ",
            "a\u{7}b",
            "a\nb",
            "a\tb",
            "a\u{7f}b",
            "a\u{ad}b",
            "a\u{200b}b",
            "a\u{200d}b",
            "a\u{200e}b",
            "a\u{202e}b",
            "a\u{2066}b",
            "a\u{feff}b",
            "a\u{2028}b",
            "a\u{e000}b",
            "a\u{378}b",
        ] {
            app.post("/Users", &user(name)).refused(400, Some("invalidValue"));
            // And nobody is found under it, whatever that name is.
            let found = app.find("/Users", &format!("userName eq {}", json!(name)));
            assert!(matches!(found.status, 200 | 400), "{name:?}");
            assert!(found.status == 400 || found.json()["totalResults"] == 0, "{name:?}");
        }
        app.post("/Users", &user("a\u{0}b")).refused(400, Some("invalidSyntax"));
        assert_eq!(app.get("/Users").expect(200).json()["totalResults"], 0);
    });
}

#[test]
fn x26_names_that_merely_look_alike_are_treated_alike_everywhere() {
    on_every_store(|app| {
        for (latin, other) in [
            ("ada", "\u{430}da"),
            ("paypal", "payp\u{430}l"),
            ("I", "\u{131}"),
            ("i", "\u{130}"),
            ("l", "1"),
            ("o", "0"),
            ("rn", "m"),
            ("strasse", "stra\u{df}e"),
            ("fi", "\u{fb01}"),
            ("a-b", "a\u{2010}b"),
            ("\u{3bf}", "o"),
        ] {
            let first = app.post("/Users", &user(latin)).expect(201).id();
            let second = app.post("/Users", &user(other));
            let found = app.find("/Users", &format!("userName eq {}", json!(other))).expect(200).json();
            match second.status {
                201 => {
                    assert_eq!(found["Resources"][0]["id"], second.id(), "{latin} {other}");
                    let _ = app.delete(&format!("/Users/{}", second.id())).expect(204);
                }
                409 => assert_eq!(found["Resources"][0]["id"], first, "{latin} {other}"),
                400 => assert_eq!(found["totalResults"], 0, "{latin} {other}"),
                status => panic!("{latin} {other}: {status}"),
            }
            let _ = app.delete(&format!("/Users/{first}")).expect(204);
        }
    });
}

#[test]
fn x27_an_external_id_is_case_exact_and_unique_per_connection_and_kind() {
    on_every_store(|app| {
        let strict = app.strict();
        let with = |name: &str, external: serde_json::Value| {
            let mut body = user(name);
            body["externalId"] = external;
            body
        };
        let ada = app.post("/Users", &with("ada", json!("E-1"))).expect(201).id();
        app.post("/Users", &with("bob", json!("E-1"))).refused(409, Some("uniqueness"));
        let _ = app.post("/Users", &with("bob", json!("e-1"))).expect(201);
        let mut crowd = group("crowd", &[]);
        crowd["externalId"] = "E-1".into();
        let _ = app.post("/Groups", &crowd).expect(201);
        crowd["displayName"] = "other".into();
        app.post("/Groups", &crowd).refused(409, Some("uniqueness"));
        // Another connection has a namespace of its own; within it the same holds, in strict as well.
        let _ = strict.post("/Users", &with("carl", json!("E-1"))).expect(201);
        strict.post("/Users", &with("dora", json!("E-1"))).refused(409, Some("uniqueness"));

        let found = app.find("/Users", "externalId eq \"E-1\"").expect(200).json();
        assert_eq!((&found["totalResults"], &found["Resources"][0]["id"]), (&json!(1), &json!(ada)));
        assert_eq!(app.find("/Users", "externalId eq \"E-2\"").expect(200).json()["totalResults"], 0);

        // Nothing is nobody's: any number of people have none.
        for (number, nothing) in [json!(null), json!(""), json!(null), json!("")].into_iter().enumerate() {
            let made = app.post("/Users", &with(&format!("none-{number}"), nothing)).expect(201).json();
            assert_eq!(made.get("externalId"), None);
        }
        assert_eq!(app.find("/Users", "externalId eq \"\"").expect(200).json()["totalResults"], 0);
        must_agree(&app);
    });
}
