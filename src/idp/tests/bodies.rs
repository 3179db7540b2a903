//! Bodies of POST and PUT.

use super::*;
use crate::idp::incoming::Incoming;
use crate::scim::note::Rule;

fn user(body: Value, profile: &Profile) -> Result<Incoming, Refusal> {
    normalise::resource(body, &schema::user(), profile)
}

fn created(body: Value) -> Value {
    let mut incoming = user(body, &AUTO).unwrap_or_else(|refusal| panic!("{refusal}"));
    shown(&incoming.create(&schema::user(), &AUTO).unwrap_or_else(|refusal| panic!("{refusal}")))
}

fn refused(body: Value, profile: &Profile) -> Option<Why> {
    let made = user(body, profile).and_then(|mut incoming| incoming.create(&schema::user(), profile));
    made.err().map(|refusal| refusal.why)
}

fn replaced(before: Value, body: Value, profile: &Profile) -> Value {
    let mut incoming = user(body, profile).unwrap_or_else(|refusal| panic!("{refusal}"));
    let made = incoming.replace(&document(before), &schema::user(), profile);
    shown(&made.unwrap_or_else(|refusal| panic!("{refusal}")))
}

#[test]
fn d_k3_okta_creates_a_user() {
    let body = json!({
        "schemas": [urn::USER], "userName": "ada@acme.test", "name": {"givenName": "Ada", "familyName": "Byron"},
        "emails": [{"primary": true, "value": "ada@acme.test", "type": "work"}], "displayName": "Ada Byron",
        "locale": "en-US", "externalId": "00uEXAMPLE1", "groups": [], "password": "x7Kq", "active": true,
    });
    let incoming = user(body.clone(), &AUTO).unwrap();
    assert!(
        incoming.notes.has(Rule::PasswordDropped) && incoming.shadow.is_empty() && incoming.members.is_none()
    );
    let mut expected = map(body);
    for left_out in ["schemas", "groups", "password"] {
        expected.shift_remove(left_out);
    }
    assert_eq!(shown(&incoming.document), Value::Object(expected));
}

#[test]
fn d_k15_numbers_are_written_as_strings_and_a_null_name_is_none() {
    let body = json!({
        "schemas": [urn::USER], "userName": "ada", "externalId": 701_984, "name": null,
        "addresses": [{"postalCode": 91608}],
    });
    assert_eq!(
        created(body.clone()),
        json!({"userName": "ada", "externalId": "701984", "addresses": [{"postalCode": "91608"}], "active": true})
    );
    assert_eq!(refused(body, &STRICT), Some(Why::InvalidValue));
    let huge = json!({"userName": "ada", "externalId": 123_456_789_012_345_678_901_234_567_890.0_f64});
    assert_eq!(refused(huge, &AUTO), Some(Why::InvalidValue));
}

#[test]
fn d_e2_d_e10_entra_creates_a_user_with_a_manager_as_a_string() {
    let body = json!({
        "schemas": [urn::USER, urn::ENTERPRISE, "http://schemas.microsoft.com/2006/11/ADSCIM"],
        "externalId": "f3b0", "userName": "ada@acme.test", "active": "True", "meta": {"resourceType": "User"}, "roles": [],
        (urn::ENTERPRISE.to_uppercase()): {"Manager": "u-2", "department": ""},
    });
    assert_eq!(
        created(body),
        json!({"externalId": "f3b0", "userName": "ada@acme.test", "active": true, (urn::ENTERPRISE): {"manager": {"value": "u-2"}}})
    );
}

#[test]
fn d_o1_d_o2_onelogin_sends_old_urns_and_empty_strings() {
    let body = json!({
        "schemas": ["urn:scim:schemas:core:2.0", "urn:scim:schemas:extension:enterprise:2.0"], "UserName": "ada",
        "name": {"GivenName": "Ada", "FAMILYNAME": "Byron", "middleName": ""}, "title": "",
        "emails": [{"value": "ada@acme.test", "primary": true}], "addresses": [{"locality": ""}], "active": true,
    });
    let incoming = user(body.clone(), &AUTO).unwrap();
    assert!(incoming.notes.has(Rule::SchemasMissing) && incoming.notes.has(Rule::EmptyAsUnassigned));
    assert_eq!(
        shown(&incoming.document),
        json!({
            "userName": "ada", "name": {"givenName": "Ada", "familyName": "Byron"},
            "emails": [{"value": "ada@acme.test", "primary": true}], "active": true,
        })
    );
    assert_eq!(refused(body, &STRICT), Some(Why::InvalidSyntax));
}

#[test]
fn d_x7_plain_strings_and_single_objects_become_lists() {
    assert_eq!(
        created(
            json!({"userName": "ada", "emails": ["a@x"], "roles": {"value": "Admin"}, "phoneNumbers": "1"})
        )["emails"],
        json!([{"value": "a@x"}])
    );
    assert_eq!(
        created(json!({"userName": "ada", "roles": {"value": "Admin"}}))["roles"],
        json!([{"value": "Admin"}])
    );
    assert_eq!(
        refused(json!({"schemas": [urn::USER], "userName": "ada", "emails": ["a@x"]}), &STRICT),
        Some(Why::InvalidValue)
    );
}

