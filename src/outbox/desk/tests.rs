//! The desk: order, retries, what is set aside; and a long play with crashes.

use std::collections::BTreeMap;

use super::*;
use crate::chance::{Chance, SeededChance};

const PACE: Pace = Pace { attempts_max: 3, first: Duration::from_millis(100), most: Duration::from_secs(10) };

fn desk() -> Desk {
    Desk::of(HookRow { url: "https://a.test/".to_owned(), ..HookRow::default() }, [], PACE)
}

fn resource(number: u8) -> ResourceId {
    ResourceId::from_bytes([number; 16])
}

fn wall(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn at(millis: u64) -> Moment {
    Moment { since_start: Duration::from_millis(millis), wall: wall(0) }
}

fn failure() -> Failure {
    Failure { why: "the receiver answered 500".to_owned(), wait: None }
}

/// Reads events of these resources, numbered from the desk's place on.
fn take(desk: &mut Desk, resources: &[u8]) {
    for &number in resources {
        let seq = Seq(desk.read().0 + 1);
        desk.take(seq, Some((resource(number), wall(0))));
    }
}

fn next(desk: &mut Desk, millis: u64) -> Vec<u64> {
    std::iter::from_fn(|| desk.next(Duration::from_millis(millis))).map(|(_, seq)| seq.0).collect()
}

#[test]
fn a_resource_has_one_event_under_way_and_resources_do_not_wait_for_each_other() {
    let mut desk = desk();
    take(&mut desk, &[1, 1, 2, 1, 3]);
    assert_eq!(next(&mut desk, 0), [1, 3, 5]);
    desk.taken(resource(1));
    assert_eq!(next(&mut desk, 0), [2]);
    desk.taken(resource(3));
    desk.taken(resource(2));
    assert_eq!(next(&mut desk, 0), [] as [u64; 0]);
    assert_eq!((desk.waiting(), desk.due()), (2, None));
}

#[test]
fn what_failed_comes_again_after_a_pause_that_doubles_and_is_spread() {
    assert_eq!(PACE.pause(1, 0), Duration::from_millis(50));
    assert_eq!(PACE.pause(1, u16::MAX), Duration::from_millis(100));
    assert_eq!(PACE.pause(3, u16::MAX), Duration::from_millis(400));
    assert_eq!(PACE.pause(200, u16::MAX), Duration::from_secs(10));
    let mut desk = desk();
    take(&mut desk, &[1]);
    assert_eq!(next(&mut desk, 0), [1]);
    desk.failed(resource(1), failure(), at(0), u16::MAX);
    assert_eq!(next(&mut desk, 99), [] as [u64; 0]);
    assert_eq!(desk.due(), Some(Duration::from_millis(100)));
    assert_eq!(next(&mut desk, 100), [1]);
}

#[test]
fn what_stalls_leaves_places_for_what_does_not() {
    let mut desk = desk();
    let all: Vec<u8> = (1..=20).collect();
    take(&mut desk, &all);
    assert_eq!(next(&mut desk, 0).len(), AT_ONCE_MAX);
    for number in 1..=8 {
        desk.failed(resource(number), failure(), at(0), 0);
    }
    // They are due again, and earlier than the others; half of the places are not for them.
    assert_eq!(next(&mut desk, 10_000), [1, 2, 3, 4, 9, 10, 11, 12]);
}

#[test]
fn a_receiver_that_takes_nothing_is_asked_one_at_a_time_and_nothing_is_set_aside_for_three_days() {
    let mut desk = desk();
    let all: Vec<u8> = (1..=40).collect();
    take(&mut desk, &all);
    let mut now = 0;
    for _ in 0..500 {
        now += 20_000;
        for seq in next(&mut desk, now) {
            let number = u8::try_from(seq).unwrap();
            assert_eq!(desk.failed(resource(number), failure(), at(now), 0), 0);
        }
    }
    assert_eq!((desk.waiting(), desk.set_aside()), (40, 0));
    assert_eq!(next(&mut desk, now + 20_000).len(), 1, "one finds out");
    let later = Moment { since_start: Duration::from_secs(300_000), wall: wall(72 * 3600) };
    let flying = *desk.lanes.iter().find(|(_, lane)| lane.flying).unwrap().0;
    assert_eq!(desk.failed(flying, failure(), later, 0), 1);
}

#[test]
fn retry_after_quiets_the_whole_webhook_and_no_longer_than_the_longest_pause() {
    let mut desk = desk();
    take(&mut desk, &[1, 2]);
    assert_eq!(desk.next(Duration::ZERO), Some((resource(1), Seq(1))));
    let wait = |seconds| Failure { wait: Some(Duration::from_secs(seconds)), ..failure() };
    desk.failed(resource(1), wait(5), at(0), 0);
    assert_eq!(next(&mut desk, 4_999), [] as [u64; 0]);
    assert_eq!(desk.due(), Some(Duration::from_secs(5)));
    assert_eq!(next(&mut desk, 5_000), [1, 2]);
    desk.failed(resource(1), wait(1_000_000), at(5_000), 0);
    assert_eq!(desk.due(), Some(Duration::from_secs(15)));
}

/// Fails the first event of resource 1 until it is set aside, while resource 2 gets through.
fn with_one_aside() -> Desk {
    let mut desk = desk();
    take(&mut desk, &[1, 2, 1]);
    assert_eq!(next(&mut desk, 0), [1, 2]);
    desk.failed(resource(1), failure(), at(0), 0);
    desk.taken(resource(2));
    for millis in [1_000, 2_000] {
        assert_eq!(next(&mut desk, millis), [1]);
        desk.failed(resource(1), failure(), at(millis), 0);
    }
    desk
}

#[test]
fn what_cannot_be_delivered_is_set_aside_with_what_stands_behind_it_also_later() {
    let mut desk = with_one_aside();
    assert_eq!((desk.waiting(), desk.set_aside()), (0, 2));
    take(&mut desk, &[1, 2]);
    assert_eq!(desk.set_aside(), 3, "what comes later stands behind it");
    assert_eq!(next(&mut desk, 3_000), [5], "others go on");
    let (aside, forget) = desk.take_writes();
    assert_eq!(
        aside.iter().map(|(seq, row)| (seq.0, row.attempts)).collect::<Vec<_>>(),
        [(1, 3), (3, 0), (4, 0)]
    );
    assert_eq!(forget, []);
}

#[test]
fn a_replay_keeps_the_order_and_what_comes_meanwhile_comes_after_it() {
    let mut desk = with_one_aside();
    desk.replay(None);
    desk.release();
    assert_eq!((desk.set_aside(), desk.is_releasing()), (0, false));
    take(&mut desk, &[1]);
    for seq in [1, 3, 4] {
        assert_eq!(next(&mut desk, 10_000), [seq]);
        desk.taken(resource(1));
    }
    assert_eq!(desk.take_writes().1, [Seq(1), Seq(3)]);
}

#[test]
fn what_is_given_up_is_forgotten_and_what_stands_behind_it_stays() {
    let mut desk = with_one_aside();
    desk.discard(Seq(1));
    assert_eq!(desk.set_aside(), 1);
    desk.replay(Some(resource(1)));
    desk.release();
    assert_eq!(next(&mut desk, 10_000), [3]);
}

#[test]
fn a_receiver_that_is_gone_is_left_alone_until_somebody_says_otherwise() {
    let mut desk = desk();
    take(&mut desk, &[1, 2]);
    assert_eq!(next(&mut desk, 0), [1, 2]);
    desk.gone(resource(1), "410 Gone", at(0));
    desk.failed(resource(2), failure(), at(0), 0);
    assert_eq!((next(&mut desk, 60_000), desk.room(), desk.due()), (vec![], 0, None));
    let mut again = Desk::of(desk.row(), [], PACE);
    assert_eq!((next(&mut again, 60_000), again.waiting()), (vec![], 2));
    again.replay(None);
    assert_eq!(next(&mut again, 60_000), [1, 2]);
}

#[test]
fn memory_is_bounded_whatever_happens() {
    let mut desk = desk();
    while desk.room() > 0 {
        take(&mut desk, &[1]);
    }
    assert_eq!(desk.waiting(), WINDOW_EVENTS_MAX);
    let row = HookRow::default();
    let lying = (1..=SET_ASIDE_MAX as u64).map(|seq| {
        let row =
            SetAside { resource: resource(1), time: wall(0), at: wall(0), attempts: 0, why: String::new() };
        (Seq(seq), row)
    });
    let full = Desk::of(row, lying, PACE);
    assert_eq!((full.room(), full.is_full()), (0, true));
}

/// What the store would hold.
#[derive(Default)]
struct Kept {
    row: HookRow,
    aside: BTreeMap<Seq, SetAside>,
}

impl Kept {
    fn save(&mut self, desk: &mut Desk) {
        self.row = serde_json::from_slice(&serde_json::to_vec(&desk.row()).unwrap()).unwrap();
        let (aside, forget) = desk.take_writes();
        for seq in forget {
            self.aside.remove(&seq);
        }
        self.aside.extend(aside);
    }

    fn desk(&self) -> Desk {
        Desk::of(self.row.clone(), self.aside.clone(), PACE)
    }
}

/// R16 as a play: changes, failures, replays, and a crash at any point; what was not written down is forgotten.
#[test]
fn r16_nothing_is_left_out_and_the_order_holds_through_failures_replays_and_crashes() {
    for seed in 0..300 {
        let chance = SeededChance::new(seed);
        let dice = |sides: u8| {
            let mut byte = [0];
            chance.fill(&mut byte);
            byte[0] % sides
        };
        let (mut kept, mut log, mut flying) = (Kept::default(), Vec::<u8>::new(), Vec::new());
        let mut taken: BTreeMap<u8, Vec<u64>> = BTreeMap::new();
        let mut desk = kept.desk();
        let mut now = 0;
        let mut calm = false;
        for step in 0.. {
            calm |= step > 600;
            now += u64::from(dice(200));
            if calm {
                now += 20_000;
                desk.replay(None);
            }
            match if calm { 3 } else { dice(10) } {
                0..3 => log.push(dice(5)),
                3 => desk.release(),
                4 => desk.replay(None),
                5 => kept.save(&mut desk),
                6 if dice(3) == 0 => {
                    (desk, flying) = (kept.desk(), vec![]);
                    now = 0;
                }
                _ => {}
            }
            while desk.room() > 0
                && let Some(&number) = log.get(usize::try_from(desk.read().0).unwrap())
            {
                take(&mut desk, &[number]);
            }
            while let Some((resource, seq)) = desk.next(Duration::from_millis(now)) {
                let number = resource.as_bytes()[0];
                let earlier = (1..seq.0).filter(|at| log[usize::try_from(at - 1).unwrap()] == number);
                let so_far = taken.get(&number).cloned().unwrap_or_default();
                assert!(
                    earlier.into_iter().all(|at| so_far.contains(&at)),
                    "seed {seed}: {seq:?} before {so_far:?}"
                );
                flying.push((number, seq.0));
            }
            while !flying.is_empty() && (calm || dice(2) == 0) {
                let (number, seq) = flying.remove(usize::from(dice(u8::try_from(flying.len()).unwrap())));
                if !calm && dice(10) < if number == 0 { 9 } else { 4 } {
                    desk.failed(resource(number), failure(), at(now), 0);
                    continue;
                }
                let so_far = taken.entry(number).or_default();
                if !so_far.contains(&seq) {
                    so_far.push(seq);
                }
                desk.taken(resource(number));
            }
            if calm && desk.waiting() + desk.set_aside() == 0 && desk.read().0 == log.len() as u64 {
                break;
            }
            assert!(step < 20_000, "seed {seed}: this never ends");
        }
        for (number, so_far) in taken {
            let all = (1_u64..).zip(&log).filter(|(_, of)| **of == number).map(|(seq, _)| seq);
            assert_eq!(so_far, all.collect::<Vec<_>>(), "seed {seed}, resource {number}");
        }
        kept.save(&mut desk);
        assert!(kept.aside.is_empty() && kept.row.waiting.is_empty(), "seed {seed}");
    }
}
