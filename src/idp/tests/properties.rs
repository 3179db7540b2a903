//! What holds of every PATCH.

use proptest::prelude::*;

use super::*;

fn emails() -> impl Strategy<Value = Value> {
    let email =
        ("[a-d]@x", prop::option::of(prop::sample::select(vec!["work", "home"])), any::<Option<bool>>());
    prop::collection::vec(email, 1..4).prop_map(|all| {
        let one = |(value, kind, primary): (String, Option<&str>, Option<bool>)| {
            let mut parts = map(json!({ "value": value }));
            parts.extend(kind.map(|kind| ("type".to_owned(), json!(kind))));
            parts.extend(primary.map(|primary| ("primary".to_owned(), json!(primary))));
            Value::Object(parts)
        };
        Value::Array(all.into_iter().map(one).collect())
    })
}

/// Anything at all, with the words that matter in it.
fn anything() -> impl Strategy<Value = Value> {
    let words = vec![
        "add",
        "replace",
        "remove",
        "emails",
        "emails[type eq \"work\"].value",
        "name",
        "name.givenName",
        "active",
        "userName",
        "x",
        "",
        "True",
        "members",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        "manager",
        "password",
        "id",
        "value",
        "type",
        "primary",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop::sample::select(words.clone()).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(words.clone()), inner), 0..4).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

fn operations() -> impl Strategy<Value = Value> {
    let one =
        (prop::sample::select(vec!["add", "replace", "remove"]), prop::option::of(anything()), anything())
            .prop_map(|(op, path, value)| {
                let mut operation = map(json!({"op": op, "value": value}));
                operation.extend(path.map(|path| ("path".to_owned(), path)));
                Value::Object(operation)
            });
    prop::collection::vec(one, 1..5).prop_map(Value::from)
}

proptest! {
    #[test]
    fn adding_twice_is_adding_once(there in emails(), added in emails()) {
        let add = json!([{"op": "add", "path": "emails", "value": added}]);
        let once = user_after(json!({"userName": "ada", "emails": there}), add.clone());
        let twice = user_after(once.clone(), add);
        let values = |user: &Value| {
            let all = user["emails"].as_array().cloned().unwrap_or_default();
            all.into_iter().map(|email| email["value"].clone()).collect::<Vec<_>>()
        };
        prop_assert_eq!(values(&once), values(&twice));
        let primary = twice["emails"].as_array().unwrap().iter().filter(|email| email["primary"] == true).count();
        prop_assert!(primary <= 1);
    }

    #[test]
    fn what_was_added_can_be_removed(there in emails(), number in 0_u32..1000) {
        let before = user_after(json!({"userName": "ada"}), json!([{"op": "add", "path": "emails", "value": there}]));
        let value = format!("new{number}@y");
        let added = user_after(before.clone(), json!([{"op": "add", "path": "emails", "value": [{"value": value}]}]));
        let removed = user_after(added, json!([{"op": "remove", "path": format!("emails[value eq \"{value}\"]")}]));
        prop_assert_eq!(removed, before);
    }

    #[test]
    fn no_patch_makes_it_panic_and_what_it_makes_is_stable(operations in operations()) {
        let before = document(json!({"userName": "ada", "active": true, "emails": [{"value": "a@x", "type": "work", "primary": true}]}));
        for (kind, profile) in [(schema::user(), &AUTO), (schema::user(), &STRICT), (schema::group(), &AUTO)] {
            let Ok(after) = patched(&before, operations.clone(), &kind, profile) else { continue };
            let segments = after.document.to_segments(&kind);
            let read = Document::from_segments(segments.iter().map(|(id, json)| (id.as_str(), json.as_str()))).unwrap();
            prop_assert_eq!(read, after.document);
        }
    }

    #[test]
    fn no_body_makes_it_panic_and_no_password_survives(body in anything()) {
        for (kind, profile) in [(schema::user(), &AUTO), (schema::user(), &STRICT), (schema::group(), &AUTO)] {
            if let Ok(incoming) = normalise::resource(body.clone(), &kind, profile) {
                prop_assert!(incoming.document.get("password").is_none());
                prop_assert!(incoming.document.get("id").is_none());
            }
        }
    }
}