#[test]
fn s33_what_the_schema_does_not_know_goes_into_the_shadow() {
    let body = json!({
        "schemas": [urn::USER], "userName": "ada", "colour": "red", "urn:example:x": {"a": 1}, "emails": [{"value": "a", "verified": true}],
    });
    let incoming = user(body.clone(), &AUTO).unwrap();
    assert_eq!(shown(&incoming.document), json!({"userName": "ada", "emails": [{"value": "a"}]}));
    assert_eq!(
        Value::Object(incoming.shadow),
        json!({"colour": "red", "urn:example:x": {"a": 1}, "emails[0].verified": true})
    );
    let strict = user(body, &STRICT).unwrap();
    assert!(strict.shadow.is_empty());
    assert_eq!(shown(&strict.document), json!({"userName": "ada", "emails": [{"value": "a"}]}));
}

#[test]
fn x29_active_is_true_or_false_and_nothing_else() {
    for (sent, expected) in [
        (json!(true), true),
        (json!(false), false),
        (json!("True"), true),
        (json!("false"), false),
        (json!(null), true),
    ] {
        assert_eq!(created(json!({"userName": "ada", "active": sent}))["active"], json!(expected), "{sent}");
    }
    for sent in [
        json!(0),
        json!(1),
        json!(""),
        json!("yes"),
        json!("TRUE"),
        json!("0"),
        json!([]),
        json!([true]),
        json!({}),
        json!({"value": true}),
    ] {
        assert_eq!(
            refused(json!({"userName": "ada", "active": sent}), &AUTO),
            Some(Why::InvalidValue),
            "{sent}"
        );
    }
    let strict = json!({"schemas": [urn::USER], "userName": "ada", "active": "True"});
    assert_eq!(refused(strict, &STRICT), Some(Why::InvalidValue));
}

#[test]
fn s44_a_user_without_a_name_is_refused() {
    for body in [
        json!({}),
        json!({"userName": null}),
        json!({"userName": ""}),
        json!({"userName": "  "}),
        json!({"userName": []}),
        json!({"userName": {}}),
    ] {
        assert_eq!(refused(body.clone(), &AUTO), Some(Why::InvalidValue), "{body}");
    }
    for body in [json!([]), json!("x"), json!(null), json!(1)] {
        assert_eq!(refused(body.clone(), &AUTO), Some(Why::InvalidSyntax), "{body}");
    }
}

#[test]
fn x24_the_core_urn_as_a_container_says_nothing_twice() {
    let body = json!({(urn::USER): {"userName": "ada", "title": "CTO"}});
    assert_eq!(created(body), json!({"userName": "ada", "title": "CTO", "active": true}));
    let twice = json!({"userName": "ada", (urn::USER): {"userName": "eve"}});
    assert_eq!(refused(twice, &AUTO), Some(Why::InvalidSyntax));
    let twice = json!({(urn::USER): {"userName": "eve"}, "userName": "ada"});
    assert_eq!(refused(twice, &AUTO), Some(Why::InvalidSyntax));
    let within = json!({"userName": "ada", (urn::USER): {(urn::USER): {"title": "CTO"}}});
    assert_eq!(refused(within, &AUTO), Some(Why::InvalidSyntax));
}

#[test]
fn x27_an_empty_external_id_is_none() {
    assert_eq!(created(json!({"userName": "ada", "externalId": ""})).get("externalId"), None);
    let strict = json!({"schemas": [urn::USER], "userName": "ada", "externalId": ""});
    assert_eq!(user(strict, &STRICT).unwrap().document.external_id(), None);
}

#[test]
fn d_k8_d_k12_members_are_lifted_out_of_a_group() {
    let group = |body| normalise::resource(body, &schema::group(), &AUTO).unwrap();
    let put = group(
        json!({"id": "g-1", "displayName": "A", "members": [{"value": "u-1", "display": "x"}, {"value": "u-2", "type": "User"}]}),
    );
    let members = put.members.unwrap();
    assert_eq!(members.iter().map(|member| member.value.as_str()).collect::<Vec<_>>(), ["u-1", "u-2"]);
    assert_eq!(shown(&put.document), json!({"displayName": "A"}));
    assert_eq!(group(json!({"displayName": "A", "members": []})).members, Some(Vec::new()));
    assert_eq!(group(json!({"displayName": "A"})).members, None);
}

