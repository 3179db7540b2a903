//! When a person is let in, and from when on no more (rows P11, R15).
//!
//! A schedule names days; they begin at midnight of the person's zone. What it comes to is worked out anew each time from the days, the
//! zone and `now`, so that it does not matter whether the daemon ran at midnight: what was missed has its effect when it is looked
//! at next, and looking twice changes nothing. Where the zone changes, so do the instants.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::calendar::{Day, Zone, midnight};

/// On which days a person is let in, and kept out. Never both on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Days", into = "Days")]
pub struct Schedule(Days);

/// The days as they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Days {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activate_on: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deactivate_on: Option<Day>,
}

/// Why two days are not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected different days for activateOn and deactivateOn, found {day} for both: it would not be known which comes last"
)]
pub struct ScheduleError {
    /// The day.
    pub day: Day,
}

/// What a schedule comes to at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether the schedule keeps the person out.
    pub locked: bool,
    /// When it must be looked at again; `None` where nothing is to come.
    pub next: Option<Timestamp>,
}

/// One day of a schedule, as an instant.
struct Event {
    at: Timestamp,
    locks: bool,
}

impl Schedule {
    /// Puts days together, in any order. Without any the schedule keeps nobody out.
    pub fn new(activate_on: Option<Day>, deactivate_on: Option<Day>) -> Result<Self, ScheduleError> {
        match (activate_on, deactivate_on) {
            (Some(day), Some(other)) if day == other => Err(ScheduleError { day }),
            _ => Ok(Self(Days { activate_on, deactivate_on })),
        }
    }

    /// Returns the day from which on the person is let in.
    pub const fn activate_on(&self) -> Option<Day> {
        self.0.activate_on
    }

    /// Returns the day from which on the person is kept out.
    pub const fn deactivate_on(&self) -> Option<Day> {
        self.0.deactivate_on
    }

    /// Tells whether no day is named.
    pub const fn is_empty(&self) -> bool {
        self.0.activate_on.is_none() && self.0.deactivate_on.is_none()
    }

    /// Works out whether the person is kept out now, and when to look again.
    ///
    /// Of the days that have begun the latest decides. Where none has begun, the person is kept out exactly when the first
    /// to come lets them in: who starts on Monday is not let in before.
    pub fn standing(&self, zone: &Zone, now: Timestamp) -> Standing {
        let events = self.events(zone);
        let begun = events.iter().flatten().rfind(|event| event.at <= now);
        let coming = events.iter().flatten().find(|event| event.at > now);
        let locked = match (begun, coming) {
            (Some(begun), _) => begun.locks,
            (None, Some(coming)) => !coming.locks,
            (None, None) => false,
        };
        Standing { locked, next: coming.map(|event| event.at) }
    }

    /// The days in their order. Two of them may begin at one instant, where a zone left a day out: then the later day decides.
    fn events(&self, zone: &Zone) -> [Option<Event>; 2] {
        let event = |day: Option<Day>, locks: bool| day.map(|day| Event { at: midnight(day, zone), locks });
        let (opens, locks) = (event(self.0.activate_on, false), event(self.0.deactivate_on, true));
        if self.0.activate_on < self.0.deactivate_on { [opens, locks] } else { [locks, opens] }
    }
}

impl From<Schedule> for Days {
    fn from(schedule: Schedule) -> Self {
        schedule.0
    }
}

impl TryFrom<Days> for Schedule {
    type Error = ScheduleError;

