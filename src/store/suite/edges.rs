//! Membership.

use super::fixture::*;
use crate::ids::{Address, ResourceId};
use crate::store::{Given, Quarter, Seq, Store, Touched, TouchedRow};

fn members(store: &dyn Store, group: u32) -> Vec<Address> {
    see(store).members(T, id(group), None, 100).unwrap()
}

fn groups(store: &dyn Store, member: Address) -> Vec<ResourceId> {
    see(store).groups_of(T, member, None, 100).unwrap()
}

fn touched(store: &dyn Store, group: u32) -> Option<Touched> {
    see(store).touched(T, id(group)).unwrap()
}

/// People 1 to 3, groups 11 and 12.
fn people_and_teams(store: &dyn Store) {
    let people = (1..=3).fold(unit(), |unit, number| unit.put(&person(number, &format!("p{number}"))));
    ok(store, people.put(&team(11)).put(&team(12)));
}

pub fn an_edge_is_seen_from_both_ends(store: &dyn Store) {
    people_and_teams(store);
    ok(store, unit().add(11, user(1)).add(11, user(2)).add(12, user(1)));
    assert_eq!(members(store, 11), [user(1), user(2)]);
    assert_eq!(groups(store, user(1)), [id(11), id(12)]);
    assert_eq!(groups(store, user(3)), []);
    assert!(see(store).is_member(T, id(12), user(1)).unwrap());
    assert!(!see(store).is_member(T, id(12), user(2)).unwrap());
    ok(store, unit().remove(11, user(1)));
    assert_eq!(members(store, 11), [user(2)]);
    assert_eq!(groups(store, user(1)), [id(12)]);
}

pub fn adding_a_member_twice_touches_nothing(store: &dyn Store) {
    people_and_teams(store);
    ok(store, unit().add(11, user(1)));
    let before = touched(store, 11);
    ok(store, unit().add(11, user(1)).at(second(5000)));
    assert_eq!(touched(store, 11), before);
    assert_eq!(members(store, 11), [user(1)]);
}

pub fn removing_who_is_no_member_touches_nothing(store: &dyn Store) {
    people_and_teams(store);
    ok(store, unit().remove(11, user(1)).remove(11, user(99)).remove(99, user(1)));
    assert_eq!([touched(store, 11), touched(store, 99)], [None, None]);
}

pub fn the_touched_row_knows_number_and_count(store: &dyn Store) {
    people_and_teams(store);
    let seq = ok(store, unit().add(11, user(1)).add(11, user(2)).at(second(5000)));
    assert_eq!(touched(store, 11), Some(Touched { seq, at: second(5000), count: 2 }));
    let seq = ok(store, unit().remove(11, user(1)).add(11, user(3)).remove(11, user(2)).at(second(6000)));
    assert_eq!(touched(store, 11), Some(Touched { seq, at: second(6000), count: 1 }));
    assert_eq!(touched(store, 12), None);
}

pub fn r17_a_membership_change_changes_no_records_version(store: &dyn Store) {
    people_and_teams(store);
    let versions = || [version(store, user(1)), version(store, team(11).at)];
    let before = versions();
    ok(store, unit().add(11, user(1)));
    ok(store, unit().remove(11, user(1)));
    assert_eq!(versions(), before);
}

pub fn deleting_a_member_touches_its_groups(store: &dyn Store) {
    people_and_teams(store);
    ok(store, unit().add(11, user(1)).add(11, user(2)).add(12, user(1)));
    let seq = ok(store, unit().delete(user(1)).at(second(7000)));
    assert_eq!(members(store, 11), [user(2)]);
    assert_eq!(members(store, 12), []);
    assert_eq!(groups(store, user(1)), []);
    assert_eq!(touched(store, 11), Some(Touched { seq, at: second(7000), count: 1 }));
    assert_eq!(touched(store, 12), Some(Touched { seq, at: second(7000), count: 0 }));
}

pub fn deleting_a_group_frees_its_members(store: &dyn Store) {
    people_and_teams(store);
    ok(store, unit().add(11, user(1)).add(12, user(1)).add(11, user(2)));
    ok(store, unit().delete(team(11).at));
    assert_eq!(groups(store, user(1)), [id(12)]);
    assert_eq!(groups(store, user(2)), []);
    assert_eq!(members(store, 11), []);
    assert_eq!(touched(store, 11), None);
    assert!(read(store, user(1)).is_some(), "the people stay");
}

