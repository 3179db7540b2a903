//! What is asked, what is answered, and what a call costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rosterd::ids::RequestId;
use rosterd::roster::hooks::{
    About, Broke, Failure, Hooks, Plugin, Problem, ProblemKind, Proposal, Rate, Series, Verdict,
};

use super::guest::{ADD_COST_RATE, Guest, Image, RELEASE_LICENSE, SET_ATTRIBUTE, SET_KIND, rate};
use super::home::{Home, about, anna, nothing};

#[test]
fn proposals_come_in_the_order_in_which_they_were_made() {
    let home = Home::new();
    let plugin = home.one(&Guest::mapper().does(|image| {
        let kind = image.text("employee").to_vec();
        let rate = ["2026-03-01", "95.00", "EUR"].iter().flat_map(|text| image.text(text)).collect();
        let set = ["title", "{\"a\": [1, 2]}"].iter().flat_map(|text| image.text(text)).collect();
        let changes =
            [(SET_KIND, kind), (RELEASE_LICENSE, vec![]), (ADD_COST_RATE, rate), (SET_ATTRIBUTE, set)];
        format!("(i32.const {})", image.changes(&changes))
    }));
    let mapped = plugin.map(&about(), &anna(), &nothing()).unwrap();
    let rate = Rate { start_date: "2026-03-01".into(), amount: "95.00".into(), currency: "EUR".into() };
    assert_eq!(
        mapped.proposals,
        [
            Proposal::SetKind("employee".into()),
            Proposal::ReleaseLicense,
            Proposal::AddCostRate(rate),
            Proposal::SetAttribute { path: "title".into(), value: serde_json::json!({ "a": [1, 2] }) },
        ]
    );
    assert!(mapped.fuel > 0);
    assert_eq!(plugin.hooks(), Hooks { map: true, ..Hooks::default() });
}

#[test]
fn a_problem_of_the_plugin_is_no_failure_of_the_machine() {
    let home = Home::new();
    let plugin =
        home.one(&Guest::mapper().does(|image| format!("(i32.const {})", image.problem(1, "no title"))));
    for _ in 0..10 {
        let wanted = Problem { kind: ProblemKind::MissingData, path: None, detail: "no title".into() };
        assert_eq!(plugin.map(&about(), &anna(), &nothing()), Err(Failure::Problem(wanted)));
    }
    assert!(!plugin.is_open());
}

#[test]
fn a_gate_lets_in_or_says_why_not() {
    let home = Home::new();
    let answer = |words: fn(&mut Image) -> Vec<u32>| {
        home.one(&Guest::gate().does(|image| {
            let words = words(image);
            format!("(i32.const {})", image.words(&words))
        }))
        .admit(&about(), &anna())
    };
    assert_eq!(answer(|_| vec![0, 0, 0, 0]), Ok(Verdict::Allow));
    let denied = answer(|image| {
        let [at, length] = image.text("not from here");
        vec![0, 1, at, length]
    });
    assert_eq!(denied, Ok(Verdict::Deny("not from here".into())));
}

#[test]
fn findings_and_notes_are_read() {
    let home = Home::new();
    let plugin = home.one(&Guest::validator().does(|image| {
        let (code, detail) = (image.text("rate-missing"), image.text("no rate"));
        let finding = image.words(&[2, 0, 0, 0, code[0], code[1], detail[0], detail[1]]);
        format!("(i32.const {})", image.words(&[0, finding, 1]))
    }));
    let found = plugin.validate(&about(), &anna(), &nothing()).unwrap();
    assert_eq!(
        (found.len(), found[0].code.as_str(), found[0].detail.as_str()),
        (1, "rate-missing", "no rate")
    );
    let plugin = home.one(&Guest::reactor().does(|image| {
        let (code, detail) = (image.text("told"), image.text("somebody"));
        let note = image.words(&[code[0], code[1], detail[0], detail[1]]);
        format!("(i32.const {})", image.words(&[0, note, 1]))
    }));
    let notice = rosterd::roster::hooks::Notice {
        id: "evt_1".into(),
        sequence: 1,
        subject: anna().id,
        changed: vec!["title".into()],
        user: Some(anna()),
    };
    assert_eq!(plugin.react(&about(), &notice).unwrap()[0].code, "told");
}

