//! What a document may say, and what becomes of one that says something else.

use serde_json::json;

use super::*;
use crate::scim::schema::{Mutability, Returned};

const ACME: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";

fn read(document: &Value) -> Result<Read, Vec<String>> {
    Definition::read(&document.to_string())
        .map_err(|Mistakes(all)| all.iter().map(ToString::to_string).collect())
}

fn with(attributes: Value) -> Value {
    json!({ "id": ACME, "attributes": attributes })
}

fn schema(attributes: Value) -> Schema {
    read(&with(attributes)).unwrap().definition.schema
}

fn mistakes(attributes: Value) -> Vec<String> {
    read(&with(attributes)).unwrap_err()
}

#[test]
fn s47_what_a_schema_leaves_out_is_what_the_rfc_says() {
    let schema = schema(json!([{ "name": "costCenterCode" }, { "name": "badge", "type": "reference" }]));
    let [code, badge] = &schema.attributes[..] else { panic!("two attributes") };
    assert_eq!(
        (code.kind, code.multi_valued, code.required, code.case_exact, code.indexed),
        (Type::String, false, false, false, false)
    );
    assert_eq!(
        (code.mutability, code.returned, code.uniqueness, code.canonical),
        (Mutability::ReadWrite, Returned::Default, Uniqueness::None, Canonical::Suggested)
    );
    assert!(badge.case_exact, "a reference is case exact by its type (RFC 7643 §2.3.7)");
    let hidden = self::schema(json!([{ "name": "pin", "mutability": "writeOnly" }]));
    assert_eq!(hidden.attributes[0].returned, Returned::Never);
}

#[test]
fn s185_a_definition_survives_its_own_document() {
    let full = json!({
        "schemas": [urn::SCHEMA], "id": "urn:acme:people", "extends": "group", "name": "Acme", "description": "What Acme says", "attributes": [
            { "name": "Level", "type": "integer", "indexed": true, "description": "1 to 9" },
            { "name": "colour", "canonicalValues": ["red", "blue"], "closed": true, "caseExact": true },
            { "name": "sites", "type": "complex", "multiValued": true, "subAttributes": [
                { "name": "value", "required": true, "uniqueness": "server" }, { "name": "$ref", "type": "reference", "referenceTypes": ["User"] },
                { "name": "since", "type": "dateTime", "mutability": "immutable", "returned": "request" } ] },
        ]
    });
    let first = read(&full).unwrap();
    assert_eq!((first.definition.kind, first.warnings), (KindId::GROUP, vec![]));
    let again = read(&first.definition.to_document()).unwrap();
    assert_eq!(again.definition, first.definition);
}

#[test]
fn s185_every_mistake_is_told_with_its_place() {
    let wrong = json!({
        "id": "acme", "extends": "Robot", "name": 7, "colour": "red", "schemas": ["urn:x"], "attributes": [
            { "name": "1st" }, { "name": "id" }, { "name": "a", "type": "text", "required": "yes" }, { "name": "A" }, "b", {},
            { "name": "c", "type": "complex" }, { "name": "d", "subAttributes": [{ "name": "e" }] },
            { "name": "f", "type": "complex", "subAttributes": [{ "name": "g", "type": "complex", "subAttributes": [{ "name": "h" }] }] },
            { "name": "i", "returned": "never", "uniqueness": "server", "required": true },
            { "name": "j", "type": "boolean", "indexed": true, "canonicalValues": [true], "closed": true },
            { "name": "k", "mutability": "readOnly", "required": true }, { "name": "l", "mutability": "writeOnly", "returned": "always" },
            { "name": "m", "uniqueness": "global", "referenceTypes": ["User"] }, { "name": "n", "type": "binary", "caseExact": false },
            { "name": "o", "canonicalValues": ["x", "X"], "description": "two\nlines" }
        ]
    });
    let told = read(&wrong).unwrap_err();
    let places: Vec<&str> = told.iter().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(
        places,
        [
            "schemas",
            "id",
            "extends",
            "name",
            "attributes[0].name",
            "attributes[1].name",
            "attributes[2].type",
            "attributes[2].required",
            "attributes[3].name",
            "attributes[4]",
            "attributes[5].name",
            "attributes[6].subAttributes",
            "attributes[7].subAttributes",
            "attributes[8].subAttributes[0].type",
            "attributes[9].uniqueness",
            "attributes[9].required",
            "attributes[10].canonicalValues[0]",
            "attributes[10].indexed",
            "attributes[10].closed",
            "attributes[11].required",
            "attributes[12].returned",
            "attributes[13].uniqueness",
            "attributes[13].referenceTypes",
            "attributes[14].caseExact",
            "attributes[15].description",
            "attributes[15].canonicalValues[1]"
        ],
        "{told:#?}"
    );
    assert_eq!(
        told[6],
        "attributes[2].type: expected one of string, boolean, decimal, integer, dateTime, binary, reference, complex, found \"text\""
    );
}

