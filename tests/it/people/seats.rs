//! H17: licences are counted, and the count is right whatever happens at once and in whatever order.

use jiff::SignedDuration;
use rosterd::psa::locks::Authority;
use rosterd::psa::policy::{Deprovision, Policy};
use rosterd::roster::Look;
use serde_json::{Value, json};

use super::{PSA, at_once, decide, id, is_active, licensed, local, operator, person, pool, used};
use crate::support::bodies::patch;
use crate::support::{Dice, TestApp, on_every_store};

#[test]
fn h17_of_sixty_four_who_come_at_once_for_ten_seats_ten_get_one() {
    for (when_full, made, locked) in [("reject", 10, 0), ("lock", 64, 54)] {
        on_every_store(|app| {
            let local = local(&app);
            let pool = pool(&local, "Office", 10, when_full);
            let answers = at_once(64, |number| local.post("/Users", &licensed(&format!("p{number}"), &pool)));
            let created = answers.iter().filter(|answer| answer.status == 201).count();
            let refused = answers.iter().filter(|answer| answer.status == 409).count();
            assert_eq!((created, refused), (made, 64 - made), "{when_full}");
            let list = local.find("/Users", "active eq false").expect(200).json();
            assert_eq!(list["totalResults"], locked, "{when_full}");
            assert_eq!(used(&local, &pool), 10);
        });
    }
}

/// One step in the life of somebody.
fn step(
    app: &TestApp,
    local: &crate::support::Client,
    dice: &mut Dice,
    pools: &[String],
    people: &mut Vec<(String, String)>,
) {
    let roster = app.roster();
    let pool = &pools[dice.below(pools.len())];
    let deed = dice.below(10);
    if people.is_empty() || deed == 0 {
        let name = format!("p{}", dice.below(40));
        let mut body = licensed(&name, pool);
        body["externalId"] = json!(name);
        if dice.below(4) == 0 {
            let day = if dice.below(2) == 0 { "activateOn" } else { "deactivateOn" };
            let in_days = i64::try_from(dice.below(20)).unwrap();
            let on = roster.current_time() + SignedDuration::from_hours(24 * in_days);
            body[PSA]["schedule"] = json!({ day: on.to_string()[..10] });
        }
        let answer = local.post("/Users", &body);
        if answer.status == 201 {
            let made = answer.id();
            people.retain(|(_, known)| *known != made);
            people.push((name, made));
        }
        return;
    }
    let place = dice.below(people.len());
    let one = people[place].1.clone();
    let path = format!("/Users/{one}");
    let set = |name: &str, value: Value| {
        let operation = json!({ "op": "replace", "path": format!("{PSA}:{name}"), "value": value });
        let _ = local.patch(&path, &patch(&[operation]));
    };
    match deed {
        1 | 2 => drop(roster.lock(&operator(app), id(&one), Authority::Admin, None)),
        3 | 4 => drop(roster.unlock(&operator(app), id(&one), Authority::Admin)),
        5 => set("license", json!({ "value": pool })),
        6 => {
            let operation = json!({ "op": "remove", "path": format!("{PSA}:license") });
            let _ = local.patch(&path, &patch(&[operation]));
        }
        7 => {
            if dice.below(2) == 0 {
                roster.signed_in(&operator(app), id(&one), roster.current_time(), "oidc").unwrap();
            }
            let _ = local.delete(&path).expect(204);
            people.remove(place);
        }
        8 => {
            app.clock().advance(24 * 60 * 60);
            let looked = roster.look_at_schedules(Look::Now, &|| true).unwrap();
            assert_eq!(looked.failed, 0);
        }
        _ => drop(roster.unlock(&operator(app), id(&one), Authority::License)),
    }
}

#[test]
fn h17_a_pool_counts_exactly_those_who_have_a_licence_and_are_let_in() {
    for seed in 0..4 {
        on_every_store(|app| {
            let mut dice = Dice::new(seed);
            let local = local(&app);
            let pools = [pool(&local, "Office", 4, "reject"), pool(&local, "Field", 3, "lock")];
            let mut people = Vec::new();
            for number in 0..150 {
                if number % 50 == 0 {
                    let deprovision = [Deprovision::DeleteIfUnused, Deprovision::Lock, Deprovision::Delete];
                    decide(&app, Policy { deprovision: deprovision[dice.below(3)], ..Policy::default() });
                }
                step(&app, &local, &mut dice, &pools, &mut people);
                if number % 10 == 0 {
                    // Reckoned by hand, from what anybody can read.
                    for pool in &pools {
                        let has = |one: &&(String, String)| {
                            let shown = local.get(&format!("/Users/{}", one.1)).expect(200).json();
                            shown["active"] == true && shown[PSA]["license"]["value"] == json!(pool)
                        };
                        let expected = people.iter().filter(has).count() as u64;
                        assert_eq!(used(&local, pool), expected, "seed {seed}, step {number}");
                    }
                    assert_eq!(app.roster().check_people().unwrap(), vec![]);
                }
            }
        });
    }
}

#[test]
fn h17_a_pool_does_not_shrink_below_who_has_a_seat() {
    on_every_store(|app| {
        let local = local(&app);
        let pool = pool(&local, "Office", 2, "reject");
        for name in ["ada", "bob"] {
            let _ = local.post("/Users", &licensed(name, &pool)).expect(201);
        }
        let path = format!("/LicensePools/{pool}");
        let seats = |seats: u64| local.patch(&path, &crate::support::bodies::replace("seats", seats));
        seats(1).refused(409, None);
        let _ = seats(2);
        let _ = seats(3).expect(200);
        let eve =
            local.post("/Users", &person("eve", &json!({ "license": { "value": pool } }))).expect(201).id();
        assert!(is_active(&local, &eve));
    });
}
