//! Vectors: the questions that a plugin brings with it, played before it is taken.

use super::guest::{ADD_COST_RATE, Guest, rate};
use super::home::Home;

fn said(component: &[u8], vector: &str) -> Result<(), String> {
    let home = Home::new();
    std::fs::write(home.folder.path().join("one.json"), vector).unwrap();
    let mut spec = home.spec("test", component);
    spec.tests = vec!["one.json".into()];
    home.load(&[spec]).map(drop).map_err(|error| error.to_string())
}

#[test]
fn r31_a_plugin_whose_vector_fails_is_not_taken() {
    let right = r#"{"title": "a rate", "user": {"title": "Senior"},
        "expect": {"changes": [{"tag": "add-cost-rate", "val": {"startDate": "2026-03-01", "amount": "95.00", "currency": "EUR"}}]}}"#;
    assert_eq!(said(&rate(), right), Ok(()));
    let error = said(&rate(), &right.replace("95.00", "96.00")).unwrap_err();
    assert!(error.starts_with("plugin test: the vector \"a rate\" failed: expected ["), "{error}");
    assert!(error.contains("96.00") && error.contains("95.00"), "{error}");
    let error =
        said(&rate(), r#"{"title": "none", "expect": {"problem": {"kind": "internal"}}}"#).unwrap_err();
    assert!(error.contains("expected a problem, found the answer"), "{error}");
}

#[test]
fn a_vector_expects_a_problem_by_its_kind_and_what_else_it_names() {
    let component = Guest::mapper().does(|image| format!("(i32.const {})", image.problem(1, "no title")));
    for expected in
        [r#"{"kind": "missing-data"}"#, r#"{"kind": "missing-data", "detail": "no title", "path": null}"#]
    {
        assert_eq!(said(&component, &format!(r#"{{"expect": {{"problem": {expected}}}}}"#)), Ok(()));
    }
    let other = r#"{"expect": {"problem": {"kind": "missing-data", "path": "title"}}}"#;
    assert!(said(&component, other).unwrap_err().contains("expected the problem"));
    let changes = r#"{"expect": {"changes": []}}"#;
    assert!(said(&component, changes).unwrap_err().contains("expected changes, found the problem"));
}

#[test]
fn what_is_misspelt_in_a_vector_is_an_error_with_its_place() {
    for (vector, wanted) in [
        (r#"{"expects": {}}"#, "unknown field `expects`"),
        (r#"{"expect": {}}"#, "expect: expected exactly one of changes"),
        (r#"{"expect": {"change": []}}"#, "expect: expected one of changes"),
        (r#"{"user": {"tittle": "x"}, "expect": {"changes": []}}"#, "user: unknown member \"tittle\""),
        (
            r#"{"user": {"title": 7}, "expect": {"changes": []}}"#,
            "user.title: expected a text, found a number",
        ),
        (
            r#"{"held": {"kind": {"value": "x", "origin": "me"}}, "expect": {"changes": []}}"#,
            "held.kind.origin: expected one of idp, plugin, admin, found \"me\"",
        ),
        (
            r#"{"expect": {"changes": [{"tag": "add-rate"}]}}"#,
            "expect.changes[0]: expected a tag of set-kind",
        ),
        (
            r#"{"hook": "admit", "expect": {"verdict": {"tag": "allow"}}}"#,
            "hook: the plugin does not have the hook",
        ),
        (
            r#"{"context": {"operation": "make"}, "expect": {"changes": []}}"#,
            "context.operation: expected one of create",
        ),
    ] {
        let error = said(&rate(), vector).unwrap_err();
        assert!(error.contains(wanted) && error.contains("one.json"), "{vector}: {error}");
    }
}

#[test]
fn a_vector_brings_settings_and_tables_of_its_own() {
    // Proposes a rate where the table `rates` has the row `senior`, nothing else.
    let component = Guest::mapper().does(|image| {
        let (table, key) = (image.text("rates"), image.text("senior"));
        let held = ["2026-03-01", "1", "EUR"].iter().flat_map(|text| image.text(text)).collect();
        let (some, none) = (image.changes(&[(ADD_COST_RATE, held)]), image.changes(&[]));
        format!(
            "(call $lookup (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {}) (i32.const 64))
             (if (result i32) (i32.and (i32.eqz (i32.load8_u (i32.const 64))) (i32.load8_u (i32.const 68))) (then (i32.const {some})) (else (i32.const {none})))",
            table[0], table[1], key[0], key[1]
        )
    });
    assert_eq!(said(&component, r#"{"expect": {"changes": []}}"#), Ok(()));
    assert_eq!(
        said(&component, r#"{"tables": {"rates": {"junior": {"amount": "1"}}}, "expect": {"changes": []}}"#),
        Ok(())
    );
    let with = r#"{"tables": {"rates": {"senior": {"amount": "1"}}}, "settings": {"x": 1},
        "expect": {"changes": [{"tag": "add-cost-rate", "val": {"startDate": "2026-03-01", "amount": "1", "currency": "EUR"}}]}}"#;
    assert_eq!(said(&component, with), Ok(()));
}
