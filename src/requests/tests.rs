//! The bounds under a flood, what is kept of whom, and what may not be.

use std::time::Duration;

use super::*;
use crate::ids::RequestId;
use crate::scim::Kinds;

const ACME: Who = (TenantId::new(1), ConnectionId::from_bytes([1; 16]));

fn log_within(bounds: Bounds) -> Arc<Requests> {
    let names = SecretNames::of(&Kinds::standard(), "rost_");
    Arc::new(Requests::within("2026-01-01T00:00:00Z".parse().unwrap(), names, bounds))
}

fn log() -> Arc<Requests> {
    log_within(Bounds::default())
}

fn request(number: u64) -> RequestId {
    let millis = 1_767_225_600_000 + number;
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    RequestId::new(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

fn good(number: u64) -> Outcome<'static> {
    Outcome {
        request: Some(request(number)),
        method: "GET",
        path: "/scim/v2/Users",
        agent: Some("Okta SCIM Client 1.0.0"),
        status: 200,
        took: Duration::from_millis(2),
        ..Outcome::default()
    }
}

fn bad(number: u64) -> Outcome<'static> {
    Outcome { status: 400, detail: Some("no"), scim_type: Some("invalidValue"), ..good(number) }
}

fn with_body(outcome: Outcome<'static>, bytes: usize) -> Outcome<'static> {
    let text = "x".repeat(bytes).into_boxed_str();
    Outcome {
        method: "POST",
        body: Some(Body { bytes: bytes as u64, text: Some(text), cut: false }),
        ..outcome
    }
}

#[test]
fn the_last_two_hundred_requests_and_a_hundred_failed_ones_before_them_outlive_a_flood() {
    let log = log();
    for number in 0..150 {
        log.record(ACME, bad(number));
    }
    for number in 150..20_000 {
        log.record(ACME, good(number));
    }
    let entries = log.entries(ACME);
    let failed: Vec<u64> = entries.iter().filter(|entry| entry.failed()).map(|entry| entry.number).collect();
    assert_eq!(failed, (51..=150).collect::<Vec<_>>(), "the last hundred that failed");
    assert_eq!(entries.len(), RECENT_MAX + FAILED_MAX);
    assert_eq!(entries.last().unwrap().request, request(19_999));
    let overview = log.overview(ACME);
    assert_eq!(overview.by_class, [("2xx".to_owned(), 19_850), ("4xx".to_owned(), 150)].into());
    assert_eq!(overview.by_scim_type, [("invalidValue".to_owned(), 150)].into());
    assert_eq!(overview.last, Some(entries.last().unwrap().when()));
    assert_eq!(overview.agent.as_deref(), Some("Okta SCIM Client 1.0.0"));
}

#[test]
fn the_bytes_of_all_connections_have_a_bound_and_the_largest_pays_for_it() {
    let bounds = Bounds { bytes_max: 300_000, connections_max: 10 };
    let log = log_within(bounds);
    let small: Who = (TenantId::new(2), ConnectionId::from_bytes([2; 16]));
    for number in 0..5 {
        log.record(small, bad(number));
    }
    for number in 0..1000 {
        log.record(ACME, with_body(if number % 2 == 0 { good(number) } else { bad(number) }, 8000));
        assert!(log.bytes() <= bounds.bytes_max, "{}", log.bytes());
    }
    assert_eq!(log.entries(small).len(), 5, "who asks little loses nothing");
    let entries = log.entries(ACME);
    assert!(entries.len() > 20, "{}", entries.len());
    assert_eq!(entries.last().unwrap().request, request(999));
    let held: usize = entries.iter().chain(&log.entries(small)).map(|entry| entry.size()).sum();
    assert_eq!(log.bytes(), held, "the sum is what is there");
}

#[test]
fn connections_have_a_bound_and_the_silent_one_is_forgotten() {
    let log = log_within(Bounds { bytes_max: BYTES_MAX, connections_max: 3 });
    let who = |number: u8| (TenantId::new(1), ConnectionId::from_bytes([number; 16]));
    for number in [1, 2, 3] {
        log.record(who(number), good(u64::from(number)));
    }
    log.record(who(1), good(9));
    log.record(who(4), good(10));
    let known: Vec<u8> = (1..=4).filter(|number| !log.entries(who(*number)).is_empty()).collect();
    assert_eq!(known, [1, 3, 4]);
    let held: usize =
        known.iter().flat_map(|number| log.entries(who(*number))).map(|entry| entry.size()).sum();
    assert_eq!(log.bytes(), held);
}

#[test]
fn many_at_once_are_counted_each() {
    let log = log_within(Bounds { bytes_max: 100_000, connections_max: 4 });
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..500 {
                    let who = (TenantId::new(1), ConnectionId::from_bytes([thread % 3; 16]));
                    log.record(who, with_body(good(number), 500));
                }
            });
        }
    });
    let of = |number: u8| (TenantId::new(1), ConnectionId::from_bytes([number; 16]));
    let counted: u64 = (0..3).map(|number| log.overview(of(number)).by_class["2xx"]).sum();
    assert_eq!(counted, 4000);
    let held: usize = (0..3).flat_map(|number| log.entries(of(number))).map(|entry| entry.size()).sum();
    assert_eq!(log.bytes(), held);
}

#[test]
fn nothing_is_remembered_of_a_request_that_is_nobodys() {
    let log = log();
    let trace = Trace::new(Arc::clone(&log));
    trace.sent(b"{}");
    trace.end(good(1));
    assert_eq!(log.bytes(), 0);
}

#[test]
fn x25_a_request_is_remembered_without_what_must_not_be_seen() {
    let log = log();
    let trace = Trace::new(Arc::clone(&log));
    trace.is_of(ACME);
    trace.sent(br#"{"userName":"ada","password":"canary-1"}"#);
    trace.led().to(7);
    trace.end(Outcome {
        query: Some("access_token=canary-2"),
        agent: Some("sync/1 token=canary-3"),
        ..good(1)
    });
    let entry = log.find(ACME, request(1)).unwrap();
    assert!(!format!("{entry:?}").contains("canary"), "{entry:?}");
    assert_eq!(entry.body.as_ref().unwrap().text.as_deref(), Some(r#"{"userName":"ada","password":"***"}"#));
    assert_eq!((entry.changes(), entry.when()), (Some((7, 7)), "2026-01-01T00:00:00.001Z".parse().unwrap()));
}

#[test]
fn what_failed_within_a_request_counts_as_failed() {
    let log = log();
    let trace = Trace::new(Arc::clone(&log));
    trace.is_of(ACME);
    trace.failed_within("1 of 2 operations failed".to_owned(), Some("uniqueness"));
    trace.end(Outcome { method: "POST", path: "/scim/v2/Bulk", ..good(1) });
    let entry = &log.entries(ACME)[0];
    assert!(entry.failed() && entry.status == 200, "{entry:?}");
    assert_eq!(log.overview(ACME).by_scim_type, [("uniqueness".to_owned(), 1)].into());
}
