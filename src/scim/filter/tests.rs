//! Filters: the grammar, what goes beyond it, the limits, evaluation, and agreement with another parser.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::scim::doc::Document;
use crate::scim::error::Why;
use crate::scim::schema::{group, user};

fn shown(text: &str) -> String {
    match Filter::parse(text, &user()) {
        Ok(filter) => filter.to_string(),
        Err(refusal) => refusal.why.scim_type().to_owned(),
    }
}

fn person() -> Document {
    let core = json!({
        "userName": "Ada@Acme.test", "externalId": "e-1", "displayName": "Ada Byron", "active": true, "title": "",
        "name": {"givenName": "Ada", "familyName": "Byron"},
        "emails": [{"value": "ada@acme.test", "type": "work", "primary": true}, {"value": "a@home.test", "type": "home"}],
    });
    let enterprise = json!({"department": "R&D", "manager": {"value": "u-2"}});
    let (serde_json::Value::Object(core), serde_json::Value::Object(enterprise)) = (core, enterprise) else {
        panic!("expected objects")
    };
    Document { core, extensions: vec![(crate::scim::urn::ENTERPRISE.into(), enterprise)] }
}

fn matches(text: &str) -> bool {
    let document = person();
    let groups = json!([{"value": "g-1", "display": "Crew", "type": "direct"}]);
    let subject = Computed {
        document: &document,
        id: "0192f0c1-2b3c-7def-8123-456789abcdef",
        resource_type: "User",
        created: "2026-01-01T00:00:00Z".parse().unwrap(),
        modified: "2026-02-01T00:00:00Z".parse().unwrap(),
        version: 7,
        own_external_id: true,
        groups: &groups,
        members: &json!([]),
    };
    let kind = user();
    Filter::parse(text, &kind).unwrap_or_else(|refusal| panic!("{text}: {refusal}")).matches(&subject, &kind)
}

