//! One source at a time, and two against each other.

use serde_json::json;

use super::world::{catalogue, evaluate, exception, explained, firm, grant, group, held, id, limited};
use crate::psa::catalogue::{Bundle, Catalogue, Class, Level, Permission, PersonKind};
use crate::psa::permission::permits::{UsersLock, UsersUpdate};
use crate::psa::permission::{CostCenters, Effect, Facts, HeldType, Mark, Relation, not_oneself};

#[test]
fn p14_user_types_add_up() {
    let facts = Facts {
        user_types: vec![
            held(11, vec![grant("things.view", Level::Own, None)]),
            held(12, vec![grant("things.view", Level::Assigned, None)]),
            held(13, vec![grant("things.update", Level::Own, None)]),
        ],
        ..Facts::default()
    };
    let may = evaluate(&catalogue(), &facts);
    assert_eq!(may.level("things.view", None), Level::Assigned);
    assert_eq!(may.level("things.update", Some(id(4))), Level::Own);
    assert_eq!(may.level("firm.close", None), Level::None);
    assert_eq!(may.level("no.such", None), Level::None);
    assert!(may.allows("things.view", Relation::Assigned, None));
    assert!(!may.allows("things.view", Relation::Other, None));
}

#[test]
fn p15_p17_a_grant_at_a_cost_centre_holds_for_all_below_it_and_nowhere_else() {
    let local = HeldType {
        cost_center: Some(id(2)),
        ..held(11, vec![grant("things.view", Level::All, None), grant("firm.close", Level::All, None)])
    };
    let may = evaluate(&catalogue(), &Facts { user_types: vec![local], ..Facts::default() });
    let levels: Vec<Level> = (1..=6).map(|node| may.level("things.view", Some(id(node)))).collect();
    let (all, no) = (Level::All, Level::None);
    assert_eq!(levels, [no, all, no, all, all, no]);
    assert_eq!(may.level("things.view", None), Level::None, "what belongs to no cost centre");
    assert_eq!(may.level("things.view", Some(id(99))), Level::None, "a cost centre that is not there");
    assert_eq!(
        may.level("firm.close", None),
        Level::None,
        "what is for the whole firm is not had at one place"
    );
    let marks: Vec<Mark> = may.marks("things.view", Level::All).into_iter().map(|(_, mark)| mark).collect();
    assert_eq!(marks, [Mark::Some, Mark::All, Mark::All, Mark::All, Mark::None, Mark::None]);
    let order: Vec<_> = firm().iter().map(|(_, node)| node).collect();
    assert_eq!(order, [1, 2, 4, 5, 3, 6].map(id));
}

#[test]
fn p15_a_limited_user_type_gives_of_a_limited_grant_what_both_cover() {
    let at = |own: u8, grants: u8| {
        let limited = HeldType {
            cost_center: Some(id(own)),
            ..held(11, vec![grant("things.view", Level::All, Some(grants))])
        };
        let may = evaluate(&catalogue(), &Facts { user_types: vec![limited], ..Facts::default() });
        (1..=6_u8).filter(|node| may.level("things.view", Some(id(*node))) == Level::All).collect::<Vec<_>>()
    };
    assert_eq!(at(1, 2), [2, 4, 5]);
    assert_eq!(at(4, 2), [4]);
    assert_eq!(at(3, 2), [0; 0]);
    assert_eq!(at(1, 99), [0; 0]);
}

#[test]
fn p16_an_override_elevates_or_restricts_one_permission_of_one_person() {
    let given =
        held(11, vec![grant("things.view", Level::All, None), grant("things.update", Level::Own, None)]);
    let with = |overrides| {
        evaluate(&catalogue(), &Facts { user_types: vec![given.clone()], overrides, ..Facts::default() })
    };
    let may = with(vec![
        exception("things.update", Effect::Grant, Some(Level::Assigned), None),
        exception("things.view", Effect::Deny, None, Some(2)),
    ]);
    assert_eq!(may.level("things.update", None), Level::Assigned);
    assert_eq!(may.level("things.view", Some(id(3))), Level::All);
    assert_eq!(may.level("things.view", Some(id(5))), Level::None);
    // Denying a level leaves what is below it.
    let may = with(vec![exception("things.view", Effect::Deny, Some(Level::All), None)]);
    assert_eq!(may.level("things.view", None), Level::Assigned);
    // A grant below does not reopen what is denied above.
    let may = with(vec![
        exception("things.view", Effect::Deny, None, Some(2)),
        exception("things.view", Effect::Grant, Some(Level::All), Some(4)),
    ]);
    assert_eq!(may.level("things.view", Some(id(4))), Level::None);
    assert_eq!(
        may.marks("things.view", Level::Own).iter().filter(|(_, mark)| *mark == Mark::None).count(),
        3
    );
}