    fn try_from(days: Days) -> Result<Self, ScheduleError> {
        Self::new(days.activate_on, days.deactivate_on)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::super::calendar::tests::{at, day, days_in, zone, zones};
    use super::super::calendar::today;
    use super::*;

    fn schedule(activate_on: &str, deactivate_on: &str) -> Schedule {
        let day = |text: &str| (!text.is_empty()).then(|| day(text));
        Schedule::new(day(activate_on), day(deactivate_on)).unwrap()
    }

    fn standing(locked: bool, next: &str) -> Standing {
        Standing { locked, next: (!next.is_empty()).then(|| at(next)) }
    }

    #[test]
    fn p11_who_starts_in_july_is_kept_out_until_midnight_where_they_are() {
        let (starts, helsinki) = (schedule("2026-07-01", ""), zone("Europe/Helsinki"));
        let midnight = "2026-06-30T21:00:00Z";
        assert_eq!(starts.standing(&helsinki, at("2026-01-01T00:00:00Z")), standing(true, midnight));
        assert_eq!(starts.standing(&helsinki, at("2026-06-30T20:59:59.999Z")), standing(true, midnight));
        assert_eq!(starts.standing(&helsinki, at(midnight)), standing(false, ""));
        assert_eq!(starts.standing(&helsinki, at("2030-01-01T00:00:00Z")), standing(false, ""));
    }

    #[test]
    fn p11_who_leaves_is_kept_out_from_midnight_on() {
        let (leaves, helsinki) = (schedule("", "2026-12-31"), zone("Europe/Helsinki"));
        let midnight = "2026-12-30T22:00:00Z";
        assert_eq!(leaves.standing(&helsinki, at("2026-01-01T00:00:00Z")), standing(false, midnight));
        assert_eq!(leaves.standing(&helsinki, at(midnight)), standing(true, ""));
    }

    #[test]
    fn p11_with_both_days_the_latest_that_has_begun_decides() {
        let contract = schedule("2026-02-01", "2026-03-01");
        let now = |month: &str| contract.standing(&Zone::UTC, at(&format!("2026-{month}-15T00:00:00Z")));
        assert_eq!(now("01"), standing(true, "2026-02-01T00:00:00Z"));
        assert_eq!(now("02"), standing(false, "2026-03-01T00:00:00Z"));
        assert_eq!(now("03"), standing(true, ""));
        // The other way round it is a leave.
        let leave = schedule("2026-03-01", "2026-02-01");
        let now = |month: &str| leave.standing(&Zone::UTC, at(&format!("2026-{month}-15T00:00:00Z")));
        assert_eq!(now("01"), standing(false, "2026-02-01T00:00:00Z"));
        assert_eq!(now("02"), standing(true, "2026-03-01T00:00:00Z"));
        assert_eq!(now("03"), standing(false, ""));
    }

    #[test]
    fn p11_both_on_one_day_is_refused() {
        let refused = Schedule::new(Some(day("2026-07-01")), Some(day("2026-07-01"))).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "expected different days for activateOn and deactivateOn, found 2026-07-01 for both: it would not be known which comes last"
        );
        let kept = r#"{"activateOn":"2026-07-01","deactivateOn":"2026-07-01"}"#;
        assert!(serde_json::from_str::<Schedule>(kept).is_err());
    }

    #[test]
    fn p11_without_days_nobody_is_kept_out() {
        let none = Schedule::default();
        assert!(none.is_empty());
        assert_eq!(none.standing(&Zone::UTC, at("2026-01-01T00:00:00Z")), standing(false, ""));
        assert_eq!(serde_json::to_string(&none).unwrap(), "{}");
        let kept = r#"{"deactivateOn":"2026-07-01"}"#;
        assert_eq!(serde_json::to_string(&serde_json::from_str::<Schedule>(kept).unwrap()).unwrap(), kept);
    }

    #[test]
    fn r15_a_midnight_that_clocks_leap_over_comes_when_they_land() {
        // 00:00 to 01:00 on that day.
        let (starts, cairo) = (schedule("2024-04-26", ""), zone("Africa/Cairo"));
        let landing = "2024-04-25T22:00:00Z";
        assert_eq!(starts.standing(&cairo, at("2024-04-25T21:59:59Z")), standing(true, landing));
        assert_eq!(starts.standing(&cairo, at(landing)), standing(false, ""));
    }

    #[test]
    fn r15_a_midnight_that_comes_twice_has_its_effect_once() {
        // 01:00 back to 00:00 on that day; 00:00 is at 04:00 and at 05:00 UTC.
        let (leaves, havana) = (schedule("", "2026-11-01"), zone("America/Havana"));
        assert_eq!(
            leaves.standing(&havana, at("2026-11-01T03:59:59Z")),
            standing(false, "2026-11-01T04:00:00Z")
        );
        for after in
            ["2026-11-01T04:00:00Z", "2026-11-01T04:30:00Z", "2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z"]
        {
            assert_eq!(leaves.standing(&havana, at(after)), standing(true, ""), "{after}");
        }
        // 00:01 back to 23:01 of the day before: who was let in stays in.
        let (starts, st_johns) = (schedule("2010-11-07", ""), zone("America/St_Johns"));
        for after in ["2010-11-07T02:30:00Z", "2010-11-07T02:31:00Z", "2010-11-07T03:00:00Z"] {
            assert_eq!(starts.standing(&st_johns, at(after)), standing(false, ""), "{after}");
        }
        assert_eq!(today(at("2010-11-07T03:00:00Z"), &st_johns), day("2010-11-06"));
    }

    #[test]
    fn r15_a_leap_day_is_a_day_like_others() {
        let starts = schedule("2028-02-29", "2028-03-01");
        let now = |text: &str| starts.standing(&Zone::UTC, at(text));
        assert_eq!(now("2028-02-28T23:59:59Z"), standing(true, "2028-02-29T00:00:00Z"));
        assert_eq!(now("2028-02-29T00:00:00Z"), standing(false, "2028-03-01T00:00:00Z"));
        assert_eq!(now("2028-03-01T00:00:00Z"), standing(true, ""));
    }

