//! How much of an answer is made ahead, what is held meanwhile, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http_body_util::BodyExt as _;
use serde_json::json;

use super::*;
use crate::chance::SeededChance;
use crate::clock::FixedClock;
use crate::http::body::Bodies;
use crate::http::edge::BodySizes;
use crate::http::limits::{Limits, Shares};
use crate::http::oauth::OAuth;
use crate::http::scim::pieces::{Listed, One};
use crate::http::signin::{Desk, Gateway};
use crate::ids::{Address, KindId, ResourceId};
use crate::jwt::Keyring;
use crate::roster::{Caller, Edges, MEMBERS_PAGE_ROWS, Query, Roster};
use crate::scim::Projection;
use crate::store::memory::MemoryStore;
use crate::store::{Record, Store as _, Unit, Write};

/// Longer than anything here may take; a test that meets it fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of a piece.
const PIECE: usize = 1000;

struct World {
    edge: Edge,
    caller: Caller,
    store: Arc<MemoryStore>,
}

fn world() -> World {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
    let roster = Roster::new(Arc::clone(&store) as _, clock, Arc::new(SeededChance::new(1)));
    roster.create_tenant("acme", roster.request_id()).unwrap();
    let caller = roster.operator("acme", roster.request_id()).unwrap();
    let sizes = BodySizes { usual: 1000, large: 1000 };
    let bodies = Bodies::new(&Limits::default());
    let keyring = Keyring::that_reaches_nobody(Arc::new(SeededChance::new(1)));
    let oauth = OAuth::new(keyring, 60);
    let desk = Desk::that_reaches_nobody();
    let edge = Edge::new(
        Arc::new(roster),
        "https://roster.test/scim/v2".to_owned(),
        sizes,
        bodies,
        oauth,
        desk,
        Gateway::that_signs_nothing(),
    );
    World { edge, caller, store }
}

impl World {
    fn hold(&self) -> Hold {
        let place = Shares::up_to(1).take(self.caller.tenant()).unwrap();
        Hold::new(self.edge.roster().request_id(), PATIENCE, place)
    }

    fn begin(&self, pieces: impl Pieces + 'static) -> Body {
        Begun::of(pieces, &self.edge).unwrap().body(&self.edge, self.hold())
    }

    /// Lets whatever can go on go on.
    async fn settle(&self) {
        for _ in 0..200 {
            tokio::task::yield_now().await;
            self.edge.patiently(|_| Ok(())).await.unwrap();
        }
    }
}

/// What was seen of a [`Fake`].
#[derive(Default)]
struct Seen {
    made: AtomicUsize,
    let_go: AtomicBool,
    gone: AtomicBool,
}

/// What happens after so many pieces.
#[derive(Clone, Copy)]
enum After {
    End(usize),
    Fail(usize),
    Panic(usize),
}

/// Pieces that nobody need store.
struct Fake(Arc<Seen>, After);

impl Pieces for Fake {
    fn write(&mut self, out: &mut Vec<u8>, _: &Edge) -> Result<ControlFlow<()>, RosterError> {
        let made = self.0.made.fetch_add(1, Ordering::SeqCst) + 1;
        out.resize(out.len() + PIECE, b'x');
        match self.1 {
            After::End(most) if made >= most => Ok(ControlFlow::Break(())),
            After::Fail(most) if made >= most => Err(RosterError::Broken("a page is damaged".to_owned())),
            After::Panic(most) if made >= most => panic!("a defect"),
            _ => Ok(ControlFlow::Continue(())),
        }
    }

    fn let_go(&mut self) {
        self.0.let_go.store(true, Ordering::SeqCst);
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.0.gone.store(true, Ordering::SeqCst);
    }
}

async fn until(what: &str, so: impl Fn() -> bool) {
    let wait = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "{what}");
}

#[tokio::test]
async fn perf11_no_more_is_made_than_a_chunk_ahead_of_what_was_taken() {
    let (world, seen) = (world(), Arc::new(Seen::default()));
    let pieces = 10 * (WHOLE_BYTES_MAX / PIECE);
    let mut body = world.begin(Fake(Arc::clone(&seen), After::End(pieces)));
    assert_eq!(body.size_hint().exact(), None);
    let mut taken = 0;
    let mut largest_chunk = 0;
    loop {
        world.settle().await;
        let made = seen.made.load(Ordering::SeqCst) * PIECE;
        // Before the first frame was taken, the beginning and one chunk are there; later, one chunk.
        let beginning = if taken == 0 { WHOLE_BYTES_MAX + PIECE } else { 0 };
        let ahead = CHUNKS_AHEAD * (CHUNK_BYTES + PIECE);
        assert!(made <= taken + beginning + ahead, "{made} bytes were made, {taken} taken");
        let Some(frame) = body.frame().await else { break };
        let chunk = frame.unwrap().into_data().unwrap();
        if taken > 0 {
            largest_chunk = largest_chunk.max(chunk.len());
        }
        taken += chunk.len();
    }
    assert_eq!(taken, pieces * PIECE);
    assert!(largest_chunk <= CHUNK_BYTES + PIECE, "{largest_chunk}");
}

#[tokio::test]
async fn perf11_what_is_small_is_sent_with_its_length() {
    let (world, seen) = (world(), Arc::new(Seen::default()));
    let body = world.begin(Fake(Arc::clone(&seen), After::End(WHOLE_BYTES_MAX / PIECE)));
    assert_eq!(body.size_hint().exact(), Some((WHOLE_BYTES_MAX / PIECE * PIECE) as u64));
    assert!(seen.gone.load(Ordering::SeqCst));
}