#[test]
fn s185_what_is_odd_is_told_and_taken() {
    let odd = json!({ "id": ACME, "attribute": 1, "attributes": [
        { "name": "a", "CaseExact": true }, { "name": "pin", "returned": "never" }, { "name": "seen", "mutability": "readOnly" } ] });
    let warnings: Vec<String> = read(&odd).unwrap().warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 4, "{warnings:#?}");
    assert_eq!(
        warnings[1],
        "attributes[0]: the member \"CaseExact\" means nothing here and is left out; did you mean caseExact?"
    );
}

#[test]
fn s185_sizes_end_somewhere() {
    let many =
        |count: usize| (0..count).map(|number| json!({ "name": format!("a{number}") })).collect::<Value>();
    assert_eq!(schema(many(ATTRIBUTES_MAX)).attributes.len(), ATTRIBUTES_MAX);
    assert_eq!(mistakes(many(ATTRIBUTES_MAX + 1)).len(), 1);
    assert_eq!(mistakes(json!([{ "name": "a".repeat(NAME_BYTES_MAX + 1) }])).len(), 1);
    assert_eq!(
        mistakes(json!([{ "name": "a", "description": "x".repeat(DESCRIPTION_BYTES_MAX + 1) }])).len(),
        1
    );
    let keyed = |count: usize| {
        (0..count).map(|number| json!({ "name": format!("a{number}"), "indexed": true })).collect::<Value>()
    };
    assert_eq!(schema(keyed(KEYED_MAX)).attributes.len(), KEYED_MAX);
    assert_eq!(mistakes(keyed(KEYED_MAX + 1)).len(), 1);
    let values: Vec<String> = (0..=CANONICAL_VALUES_MAX).map(|number| number.to_string()).collect();
    assert_eq!(mistakes(json!([{ "name": "a", "canonicalValues": values }])).len(), 1);
    assert_eq!(Definition::read(&" ".repeat(DOCUMENT_BYTES_MAX + 1)).unwrap_err().0.len(), 1);
    assert!(mistakes((0..1000).map(|_| json!({ "name": "" })).collect()).len() <= MISTAKES_MAX);
    assert!(
        Definition::read("[]").is_err() && Definition::read("{").is_err() && Definition::read("").is_err()
    );
}

#[test]
fn s185_a_urn_is_a_urn_and_nobody_elses() {
    let fits =
        |id: &str| read(&json!({ "id": id, "extends": "User", "attributes": [{ "name": "a" }] })).is_ok();
    for id in
        [ACME, "URN:acme:x", "urn:ietf:params:scim:schemas:extension:psalm:2.0:User", "urn:example:a.b-c_d:1"]
    {
        assert!(fits(id), "{id}");
    }
    for id in [
        "",
        "acme",
        "urn:",
        "urn:acme",
        "urn:a:x",
        "urn:acme:",
        "urn:acme::x",
        "urn:-ab:x",
        "urn:acme:x/y",
        "urn:acme:x y",
        "urn:acme:x\"y",
        "urn:acme:é",
        "http://acme.test/x",
        urn::USER,
        "urn:ietf:params:scim:schemas:core:2.0:Robot",
        "URN:ietf:params:SCIM:api:messages:2.0:X",
        urn::ENTERPRISE,
        urn::PSA,
        "urn:ietf:params:scim:schemas:extension:PSA:2.0:Group",
        &format!("urn:acme:{}", "x".repeat(URN_BYTES_MAX)),
    ] {
        assert!(!fits(id), "{id}");
    }
}

