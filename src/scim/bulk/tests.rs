//! Tests of messages, references and order.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::order::{Step, steps};
use super::refs::Meaning;
use super::*;
use crate::ids::ResourceId;

const ID: &str = "0192f0c1-2b3c-7def-8123-456789abcdef";

fn parse(operations: &Value) -> Result<Request, BulkError> {
    Request::parse(json!({ "schemas": [urn::BULK_REQUEST], "Operations": operations }), &Kinds::standard())
}

fn post(path: &str, bulk_id: &str, data: Value) -> Value {
    json!({ "method": "POST", "path": path, "bulkId": bulk_id, "data": data })
}

fn group(bulk_id: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    post("/Groups", bulk_id, json!({ "displayName": bulk_id, "members": members }))
}

/// Orders operations that are all understood.
fn ordered(operations: &Value) -> Vec<Step> {
    let mut request = parse(operations).unwrap();
    let steps = request.steps();
    for operation in &request.operations {
        assert!(operation.task.is_ok(), "{:?}", operation.task);
    }
    steps
}

/// Reads one operation, and returns why it was refused.
fn refused(operation: Value) -> (Why, String) {
    let mut request = parse(&json!([operation])).unwrap();
    request.steps();
    let refusal = request.operations.pop().unwrap().task.unwrap_err();
    (refusal.why, refusal.detail)
}

/// Replaces what a body refers to, and returns the body and the names.
fn replaced(method: &str, path: &str, data: Value, meaning: Meaning) -> (Value, BTreeSet<String>) {
    let operation = json!({ "method": method, "path": path, "bulkId": "own", "data": data });
    let mut task = parse(&json!([operation])).unwrap().operations.pop().unwrap().task.unwrap();
    let mut names = BTreeSet::new();
    task.replace_references(&mut |name| {
        names.insert(name.to_owned());
        meaning
    });
    (task.data, names)
}

fn an_id() -> Meaning {
    Meaning::Id(ResourceId::parse(ID).unwrap())
}

#[test]
fn s160_a_message_that_is_no_bulk_request_is_refused_as_a_whole() {
    let kinds = Kinds::standard();
    for body in [
        json!([]),
        json!({}),
        json!({ "Operations": {} }),
        json!({ "Operations": [] }),
        json!({ "Operations": [7] }),
    ] {
        let error = Request::parse(body.clone(), &kinds).unwrap_err();
        assert!(matches!(error, BulkError::Refused(Refusal { why: Why::InvalidSyntax, .. })), "{body}");
    }
    let lenient = json!({ "operations": [{ "METHOD": "delete", "Path": format!("/Users/{ID}") }] });
    let request = Request::parse(lenient, &kinds).unwrap();
    assert!(!request.names_its_schema);
    assert_eq!(request.operations[0].method.as_deref(), Some("DELETE"));
    assert_eq!(request.operations[0].task.as_ref().unwrap().whom, Whom::Named(ID.to_owned()));
}

#[test]
fn s163_fail_on_errors_is_a_whole_number_from_one() {
    let read = |count: Value| {
        let body = json!({ "failOnErrors": count, "Operations": [{}] });
        Request::parse(body, &Kinds::standard()).map(|request| request.fail_on_errors)
    };
    assert_eq!(read(json!(1)), Ok(Some(1)));
    assert_eq!(read(json!(null)), Ok(None));
    for wrong in [json!(0), json!(-1), json!(1.5), json!("1"), json!([1]), json!(true), json!(1e300)] {
        assert!(matches!(read(wrong.clone()), Err(BulkError::Refused(_))), "{wrong}");
    }
}

#[test]
fn s164_more_operations_than_allowed_are_counted_and_refused() {
    let many = |count: usize| parse(&vec![json!({}); count].into());
    assert_eq!(many(OPERATIONS_MAX).unwrap().operations.len(), OPERATIONS_MAX);
    assert_eq!(
        many(OPERATIONS_MAX + 1).unwrap_err(),
        BulkError::TooManyOperations { found: OPERATIONS_MAX + 1 }
    );
}

