//! The ratios that count, beside what they must be (the rows P of the requirements).

use std::collections::BTreeSet;

use super::figures::{BULK, Bound, Footprint, Goal, Opened, Row, Storage, Turn, Who, case};
use super::plan::SMALL_GROUP;

/// Computes every ratio whose two sides were measured.
pub(super) fn goals(
    rows: &[Row],
    daemons: &[Footprint],
    storage: Option<&Storage>,
    cache_bytes: usize,
) -> Vec<Goal> {
    let found = Found(rows);
    let mut goals = Vec::new();
    found.reads(&mut goals);
    found.writes(&mut goals);
    found.database(&mut goals);
    found.growth(&mut goals);
    found.pages(&mut goals);
    found.groups(&mut goals);
    found.meanwhile(&mut goals);
    found.scans(&mut goals);
    found.fairness(&mut goals);
    found.hanging(&mut goals);
    found.plugged(&mut goals);
    found.steady(&mut goals);
    found.synchronisation(&mut goals);
    memory(daemons, cache_bytes, &mut goals);
    if let Some(storage) = storage {
        disk(storage, &mut goals);
    }
    goals
}

/// What must be reached, and what is hoped for.
type Bounds = (Bound, Bound);

const fn share(must: f64, hoped: f64) -> Bounds {
    (Bound::ShareAtLeast(must), Bound::ShareAtLeast(hoped))
}

const fn times(must: f64, hoped: f64) -> Bounds {
    (Bound::TimesAtMost(must), Bound::TimesAtMost(hoped))
}

/// Every measurement.
struct Found<'a>(&'a [Row]);

impl<'a> Found<'a> {
    /// P1, P2, P19: reads against a server that only answers.
    fn reads(&self, goals: &mut Vec<Goal>) {
        let loads = [
            ("P1", case::GET, share(0.5, 0.7)),
            ("P2", case::FIND, share(0.4, 0.6)),
            ("P2", case::FIND_EXTERNAL, share(0.4, 0.6)),
            ("P19", case::VERIFY, share(0.4, 0.6)),
        ];
        for (row, name, bounds) in loads {
            for (ours, bare) in self.pairs(name, Who::BareHyper) {
                let of = format!("{} against bare hyper", at(ours));
                goals.push(goal(row, format!("{of}, by server CPU"), ratios(bare, ours, cpu), bounds));
                goals.push(goal(row, format!("{of}, by throughput"), ratios(ours, bare, SPEED), bounds));
            }
        }
    }

    /// P3, P4: writes against a server that parses and serialises, and creates against the engine.
    fn writes(&self, goals: &mut Vec<Goal>) {
        for name in [case::CREATE, case::ACTIVATE, case::PUT] {
            for (ours, echo) in self.pairs(name, Who::PostEcho) {
                let what = format!("{}, server CPU against the POST echo", at(ours));
                goals.push(goal("P3", what, ratios(ours, echo, cpu), times(10.0, 5.0)));
            }
        }
        let pairs = self.pairs(case::CREATE, Who::Engine).into_iter();
        // The engine works on a copy of one daemon's folder, and is compared with that daemon.
        for (ours, engine) in pairs.filter(|(ours, engine)| ours.case.users == engine.case.users) {
            let bounds = if ours.case.connections == 1 { share(0.7, 0.9) } else { share(0.6, 0.8) };
            let what = format!("durable creates at {} against the engine alone", ours.case.connections);
            goals.push(goal("P4", what, ratios(ours, engine, SPEED), bounds));
        }
    }

    /// P5: whole requests against a database that does as little as it can.
    fn database(&self, goals: &mut Vec<Goal>) {
        for (ours, theirs) in self.pairs(case::DURABLE, Who::Postgres) {
            let what = format!(
                "durable creates at {} against PostgreSQL inserting a document, {}",
                ours.case.connections,
                users(ours)
            );
            goals.push(goal("P5", what, ratios(ours, theirs, SPEED), share(0.5, 1.0)));
        }
    }

