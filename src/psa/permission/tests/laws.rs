//! What holds for every person and every tree: evaluation does what a plain reading of the rules says, more sources never give less.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::world::{exception, grant, group, held, id};
use crate::ids::ResourceId;
use crate::psa::catalogue::{Catalogue, Class, Level, Levels, Permission, PersonKind, Reach};
use crate::psa::permission::{CostCenters, Effect, Effective, Facts, HeldType, Mark, explain};

/// Most cost centres of a tree here.
const NODES: u8 = 9;
const KEYS: [&str; 4] = ["a.global", "a.limited", "b.money", "b.opened"];

fn catalogue() -> Catalogue {
    let permission = |reach, money, classes: &[&str]| Permission {
        reach,
        description: String::new(),
        money,
        privileged: None,
        classes: classes.iter().map(|&class| class.to_owned()).collect(),
    };
    let mut catalogue = Catalogue::new([
        (KEYS[0], permission(Reach::Global, false, &[])),
        (KEYS[1], permission(Reach::CostCentre, false, &[])),
        (KEYS[2], permission(Reach::CostCentre, true, &[])),
        (KEYS[3], permission(Reach::CostCentre, false, &["wide"])),
    ]);
    let levels = |levels: &[(&str, Level)]| levels.iter().copied().collect::<Levels>();
    let class = |grants, caps| Class { grants: levels(grants), caps: levels(caps), ..Class::default() };
    catalogue.classes.insert("wide".to_owned(), class(&[("a.*", Level::Own)], &[]));
    catalogue
        .classes
        .insert("narrow".to_owned(), class(&[], &[("a.limited", Level::Assigned), ("b.*", Level::Own)]));
    catalogue.kinds.insert(PersonKind::Client, levels(&[("*", Level::Assigned)]));
    catalogue
}

type Parents = Vec<Option<u8>>;

fn tree_of(parents: &Parents) -> Arc<CostCenters> {
    let node = |at: usize| id(u8::try_from(at).unwrap());
    Arc::new(CostCenters::new(parents.iter().enumerate().map(|(at, parent)| (node(at), parent.map(id)))))
}

/// Any forest: each node hangs below one before it, or below none.
fn parents() -> impl Strategy<Value = Parents> {
    let choice = prop::collection::vec(prop::option::of(any::<u8>()), 0..usize::from(NODES));
    choice.prop_map(|choices| {
        let hang = |(at, choice): (usize, Option<u8>)| {
            let before = u8::try_from(at).unwrap();
            choice.filter(|_| before > 0).map(|choice| choice % before)
        };
        choices.into_iter().enumerate().map(hang).collect()
    })
}

fn level() -> impl Strategy<Value = Level> {
    prop::sample::select(Level::EACH.to_vec())
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(KEYS.to_vec())
}

fn place() -> impl Strategy<Value = Option<u8>> {
    prop::option::of(0..NODES + 1)
}

fn held_type() -> impl Strategy<Value = HeldType> {
    let grants = prop::collection::vec((key(), level(), place()), 0..4);
    (0..9_u8, place(), grants).prop_map(|(number, within, grants)| HeldType {
        cost_center: within.map(id),
        ..held(number, grants.into_iter().map(|(key, level, at)| grant(key, level, at)).collect())
    })
}

prop_compose! {
    fn facts()(
        kind in prop::sample::select(vec![PersonKind::Employee, PersonKind::Client]),
        class in prop::option::of(prop::sample::select(vec!["wide", "narrow", "unknown"])),
        hours_only in any::<bool>(),
        administrator in prop::bool::weighted(0.1),
        user_types in prop::collection::vec(held_type(), 0..4),
        groups in prop::collection::vec((key(), level(), place()), 0..3),
        overrides in prop::collection::vec((key(), any::<bool>(), prop::option::of(level()), place()), 0..4),
    ) -> Facts {
        let effect = |grants| if grants { Effect::Grant } else { Effect::Deny };
        Facts {
            kind,
            class: class.map(str::to_owned),
            administrator,
            hours_only,
            user_types,
            groups: groups.into_iter().map(|(key, level, at)| group(1, vec![grant(key, level, at)])).collect(),
            overrides: overrides.into_iter().map(|(key, grants, level, at)| exception(key, effect(grants), level, at)).collect(),
        }
    }
}

