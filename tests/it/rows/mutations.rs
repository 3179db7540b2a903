//! X42: five thousand seeded mutations of valid requests. Nothing breaks, nothing hangs, and afterwards the roster is as sound as before.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::support::bodies::{ENTERPRISE, USER, add_members, group, patch, replace, user};
use crate::support::world::must_agree;
use crate::support::{Answer, Client, Dice, Request, TestApp, encode, on_every_store, repeats};

/// What counts as slow.
const SLOW: Duration = Duration::from_secs(1);
/// A password that no answer may ever show.
const CANARY: &str = "canary-password-9";

/// A valid request, in parts that can be mutated.
#[derive(Debug, Clone)]
struct Valid {
    method: &'static str,
    path: String,
    query: Vec<(String, String)>,
    body: Option<Value>,
}

/// Ids that requests can speak of.
struct Known {
    users: Vec<String>,
    groups: Vec<String>,
}

fn full_user(name: &str, known: &Known, dice: &mut Dice) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE], "userName": name, "externalId": format!("e-{name}"), "active": true, "password": CANARY,
        "name": { "givenName": "Ada", "familyName": "Byron", "formatted": "Ada Byron" }, "displayName": "Ada",
        "emails": [{ "value": format!("{name}@acme.test"), "type": "work", "primary": true }, { "value": "a@home.test", "type": "home" }],
        "phoneNumbers": [{ "value": "+47 12", "type": "work" }], "roles": ["admin"], "title": "CTO", "locale": "en-US",
        "addresses": [{ "type": "work", "locality": "Oslo", "formatted": "18/2111" }], "groups": [], "meta": { "resourceType": "User" },
        "x509Certificates": [{ "value": "MIIB" }],
        ENTERPRISE: { "employeeNumber": "7", "manager": { "value": dice.pick(&known.users) }, "department": "R&D" }
    })
}

fn valid(known: &Known, dice: &mut Dice) -> Valid {
    let id = dice.pick(&known.users).clone();
    let group_id = dice.pick(&known.groups).clone();
    let name = format!("mutant-{}", dice.below(60));
    let of = |method, path: String, body| Valid { method, path, query: vec![], body };
    match dice.below(12) {
        0 | 1 => of("POST", "/Users".to_owned(), Some(full_user(&name, known, dice))),
        2 => of("PUT", format!("/Users/{id}"), Some(full_user(&name, known, dice))),
        3 => of("PATCH", format!("/Users/{id}"), Some(replace("active", "False"))),
        4 => {
            let operations = patch(&[
                json!({ "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "b@acme.test" }),
                json!({ "op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "Bergen" }),
                json!({ "op": "remove", "path": "title" }),
                json!({ "op": "add", "value": { "name.givenName": "Eva", format!("{ENTERPRISE}:department"): "Ops" } }),
                json!({ "op": "add", "path": format!("{ENTERPRISE}:manager"), "value": id }),
            ]);
            of("PATCH", format!("/Users/{id}"), Some(operations))
        }
        5 => of("POST", "/Groups".to_owned(), Some(group(&name, &[&id]))),
        6 => of("PUT", format!("/Groups/{group_id}"), Some(group(&name, &[&id]))),
        7 => of("PATCH", format!("/Groups/{group_id}"), Some(add_members(&[&id]))),
        8 => {
            let path = format!("members[value eq \"{id}\"]");
            of(
                "PATCH",
                format!("/Groups/{group_id}"),
                Some(patch(&[json!({ "op": "remove", "path": path })])),
            )
        }
        9 => {
            let filter = "userName eq \"ada\" and (emails[type eq \"work\"].value co \"@\" or not (title pr)) and meta.created gt \"2020-01-01T00:00:00Z\"";
            let query = vec![
                ("filter".to_owned(), filter.to_owned()),
                ("startIndex".to_owned(), "1".to_owned()),
                ("count".to_owned(), "10".to_owned()),
            ];
            Valid { method: "GET", path: "/Users".to_owned(), query, body: None }
        }
        10 => {
            let query =
                vec![("attributes".to_owned(), format!("userName,emails.value,{ENTERPRISE}:department"))];
            Valid { method: "GET", path: format!("/Users/{id}"), query, body: None }
        }
        _ => of("DELETE", format!("/Users/{id}"), None),
    }
}

const ODD_TEXTS: [&str; 24] = [
    "",
    " ",
    "\0",
    "null",
    "true",
    "-1",
    "1e999",
    "' or 1=1 --",
    "../../etc/passwd",
    "%00",
    "\u{202e}abc",
    "\u{feff}",
    "Ω≈ç√",
    "a\r\nX: y",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "userName",
    "urn:ietf:params:scim:schemas:core:2.0:User:userName",
    "emails[type eq \"work\"]",
    "members[",
    "a.b.c.d",
    "]]",
    "\\\"",
    "0192f0c1-2b3c-7def-8123-456789abcdef",
];

fn odd(dice: &mut Dice) -> Value {
    match dice.below(14) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(1.5e300),
        4 => json!(u64::MAX),
        5 => json!([]),
        6 => json!({}),
        7 => json!([null]),
        8 => json!([[[[]]]]),
        9 => json!({ "value": { "value": { "value": 1 } } }),
        10 => json!("x".repeat(1 << dice.below(17))),
        11 => json!([{ "primary": true, "value": "a" }, { "primary": true, "value": "b" }]),
        _ => json!(dice.pick(&ODD_TEXTS)),
    }
}

fn odd_name(dice: &mut Dice, name: &str) -> String {
    match dice.below(7) {
        0 => name.to_uppercase(),
        1 => format!("{USER}:{name}"),
        2 => format!("{name}.value"),
        3 => format!("{name}[type eq \"work\"].value"),
        4 => (*dice.pick(&[
            "id",
            "meta",
            "groups",
            "schemas",
            "password",
            "active",
            "userName",
            "members",
            "$ref",
            "__proto__",
        ]))
        .to_owned(),
        5 => (*dice.pick(&ODD_TEXTS)).to_owned(),
        _ => format!("{ENTERPRISE}:{name}"),
    }
}

/// Changes one place of a value, chosen by chance, at any depth.
fn mutate_value(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Object(map) if !map.is_empty() && !dice.once_in(8) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            let key = dice.pick(&keys).clone();
            match dice.below(6) {
                0 => drop(map.remove(&key)),
                1 => rename(map, &key, dice),
                2 => {
                    let (name, value) = (odd_name(dice, &key), odd(dice));
                    map.insert(name, value);
                }
                _ => {
                    if let Some(inner) = map.get_mut(&key) {
                        mutate_value(inner, dice);
                    }
                }
            }
        }
        Value::Array(list) if !list.is_empty() && !dice.once_in(8) => {
            let at = dice.below(list.len());
            match dice.below(5) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                2 => list.push(odd(dice)),
                _ => mutate_value(&mut list[at], dice),
            }
        }
        Value::String(text) if dice.once_in(2) => mutate_text(text, dice),
        other => *other = odd(dice),
    }
}

