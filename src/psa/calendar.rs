//! Calendar days, time zones, and the instant at which a day begins (rows P11, R15).
//!
//! An employment starts on a day, a person is let in from a day on: days have no hours until a zone gives them some. The rules of the
//! zones are compiled in, so that every machine agrees. Reads no clock: `now` is an argument.

use std::fmt;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use crate::scim::error::quoted;

/// The zones that are compiled in. Those of the machine are not asked, whatever features of jiff others turn on.
static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// What jiff calls a zone that is not known. No zone of anyone's.
const UNKNOWN: &str = "Etc/Unknown";

/// A day of the calendar, of the years 0000 to 9999, in no particular zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(Date);

/// Why something is not a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DayError {
    /// Not of the form.
    #[error("expected a calendar day as YYYY-MM-DD such as 2026-07-01, found {found}")]
    Form {
        /// What was there, quoted and shortened.
        found: String,
    },
    /// Of the form, but the calendar does not have it.
    #[error("expected a day that the calendar has, found {found}")]
    NoSuchDay {
        /// What was there, quoted.
        found: String,
    },
}

impl Day {
    /// The first day that can be said.
    pub const FIRST: Self = Self(Date::constant(0, 1, 1));
    /// The last day that can be said. Some programs send it for "never".
    pub const LAST: Self = Self(Date::constant(9999, 12, 31));

    /// Reads `YYYY-MM-DD` and nothing else: no time, no zone, no other order, no space around it.
    pub fn parse(text: &str) -> Result<Self, DayError> {
        let is_form = text.len() == 10
            && text
                .bytes()
                .enumerate()
                .all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
        if !is_form {
            return Err(DayError::Form { found: quoted(text) });
        }
        text.parse().map(Self).map_err(|_| DayError::NoSuchDay { found: quoted(text) })
    }

    /// Takes a date of jiff's; `None` for years that four digits cannot say.
    pub fn new(date: Date) -> Option<Self> {
        (Self::FIRST.0..=Self::LAST.0).contains(&date).then_some(Self(date))
    }

    /// Returns jiff's date.
    pub const fn date(self) -> Date {
        self.0
    }

    /// Returns the day before; `None` before the first.
    pub fn day_before(self) -> Option<Self> {
        self.0.yesterday().ok().and_then(Self::new)
    }

    /// Returns the day after; `None` after the last.
    pub fn day_after(self) -> Option<Self> {
        self.0.tomorrow().ok().and_then(Self::new)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Day({})", self.0)
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl TryFrom<String> for Day {
    type Error = DayError;

    fn try_from(text: String) -> Result<Self, DayError> {
        Self::parse(&text)
    }
}

/// A time zone of the IANA database, by its name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(TimeZone);

/// Why a text is not a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the IANA name of a time zone such as Europe/Helsinki, found {found}")]
pub struct ZoneError {
    /// What was there, quoted and shortened.
    pub found: String,
}

impl Zone {
    /// Coordinated universal time: the zone of whoever has no other.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// Finds a zone by its name, in any case. Links such as `Asia/Calcutta` are zones; offsets and abbreviations are none.
    pub fn parse(name: &str) -> Result<Self, ZoneError> {
        let found = BUNDLED.get(name).ok();
        found
            .filter(|zone| zone.iana_name().is_some_and(|name| name != UNKNOWN))
            .map(Self)
            .ok_or_else(|| ZoneError { found: quoted(name) })
    }

    /// Returns the name, as the database spells it.
    pub fn name(&self) -> &str {
        // Every zone that is made here has one.
        self.0.iana_name().unwrap_or("UTC")
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name().to_owned()
    }
}

impl TryFrom<String> for Zone {
    type Error = ZoneError;

    fn try_from(text: String) -> Result<Self, ZoneError> {
        Self::parse(&text)
    }
}

/// Returns the first instant of a day in a zone (rows P11, R15).
///
/// Mostly that is 00:00. Where clocks leap over 00:00, it is the instant to which they leap; where they show 00:00 twice, the first time.
/// A day that a zone left out begins, and is over, when the next one begins. Later days never begin earlier. The last days of the
/// year 9999 may begin at the end of time, which never comes.
pub fn midnight(day: Day, zone: &Zone) -> Timestamp {
    let wanted = day.0.to_datetime(Time::midnight());
    match zone.0.to_ambiguous_timestamp(wanted).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            instant(wanted, offset)
        }
        AmbiguousOffset::Gap { before, after } => {
            // The leap lies between these two. It may begin before 00:00, so that it ends at another time than its length after 00:00.
            let (earliest, latest) = (instant(wanted, after), instant(wanted, before));
            zone.0
                .following(earliest)
                .map(|leap| (leap.timestamp(), leap.offset()))
                .take_while(|(at, _)| *at <= latest)
                .find(|(at, offset)| offset.to_datetime(*at) >= wanted)
                .map_or(latest, |(at, _)| at)
        }
    }
}

