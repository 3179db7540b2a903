//! X23, X24, X25, X28, X29: attributes that nobody may write, read or smuggle in.

use serde_json::{Value, json};

use crate::support::bodies::{ENTERPRISE, USER, group, patch, replace, user};
use crate::support::world::{history, must_agree, said};
use crate::support::{Client, Request, TestApp, on_every_store};

/// What of a resource the server alone decides.
fn servers_own(resource: &Value) -> Value {
    json!([
        resource["id"],
        resource["groups"],
        resource["meta"]["resourceType"],
        resource["meta"]["created"],
        resource["meta"]["location"]
    ])
}

#[test]
fn x23_read_only_attributes_cannot_be_written_in_any_way() {
    on_every_store(|app| {
        let strict = app.strict();
        for (number, client) in [&*app, &strict].into_iter().enumerate() {
            let ada = client.post("/Users", &user(&format!("ada-{number}"))).expect(201).json();
            let path = format!("/Users/{}", ada["id"].as_str().unwrap());
            let forged = json!([{ "value": "0192f0c1-2b3c-7def-8123-456789abcdef", "display": "Admins" }]);
            let meta = json!({ "created": "1999-01-01T00:00:00Z", "location": "https://evil.test", "version": "W/\"1\"", "resourceType": "Robot" });
            let mut attempts = vec![];
            for (name, value) in [
                ("id", json!("another")),
                ("ID", json!("another")),
                ("meta", meta.clone()),
                ("META", meta),
                ("groups", forged.clone()),
                ("Groups", forged),
            ] {
                for op in ["add", "replace", "Replace"] {
                    attempts.push(patch(&[json!({ "op": op, "path": name, "value": value })]));
                    attempts.push(patch(&[json!({ "op": op, "value": { name: value } })]));
                    attempts.push(patch(&[
                        json!({ "op": op, "path": format!("{USER}:{name}"), "value": value }),
                    ]));
                    attempts
                        .push(patch(&[json!({ "op": op, "value": { format!("{USER}:{name}"): value } })]));
                }
                attempts.push(patch(&[json!({ "op": "remove", "path": name })]));
                let mut body = user(ada["userName"].as_str().unwrap());
                body[name] = value;
                let put = client.put(&path, &body);
                assert!(matches!(put.status, 200 | 400), "PUT {body}: {}", put.text());
            }
            for sub in
                ["meta.created", "meta.location", "meta.version", "groups[value pr].value", "groups.value"]
            {
                attempts.push(patch(&[json!({ "op": "replace", "path": sub, "value": "2" })]));
                attempts.push(patch(&[json!({ "op": "remove", "path": sub })]));
            }
            for attempt in attempts {
                let answer = client.patch(&path, &attempt);
                assert!(matches!(answer.status, 200 | 400), "{attempt}: {}", answer.text());
                if number == 1 {
                    assert_eq!(answer.status, 400, "strict refuses {attempt}");
                }
                let now = client.get(&path).expect(200).json();
                assert_eq!(servers_own(&now), servers_own(&ada), "{attempt}");
            }
            for required in ["userName", &format!("{USER}:userName"), "USERNAME"] {
                client
                    .patch(&path, &patch(&[json!({ "op": "remove", "path": required })]))
                    .refused(400, Some("mutability"));
            }
        }
        must_agree(&app);
    });
}

#[test]
fn x23_unknown_attributes_are_never_echoed_found_or_shown() {
    on_every_store(|app| {
        let mut body = user("ada");
        body["isAdmin"] = true.into();
        body["shoeSize"] = "canary-42".into();
        body["urn:example:custom:2.0:User"] = json!({ "badge": "canary-42" });
        body["name"] = json!({ "givenName": "Ada", "secretPart": "canary-42" });
        let made = app.post("/Users", &body).expect(201);
        let path = format!("/Users/{}", made.id());
        let answers = [
            made,
            app.get(&path),
            app.get(&format!("{path}?attributes=shoeSize,isAdmin,urn:example:custom:2.0:User:badge")),
            app.get("/Users"),
            app.patch(&path, &replace("shoeSize", "canary-42")),
            app.patch(
                &path,
                &patch(&[json!({ "op": "add", "value": { "shoeSize": "canary-42", "title": "CTO" } })]),
            ),
            app.put(&path, &body),
        ];
        for answer in answers {
            let answer = answer.text();
            for hidden in ["canary-42", "isAdmin", "secretPart", "badge"] {
                assert!(!answer.contains(hidden), "{hidden}: {answer}");
            }
        }
        app.find("/Users", "shoeSize eq \"canary-42\"").refused(400, Some("invalidFilter"));
    });
}