#[test]
fn s70_precedence_is_grouping_not_and_or() {
    for (text, expected) in [
        ("title pr or userName pr and active eq true", "title pr or userName pr and active eq true"),
        ("(title pr or userName pr) and active eq true", "(title pr or userName pr) and active eq true"),
        ("not (title pr) and userName pr", "not (title pr) and userName pr"),
        ("((title pr))", "title pr"),
        ("title pr and (userName pr and active eq true)", "title pr and userName pr and active eq true"),
        ("emails[type eq \"work\" and value co \"@\"]", "emails[type eq \"work\" and value co \"@\"]"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn s71_forms_that_only_the_wire_knows_are_understood() {
    for (text, expected) in [
        ("not(title pr)", "not (title pr)"),
        ("NOT  ( title  PR )", "not (title pr)"),
        ("userName\teq\t\"a\"", "userName eq \"a\""),
        ("  userName   EQ   \"a\"  ", "userName eq \"a\""),
        ("userName eq\"a\"", "userName eq \"a\""),
        ("externalId eq jyoung", "externalId eq \"jyoung\""),
        ("externalId eq 701984", "externalId eq \"701984\""),
        ("groups.$ref eq \"x\"", "groups.$ref eq \"x\""),
        ("emails[type eq \"work\"].value eq \"x\"", "emails[type eq \"work\" and value eq \"x\"]"),
        ("emails[primary eq \"True\"]", "emails[primary eq true]"),
        ("urn:ietf:params:scim:schemas:core:2.0:User:UserName eq \"a\"", "userName eq \"a\""),
        (
            "manager.value eq \"u-2\"",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq \"u-2\"",
        ),
        ("userName eq \"a\\\"b\\u00e9\"", "userName eq \"a\\\"b\u{e9}\""),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn s73_what_cannot_be_answered_is_refused_and_never_ignored() {
    for text in [
        "",
        " ",
        "userName",
        "userName eq",
        "eq \"a\"",
        "userName xx \"a\"",
        "userName eq \"a",
        "userName eq \"a\" and",
        "userName eq \"a\" title pr",
        "(title pr",
        "title pr)",
        "not title pr",
        "colour eq \"red\"",
        "name.colour pr",
        "urn:example:x:title pr",
        "active gt true",
        "active co \"r\"",
        "active eq \"yes\"",
        "x509Certificates.value gt \"a\"",
        "meta.created gt \"yesterday\"",
        "userName gt null",
        "emails[type eq \"work\"",
        "emails[type eq \"work\"]]",
        "emails[emails[type eq \"work\"]]",
        "emails.value[type eq \"work\"]",
        "name eq \"Ada\"",
        "userName eq \"\\ud800\"",
        "userName eq \"a\" AND OR title pr",
    ] {
        assert_eq!(shown(text), "invalidFilter", "{text}");
    }
}

#[test]
fn x25_a_secret_cannot_be_filtered_by() {
    for text in [
        "password eq \"a\"",
        "password pr",
        "not (password pr)",
        "urn:ietf:params:scim:schemas:core:2.0:User:PASSWORD sw \"a\"",
    ] {
        assert_eq!(shown(text), "invalidFilter", "{text}");
    }
}

// Rows: S75.
#[test]
fn x31_length_depth_and_terms_end_somewhere() {
    let nested = |depth: usize| format!("{}title pr{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(shown(&nested(FILTER_DEPTH_MAX)), "title pr");
    assert_eq!(shown(&nested(FILTER_DEPTH_MAX + 1)), "invalidFilter");
    assert_eq!(shown(&"(".repeat(16_000)), "invalidFilter");
    assert_eq!(shown(&"not(".repeat(4_000)), "invalidFilter");
    let terms = |count: usize| vec!["title pr"; count].join(" or ");
    assert_ne!(shown(&terms(FILTER_TERMS_MAX)), "invalidFilter");
    assert_eq!(shown(&terms(FILTER_TERMS_MAX + 1)), "invalidFilter");
    assert_eq!(shown(&format!("userName eq \"{}\"", "a".repeat(FILTER_BYTES_MAX))), "invalidFilter");
}

#[test]
fn x31_a_refusal_does_not_repeat_the_input_at_length() {
    let refusal = Filter::parse(&format!("{} eq \"a\"", "x".repeat(10_000)), &user()).unwrap_err();
    assert_eq!(refusal.why, Why::InvalidFilter);
    assert!(refusal.detail.len() < 200, "{}", refusal.detail.len());
}

#[test]
fn s72_s74_values_match_by_the_characteristics_of_their_attribute() {
    for text in [
        "userName eq \"ada@acme.TEST\"",
        "userName eq \"\u{ff41}da@acme.test\"",
        "userName co \"ACME\"",
        "userName sw \"ada\"",
        "userName ew \".Test\"",
        "externalId eq \"e-1\"",
        "emails co \"@HOME\"",
        "emails.value eq \"A@home.test\"",
        "emails[type eq \"work\" and primary eq true]",
        "emails[type eq \"work\"].value eq \"ada@acme.test\"",
        "emails pr",
        "not (title pr)",
        "title eq null",
        "nickName eq null",
        "nickName ne \"x\"",
        "emails ne \"zz\"",
        "active eq true",
        "active ne false",
        "userName ne null",
        "meta.lastModified ge \"2026-02-01T01:00:00+01:00\"",
        "meta.created lt \"2026-01-02T00:00:00Z\"",
        "meta.resourceType eq \"User\"",
        "meta.version eq \"W/\\\"7\\\"\"",
        "id eq \"0192f0c1-2b3c-7def-8123-456789abcdef\"",
        "groups eq \"g-1\"",
        "groups.value eq \"g-1\"",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"r&d\"",
        "manager eq \"u-2\"",
        "userName gt \"aaa\" and userName lt \"b\"",
        "name pr",
        "name.givenName eq \"ADA\"",
    ] {
        assert!(matches(text), "{text}");
    }
    for text in [
        "externalId eq \"E-1\"",
        "emails[type eq \"home\" and primary eq true]",
        "emails[type eq \"home\"].value eq \"ada@acme.test\"",
        "title pr",
        "nickName pr",
        "nickName eq \"x\"",
        "emails ne \"a@home.test\"",
        "active eq false",
        "meta.created gt \"2026-01-01T00:00:00Z\"",
        "ims pr",
        "userName eq null",
        "groups eq \"G-1\"",
        "userName eq \"a\u{200b}da\"",
        "members eq \"x\" or title pr",
    ] {
        let kind = user();
        assert!(Filter::parse(text, &kind).is_err() || !matches(text), "{text}");
    }
}

#[test]
fn members_of_a_group_are_compared_by_value_and_type() {
    let document = Document::default();
    let members = json!([{"value": "u-1", "type": "User"}, {"value": "g-2", "type": "Group"}]);
    let subject = Computed {
        document: &document,
        id: "g",
        resource_type: "Group",
        created: jiff::Timestamp::UNIX_EPOCH,
        modified: jiff::Timestamp::UNIX_EPOCH,
        version: 1,
        own_external_id: true,
        groups: &json!([]),
        members: &members,
    };
    let kind = group();
    for (text, expected) in [
        ("members eq \"g-2\"", true),
        ("members.type eq \"group\"", true),
        ("members[value eq \"g-2\" and type eq \"Group\"]", true),
        ("members[value eq \"u-1\" and type eq \"Group\"]", false),
        ("members[value eq \"u-1\"]", true),
        ("members.value eq \"u-3\"", false),
    ] {
        assert_eq!(Filter::parse(text, &kind).unwrap().matches(&subject, &kind), expected, "{text}");
    }
}

#[test]
fn equalities_are_offered_to_indexes() {
    for (text, expected) in [
        (
            "userName eq \"a\" and active eq true and emails[value eq \"x\"]",
            &["userName=a", "emails.value=x"][..],
        ),
        ("emails[type eq \"work\"].value eq \"x\"", &["emails.type=work", "emails.value=x"]),
        ("emails[type eq \"work\" or value eq \"x\"]", &[]),
        ("not (userName eq \"a\") and (title eq \"b\" or title eq \"c\")", &[]),
    ] {
        let filter = Filter::parse(text, &user()).unwrap();
        let found: Vec<String> =
            filter.text_equalities().iter().map(|(path, text)| format!("{path}={text}")).collect();
        assert_eq!(found, expected, "{text}");
    }
}

/// Filters within the grammar of the RFC, as text.
fn filters() -> impl Strategy<Value = String> {
    let text = "[a-zA-Z0-9 @.\\[\\]()é]{0,8}".prop_map(|text| serde_json::to_string(&text).unwrap());
    let name = prop::sample::select(vec!["userName", "title", "name.givenName", "emails.value", "nickName"]);
    let op = prop::sample::select(vec!["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
    let leaf = prop_oneof![
        (name.clone(), op, text.clone()).prop_map(|(name, op, text)| format!("{name} {op} {text}")),
        name.prop_map(|name| format!("{name} pr")),
        any::<bool>().prop_map(|value| format!("active eq {value}")),
        text.prop_map(|text| format!("emails[type eq \"work\" and not (value co {text})]")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("{left} and {right}")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("{left} or {right}")),
            (inner.clone(), inner.clone())
                .prop_map(|(left, right)| format!("({left} or {right}) and {right}")),
            inner.prop_map(|inner| format!("not ({inner})")),
        ]
    })
}

proptest! {
    #[test]
    fn a_printed_filter_is_the_same_filter(text in filters()) {
        let filter = Filter::parse(&text, &user()).unwrap();
        prop_assert_eq!(Filter::parse(&filter.to_string(), &user()).unwrap(), filter);
    }

    #[test]
    fn another_parser_understands_the_same(text in filters()) {
        let ours = Filter::parse(&text, &user()).unwrap();
        let theirs: scim_v2::filter::Filter = text.parse().unwrap();
        prop_assert_eq!(ours.to_string(), theirs.to_string());
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = Filter::parse(&text, &user());
    }

    #[test]
    fn no_text_of_the_right_words_makes_it_panic(
        words in prop::collection::vec(
            prop::sample::select(vec!["userName", "emails", "eq", "pr", "and", "or", "not", "(", ")", "[", "]", "\"a\"", ".value", " ", "\"", "\\", "1"]),
            0..24,
        )
    ) {
        if let Ok(filter) = Filter::parse(&words.concat(), &user()) {
            let _ = filter.matches(&person(), &user());
        }
    }
}
