//! What a call of a plugin takes: with an instance of its own, and with one that is kept within a sync.
//!
//! The guest answers one change and does nothing else, so that what is measured is the host: instance, records in, answer out.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that meets the unexpected fails"
)]

#[path = "../tests/it/plugins/guest.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod guest;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use rosterd::clock::SystemClock;
use rosterd::plugins::{Host, Limits, Names, Options, Spec, person};
use rosterd::roster::hooks::{OnFailure, Operation, Plugin, Series};
use serde_json::json;

fn call(bencher: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rate.wasm"), guest::rate()).unwrap();
    let names: Vec<String> = ["title", "emails", "costRates"].map(str::to_owned).to_vec();
    let spec = Spec {
        name: "rate".to_owned(),
        path: "rate.wasm".into(),
        sha256: None,
        sources: Vec::new(),
        hooks: None,
        reads: names.clone(),
        writes: names,
        overrides: std::collections::BTreeSet::new(),
        overwrite_manual: false,
        policy: OnFailure::default(),
        limits: Limits::default(),
        required: true,
        tables: Vec::new(),
        settings: json!({}),
        tests: Vec::new(),
    };
    let options = Options {
        folder: folder.path().to_owned(),
        slots: 4,
        allow_unpinned: true,
        signing_keys: Vec::new(),
    };
    let host = Host::new(Arc::new(SystemClock));
    host.load(&options, &[spec], &Names::new(Vec::new())).unwrap();
    let plugin = host.find("rate").unwrap();
    let user =
        person::subject(json!({ "userName": "anna@example.com", "title": "Senior Consultant" })).unwrap();
    let held = person::held(json!({})).unwrap();
    let now = "2026-03-01T09:00:00Z".parse().unwrap();
    let mut group = bencher.benchmark_group("plugin");
    for (name, series) in [("call/new", Series::Alone), ("call/kept", Series::Sync)] {
        let about = person::about(now, Operation::Create, series);
        group.bench_function(name, |bencher| {
            bencher.iter(|| plugin.map(black_box(&about), black_box(&user), black_box(&held)).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, call);
criterion_main!(benches);