    /// P7: the same request with fewer and with more users.
    fn growth(&self, goals: &mut Vec<Goal>) {
        let reads = [case::GET, case::FIND, case::FIND_EXTERNAL].map(|name| (name, times(2.0, 1.3)));
        let writes = [case::ACTIVATE, case::PUT, case::CREATE].map(|name| (name, times(2.5, 1.5)));
        for (name, bounds) in reads.into_iter().chain(writes) {
            let mut connections: Vec<usize> = self.ours(name).map(|row| row.case.connections).collect();
            connections.sort_unstable();
            connections.dedup();
            for connections in connections {
                let mut sizes: Vec<&Row> =
                    self.ours(name).filter(|row| row.case.connections == connections).collect();
                sizes.sort_by_key(|row| row.case.users);
                if let [few, .., many] = sizes.as_slice() {
                    let (few_users, users) = (count(few.case.users), count(many.case.users));
                    let what =
                        format!("{name} at {connections}, {users} users against {few_users}, by server CPU");
                    goals.push(goal("P7", what, ratios(many, few, cpu), bounds));
                }
            }
        }
    }

    /// P8: a page anywhere in a long list against the first page of a short one.
    fn pages(&self, goals: &mut Vec<Goal>) {
        let first = self.ours(case::FIRST_PAGE).min_by_key(|row| row.case.users);
        let Some(first) = first else { return };
        let names = [
            case::FIRST_PAGE,
            case::MIDDLE_PAGE,
            case::LAST_PAGE,
            case::FIRST_BY_CURSOR,
            case::MIDDLE_BY_CURSOR,
            case::LAST_BY_CURSOR,
        ];
        for row in names.into_iter().flat_map(|name| self.ours(name)).filter(|row| row.case != first.case) {
            let of = format!("{} against the first of {}", row.case, count(first.case.users));
            goals.push(goal("P8", format!("{of}, by server CPU"), ratios(row, first, cpu), times(2.0, 1.2)));
        }
    }

    /// P9, P10: groups of different sizes, and more or fewer members in one request.
    fn groups(&self, goals: &mut Vec<Goal>) {
        let names = [
            (case::MOVE, "PATCH of one member"),
            (case::GET_GROUP, "GET without members"),
            (case::FIND_GROUP, "filter without members"),
        ];
        for (name, what) in names {
            let sizes: Vec<&Row> = self.ours(name).collect();
            if let [small, large] = sizes.as_slice() {
                let (few, many) = (count(small.case.members), count(large.case.members));
                // Not by p50: a PATCH waits for the disk, and so for the neighbours.
                let what = format!("{what}, {many} members against {few}, by server CPU");
                goals.push(goal("P9", what, ratios(large, small, cpu), times(1.5, 1.1)));
            }
        }
        for many in self.ours(case::MOVE_MANY) {
            let one = self.ours(case::MOVE).find(|row| row.case.members == many.case.members);
            if let Some(one) = one {
                let members = count(many.case.members);
                let what = format!(
                    "a member among 100 in one PATCH against one alone, {members} members, by server CPU"
                );
                let turns = ratios(many, one, cpu).into_iter().map(|ratio| ratio / 100.0).collect();
                goals.push(goal("P10", what, turns, times(0.2, 0.1)));
            }
        }
        let loaded = self.ours(case::LOAD_GROUP).max_by_key(|row| row.case.members);
        // The small group is made by other loads as well, and says nothing.
        let loaded = loaded.filter(|loaded| count(loaded.case.members) > SMALL_GROUP);
        if let Some(loaded) = loaded {
            let what = format!("{} members loaded durably", count(loaded.case.members));
            let bounds = (Bound::SecondsAtMost(60.0), Bound::SecondsAtMost(20.0));
            goals.push(goal("P10", what, vec![loaded.seconds], bounds));
        }
    }

    /// P11, P12: what large requests do to small ones meanwhile, and to the memory.
    fn meanwhile(&self, goals: &mut Vec<Goal>) {
        let beside = self.ours(case::GET_BESIDE_ALL).next();
        if let Some(beside) = beside {
            let what = format!("more memory while GETs of {} members run", count(beside.case.members));
            let bounds = (Bound::MegabytesAtMost(16.0), Bound::MegabytesAtMost(4.0));
            let turns = beside.turns.iter().filter_map(|turn| megabytes(turn.grew_kib?)).collect();
            goals.push(goal("P11", what, turns, bounds));
        }
        let pairs = [
            ("P11", case::GET_BESIDE_ALL, case::GET_BEFORE_ALL, "full GETs of a large group"),
            ("P12", case::GET_BESIDE_SCANS, case::GET_BEFORE_SCANS, "filters without an index"),
        ];
        for (row, beside, alone, what) in pairs {
            if let (Some(beside), Some(alone)) = (self.ours(beside).next(), self.ours(alone).next()) {
                let what = format!("p99 of L2 beside {what} against alone, {}", users(beside));
                goals.push(goal(row, what, ratios(beside, alone, SLOWEST), times(2.0, 1.3)));
            }
        }
    }