fn rename(map: &mut Map<String, Value>, key: &str, dice: &mut Dice) {
    if let Some(value) = map.remove(key) {
        map.insert(odd_name(dice, key), value);
    }
}

fn mutate_text(text: &mut String, dice: &mut Dice) {
    let mut letters: Vec<char> = text.chars().collect();
    let at = dice.below(letters.len() + 1);
    match dice.below(5) {
        0 => letters.truncate(at),
        1 => letters.extend(dice.pick(&ODD_TEXTS).chars()),
        2 => letters.insert(
            at,
            *dice.pick(&['"', '[', ']', '(', ')', '.', ':', '\\', '\u{0}', '\u{1F600}', ' ', '\n']),
        ),
        3 => letters.reverse(),
        _ => {
            if !letters.is_empty() {
                letters.remove(at.min(letters.len() - 1));
            }
        }
    }
    *text = letters.into_iter().collect();
}

/// Changes the bytes of a body, below the structure.
fn mutate_bytes(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(3) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, u8::try_from(dice.below(256)).unwrap()),
            2 if !bytes.is_empty() => {
                let at = at.min(bytes.len() - 1);
                bytes[at] ^= 1 << dice.below(8);
            }
            _ => {
                let copy: Vec<u8> = bytes.iter().skip(at).take(40).copied().collect();
                bytes.splice(at..at, copy);
            }
        }
    }
}

