//! Tests of groups that go through the provisioning service.

use serde_json::json;

use super::Tenant;

/// One operation on members, as the service writes it.
fn change(entra: &Tenant<'_>, op: &str, group: &str, ids: &[&String]) {
    let values: Vec<_> = ids.iter().map(|id| json!({ "$ref": null, "value": id })).collect();
    let answer =
        entra.patch(&format!("/Groups/{group}"), &[json!({ "op": op, "path": "members", "value": values })]);
    assert_eq!((answer.status, answer.body.len()), (204, 0), "no body of members (S113)");
}

pub(super) fn create(entra: &Tenant<'_>) {
    let name = entra.word();
    let id = entra.group(&name);
    let found = entra.look_up("/Groups", "displayName", &name).expect("the new group");
    assert_eq!((&found["id"], found.get("members")), (&json!(id), None));
}

pub(super) fn rename(entra: &Tenant<'_>) {
    let (old, new) = (entra.word(), entra.word());
    let id = entra.group(&old);
    entra.patch(&format!("/Groups/{id}"), &[json!({ "op": "Replace", "path": "displayName", "value": new })]);
    assert_eq!(entra.look_up("/Groups", "displayName", &new).expect("by its new name")["id"], json!(id));
    assert_eq!(entra.look_up("/Groups", "displayName", &old), None);
}

pub(super) fn delete(entra: &Tenant<'_>) {
    let name = entra.word();
    let path = format!("/Groups/{}", entra.group(&name));
    let _ = entra.client.delete(&path).expect(204);
    entra.client.get(&path).refused(404, None);
    assert_eq!(entra.look_up("/Groups", "displayName", &name), None);
}

pub(super) fn add_member(entra: &Tenant<'_>) {
    let (group, ada) = (entra.group(&entra.word()), entra.user(&entra.login()));
    change(entra, "Add", &group, &[&ada]);
    assert_eq!(entra.members(&group), [ada.as_str()]);
    change(entra, "Add", &group, &[&ada]);
    assert_eq!(entra.members(&group), [ada.as_str()]);
    assert_eq!(entra.read(&format!("/Users/{ada}"))["groups"][0]["value"], json!(group));
}

pub(super) fn remove_member(entra: &Tenant<'_>) {
    let (group, ada, bob, eve) = (
        entra.group(&entra.word()),
        entra.user(&entra.login()),
        entra.user(&entra.login()),
        entra.user(&entra.login()),
    );
    change(entra, "Add", &group, &[&ada, &bob, &eve]);
    change(entra, "Remove", &group, &[&ada]);
    assert_eq!(entra.members(&group), [bob.as_str(), eve.as_str()]);
    // The form of the flag.
    let one = format!("members[value eq \"{bob}\"]");
    entra.patch(&format!("/Groups/{group}"), &[json!({ "op": "remove", "path": one })]);
    assert_eq!(entra.members(&group), [eve.as_str()]);
    change(entra, "Remove", &group, &[&eve]);
    assert_eq!(entra.members(&group), Vec::<String>::new());
}

pub(super) fn on_demand(entra: &Tenant<'_>) {
    let name = entra.word();
    let people: Vec<String> = (0..5).map(|_| entra.user(&entra.login())).collect();
    let group = entra.group(&name);
    change(entra, "Add", &group, &people.iter().collect::<Vec<_>>());
    let found = entra.look_up("/Groups", "displayName", &name).expect("the group");
    assert_eq!(found["id"], json!(group));
    let mut members = entra.members(&group);
    members.sort_unstable();
    let mut expected = people;
    expected.sort_unstable();
    assert_eq!(members, expected);
}

pub(super) fn restore(entra: &Tenant<'_>) {
    let name = entra.word();
    let first = entra.group(&name);
    let ada = entra.user(&entra.login());
    change(entra, "Add", &first, &[&ada]);
    let _ = entra.client.delete(&format!("/Groups/{first}")).expect(204);
    assert_eq!(entra.read(&format!("/Users/{ada}")).get("groups"), None);
    let second = entra.group(&name);
    assert_ne!(first, second);
    assert_eq!(entra.members(&second), Vec::<String>::new());
}
