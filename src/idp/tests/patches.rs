//! PATCH requests: the worked after-states of the dialects, and the rules they rest on.

use super::*;
use crate::scim::note::Rule;

const E: &str = urn::ENTERPRISE;

fn d_e4() -> Value {
    json!([
        {"op": "Replace", "path": "displayName", "value": "Ada B"},
        {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "ada.b@acme.test"},
        {"op": "Add", "path": "name.givenName", "value": "Ada"},
        {"op": "Add", "path": format!("{E}:department"), "value": "R&D"},
        {"op": "Add", "path": "addresses[type eq \"work\"].formatted", "value": "18/2111"},
        {"op": "Add", "path": "addresses[type eq \"work\"].Locality", "value": "Oslo"},
    ])
}

fn group_changes(operations: Value) -> Vec<MemberChange> {
    let before = document(json!({"displayName": "A"}));
    let patched =
        patched(&before, operations, &schema::group(), &AUTO).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(patched.document, before);
    patched.members
}

#[test]
fn w1_entra_updates_a_user() {
    let before = json!({"userName": "ada@acme.test", "name": {"familyName": "Byron"}, "emails": [{"type": "home", "value": "a@home.test"}]});
    let expected = json!({
        "userName": "ada@acme.test", "displayName": "Ada B", "name": {"givenName": "Ada", "familyName": "Byron"},
        "emails": [{"type": "home", "value": "a@home.test"}, {"type": "work", "value": "ada.b@acme.test"}],
        "addresses": [{"type": "work", "formatted": "18/2111", "locality": "Oslo"}],
        (E): {"department": "R&D"},
    });
    assert_eq!(user_after(before.clone(), d_e4()), expected);
    assert_eq!(user_after(expected.clone(), d_e4()), expected, "a second time changes nothing");
    let refusal = patched(&document(before), d_e4(), &schema::user(), &STRICT).unwrap_err();
    assert_eq!(refusal.why, Why::NoTarget);
    assert!(refusal.detail.starts_with("Operations[1]: "), "{}", refusal.detail);
}

#[test]
fn w2_d_e9_a_second_time_changes_nothing() {
    let operations = json!([
        {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "ada.b@acme.test"},
        {"op": "replace", "value": {"displayName": "Ada B", "name.givenName": "Ada", "name.familyName": "Byron", (format!("{E}:employeeNumber")): "77"}},
    ]);
    let before = document(json!({"userName": "ada", "emails": [{"type": "work", "value": "x"}]}));
    let first = patched(&before, operations.clone(), &schema::user(), &STRICT).unwrap().document;
    assert_eq!(
        shown(&first),
        json!({"userName": "ada", "displayName": "Ada B", "name": {"givenName": "Ada", "familyName": "Byron"},
               "emails": [{"type": "work", "value": "ada.b@acme.test"}], (E): {"employeeNumber": "77"}})
    );
    for profile in [&AUTO, &STRICT] {
        assert_eq!(patched(&first, operations.clone(), &schema::user(), profile).unwrap().document, first);
    }
}

#[test]
fn w3_d_k9_renaming_a_group_touches_no_member() {
    let operations = json!([{"op": "replace", "value": {"id": "g-1", "displayName": "PSA Managers"}}]);
    let before = document(json!({"displayName": "A"}));
    let after = patched(&before, operations.clone(), &schema::group(), &AUTO).unwrap();
    assert_eq!((shown(&after.document), after.members), (json!({"displayName": "PSA Managers"}), Vec::new()));
    assert_eq!(why(patched(&before, operations, &schema::group(), &STRICT)), Err(Why::Mutability));
}

#[test]
fn d_a3_authentik_replaces_a_group_without_a_path() {
    let operations = json!([{"op": "replace", "path": null, "value": {
        "schemas": [urn::GROUP], "id": "g-1", "externalId": "p-1", "displayName": "B",
    }}]);
    let after = patched(&document(json!({"displayName": "A"})), operations, &schema::group(), &AUTO).unwrap();
    assert_eq!(
        (shown(&after.document), after.members),
        (json!({"displayName": "B", "externalId": "p-1"}), Vec::new())
    );
}