#[test]
fn x54_the_same_input_gives_the_same_changes_and_the_same_fuel() {
    let component = rate();
    let of_machine = || {
        let home = Home::new();
        let plugin = home.one(&component);
        let ask = || plugin.map(&about(), &anna(), &nothing()).unwrap();
        let first = ask();
        let plugin = &plugin;
        std::thread::scope(|threads| {
            let others: Vec<_> = (0..2)
                .map(|_| threads.spawn(move || plugin.map(&about(), &anna(), &nothing()).unwrap()))
                .collect();
            for other in others {
                assert_eq!(other.join().unwrap(), first);
            }
        });
        assert_eq!(ask(), first);
        first
    };
    assert_eq!(of_machine(), of_machine());
}

/// A mapping that proposes as often as its instance was asked: memory that it keeps.
fn counting() -> Vec<u8> {
    Guest::mapper().with("(global $asked (mut i32) (i32.const 0))").does(|image| {
        let changes: Vec<_> = (0..9).map(|_| (RELEASE_LICENSE, vec![])).collect();
        let answer = image.changes(&changes);
        format!(
            "(global.set $asked (i32.add (global.get $asked) (i32.const 1)))
             (i32.store (i32.const {}) (global.get $asked)) (i32.const {answer})",
            answer + 8
        )
    })
}

/// A batch's series.
fn batch(number: u8) -> Series {
    Series::Batch(RequestId::from_bytes([number; 16]))
}

#[test]
fn x54_each_call_has_an_instance_of_its_own_unless_it_is_of_a_batch() {
    let home = Home::new();
    let plugin = home.one(&counting());
    let asked = |series| {
        let about = About { series, ..about() };
        plugin.map(&about, &anna(), &nothing()).unwrap().proposals.len()
    };
    assert_eq!([asked(Series::Alone), asked(Series::Alone)], [1, 1]);
    assert_eq!([asked(batch(1)), asked(batch(1)), asked(batch(2)), asked(batch(1))], [1, 2, 1, 3]);
    assert_eq!(asked(Series::Alone), 1);
    home.clock.advance(60);
    assert_eq!(asked(batch(1)), 1, "it was let go meanwhile");
}

#[test]
fn x54_x57_an_instance_is_kept_within_a_sync_and_never_for_another_connection_or_tenant() {
    let home = Home::new();
    let plugin = home.one(&counting());
    let asked = |tenant: &str, source: &str| {
        let about = About { series: Series::Sync, tenant: tenant.into(), source: source.into(), ..about() };
        plugin.map(&about, &anna(), &nothing()).unwrap().proposals.len()
    };
    assert_eq!([asked("main", "okta"), asked("main", "okta")], [1, 2]);
    assert_eq!([asked("main", "entra"), asked("other", "okta"), asked("other", "entra")], [1, 1, 1]);
    home.clock.advance(1);
    assert_eq!(asked("main", "okta"), 3, "it comes shortly after");
    home.clock.advance(2);
    assert_eq!(asked("main", "okta"), 1, "that sync has ended");
}

#[test]
fn x55_an_instance_that_keeps_what_it_takes_is_let_go_before_it_breaks() {
    let hoards = Guest::mapper().with("(global $asked (mut i32) (i32.const 0))").does(|image| {
        let changes: Vec<_> = (0..9).map(|_| (RELEASE_LICENSE, vec![])).collect();
        let answer = image.changes(&changes);
        format!(
            "(if (i32.eq (memory.grow (i32.const 32)) (i32.const -1)) (then (unreachable)))
             (global.set $asked (i32.add (global.get $asked) (i32.const 1)))
             (i32.store (i32.const {}) (global.get $asked)) (i32.const {answer})",
            answer + 8
        )
    });
    let home = Home::new();
    let plugin = home.one(&hoards);
    let asked = || {
        let about = About { series: Series::Sync, ..about() };
        plugin.map(&about, &anna(), &nothing()).unwrap().proposals.len()
    };
    // 2 MiB each time of the 32 that there are.
    let answers: Vec<usize> = (0..40).map(|_| asked()).collect();
    assert_eq!(answers.iter().max(), Some(&8), "{answers:?}");
}