#[test]
fn x33_what_leads_anywhere_else_is_refused_by_its_own_answer() {
    for path in [
        "/Bulk",
        "Bulk",
        "",
        "/",
        "//Users",
        "/Users/",
        "/Me",
        "/Schemas",
        "/ServiceProviderConfig",
        "/.search",
        "https://elsewhere.test/scim/v2/Users",
        "//elsewhere.test/Users",
        "/scim/v2/Users",
        "/users",
        "/Users?x=1",
        "/../Users",
    ] {
        let (why, detail) = refused(post(path, "u", json!({})));
        assert_eq!(why, Why::InvalidPath, "{path}");
        assert!(detail.starts_with("path: expected /Users or /Groups, found"), "{detail}");
    }
    for path in ["/Users", "/Users/", "/Users/1/2", "/Bulk/1", "/Users/../Bulk"] {
        assert_eq!(refused(json!({ "method": "DELETE", "path": path })).0, Why::InvalidPath, "{path}");
    }
    assert_eq!(refused(post(&format!("/Users/{ID}"), "u", json!({}))).0, Why::InvalidPath);
    for method in [json!("GET"), json!("HEAD"), json!("POST "), json!(""), json!(null), json!(7)] {
        let (why, detail) = refused(json!({ "method": method, "path": "/Users", "bulkId": "u", "data": {} }));
        assert_eq!(
            (why, detail.as_str()),
            (Why::InvalidSyntax, "method: expected one of POST, PUT, PATCH, DELETE")
        );
    }
}

#[test]
fn s161_a_post_has_a_name_of_its_own() {
    assert_eq!(refused(json!({ "method": "POST", "path": "/Users", "data": {} })).0, Why::InvalidValue);
    for name in [json!(""), json!(7), json!("x".repeat(BULK_ID_BYTES_MAX + 1)), json!([])] {
        let operation = json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": {} });
        assert_eq!(refused(operation).0, Why::InvalidValue, "{name}");
    }
    let mut request = parse(&json!([
        post("/Users", "u", json!({ "userName": "ada" })),
        post("/Users", "u", json!({ "userName": "bob" })),
        post("/Users", "v", json!({ "userName": "eve" })),
        { "method": "DELETE", "path": "/Users/bulkId:v", "bulkId": "v" },
    ]))
    .unwrap();
    request.steps();
    let good: Vec<bool> = request.operations.iter().map(|operation| operation.task.is_ok()).collect();
    assert_eq!(good, [false, false, true, true], "a name used twice means neither of the two");
}