/// Returns which day it is in a zone.
pub fn today(now: Timestamp, zone: &Zone) -> Day {
    let date = zone.0.to_datetime(now).date();
    Day(date.clamp(Day::FIRST.0, Day::LAST.0))
}

/// Returns when clocks of an offset show a time, or the end of time where that is too late to be said.
fn instant(shown: DateTime, offset: Offset) -> Timestamp {
    offset.to_timestamp(shown).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    /// Zones whose clocks leap in many ways: at midnight, around it, by half an hour, by a whole day, never.
    pub(in crate::psa) const ZONES: &[&str] = &[
        "UTC",
        "Europe/Helsinki",
        "America/Sao_Paulo",
        "America/Havana",
        "America/St_Johns",
        "America/Toronto",
        "Africa/Cairo",
        "Africa/Casablanca",
        "Asia/Beirut",
        "Asia/Kathmandu",
        "Asia/Gaza",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Pacific/Kwajalein",
        "Pacific/Kiritimati",
        "America/Juneau",
    ];

    pub(in crate::psa) fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    pub(in crate::psa) fn zone(name: &str) -> Zone {
        Zone::parse(name).unwrap()
    }

    pub(in crate::psa) fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Days at which something may happen: any, or close to one when clocks leap.
    pub(in crate::psa) fn days_in(zone: Zone) -> impl Strategy<Value = Day> {
        let seconds = at("1900-01-01T00:00:00Z").as_second()..at("2040-01-01T00:00:00Z").as_second();
        let apart = prop_oneof![4 => Just(0), 1 => Just(-1), 1 => Just(1_i64)];
        (seconds, proptest::bool::weighted(0.8), apart).prop_map(move |(second, is_leap, apart)| {
            let somewhen = Timestamp::from_second(second).unwrap();
            let leap = zone.0.following(somewhen).next().filter(|_| is_leap).map(|leap| leap.timestamp());
            let near = leap.unwrap_or(somewhen) + SignedDuration::from_hours(24 * apart);
            today(near, &zone)
        })
    }

    pub(in crate::psa) fn zones() -> impl Strategy<Value = Zone> {
        proptest::sample::select(ZONES).prop_map(zone)
    }

    #[test]
    fn r15_only_year_month_and_day_are_a_day() {
        assert_eq!(day("2026-07-01").to_string(), "2026-07-01");
        assert_eq!(day("0000-01-01"), Day::FIRST);
        assert_eq!(day("9999-12-31"), Day::LAST);
        for wrong in [
            "",
            "2026",
            "2026-07",
            "2026-7-1",
            "20260701",
            "2026-182",
            "2026-W27-3",
            "01.07.2026",
            "2026/07/01",
            " 2026-07-01",
            "2026-07-01 ",
            "2026-07-01T00:00:00Z",
            "2026-07-01Z",
            "+002026-07-01",
            "-2026-07-01",
            "٢٠٢٦-٠٧-٠١",
        ] {
            assert_eq!(Day::parse(wrong), Err(DayError::Form { found: quoted(wrong) }), "{wrong}");
        }
        assert_eq!(
            Day::parse("01.07.2026").unwrap_err().to_string(),
            "expected a calendar day as YYYY-MM-DD such as 2026-07-01, found \"01.07.2026\""
        );
    }

    #[test]
    fn r15_only_leap_years_have_a_29th_of_february() {
        for there in ["2024-02-29", "2000-02-29", "2028-02-29"] {
            assert_eq!(day(there).to_string(), there);
        }
        for missing in
            ["2023-02-29", "2100-02-29", "2026-02-30", "2026-04-31", "2026-13-01", "2026-00-10", "2026-01-00"]
        {
            assert_eq!(Day::parse(missing), Err(DayError::NoSuchDay { found: quoted(missing) }));
        }
        assert_eq!(day("2024-02-28").day_after(), Some(day("2024-02-29")));
        assert_eq!(day("2024-03-01").day_before(), Some(day("2024-02-29")));
        assert_eq!(midnight(day("2024-02-29"), &zone("Europe/Helsinki")), at("2024-02-28T22:00:00Z"));
    }

    #[test]
    fn r15_days_end_where_four_digits_do() {
        assert_eq!((Day::FIRST.day_before(), Day::LAST.day_after()), (None, None));
        assert_eq!(Day::new(Date::constant(-1, 12, 31)), None);
        assert_eq!(midnight(Day::LAST, &zone("America/Los_Angeles")), Timestamp::MAX);
        assert_eq!(today(Timestamp::MAX, &zone("Pacific/Kiritimati")), day("9999-12-31"));
        assert_eq!(today(Timestamp::MIN, &Zone::UTC), Day::FIRST);
        assert!(midnight(Day::FIRST, &zone("America/Los_Angeles")) < at("0001-01-01T00:00:00Z"));
    }

    #[test]
    fn r15_zones_are_named_as_the_database_names_them() {
        assert_eq!(zone("europe/HELSINKI").name(), "Europe/Helsinki");
        assert_eq!(zone("Asia/Calcutta").name(), "Asia/Calcutta");
        assert_eq!(zone("utc"), Zone::UTC);
        for wrong in [
            "",
            "Helsinki",
            "Europe/Nowhere",
            "Etc/Unknown",
            "etc/unknown",
            "+02:00",
            "EET-2EEST,M3.5.0/3,M10.5.0/4",
            "../Europe/Helsinki",
            "/usr/share/zoneinfo/UTC",
            "Europe/Helsinki ",
            "posixrules",
            "localtime",
            ":UTC",
        ] {
            assert_eq!(Zone::parse(wrong), Err(ZoneError { found: quoted(wrong) }), "{wrong}");
        }
        assert_eq!(
            Zone::parse("Helsinki").unwrap_err().to_string(),
            "expected the IANA name of a time zone such as Europe/Helsinki, found \"Helsinki\""
        );
        assert!(Zone::parse(&"x".repeat(1 << 20)).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn r15_days_and_zones_are_kept_as_texts() {
        let kept = serde_json::to_string(&(day("2026-07-01"), zone("Asia/Beirut"))).unwrap();
        assert_eq!(kept, r#"["2026-07-01","Asia/Beirut"]"#);
        assert_eq!(
            serde_json::from_str::<(Day, Zone)>(&kept).unwrap(),
            (day("2026-07-01"), zone("Asia/Beirut"))
        );
        assert!(serde_json::from_str::<Day>("\"2026-02-30\"").is_err());
    }

    #[test]
    fn r15_where_clocks_leap_over_midnight_the_day_begins_where_they_land() {
        for (name, of, begins) in [
            // 00:00 to 01:00.
            ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"),
            ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00:00Z"),
            ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00:00Z"),
            // 23:30 to 00:30: the day begins at half past midnight, and not an hour after midnight.
            ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z"),
        ] {
            let (day, zone) = (day(of), zone(name));
            let first = midnight(day, &zone);
            assert_eq!(first, at(begins), "{name}");
            assert_eq!(today(first, &zone), day);
            assert_eq!(Some(today(first - SignedDuration::from_nanos(1), &zone)), day.day_before(), "{name}");
        }
    }

    #[test]
    fn r15_where_clocks_show_midnight_twice_the_day_begins_the_first_time() {
        for (name, of, begins) in [
            // 01:00 back to 00:00.
            ("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"),
            // 00:01 back to 23:01: a minute of the day is over when the day before goes on.
            ("America/St_Johns", "2010-11-07", "2010-11-07T02:30:00Z"),
            // 24:00 back to 23:00: 00:00 is shown once, at the second end of the day before.
            ("America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00:00Z"),
            ("Asia/Beirut", "2026-10-25", "2026-10-24T22:00:00Z"),
        ] {
            let (day, zone) = (day(of), zone(name));
            let first = midnight(day, &zone);
            assert_eq!(first, at(begins), "{name}");
            assert_eq!(today(first, &zone), day);
            assert_eq!(Some(today(first - SignedDuration::from_nanos(1), &zone)), day.day_before(), "{name}");
        }
    }

    #[test]
    fn r15_a_day_that_a_zone_left_out_begins_when_the_next_one_does() {
        // Samoa went over the date line at the end of 2011-12-29, and Kwajalein at the end of 1993-08-20.
        for (name, before, missing, after, begins) in [
            ("Pacific/Apia", "2011-12-29", "2011-12-30", "2011-12-31", "2011-12-30T10:00:00Z"),
            ("Pacific/Kwajalein", "1993-08-20", "1993-08-21", "1993-08-22", "1993-08-21T12:00:00Z"),
        ] {
            let zone = zone(name);
            assert_eq!(midnight(day(missing), &zone), at(begins), "{name}");
            assert_eq!(midnight(day(after), &zone), at(begins), "{name}");
            assert_eq!(today(at(begins), &zone), day(after));
            assert_eq!(today(at(begins) - SignedDuration::from_nanos(1), &zone), day(before));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 768, ..ProptestConfig::default() })]

        #[test]
        fn r15_a_day_begins_at_its_midnight_and_never_before(
            (zone, day) in zones().prop_flat_map(|zone| (Just(zone.clone()), days_in(zone))),
        ) {
            let first = midnight(day, &zone);
            // Greater only where the zone left the day out.
            prop_assert!(today(first, &zone) >= day);
            prop_assert!(today(first - SignedDuration::from_nanos(1), &zone) < day);
            for minutes in 0..30 * 60 {
                let earlier = first - SignedDuration::from_mins(minutes) - SignedDuration::from_nanos(1);
                prop_assert!(today(earlier, &zone) < day, "{} of {}", earlier, zone);
            }
        }

        #[test]
        fn r15_later_days_never_begin_earlier(
            (zone, day) in zones().prop_flat_map(|zone| (Just(zone.clone()), days_in(zone))),
        ) {
            let next = day.day_after().unwrap();
            prop_assert!(midnight(day, &zone) <= midnight(next, &zone));
        }

        #[test]
        fn r15_no_text_is_too_strange_to_be_refused(text in "\\PC{0,40}") {
            if let Ok(day) = Day::parse(&text) {
                prop_assert_eq!(day.to_string(), text.clone());
            }
            if let Ok(zone) = Zone::parse(&text) {
                prop_assert!(zone.name().eq_ignore_ascii_case(&text));
            }
        }
    }

    #[test]
    fn r15_the_zones_are_compiled_in() {
        assert!(BUNDLED.available().count() > 500);
        for name in BUNDLED.available() {
            let name = name.as_str();
            if let Ok(zone) = Zone::parse(name) {
                assert_eq!(zone.name(), name);
                // Every zone has midnights from the first day to the last.
                assert!(midnight(Day::FIRST, &zone) < midnight(Day::LAST, &zone));
            } else {
                assert_eq!(name, UNKNOWN);
            }
        }
    }
}
