//! Tests of users that go through the provisioning service.

use serde_json::{Value, json};

use super::Tenant;
use crate::support::bodies::ENTERPRISE;

fn manager_path() -> String {
    format!("{ENTERPRISE}:manager")
}

pub(super) fn create(entra: &Tenant<'_>) {
    let login = entra.login();
    let id = entra.user(&login);
    let found = entra.look_up("/Users", "userName", &login).expect("the new user");
    assert_eq!((&found["id"], &found["userName"]), (&json!(id), &json!(login)));
    // The next cycle looks again, in whatever case the name has by then.
    assert_eq!(
        entra.look_up("/Users", "userName", &login.to_uppercase()).expect("the user")["id"],
        json!(id)
    );
}

pub(super) fn update(entra: &Tenant<'_>) {
    let id = entra.user(&entra.login());
    let path = format!("/Users/{id}");
    let (title, department) = (entra.word(), entra.word());
    entra.patch(
        &path,
        &[
            json!({ "op": "Add", "path": "title", "value": title }),
            json!({ "op": "Add", "path": format!("{ENTERPRISE}:department"), "value": department }),
            json!({ "op": "Replace", "path": "name.givenName", "value": "Augusta" }),
            json!({ "op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "Oslo" }),
            json!({ "op": "Add", "path": "addresses[type eq \"work\"].country", "value": "NO" }),
        ],
    );
    let read = entra.read(&path);
    assert_eq!((&read["title"], &read[ENTERPRISE]["department"]), (&json!(title), &json!(department)));
    assert_eq!(read["name"]["givenName"], "Augusta");
    assert_eq!(read["addresses"], json!([{ "type": "work", "locality": "Oslo", "country": "NO" }]));
}

pub(super) fn disable(entra: &Tenant<'_>) {
    let login = entra.login();
    let id = entra.user(&login);
    // Once in each form.
    for (off, on) in [(json!("False"), json!("True")), (json!(false), json!(true))] {
        entra.patch(&format!("/Users/{id}"), &[json!({ "op": "Replace", "path": "active", "value": off })]);
        let found = entra.look_up("/Users", "userName", &login).expect("who is disabled is still found");
        assert_eq!((&found["id"], &found["active"]), (&json!(id), &json!(false)));
        entra.patch(&format!("/Users/{id}"), &[json!({ "op": "Replace", "path": "active", "value": on })]);
        assert_eq!(entra.read(&format!("/Users/{id}"))["active"], json!(true));
    }
}

pub(super) fn delete(entra: &Tenant<'_>) {
    let login = entra.login();
    let path = format!("/Users/{}", entra.user(&login));
    entra.patch(&path, &[json!({ "op": "Replace", "path": "active", "value": "False" })]);
    let _ = entra.client.delete(&path).expect(204);
    entra.client.get(&path).refused(404, None);
    entra.client.delete(&path).refused(404, None);
    assert_eq!(entra.look_up("/Users", "userName", &login), None);
}

pub(super) fn manager(entra: &Tenant<'_>) {
    let (first, second) = (entra.user(&entra.login()), entra.user(&entra.login()));
    let path = format!("/Users/{}", entra.user(&entra.login()));
    for (op, value) in [("Add", &first), ("Replace", &second)] {
        entra.patch(&path, &[json!({ "op": op, "path": manager_path(), "value": value })]);
        assert_eq!(entra.read(&path)[ENTERPRISE]["manager"]["value"], json!(value));
    }
    entra.patch(&path, &[json!({ "op": "Remove", "path": manager_path() })]);
    assert_eq!(entra.read(&path).get(ENTERPRISE), None);
}

pub(super) fn restore(entra: &Tenant<'_>) {
    let login = entra.login();
    let id = entra.user(&login);
    let group = entra.group(&entra.word());
    entra.patch(
        &format!("/Groups/{group}"),
        &[json!({ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": id }] })],
    );
    entra.patch(&format!("/Users/{id}"), &[json!({ "op": "Replace", "path": "active", "value": "False" })]);
    // Assigned again: looked up, found inactive, switched on. Memberships are not sent again.
    let found = entra.look_up("/Users", "userName", &login).expect("the inactive user");
    assert_eq!((&found["id"], &found["active"]), (&json!(id), &json!(false)));
    entra.patch(&format!("/Users/{id}"), &[json!({ "op": "Replace", "path": "active", "value": "True" })]);
    let back = entra.read(&format!("/Users/{id}"));
    assert_eq!((&back["active"], &back["groups"][0]["value"]), (&json!(true), &json!(group)));
    // And where it was deleted meanwhile: the same login is free for a new one.
    let _ = entra.client.delete(&format!("/Users/{id}")).expect(204);
    assert_ne!(entra.user(&login), id);
}

pub(super) fn on_demand(entra: &Tenant<'_>) {
    // On demand the classic form is sent, whatever flag the connection has; a second time is an update that changes nothing.
    let login = entra.login();
    let path = format!("/Users/{}", entra.user(&login));
    let before = entra.read(&path);
    let again: Vec<Value> = [
        ("Replace", "displayName", json!("Ada Byron")),
        ("Replace", "emails[type eq \"work\"].value", json!(login)),
        ("Replace", "name.formatted", json!("Ada Byron")),
        ("Replace", "active", json!("True")),
    ]
    .into_iter()
    .map(|(op, path, value)| json!({ "op": op, "path": path, "value": value }))
    .collect();
    entra.patch(&path, &again);
    assert_eq!(entra.read(&path), before);
}
