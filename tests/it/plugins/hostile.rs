//! What a plugin that does its worst comes to: the named outcome, in bounded time and memory, and the next call works (X55, R31).

use std::time::{Duration, Instant};

use rosterd::plugins::Limits;
use rosterd::plugins::limits::LOG_LINES_MAX;
use rosterd::roster::hooks::{Broke, Failure, Plugin};

use super::guest::{Guest, Image, SET_ATTRIBUTE, rate};
use super::home::{Home, about, anna, nothing};

/// Has a mapping do its worst, and another one its work beside and behind it. Says how the first broke, and what it said of it.
fn worst(guest: Guest, body: impl FnOnce(&mut Image) -> String) -> (Broke, String) {
    worst_with(guest, body, |_| ())
}

fn worst_with(
    guest: Guest,
    body: impl FnOnce(&mut Image) -> String,
    limits: impl FnOnce(&mut Limits),
) -> (Broke, String) {
    let home = Home::new();
    let mut hostile = home.spec("hostile", &guest.does(body));
    limits(&mut hostile.limits);
    let memory_bytes = hostile.limits.memory_bytes;
    let good = home.spec("good", &rate());
    home.load(&[hostile, good]).unwrap();
    let (hostile, good) = (home.host.find("hostile").unwrap(), home.host.find("good").unwrap());
    let mut ends = Vec::new();
    for _ in 0..3 {
        let begun = Instant::now();
        let ran = hostile.map_with_cost(&about(), &anna(), &nothing());
        assert!(begun.elapsed() < Duration::from_secs(20), "it was not stopped: {ran:?}");
        assert!(ran.cost.memory_bytes_peak <= memory_bytes, "{ran:?}");
        match ran.answer {
            Err(Failure::Broke(which, why)) => ends.push((which, why)),
            other => panic!("expected it to break, found {other:?}"),
        }
        let mapped = good.map(&about(), &anna(), &nothing()).unwrap();
        assert_eq!(mapped.proposals.len(), 1, "the next call works");
    }
    assert!(ends.iter().all(|(which, _)| *which == ends[0].0), "{ends:?}");
    ends.swap_remove(0)
}

const FOREVER: &str = "(loop $again (br $again)) (unreachable)";

#[test]
fn x55_an_endless_loop_ends_with_its_fuel() {
    let (broke, why) = worst(Guest::mapper(), |_| FOREVER.to_owned());
    assert_eq!(broke, Broke::Fuel, "{why}");
}

#[test]
fn x55_a_loop_that_has_fuel_for_hours_ends_at_its_deadline() {
    let (broke, why) = worst_with(
        Guest::mapper(),
        |_| FOREVER.to_owned(),
        |limits| {
            limits.fuel = u64::MAX / 4;
            limits.deadline = Duration::from_millis(60);
        },
    );
    assert_eq!(broke, Broke::Deadline, "{why}");
}

#[test]
fn x55_a_memory_bomb_is_stopped_at_its_cap() {
    let grow = "(loop $again (drop (memory.grow (i32.const 16))) (br $again)) (unreachable)";
    let (broke, why) = worst(Guest::mapper(), |_| grow.to_owned());
    assert_eq!(broke, Broke::Memory, "{why}");
    assert!(why.contains("may have 33554432"), "{why}");
}

#[test]
fn x55_a_memory_of_its_own_that_begins_above_its_cap_is_refused_at_load() {
    let home = Home::new();
    let spec = home.spec("test", &Guest::mapper().memory("1000").does(|_| FOREVER.to_owned()));
    let said = home.refusal(spec);
    assert!(said.contains("describe failed: memory: it wanted 65536000 bytes"), "{said}");
    let spec = home.spec("test", &Guest::mapper().memory("60000").does(|_| FOREVER.to_owned()));
    let said = home.refusal(spec);
    assert!(said.contains("not a component that can be run"), "{said}");
}

#[test]
fn x55_a_giant_table_is_refused() {
    let table = "(table 10000000 funcref)";
    let home = Home::new();
    let spec = home.spec("test", &Guest::mapper().with(table).does(|_| FOREVER.to_owned()));
    let said = home.refusal(spec);
    assert!(said.contains("not a component that can be run"), "{said}");
    let grow = "(loop $again (br_if $again (i32.ne (i32.const -1) (table.grow $t (ref.null func) (i32.const 30000))))) (unreachable)";
    let (broke, why) = worst(Guest::mapper().with("(table $t 1 funcref)"), |_| grow.to_owned());
    assert_eq!(broke, Broke::Memory, "{why}");
}