    /// R25: what one tenant feels of another.
    fn fairness(&self, goals: &mut Vec<Goal>) {
        let pairs = [
            ("L2", case::GET_BESIDE_NEIGHBOUR, case::GET_BEFORE_NEIGHBOUR),
            ("L7", case::PUT_BESIDE_NEIGHBOUR, case::PUT_BEFORE_NEIGHBOUR),
        ];
        for (load, beside, alone) in pairs {
            if let (Some(beside), Some(alone)) = (self.ours(beside).next(), self.ours(alone).next()) {
                let what =
                    format!("p99 of a tenant's {load} while another sends as many as it can, against alone");
                // No more is hoped for than must be.
                goals.push(goal("R25", what, ratios(beside, alone, SLOWEST), times(3.0, 3.0)));
            }
        }
    }

    /// P13: what is due at a fixed pace, against the disk.
    fn steady(&self, goals: &mut Vec<Goal>) {
        let mut flushes = self.0.iter().filter(|row| row.who == Who::Append && row.case.name == case::MIXED);
        if let (Some(ours), Some(flush)) = (self.ours(case::MIXED).next(), flushes.next()) {
            let what = format!("p99 of {} against the p50 of one fdatasync", ours.case);
            let turns = ours.turns.iter().zip(&flush.turns);
            let turns = turns.filter_map(|(ours, flush)| ratio(Some(ours.p99_us), Some(flush.p50_us)));
            goals.push(goal("P13", what, turns.collect(), times(5.0, 3.0)));
            // What nothing on this disk could be better than.
            if let Some(alone) = self.0.iter().find(|row| row.case.name == case::MIXED_FLUSHES) {
                let turns = alone.turns.iter().zip(&flush.turns);
                let turns = turns.filter_map(|(alone, flush)| ratio(Some(alone.p99_us), Some(flush.p50_us)));
                let what =
                    "the same of the disk alone: the flushes when they are due, and no daemon".to_owned();
                goals.push(goal("P13", what, turns.collect(), times(5.0, 3.0)));
            }
        }
    }

    /// P14: the last of a first synchronisation against the first.
    fn synchronisation(&self, goals: &mut Vec<Goal>) {
        if let (Some(first), Some(last)) =
            (self.ours(case::SYNC_BEGINS).next(), self.ours(case::SYNC_ENDS).next())
        {
            let what = format!("first sync of {}, last tenth against the first", users(last));
            let bounds = share(0.8, 0.95);
            goals.push(goal("P14", format!("{what}, by rate"), ratios(last, first, SPEED), bounds));
            goals.push(goal("P14", format!("{what}, by server CPU"), ratios(first, last, cpu), bounds));
        }
    }

    /// R30: what somebody who is signed in feels of providers that hang.
    fn hanging(&self, goals: &mut Vec<Goal>) {
        let (alone, beside) = (self.ours(case::VERIFY_BEFORE_HANG), self.ours(case::VERIFY_BESIDE_HANG));
        if let (Some(alone), Some(beside)) = (alone.last(), beside.last()) {
            let what = "p99 of /auth/verify while identity providers hang, against alone".to_owned();
            goals.push(goal("R30", what, ratios(beside, alone, SLOWEST), times(1.5, 1.1)));
        }
    }

