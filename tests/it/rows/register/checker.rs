//! Whether a recorded history of one resource could have been that of a register which does one thing at a time (R20).
//!
//! Versions are ordered, and every write of a history writes something that no other does. So the order of the acknowledged writes is
//! known, and three things are left to show: that each made of the state before it what it should (with the writes in between whose
//! answer never came, if any), that everybody saw what was there, and that nobody saw less than was finished before they asked.

use std::collections::BTreeMap;

/// What a register holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The unique name, by which the index finds it.
    pub name: String,
    /// An attribute.
    pub title: Option<String>,
    /// Another one.
    pub display: Option<String>,
}

/// What a client asks for. Each text is written once in a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// A PUT of name and title, which leaves nothing else.
    Put { name: String, title: String },
    /// A PATCH of one attribute.
    Name(String),
    /// A PATCH of one attribute.
    Title(String),
    /// A PATCH of one attribute.
    Display(String),
}

impl Write {
    fn on(&self, mut state: State) -> State {
        match self {
            Self::Put { name, title } => {
                return State { name: name.clone(), title: Some(title.clone()), display: None };
            }
            Self::Name(name) => state.name.clone_from(name),
            Self::Title(title) => state.title = Some(title.clone()),
            Self::Display(display) => state.display = Some(display.clone()),
        }
        state
    }

    const fn renames(&self) -> bool {
        matches!(self, Self::Put { .. } | Self::Name(_))
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The resource was made.
    Made { version: u64, state: State },
    /// A write was acknowledged; `given` is what its If-Match named.
    Wrote { write: Write, given: Option<u64>, version: u64, state: State },
    /// The resource was read; without a state where the answer was 304.
    Read { version: u64, state: Option<State> },
    /// Nobody was found by this name.
    Nobody { name: String },
    /// A write was refused, because the version was not the one given.
    Stale { given: u64 },
    /// The answer to a write never came, because the process was killed.
    Unknown { write: Write, given: Option<u64> },
}

/// One request: when it was sent, when its answer was there (or the process was gone), and what came of it.
#[derive(Debug, Clone)]
pub struct Event {
    /// A moment before the request was sent.
    pub from: u64,
    /// A moment after its answer was there.
    pub to: u64,
    /// What came of it.
    pub seen: Seen,
}

/// A version that somebody saw, and how it came to be.
struct Moment<'a> {
    version: u64,
    state: State,
    /// The acknowledged write that made it; none when its answer never came.
    by: Option<(&'a Write, Option<u64>)>,
}

impl Moment<'_> {
    /// Tells whether this is what became of a state; `version` is none where a doubt made the state.
    fn follows(&self, state: &State, version: Option<u64>) -> bool {
        match self.by {
            Some((write, given)) => {
                (given.is_none() || given == version) && write.on(state.clone()) == self.state
            }
            None => version.is_none() && *state == self.state,
        }
    }
}

/// A write whose answer never came.
struct Doubt<'a> {
    write: &'a Write,
    given: Option<u64>,
    /// The newest version that somebody had seen before it was sent: it is not older.
    after: u64,
    /// The oldest version that somebody saw who asked when the process was gone: it is not newer, if it was carried out at all.
    until: u64,
}