#[test]
fn s161_references_are_found_where_ids_are_expected_and_nowhere_else() {
    const ENTERPRISE: &str = urn::ENTERPRISE;
    let body = json!({
        "userName": "bulkId:a", "title": "bulkId:b", "emails": [{ "value": "bulkId:c" }],
        "groups": [{ "value": "bulkId:d" }],
        ENTERPRISE: { "department": "bulkId:e", "Manager": { "Value": "BULKID:boss" } },
    });
    let (data, names) = replaced("POST", "/Users", body.clone(), an_id());
    assert_eq!(names, BTreeSet::from(["boss".to_owned()]));
    let mut expected = body;
    expected[ENTERPRISE]["Manager"]["Value"] = ID.into();
    assert_eq!(data, expected);

    let flat = json!({ format!("{ENTERPRISE}:manager"): "bulkId:boss" });
    assert_eq!(replaced("PUT", "/Users/1", flat, an_id()).0, json!({ format!("{ENTERPRISE}:manager"): ID }));

    let body = json!({ "displayName": "bulkId:x", "members": [{ "value": "bulkId:a" }, "bulkId:b", { "value": "c" }] });
    let (data, names) = replaced("POST", "/Groups", body.clone(), an_id());
    assert_eq!(names, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    assert_eq!(data["members"], json!([{ "value": ID }, ID, { "value": "c" }]));
    let (data, _) = replaced("POST", "/Groups", body, Meaning::LeftOut);
    assert_eq!(data, json!({ "displayName": "bulkId:x", "members": [{ "value": "c" }] }));

    let body = json!({ ENTERPRISE: { "department": "x", "manager": { "value": "bulkId:boss" } } });
    let (data, _) = replaced("POST", "/Users", body, Meaning::LeftOut);
    assert_eq!(data, json!({ ENTERPRISE: { "department": "x" } }));
}

#[test]
fn s161_references_in_the_operations_of_a_patch_are_found() {
    let one = |path: &str, operation: Value| {
        let data = json!({ "schemas": [urn::PATCH_OP], "Operations": [operation] });
        let (data, names) = replaced("PATCH", path, data, an_id());
        (data["Operations"][0].clone(), names.into_iter().collect::<Vec<_>>())
    };
    let manager = format!("{}:manager", urn::ENTERPRISE);
    for (path, sent, expected, names) in [
        (
            "/Groups/1",
            json!({ "op": "remove", "path": "members[value eq \"bulkId:a\"]" }),
            json!({ "op": "remove", "path": format!("members[value eq \"{ID}\"]") }),
            &["a"][..],
        ),
        (
            "/Groups/1",
            json!({ "op": "remove", "Path": "members[value eq \"bulkId:a\" or not (value eq \"bulkId:b\")]" }),
            json!({ "op": "remove", "Path": format!("members[value eq \"{ID}\" or not (value eq \"{ID}\")]") }),
            &["a", "b"],
        ),
        (
            "/Groups/1",
            json!({ "op": "add", "path": "members", "value": [{ "value": "bulkId:a" }] }),
            json!({ "op": "add", "path": "members", "value": [{ "value": ID }] }),
            &["a"],
        ),
        (
            "/Groups/1",
            json!({ "op": "add", "value": { "members": [{ "value": "bulkId:a" }], "displayName": "bulkId:b" } }),
            json!({ "op": "add", "value": { "members": [{ "value": ID }], "displayName": "bulkId:b" } }),
            &["a"],
        ),
        (
            "/Users/1",
            json!({ "op": "replace", "path": manager, "value": "bulkId:a" }),
            json!({ "op": "replace", "path": manager, "value": ID }),
            &["a"],
        ),
        (
            "/Users/1",
            json!({ "op": "replace", "path": format!("{manager}.value"), "value": "bulkId:a" }),
            json!({ "op": "replace", "path": format!("{manager}.value"), "value": ID }),
            &["a"],
        ),
        (
            "/Users/1",
            json!({ "op": "replace", "path": urn::ENTERPRISE, "value": { "manager": { "value": "bulkId:a" } } }),
            json!({ "op": "replace", "path": urn::ENTERPRISE, "value": { "manager": { "value": ID } } }),
            &["a"],
        ),
        (
            "/Users/1",
            json!({ "op": "replace", "path": "title", "value": "bulkId:a" }),
            json!({ "op": "replace", "path": "title", "value": "bulkId:a" }),
            &[],
        ),
        (
            "/Users/1",
            json!({ "op": "add", "path": "emails[value eq \"bulkId:a\"]", "value": { "type": "work" } }),
            json!({ "op": "add", "path": "emails[value eq \"bulkId:a\"]", "value": { "type": "work" } }),
            &[],
        ),
    ] {
        let found = one(path, sent.clone());
        assert_eq!(
            (&found.0, found.1.iter().map(String::as_str).collect::<Vec<_>>().as_slice()),
            (&expected, names),
            "{sent}"
        );
    }
}

#[test]
fn s164_what_no_operation_creates_is_refused_where_it_is_spoken_of() {
    let (why, detail) = refused(group("g", &["bulkId:nobody"]));
    assert_eq!((why, detail.contains("\"nobody\"")), (Why::InvalidValue, true), "{detail}");
    // Only a creation makes something that can be spoken of.
    let mut request = parse(&json!([
        { "method": "DELETE", "path": format!("/Users/{ID}"), "bulkId": "gone" },
        group("g", &["bulkId:gone"]),
        { "method": "DELETE", "path": "/Users/bulkId:gone" },
    ]))
    .unwrap();
    request.steps();
    assert!(request.operations[0].task.is_ok());
    assert!(request.operations[1].task.is_err() && request.operations[2].task.is_err());
}

#[test]
fn s162_what_is_spoken_of_comes_first_and_the_rest_as_it_was_sent() {
    use Step::{Circle, One};
    let user = |name: &str| post("/Users", name, json!({ "userName": name }));
    assert_eq!(ordered(&json!([user("a"), user("b"), group("g", &["bulkId:a"])])), [One(0), One(1), One(2)]);
    assert_eq!(ordered(&json!([group("g", &["bulkId:b"]), user("a"), user("b")])), [One(1), One(2), One(0)]);
    assert_eq!(
        ordered(&json!([group("a", &["bulkId:b"]), group("b", &["bulkId:a"]), group("c", &["bulkId:a"])])),
        [Circle(vec![1, 0]), One(2)]
    );
    assert_eq!(ordered(&json!([group("a", &["bulkId:a"])])), [Circle(vec![0])]);
    // What stands behind `bulkId:` is a name, whatever it looks like.
    assert_eq!(ordered(&json!([group("g", &["bulkId:bulkId:a"]), user("bulkId:a")])), [One(1), One(0)]);
}

#[test]
fn s162_operations_on_one_resource_keep_their_order() {
    use Step::One;
    let on = |method: &str, path: &str, data: Value| json!({ "method": method, "path": path, "data": data });
    let add = |name: &str| json!({ "Operations": [{ "op": "add", "path": "members", "value": [{ "value": name }] }] });
    let path = format!("/Groups/{ID}");
    let operations = json!([
        on("PATCH", &path, add("bulkId:a")),
        on("PATCH", &path, json!({ "Operations": [{ "op": "remove", "path": "members" }] })),
        on("DELETE", &path, json!(null)),
        post("/Users", "a", json!({})),
    ]);
    assert_eq!(ordered(&operations), [One(3), One(0), One(1), One(2)]);
}

#[test]
fn x33_a_long_chain_and_a_full_mesh_are_ordered_at_once() {
    let ring: Vec<BTreeSet<usize>> =
        (0..OPERATIONS_MAX).map(|at| [(at + 1) % OPERATIONS_MAX].into()).collect();
    let expected: Vec<usize> = (0..OPERATIONS_MAX).rev().collect();
    assert_eq!(steps(&ring), [Step::Circle(expected)], "one link only leads forward");
    let mesh: Vec<BTreeSet<usize>> = vec![(0..OPERATIONS_MAX).collect(); OPERATIONS_MAX];
    assert_eq!(steps(&mesh).len(), 1);
}

/// Tells whether one place needs another, over any number of others.
fn reaches(needs: &[BTreeSet<usize>], from: usize, to: usize) -> bool {
    let mut seen = BTreeSet::new();
    let mut open: Vec<usize> = needs[from].iter().copied().collect();
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(&needs[at]);
        }
    }
    false
}