    /// P17: what a plugin adds to a create.
    #[expect(clippy::cast_precision_loss, reason = "a small constant")]
    fn plugged(&self, goals: &mut Vec<Goal>) {
        let pairs = [
            (case::CREATE_PLAIN, case::CREATE_PLUGGED, "alone", 1, 45.0),
            (case::BULK_PLAIN, case::BULK_PLUGGED, "in a Bulk request", BULK, 15.0),
        ];
        for (plain, plugged, how, creates, hoped) in pairs {
            for (plain, plugged) in self.ours(plain).zip(self.ours(plugged)) {
                let turns = plain.turns.iter().zip(&plugged.turns);
                let added = |(plain, plugged)| Some((cpu(plugged)? - cpu(plain)?) / creates as f64);
                let (at, users) = (plugged.case.connections, users(plugged));
                let what = format!("server CPU that a plugin adds to a create {how} at {at}, {users}");
                let bounds = (Bound::MicrosecondsAtMost(60.0), Bound::MicrosecondsAtMost(hoped));
                goals.push(goal("P17", what, turns.filter_map(added).collect(), bounds));
            }
        }
    }

    /// P12: a user read against a user parsed.
    fn scans(&self, goals: &mut Vec<Goal>) {
        let Some(parsed) = self.0.iter().find(|row| row.who == Who::Parse) else { return };
        for name in [case::SCAN, case::SCAN_NARROWED, case::SCAN_REFUSED] {
            for scan in self.ours(name) {
                let Some(read) = scan.case.read.filter(|read| *read > 0) else { continue };
                let what = format!("{}, CPU per user of {read} against serde_json parsing one", scan.case);
                let bounds = (Bound::ShareAtMost(0.25), Bound::ShareAtMost(0.1));
                #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
                let turns = ratios(scan, parsed, cpu).into_iter().map(|ratio| ratio / read as f64).collect();
                goals.push(goal("P12", what, turns, bounds));
            }
        }
    }

    /// The daemons' measurements of a load.
    fn ours(&self, name: &'static str) -> impl Iterator<Item = &'a Row> + use<'a> {
        self.0.iter().filter(move |row| row.who == Who::Rosterd && row.case.name == name)
    }

    /// Pairs the daemons' measurements of a load with a reference's at as many connections.
    fn pairs(&self, name: &'static str, with: Who) -> Vec<(&'a Row, &'a Row)> {
        let of = |connections| {
            let mut references = self.0.iter().filter(|row| row.who == with && row.case.name == name);
            references.find(|row| row.case.connections == connections)
        };
        self.ours(name).filter_map(|ours| Some((ours, of(ours.case.connections)?))).collect()
    }
}

/// Users of a daemon of which one asks what each takes.
const USERS_TO_DIVIDE_BY: usize = 1_000_000;

#[expect(clippy::cast_precision_loss, reason = "bytes for people")]
fn bytes_each(kib: u64, users: usize) -> f64 {
    kib as f64 * 1024.0 / users.max(1) as f64
}

/// Says what a daemon has beside its people, behind what is said of it.
pub(super) fn with(beside: &str) -> String {
    if beside.is_empty() { String::new() } else { format!(", with {beside}") }
}

/// P15.
fn memory(daemons: &[Footprint], cache_bytes: usize, goals: &mut Vec<Goal>) {
    let bounds = (Bound::MegabytesAtMost(30.0), Bound::MegabytesAtMost(15.0));
    for beside in daemons.iter().map(|daemon| daemon.beside).collect::<BTreeSet<_>>() {
        let alike = daemons.iter().filter(|daemon| daemon.beside == beside);
        let empty: Vec<f64> = alike.filter_map(|daemon| megabytes(daemon.idle_empty_kib)).collect();
        goals.push(goal("P15", format!("memory idle, on an empty folder{}", with(beside)), empty, bounds));
    }
    for daemon in daemons {
        let what = format!("memory idle, {} users{}", daemon.users, with(daemon.beside));
        goals.push(goal("P15", what, megabytes(daemon.idle_kib).into_iter().collect(), bounds));
        // Of fewer, what each of them takes is lost in what the daemon takes anyhow.
        if daemon.users >= USERS_TO_DIVIDE_BY {
            let cache_kib = (cache_bytes >> 10) as u64;
            // Of a cache that is not full nobody knows how much of the memory is its.
            let Some(beyond) = daemon.end_kib.saturating_sub(daemon.idle_empty_kib).checked_sub(cache_kib)
            else {
                continue;
            };
            let what =
                format!("memory at the end for each of {} users, beyond the cache", daemon.users_at_end);
            let each = bytes_each(beyond, daemon.users_at_end);
            let bounds = (Bound::BytesAtMost(256.0), Bound::BytesAtMost(96.0));
            goals.push(goal("P15", what, vec![each], bounds));
        }
    }
}

