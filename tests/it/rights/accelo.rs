//! Accelo.

use rosterd::psa::catalogue::{GrantError, Level};
use rosterd::psa::permission::{Effect, Facts, Relation, Source, explain};

use super::{decided, evaluate, exception, firm, grant, group, preset};

/// Somebody with a licence, in a group that gives everything there is.
fn given_everything(class: &str) -> Facts {
    let catalogue = &preset("accelo").catalogue;
    let everything = catalogue.iter().map(|(_, key, _)| grant(key, Level::All)).collect();
    Facts {
        class: Some(class.to_owned()),
        groups: vec![group(9, "Everything", everything)],
        ..Facts::default()
    }
}

const PREMIUM: &str = "permissions.preset = \"accelo\"\npermissions.classes.contractor.off = false\n";

#[test]
fn a01_the_licence_bounds_what_the_rest_may_add() {
    let premium = decided(PREMIUM, "acme");
    let most = |class: &str, key: &str| evaluate(&premium.catalogue, &given_everything(class)).anywhere(key);
    for (key, administrator, professional, contractor) in [
        ("clients.update", Level::All, Level::All, Level::None),
        ("tasks.update", Level::All, Level::All, Level::Assigned),
        ("time.update", Level::All, Level::All, Level::Own),
        ("users.update", Level::All, Level::Own, Level::Own),
        ("permissions.update", Level::All, Level::None, Level::None),
        ("kinds.update", Level::All, Level::None, Level::None),
    ] {
        assert_eq!(most("administrator", key), administrator, "{key}");
        assert_eq!(most("professional", key), professional, "{key}");
        assert_eq!(most("contractor", key), contractor, "{key}");
    }
    // Contractors are on Premium plans only; and whoever has no licence does nothing.
    let plain = preset("accelo");
    assert_eq!(evaluate(&plain.catalogue, &given_everything("contractor")).iter().count(), 0);
    let unlicensed = Facts { class: None, ..given_everything("") };
    let has: Vec<_> =
        evaluate(&plain.catalogue, &unlicensed).iter().map(|(key, _, most)| (key.to_owned(), most)).collect();
    assert_eq!(has, [("users.update".to_owned(), Level::Own), ("users.view".to_owned(), Level::Own)]);
}

#[test]
fn a02_staff_cost_rates_profitability_and_exports_open_with_the_administrator_licence_only() {
    let premium = decided(PREMIUM, "acme");
    for key in ["rates.view", "rates.update", "profitability.view", "exports.make", "settings.update"] {
        for (class, level) in [
            ("administrator", Level::All),
            ("professional", Level::None),
            ("contractor", Level::None),
            ("contributor", Level::None),
        ] {
            let may = evaluate(&premium.catalogue, &given_everything(class));
            assert_eq!(may.anywhere(key), level, "{class}: {key}");
        }
    }
}

#[test]
fn a03_view_hours_only_closes_what_needs_money() {
    let policy = preset("accelo");
    let facts = Facts { hours_only: true, ..given_everything("administrator") };
    let may = evaluate(&policy.catalogue, &facts);
    for (_, key, about) in policy.catalogue.iter() {
        assert_eq!(may.anywhere(key), if about.money { Level::None } else { Level::All }, "{key}");
    }
    for key in ["rates.view", "projects.budget", "quotes.send", "invoices.update", "profitability.view"] {
        assert!(policy.catalogue.get(policy.catalogue.find(key).unwrap()).unwrap().money, "{key}");
    }
    // The reason is told.
    let tree = firm();
    let why = explain(&policy.catalogue, &tree, &facts);
    let quotes = why.iter().find(|why| why.permission == "quotes.send").unwrap();
    assert!(quotes.sources.iter().any(|source| source.source == Source::FinancialVisibility));
}

#[test]
fn a04_permissions_accumulate_over_every_group() {
    let policy = preset("accelo");
    let facts = Facts {
        class: Some("professional".to_owned()),
        groups: vec![
            group(1, "Sales", vec![grant("sales.view", Level::All)]),
            group(2, "Projects", vec![grant("projects.view", Level::Assigned)]),
            group(3, "All projects", vec![grant("projects.view", Level::All)]),
        ],
        ..Facts::default()
    };
    let may = evaluate(&policy.catalogue, &facts);
    assert_eq!((may.level("sales.view", None), may.level("projects.view", None)), (Level::All, Level::All));
    assert_eq!(may.level("time.update", None), Level::Own, "by the licence");
}

#[test]
fn a05_what_is_inherited_cannot_be_unticked_and_is_shown_with_its_group() {
    let policy = preset("accelo");
    let facts = |overrides| Facts {
        class: Some("professional".to_owned()),
        groups: vec![group(1, "Sales", vec![grant("sales.view", Level::All)])],
        overrides,
        ..Facts::default()
    };
    let ticked = facts(vec![
        exception("sales.view", Effect::Grant, None),
        exception("quotes.send", Effect::Grant, None),
    ]);
    let tree = firm();
    let why = explain(&policy.catalogue, &tree, &ticked);
    let find = |key: &str| why.iter().find(|why| why.permission == key).unwrap();
    // Both are had; of one, nothing is left without the person's own tick.
    assert_eq!((find("sales.view").level, find("sales.view").inherited), (Level::All, Level::All));
    assert_eq!((find("quotes.send").level, find("quotes.send").inherited), (Level::All, Level::None));
    let shown: Vec<_> = find("sales.view").sources.iter().map(|from| (from.source, from.inherited)).collect();
    assert!(
        matches!(shown[..], [(Source::Group { display: "Sales", .. }, true), (Source::Override, false)]),
        "{shown:?}"
    );
    // Unticking takes the own one only, and a denial is refused.
    assert_eq!(evaluate(&policy.catalogue, &facts(vec![])).level("sales.view", None), Level::All);
    assert_eq!(policy.catalogue.check_override("sales.view", false, true), Err(GrantError::DenyOff));
}

#[test]
fn a06_what_was_assigned_is_reached_with_its_parents_and_nothing_else_is() {
    let may = evaluate(
        &decided(PREMIUM, "acme").catalogue,
        &Facts { class: Some("contractor".to_owned()), ..Facts::default() },
    );
    // The task that was assigned, and the project above it: to both the contractor stands in the relation "assigned".
    for key in ["tasks.view", "tasks.update", "projects.view"] {
        assert!(may.allows(key, Relation::Assigned, None), "{key}");
        assert!(!may.allows(key, Relation::Other, None), "{key}");
    }
    assert!(!may.allows("projects.update", Relation::Assigned, None));
}

#[test]
fn a07_contributors_see_what_was_shared_and_get_no_more_by_any_group() {
    let policy = preset("accelo");
    let contributor = Facts { class: Some("contributor".to_owned()), ..Facts::default() };
    let has = |facts: &Facts| {
        let may = evaluate(&policy.catalogue, facts);
        may.iter().map(|(key, _, most)| (key.to_owned(), most)).collect::<Vec<_>>()
    };
    assert_eq!(
        has(&contributor),
        [("projects.view".to_owned(), Level::Assigned), ("tasks.view".to_owned(), Level::Assigned)]
    );
    let most = has(&given_everything("contributor"));
    assert_eq!(
        most.iter().map(|(key, level)| (key.as_str(), *level)).collect::<Vec<_>>(),
        [
            ("projects.view", Level::Assigned),
            ("tasks.update", Level::Assigned),
            ("tasks.view", Level::Assigned),
            ("tickets.view", Level::Assigned),
            ("users.update", Level::Own),
            ("users.view", Level::Own),
        ]
    );
}
