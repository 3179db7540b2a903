//! What one request costs inside the engine: parse, normalise, filter, patch, render.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may stop where it cannot go on")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use rosterd::idp::normalise;
use rosterd::idp::profile::AUTO;
use rosterd::ids::ResourceId;
use rosterd::scim::schema::{Kind, user};
use rosterd::scim::wire::{self, View};
use rosterd::scim::{Document, Filter, Projection, json, patch, precis};

const CREATE: &[u8] = br#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
"userName":"ada@acme.test","name":{"givenName":"Ada","familyName":"Byron"},"emails":[{"primary":true,"value":"ada@acme.test","type":"work"}],
"displayName":"Ada Byron","locale":"en-US","externalId":"00uEXAMPLE1","groups":[],"password":"x7Kq","active":true,
"phoneNumbers":[{"value":"+47 22 00 00 00","type":"work"}],"title":"Consultant","preferredLanguage":"nb-NO","timezone":"Europe/Oslo",
"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"77","department":"R&D","manager":{"value":"0192f0c1-2b3c-7def-8123-456789abcdef"}}}"#;
const PATCH: &[u8] = br#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
{"op":"Replace","path":"displayName","value":"Ada B"},{"op":"Replace","path":"emails[type eq \"work\"].value","value":"ada.b@acme.test"},
{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"R&D"}]}"#;
const FILTER: &str = r#"userName eq "ada@acme.test" and emails[type eq "work" and value co "@acme"]"#;
const BASE: &str = "https://roster.test/scim/v2";

fn create(kind: &Kind) -> Document {
    let mut incoming = normalise::resource(json::parse(CREATE).unwrap(), kind, &AUTO).unwrap();
    incoming.create(kind, &AUTO).unwrap()
}

fn reading(criterion: &mut Criterion) {
    let kind = user();
    criterion.bench_function("json/parse create", |bencher| {
        bencher.iter(|| json::parse(black_box(CREATE)).unwrap());
    });
    criterion.bench_function("json/serde_json create", |bencher| {
        bencher.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(CREATE)).unwrap());
    });
    criterion.bench_function("create/bytes to segments", |bencher| {
        bencher.iter(|| create(black_box(&kind)).to_segments(&kind));
    });
    criterion.bench_function("precis/ascii", |bencher| {
        bencher.iter(|| precis::user_name(black_box("Ada@Acme.test")).unwrap());
    });
}

fn asking(criterion: &mut Criterion) {
    let kind = user();
    let document = create(&kind);
    criterion.bench_function("filter/compile", |bencher| {
        bencher.iter(|| Filter::parse(black_box(FILTER), &kind).unwrap());
    });
    let filter = Filter::parse(FILTER, &kind).unwrap();
    criterion.bench_function("filter/evaluate", |bencher| {
        bencher.iter(|| filter.matches(black_box(&document), &kind));
    });
}

fn changing(criterion: &mut Criterion) {
    let kind = user();
    let before = create(&kind);
    criterion.bench_function("patch/bytes to document", |bencher| {
        bencher.iter(|| {
            let incoming = normalise::patch(json::parse(black_box(PATCH)).unwrap(), &kind, &AUTO).unwrap();
            patch::apply(&before, &incoming.operations, &kind, &AUTO.policy).unwrap()
        });
    });
    criterion.bench_function("document/from segments", |bencher| {
        let segments = before.to_segments(&kind);
        bencher.iter(|| {
            Document::from_segments(segments.iter().map(|(id, json)| (id.as_str(), json.as_str()))).unwrap()
        });
    });
}

fn answering(criterion: &mut Criterion) {
    let kind = user();
    let segments = create(&kind).to_segments(&kind);
    let segments: Vec<(&str, &str)> =
        segments.iter().map(|(id, json)| (id.as_str(), json.as_str())).collect();
    let view = View {
        kind: &kind,
        id: ResourceId::parse("0192f0c1-2b3c-7def-8123-456789abcdef").unwrap(),
        segments: &segments,
        created: Timestamp::UNIX_EPOCH,
        modified: Timestamp::UNIX_EPOCH,
        version: 7,
        groups: None,
        members: None,
    };
    let mut out = Vec::with_capacity(4096);
    criterion.bench_function("render/plain", |bencher| {
        bencher.iter(|| {
            out.clear();
            wire::resource(&mut out, black_box(&view), BASE, &Projection::ALL);
        });
    });
    let projection = Projection::parse(Some("userName,emails.value"), None, &kind).unwrap();
    criterion.bench_function("render/projected", |bencher| {
        bencher.iter(|| {
            out.clear();
            wire::resource(&mut out, black_box(&view), BASE, &projection);
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(std::time::Duration::from_secs(1)).warm_up_time(std::time::Duration::from_millis(300)).without_plots();
    targets = reading, asking, changing, answering
}
criterion_main!(benches);