    #[test]
    fn r15_a_day_that_a_zone_left_out_gives_way_to_the_one_after() {
        let apia = zone("Pacific/Apia");
        let begins = "2011-12-30T10:00:00Z";
        let both = schedule("2011-12-30", "2011-12-31");
        assert_eq!(both.standing(&apia, at("2011-12-30T09:59:59Z")), standing(true, begins));
        assert_eq!(both.standing(&apia, at(begins)), standing(true, ""));
        let turned = schedule("2011-12-31", "2011-12-30");
        assert_eq!(turned.standing(&apia, at(begins)), standing(false, ""));
        let only = schedule("2011-12-30", "");
        assert_eq!(only.standing(&apia, at(begins)), standing(false, ""));
    }

    #[test]
    fn r15_who_moves_to_another_zone_has_its_midnight() {
        let starts = schedule("2026-07-01", "");
        let now = at("2026-07-01T00:00:00Z");
        assert_eq!(starts.standing(&zone("Europe/Helsinki"), now), standing(false, ""));
        assert_eq!(
            starts.standing(&zone("America/Los_Angeles"), now),
            standing(true, "2026-07-01T07:00:00Z")
        );
    }

    #[test]
    fn r15_the_last_day_never_comes_and_breaks_nothing() {
        let leaves = schedule("", "9999-12-31");
        let los_angeles = zone("America/Los_Angeles");
        assert_eq!(
            leaves.standing(&los_angeles, at("2026-01-01T00:00:00Z")),
            Standing { locked: false, next: Some(Timestamp::MAX) }
        );
    }

    /// When a day begins, found by looking at the calendar on the wall every minute from long before.
    fn seen_beginning(day: Day, zone: &Zone) -> Timestamp {
        let mut now = at(&format!("{day}T00:00:00Z")) - SignedDuration::from_hours(50);
        while today(now, zone) < day {
            now += SignedDuration::from_mins(1);
        }
        now
    }

    /// Lives through the days one by one, from before the first that is named, and does what each says.
    fn lived(schedule: &Schedule, zone: &Zone, now: Timestamp) -> bool {
        let named: Vec<Day> =
            [schedule.activate_on(), schedule.deactivate_on()].into_iter().flatten().collect();
        let (Some(first), Some(last)) = (named.iter().min(), named.iter().max()) else { return false };
        let mut locked = schedule.activate_on() == Some(*first);
        let mut day = *first;
        while day <= *last {
            if named.contains(&day) && seen_beginning(day, zone) <= now {
                locked = schedule.deactivate_on() == Some(day);
            }
            day = day.day_after().unwrap();
        }
        locked
    }

    /// A zone, a day at which something happens, two days near it, and an instant near it.
    fn cases() -> impl Strategy<Value = (Zone, Schedule, Timestamp)> {
        let near = proptest::option::weighted(0.8, -3..=3_i64);
        let minutes = -5 * 24 * 60..=5 * 24 * 60_i64;
        let days = zones().prop_flat_map(|zone| (Just(zone.clone()), days_in(zone)));
        (days, near.clone(), near, minutes).prop_filter_map(
            "one day for both",
            |((zone, day), opens, locks, minutes)| {
                let apart = |days: i64| Day::new(day.date() + SignedDuration::from_hours(24 * days)).unwrap();
                let schedule = Schedule::new(opens.map(apart), locks.map(apart)).ok()?;
                // Offsets were not of whole minutes before 1972: days begin at whole ones only from then on.
                let is_whole = day > super::super::calendar::tests::day("1973-01-01");
                is_whole.then(|| {
                    let now = at(&format!("{day}T00:00:00Z")) + SignedDuration::from_mins(minutes);
                    (zone, schedule, now)
                })
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn r15_a_schedule_comes_to_what_living_through_its_days_comes_to((zone, schedule, now) in cases()) {
            prop_assert_eq!(schedule.standing(&zone, now).locked, lived(&schedule, &zone, now));
        }

        #[test]
        fn r15_nothing_changes_before_the_next_instant((zone, schedule, now) in cases()) {
            let standing = schedule.standing(&zone, now);
            match standing.next {
                Some(next) => {
                    prop_assert!(next > now);
                    let shortly_before = next - SignedDuration::from_nanos(1);
                    prop_assert_eq!(schedule.standing(&zone, shortly_before), standing);
                    prop_assert_ne!(schedule.standing(&zone, next).next, Some(next));
                }
                None => prop_assert_eq!(schedule.standing(&zone, Timestamp::MAX), standing),
            }
        }
    }
}