/// Says why the history cannot be that of a register; the events are of one resource.
pub fn check(events: &[Event]) -> Result<(), String> {
    let moments = moments(events)?;
    let doubts = doubts(events);
    if !explained(&moments, 1, &doubts, &mut vec![false; doubts.len()]) {
        return Err(
            "the writes, in the order of their versions, do not make the states that were seen".into()
        );
    }
    let mut placed = placed(events);
    in_time(&placed)?;
    // In the order of their answers each takes the earliest place that it can, which leaves most to those after it.
    let mut unplaced: Vec<&Event> = events
        .iter()
        .filter(|event| matches!(event.seen, Seen::Nobody { .. } | Seen::Stale { .. }))
        .collect();
    unplaced.sort_by_key(|event| event.to);
    for event in unplaced {
        let (least, most) = bounds(event, &placed);
        let fits = |moment: &&Moment<'_>| match &event.seen {
            Seen::Nobody { name } => moment.state.name != *name,
            Seen::Stale { given } => moment.version != *given,
            _ => true,
        };
        let found = moments.iter().filter(|moment| (least..=most).contains(&moment.version)).find(fits);
        match (found, &event.seen) {
            (Some(moment), _) => placed.push((event.from, event.to, moment.version, false)),
            // A write whose answer never came may have been in effect, and overwritten before anybody saw it.
            (None, Seen::Nobody { .. }) if overlaps(event, events, true) => {}
            (None, Seen::Stale { .. }) if overlaps(event, events, false) => {}
            (None, _) => {
                return Err(format!("{event:?} saw none of the states between versions {least} and {most}"));
            }
        }
    }
    in_time(&placed)
}

/// Lists the versions that were seen; fails where two saw different states of one, or two writes made one.
fn moments(events: &[Event]) -> Result<Vec<Moment<'_>>, String> {
    let mut states: BTreeMap<u64, State> = BTreeMap::new();
    let mut makers = BTreeMap::new();
    let mut shown = Vec::new();
    for event in events {
        let (version, state) = match &event.seen {
            Seen::Made { version, state } => (*version, Some(state)),
            Seen::Wrote { write, given, version, state } => {
                if makers.insert(*version, (write, *given)).is_some() {
                    return Err(format!("two writes made version {version}"));
                }
                (*version, Some(state))
            }
            Seen::Read { version, state } => (*version, state.as_ref()),
            Seen::Nobody { .. } | Seen::Stale { .. } | Seen::Unknown { .. } => continue,
        };
        shown.push(version);
        if let Some(state) = state {
            let known = states.entry(version).or_insert_with(|| state.clone());
            if known != state {
                return Err(format!("version {version} was seen as {known:?} and as {state:?}"));
            }
        }
    }
    if let Some(version) = shown.into_iter().find(|version| !states.contains_key(version)) {
        return Err(format!("version {version} was confirmed, and never shown to anybody"));
    }
    let moment = |(version, state)| Moment { version, state, by: makers.get(&version).copied() };
    Ok(states.into_iter().map(moment).collect())
}

fn doubts(events: &[Event]) -> Vec<Doubt<'_>> {
    let placed = placed(events);
    let doubt = |event| match event {
        &Event { from, to, seen: Seen::Unknown { ref write, given } } => {
            let before = placed.iter().filter(|(_, answered, ..)| *answered < from);
            let behind = placed.iter().filter(|(sent, ..)| *sent > to);
            Some(Doubt {
                write,
                given,
                after: before.map(|(_, _, version, _)| *version).max().unwrap_or(0),
                until: behind.map(|(_, _, version, _)| *version).min().unwrap_or(u64::MAX),
            })
        }
        _ => None,
    };
    events.iter().filter_map(doubt).collect()
}

impl Doubt<'_> {
    /// Tells whether it may have been carried out between two versions that follow each other in what was seen.
    const fn fits(&self, before: u64, now: u64) -> bool {
        self.after <= before && self.until >= now
    }
}

/// Tells whether the moments from `at` on follow from each other, with some of the unused doubts carried out in between.
fn explained(moments: &[Moment<'_>], mut at: usize, doubts: &[Doubt<'_>], used: &mut [bool]) -> bool {
    while let Some([before, now]) = moments.get(at - 1..=at) {
        let fits = |number: usize| !used[number] && doubts[number].fits(before.version, now.version);
        if (0..doubts.len()).any(fits) {
            return between(moments, at, doubts, used, before.state.clone(), Some(before.version));
        }
        if !now.follows(&before.state, Some(before.version)) {
            return false;
        }
        at += 1;
    }
    true
}