#[test]
fn s185_urns_that_could_be_taken_for_each_other_clash() {
    for (left, right) in
        [(ACME, ACME.to_uppercase().as_str()), ("urn:acme:x", "urn:ACME:x:y"), ("urn:acme:x.y", "urn:acme:x")]
    {
        assert!(clash(left, right).is_some() && clash(right, left).is_some(), "{left} {right}");
    }
    assert_eq!(clash("urn:acme:x", "urn:acme:xy"), None);
    assert_eq!(clash("urn:acme:x-y", "urn:acme:x"), None);
}

#[test]
fn s185_what_could_make_a_stored_value_invalid_is_a_loss_and_nothing_else_is() {
    let base = json!({ "name": "a", "canonicalValues": ["x", "y"], "closed": true });
    let lost = |new: Value| -> Vec<String> {
        losses(&schema(json!([base])), &schema(json!([new]))).into_iter().map(|loss| loss.what).collect()
    };
    let but = |name: &str, value: Value| {
        let mut changed = base.clone();
        changed[name] = value;
        changed
    };
    for harmless in [
        base.clone(),
        but("description", json!("new")),
        but("canonicalValues", json!(["y", "x", "z"])),
        but("closed", json!(false)),
        but("returned", json!("request")),
        but("indexed", json!(true)),
        but("uniqueness", json!("server")),
    ] {
        assert_eq!(lost(harmless.clone()), Vec::<String>::new(), "{harmless}");
    }
    for (harmful, said) in [
        (json!({ "name": "b" }), "a is removed"),
        (but("name", json!("A")), "a is spelled A"),
        (but("canonicalValues", json!(["x"])), "a takes fewer values"),
        (but("multiValued", json!(true)), "a becomes a list"),
        (but("caseExact", json!(true)), "a changes caseExact"),
        (but("mutability", json!("immutable")), "a becomes immutable"),
        (but("returned", json!("never")), "a is no longer returned"),
        (but("required", json!(true)), "a becomes required"),
        (json!({ "name": "a", "type": "integer" }), "a changes its type from string to integer"),
    ] {
        assert_eq!(lost(harmful), [said]);
    }
    let complex = |subs: Value| schema(json!([{ "name": "a", "type": "complex", "subAttributes": subs }]));
    let (one, two) = (
        complex(json!([{ "name": "x" }])),
        complex(json!([{ "name": "x" }, { "name": "y", "required": true }])),
    );
    let said = |old, new| losses(old, new).into_iter().map(|loss| loss.what).collect::<Vec<_>>();
    assert_eq!(said(&one, &two), ["a.y becomes required"]);
    assert_eq!(said(&two, &one), ["a.y is removed"]);
}

#[test]
fn s185_what_becomes_findable_is_named() {
    let plain = schema(
        json!([{ "name": "a" }, { "name": "b", "type": "complex", "subAttributes": [{ "name": "value" }] }]),
    );
    let keyed = schema(json!([{ "name": "a", "uniqueness": "server" }, { "name": "new", "indexed": true },
        { "name": "b", "type": "complex", "subAttributes": [{ "name": "value", "indexed": true }] }]));
    let named = |old, new| {
        newly_keyed(old, new).into_iter().map(|(path, unique)| (path.to_string(), unique)).collect::<Vec<_>>()
    };
    assert_eq!(named(&plain, &keyed), [(format!("{ACME}:a"), true), (format!("{ACME}:b.value"), false)]);
    assert_eq!(named(&keyed, &plain), []);
    assert_eq!(named(&keyed, &keyed), []);
    let relaxed = schema(json!([{ "name": "a", "indexed": true }]));
    assert_eq!(named(&keyed, &relaxed), [(format!("{ACME}:a"), false)]);
}