pub fn groups_may_hold_groups(store: &dyn Store) {
    people_and_teams(store);
    ok(store, unit().add(11, team(12).at).add(11, user(2)).add(12, user(1)));
    assert_eq!(members(store, 11), [user(2), team(12).at]);
    assert_eq!(groups(store, team(12).at), [id(11)]);
    let seq = ok(store, unit().delete(team(12).at));
    assert_eq!(members(store, 11), [user(2)]);
    assert_eq!(touched(store, 11).unwrap().seq, seq);
    assert_eq!(groups(store, user(1)), []);
}

pub fn a_group_within_itself_can_be_deleted(store: &dyn Store) {
    people_and_teams(store);
    ok(store, unit().add(11, team(11).at).add(12, team(11).at).add(11, team(12).at));
    ok(store, unit().delete(team(11).at));
    assert_eq!(members(store, 12), []);
    assert_eq!(groups(store, team(11).at), []);
    assert_eq!(touched(store, 11), None);
    assert_eq!(touched(store, 12).unwrap().count, 0);
}

pub fn an_edge_needs_its_member(store: &dyn Store) {
    people_and_teams(store);
    let unit = unit().add(11, user(1)).add(11, user(99));
    assert_eq!(lost(store, unit), Given::Exists(user(99)));
    assert_eq!(members(store, 11), []);
}

pub fn an_edge_needs_its_group(store: &dyn Store) {
    people_and_teams(store);
    assert_eq!(lost(store, unit().add(99, user(1))), Given::Exists(team(99).at));
    ok(store, put(&team(99)).add(99, user(1)));
    assert_eq!(lost(store, unit().delete(team(99).at).add(99, user(1))), Given::Exists(team(99).at));
}

pub fn a_user_of_the_groups_id_is_not_the_group(store: &dyn Store) {
    people_and_teams(store);
    ok(store, put(&person(11, "eleven")).add(11, user(1)));
    ok(store, unit().delete(user(11)));
    assert_eq!(members(store, 11), [user(1)]);
    assert_eq!(touched(store, 11).unwrap().count, 1);
}

pub fn members_page_in_order_of_kind_and_id(store: &dyn Store) {
    people_and_teams(store);
    ok(
        store,
        unit().add(11, team(12).at).add(11, user(3)).add(11, user(1)).add(11, team(11).at).add(11, user(2)),
    );
    let whole = [user(1), user(2), user(3), team(11).at, team(12).at];
    assert_eq!(members(store, 11), whole);
    let page = |after, limit| see(store).members(T, id(11), after, limit).unwrap();
    assert_eq!(page(None, 2), whole[..2]);
    assert_eq!(page(Some(whole[1]), 2), whole[2..4]);
    assert_eq!(page(Some(whole[3]), 2), whole[4..]);
    assert_eq!(page(Some(whole[4]), 2), []);
}

pub fn groups_page_in_order_of_id(store: &dyn Store) {
    ok(store, put(&person(1, "ada")));
    for number in [15, 11, 13, 14, 12] {
        ok(store, put(&team(number)).add(number, user(1)));
    }
    let page = |after: Option<u32>, limit| see(store).groups_of(T, user(1), after.map(id), limit).unwrap();
    assert_eq!(page(None, 3), [11, 12, 13].map(id));
    assert_eq!(page(Some(13), 3), [14, 15].map(id));
    assert_eq!(page(Some(15), 3), []);
}

pub fn the_groups_of_several_are_those_of_each(store: &dyn Store) {
    people_and_teams(store);
    for number in [13, 14, 15] {
        ok(store, put(&team(number)).add(number, user(1)));
    }
    ok(store, unit().add(11, user(1)).add(11, user(3)).add(12, team(11).at));
    // Somebody who is in several groups, in none, in one, who is not there, a group, and one who is asked about twice.
    let members = [user(1), user(2), user(3), user(99), team(11).at, user(1)];
    let snapshot = see(store);
    for limit in [0, 1, 2, 3, 4, 5, 100] {
        let each: Vec<_> =
            members.iter().map(|at| snapshot.groups_of(T, *at, None, limit).unwrap()).collect();
        assert_eq!(snapshot.groups_of_each(T, &members, limit).unwrap(), each, "{limit}");
    }
    assert_eq!(snapshot.groups_of_each(T, &members, 100).unwrap()[0], [11, 13, 14, 15].map(id));
    assert_eq!(snapshot.groups_of_each(T, &[], 100).unwrap(), Vec::<Vec<ResourceId>>::new());
    assert_eq!(snapshot.groups_of_each(OTHER, &[user(1)], 100).unwrap(), [[]]);
}

