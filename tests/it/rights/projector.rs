//! Projector.

use rosterd::psa::catalogue::{Level, PersonKind};
use rosterd::psa::permission::permits::UsersUpdate;
use rosterd::psa::permission::{Effect, Facts, HeldType, Mark};

use super::{evaluate, exception, id, preset, role, with_types};

#[test]
fn p12_a_client_user_is_denied_the_management_portal() {
    let policy = preset("projector");
    let of_kind = |kind| Facts { kind, ..with_types([role("system-administrator")]) };
    let client = evaluate(&policy.catalogue, &of_kind(PersonKind::Client));
    assert_eq!(client.level("management.use", None), Level::None);
    assert_eq!(client.level("projects.view", None), Level::Assigned);
    let employee = evaluate(&policy.catalogue, &of_kind(PersonKind::Employee));
    assert_eq!(employee.level("management.use", None), Level::All);
}

#[test]
fn p14_a_primary_user_type_and_several_secondary_ones_add_up() {
    let policy = preset("projector");
    let secondary = |bundle: &str| HeldType { primary: false, ..role(bundle) };
    let primary = evaluate(&policy.catalogue, &with_types([role("resource")]));
    let both = evaluate(
        &policy.catalogue,
        &with_types([role("resource"), secondary("manager"), secondary("client")]),
    );
    assert_eq!(primary.level("projects.view", None), Level::Assigned);
    assert_eq!(both.level("projects.view", None), Level::All);
    assert_eq!(both.level("time.approve", None), Level::All);
    for (_, key, _) in policy.catalogue.iter() {
        assert!(both.level(key, None) >= primary.level(key, None), "{key}");
    }
}

#[test]
fn p15_p17_a_user_type_at_a_cost_centre_holds_below_it_and_is_marked_above() {
    let policy = preset("projector");
    let manager = HeldType { primary: false, cost_center: Some(id(2)), ..role("manager") };
    let may = evaluate(&policy.catalogue, &with_types([role("resource"), manager]));
    let at = |node| may.level("projects.update", Some(id(node)));
    assert_eq!([1, 2, 3, 4].map(at), [Level::None, Level::All, Level::None, Level::All]);
    assert_eq!(may.level("projects.view", Some(id(3))), Level::Assigned, "by the primary type");
    assert_eq!(
        may.level("management.use", None),
        Level::None,
        "what is for the firm is not had at one place"
    );
    let marks = may.marks("projects.update", Level::All);
    assert_eq!(marks, [(id(1), Mark::Some), (id(2), Mark::All), (id(4), Mark::All), (id(3), Mark::None)]);
}

#[test]
fn p16_an_override_elevates_or_restricts_one_permission_for_one_user() {
    let policy = preset("projector");
    assert_eq!(policy.catalogue.check_override("projects.update", true, true), Ok(()));
    let facts = Facts {
        overrides: vec![
            exception("projects.update", Effect::Deny, Some(2)),
            exception("invoices.update", Effect::Grant, None),
        ],
        ..with_types([role("manager")])
    };
    let may = evaluate(&policy.catalogue, &facts);
    assert_eq!(may.level("projects.update", Some(id(3))), Level::All);
    assert_eq!(may.level("projects.update", Some(id(4))), Level::None);
    assert_eq!(may.level("invoices.update", None), Level::All);
    assert_eq!(may.level("projects.view", Some(id(4))), Level::All, "another permission is as it was");
}

#[test]
fn p20_only_those_with_users_and_permissions_update_may_change_users() {
    let policy = preset("projector");
    let description =
        &policy.catalogue.get(policy.catalogue.find("users.update").unwrap()).unwrap().description;
    assert_eq!(description, "Users & Permissions: Update");
    for (bundle, changes) in [
        ("system-administrator", true),
        ("user-administrator", true),
        ("manager", false),
        ("resource", false),
        ("client", false),
    ] {
        let may = evaluate(&policy.catalogue, &with_types([role(bundle)]));
        assert_eq!(may.permit::<UsersUpdate>(Level::All, None).is_some(), changes, "{bundle}");
        assert_eq!(policy.catalogue.is_privileged_bundle(bundle), changes, "{bundle}");
    }
}
