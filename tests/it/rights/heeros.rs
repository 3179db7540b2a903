//! Heeros PSA.

use rosterd::psa::catalogue::Level;
use rosterd::psa::permission::Relation;

use super::{evaluate, preset, role, with_types};

#[test]
fn h03_a_permission_group_is_chosen_from_what_is_pre_defined() {
    let policy = preset("heeros");
    let groups: Vec<&str> = policy.catalogue.bundles.keys().map(String::as_str).collect();
    assert_eq!(groups, ["administrator", "basic", "finance", "project-manager", "supervisor"]);
    let may = |group| evaluate(&policy.catalogue, &with_types([role(group)]));
    assert!(may("administrator").is_administrator());
    for group in ["basic", "finance", "project-manager", "supervisor"] {
        assert!(!may(group).is_administrator(), "{group}");
        assert!(!policy.catalogue.is_privileged_bundle(group), "{group}");
    }
    assert_eq!(may("basic").level("hours.update", None), Level::Own);
    assert_eq!(may("supervisor").level("hours.approve", None), Level::Assigned);
    assert_eq!(may("project-manager").level("projects.finances", None), Level::Assigned);
    assert_eq!(may("finance").level("invoices.update", None), Level::All);
    // What nobody chose gives nothing.
    assert_eq!(may("no such group").iter().count(), 0);
}

#[test]
fn a03_rates_are_for_finance_and_administrators_who_see_money() {
    let policy = preset("heeros");
    for (group, level) in [
        ("basic", Level::None),
        ("supervisor", Level::None),
        ("finance", Level::All),
        ("administrator", Level::All),
    ] {
        let facts = with_types([role(group)]);
        assert_eq!(evaluate(&policy.catalogue, &facts).level("rates.view", None), level, "{group}");
        let hours_only = rosterd::psa::permission::Facts { hours_only: true, ..facts };
        assert_eq!(
            evaluate(&policy.catalogue, &hours_only).level("rates.view", None),
            Level::None,
            "{group}"
        );
    }
}

#[test]
fn everybody_may_change_the_own_card_and_no_other() {
    let policy = preset("heeros");
    for group in ["basic", "supervisor", "project-manager", "finance"] {
        let may = evaluate(&policy.catalogue, &with_types([role(group)]));
        assert!(may.allows("users.update", Relation::Own, None), "{group}");
        assert!(!may.allows("users.update", Relation::Assigned, None), "{group}");
        assert!(!may.allows("users.update", Relation::Other, None), "{group}");
    }
}