fn some_needs() -> impl Strategy<Value = Vec<BTreeSet<usize>>> {
    (1_usize..14)
        .prop_flat_map(|count| prop::collection::vec(prop::collection::btree_set(0..count, 0..3), count))
}

proptest! {
    #[test]
    fn s162_everything_is_done_once_and_after_what_it_needs(needs in some_needs()) {
        let steps = steps(&needs);
        let mut done = BTreeSet::new();
        for step in &steps {
            if let Step::Circle(places) = step {
                for (one, other) in places.iter().flat_map(|one| places.iter().map(move |other| (*one, *other))) {
                    prop_assert!(reaches(&needs, one, other), "{one} and {other} are in no circle");
                }
            }
            for place in step.places() {
                for need in &needs[*place] {
                    prop_assert!(done.contains(need) || step.places().contains(need), "{place} before {need}");
                }
            }
            for place in step.places() {
                prop_assert!(done.insert(*place), "{place} is done twice");
            }
        }
        prop_assert_eq!(done.len(), needs.len());
    }

    #[test]
    fn s162_only_what_needs_something_later_waits(needs in some_needs()) {
        let steps = steps(&needs);
        for (number, step) in steps.iter().enumerate() {
            let first = *step.places().iter().min().unwrap();
            for later in &steps[number + 1..] {
                let overtaken = *later.places().iter().min().unwrap();
                // A step that comes later although it was sent earlier needs something that was sent after what overtook it.
                let waits = || (first..needs.len()).any(|place| reaches(&needs, overtaken, place));
                prop_assert!(overtaken > first || waits(), "{first} overtook {overtaken}");
            }
        }
    }

    #[test]
    fn x33_no_message_makes_it_panic(text in "[a-zA-Z:/\"\\[\\] ]{0,20}", method in "(POST|PUT|PATCH|DELETE|GET)", path in "/?(Users|Groups|Bulk)?(/[a-zA-Z:]{0,12})?") {
        let data = json!({ "members": [{ "value": text }], "manager": text, "Operations": [{ "op": "add", "path": text, "value": { "members": text } }, { "op": text, "value": { &text: text } }] });
        let operation = json!({ "method": method, "path": path, "bulkId": text, "data": data });
        if let Ok(mut request) = parse(&json!([operation, group("g", &[&text])])) {
            let steps = request.steps();
            prop_assert_eq!(steps.iter().map(|step| step.places().len()).sum::<usize>(), 2);
        }
    }
}