#[test]
fn d_x22_what_is_said_of_a_member_besides_its_id_is_not_kept() {
    let body = json!({"Operations": [{"op": "add", "path": "members", "value": [{"value": "u-1", "displayName": "Ada", "x": 1}]}]});
    let incoming = normalise::patch(body, &schema::group(), &AUTO).unwrap();
    assert_eq!(incoming.shadow.len(), 0);
    assert_eq!(incoming.operations[0].value, Some(json!([{"value": "u-1"}])));
}

#[test]
fn w4_d_e8_a_removal_that_lists_members_removes_those() {
    let one = json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "u-7"}]}]);
    assert_eq!(group_changes(one.clone()), [MemberChange::Remove(refs(&["u-7"]))]);
    assert_eq!(
        why(patched(&document(json!({"displayName": "A"})), one, &schema::group(), &STRICT)),
        Err(Why::InvalidSyntax)
    );
    for nobody in [json!([]), json!("")] {
        assert_eq!(group_changes(json!([{"op": "Remove", "path": "members", "value": nobody}])), []);
    }
    for everybody in [
        json!([{"op": "remove", "path": "members"}]),
        json!([{"op": "remove", "path": "members", "value": null}]),
    ] {
        assert_eq!(group_changes(everybody), [MemberChange::RemoveAll]);
    }
}

#[test]
fn s125_a_profile_may_refuse_the_removal_of_all_members() {
    let mut careful = AUTO;
    careful.policy.remove_all_members = crate::scim::policy::RemoveAll::Refuse;
    let operations = json!([{"op": "remove", "path": "members"}]);
    assert_eq!(
        why(patched(&document(json!({"displayName": "A"})), operations, &schema::group(), &careful)),
        Err(Why::InvalidValue)
    );
}

#[test]
fn d_k10_d_k11_d_x6_member_operations_come_out_in_order() {
    assert_eq!(
        group_changes(json!([
            {"op": "remove", "path": "members[value eq \"u-3\"]"},
            {"op": "add", "path": "members", "value": [{"value": "u-7", "display": "ada@acme.test"}]},
            {"op": "add", "path": "members", "value": [{"value": "u-8"}]},
            {"op": "replace", "path": "members", "value": []},
            {"op": "add", "value": {"members": [{"value": "u-9"}]}},
            {"op": "remove", "path": "members[type eq \"Group\"]"},
        ])),
        [
            MemberChange::Remove(refs(&["u-3"])),
            MemberChange::Add(refs(&["u-7", "u-8"])),
            MemberChange::Replace(Vec::new()),
            MemberChange::Add(refs(&["u-9"])),
            MemberChange::RemoveWhere(crate::scim::Filter::Compare {
                path: crate::scim::attr::AttrPath { extension: None, name: "type".into(), sub: None },
                op: crate::scim::filter::CompareOp::Eq,
                value: crate::scim::filter::Literal::Text("Group".into()),
            }),
        ]
    );
}

#[test]
fn members_that_cannot_be_named_are_refused_and_empty_ones_are_nobody() {
    let add = |value: Value| {
        let operations = json!([{"op": "add", "path": "members", "value": value}]);
        patched(&document(json!({"displayName": "A"})), operations, &schema::group(), &AUTO)
    };
    for value in [
        json!([null]),
        json!(true),
        json!([{"type": "User"}]),
        json!([{"value": " "}]),
        json!([{"value": "u", "type": "Robot"}]),
    ] {
        assert_eq!(why(add(value.clone())), Err(Why::InvalidValue), "{value}");
    }
    for value in [json!([{}]), json!([{"display": "x"}]), json!([])] {
        assert_eq!(add(value.clone()).map(|patched| patched.members), Ok(Vec::new()), "{value}");
    }
}