/// The rules as one would tell them, asked of one permission at one place, by walking up.
fn plainly(catalogue: &Catalogue, parents: &Parents, facts: &Facts, key: &str, node: Option<u8>) -> Level {
    let about = catalogue.get(catalogue.find(key).unwrap()).unwrap();
    let is_global = about.reach == Reach::Global;
    let number: HashMap<ResourceId, u8> =
        (0..u8::try_from(parents.len()).unwrap()).map(|at| (id(at), at)).collect();
    let lies_in = |outer: u8| {
        let mut at = node;
        while let Some(here) = at {
            if here == outer {
                return true;
            }
            at = parents[usize::from(here)];
        }
        false
    };
    let covers = |place: Option<ResourceId>| match place {
        None => true,
        Some(place) => number.get(&place).is_some_and(|place| lies_in(*place)),
    };
    let class = facts.class.as_deref().filter(|class| catalogue.classes.contains_key(*class));
    let rules = class.map(|class| &catalogue.classes[class]);
    let mut level = Level::None;
    let mut give = |given: Level, places: &[Option<ResourceId>]| {
        if (is_global && places.iter().all(Option::is_none))
            || (!is_global && places.iter().all(|place| covers(*place)))
        {
            level = level.max(given);
        }
    };
    give(rules.and_then(|rules| rules.grants.of(key)).unwrap_or_default(), &[]);
    if facts.administrator {
        give(Level::All, &[]);
    }
    for held in &facts.user_types {
        for grant in held.grants.iter().filter(|grant| grant.permission == key) {
            give(grant.level, &[held.cost_center, grant.cost_center]);
        }
    }
    for grant in facts.groups.iter().flat_map(|group| &group.grants).filter(|grant| grant.permission == key) {
        give(grant.level, &[grant.cost_center]);
    }
    let exceptions = || facts.overrides.iter().filter(|exception| exception.permission == key);
    for exception in exceptions().filter(|exception| exception.effect == Effect::Grant) {
        give(exception.level.unwrap_or(Level::All), &[exception.cost_center]);
    }
    for exception in exceptions().filter(|exception| exception.effect == Effect::Deny && !facts.administrator)
    {
        let there = exception.cost_center.is_none_or(|place| number.contains_key(&place));
        if covers(exception.cost_center) || (is_global && there) {
            level = level.min(exception.level.unwrap_or(Level::Own).below());
        }
    }
    if let Some(most) = catalogue.kinds.get(&facts.kind).and_then(|most| most.of(key)) {
        level = level.min(most);
    }
    if about.money && facts.hours_only {
        level = Level::None;
    }
    if !facts.administrator {
        level = level.min(rules.and_then(|rules| rules.caps.of(key)).unwrap_or(Level::All));
        if !about.classes.is_empty() && !about.classes.iter().any(|open| Some(open.as_str()) == class) {
            level = Level::None;
        }
    }
    level
}

