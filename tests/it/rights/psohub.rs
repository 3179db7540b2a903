//! PSOhub.

use rosterd::psa::catalogue::Level;
use rosterd::psa::permission::permits::UsersUpdate;
use rosterd::psa::permission::{Effective, HeldType, Relation};

use super::{decided, evaluate, preset, role, with_types};

/// What somebody of an access level may do.
fn of(level: &str) -> Effective {
    let by_level = HeldType { role: None, access_level: Some(level.to_owned()), ..role(level) };
    evaluate(&preset("psohub").catalogue, &with_types([by_level]))
}

#[test]
fn o01_a_team_member_has_own_hours_and_expenses_and_assigned_tasks() {
    let may = of("team-member");
    for key in ["hours.view", "hours.update", "expenses.view", "expenses.update"] {
        assert!(may.allows(key, Relation::Own, None) && !may.allows(key, Relation::Assigned, None), "{key}");
    }
    assert!(may.allows("tasks.view", Relation::Assigned, None));
    assert!(!may.allows("tasks.view", Relation::Other, None));
    assert!(may.allows("dashboard.personal", Relation::Other, None));
    assert_eq!(
        (may.level("projects.view", None), may.level("dashboard.company", None)),
        (Level::None, Level::None)
    );
}

#[test]
fn o02_team_member_plus_also_sees_the_projects_they_belong_to_and_edits_only_what_is_theirs() {
    let (plain, plus) = (of("team-member"), of("team-member-plus"));
    assert_eq!(
        (plain.level("projects.view", None), plus.level("projects.view", None)),
        (Level::None, Level::Assigned)
    );
    assert_eq!(plus.level("projects.update", None), Level::None);
    assert_eq!(plus.level("hours.update", None), Level::Own);
    for (key, _, _) in plain.iter() {
        assert!(plus.level(key, None) >= plain.level(key, None), "{key}");
    }
}

#[test]
fn o03_a_project_manager_has_full_rights_on_managed_projects_and_may_take_one_over() {
    let may = of("project-manager");
    for key in ["projects.update", "tasks.update", "hours.update", "expenses.update", "budgets.view"] {
        assert!(may.allows(key, Relation::Assigned, None), "{key}");
        assert!(!may.allows(key, Relation::Other, None), "{key} of a project of somebody else's");
    }
    assert!(may.allows("projects.take-over", Relation::Other, None));
    assert!(!of("team-member-plus").allows("projects.take-over", Relation::Assigned, None));
}

#[test]
fn o04_a_controller_has_all_data_and_users_and_not_most_settings() {
    let may = of("controller");
    for key in [
        "projects.archived",
        "timesheets.historic",
        "projects.update",
        "hours.update",
        "budgets.view",
        "users.update",
    ] {
        assert_eq!(may.level(key, None), Level::All, "{key}");
    }
    for key in ["settings.update", "connections.update", "kinds.update", "account.transfer"] {
        assert_eq!(may.level(key, None), Level::None, "{key}");
    }
    assert_eq!(may.level("settings.view", None), Level::All, "most, not all");
    assert!(may.permit_everywhere::<UsersUpdate>().is_some());
}

#[test]
fn o05_an_admin_has_all_of_the_organisation() {
    let (may, policy) = (of("admin"), preset("psohub"));
    for (_, key, _) in policy.catalogue.iter() {
        assert_eq!(may.everywhere(key), Level::All, "{key}");
    }
    assert!(may.is_administrator());
}

#[test]
fn o06_a_guest_sees_only_where_they_are_a_member_and_guests_can_be_turned_off() {
    let may = of("guest");
    let has: Vec<_> = may.iter().collect();
    assert_eq!(
        has,
        [
            ("projects.view", Level::Assigned, Level::Assigned),
            ("tasks.view", Level::Assigned, Level::Assigned)
        ]
    );
    let off = "permissions.preset = \"psohub\"\n[tenants.acme.permissions.bundles.guest]\noff = true\n";
    let guest = with_types([role("guest")]);
    assert_eq!(evaluate(&decided(off, "acme").catalogue, &guest).iter().count(), 0);
    assert_eq!(evaluate(&decided(off, "other").catalogue, &guest).iter().count(), 2);
}

/// The whole matrix: every level against every right. `-` nothing, `o` own, `r` restricted to what one belongs to, `x` all.
const MATRIX: &str = "
                       guest  team-member  team-member-plus  project-manager  controller  admin
account.transfer       -      -            -                 -                -           x
audit.view             -      -            -                 -                x           x
budgets.view           -      -            -                 r                x           x
connections.update     -      -            -                 -                -           x
contracts.update       -      -            -                 r                x           x
dashboard.company      -      -            -                 -                x           x
dashboard.personal     -      x            x                 x                x           x
expenses.update        -      o            o                 r                x           x
expenses.view          -      o            o                 r                x           x
groups.update          -      -            -                 -                x           x
groups.view            -      -            -                 -                x           x
holds.update           -      -            -                 -                x           x
hours.update           -      o            o                 r                x           x
hours.view             -      o            r                 r                x           x
invoices.update        -      -            -                 r                x           x
kinds.update           -      -            -                 -                -           x
kinds.view             -      -            -                 -                x           x
permissions.update     -      -            -                 -                x           x
permissions.view       -      -            -                 -                x           x
projects.archived      -      -            -                 -                x           x
projects.create        -      -            -                 x                x           x
projects.take-over     -      -            -                 x                x           x
projects.update        -      -            -                 r                x           x
projects.view          r      -            r                 r                x           x
proxies.update         -      -            -                 -                x           x
rates.update           -      -            -                 -                x           x
rates.view             -      -            -                 -                x           x
reports.view           -      -            -                 r                x           x
settings.update        -      -            -                 -                -           x
settings.view          -      -            -                 -                x           x
tasks.update           -      r            r                 r                x           x
tasks.view             r      r            r                 r                x           x
timesheets.historic    -      -            -                 -                x           x
users.create           -      -            -                 -                x           x
users.delete           -      -            -                 -                x           x
users.lock             -      -            -                 -                x           x
users.password         -      -            -                 -                x           x
users.update           -      o            o                 o                x           x
users.view             -      o            o                 x                x           x
";

#[test]
fn o07_the_security_matrix_is_every_level_against_every_right() {
    let mut lines = MATRIX.lines().filter(|line| !line.is_empty());
    let levels: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let catalogue = &preset("psohub").catalogue;
    let bundles: std::collections::BTreeSet<&str> = catalogue.bundles.keys().map(String::as_str).collect();
    assert_eq!(levels.iter().copied().collect::<std::collections::BTreeSet<_>>(), bundles);
    let people: Vec<Effective> = levels.iter().map(|level| of(level)).collect();
    let mut rights = Vec::new();
    for line in lines {
        let mut cells = line.split_whitespace();
        let right = cells.next().unwrap();
        rights.push(right);
        let told: Vec<&str> = people
            .iter()
            .map(|may| match may.level(right, None) {
                Level::None => "-",
                Level::Own => "o",
                Level::Assigned => "r",
                Level::All => "x",
            })
            .collect();
        assert_eq!(told, cells.collect::<Vec<_>>(), "{right}");
    }
    assert_eq!(
        rights,
        catalogue.iter().map(|(_, key, _)| key).collect::<Vec<_>>(),
        "every right is in the matrix"
    );
}
