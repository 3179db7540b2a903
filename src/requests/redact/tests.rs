//! Every way to hide a secret that the log has to find, and what must come through untouched.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::scim::Kinds;

const CANARY: &str = "hunter2-canary";

fn names() -> SecretNames {
    SecretNames::of(&Kinds::standard(), "rost_")
}

fn kept(text: &str) -> Option<String> {
    body(text.as_bytes(), &names()).text.map(Into::into)
}

/// Fails unless the body is kept without the secret.
#[track_caller]
fn kept_without(text: &str) -> String {
    let kept = kept(text).unwrap_or_else(|| panic!("nothing was kept of {text}"));
    assert!(!kept.contains(CANARY) && kept.contains(MASK), "{kept}");
    kept
}

#[test]
fn x25_what_holds_no_secret_is_kept_as_it_came() {
    for text in [
        r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName" : "ada@acme.test", "n":1.50}"#,
        r#"{"Operations":[{"op":"Replace","path":"emails[type eq \"work\"].value","value":"a@b.test"}]}"#,
        "{\"displayName\":\"J\\u00fcrgen \u{1f600}\",\r\n\t\"active\":\"True\"}",
        r#"{"Operations":[{"op":"add","path":"members","value":[{"value":"u-7","$ref":null}]}]}"#,
        "[]",
        "  7 ",
        "",
        r#"{"userName": unquoted}"#,
    ] {
        assert_eq!(kept(text).as_deref(), Some(text));
    }
}