#[tokio::test]
async fn perf11_a_moment_is_not_held_for_a_client_that_does_not_read() {
    let (world, seen) = (world(), Arc::new(Seen::default()));
    let body = world.begin(Fake(Arc::clone(&seen), After::End(10_000)));
    until("the moment is held", || seen.let_go.load(Ordering::SeqCst)).await;
    // It may go on to read, and has its answer then.
    assert_eq!(body.collect().await.unwrap().to_bytes().len(), 10_000 * PIECE);
    let body = world.begin(Fake(Arc::clone(&seen), After::End(1_000_000)));
    seen.gone.store(false, Ordering::SeqCst);
    drop(body);
    until("what makes the answer stays when the client has gone", || seen.gone.load(Ordering::SeqCst)).await;
}

#[tokio::test]
async fn perf11_an_answer_ends_with_its_end_or_with_an_error() {
    let world = world();
    for after in [After::Fail(500), After::Panic(500)] {
        let body = world.begin(Fake(Arc::default(), after));
        assert!(body.collect().await.is_err(), "a part of an answer was taken for the whole");
    }
    // What fails at once has a status of its own.
    assert!(Begun::of(Fake(Arc::default(), After::Fail(1)), &world.edge).is_err());
    // Whoever makes it may be dropped without a word.
    let (feed, flow) = flow(world.edge.roster().request_id());
    drop(feed);
    assert!(flow.collect().await.is_err());
}

/// Makes a group of so many people, in one unit.
fn crew(world: &World, count: usize) -> Address {
    let roster = world.edge.roster();
    let kind = |id| Arc::clone(roster.kinds().by_id(id).unwrap());
    let make = |kind_id, body| roster.create(&world.caller, &kind(kind_id), body, Edges::NONE).unwrap();
    let group = make(KindId::GROUP, json!({ "displayName": format!("Crew of {count}") })).stored.at();
    let record = make(KindId::USER, json!({ "userName": format!("u{count}") })).stored.to_record().unwrap();
    let people = (1..=count as u128).map(|number| {
        let id = ResourceId::from_bytes(((count as u128) << 64 | number).to_be_bytes());
        Address::user(id)
    });
    let writes = people.flat_map(|at| {
        let record = Record { at, unique: vec![], index: vec![], ..record.clone() };
        [Write::Put(Box::new(record)), Write::Edge { group: group.id, member: at, add: true }]
    });
    let log = crate::store::suite::fixture::unit().log;
    let unit = Unit { given: vec![], writes: writes.collect(), log };
    world.store.commit(world.caller.tenant(), unit).unwrap();
    group
}

#[tokio::test]
async fn perf11_what_is_sent_in_chunks_is_what_is_sent_at_once() {
    const PAGE: usize = MEMBERS_PAGE_ROWS;
    let world = world();
    let roster = world.edge.roster();
    let kind = Arc::clone(roster.kinds().by_id(KindId::GROUP).unwrap());
    let sent = async |make: &dyn Fn() -> Box<dyn Pieces>, whole: usize| {
        let begun = Begun::within(whole, make(), &world.edge).unwrap();
        let streamed = begun.rest.is_some();
        (streamed, begun.body(&world.edge, world.hold()).collect().await.unwrap().to_bytes())
    };
    for count in [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE] {
        let group = crew(&world, count);
        for attributes in
            [None, Some("members.value"), Some("displayName,members.display"), Some("displayName")]
        {
            let projection = Projection::parse(attributes, None, &kind).unwrap();
            let names = projection.names("members", "display");
            let edges = Edges { members: projection.wants("members"), names, ..Edges::NONE };
            let one = || -> Box<dyn Pieces> {
                let view = roster.read(&world.caller, group, edges).unwrap();
                Box::new(One::new(Arc::clone(&kind), view, projection.clone()))
            };
            let (streamed, chunks) = sent(&one, 1).await;
            let (_, whole) = sent(&one, usize::MAX).await;
            assert_eq!(chunks, whole, "{count} members, {attributes:?}");
            assert_eq!(streamed, edges.members && count >= PAGE, "{count} members, {attributes:?}");
            let shown: serde_json::Value = serde_json::from_slice(&whole).unwrap();
            let members = shown["members"].as_array().map(Vec::len);
            assert_eq!(members, edges.members.then_some(count), "{count} members, {attributes:?}");

            let list = || -> Box<dyn Pieces> {
                let query = Query::of(Arc::clone(&kind), None, edges);
                let page = roster.query(&world.caller, &query).unwrap();
                Box::new(Listed::new(page, vec![(Arc::clone(&kind), projection.clone())]))
            };
            let (_, chunks) = sent(&list, 1).await;
            let (_, whole) = sent(&list, usize::MAX).await;
            assert_eq!(chunks, whole, "a list with {count} members, {attributes:?}");
            let list: serde_json::Value = serde_json::from_slice(&whole).unwrap();
            assert_eq!(list["itemsPerPage"], list["Resources"].as_array().unwrap().len());
            assert!(
                list["Resources"].as_array().unwrap().contains(&shown),
                "{count} members, {attributes:?}"
            );
        }
    }
}

impl Pieces for Box<dyn Pieces> {
    fn write(&mut self, out: &mut Vec<u8>, edge: &Edge) -> Result<ControlFlow<()>, RosterError> {
        self.as_mut().write(out, edge)
    }

    fn let_go(&mut self) {
        self.as_mut().let_go();
    }
}
