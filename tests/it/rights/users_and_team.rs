//! Users & Team.

use rosterd::psa::catalogue::{GrantError, Level};
use rosterd::psa::permission::not_oneself;
use rosterd::psa::permission::permits::{UsersCreate, UsersLock, UsersPassword, UsersUpdate};

use super::{evaluate, id, preset, role, with_types};

#[test]
fn t01_admin_technician_and_viewer_have_the_documented_rights() {
    use Level::{All, None as No, Own};
    let policy = preset("users-and-team");
    assert_eq!(policy.catalogue.bundles.keys().collect::<Vec<_>>(), ["admin", "technician", "viewer"]);
    for (key, admin, technician, viewer) in [
        ("tickets.view", All, All, All),
        ("tickets.update", All, All, No),
        ("tickets.assign", All, All, No),
        ("customers.view", All, All, All),
        ("customers.update", All, All, No),
        ("reports.view", All, All, All),
        ("users.view", All, All, All),
        ("users.update", All, Own, Own),
        ("users.create", All, No, No),
        ("users.lock", All, No, No),
        ("users.password", All, No, No),
        ("settings.update", All, No, No),
        ("permissions.update", All, No, No),
    ] {
        for (bundle, level) in [("admin", admin), ("technician", technician), ("viewer", viewer)] {
            let may = evaluate(&policy.catalogue, &with_types([role(bundle)]));
            assert_eq!(may.level(key, None), level, "{bundle}: {key}");
        }
    }
    // Roles are all there is.
    assert_eq!(policy.catalogue.check_override("tickets.view", false, true), Err(GrantError::DenyOff));
}

#[test]
fn t04_a_password_has_at_least_8_characters() {
    assert_eq!(preset("users-and-team").sign_in.password_characters_min, 8);
    assert_eq!(preset("").sign_in.password_characters_min, 15, "rosterd's own is stricter");
    let stricter = "permissions.preset = \"users-and-team\"\nsign_in.password_characters_min = 10";
    assert_eq!(super::decided(stricter, "acme").sign_in.password_characters_min, 10);
}

#[test]
fn t01_only_an_admin_invites_locks_and_sets_passwords() {
    let policy = preset("users-and-team");
    for (bundle, may_it) in [("admin", true), ("technician", false), ("viewer", false)] {
        let may = evaluate(&policy.catalogue, &with_types([role(bundle)]));
        assert_eq!(may.permit_everywhere::<UsersCreate>().is_some(), may_it, "{bundle}");
        assert_eq!(may.permit_everywhere::<UsersLock>().is_some(), may_it, "{bundle}");
        assert_eq!(may.permit_everywhere::<UsersPassword>().is_some(), may_it, "{bundle}");
        assert_eq!(may.permit_everywhere::<UsersUpdate>().is_some(), may_it, "{bundle}");
    }
}

#[test]
fn t12_nobody_changes_their_own_role() {
    let admin = id(7);
    assert_eq!(
        not_oneself(Some(admin), admin).unwrap_err().to_string(),
        "nobody changes their own role, user types, overrides or lock; another administrator can"
    );
    assert_eq!(not_oneself(Some(admin), id(8)), Ok(()));
}
