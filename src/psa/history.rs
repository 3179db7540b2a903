//! What held from which day on: rates and employments through time (rows H04, H05, H12, H13).
//!
//! An entry holds until the day before the next one starts. Entries are kept by the day on which they start, so that gaps, overlaps and
//! two entries of one day cannot be said, and no end has to be stored. Knows nothing of what the entries are, or who asks.

use std::collections::{BTreeMap, BTreeSet};

use super::calendar::Day;

/// What held from which day on, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History<T>(BTreeMap<Day, T>);

/// One entry of a history, with its end worked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a, T> {
    /// The first day on which it holds.
    pub start: Day,
    /// The last day on which it holds; `None` for the last entry, which holds on.
    pub end: Option<Day>,
    /// What holds.
    pub value: &'a T,
}

impl<T> Entry<'_, T> {
    /// Tells whether the entry holds on a day.
    pub fn holds_on(&self, day: Day) -> bool {
        self.start <= day && self.end.is_none_or(|end| day <= end)
    }
}

impl<T> History<T> {
    /// Begins with nothing: no day has a value.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Sets what holds from a day on, until the entry that starts next; returns what started on that day before.
    ///
    /// The entry before ends on the day before (H12). To overwrite is retroactive (H13): the caller owes the change feed both values, and
    /// [`first_difference`] says from which day on.
    pub fn set(&mut self, start: Day, value: T) -> Option<T> {
        self.0.insert(start, value)
    }

    /// Takes out the entry that starts on a day: the one before holds on in its place.
    pub fn remove(&mut self, start: Day) -> Option<T> {
        self.0.remove(&start)
    }

    /// Returns what held on a day; `None` before the first entry.
    pub fn at(&self, day: Day) -> Option<&T> {
        self.0.range(..=day).next_back().map(|(_, value)| value)
    }