#[test]
fn w5_d_e12_roles_in_json_strings_are_unpacked_once() {
    let operations = json!([{"op": "Add", "path": "roles", "value": [{"value": "{\"id\":\"06b0\",\"value\":\"Admin\",\"displayName\":\"Admin\"}"}]}]);
    let expected = json!({"userName": "ada", "roles": [{"value": "Admin", "display": "Admin"}]});
    let first = user_after(json!({"userName": "ada"}), operations.clone());
    assert_eq!(first, expected);
    assert_eq!(user_after(first, operations), expected);
    let single = json!([{"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "Admin"}]);
    assert_eq!(
        user_after(json!({"userName": "ada"}), single)["roles"],
        json!([{"primary": true, "value": "Admin"}])
    );
}

#[test]
fn w6_d_e10_the_manager_is_set_changed_and_taken_away() {
    let path = format!("{E}:manager");
    let set = user_after(json!({"userName": "ada"}), json!([{"op": "Add", "path": path, "value": "u-2"}]));
    assert_eq!(set, json!({"userName": "ada", (E): {"manager": {"value": "u-2"}}}));
    let changed = user_after(set, json!([{"op": "Replace", "path": path, "value": "u-3"}]));
    assert_eq!(changed, json!({"userName": "ada", (E): {"manager": {"value": "u-3"}}}));
    let gone = json!({"userName": "ada"});
    assert_eq!(user_after(changed.clone(), json!([{"op": "Replace", "path": path, "value": ""}])), gone);
    assert_eq!(
        user_after(changed.clone(), json!([{"op": "remove", "path": "manager[value eq \"u-3\"]"}])),
        gone
    );
    assert_eq!(
        user_after(changed.clone(), json!([{"op": "remove", "path": "manager[value eq \"u-9\"]"}])),
        changed
    );
    assert_eq!(user_after(changed.clone(), json!([{"op": "remove", "path": E}])), gone);
    let strict = json!([{"op": "add", "path": path, "value": "u-2"}]);
    assert_eq!(why(patched(&document(gone), strict, &schema::user(), &STRICT)), Err(Why::InvalidValue));
}

#[test]
fn w9_an_error_names_its_operation() {
    let operations = json!([{"op": "replace", "path": "title", "value": "CTO"}, {"op": "replace", "path": "userName", "value": ""}]);
    for profile in [&AUTO, &STRICT] {
        let refusal =
            patched(&document(json!({"userName": "ada"})), operations.clone(), &schema::user(), profile)
                .unwrap_err();
        assert_eq!(refusal.why, Why::InvalidValue);
        assert!(refusal.detail.contains("Operations[1]"), "{}", refusal.detail);
    }
}

#[test]
fn d_k5_d_e7_active_is_switched_in_every_form() {
    let before = json!({"userName": "ada", "active": true});
    for operation in [
        json!({"op": "replace", "value": {"active": false}}),
        json!({"op": "Replace", "path": "active", "value": "False"}),
        json!({"op": "rEplace", "path": "ACTIVE", "value": false}),
        json!({"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": "false"}),
        json!({"op": "replace", "path": null, "value": {"active": "false"}}),
        json!({"name": "x", "OP": "replace", "PATH": "", "Value": {"active": false}}),
    ] {
        assert_eq!(
            user_after(before.clone(), json!([operation])),
            json!({"userName": "ada", "active": false}),
            "{operation}"
        );
    }
    assert_eq!(
        user_after(before.clone(), json!([{"op": "replace", "path": "active", "value": null}])),
        before
    );
    for operation in [
        json!({"op": "remove", "path": "active"}),
        json!({"op": "replace", "path": "active", "value": 0}),
        json!({"op": "replace", "path": "active", "value": ""}),
    ] {
        assert!(
            patched(&document(before.clone()), json!([operation]), &schema::user(), &AUTO).is_err(),
            "{operation}"
        );
    }
}

#[test]
fn s110_requests_that_are_no_patch_are_refused() {
    let kind = schema::user();
    for body in [
        json!([]),
        json!({}),
        json!({"Operations": []}),
        json!({"Operations": {}}),
        json!({"Operations": [1]}),
        json!({"Operations": [{"path": "title", "value": "x"}]}),
        json!({"Operations": [{"op": "move", "path": "title"}]}),
        json!({"Operations": [{"op": 1, "path": "title"}]}),
    ] {
        assert_eq!(
            normalise::patch(body.clone(), &kind, &AUTO).map_err(|refusal| refusal.why),
            Err(Why::InvalidSyntax),
            "{body}"
        );
    }
    let lower = json!({"operations": [{"op": "add", "path": "title", "value": "x"}]});
    assert!(normalise::patch(lower.clone(), &kind, &AUTO).unwrap().notes.has(Rule::SchemasMissing));
    assert!(normalise::patch(lower, &kind, &STRICT).is_err());
}

#[test]
fn s117_a_removal_without_a_path_removes_what_it_lists() {
    let before = json!({"userName": "ada", "title": "x", "roles": [{"value": "a"}, {"value": "b"}]});
    let operations = json!([{"op": "remove", "value": {"title": "x", "roles": [{"value": "a"}]}}]);
    assert_eq!(
        user_after(before.clone(), operations.clone()),
        json!({"userName": "ada", "roles": [{"value": "b"}]})
    );
    assert_eq!(
        why(patched(&document(before.clone()), operations, &schema::user(), &STRICT)),
        Err(Why::NoTarget)
    );
    let nothing = json!([{"op": "remove"}]);
    assert_eq!(why(patched(&document(before), nothing, &schema::user(), &AUTO)), Err(Why::NoTarget));
}

#[test]
fn s118_s119_adding_what_is_there_changes_nothing_or_brings_it_up_to_date() {
    let before = json!({"userName": "ada", "emails": [{"value": "a@x", "type": "work"}]});
    let add = |value: Value| {
        user_after(before.clone(), json!([{"op": "add", "path": "emails", "value": value}]))["emails"].clone()
    };
    assert_eq!(add(json!([{"value": "a@x", "type": "work"}])), before["emails"]);
    assert_eq!(
        add(json!([{"value": "a@x", "display": "A"}])),
        json!([{"value": "a@x", "type": "work", "display": "A"}])
    );
    assert_eq!(add(json!([{"value": "a@x", "type": "home"}])).as_array().unwrap().len(), 2);
    assert_eq!(add(json!({"value": "b@x"})).as_array().unwrap().len(), 2);
}

#[test]
fn s29_a_new_primary_takes_the_place_of_the_old_one() {
    let before = json!({"userName": "ada", "emails": [{"value": "a@x", "primary": true}, {"value": "b@x", "type": "home"}]});
    let operations = json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": "true"}]);
    assert_eq!(
        user_after(before.clone(), operations)["emails"],
        json!([{"value": "a@x", "primary": false}, {"value": "b@x", "type": "home", "primary": true}])
    );
    let two = json!([{"op": "add", "path": "emails", "value": [{"value": "c", "primary": true}, {"value": "d", "primary": true}]}]);
    assert_eq!(why(patched(&document(before), two, &schema::user(), &STRICT)), Err(Why::InvalidValue));
}

#[test]
fn s120_s122_replacing_merges_and_null_takes_away() {
    let before = json!({"userName": "ada", "name": {"givenName": "Ada", "familyName": "Byron"}, "title": "x", "roles": [{"value": "a"}]});
    let replace = |path: &str, value: Value| {
        user_after(before.clone(), json!([{"op": "replace", "path": path, "value": value}]))
    };
    assert_eq!(
        replace("name", json!({"familyName": "King"}))["name"],
        json!({"givenName": "Ada", "familyName": "King"})
    );
    assert_eq!(replace("name", json!({"familyName": null}))["name"], json!({"givenName": "Ada"}));
    assert_eq!(replace("name.givenName", json!(""))["name"], json!({"familyName": "Byron"}));
    assert_eq!(replace("title", json!(null)).get("title"), None);
    assert_eq!(replace("title", json!("")).get("title"), None);
    assert_eq!(replace("roles", json!([])).get("roles"), None);
    assert_eq!(replace("roles", json!([{"value": "b"}]))["roles"], json!([{"value": "b"}]));
    let wrong = json!([{"op": "replace", "path": "roles", "value": [null]}]);
    assert_eq!(
        why(patched(&document(before.clone()), wrong, &schema::user(), &AUTO)),
        Err(Why::InvalidValue)
    );
    assert_eq!(user_after(before.clone(), json!([{"op": "add", "path": "title", "value": null}])), before);
}

#[test]
fn s123_x23_required_and_read_only_attributes_are_not_removed() {
    let before = document(json!({"userName": "ada"}));
    let remove = |path: &str, profile: &Profile| {
        why(patched(&before, json!([{"op": "remove", "path": path}]), &schema::user(), profile))
    };
    for profile in [&AUTO, &STRICT] {
        assert_eq!(remove("userName", profile), Err(Why::Mutability));
        assert_eq!(
            remove("urn:ietf:params:scim:schemas:core:2.0:User:USERNAME", profile),
            Err(Why::Mutability)
        );
    }
    for path in ["id", "meta", "groups", "META.version", "schemas", "groups[value eq \"g\"]"] {
        assert_eq!(remove(path, &STRICT), Err(Why::Mutability), "{path}");
        assert_eq!(remove(path, &AUTO), Err(Why::Mutability), "{path}");
        let replaced = |profile| {
            let operations = json!([{"op": "replace", "path": path, "value": "x"}]);
            patched(&before, operations, &schema::user(), profile)
        };
        assert_eq!(why(replaced(&STRICT)), Err(Why::Mutability), "{path}");
        assert_eq!(replaced(&AUTO).map(|patched| patched.document), Ok(before.clone()), "{path}");
    }
    assert_eq!(remove("title", &STRICT), Ok(()));
    assert_eq!(remove("emails[type eq \"work\"]", &STRICT), Err(Why::NoTarget));
    assert_eq!(remove("emails[type eq \"work\"]", &AUTO), Ok(()));
}

#[test]
fn s115_unknown_attributes_are_refused_or_kept_beside() {
    let operations = json!([{"op": "add", "path": "colour", "value": "red"}, {"op": "add", "value": {"urn:example:x:a": 1}}]);
    let body = json!({"schemas": [urn::PATCH_OP], "Operations": operations});
    let incoming = normalise::patch(body.clone(), &schema::user(), &AUTO).unwrap();
    assert_eq!(Value::Object(incoming.shadow), json!({"colour": "red", "urn:example:x:a": 1}));
    assert_eq!(incoming.operations, []);
    let strict = normalise::patch(body, &schema::user(), &STRICT);
    assert_eq!(strict.map_err(|refusal| refusal.why), Err(Why::InvalidPath));
}

#[test]
fn s13_an_unknown_attribute_of_an_extension_is_named_with_its_schema() {
    let detail = |operation: Value| {
        let body = json!({"schemas": [urn::PATCH_OP], "Operations": [operation]});
        normalise::patch(body, &schema::user(), &STRICT).map_err(|refusal| refusal.detail).unwrap_err()
    };
    let expected = "Operations[0]: EnterpriseUser has no attribute \"colour\"";
    assert_eq!(detail(json!({"op": "add", "path": urn::ENTERPRISE, "value": {"colour": "red"}})), expected);
    let path = format!("{}:colour", urn::ENTERPRISE.to_uppercase());
    assert_eq!(detail(json!({"op": "add", "path": path, "value": "red"})), expected);
    let detail = detail(json!({"op": "add", "path": "colour", "value": "red"}));
    assert_eq!(detail, "Operations[0]: User has no attribute \"colour\"");
}

#[test]
fn d_k6_a_password_is_dropped() {
    for operation in [
        json!({"op": "replace", "value": {"password": "x"}}),
        json!({"op": "replace", "path": "PASSWORD", "value": "x"}),
    ] {
        assert_eq!(user_after(json!({"userName": "ada"}), json!([operation])), json!({"userName": "ada"}));
    }
}

#[test]
fn d_x4_an_email_without_a_type_is_the_one_for_work() {
    let before = json!({"userName": "ada", "emails": [{"value": "a@x", "primary": true}, {"value": "b@x"}]});
    let operations = json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "c@x"}]);
    assert_eq!(
        user_after(before, operations)["emails"],
        json!([{"value": "c@x", "primary": true, "type": "work"}, {"value": "b@x"}])
    );
}

