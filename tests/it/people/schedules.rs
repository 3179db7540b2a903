//! P11, R15: a day has its effect at midnight where the person is, once, also when nobody ran then.

use rosterd::psa::policy::Policy;
use rosterd::roster::{Look, Looked};
use serde_json::json;

use super::{PSA, decide, is_active, lifecycle, local, person, pool, used};
use crate::support::bodies::{patch, replace};
use crate::support::{Client, Engine, TestApp, on_every_store};

fn look(app: &TestApp) -> Looked {
    app.roster().look_at_schedules(Look::Now, &|| true).unwrap()
}

/// Moves the clock to an instant. It ticks a millisecond at each look, so that the second before is meant roughly.
/// Returns a client whose token is good then.
fn until(app: &TestApp, instant: &str) -> Client {
    let target: jiff::Timestamp = instant.parse().unwrap();
    app.clock().advance(target.as_second() - app.roster().current_time().as_second());
    local(app)
}

fn scheduled(client: &Client, name: &str, zone: &str, schedule: &serde_json::Value) -> String {
    let mut body = person(name, &json!({ "schedule": schedule }));
    body["timezone"] = json!(zone);
    client.post("/Users", &body).expect(201).id()
}

#[test]
fn p11_r15_a_day_begins_at_midnight_of_the_persons_zone_whatever_clocks_do_then() {
    // The effect, where: the last second before it in UTC, and the first one.
    for (zone, day, before, from) in [
        ("UTC", "2028-02-29", "2028-02-28T23:59:50Z", "2028-02-29T00:00:00Z"),
        ("Europe/Helsinki", "2027-03-28", "2027-03-27T21:59:50Z", "2027-03-27T22:00:00Z"),
        // No midnight on that day: it comes when clocks land.
        ("Africa/Cairo", "2026-04-24", "2026-04-23T21:59:50Z", "2026-04-23T22:00:00Z"),
        // Two midnights on that day: the first counts.
        ("America/Havana", "2026-11-01", "2026-11-01T03:59:50Z", "2026-11-01T04:00:00Z"),
        // Where a day begins first.
        ("Pacific/Kiritimati", "2026-06-01", "2026-05-31T09:59:50Z", "2026-05-31T10:00:00Z"),
    ] {
        on_every_store(|app| {
            let local = local(&app);
            let leaves = scheduled(&local, "ada", zone, &json!({ "deactivateOn": day }));
            let comes = scheduled(&local, "bob", zone, &json!({ "activateOn": day }));
            let local = until(&app, before);
            assert_eq!(look(&app), Looked::default(), "{zone}");
            assert_eq!((is_active(&local, &leaves), is_active(&local, &comes)), (true, false), "{zone}");
            let local = until(&app, from);
            assert_eq!(look(&app), Looked { changed: 2, failed: 0 }, "{zone}");
            assert_eq!((is_active(&local, &leaves), is_active(&local, &comes)), (false, true), "{zone}");
            assert_eq!(lifecycle(&local, &leaves)["locks"], json!(["schedule"]));
            assert_eq!(look(&app), Looked::default(), "{zone}: once");
        });
    }
}

#[test]
fn r15_what_was_missed_while_nobody_ran_is_found_at_the_next_look() {
    let mut app = TestApp::on(Engine::Redb);
    let client = local(&app);
    let days = json!({ "activateOn": "2026-03-10", "deactivateOn": "2026-04-01" });
    let both = scheduled(&client, "ada", "Europe/Helsinki", &days);
    let leaves = scheduled(&client, "bob", "Europe/Helsinki", &json!({ "deactivateOn": "2026-03-20" }));
    assert_eq!((is_active(&client, &both), is_active(&client, &leaves)), (false, true));
    app.clock().advance(90 * 24 * 60 * 60);
    app.restart();
    let client = local(&app);
    // Of both days, only what holds now has an effect.
    let _ = look(&app);
    assert_eq!((is_active(&client, &both), is_active(&client, &leaves)), (false, false));
    assert_eq!(look(&app), Looked::default());
}

#[test]
fn r15_who_moves_to_another_zone_is_let_in_at_midnight_there() {
    on_every_store(|app| {
        let local = local(&app);
        let ada = scheduled(&local, "ada", "Europe/Helsinki", &json!({ "activateOn": "2026-07-01" }));
        let _ = local.patch(&format!("/Users/{ada}"), &replace("timezone", "America/New_York")).expect(200);
        let local = until(&app, "2026-06-30T21:00:01Z");
        assert_eq!(look(&app), Looked::default());
        assert!(!is_active(&local, &ada));
        let local = until(&app, "2026-07-01T04:00:01Z");
        assert_eq!(look(&app).changed, 1);
        assert!(is_active(&local, &ada));
    });
}