/// P16.
#[expect(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]
fn disk(storage: &Storage, goals: &mut Vec<Goal>) {
    let raw = storage.raw_json_bytes.max(1) as f64;
    let sizes = [
        ("creates", storage.after_creates_bytes, times(2.0, 1.2)),
        ("as many PATCHes", storage.after_patches_bytes, times(3.0, 1.5)),
    ];
    for (after, bytes, bounds) in sizes {
        let what = format!("disk of {} users after {after} against their JSON", storage.users);
        goals.push(goal("P16", what, vec![bytes as f64 / raw], bounds));
    }
    let milliseconds = |must, hoped| (Bound::MillisecondsAtMost(must), Bound::MillisecondsAtMost(hoped));
    let starts = [
        ("a stop", &storage.after_stop, milliseconds(100.0, 10.0)),
        ("a kill", &storage.after_kill, milliseconds(500.0, 20.0)),
    ];
    for (after, opened, bounds) in starts {
        let what = |how: &str| format!("{how} with {} users after {after}", storage.users);
        let of = |which: fn(&Opened) -> f64| opened.iter().map(which).collect();
        goals.push(goal("P16", what("from start to first answer"), of(|one| one.ready_ms), bounds));
        goals.push(goal("P16", what("opening the store alone"), of(|one| one.store_ms), bounds));
    }
}