#[test]
fn s121_a_filter_that_says_more_than_equalities_makes_nothing() {
    for filter in [
        "type ne \"work\"",
        "type eq \"work\" or type eq \"home\"",
        "value sw \"a\"",
        "not (type eq \"work\")",
        "type eq \"a\" and type eq \"b\"",
    ] {
        let operations = json!([{"op": "add", "path": format!("addresses[{filter}].locality").replace("value sw", "locality sw"), "value": "Oslo"}]);
        assert_eq!(
            why(patched(&document(json!({"userName": "ada"})), operations, &schema::user(), &AUTO)),
            Err(Why::NoTarget),
            "{filter}"
        );
    }
}

#[test]
fn s132_many_member_operations_cost_what_they_change() {
    let many: Vec<Value> = (0..10_000)
        .map(|number| json!({"op": "add", "path": "members", "value": [{"value": number.to_string()}]}))
        .collect();
    let changes = group_changes(Value::Array(many));
    assert!(matches!(changes.as_slice(), [MemberChange::Add(all)] if all.len() == 10_000));
    let many: Vec<Value> =
        (0..1_001).map(|_| json!({"op": "add", "path": "displayName", "value": "A"})).collect();
    assert_eq!(
        why(patched(&document(json!({"displayName": "A"})), Value::Array(many), &schema::group(), &AUTO)),
        Err(Why::TooMany)
    );
}