fn places(parents: &Parents) -> impl Iterator<Item = Option<u8>> + use<> {
    std::iter::once(None).chain((0..u8::try_from(parents.len()).unwrap()).map(Some))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn p17_evaluation_says_what_the_rules_say(parents in parents(), facts in facts()) {
        let catalogue = catalogue();
        let may = Effective::of(&Arc::new(catalogue.clone()), &tree_of(&parents), &facts);
        for key in KEYS {
            for node in places(&parents) {
                let told = plainly(&catalogue, &parents, &facts, key, node);
                prop_assert_eq!(may.level(key, node.map(id)), told, "{} at {:?}", key, node);
            }
            let all = || places(&parents).map(|node| plainly(&catalogue, &parents, &facts, key, node));
            prop_assert_eq!(may.everywhere(key), all().min().unwrap());
            prop_assert_eq!(may.anywhere(key), all().max().unwrap());
        }
    }

    #[test]
    fn p17_marks_say_what_holds_here_and_below(parents in parents(), facts in facts(), wanted in level()) {
        let catalogue = catalogue();
        let may = Effective::of(&Arc::new(catalogue.clone()), &tree_of(&parents), &facts);
        for key in KEYS {
            let marks: HashMap<ResourceId, Mark> = may.marks(key, wanted).into_iter().collect();
            prop_assert_eq!(marks.len(), parents.len());
            for top in 0..u8::try_from(parents.len()).unwrap() {
                let below = places(&parents).flatten().filter(|node| {
                    std::iter::successors(Some(*node), |at| parents[usize::from(*at)]).any(|at| at == top)
                });
                let has: Vec<bool> = below
                    .map(|node| plainly(&catalogue, &parents, &facts, key, Some(node)) >= wanted)
                    .collect();
                let mark = match (has.iter().all(|has| *has), has.iter().any(|has| *has)) {
                    (true, _) => Mark::All,
                    (false, true) => Mark::Some,
                    (false, false) => Mark::None,
                };
                prop_assert_eq!(marks[&id(top)], mark, "{} at {}", key, top);
            }
        }
    }

    #[test]
    fn a04_p14_more_sources_never_give_less_and_a_deny_never_gives_more(
        parents in parents(), facts in facts(), more in held_type(), (key, level, at) in (key(), level(), place()),
    ) {
        let (catalogue, tree) = (Arc::new(catalogue()), tree_of(&parents));
        let before = Effective::of(&catalogue, &tree, &facts);
        let with = |change: &dyn Fn(&mut Facts)| {
            let mut facts = facts.clone();
            change(&mut facts);
            Effective::of(&catalogue, &tree, &facts)
        };
        let grown = [
            with(&|facts| facts.user_types.push(more.clone())),
            with(&|facts| facts.groups.push(group(2, vec![grant(key, level, at)]))),
            with(&|facts| facts.overrides.push(exception(key, Effect::Grant, Some(level), at))),
            with(&|facts| facts.administrator = true),
        ];
        let shrunk = [
            with(&|facts| facts.overrides.push(exception(key, Effect::Deny, Some(level), at))),
            with(&|facts| facts.hours_only = true),
        ];
        for key in KEYS {
            for node in places(&parents) {
                let was = before.level(key, node.map(id));
                for after in &grown {
                    prop_assert!(after.level(key, node.map(id)) >= was);
                }
                for after in &shrunk {
                    prop_assert!(after.level(key, node.map(id)) <= was);
                }
            }
        }
    }

    #[test]
    fn a05_the_explanation_comes_to_what_the_evaluation_says(parents in parents(), facts in facts()) {
        let (catalogue, tree) = (Arc::new(catalogue()), tree_of(&parents));
        let may = Effective::of(&catalogue, &tree, &facts);
        let explained = explain(&catalogue, &tree, &facts);
        for key in KEYS {
            let Some(why) = explained.iter().find(|why| why.permission == key) else {
                prop_assert_eq!(may.anywhere(key), Level::None);
                continue;
            };
            let mut levels: HashMap<ResourceId, Level> = HashMap::new();
            for (node, place) in tree.iter() {
                let above = tree.parent(node).and_then(|up| tree.iter().nth(up.0)).map(|(_, id)| levels[&id]);
                let said = why.cost_centers.iter().find(|at| at.value == place).map(|at| at.level);
                levels.insert(place, said.or(above).unwrap_or(why.level));
                // The sources alone say it too.
                let covers = |at: Option<ResourceId>| at.is_none_or(|at| {
                    tree.range(tree.find(at).unwrap()).contains(&node.0)
                });
                let of = |effect| why.sources.iter().filter(move |s| s.effect == effect && covers(s.cost_center));
                let given = of("gives").map(|source| source.level).max().unwrap_or_default();
                let left = of("leaves").map(|source| source.level).min().unwrap_or(Level::All);
                prop_assert_eq!(given.min(left), may.level(key, Some(place)), "{} by its sources", key);
                prop_assert_eq!(levels[&place], may.level(key, Some(place)), "{} at {}", key, place);
            }
            prop_assert_eq!(why.level, may.level(key, None));
        }
    }

    #[test]
    fn p17_any_graph_of_parents_makes_a_tree(graph in prop::collection::vec(prop::option::of(0..NODES), 0..usize::from(NODES))) {
        let tree = tree_of(&graph);
        prop_assert_eq!(tree.len(), graph.len());
        for (node, _) in tree.iter() {
            let range = tree.range(node);
            prop_assert!(range.start == node.0 && range.end <= tree.len());
            if let Some(parent) = tree.parent(node) {
                prop_assert!(tree.range(parent).contains(&node.0) && parent.0 < node.0);
                prop_assert!(range.end <= tree.range(parent).end);
            }
        }
    }
}
