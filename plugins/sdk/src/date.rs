//! Calendar days, checked once.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A day of the calendar, as in `2026-03-01`.
///
/// ```
/// use rosterd_plugin::Date;
/// let day = Date::parse("2024-02-28").unwrap();
/// assert_eq!(day.plus_days(2).unwrap().to_string(), "2024-03-01");
/// assert!(Date::parse("2025-02-29").is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// Why something is not a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateError(String);

impl fmt::Display for DateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected a day such as 2026-03-01, found {:?}", self.0)
    }
}

impl std::error::Error for DateError {}

impl Date {
    /// Reads `YYYY-MM-DD` of a day that there is.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        Self::read(text).ok_or_else(|| DateError(text.chars().take(40).collect()))
    }

    fn read(text: &str) -> Option<Self> {
        let number = |part: &str, digits: usize| {
            (part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| part.parse::<u16>().ok())?
        };
        let mut parts = text.split('-');
        let year = number(parts.next()?, 4)?;
        let month = u8::try_from(number(parts.next()?, 2)?).ok()?;
        let day = u8::try_from(number(parts.next()?, 2)?).ok()?;
        let is_real = parts.next().is_none() && year >= 1 && day >= 1 && day <= days_of(year, month)?;
        is_real.then_some(Self { year, month, day })
    }

    /// The year.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The month, from 1.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    pub const fn day(self) -> u8 {
        self.day
    }

    /// The first day of its month.
    #[must_use]
    pub const fn first_of_month(self) -> Self {
        Self { day: 1, ..self }
    }

    /// The day so many days later (or earlier); `None` beyond the years 1 to 9999.
    #[must_use]
    pub fn plus_days(self, days: i32) -> Option<Self> {
        Self::from_count(self.count().checked_add(days)?)
    }

    /// Days since the first day of the year 1, in whole cycles of 400 years, years and months that begin in March, so that a leap
    /// day is a year's last.
    fn count(self) -> i32 {
        let (year, month) = if self.month > 2 {
            (i32::from(self.year), i32::from(self.month) - 3)
        } else {
            (i32::from(self.year) - 1, i32::from(self.month) + 9)
        };
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + i32::from(self.day) - 1
    }

    fn from_count(count: i32) -> Option<Self> {
        // A year too many or too few at the most: then the count tells.
        let about = u16::try_from(count.checked_mul(400)?.checked_div(146_097)?).ok()?;
        (about.saturating_sub(1)..=about.saturating_add(1))
            .flat_map(|year| (1..=12).map(move |month| (year, month)))
            .find_map(|(year, month)| {
                let first = Self { year, month, day: 1 };
                let day = u8::try_from(count.checked_sub(first.count())?.checked_add(1)?).ok()?;
                let is_in = (1..=9999).contains(&year) && day >= 1 && day <= days_of(year, month)?;
                is_in.then_some(Self { day, ..first })
            })
    }
}

fn days_of(year: u16, month: u8) -> Option<u8> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 if is_leap => Some(29),
        2 => Some(28),
        _ => None,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Date {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_there_are_not_are_refused() {
        for wrong in [
            "",
            "2026-3-1",
            "2026-02-30",
            "1900-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-01-00",
            "0000-01-01",
            "2026-01-01T",
            "+026-01-01",
        ] {
            assert!(Date::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Date::parse("2000-02-29").is_ok());
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut day = Date::parse("1896-12-31").unwrap();
        let end = Date::parse("2105-01-02").unwrap();
        let mut days = 0;
        while day < end {
            let next = day.plus_days(1).unwrap();
            assert!(next > day, "{day}");
            assert_eq!(next.plus_days(-1), Some(day));
            assert_eq!(Date::parse(&next.to_string()), Ok(next));
            (day, days) = (next, days + 1);
        }
        // 208 years from 1897 to 2104 with 50 leap days (not in 1900 and 2100), and two days.
        assert_eq!(days, 208 * 365 + 50 + 2);
        assert_eq!(Date::parse("9999-12-31").unwrap().plus_days(1), None);
        assert_eq!(Date::parse("0001-01-01").unwrap().plus_days(-1), None);
    }
}