#[test]
fn x55_deep_recursion_is_a_trap() {
    let deep = "(func $deep (param i64) (result i64) (i64.add (call $deep (i64.add (local.get 0) (i64.const 1))) (i64.const 1)))";
    let (broke, why) =
        worst(Guest::mapper().with(deep), |_| "(drop (call $deep (i64.const 0))) (unreachable)".to_owned());
    assert_eq!(broke, Broke::Trap, "{why}");
    assert!(why.contains("stack"), "{why}");
}

#[test]
fn x55_a_panic_is_a_trap_that_names_the_function() {
    let (broke, why) =
        worst(Guest::mapper().with("(func $oops unreachable)"), |_| "(call $oops) (unreachable)".to_owned());
    assert_eq!(broke, Broke::Trap, "{why}");
    assert!(why.contains("unreachable") && why.contains("oops"), "{why}");
}

#[test]
fn x55_an_answer_of_8_mib_is_not_read() {
    let body = |image: &mut Image| {
        let path = image.text("title");
        // A text that begins behind everything else, and a memory that was grown for it.
        let answer = image.changes(&[(SET_ATTRIBUTE, vec![path[0], path[1], 512 << 10, 8 << 20])]);
        format!("(drop (memory.grow (i32.const 200))) (i32.const {answer})")
    };
    let (broke, why) = worst(Guest::mapper(), body);
    assert_eq!(broke, Broke::Output, "{why}");
    assert!(why.contains("too much data"), "{why}");
}

#[test]
fn x55_200_000_changes_are_not_read() {
    let body = |image: &mut Image| {
        let answer = image.words(&[0, 512 << 10, 200_000]);
        format!("(drop (memory.grow (i32.const 200))) (i32.const {answer})")
    };
    let (broke, why) = worst(Guest::mapper(), body);
    assert_eq!(broke, Broke::Output, "{why}");
}

#[test]
fn x55_one_change_more_than_are_taken_is_refused() {
    let of = |count: usize| {
        let home = Home::new();
        let plugin = home.one(&Guest::mapper().does(|image| {
            let answer = image.changes(&vec![(super::guest::RELEASE_LICENSE, vec![]); count]);
            format!("(i32.const {answer})")
        }));
        plugin.map(&about(), &anna(), &nothing())
    };
    assert_eq!(of(200).unwrap().proposals.len(), 200);
    let why = of(201).unwrap_err();
    let said = "it answered with 201 changes, and may with 200".to_owned();
    assert_eq!(why, Failure::Broke(Broke::Output, said));
}

#[test]
fn x55_an_answer_that_is_none_is_refused() {
    // No such change, a list outside the memory, a text that is not UTF-8.
    for (case, held) in [(99, vec![]), (0, vec![u32::MAX - 8, 4]), (0, vec![512 << 10, 4])] {
        let body = |image: &mut Image| {
            let answer = image.changes(&[(case, held)]);
            let garbage = "(i32.store (i32.const 524288) (i32.const -1))";
            format!("{garbage} (i32.const {answer})")
        };
        let (broke, why) = worst(Guest::mapper(), body);
        assert!(matches!(broke, Broke::Output | Broke::Trap), "{broke:?} {why}");
    }
}

#[test]
fn x55_json_that_is_none_names_the_attribute() {
    let body = |image: &mut Image| {
        let (path, json) = (image.text("title"), image.text("{oops"));
        let answer = image.changes(&[(SET_ATTRIBUTE, [path, json].concat())]);
        format!("(i32.const {answer})")
    };
    let (broke, why) = worst(Guest::mapper(), body);
    assert_eq!(broke, Broke::Output);
    assert!(why.starts_with("set-attribute \"title\": expected JSON"), "{why}");
}

#[test]
fn x55_100_000_lines_are_counted_and_64_are_kept() {
    let home = Home::new();
    let plugin = home.one(&Guest::mapper().does(|image| {
        let line = image.text(&"x".repeat(3000));
        let answer = image.changes(&[]);
        format!(
            "(local $i i32) (loop $again (call $log (i32.const 1) (i32.const {}) (i32.const {}))
              (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100000)))) (i32.const {answer})",
            line[0], line[1]
        )
    }));
    let ran = plugin.map_with_cost(&about(), &anna(), &nothing());
    assert!(ran.answer.is_ok(), "{:?}", ran.answer);
    assert_eq!((ran.cost.said.lines.len(), ran.cost.said.count), (LOG_LINES_MAX, 100_000));
    assert!(ran.cost.said.lines.iter().all(|(_, line)| line.len() == 1024));
}