/// Turns a valid request into one that may not be.
fn mutant(mut valid: Valid, dice: &mut Dice) -> Request {
    for _ in 0..=dice.below(2) {
        match (&mut valid.body, dice.below(8)) {
            (Some(body), 0..=5) => mutate_value(body, dice),
            (None, 0..=5) if !valid.query.is_empty() => {
                let at = dice.below(valid.query.len());
                mutate_text(&mut valid.query[at].1, dice);
            }
            (_, 6) => {
                let name = (*dice.pick(&[
                    "filter",
                    "attributes",
                    "excludedAttributes",
                    "startIndex",
                    "count",
                    "sortBy",
                    "cursor",
                    "x",
                ]))
                .to_owned();
                valid.query.push((name, (*dice.pick(&ODD_TEXTS)).to_owned()));
            }
            _ => valid.method = *dice.pick(&["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
        }
    }
    let query: Vec<String> =
        valid.query.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let target = if query.is_empty() { valid.path } else { format!("{}?{}", valid.path, query.join("&")) };
    let mut request = Request::scim(valid.method, &target);
    if let Some(body) = valid.body {
        let mut bytes = body.to_string().into_bytes();
        if dice.once_in(6) {
            mutate_bytes(&mut bytes, dice);
        }
        request = request.body(bytes);
    }
    match dice.below(12) {
        0 => request.header("If-Match", *dice.pick(&["*", "W/\"1\"", "\"", "W/", "1,2,3", "\"a\", *"])),
        1 => request.header("If-None-Match", *dice.pick(&["*", "W/\"1\"", "\"", ",,,"])),
        2 => request.header(
            "Content-Type",
            *dice.pick(&[
                "application/json",
                "APPLICATION/SCIM+JSON; charset=utf-8",
                "text/plain",
                ";",
                "application/json-patch+json",
            ]),
        ),
        3 => request.header("Accept", *dice.pick(&["*/*", "text/html", "application/scim+json;q=0", ";;;"])),
        _ => request,
    }
}

fn look_at(answer: &Answer, number: usize, request: &Request) {
    let shown = || {
        format!(
            "mutation {number}: {:.2000}\nanswered {} {:.1000}",
            format!("{request:?}"),
            answer.status,
            answer.text()
        )
    };
    assert!(answer.status < 500, "{}", shown());
    assert!(!answer.text().contains(CANARY), "a password is shown: {}", shown());
    if answer.status >= 400 && !answer.body.is_empty() {
        let error = answer.json();
        assert_eq!(error["status"], answer.status.to_string(), "{}", shown());
        assert!(
            error["detail"].as_str().is_some_and(|detail| !detail.is_empty() && detail.len() < 4000),
            "{}",
            shown()
        );
    }
}

/// Keeps a few people and groups alive to speak of.
fn restock(client: &Client, known: &mut Known, number: usize) {
    known.users.retain(|id| client.get(&format!("/Users/{id}")).status == 200);
    known.groups.retain(|id| client.get(&format!("/Groups/{id}")).status == 200);
    while known.users.len() < 8 {
        let name = format!("stock-{number}-{}", known.users.len());
        known.users.push(client.post("/Users", &user(&name)).expect(201).id());
    }
    while known.groups.len() < 4 {
        let name = format!("stock-{number}-{}", known.groups.len());
        known.groups.push(client.post("/Groups", &group(&name, &[])).expect(201).id());
    }
}

fn play(app: &TestApp, client: &Client, seed: u64, mutations: usize) {
    let mut dice = Dice::new(seed);
    let mut known = Known { users: vec![], groups: vec![] };
    let mut slow = 0;
    let mut good = 0;
    for number in 0..mutations {
        if number % 100 == 0 {
            restock(client, &mut known, number);
        }
        let request = mutant(valid(&known, &mut dice), &mut dice);
        let started = Instant::now();
        let answer = client.send(&request);
        slow += usize::from(started.elapsed() > SLOW);
        look_at(&answer, number, &request);
        good += usize::from(answer.status < 400);
    }
    // A mutation that is always refused, or never, tries nothing.
    assert!((mutations / 5..mutations * 4 / 5).contains(&good), "{good} of {mutations} were good");
    eprintln!("{good} of {mutations} were good, {slow} slow");
    assert!(slow * 500 <= mutations, "{slow} of {mutations} took longer than {SLOW:?}");
    let seen = must_agree(client);
    for one in seen.users.values().chain(seen.groups.values()) {
        assert!(!one.to_string().contains(CANARY), "{one}");
    }
    assert_eq!(app.roster().store().check(&mut |_| {}).unwrap(), vec![]);
}

#[test]
fn x42_five_thousand_mutations_break_nothing() {
    on_every_store(|app| play(&app, &app, 42, repeats(5_000, 20_000)));
}

#[test]
fn x42_a_strict_connection_is_as_hard_to_break() {
    let app = TestApp::start();
    let strict = app.strict();
    play(&app, &strict, 43, repeats(1_500, 20_000));
}

#[test]
fn x42_an_unmutated_request_is_good() {
    let app = TestApp::start();
    let mut dice = Dice::new(1);
    let mut known = Known { users: vec![], groups: vec![] };
    for number in 0..200 {
        restock(&app, &mut known, number);
        let Valid { method, path, query, body } = valid(&known, &mut dice);
        let query: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let request = Request::scim(method, &format!("{path}?{}", query.join("&")));
        let request = if let Some(body) = &body { request.json(body) } else { request };
        let answer = app.send(&request);
        assert!(
            matches!(answer.status, 200 | 201 | 204 | 409),
            "{method} {path} {body:?}: {}",
            answer.text()
        );
    }
}