#[test]
fn x24_a_key_that_comes_twice_in_any_disguise_is_refused() {
    let app = TestApp::start();
    let victim = app.post("/Users", &user("victim")).expect(201);
    let path = format!("/Users/{}", victim.id());
    let bodies = [
        r#"{"userName":"ada","userName":"bob"}"#.to_owned(),
        r#"{"userName":"ada","USERNAME":"bob"}"#.to_owned(),
        r#"{"userName":"ada","\u0075serName":"bob"}"#.to_owned(),
        r#"{"userName":"ada","user\u004eame":"bob"}"#.to_owned(),
        r#"{"userName":"ada","emails":[{"value":"a","VALUE":"b"}]}"#.to_owned(),
        r#"{"userName":"ada","name":{"givenName":"a","givenname":"b"}}"#.to_owned(),
        format!(r#"{{"userName":"ada","{ENTERPRISE}":{{"department":"a","Department":"b"}}}}"#),
        format!(
            r#"{{"userName":"ada","{ENTERPRISE}":{{"department":"a"}},"{}":{{"department":"b"}}}}"#,
            ENTERPRISE.to_uppercase()
        ),
    ];
    for body in bodies {
        for request in [Request::scim("POST", "/Users"), Request::scim("PUT", &path)] {
            app.send(&request.body(body.clone())).refused(400, Some("invalidSyntax"));
        }
    }
    for body in [
        r#"{"Operations":[{"op":"replace","path":"title","path":"userName","value":"x"}]}"#,
        r#"{"Operations":[{"op":"replace","OP":"remove","path":"title","value":"x"}]}"#,
        r#"{"Operations":[],"operations":[{"op":"remove","path":"title"}]}"#,
        r#"{"Operations":[{"op":"replace","value":{"title":"a","Title":"b"}}]}"#,
    ] {
        app.send(&Request::scim("PATCH", &path).body(body)).refused(400, Some("invalidSyntax"));
    }
    assert_eq!(app.get(&path).expect(200).json(), victim.json());
    assert_eq!(app.get("/Users").expect(200).json()["totalResults"], 1);
}

#[test]
fn x24_the_core_schema_as_a_container_never_splits_document_from_index() {
    on_every_store(|app| {
        let alone = app.post("/Users", &json!({ USER: { "userName": "ada" } }));
        if alone.status == 201 {
            assert_eq!(alone.json()["userName"], "ada");
            assert_eq!(alone.json().get(USER), None, "always flat (D-G1)");
        } else {
            alone.refused(400, Some("invalidValue"));
        }
        let both = app.post("/Users", &json!({ "userName": "bob", USER: { "userName": "eve" } }));
        assert!(matches!(both.status, 201 | 400), "{}", both.text());
        let flat = app.post("/Users", &json!({ "userName": "kim", format!("{USER}:userName"): "lee" }));
        assert!(matches!(flat.status, 201 | 400), "{}", flat.text());
        must_agree(&app);
    });
}

#[test]
fn x25_a_password_is_in_no_answer_and_cannot_be_searched_for() {
    const PASSWORD: &str = "Correct-horse-7";
    on_every_store(|app| {
        let mut body = user("ada");
        body["password"] = PASSWORD.into();
        let made = app.post("/Users", &body).expect(201);
        let path = format!("/Users/{}", made.id());
        let set = patch(&[json!({ "op": "replace", "value": { "password": PASSWORD } })]);
        let by_path = replace("password", PASSWORD);
        let urn = replace(&format!("{USER}:password"), PASSWORD);
        let all = [
            made,
            app.get(&path),
            app.get(&format!("{path}?attributes=password")),
            app.get(&format!("{path}?attributes={USER}:password,userName")),
            app.get("/Users?attributes=password"),
            app.post("/Users", &body),
            app.put(&path, &body),
            app.patch(&path, &set),
            app.patch(&path, &by_path),
            app.patch(&path, &urn),
            app.patch(&format!("{path}?attributes=password"), &set),
            app.patch(
                &path,
                &patch(&[json!({ "op": "remove", "path": format!("password[value eq \"{PASSWORD}\"]") })]),
            ),
        ];
        for answer in all {
            assert!(
                !answer.text().contains(PASSWORD) && !answer.text().contains("\"password\""),
                "{}",
                answer.text()
            );
            assert!(answer.status < 500);
        }
        let rows = history(app.roster(), rosterd::ids::TenantId::new(1));
        for (facts, values) in said(&rows) {
            let all = format!("{facts:?} {values:?}");
            assert!(!all.contains(PASSWORD), "{all}");
        }
        let essence = |filter: String| app.find("/Users", &filter).essence();
        for form in [
            "password eq \"X\"",
            "password sw \"X\"",
            "password co \"X\"",
            "password gt \"X\"",
            "userName eq \"ada\" and password eq \"X\"",
            "not (password eq \"X\")",
            "password pr or password eq \"X\"",
        ] {
            let right = essence(form.replace('X', PASSWORD));
            assert_eq!(right, essence(form.replace('X', "Wrong-horse-77")), "{form}");
            assert_eq!(right.0, 400, "{form}");
        }
    });
}

#[test]
fn x28_references_are_the_servers_own_and_are_never_followed() {
    on_every_store(|app| {
        // Nobody may connect here.
        let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        trap.set_nonblocking(true).unwrap();
        let lure = format!("http://{}/x", trap.local_addr().unwrap());
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let mut body = group("crowd", &[]);
        body["members"] = json!([{ "value": ada, "$ref": lure, "type": "Group", "display": "Nobody" }]);
        let crowd = app.post("/Groups", &body).expect(201);
        let member = crowd.json()["members"][0].clone();
        assert_eq!(member["$ref"], format!("https://roster.test/scim/v2/Users/{ada}"));
        assert_eq!((&member["value"], &member["type"]), (&json!(ada), &json!("User")));
        let path = format!("/Groups/{}", crowd.id());
        let edit = |sub: &str, value: &str| {
            let path_of_part = format!("members[value eq \"{ada}\"].{sub}");
            app.patch(&path, &patch(&[json!({ "op": "replace", "path": path_of_part, "value": value })]))
        };
        for (sub, value) in [
            ("value", "0192f0c1-2b3c-7def-8123-456789abcdef"),
            ("$ref", lure.as_str()),
            ("type", "Group"),
            ("display", "Nobody"),
        ] {
            assert!(matches!(edit(sub, value).status, 204 | 400), "{sub}");
            assert_eq!(app.get(&path).expect(200).json()["members"], json!([member]), "{sub}");
        }
        let mut person = user("bob");
        person["profileUrl"] = lure.clone().into();
        person["photos"] = json!([{ "value": lure, "type": "photo" }]);
        person[ENTERPRISE] = json!({ "manager": { "value": ada, "$ref": lure, "displayName": "Nobody" } });
        let manager = app.post("/Users", &person).expect(201).json()[ENTERPRISE]["manager"].clone();
        assert_eq!(manager["value"], json!(ada));
        assert!(!manager.to_string().contains("Nobody") && !manager.to_string().contains(&lure), "{manager}");
        assert_eq!(
            trap.accept().map(|_| ()).unwrap_err().kind(),
            std::io::ErrorKind::WouldBlock,
            "somebody followed a reference"
        );
    });
}

#[test]
fn x29_active_takes_true_false_and_their_texts_and_nothing_else() {
    on_every_store(|app| {
        let strict = app.strict();
        let lives = |client: &Client, name: &str| {
            let path = format!("/Users/{}", client.post("/Users", &user(name)).expect(201).id());
            move |client: &Client, body: Value| {
                let answer = client.patch(&path, &body);
                (answer.status, client.get(&path).expect(200).json()["active"].clone())
            }
        };
        let auto_set = lives(&app, "ada");
        let strict_set = lives(&strict, "bob");
        for (value, now) in [("False", false), ("True", true), ("false", false), ("true", true)] {
            assert_eq!(auto_set(&app, replace("active", value)), (200, json!(now)), "{value}");
            assert_eq!(strict_set(&strict, replace("active", value)), (400, json!(true)), "strict: {value}");
        }
        for value in [
            json!(0),
            json!(1),
            json!("1"),
            json!("0"),
            json!("yes"),
            json!("no"),
            json!("FALSEHOOD"),
            json!([]),
            json!({}),
            json!([false]),
            json!({ "value": false }),
            json!(0.0),
        ] {
            let (status, active) = auto_set(&app, replace("active", value.clone()));
            // One value in a list may be read as that value; it is never read as something else.
            let fair = match &value {
                Value::Array(list) if list.is_empty() => (status == 200 || status == 400) && active == true,
                Value::Array(list) => {
                    (status == 400 && active == true) || (status == 200 && active == list[0])
                }
                _ => (status, &active) == (400, &json!(true)),
            };
            assert!(fair, "{value}: {status}, {active}");
            let _ = auto_set(&app, replace("active", true));
            assert_eq!(
                strict_set(&strict, replace("active", value.clone())).1,
                json!(true),
                "strict: {value}"
            );
        }
        for value in [json!(true), json!(false)] {
            assert_eq!(auto_set(&app, replace("active", value.clone())), (200, value.clone()));
            assert_eq!(strict_set(&strict, replace("active", value.clone())), (200, value.clone()));
            // Null leaves it as it is.
            assert_eq!(auto_set(&app, replace("active", Value::Null)), (200, value));
        }
        for value in [json!(0), json!("nope"), json!({})] {
            let mut body = user("eve");
            body["active"] = value;
            app.post("/Users", &body).refused(400, Some("invalidValue"));
        }
    });
}