    /// Returns the entry that holds today, with its start and end; `None` before the first entry.
    pub fn current(&self, today: Day) -> Option<Entry<'_, T>> {
        let (start, value) = self.0.range(..=today).next_back()?;
        // What starts after today starts after the entry of today.
        let next = today.day_after().and_then(|tomorrow| self.0.range(tomorrow..).next());
        Some(Entry { start: *start, end: next.and_then(|(next, _)| next.day_before()), value })
    }

    /// Lists the entries, oldest first, with their ends: the day before the next start.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_, T>> {
        let nexts = self.0.keys().skip(1).map(Some).chain(std::iter::once(None));
        // A start that has another before it has a day before it, too.
        self.0.iter().zip(nexts).map(|((start, value), next)| Entry {
            start: *start,
            end: next.and_then(|next| next.day_before()),
            value,
        })
    }

    /// Returns how many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> FromIterator<(Day, T)> for History<T> {
    /// Takes entries in any order; of two that start on one day the later one in the list counts.
    fn from_iter<I: IntoIterator<Item = (Day, T)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<T> IntoIterator for History<T> {
    type Item = (Day, T);
    type IntoIter = std::collections::btree_map::IntoIter<Day, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Finds the earliest day on which two histories disagree; `None` where what holds is the same on every day (H13).
///
/// An entry that repeats the one before it is no difference: it holds the same on every day.
pub fn first_difference<T: PartialEq>(old: &History<T>, new: &History<T>) -> Option<Day> {
    // What holds changes only where an entry of either starts.
    let starts: BTreeSet<Day> = old.0.keys().chain(new.0.keys()).copied().collect();
    starts.into_iter().find(|day| old.at(*day) != new.at(*day))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::calendar::tests::day;
    use super::super::money::Amount;
    use super::*;

    fn eur(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn rates(entries: &[(&str, &str)]) -> History<Amount> {
        entries.iter().map(|(start, amount)| (day(start), eur(amount))).collect()
    }

    #[test]
    fn h12_a_rate_ends_the_day_before_the_next_one_starts() {
        let rates = rates(&[("2026-07-01", "85"), ("2026-01-01", "80")]);
        assert_eq!(rates.at(day("2025-12-31")), None);
        assert_eq!(rates.at(day("2026-01-01")), Some(&eur("80")));
        assert_eq!(rates.at(day("2026-06-30")), Some(&eur("80")));
        assert_eq!(rates.at(day("2026-07-01")), Some(&eur("85")));
        assert_eq!(rates.at(Day::LAST), Some(&eur("85")));
        let ends: Vec<_> = rates.entries().map(|entry| (entry.start, entry.end, *entry.value)).collect();
        assert_eq!(
            ends,
            [(day("2026-01-01"), Some(day("2026-06-30")), eur("80")), (day("2026-07-01"), None, eur("85")),]
        );
    }

    #[test]
    fn h12_the_rate_of_today_knows_when_it_ends() {
        let rates = rates(&[("2026-01-01", "80"), ("2026-07-01", "85"), ("9999-12-31", "90")]);
        let current =
            |today: &str| rates.current(day(today)).map(|entry| (entry.start, entry.end, *entry.value));
        assert_eq!(current("2025-12-31"), None);
        assert_eq!(current("2026-03-01"), Some((day("2026-01-01"), Some(day("2026-06-30")), eur("80"))));
        assert_eq!(current("2026-07-01"), Some((day("2026-07-01"), Some(day("9999-12-30")), eur("85"))));
        assert_eq!(current("9999-12-31"), Some((Day::LAST, None, eur("90"))));
    }

    #[test]
    fn h13_an_overwritten_rate_differs_from_its_start_on() {
        let old = rates(&[("2026-01-01", "80"), ("2026-04-01", "85"), ("2026-07-01", "90")]);
        let mut new = old.clone();
        assert_eq!(new.set(day("2026-04-01"), eur("87")), Some(eur("85")));
        assert_eq!(first_difference(&old, &new), Some(day("2026-04-01")));
        assert_eq!((old.len(), new.len()), (3, 3), "one entry for each day");
        assert_eq!(first_difference(&old, &old.clone()), None);
    }

    #[test]
    fn h13_what_is_taken_out_or_put_before_differs_from_there_on() {
        let old = rates(&[("2026-01-01", "80"), ("2026-07-01", "85")]);
        let mut without = old.clone();
        assert_eq!(without.remove(day("2026-07-01")), Some(eur("85")));
        assert_eq!(first_difference(&old, &without), Some(day("2026-07-01")));
        let mut earlier = old.clone();
        assert_eq!(earlier.set(day("2025-01-01"), eur("80")), None);
        assert_eq!(first_difference(&old, &earlier), Some(day("2025-01-01")));
        assert_eq!(first_difference(&old, &History::new()), Some(day("2026-01-01")));
    }

    #[test]
    fn h13_an_entry_that_repeats_the_one_before_changes_nothing() {
        let old = rates(&[("2026-01-01", "80")]);
        let mut new = old.clone();
        assert_eq!(new.set(day("2026-07-01"), eur("80.00")), None);
        assert_ne!(old, new);
        assert_eq!(first_difference(&old, &new), None);
    }

    /// The day so many days after a leap day's eve.
    fn nth(number: u8) -> Day {
        let mut day = day("2024-02-28");
        for _ in 0..number {
            day = day.day_after().unwrap();
        }
        day
    }

    /// Entries in any order, with days that come twice.
    fn lists() -> impl Strategy<Value = Vec<(u8, u8)>> {
        proptest::collection::vec((0..20_u8, 0..3_u8), 0..8)
    }

    fn history(list: &[(u8, u8)]) -> History<u8> {
        list.iter().map(|(start, value)| (nth(*start), *value)).collect()
    }

    /// What a list says of a day: the last entry with the latest start that is not after it.
    fn naive(list: &[(u8, u8)], number: u8) -> Option<u8> {
        let started = list.iter().filter(|(start, _)| *start <= number);
        started.max_by_key(|(start, _)| *start).map(|(_, value)| *value)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn h12_every_day_has_what_the_latest_entry_before_it_says(list in lists()) {
            let history = history(&list);
            for number in 0..25 {
                prop_assert_eq!(history.at(nth(number)).copied(), naive(&list, number));
            }
        }

        #[test]
        fn h12_entries_cover_every_day_once_from_the_first_start_on(list in lists()) {
            let history = history(&list);
            prop_assert_eq!(history.entries().count(), history.len());
            for number in 0..25 {
                let day = nth(number);
                let holding: Vec<_> = history.entries().filter(|entry| entry.holds_on(day)).collect();
                let is_covered = list.iter().any(|(start, _)| *start <= number);
                prop_assert_eq!(holding.len(), usize::from(is_covered), "{}", day);
                prop_assert_eq!(history.current(day), holding.first().copied());
                prop_assert_eq!(history.at(day), holding.first().map(|entry| entry.value));
            }
        }

        #[test]
        fn h13_the_first_difference_is_the_first_day_that_differs(old in lists(), new in lists(), same in any::<bool>()) {
            // Half of the time the second is the first with a few changes.
            let new: Vec<(u8, u8)> = if same { old.iter().chain(new.iter().take(1)).copied().collect() } else { new };
            let expected = (0..25).find(|number| naive(&old, *number) != naive(&new, *number)).map(nth);
            prop_assert_eq!(first_difference(&history(&old), &history(&new)), expected);
        }
    }
}