#[test]
fn x54_few_instances_are_kept_and_a_new_build_takes_up_none_of_them() {
    let home = Home::new();
    let plugin = home.one(&counting());
    let ask = |plugin: &Arc<rosterd::plugins::loaded::Loaded>, number: u8| {
        let about = About { series: batch(number), ..about() };
        plugin.map(&about, &anna(), &nothing()).unwrap().proposals.len()
    };
    for number in 0..60 {
        assert_eq!(ask(&plugin, number), 1);
    }
    assert_eq!(ask(&plugin, 59), 2, "the last are kept");
    assert_eq!(ask(&plugin, 0), 1, "the first were let go");
    let mut changed = home.spec("test", &counting());
    changed.settings = serde_json::json!({ "other": true });
    home.load(&[changed]).unwrap();
    assert_eq!(ask(&home.host.find("test").unwrap(), 59), 1);
}

#[test]
fn r31_who_finds_no_slot_in_time_is_told_so() {
    let mut home = Home::new();
    home.options.slots = 1;
    let forever = Guest::mapper().does(|_| "(loop $again (br $again)) (unreachable)".to_owned());
    let mut slow = home.spec("slow", &forever);
    slow.limits.fuel = u64::MAX / 4;
    slow.limits.deadline = std::time::Duration::from_millis(800);
    let mut quick = home.spec("quick", &rate());
    quick.limits.deadline = std::time::Duration::from_millis(20);
    home.load(&[slow, quick]).unwrap();
    let (slow, quick) = (home.host.find("slow").unwrap(), home.host.find("quick").unwrap());
    let begun = AtomicU32::new(0);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            begun.store(1, Ordering::SeqCst);
            let end = slow.map(&about(), &anna(), &nothing());
            assert!(matches!(end, Err(Failure::Broke(Broke::Deadline, _))), "{end:?}");
        });
        // It holds the only slot for 800 ms: one of many tries falls into that.
        let busy = (0..10_000).any(|_| {
            let end = quick.map(&about(), &anna(), &nothing());
            matches!(end, Err(Failure::Broke(Broke::Busy, _)))
        });
        assert!(busy);
    });
    assert!(quick.map(&about(), &anna(), &nothing()).is_ok(), "the slot is free again");
}

#[test]
fn a_row_is_looked_up_in_the_tables_of_the_configuration() {
    let home = Home::new();
    std::fs::write(home.folder.path().join("rates.csv"), "level,amount\nsenior,95.00\n").unwrap();
    // Answers with as many changes as the row has cells; `lookup` writes ok?, some?, list at 64.
    let component = Guest::mapper().does(|image| {
        let (table, key) = (image.text("rates"), image.text("senior"));
        let changes: Vec<_> = (0..9).map(|_| (RELEASE_LICENSE, vec![])).collect();
        let answer = image.changes(&changes);
        format!(
            "(call $lookup (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {}) (i32.const 64))
             (if (i32.load8_u (i32.const 64)) (then unreachable))
             (i32.store (i32.const {}) (i32.load (i32.const 76))) (i32.const {answer})",
            table[0],
            table[1],
            key[0],
            key[1],
            answer + 8
        )
    });
    let mut spec = home.spec("test", &component);
    spec.tables = vec![("rates".to_owned(), "rates.csv".into())];
    home.load(&[spec.clone()]).unwrap();
    let plugin = home.host.find("test").unwrap();
    let before = plugin.fingerprint().to_owned();
    assert_eq!(plugin.map(&about(), &anna(), &nothing()).unwrap().proposals.len(), 1);
    // A table that changes is another plugin, one that is gone is an error.
    std::fs::write(home.folder.path().join("rates.csv"), "level,amount\nsenior,96.00\n").unwrap();
    assert_eq!(home.load(&[spec.clone()]).unwrap().loaded, ["test"]);
    assert_ne!(home.host.find("test").unwrap().fingerprint(), before);
    std::fs::remove_file(home.folder.path().join("rates.csv")).unwrap();
    assert!(home.load(&[spec]).unwrap_err().to_string().contains("rates.csv: cannot be read"));
}