#[test]
fn w8_d_k4_a_put_keeps_what_omission_must_not_clear() {
    let before = json!({"userName": "ada", "active": false, "title": "CTO", "nickName": "A"});
    let body = json!({"id": "u-7", "userName": "ada", "title": "CTO", "groups": [], "meta": {"resourceType": "User"}});
    assert_eq!(
        replaced(before.clone(), body.clone(), &AUTO),
        json!({"userName": "ada", "title": "CTO", "active": false})
    );
    let keep = Profile { put_omitted: crate::idp::profile::PutOmitted::Keep, ..AUTO };
    assert_eq!(replaced(before.clone(), body, &keep), before);
    let clearing = json!({"userName": "ada", "nickName": null, "active": null});
    assert_eq!(
        replaced(before, clearing, &keep),
        json!({"userName": "ada", "active": false, "title": "CTO"})
    );
}

#[test]
fn d_k4_a_put_without_external_id_keeps_it_and_only_null_clears_it() {
    let before = json!({"userName": "ada", "externalId": "00u1"});
    let silent = json!({"schemas": [urn::USER], "userName": "ada"});
    assert_eq!(replaced(before.clone(), silent.clone(), &AUTO), before);
    assert_eq!(replaced(before.clone(), silent, &STRICT), json!({"userName": "ada"}));
    let null = json!({"userName": "ada", "externalId": null});
    assert_eq!(replaced(before, null, &AUTO), json!({"userName": "ada"}));
}

#[test]
fn s46_wrong_types_are_refused_with_the_place() {
    let refusal =
        user(json!({"userName": "ada", "emails": [{"value": "a"}, {"value": {"x": 1}}]}), &AUTO).unwrap_err();
    assert_eq!(refusal.why, Why::InvalidValue);
    assert!(refusal.detail.starts_with("emails[1].value: "), "{}", refusal.detail);
    for body in [
        json!({"userName": true}),
        json!({"userName": "a", "name": "Ada"}),
        json!({"userName": "a", "name": []}),
        json!({"userName": "a", "emails": [null]}),
        json!({"userName": "a", "x509Certificates": [{"value": "not base64!"}]}),
        json!({"userName": "a", "emails": [["a"]]}),
    ] {
        assert_eq!(refused(body.clone(), &AUTO), Some(Why::InvalidValue), "{body}");
    }
}

#[test]
fn d_x17_a_list_of_members_that_names_nobody_does_not_empty_the_group() {
    for members in [json!([{"display": "x"}]), json!([{"value": ""}]), json!([{"value": "u-1"}, {}])] {
        let body = json!({"displayName": "A", "members": members});
        let refused =
            normalise::resource(body, &schema::group(), &AUTO).map(|_| ()).map_err(|refusal| refusal.why);
        assert_eq!(refused, Err(Why::InvalidValue), "{members}");
    }
    let nobody =
        normalise::resource(json!({"displayName": "A", "members": []}), &schema::group(), &AUTO).unwrap();
    assert_eq!(nobody.members, Some(Vec::new()));
}

#[test]
fn d_o1_a_value_of_which_only_the_label_is_left_is_none() {
    let body = json!({
        "userName": "ada", "phoneNumbers": [{"type": "work", "value": ""}, {"type": "home", "value": "1"}],
        "addresses": [{"type": "work", "locality": null, "primary": true}], "emails": [{"type": "work"}],
    });
    assert_eq!(
        created(body),
        json!({"userName": "ada", "active": true, "phoneNumbers": [{"type": "home", "value": "1"}], "emails": [{"type": "work"}]})
    );
}

#[test]
fn d_o4_d_r3_a_name_with_a_dot_is_a_part_also_in_a_whole_body() {
    let enterprise = urn::ENTERPRISE;
    assert_eq!(
        created(json!({
            "userName": "ada", "name.GivenName": "Ada", "name": {"familyName": "Byron"}, "emails.primary": "ada@acme.test",
            (format!("{enterprise}:manager.value")): "u-2",
        })),
        json!({
            "userName": "ada", "active": true, "name": {"familyName": "Byron", "givenName": "Ada"},
            "emails": [{"value": "ada@acme.test", "primary": true}], (enterprise): {"manager": {"value": "u-2"}},
        })
    );
    // The same said twice is said once; two things said of one part are refused.
    let twice = |said: &str| json!({"userName": "ada", "name.givenName": said, "name": {"givenName": "Ada"}});
    assert_eq!(created(twice("Ada"))["name"], json!({"givenName": "Ada"}));
    assert_eq!(refused(twice("Eve"), &AUTO), Some(Why::InvalidSyntax));
    // A list of its own says more, and what cannot be written stays unwritten.
    assert_eq!(
        created(
            json!({"userName": "ada", "emails": [{"value": "a@x"}], "emails.primary": "b@x", "emails.value": "c@x", "password.x": "y", "meta.version": "1"})
        ),
        json!({"userName": "ada", "active": true, "emails": [{"value": "a@x"}]})
    );
    let incoming =
        user(json!({"schemas": [urn::USER], "userName": "ada", "name.givenName": "Ada"}), &STRICT).unwrap();
    assert_eq!(shown(&incoming.document), json!({"userName": "ada"}));
}