#[test]
fn x25_a_password_is_replaced_wherever_and_however_it_is_named() {
    for text in [
        r#"{"userName":"ada","password":"hunter2-canary"}"#,
        r#"{"userName":"ada","PassWord":"hunter2-canary"}"#,
        r#"{"userName":"ada","p\u0061ssword":"hunter2-canary"}"#,
        r#"{"\u0050\u0041\u0053\u0053\u0057\u004f\u0052\u0044":"hunter2-canary"}"#,
        r#"{"a":{"b":[{"c":{"password":["hunter2-canary",{"x":"hunter2-canary"}]}}]}}"#,
        r#"{"urn:ietf:params:scim:schemas:core:2.0:User":{"password":{"value":"hunter2-canary"}}}"#,
        r#"{"urn:ietf:params:scim:schemas:core:2.0:User:password":"hunter2-canary"}"#,
        r#"{"ｐａｓｓｗｏｒｄ":"hunter2-canary"}"#,
        r#"{"client_secret":"hunter2-canary"}"#,
        r#"{"urn:acme:User":{"apiToken":"hunter2-canary","costCenter":"7"}}"#,
        r#"{"password":"hunter2-canary","password":"hunter2-canary"}"#,
        r#"{"password":"hunter2-canary \" \\","x":1}"#,
    ] {
        kept_without(text);
    }
    assert_eq!(
        kept_without(r#"{ "userName" : "ada" , "password" : "hunter2-canary" , "active":true }"#),
        r#"{ "userName" : "ada" , "password" : "***" , "active":true }"#
    );
}

#[test]
fn x25_a_patch_hides_the_value_of_a_password_in_each_of_its_forms() {
    for text in [
        r#"{"Operations":[{"op":"replace","path":"password","value":"hunter2-canary"}]}"#,
        r#"{"Operations":[{"op":"replace","value":"hunter2-canary","path":"PASSWORD"}]}"#,
        r#"{"Operations":[{"op":"replace","VALUE":"hunter2-canary","PATH":"p\u0061ssword"}]}"#,
        r#"{"Operations":[{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:User:password","value":{"a":"hunter2-canary"}}]}"#,
        r#"{"Operations":[{"op":"replace","value":{"active":true,"password":"hunter2-canary"}}]}"#,
        r#"{"Operations":[{"op":"replace","path":"password[value eq \"hunter2-canary\"].value","value":1}]}"#,
        r#"{"Operations":[{"op":"remove","path":"password eq hunter2-canary"}]}"#,
        r#"{"Operations":[{"op":"add","path":["password"],"value":"hunter2-canary"}]}"#,
        r#"{"Operations":[{"op":"add","path":"title","path":"password","value":"hunter2-canary"}]}"#,
        r#"{"Operations":[{"method":"POST","path":"/Users","data":{"password":"hunter2-canary"}}]}"#,
        r#"{"customAttributes":[{"name":"wifi-password","value":"hunter2-canary"}]}"#,
        r#"{"filter":"password eq \"hunter2-canary\""}"#,
    ] {
        kept_without(text);
    }
    let text = r#"{"Operations":[{"op":"replace","path":"password","value":"hunter2-canary"},{"op":"replace","path":"title","value":"CTO"}]}"#;
    let parsed: Value = serde_json::from_str(&kept_without(text)).unwrap();
    assert_eq!(parsed["Operations"][0], json!({"op": "replace", "path": "password", "value": "***"}));
    assert_eq!(parsed["Operations"][1]["value"], "CTO");
}

#[test]
fn x25_json_within_strings_is_looked_through_as_well() {
    let inner = json!({"id": "1", "password": CANARY}).to_string();
    let twice = json!({"value": inner.clone()}).to_string();
    let escaped = r#"{"p\u0061ssword":"hunter2-canary"}"#;
    for text in [
        json!({"roles": [{"value": inner}]}),
        json!({"roles": [{"value": twice}]}),
        json!({"roles": [{"value": escaped}]}),
        json!({"roles": [{"value": format!("  [{escaped}]")}]}),
        json!({"roles": [{"value": Value::from(escaped).to_string()}]}),
        json!({"roles": [{"value": "{\"password\":\"hunter2-canary"}]}),
    ] {
        kept_without(&text.to_string());
    }
    let harmless = json!({"roles": [{"value": "{\"id\":\"1\",\"value\":\"Admin\"}"}]}).to_string();
    assert_eq!(kept(&harmless), Some(harmless));
}

#[test]
fn x25_a_credential_is_known_by_its_looks() {
    let token = format!("rost_{}", "0f".repeat(32));
    for text in [
        json!({"displayName": token}).to_string(),
        json!({"displayName": format!("Bearer {token}")}).to_string(),
        json!({"nickName": "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln"}).to_string(),
    ] {
        let kept = kept(&text).unwrap();
        assert!(!kept.contains("0f0f") && !kept.contains("eyJ"), "{kept}");
    }
}

#[test]
fn x25_a_body_that_cannot_be_read_is_kept_only_if_it_surely_holds_no_secret() {
    for text in [
        r#"{"password":"hunter2-canary""#,
        r#"{"password":hunter2-canary}"#,
        r"{'password':'hunter2-canary'}",
        r#"{"p\u0061ssword":"hunter2-canary",}"#,
        "password=hunter2-canary&userName=ada",
        r#"{"userName":"ada",,"token":"hunter2-canary"}"#,
        "\u{feff}{\"password\":\"hunter2-canary\"}",
        &format!("{}{}", "[".repeat(70), r#"{"password":"hunter2-canary"}"#),
    ] {
        assert_eq!(kept(text), None, "{text}");
    }
    let utf16: Vec<u8> =
        r#"{"password":"hunter2-canary"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let read = body(&utf16, &names());
    assert_eq!((read.text, read.bytes), (None, utf16.len() as u64));
    assert_eq!(body(b"{\"userName\":\"\xff\",\"password\":\"x\"}", &names()).text, None);
    assert_eq!(kept(r#"{"userName":"ada""#).as_deref(), Some(r#"{"userName":"ada""#));
}

#[test]
fn x25_a_body_that_was_cut_hides_what_an_unseen_path_could_make_a_secret() {
    let long = "x".repeat(BODY_BYTES_MAX);
    let value_first = format!(
        r#"{{"Operations":[{{"op":"replace","value":["hunter2-canary","{long}"],"path":"password"}}]}}"#
    );
    let kept_of = |text: &str| {
        let kept = body(text.as_bytes(), &names());
        assert!(kept.cut && kept.bytes == text.len() as u64);
        kept.text.unwrap().into_string()
    };
    assert!(!kept_of(&value_first).contains(CANARY));
    let second_path = format!(
        r#"{{"Operations":[{{"op":"replace","path":"title","value":["hunter2-canary","{long}"],"path":"password"}}]}}"#
    );
    assert!(!kept_of(&second_path).contains(CANARY));
    let within = format!(r#"{{"title":"{}","password":"hunter2-canary{long}"}}"#, "x".repeat(8000));
    assert!(!kept_of(&within).contains(CANARY));
    let in_string = format!(r#"{{"title":"t","roles":[{{"value":"{{\"password\":\"hunter2-canary{long}"#);
    assert!(!kept_of(&in_string).contains(CANARY));

    // Members by the thousand are what a group's PATCH is about, and stay.
    let members: Vec<Value> = (0..2000).map(|n| json!({"value": format!("u-{n}")})).collect();
    let patch = json!({"Operations": [{"op": "add", "path": "members", "value": members}]}).to_string();
    assert_eq!(kept_of(&patch), patch.get(..BODY_BYTES_MAX).unwrap());
    let through_a_letter = format!("{{\"title\":\"{}\"}}", "é".repeat(BODY_BYTES_MAX));
    assert!(kept_of(&through_a_letter).ends_with('é'));
}

#[test]
fn x25_a_single_value_is_shown_without_its_secrets() {
    let shown = |attribute: &str, sent: Value| value(attribute, &sent, &names());
    assert_eq!(shown("roles[0].password", CANARY.into()), "***");
    assert_eq!(shown("shadow", json!({"a.password": CANARY, "b": 7})), json!({"a.password": "***", "b": 7}));
    assert_eq!(shown("title", "CTO".into()), "CTO");
}

#[test]
fn x25_what_stands_outside_quotes_is_told_from_what_stands_within() {
    for (text, outside) in [
        ("userName", "userName"),
        (r#"pass"x"word eq "y""#, "password eq "),
        (r#"a eq "b\"c" and d"#, "a eq  and d"),
        (r#"a eq "b\\" or password"#, "a eq  or password"),
        (r#"a\"b"c"#, r"a\c"),
        (r#"a eq "b"#, r#"a eq "b"#),
        (r#"a eq "b\""#, r#"a eq "b\""#),
        (r#""é"ü"é""#, "ü"),
    ] {
        assert_eq!(outside_quotes(text), outside, "{text}");
    }
}

#[test]
fn x25_a_query_shows_no_secret_however_it_is_encoded() {
    let target = |path: &str, query: &str| target(path, Some(query), &names()).into_string();
    for query in [
        "access_token=hunter2-canary",
        "filter=password+eq+%22hunter2-canary%22",
        "filter=p%61ssword%20eq%20%22hunter2-canary%22",
        "filter=%2570assword%20eq%20hunter2-canary",
        "filter=urn:ietf:params:scim:schemas:core:2.0:User:PASSWORD sw \"hunter2-canary\"",
        "count=1&p%61ssword=hunter2-canary&startIndex=1",
        "filter=userName%20eq%20%22rost_hunter2-canary%22",
    ] {
        let kept = target("/scim/v2/Users", query);
        assert!(!kept.contains("hunter2") && kept.contains(MASK), "{kept}");
    }
    let query = "filter=userName+eq+%22ada%2Bsecret%40acme.test%22&startIndex=1&";
    assert_eq!(target("/scim/v2/Users", query), format!("/scim/v2/Users?{query}"));
    assert!(!target("/scim/v2/Users/rost_00ff", "").contains("00ff"));
    assert!(target("/", &"x".repeat(9000)).len() <= TARGET_BYTES_MAX);
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~é]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let name = prop_oneof![
            "[a-z]{1,8}",
            Just("path".to_owned()),
            Just("value".to_owned()),
            Just("op".to_owned())
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Puts a member into the object that comes up at a number, counted from the root.
fn put(value: &mut Value, at: &mut usize, name: &str, secret: &Value) -> bool {
    match value {
        Value::Object(members) if *at == 0 => {
            members.insert(name.to_owned(), secret.clone());
            true
        }
        Value::Object(members) => {
            *at -= 1;
            members.values_mut().any(|value| put(value, at, name, secret))
        }
        Value::Array(elements) => elements.iter_mut().any(|value| put(value, at, name, secret)),
        _ => false,
    }
}

proptest! {
    #[test]
    fn x25_a_password_anywhere_in_any_document_is_replaced_and_the_rest_is_json_still(
        mut document in json_value(), mut at in 0_usize..8, name in "(?i)password", cut in 0_usize..400,
    ) {
        if !put(&mut document, &mut at, &name, &CANARY.into()) {
            document = json!({ "a": document, name.as_str(): CANARY });
        }
        let text = document.to_string();
        let kept = kept(&text).expect("valid JSON is always kept");
        prop_assert!(!kept.contains(CANARY), "{kept}");
        prop_assert!(serde_json::from_str::<Value>(&kept).is_ok(), "{kept}");
        // Broken off anywhere, it is kept without the secret, or not at all.
        let cut = text.floor_char_boundary(cut.min(text.len()));
        let broken = body(&text.as_bytes()[..cut], &names()).text.unwrap_or_default();
        prop_assert!(!broken.contains("hunter2"), "{broken}");
    }

    #[test]
    fn any_document_comes_through_byte_for_byte_where_no_name_means_a_secret(document in json_value()) {
        let text = document.to_string();
        let says = ["password", "pwd", "token", "secret", "cookie", "bearer", "\\\"{", "\"{", "\"["];
        prop_assume!(!says.iter().any(|word| text.to_lowercase().contains(word)));
        prop_assert_eq!(kept(&text), Some(text));
    }

    #[test]
    fn no_bytes_make_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let read = body(&bytes, &names());
        prop_assert_eq!(read.bytes, bytes.len() as u64);
    }
}