#[test]
fn r15_where_the_zone_of_all_changes_a_look_ahead_finds_whose_day_has_begun() {
    on_every_store(|app| {
        let local = local(&app);
        let body = person("ada", &json!({ "schedule": { "activateOn": "2026-07-01" } }));
        let ada = local.post("/Users", &body).expect(201).id();
        let helsinki = jiff::tz::TimeZone::get("Europe/Helsinki").unwrap();
        decide(&app, Policy { time_zone: helsinki, ..Policy::default() });
        let local = until(&app, "2026-06-30T21:30:00Z");
        assert_eq!(look(&app), Looked::default(), "the row is that of UTC");
        let ahead = app.roster().look_at_schedules(Look::Ahead, &|| true).unwrap();
        assert_eq!(ahead.changed, 1);
        assert!(is_active(&local, &ada));
    });
}

#[test]
fn d_r6_who_is_provisioned_before_the_first_day_is_let_in_on_it_and_locked_after_the_last() {
    on_every_store(|app| {
        let flat = "urn:ietf:params:scim:schemas:extension:psa:2.0:User";
        let body = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", flat], "userName": "ada",
            "active": true, "timezone": "Europe/Helsinki",
            flat: { "activateOn": "2026-04-01", "deactivateOn": "2026-05-01" } });
        let ada = app.post("/Users", &body).expect(201).id();
        // The nightly sync says each time what it said first.
        let sync = || {
            let _ = app.put(&format!("/Users/{ada}"), &body).expect(200);
            is_active(&app, &ada)
        };
        assert!(!sync());
        let _ = until(&app, "2026-03-31T20:59:50Z");
        assert_eq!((look(&app).changed, sync()), (0, false));
        let _ = until(&app, "2026-03-31T21:00:01Z");
        assert_eq!((look(&app).changed, is_active(&app, &ada), sync()), (1, true, true));
        let _ = until(&app, "2026-04-30T21:00:01Z");
        assert_eq!((look(&app).changed, is_active(&app, &ada), sync()), (1, false, false));
    });
}

#[test]
fn p11_a_schedule_that_is_taken_back_has_no_effect() {
    on_every_store(|app| {
        let local = local(&app);
        let ada = scheduled(&local, "ada", "UTC", &json!({ "deactivateOn": "2026-07-01" }));
        let operation = json!({ "op": "remove", "path": format!("{PSA}:schedule") });
        let _ = local.patch(&format!("/Users/{ada}"), &patch(&[operation])).expect(200);
        let local = until(&app, "2026-08-01T00:00:00Z");
        assert_eq!(look(&app), Looked::default());
        assert!(is_active(&local, &ada));
    });
}

#[test]
fn h17_who_is_let_in_by_a_schedule_takes_a_seat_or_waits_for_one() {
    on_every_store(|app| {
        let local = local(&app);
        let pool = pool(&local, "Office", 1, "reject");
        let [ada, bob] = ["ada", "bob"].map(|name| {
            let psa = json!({ "license": { "value": pool }, "schedule": { "activateOn": "2026-07-01" } });
            local.post("/Users", &person(name, &psa)).expect(201).id()
        });
        assert_eq!(used(&local, &pool), 0);
        let local = until(&app, "2026-07-01T00:00:01Z");
        assert_eq!(look(&app), Looked { changed: 2, failed: 0 });
        assert_eq!(used(&local, &pool), 1);
        let mut active = [is_active(&local, &ada), is_active(&local, &bob)];
        active.sort_unstable();
        assert_eq!(active, [false, true]);
        assert_eq!(look(&app), Looked::default());
    });
}

#[test]
fn r15_a_look_is_broken_off_when_the_daemon_stops() {
    on_every_store(|app| {
        let local = local(&app);
        let ada = scheduled(&local, "ada", "UTC", &json!({ "deactivateOn": "2026-07-01" }));
        let local = until(&app, "2026-07-01T00:00:01Z");
        assert_eq!(app.roster().look_at_schedules(Look::Now, &|| false).unwrap(), Looked::default());
        assert!(is_active(&local, &ada));
        assert_eq!(look(&app).changed, 1);
    });
}