#[test]
fn a04_a05_groups_add_up_and_what_is_inherited_is_shown_with_its_group() {
    let facts = Facts {
        groups: vec![
            group(21, vec![grant("things.view", Level::Assigned, None)]),
            group(22, vec![grant("things.view", Level::All, None), grant("things.update", Level::Own, None)]),
        ],
        overrides: vec![exception("things.update", Effect::Grant, Some(Level::All), None)],
        ..Facts::default()
    };
    let may = evaluate(&catalogue(), &facts);
    assert_eq!(may.level("things.view", None), Level::All);
    explained(&catalogue(), &facts, "things.view", |why| {
        let groups: Vec<_> = why.sources.iter().map(|source| (source.inherited, source.level)).collect();
        assert_eq!(groups, [(true, Level::Assigned), (true, Level::All)]);
        assert_eq!(why.inherited, Level::All);
    });
    explained(&catalogue(), &facts, "things.update", |why| {
        assert_eq!((why.level, why.inherited), (Level::All, Level::Own));
        assert_eq!(
            serde_json::to_value(&why.sources).unwrap(),
            json!([
                {"source": {"type": "group", "value": id(22), "display": "group 22"},
                 "effect": "gives", "level": "own", "inherited": true},
                {"source": {"type": "override"}, "effect": "gives", "level": "all", "inherited": false},
            ])
        );
    });
}

#[test]
fn a01_a_licence_class_bounds_what_the_rest_adds() {
    let mut catalogue = catalogue();
    let class = |caps: &[(&str, Level)]| Class {
        grants: [("things.view", Level::Own)].into_iter().collect(),
        caps: caps.iter().copied().collect(),
        ..Class::default()
    };
    catalogue
        .classes
        .insert("contractor".to_owned(), class(&[("things.*", Level::Assigned), ("*", Level::None)]));
    catalogue.classes.insert("professional".to_owned(), class(&[]));
    let facts = |class: &str| Facts {
        class: Some(class.to_owned()),
        groups: vec![group(
            21,
            vec![grant("things.view", Level::All, None), grant("users.update", Level::All, None)],
        )],
        overrides: vec![exception("firm.close", Effect::Grant, None, None)],
        ..Facts::default()
    };
    let may = evaluate(&catalogue, &facts("contractor"));
    assert_eq!(may.level("things.view", Some(id(4))), Level::Assigned);
    assert_eq!((may.level("users.update", None), may.level("firm.close", None)), (Level::None, Level::None));
    let may = evaluate(&catalogue, &facts("professional"));
    assert_eq!((may.level("things.view", None), may.level("firm.close", None)), (Level::All, Level::All));
    explained(&catalogue, &facts("contractor"), "things.view", |why| {
        let last = why.sources.last().unwrap();
        assert_eq!((last.effect, last.level), ("leaves", Level::Assigned));
        assert_eq!(
            serde_json::to_value(last.source).unwrap(),
            json!({"type": "licenseClass", "name": "contractor"})
        );
        // What the class gives, what the group gives, and the bound.
        assert_eq!(why.sources.len(), 3);
    });
    // A class that is not part of the plan gives nothing, whatever else is given.
    catalogue.classes.get_mut("professional").unwrap().off = true;
    let may = evaluate(&catalogue, &facts("professional"));
    assert_eq!((may.level("things.view", None), may.level("firm.close", None)), (Level::None, Level::None));
    // A class of which nothing is known bounds like none at all; and none at all can be bounded too.
    catalogue.classes.insert("none".to_owned(), class(&[("*", Level::None)]));
    assert_eq!(evaluate(&catalogue, &facts("no such")).level("things.view", None), Level::None);
    assert_eq!(
        evaluate(&catalogue, &Facts { class: None, ..facts("") }).level("things.view", None),
        Level::None
    );
}

#[test]
fn a02_what_a_class_opens_nobody_else_gets() {
    let opened = Permission { classes: vec!["administrator".to_owned()], ..limited() };
    let mut catalogue = Catalogue::new([("exports.make", opened)]);
    for class in ["administrator", "professional"] {
        catalogue.classes.insert(class.to_owned(), Class::default());
    }
    let ask = |class: Option<&str>| {
        let facts = Facts {
            class: class.map(str::to_owned),
            overrides: vec![exception("exports.make", Effect::Grant, None, None)],
            ..Facts::default()
        };
        evaluate(&catalogue, &facts).level("exports.make", None)
    };
    assert_eq!(ask(Some("administrator")), Level::All);
    assert_eq!((ask(Some("professional")), ask(None)), (Level::None, Level::None));
}

#[test]
fn a03_who_does_not_see_money_has_no_permission_about_it_and_the_reason_is_shown() {
    let facts = Facts {
        administrator: true,
        hours_only: true,
        overrides: vec![exception("rates.view", Effect::Grant, Some(Level::Own), None)],
        ..Facts::default()
    };
    let may = evaluate(&catalogue(), &facts);
    assert_eq!((may.level("rates.view", None), may.level("things.view", None)), (Level::None, Level::All));
    explained(&catalogue(), &facts, "rates.view", |why| {
        let source = serde_json::to_value(why.sources.last().unwrap().source).unwrap();
        assert_eq!(source, json!({"type": "financialVisibility"}));
    });
}