fn goal(row: &'static str, what: String, mut turns: Vec<f64>, (must, hoped): Bounds) -> Goal {
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

/// Divides turn by turn: neighbours in time had the same neighbours on the machine.
fn ratios(above: &Row, below: &Row, of: fn(&Turn) -> Option<f64>) -> Vec<f64> {
    let pairs = above.turns.iter().zip(&below.turns);
    pairs.filter_map(|(above, below)| ratio(of(above), of(below))).collect()
}

fn cpu(turn: &Turn) -> Option<f64> {
    turn.cpu_us
}

const SPEED: fn(&Turn) -> Option<f64> = |turn| Some(turn.per_second);
const SLOWEST: fn(&Turn) -> Option<f64> = |turn| Some(turn.p99_us);

fn ratio(above: Option<f64>, below: Option<f64>) -> Option<f64> {
    let (above, below) = (above?, below?);
    (below > 0.0).then(|| above / below)
}

/// Says of what, on how much and with how many connections.
fn at(row: &Row) -> String {
    format!("{} at {}, {}", row.case.name, row.case.connections, users(row))
}

fn users(row: &Row) -> String {
    format!("{} users", count(row.case.users))
}

fn count(count: Option<usize>) -> usize {
    count.unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
fn megabytes(kib: u64) -> Option<f64> {
    (kib > 0).then(|| kib as f64 * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Case;
    use crate::bench::sum::Sum;
    use std::time::Duration;

    /// A measurement of so many requests in a second, each of so much CPU.
    fn row(case: Case, who: Who, requests: usize, cpu_us: u64) -> Row {
        let mut sum = Sum::nothing();
        sum.step(requests, Duration::from_secs(1), Duration::from_micros(cpu_us * requests as u64));
        sum.end_turn();
        sum.row(case, who)
    }

    /// The goals of some measurements, but for those about memory.
    fn shown(rows: &[Row]) -> Vec<(&'static str, String, Option<bool>)> {
        let found = goals(rows, &[], None, 0).into_iter().filter(|goal| goal.row != "P15");
        found.map(|goal| (goal.row, goal.must.show(goal.figure.unwrap()), goal.reached)).collect()
    }

    #[test]
    fn a_ratio_is_taken_between_equal_connections_and_judged() {
        let rows = [
            row(Case::of(case::GET, 16), Who::BareHyper, 1000, 6),
            row(Case::of(case::GET, 16).with_users(1_000), Who::Rosterd, 400, 10),
            row(Case::of(case::CREATE, 1).with_users(1_000), Who::Engine, 1000, 1),
            row(Case::of(case::CREATE, 64).with_users(1_000), Who::Rosterd, 900, 1),
        ];
        assert_eq!(shown(&rows), [("P1", "60 %".into(), Some(true)), ("P1", "40 %".into(), Some(false))]);
    }

    #[test]
    fn growth_is_from_the_fewest_users_to_the_most() {
        let rows = [
            row(Case::of(case::PUT, 16).with_users(10), Who::Rosterd, 10, 10),
            row(Case::of(case::PUT, 16).with_users(1_000), Who::Rosterd, 10, 30),
        ];
        assert_eq!(shown(&rows), [("P7", "3.00 ×".into(), Some(false))]);
    }

    #[test]
    fn a_page_is_compared_with_the_first_one_of_the_shortest_list() {
        let page = |name, users, cpu_us| row(Case::of(name, 4).with_users(users), Who::Rosterd, 10, cpu_us);
        let rows = [
            page(case::FIRST_PAGE, 10, 100),
            page(case::FIRST_PAGE, 1_000, 110),
            page(case::LAST_BY_CURSOR, 1_000, 300),
        ];
        assert_eq!(shown(&rows), [("P8", "1.10 ×".into(), Some(true)), ("P8", "3.00 ×".into(), Some(false))]);
    }

    #[test]
    fn members_and_scanned_users_are_counted_one_by_one() {
        let group = |name, members, cpu_us| {
            row(Case::of(name, 4).with_users(9).with_members(members), Who::Rosterd, 10, cpu_us)
        };
        let rows = [
            group(case::MOVE, 100, 100),
            group(case::MOVE, 1_000, 120),
            group(case::MOVE_MANY, 1_000, 1_200),
            group(case::LOAD_GROUP, 1_000, 1),
            row(Case::of(case::PARSE, 1), Who::Parse, 10, 5),
            row(Case::of(case::SCAN, 1).with_users(50).reading(50), Who::Rosterd, 10, 500),
            row(Case::of(case::SCAN_REFUSED_AT_ONCE, 1).with_users(99).reading(0), Who::Rosterd, 10, 5),
        ];
        assert_eq!(
            shown(&rows),
            [
                ("P9", "1.20 ×".into(), Some(true)),
                ("P10", "0.10 ×".into(), Some(true)),
                ("P10", "1.0 s".into(), Some(true)),
                ("P12", "200 %".into(), Some(false)),
            ]
        );
    }

    #[test]
    fn one_tenant_s_slowest_requests_are_compared_beside_another_and_alone() {
        let row = |name, micros| {
            let mut sum = Sum::nothing();
            sum.step(1, Duration::from_micros(micros), Duration::from_micros(1));
            sum.end_turn();
            sum.row(Case::of(name, 1).with_users(9), Who::Rosterd)
        };
        let rows = [
            row(case::GET_BEFORE_NEIGHBOUR, 100),
            row(case::GET_BESIDE_NEIGHBOUR, 250),
            row(case::PUT_BEFORE_NEIGHBOUR, 1_000),
            row(case::PUT_BESIDE_NEIGHBOUR, 4_000),
        ];
        let reached: Vec<_> = shown(&rows).into_iter().map(|(row, _, reached)| (row, reached)).collect();
        assert_eq!(reached, [("R25", Some(true)), ("R25", Some(false))]);
    }

    #[test]
    fn the_slowest_of_what_was_due_is_compared_with_a_usual_flush() {
        let row = |who, micros: &[u64]| {
            let mut sum = Sum::nothing();
            micros.iter().for_each(|micros| sum.step(1, Duration::from_micros(*micros), Duration::ZERO));
            sum.end_turn();
            sum.row(Case::of(case::MIXED, 1).with_users(9), who)
        };
        // The one slow flush is not what one flush takes. Of three digits two are shown.
        let rows = [row(Who::Append, &[100, 100, 5_000]), row(Who::Rosterd, &[10, 10, 450])];
        assert_eq!(shown(&rows), [("P13", "4.48 ×".into(), Some(true))]);
        let [flush, ours] = rows;
        let mut alone = row(Who::Append, &[0, 0, 700]);
        alone.case = Case::of(case::MIXED_FLUSHES, 1);
        let both = shown(&[flush, alone, ours]);
        assert_eq!(both, [("P13", "4.48 ×".into(), Some(true)), ("P13", "6.98 ×".into(), Some(false))]);
    }

    #[test]
    fn what_a_million_users_take_in_memory_is_divided_among_them() {
        let daemon = |users| Footprint {
            users,
            users_at_end: users,
            idle_empty_kib: 20_000,
            end_kib: 20_000 + (64 << 10) + 200_000,
            ..Footprint::default()
        };
        let of = |users| {
            let goals = goals(&[], &[daemon(users)], None, 64 << 20).into_iter();
            let each: Vec<_> = goals.filter(|goal| goal.what.contains("for each")).collect();
            each.iter().map(|goal| (goal.must.show(goal.figure.unwrap()), goal.reached)).collect::<Vec<_>>()
        };
        assert_eq!(of(1_000_000), [("205 B".to_owned(), Some(true))]);
        assert_eq!(of(999_999), []);
        let not_full = Footprint { end_kib: 20_000 + (63 << 10), ..daemon(1_000_000) };
        let goals = goals(&[], &[not_full], None, 64 << 20);
        assert!(!goals.iter().any(|goal| goal.what.contains("for each")));
    }

    #[test]
    fn what_a_plugin_adds_is_a_difference_of_the_same_turn_for_each_create() {
        let of = |name, cpu_us| row(Case::of(name, 16).with_users(9), Who::Rosterd, 10, cpu_us);
        let rows = [
            of(case::CREATE_PLAIN, 300),
            of(case::CREATE_PLUGGED, 350),
            of(case::BULK_PLAIN, 5_000),
            of(case::BULK_PLUGGED, 8_500),
        ];
        assert_eq!(shown(&rows), [("P17", "50 µs".into(), Some(true)), ("P17", "70 µs".into(), Some(false))]);
    }

    #[test]
    fn the_disk_is_compared_with_the_json_and_starts_with_what_they_may_take() {
        let opened = |ready_ms| vec![Opened { ready_ms, store_ms: 1.0 }];
        let storage = Storage {
            users: 5,
            raw_json_bytes: 1_000,
            after_creates_bytes: 1_900,
            after_patches_bytes: 3_100,
            after_stop: opened(120.0),
            after_kill: opened(120.0),
        };
        let goals = goals(&[], &[], Some(&storage), 0);
        let shown = goals.iter().filter(|goal| goal.row == "P16");
        let shown: Vec<_> = shown.map(|goal| (goal.must.show(goal.figure.unwrap()), goal.reached)).collect();
        let expected = [
            ("1.90 ×", true),
            ("3.10 ×", false),
            ("120 ms", false),
            ("1 ms", true),
            ("120 ms", true),
            ("1 ms", true),
        ];
        assert_eq!(shown, expected.map(|(figure, reached)| (figure.to_owned(), Some(reached))));
    }

    #[test]
    fn the_last_tenth_of_a_synchronisation_is_compared_with_the_first() {
        let rows = [
            row(Case::of(case::SYNC_BEGINS, 64).with_users(9), Who::Rosterd, 100, 80),
            row(Case::of(case::SYNC_ENDS, 64).with_users(9), Who::Rosterd, 90, 110),
        ];
        assert_eq!(shown(&rows), [("P14", "90 %".into(), Some(true)), ("P14", "73 %".into(), Some(false))]);
    }

    #[test]
    fn creates_are_compared_with_the_engine_on_as_many_users_and_grow_from_the_fewest_to_the_most() {
        let create = |users| Case::of(case::CREATE, 16).with_users(users);
        let rows = [
            row(create(10), Who::Engine, 1000, 1),
            row(create(1), Who::Rosterd, 100, 10),
            row(create(10), Who::Rosterd, 700, 10),
            row(create(100), Who::Rosterd, 100, 20),
        ];
        assert_eq!(shown(&rows), [("P4", "70 %".into(), Some(true)), ("P7", "2.00 ×".into(), Some(true))]);
    }

    #[test]
    fn the_figure_is_the_middle_one_of_the_turns() {
        let three = goal("P9", String::new(), vec![9.0, 1.0, 1.5], times(2.0, 1.0));
        assert_eq!((three.figure, three.spread, three.reached), (Some(1.5), Some((1.0, 9.0)), Some(true)));
        let none = goal("P9", String::new(), vec![], times(2.0, 1.0));
        assert_eq!((none.figure, none.spread, none.reached), (None, None, None));
    }
}