#[test]
fn more_values_than_an_attribute_may_have_are_refused_before_they_are_compared() {
    let values = |from: usize, count: usize| -> Vec<Value> {
        (from..from + count).map(|number| json!({"value": format!("a{number}@acme.test")})).collect()
    };
    let add = |from, count| json!({"op": "add", "path": "emails", "value": values(from, count)});
    let before = document(json!({"userName": "ada"}));
    // Compared with each other, these would be a good half hour's work.
    let one = patched(&before, json!([add(0, 200_000)]), &schema::user(), &AUTO).unwrap_err();
    assert_eq!(one.detail, "Operations[0]: emails: expected at most 500 values, found 200000");
    let several = json!([add(0, 300), add(300, 200), add(500, 1), {"op": "remove", "path": "emails"}]);
    let several = patched(&before, several, &schema::user(), &AUTO).unwrap_err();
    assert_eq!(several.detail, "Operations[2]: emails: expected at most 500 values, found 501");
    assert_eq!(several.why, Why::InvalidValue);
}

#[test]
fn d_r3_emails_primary_is_the_address_of_the_primary_element() {
    let before = json!({"userName": "ada", "emails": [{"value": "home@x", "type": "home"}, {"value": "old@x", "primary": true}]});
    let changed = user_after(before, json!([{"op": "replace", "value": {"emails.primary": "new@x"}}]));
    assert_eq!(
        changed["emails"],
        json!([{"value": "home@x", "type": "home"}, {"value": "new@x", "primary": true}])
    );
    let made = user_after(
        json!({"userName": "ada"}),
        json!([{"op": "add", "path": "emails.primary", "value": "new@x"}]),
    );
    assert_eq!(made["emails"], json!([{"primary": true, "value": "new@x"}]));
    let refused = patched(
        &document(json!({"userName": "ada"})),
        json!([{"op": "add", "path": "emails.primary", "value": "new@x"}]),
        &schema::user(),
        &STRICT,
    );
    assert_eq!(refused.unwrap_err().why, Why::InvalidValue);
}