#[test]
fn p12_a_kind_of_person_bounds_everything_an_administrator_too() {
    let mut catalogue = catalogue();
    catalogue
        .kinds
        .insert(PersonKind::Client, [("*", Level::None), ("things.view", Level::Own)].into_iter().collect());
    let facts = Facts {
        kind: PersonKind::Client,
        administrator: true,
        user_types: vec![held(11, vec![grant("things.view", Level::All, None)])],
        ..Facts::default()
    };
    let may = evaluate(&catalogue, &facts);
    assert_eq!((may.level("things.view", None), may.level("users.update", None)), (Level::Own, Level::None));
    assert!(!may.is_administrator());
}

#[test]
fn p20_who_may_change_people_is_asked_for_the_right_and_nobody_else_gets_it() {
    let may = |level, at| {
        let facts =
            Facts { user_types: vec![held(11, vec![grant("users.update", level, at)])], ..Facts::default() };
        evaluate(&catalogue(), &facts)
    };
    assert!(may(Level::All, None).permit_everywhere::<UsersUpdate>().is_some());
    assert!(may(Level::All, None).is_administrator());
    let limited = may(Level::All, Some(2));
    assert!(limited.permit_everywhere::<UsersUpdate>().is_none());
    assert!(!limited.is_administrator());
    assert!(limited.permit::<UsersUpdate>(Level::All, Some(id(4))).is_some());
    assert!(limited.permit::<UsersUpdate>(Level::All, Some(id(3))).is_none());
    let own = may(Level::Own, None);
    assert!(own.permit::<UsersUpdate>(Level::All, None).is_none());
    assert_eq!(own.permit::<UsersUpdate>(Level::Own, None).unwrap().level(), Level::Own);
    // Not even at the level none: who has nothing gets no right.
    assert!(own.permit::<UsersLock>(Level::None, None).is_none());
}

#[test]
fn whoever_was_made_an_administrator_stays_one_whatever_the_licence_and_the_exceptions_say() {
    let mut catalogue = catalogue();
    catalogue.classes.insert(
        "none".to_owned(),
        Class { caps: [("*", Level::None)].into_iter().collect(), ..Class::default() },
    );
    let facts = Facts {
        administrator: true,
        overrides: vec![exception("users.update", Effect::Deny, None, Some(2))],
        ..Facts::default()
    };
    assert!(evaluate(&catalogue, &facts).is_administrator());
    // By a user type both hold, and one cost centre is enough to be no administrator.
    let facts = Facts {
        administrator: false,
        user_types: vec![held(11, vec![grant("users.update", Level::All, None)])],
        ..facts
    };
    assert!(!evaluate(&catalogue, &facts).is_administrator());
}

#[test]
fn h03_o06_a_user_type_takes_over_the_bundles_of_its_role_and_access_level() {
    let mut catalogue = catalogue();
    let bundle = |key: &str, off| Bundle {
        grants: [(key, Level::All)].into_iter().collect(),
        off,
        ..Bundle::default()
    };
    catalogue.bundles.insert("lead".to_owned(), bundle("things.*", false));
    catalogue.bundles.insert("guest".to_owned(), bundle("firm.close", true));
    let facts = Facts {
        user_types: vec![HeldType {
            role: Some("lead".to_owned()),
            access_level: Some("guest".to_owned()),
            ..held(11, vec![])
        }],
        ..Facts::default()
    };
    let may = evaluate(&catalogue, &facts);
    assert_eq!((may.level("things.view", None), may.level("firm.close", None)), (Level::All, Level::None));
    catalogue.bundles.get_mut("guest").unwrap().off = false;
    assert_eq!(evaluate(&catalogue, &facts).level("firm.close", None), Level::All);
}

#[test]
fn t11_t12_nobody_changes_their_own_role_or_lock() {
    assert!(not_oneself(Some(id(1)), id(1)).is_err());
    assert!(not_oneself(Some(id(1)), id(2)).is_ok());
    assert!(not_oneself(None, id(1)).is_ok(), "a credential that is bound to no person");
}

#[test]
fn p17_a_circle_of_cost_centres_hangs_nothing() {
    let circle = [(1, Some(3)), (2, Some(1)), (3, Some(2)), (4, Some(4)), (5, Some(1)), (6, Some(99))];
    let tree = CostCenters::new(circle.map(|(node, parent)| (id(node), parent.map(id))));
    assert_eq!(tree.len(), 6);
    let below = |node| {
        let range = tree.range(tree.find(id(node)).unwrap());
        tree.iter().filter(|(number, _)| range.contains(&number.0)).map(|(_, id)| id).collect::<Vec<_>>()
    };
    assert_eq!(below(1), [1, 2, 3, 5].map(id), "cut before the smallest");
    assert_eq!(below(2), [2, 3].map(id));
    assert_eq!((below(4), below(6)), (vec![id(4)], vec![id(6)]));
}

#[test]
fn p17_a_deep_tree_takes_no_stack() {
    let deep = |number: u32| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        crate::ids::ResourceId::from_bytes(bytes)
    };
    let tree = CostCenters::new((0..100_000).map(|n: u32| (deep(n), n.checked_sub(1).map(deep))));
    assert_eq!(tree.range(tree.find(deep(0)).unwrap()), 0..100_000);
}
