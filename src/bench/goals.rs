//! The ratios that count, beside what they must be (the rows P of the requirements).

use super::figures::{Bound, Footprint, Goal, Row, Turn, Who};
use super::session::case;

/// Computes every ratio whose two sides were measured.
pub(super) fn goals(rows: &[Row], daemon: &Footprint, members: usize) -> Vec<Goal> {
    let mut goals = Vec::new();
    for (row, load, must, hoped) in [("P1", case::GET, 0.5, 0.7), ("P2", case::FIND, 0.4, 0.6)] {
        let bounds = (Bound::ShareAtLeast(must), Bound::ShareAtLeast(hoped));
        for (ours, bare) in pairs(rows, load, Who::BareHyper) {
            let of = format!("{load} at {} against bare hyper", ours.connections);
            goals.push(goal(row, format!("{of}, by server CPU"), ratios(bare, ours, cpu), bounds));
            goals.push(goal(
                row,
                format!("{of}, by throughput"),
                ratios(ours, bare, |turn| Some(turn.per_second)),
                bounds,
            ));
        }
    }
    let bounds = (Bound::TimesAtMost(10.0), Bound::TimesAtMost(5.0));
    for load in [case::CREATE, case::ACTIVATE] {
        for (ours, echo) in pairs(rows, load, Who::PostEcho) {
            let what = format!("{load} at {}, server CPU against the POST echo", ours.connections);
            goals.push(goal("P3", what, ratios(ours, echo, cpu), bounds));
        }
    }
    for (ours, engine) in pairs(rows, case::CREATE, Who::Engine) {
        let (must, hoped) = if ours.connections == 1 { (0.7, 0.9) } else { (0.6, 0.8) };
        let what = format!("durable creates at {} against the engine alone", ours.connections);
        goals.push(goal(
            "P4",
            what,
            ratios(ours, engine, |turn| Some(turn.per_second)),
            (Bound::ShareAtLeast(must), Bound::ShareAtLeast(hoped)),
        ));
    }
    let bounds = (Bound::TimesAtMost(1.5), Bound::TimesAtMost(1.1));
    let ours = |case: &str| rows.iter().find(|row| row.who == Who::Rosterd && row.case == case);
    for (what, name) in [("PATCH of one member", case::MOVE), ("GET without members", case::GET_GROUP)] {
        let small = ours(&case::of_group(name, super::plan::SMALL_GROUP));
        let large = ours(&case::of_group(name, members));
        if let (Some(small), Some(large)) = (small, large) {
            let what = format!("{what}, {members} members against {}", super::plan::SMALL_GROUP);
            // Not by p50: a PATCH waits for the disk, and so for the neighbours.
            goals.push(goal("P9", format!("{what}, by server CPU"), ratios(large, small, cpu), bounds));
        }
    }
    let bounds = (Bound::MegabytesAtMost(30.0), Bound::MegabytesAtMost(15.0));
    for (what, kib) in [("on an empty folder", daemon.idle_empty_kib), ("with the users", daemon.idle_kib)] {
        goals.push(goal("P15", format!("memory idle, {what}"), megabytes(kib).into_iter().collect(), bounds));
    }
    goals
}

fn goal(row: &'static str, what: String, mut turns: Vec<f64>, (must, hoped): (Bound, Bound)) -> Goal {
    turns.sort_by(f64::total_cmp);
    let figure = median(&turns);
    let spread = turns.first().copied().zip(turns.last().copied());
    let reached = figure.map(|figure| must.is_kept_by(figure));
    Goal { row, what, figure, spread, must, hoped, reached }
}

fn median(sorted: &[f64]) -> Option<f64> {
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get(sorted.len().saturating_sub(1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

/// Pairs the daemon's measurements of a load with a reference's at as many connections.
fn pairs<'a>(rows: &'a [Row], case: &'a str, with: Who) -> impl Iterator<Item = (&'a Row, &'a Row)> {
    let of = move |who| rows.iter().filter(move |row| row.case == case && row.who == who);
    of(Who::Rosterd)
        .filter_map(move |ours| Some((ours, of(with).find(|row| row.connections == ours.connections)?)))
}

/// Divides turn by turn: neighbours in time had the same neighbours on the machine.
fn ratios(above: &Row, below: &Row, of: impl Fn(&Turn) -> Option<f64>) -> Vec<f64> {
    let pairs = above.turns.iter().zip(&below.turns);
    pairs.filter_map(|(above, below)| ratio(of(above), of(below))).collect()
}

fn cpu(turn: &Turn) -> Option<f64> {
    turn.cpu_us
}

fn ratio(above: Option<f64>, below: Option<f64>) -> Option<f64> {
    let (above, below) = (above?, below?);
    (below > 0.0).then(|| above / below)
}

#[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
fn megabytes(kib: u64) -> Option<f64> {
    (kib > 0).then(|| kib as f64 * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::sum::Sum;
    use std::time::Duration;

    /// A measurement of so many requests in a second, each of so much CPU.
    fn row(case: &str, who: Who, connections: usize, requests: usize, cpu_us: u64) -> Row {
        let mut sum = Sum::nothing();
        sum.flush(requests, Duration::from_secs(1), Duration::from_micros(cpu_us * requests as u64));
        sum.end_turn();
        sum.row(case, who, connections)
    }

    #[test]
    fn a_ratio_is_taken_between_equal_connections_and_judged() {
        let rows = [
            row(case::GET, Who::BareHyper, 16, 1000, 6),
            row(case::GET, Who::Rosterd, 16, 400, 10),
            row(case::CREATE, Who::Engine, 1, 1000, 1),
            row(case::CREATE, Who::Rosterd, 64, 900, 1),
        ];
        let found = goals(&rows, &Footprint::default(), 10_000);
        let shown: Vec<_> = found
            .iter()
            .map(|goal| (goal.row, goal.figure.map(|figure| goal.must.show(figure)), goal.reached))
            .collect();
        assert_eq!(
            shown,
            [
                ("P1", Some("60 %".into()), Some(true)),
                ("P1", Some("40 %".into()), Some(false)),
                ("P15", None, None),
                ("P15", None, None),
            ]
        );
    }

    #[test]
    fn the_figure_is_the_middle_one_of_the_turns() {
        let bounds = (Bound::TimesAtMost(2.0), Bound::TimesAtMost(1.0));
        let three = goal("P9", String::new(), vec![9.0, 1.0, 1.5], bounds);
        assert_eq!((three.figure, three.spread, three.reached), (Some(1.5), Some((1.0, 9.0)), Some(true)));
        let none = goal("P9", String::new(), vec![], bounds);
        assert_eq!((none.figure, none.spread, none.reached), (None, None, None));
    }
}
