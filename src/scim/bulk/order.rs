//! In which order things can be done that need each other.
//!
//! What was sent first is done first, unless it needs something that was sent later. What needs each other in a circle is one
//! step (Tarjan's strongly connected components), and steps are taken by the lowest place that is ready (Kahn's algorithm).

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// One thing, all of whose needs have been met.
    One(usize),
    /// Things that need each other, or one that needs itself. Ordered so that few come before what they need.
    Circle(Vec<usize>),
}

impl Step {
    /// Lists what is done in the step.
    pub fn places(&self) -> &[usize] {
        match self {
            Self::One(place) => std::slice::from_ref(place),
            Self::Circle(places) => places,
        }
    }
}

/// Orders things by what they need: `needs[3]` lists the places of what must be there before the fourth can be done.
///
/// The search goes as deep as the longest chain of needs, which the number of operations in a request bounds.
pub fn steps(needs: &[BTreeSet<usize>]) -> Vec<Step> {
    let mut search = Search {
        needs,
        seen: vec![Seen::default(); needs.len()],
        open: Vec::new(),
        met: 0,
        circles: Vec::new(),
    };
    for place in 0..needs.len() {
        if search.seen(place).met == 0 {
            search.visit(place);
        }
    }
    let Search { circles, .. } = search;
    in_order(needs, circles)
}

/// Takes the steps whose needs are met, the one with the lowest place first.
fn in_order(needs: &[BTreeSet<usize>], circles: Vec<Vec<usize>>) -> Vec<Step> {
    let mut step_of = vec![0; needs.len()];
    for (number, circle) in circles.iter().enumerate() {
        for place in circle {
            if let Some(step) = step_of.get_mut(*place) {
                *step = number;
            }
        }
    }
    let mut waiting = vec![0_usize; circles.len()];
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); circles.len()];
    for (number, circle) in circles.iter().enumerate() {
        let wanted = circle.iter().filter_map(|place| needs.get(*place)).flatten();
        let before: BTreeSet<usize> =
            wanted.filter_map(|place| step_of.get(*place).copied()).filter(|step| *step != number).collect();
        if let Some(count) = waiting.get_mut(number) {
            *count = before.len();
        }
        for step in before {
            if let Some(list) = needed_by.get_mut(step) {
                list.push(number);
            }
        }
    }
    let first = |number: usize| circles.get(number).and_then(|circle| circle.iter().min().copied());
    let mut ready: BinaryHeap<Reverse<(Option<usize>, usize)>> = waiting
        .iter()
        .enumerate()
        .filter(|(_, count)| **count == 0)
        .map(|(number, _)| Reverse((first(number), number)))
        .collect();
    let mut steps = Vec::with_capacity(circles.len());
    while let Some(Reverse((_, number))) = ready.pop() {
        steps.extend(circles.get(number).map(|circle| step(needs, circle)));
        for next in needed_by.get(number).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(*next) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    ready.push(Reverse((first(*next), *next)));
                }
            }
        }
    }
    steps
}

fn step(needs: &[BTreeSet<usize>], circle: &[usize]) -> Step {
    match circle {
        [only] if !needs.get(*only).is_some_and(|needs| needs.contains(only)) => Step::One(*only),
        circle => Step::Circle(circle.to_vec()),
    }
}

/// What the search knows of a place.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// When it was met, from 1; 0 while it was not.
    met: usize,
    /// The earliest place still open that can be reached from it, by when that was met.
    lowest: usize,
    open: bool,
}

/// Tarjan's search.
struct Search<'a> {
    needs: &'a [BTreeSet<usize>],
    seen: Vec<Seen>,
    open: Vec<usize>,
    met: usize,
    circles: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn seen(&self, place: usize) -> Seen {
        self.seen.get(place).copied().unwrap_or_default()
    }

    fn set(&mut self, place: usize, change: impl FnOnce(&mut Seen)) {
        if let Some(seen) = self.seen.get_mut(place) {
            change(seen);
        }
    }

    fn visit(&mut self, place: usize) {
        self.met = self.met.saturating_add(1);
        let met = self.met;
        self.set(place, |seen| *seen = Seen { met, lowest: met, open: true });
        self.open.push(place);
        let needs = self.needs;
        for next in needs.get(place).into_iter().flatten().copied().filter(|next| *next < needs.len()) {
            let reached = match self.seen(next) {
                Seen { met: 0, .. } => {
                    self.visit(next);
                    self.seen(next).lowest
                }
                Seen { met, open: true, .. } => met,
                Seen { .. } => continue,
            };
            self.set(place, |seen| seen.lowest = seen.lowest.min(reached));
        }
        if self.seen(place).lowest == met {
            let mut circle = Vec::new();
            while let Some(last) = self.open.pop() {
                self.set(last, |seen| seen.open = false);
                circle.push(last);
                if last == place {
                    break;
                }
            }
            // Popped in the opposite of the order of the search: what is needed comes before what needs it, as far as a circle allows.
            self.circles.push(circle);
        }
    }
}