pub fn the_touched_time_never_goes_back(store: &dyn Store) {
    people_and_teams(store);
    ok(store, unit().add(11, user(1)).at(second(9000)));
    let seq = ok(store, unit().add(11, user(2)).at(second(10)));
    assert_eq!(touched(store, 11), Some(Touched { seq, at: second(9000), count: 2 }));
}

pub fn groups_are_listed_by_the_quarter_of_an_hour_in_which_they_were_touched(store: &dyn Store) {
    people_and_teams(store);
    ok(store, put(&team(13)));
    let since = |at: i64| -> Vec<ResourceId> {
        let rows = see(store).touched_since(T, Quarter::of(second(at)), None, 100).unwrap();
        rows.into_iter().map(|row| row.group).collect()
    };
    assert_eq!(since(-90_000), []);
    ok(store, unit().add(12, user(1)).add(13, user(2)).at(second(-5)));
    ok(store, unit().add(11, user(1)).add(11, user(2)).at(second(950)));
    assert_eq!(since(-90_000), [12, 13, 11].map(id), "in order of time, then of id");
    assert_eq!(since(-900), [12, 13, 11].map(id), "the whole quarter");
    assert_eq!(since(0), [id(11)]);
    assert_eq!(since(1799), [id(11)]);
    assert_eq!(since(1800), []);
    // A clock that was set back moves nobody back; a member that is removed altogether moves its groups on.
    ok(store, unit().remove(11, user(2)).at(second(10)));
    assert_eq!(since(900), [id(11)]);
    ok(store, unit().delete(user(1)).at(second(4000)));
    assert_eq!(since(3600), [11, 12].map(id));
    assert_eq!(since(-90_000), [13, 11, 12].map(id));
    ok(store, unit().delete(team(12).at));
    assert_eq!(since(-90_000), [13, 11].map(id));
    let first = see(store).touched_since(T, Quarter::of(second(-5)), None, 1).unwrap();
    assert_eq!(first, [TouchedRow { quarter: Quarter::of(second(-5)), group: id(13) }]);
    let rest = see(store).touched_since(T, Quarter::of(second(-5)), Some(first[0]), 9).unwrap();
    assert_eq!(rest, [TouchedRow { quarter: Quarter::of(second(4000)), group: id(11) }]);
    assert_eq!(see(store).touched_since(T, Quarter::of(second(5000)), Some(first[0]), 9).unwrap(), []);
}

pub fn an_emptied_group_remembers_that_it_was_touched(store: &dyn Store) {
    people_and_teams(store);
    ok(store, unit().add(11, user(1)));
    let seq = ok(store, unit().remove(11, user(1)));
    let now = touched(store, 11).unwrap();
    assert_eq!((now.seq, now.count), (seq, 0));
}

pub fn a_group_made_again_starts_empty(store: &dyn Store) {
    people_and_teams(store);
    ok(store, unit().add(11, user(1)));
    ok(store, unit().delete(team(11).at));
    ok(store, put(&team(11)).given(Given::Members(id(11), Seq::ZERO)));
    assert_eq!((members(store, 11), touched(store, 11)), (vec![], None));
}

pub fn an_edge_added_and_removed_in_one_unit_is_not_there(store: &dyn Store) {
    people_and_teams(store);
    let seq = ok(store, unit().add(11, user(1)).remove(11, user(1)));
    assert_eq!((members(store, 11), groups(store, user(1))), (vec![], vec![]));
    let now = touched(store, 11).unwrap();
    assert_eq!((now.seq, now.count), (seq, 0));
}

pub fn r19_many_threads_fill_one_group(store: &dyn Store) {
    let people = (1..=160).fold(unit(), |unit, number| unit.put(&person(number, &format!("p{number}"))));
    ok(store, people.put(&team(1000)));
    std::thread::scope(|scope| {
        for first in 0..16 {
            scope.spawn(move || {
                for number in first * 10 + 1..=first * 10 + 10 {
                    ok(store, unit().add(1000, user(number)));
                }
            });
        }
    });
    assert_eq!(see(store).members(T, id(1000), None, 1000).unwrap().len(), 160);
    assert_eq!(touched(store, 1000).unwrap().count, 160);
}