/// The same, where doubts may have been carried out since the moment before; `version` is that of the state, where it is known.
fn between(
    moments: &[Moment<'_>],
    at: usize,
    doubts: &[Doubt<'_>],
    used: &mut [bool],
    state: State,
    version: Option<u64>,
) -> bool {
    let (before, now) = (&moments[at - 1], &moments[at]);
    if now.follows(&state, version) && explained(moments, at + 1, doubts, used) {
        return true;
    }
    for (number, doubt) in doubts.iter().enumerate() {
        let holds = doubt.given.is_none() || doubt.given == version;
        if used[number] || !holds || !doubt.fits(before.version, now.version) {
            continue;
        }
        used[number] = true;
        if between(moments, at, doubts, used, doubt.write.on(state.clone()), None) {
            return true;
        }
        used[number] = false;
    }
    false
}

/// When a request was sent and answered, the version that it is about, and whether it made that version.
type Placed = (u64, u64, u64, bool);

fn placed(events: &[Event]) -> Vec<Placed> {
    let place = |event: &Event| match event.seen {
        Seen::Made { version, .. } | Seen::Wrote { version, .. } => {
            Some((event.from, event.to, version, true))
        }
        Seen::Read { version, .. } => Some((event.from, event.to, version, false)),
        _ => None,
    };
    events.iter().filter_map(place).collect()
}

/// Fails where somebody who asked later saw less: nobody may miss what was finished before.
fn in_time(placed: &[Placed]) -> Result<(), String> {
    for later in placed {
        for earlier in placed.iter().filter(|earlier| earlier.1 < later.0) {
            if earlier.2 > later.2 || (earlier.2 == later.2 && later.3) {
                return Err(format!(
                    "version {} was seen until {}, and version {} by a request sent at {}",
                    earlier.2, earlier.1, later.2, later.0
                ));
            }
        }
    }
    Ok(())
}

/// The versions that a request without a version may have been about.
fn bounds(event: &Event, placed: &[Placed]) -> (u64, u64) {
    let least = placed.iter().filter(|(_, to, ..)| *to < event.from).map(|(_, _, version, _)| *version).max();
    let most = placed.iter().filter(|(from, ..)| *from > event.to);
    let most = most.map(|(_, _, version, made)| if *made { version - 1 } else { *version }).min();
    (least.unwrap_or(0), most.unwrap_or(u64::MAX))
}

fn overlaps(event: &Event, events: &[Event], renaming: bool) -> bool {
    events.iter().any(|other| match &other.seen {
        Seen::Unknown { write, .. } => {
            other.from < event.to && event.from < other.to && (write.renames() || !renaming)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(name: &str, title: Option<&str>) -> State {
        State { name: name.into(), title: title.map(Into::into), display: None }
    }

    fn made() -> Event {
        Event { from: 0, to: 1, seen: Seen::Made { version: 1, state: state("a", None) } }
    }

    fn wrote(from: u64, to: u64, write: Write, version: u64, after: State) -> Event {
        Event { from, to, seen: Seen::Wrote { write, given: None, version, state: after } }
    }

    fn read(from: u64, to: u64, version: u64, shown: State) -> Event {
        Event { from, to, seen: Seen::Read { version, state: Some(shown) } }
    }

    fn nobody(from: u64, to: u64, name: &str) -> Event {
        Event { from, to, seen: Seen::Nobody { name: name.into() } }
    }

    fn lost(from: u64, to: u64, write: Write) -> Event {
        Event { from, to, seen: Seen::Unknown { write, given: None } }
    }

    fn titled(text: &str) -> Write {
        Write::Title(text.into())
    }

    fn named(text: &str) -> Write {
        Write::Name(text.into())
    }

    #[test]
    fn what_a_register_does_is_accepted() {
        let put = Write::Put { name: "c".into(), title: "y".into() };
        for history in [
            vec![made(), wrote(2, 5, titled("x"), 4, state("a", Some("x"))), read(3, 4, 1, state("a", None))],
            vec![
                made(),
                wrote(2, 5, named("b"), 4, state("b", None)),
                nobody(3, 4, "b"),
                nobody(3, 4, "a"),
                nobody(6, 7, "a"),
            ],
            // A lost answer whose write was done, was not done, or was done and overwritten.
            vec![made(), lost(2, 9, titled("x")), read(10, 11, 3, state("a", Some("x")))],
            vec![made(), lost(2, 9, titled("x")), read(10, 11, 1, state("a", None))],
            vec![
                made(),
                lost(2, 9, titled("x")),
                wrote(3, 8, named("b"), 4, state("b", Some("x"))),
                read(10, 11, 4, state("b", Some("x"))),
            ],
            vec![
                made(),
                lost(2, 9, named("b")),
                nobody(4, 5, "a"),
                wrote(6, 7, put, 4, state("c", Some("y"))),
            ],
            vec![
                made(),
                Event { from: 2, to: 3, seen: Seen::Stale { given: 1 } },
                wrote(2, 5, titled("x"), 4, state("a", Some("x"))),
            ],
        ] {
            assert_eq!(check(&history), Ok(()), "{history:?}");
        }
    }

    #[test]
    fn what_no_register_does_is_noticed() {
        let x = || wrote(2, 3, titled("x"), 4, state("a", Some("x")));
        let given = |given, version| Event {
            from: 6,
            to: 7,
            seen: Seen::Wrote {
                write: named("b"),
                given: Some(given),
                version,
                state: state("b", Some("x")),
            },
        };
        for (what, history) in [
            ("a stale read", vec![made(), x(), read(4, 5, 1, state("a", None))]),
            ("a lost update", vec![made(), x(), wrote(4, 5, named("b"), 6, state("b", None))]),
            ("an update out of nowhere", vec![made(), x(), read(4, 5, 6, state("a", Some("z")))]),
            ("two states of one version", vec![made(), x(), read(4, 5, 4, state("a", None))]),
            ("a version given twice", vec![made(), x(), wrote(4, 5, named("b"), 4, state("a", Some("x")))]),
            (
                "a version that goes back",
                vec![made(), x(), wrote(4, 5, titled("y"), 3, state("a", Some("y")))],
            ),
            (
                "an index that has not heard yet",
                vec![made(), wrote(2, 3, named("b"), 4, state("b", None)), nobody(4, 5, "b")],
            ),
            (
                "an index that knows too early",
                vec![made(), nobody(2, 3, "a"), wrote(4, 5, named("b"), 4, state("b", None))],
            ),
            (
                "an index that cannot decide",
                vec![
                    made(),
                    wrote(2, 9, named("b"), 4, state("b", None)),
                    nobody(3, 4, "a"),
                    nobody(5, 6, "b"),
                ],
            ),
            (
                "an acknowledged write that a crash undid",
                vec![made(), x(), lost(4, 9, titled("y")), read(10, 11, 1, state("a", None))],
            ),
            (
                "an unknown write that comes and goes",
                vec![
                    made(),
                    lost(2, 9, titled("y")),
                    read(10, 11, 3, state("a", Some("y"))),
                    read(12, 13, 1, state("a", None)),
                ],
            ),
            (
                "an unknown write that comes late",
                vec![
                    made(),
                    lost(2, 9, titled("y")),
                    read(10, 11, 1, state("a", None)),
                    read(12, 13, 5, state("a", Some("y"))),
                ],
            ),
            (
                "an unknown write done before it was sent",
                vec![made(), read(2, 3, 3, state("a", Some("y"))), lost(4, 9, titled("y"))],
            ),
            ("a write on a version that was not the last", vec![made(), x(), given(1, 8)]),
            (
                "a refusal of the version that was there",
                vec![made(), x(), Event { from: 6, to: 7, seen: Seen::Stale { given: 4 } }],
            ),
        ] {
            assert!(check(&history).is_err(), "{what}");
        }
        assert_eq!(check(&[made(), x(), given(4, 8)]), Ok(()));
    }
}
