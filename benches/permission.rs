//! What it costs to ask what somebody may do, and to find out anew.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may stop where it cannot go on")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rosterd::ids::ResourceId;
use rosterd::psa::catalogue::{Catalogue, Level, Permission, Reach};
use rosterd::psa::permission::{CostCenters, Effective, Facts, Grant, HeldType, explain};

/// Cost centres of the firm, each with two below it.
const COST_CENTERS: u32 = 1000;
/// Permissions beside rosterd's own.
const PERMISSIONS: u32 = 100;

fn id(number: u32) -> ResourceId {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    ResourceId::from_bytes(bytes)
}

fn key(number: u32) -> String {
    format!("things{number:03}.update")
}

fn catalogue() -> Arc<Catalogue> {
    let limited = Permission {
        reach: Reach::CostCentre,
        description: String::new(),
        money: false,
        privileged: None,
        classes: vec![],
    };
    Arc::new(Catalogue::new((0..PERMISSIONS).map(|number| (key(number), limited.clone()))))
}

fn tree() -> Arc<CostCenters> {
    let parent = |number: u32| number.checked_sub(1).map(|below| id(below / 2));
    Arc::new(CostCenters::new((0..COST_CENTERS).map(|number| (id(number), parent(number)))))
}

/// Somebody with five user types, each at another cost centre, each with twenty grants.
fn facts() -> Facts {
    let held = |number: u32| HeldType {
        id: id(number),
        name: format!("type {number}"),
        primary: number == 0,
        cost_center: Some(id(number * 90 + 1)),
        role: None,
        access_level: None,
        license_class: None,
        grants: (0..20)
            .map(|grant| Grant {
                permission: key((number * 13 + grant * 3) % PERMISSIONS),
                level: if grant % 3 == 0 { Level::All } else { Level::Own },
                cost_center: None,
            })
            .collect(),
    };
    Facts { user_types: (0..5).map(held).collect(), ..Facts::default() }
}

fn asking(criterion: &mut Criterion) {
    let (catalogue, tree, facts) = (catalogue(), tree(), facts());
    let may = Effective::of(&catalogue, &tree, &facts);
    let questions: Vec<(String, ResourceId)> =
        (0..1000).map(|number| (key(number % PERMISSIONS), id(number * 7 % COST_CENTERS))).collect();
    let mut group = criterion.benchmark_group("permission");
    group.throughput(Throughput::Elements(questions.len() as u64));
    group.bench_function("1000 questions of a warm user", |bencher| {
        bencher.iter(|| {
            let ask = |(key, at): &(String, ResourceId)| may.level(black_box(key), Some(*black_box(at)));
            questions.iter().filter(|question| ask(question) >= Level::Assigned).count()
        });
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("a cold user", |bencher| {
        bencher.iter(|| Effective::of(&catalogue, &tree, black_box(&facts)));
    });
    group.bench_function("an explanation", |bencher| {
        bencher.iter(|| explain(&catalogue, &tree, black_box(&facts)).len());
    });
    group.bench_function("a tree", |bencher| bencher.iter(|| self::tree().len()));
    group.finish();
}

criterion_group!(benches, asking);
criterion_main!(benches);