#[test]
fn x55_a_line_longer_than_what_may_be_handed_over_ends_the_call() {
    let (broke, why) = worst(Guest::mapper(), |_| {
        "(drop (memory.grow (i32.const 200))) (call $log (i32.const 1) (i32.const 0) (i32.const 8388608)) (unreachable)".to_owned()
    });
    assert_eq!(broke, Broke::Output, "{why}");
}

#[test]
fn x55_a_settings_loop_or_a_loop_at_the_start_is_refused_at_load() {
    let home = Home::new();
    let agreed = || "(unreachable)".to_owned();
    let component = Guest::mapper().configure(|_| FOREVER.to_owned()).does(|_| agreed());
    let said = home.refusal(home.spec("test", &component));
    assert_eq!(said, "plugin test: configure failed: fuel: wasm trap: all fuel consumed by WebAssembly");
    let start = "(func $begin (loop $again (br $again))) (start $begin)";
    let said = home.refusal(home.spec("test", &Guest::mapper().with(start).does(|_| agreed())));
    assert!(said.contains("fuel: wasm trap: all fuel consumed"), "{said}");
}

#[test]
fn r31_the_breaker_opens_after_five_failures_and_closes_with_an_answer() {
    let home = Home::new();
    // It fails as long as somebody has a title.
    let component = Guest::mapper().reads(&["title"]).does(|image| {
        let answer = image.changes(&[]);
        // `user.title` is an option: whether there is one stands at this place of what is handed over.
        format!("(if (i32.load8_u offset=120 (local.get $in)) (then unreachable)) (i32.const {answer})")
    });
    let plugin = home.one(&component);
    let mut other = anna();
    other.document.core.shift_remove("title");
    assert!(plugin.map(&about(), &other, &nothing()).is_ok(), "somebody without a title");
    let outcome = |who| match plugin.map(&about(), who, &nothing()) {
        Err(Failure::Broke(which, _)) => Some(which),
        _ => None,
    };
    let anna = anna();
    for _ in 0..5 {
        assert_eq!(outcome(&anna), Some(Broke::Trap));
    }
    assert!(plugin.is_open());
    assert_eq!(outcome(&other), Some(Broke::Open), "nobody is asked about now");
    home.clock.advance(31);
    assert_eq!(outcome(&other), None, "one tries, and it is well");
    assert!(!plugin.is_open());
    assert_eq!(outcome(&other), None);
}

#[test]
fn x55_a_plugin_that_was_quick_and_is_not_any_more_waits_longer_each_time_until_it_is_taken_for_quick() {
    let home = Home::new();
    let component = Guest::mapper().reads(&["title"]).does(|image| {
        let answer = image.changes(&[]);
        format!("(if (i32.load8_u offset=120 (local.get $in)) (then {FOREVER})) (i32.const {answer})")
    });
    let plugin = home.one(&component);
    let (loops, mut other) = (anna(), anna());
    other.document.core.shift_remove("title");
    let mut calls = Vec::new();
    for _ in 0..3 {
        let mut count = 0;
        while !plugin.is_quick() {
            assert!(plugin.map(&about(), &other, &nothing()).is_ok());
            count += 1;
        }
        calls.push(count);
        let Err(Failure::Broke(Broke::Fuel, _)) = plugin.map(&about(), &loops, &nothing()) else {
            panic!("expected it to use up its fuel");
        };
        assert!(!plugin.is_quick());
    }
    assert_eq!(calls, [32, 64, 128]);
}

#[test]
fn x55_a_deadline_is_kept_also_when_nothing_was_asked_for_a_while() {
    let home = Home::new();
    let mut spec = home.spec("test", &Guest::mapper().does(|_| FOREVER.to_owned()));
    (spec.limits.fuel, spec.limits.deadline) = (u64::MAX / 4, Duration::from_millis(60));
    home.load(&[spec]).unwrap();
    let plugin = home.host.find("test").unwrap();
    // Shorter than the clock goes on after a call, and longer: then it has to be woken.
    for pause in [0, 10, 300] {
        std::thread::sleep(Duration::from_millis(pause));
        let begun = Instant::now();
        let ran = plugin.map_with_cost(&about(), &anna(), &nothing());
        assert!(matches!(ran.answer, Err(Failure::Broke(Broke::Deadline, _))), "{ran:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{ran:?}");
    }
}
