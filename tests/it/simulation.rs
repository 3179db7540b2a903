//! R36: store, schedules, change feed, a webhook's desk and clock, played from one seed on a disk that forgets, tears, reorders and fails.
//!
//! A run does what its seed says: people come, change, are locked and leave, days come by a clock that also goes back, a reader follows the
//! changes, a webhook's receiver takes them, fails, or takes them and is not heard, the disk fails in the middle of something, the machine loses its
//! power. After each power loss, and at the end, everything that was acknowledged must be there, every view must agree, and nothing may have been
//! read or delivered that is not in the history any more. In the end the receiver has all of it, of each resource in its order.
//!
//! A seed that fails says how to play it again: `ROSTERD_TEST_SEED=…`.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rosterd::app::bootstrap::bootstrap;
use rosterd::app::{Rim, roster_on};
use rosterd::chance::SeededChance;
use rosterd::clock::{Clock, FixedClock};
use rosterd::config::{Config, Environment, Sources};
use rosterd::ids::{Address, KindId, ResourceId, TenantId};
use rosterd::outbox::desk::{Desk, Failure, Moment, Pace};
use rosterd::outbox::{Money, Reading, kept};
use rosterd::roster::{Authority, Caller, Edges, Look, Precondition, Roster};
use rosterd::store::disk::Disk;
use rosterd::store::redb::{RedbOptions, on_disk};
use rosterd::store::simulated::{SimulatedDisk, Trouble};
use rosterd::store::writer::WriterOptions;
use rosterd::store::{Action, Facts, Link, LogRow, Seq, State};
use serde_json::{Value, json};

use crate::support::world::must_be_whole;
use crate::support::{Dice, repeats};

const PSA: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
const STEPS: usize = 90;
const SECONDS_OF_A_DAY: i64 = 86_400;
const HOOK: &str = "receiver";
const PACE: Pace = Pace { attempts_max: 3, first: Duration::from_secs(1), most: Duration::from_mins(1) };

/// A webhook's desk, how long it has been there, and what its receiver has taken, also unheard.
#[derive(Debug, Default)]
struct Delivery {
    desk: Option<Desk>,
    since_start: Duration,
    took: Vec<(Seq, Link, ResourceId)>,
}

/// How a receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Fickle,
    Well,
}

/// What there is to see of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Face {
    Absent,
    Present { title: String, locked: bool },
}

/// What is known of a person.
#[derive(Debug)]
struct Person {
    /// As it was last acknowledged or seen.
    known: Face,
    /// As it would be if what was refused by a failing disk had been done all the same.
    perhaps: Option<Face>,
    id: Option<ResourceId>,
    /// The day from which they are let in no more.
    last_day: Option<Timestamp>,
    /// Whether a look after that day was acknowledged, and the clock has not been before its end since.
    is_over: bool,
}

impl Person {
    /// Tells whether their last day is over wherever they may be: zones are at most 14 hours from each other's midnight.
    fn is_out_by(&self, now: Timestamp) -> bool {
        self.last_day.is_some_and(|day| now > day + SignedDuration::from_secs(3 * SECONDS_OF_A_DAY))
    }
}

struct World {
    dice: Dice,
    disk: SimulatedDisk,
    clock: Arc<FixedClock>,
    rim: Rim,
    config: Config,
    roster: Option<Arc<Roster>>,
    tenant: Option<TenantId>,
    people: BTreeMap<String, Person>,
    /// What a reader of the change feed has been told.
    told: Vec<(Seq, Link)>,
    delivery: Delivery,
    times_back: usize,
    crashes: usize,
}

impl World {
    fn new(seed: u64, is_deaf: bool) -> Self {
        let disk = SimulatedDisk::new(seed);
        let clock = Arc::new(FixedClock::at("2026-03-01T08:00:00Z"));
        let chance = Arc::new(SeededChance::new(seed));
        let rim = Rim { clock: Arc::clone(&clock) as Arc<dyn Clock>, chance, ..Rim::default() };
        let config =
            Config::load(&Sources::new(Environment::default()).flag("--data", "data.dir", "/nowhere"));
        let mut world = Self {
            dice: Dice::new(seed),
            disk,
            clock,
            rim,
            config: config.unwrap(),
            roster: None,
            tenant: None,
            people: BTreeMap::new(),
            told: Vec::new(),
            delivery: Delivery::default(),
            times_back: 0,
            crashes: 0,
        };
        world.start();
        bootstrap(world.roster(), &world.config, None).unwrap();
        world.tenant = Some(world.caller().tenant());
        if is_deaf {
            world.disk.be_deaf();
        }
        world
    }

    fn start(&mut self) {
        let writer = WriterOptions { pause: Duration::from_millis(1), ..WriterOptions::default() };
        // A journal so small that the tree is written to every few commits.
        let options = RedbOptions { cache_bytes: 1 << 20, journal_bytes: 20_000, writer };
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let store = on_disk(&disk, &options).unwrap_or_else(|error| panic!("it does not open: {error}"));
        self.roster = Some(roster_on(Arc::new(store), &self.rim));
    }

    fn roster(&self) -> &Roster {
        self.roster.as_ref().expect("it runs")
    }

    fn caller(&self) -> Caller {
        self.roster().operator("main", self.roster().request_id()).unwrap()
    }

    fn tenant(&self) -> TenantId {
        self.tenant.expect("it has a tenant")
    }

    /// Waits until the store has overcome what the disk did to it.
    fn until_well(&self) {
        let patience = Instant::now() + Duration::from_secs(20);
        while self.roster().store().health().state != State::Ready {
            assert!(Instant::now() < patience, "the store does not recover");
            std::thread::yield_now();
        }
    }

    /// Does one step of the play.
    fn step(&mut self, number: usize) {
        match self.dice.below(24) {
            0..=5 => self.hire(number),
            6..=9 => self.with_somebody(World::retitle),
            10..=11 => self.with_somebody(World::lock_or_unlock),
            12 => self.with_somebody(World::dismiss),
            13..=14 => self.pass_time(),
            15..=16 => self.look_at_days(),
            17 => self.tell(),
            18 => {
                let troubles = [Trouble::ShortWrite, Trouble::NoRoom, Trouble::FailedSync];
                let trouble = *self.dice.pick(&troubles);
                let spared = self.dice.below(12) as u64;
                self.disk.trouble(trouble, spared);
            }
            19 => self.lose_power(),
            _ => self.deliver(Mood::Fickle),
        }
    }

    fn body(name: &str, title: &str, last_day: Option<Timestamp>) -> Value {
        let mut body = json!({ "userName": name, "title": title });
        if let Some(day) = last_day {
            let day = day.to_zoned(TimeZone::UTC).date().to_string();
            body[PSA] = json!({ "schedule": { "deactivateOn": day } });
        }
        body
    }

    fn hire(&mut self, number: usize) {
        let name = format!("p{number}");
        let days = i64::try_from(self.dice.below(40)).unwrap() + 1;
        let leaves = self.dice.once_in(2);
        let now = self.clock.now();
        let last_day = leaves.then(|| now + SignedDuration::from_secs(days * SECONDS_OF_A_DAY));
        let caller = self.caller();
        let kind = Arc::clone(caller.kinds().by_id(KindId::USER).unwrap());
        let done = self.roster().create(&caller, &kind, Self::body(&name, "new", last_day), Edges::NONE);
        let there = Face::Present { title: "new".to_owned(), locked: false };
        let mut person = Person { known: Face::Absent, perhaps: None, id: None, last_day, is_over: false };
        match done {
            Ok(view) => (person.id, person.known) = (Some(view.stored.at().id), there),
            Err(_) => person.perhaps = Some(there),
        }
        self.people.insert(name, person);
        self.until_well();
    }

    /// Does something with somebody who is there.
    fn with_somebody(&mut self, act: impl FnOnce(&mut Self, &str, ResourceId, String, bool)) {
        let here = self.people.iter().filter_map(|(name, person)| match (&person.known, &person.perhaps) {
            (Face::Present { title, locked }, None) => {
                Some((name.clone(), person.id?, title.clone(), *locked))
            }
            _ => None,
        });
        let here: Vec<_> = here.collect();
        if !here.is_empty() {
            let (name, id, title, locked) = self.dice.pick(&here).clone();
            act(self, &name, id, title, locked);
            self.until_well();
        }
    }

    fn settle<E>(&mut self, name: &str, done: Result<(), E>, face: Face) {
        let person = self.people.get_mut(name).unwrap();
        match done {
            Ok(()) => person.known = face,
            Err(_) => person.perhaps = Some(face),
        }
    }

    fn retitle(&mut self, name: &str, id: ResourceId, _: String, locked: bool) {
        let title = format!("t{}", self.dice.below(1000));
        let caller = self.caller();
        let kind = Arc::clone(caller.kinds().by_id(KindId::USER).unwrap());
        let last_day = self.people[name].last_day;
        let body = Self::body(name, &title, last_day);
        let at = Address::user(id);
        let done = self.roster().replace(&caller, &kind, at, &Precondition::None, body, Edges::NONE);
        self.settle(name, done.map(drop), Face::Present { title, locked });
    }

    fn lock_or_unlock(&mut self, name: &str, id: ResourceId, title: String, locked: bool) {
        let caller = self.caller();
        let done = if locked {
            self.roster().unlock(&caller, id, Authority::Admin)
        } else {
            self.roster().lock(&caller, id, Authority::Admin, None)
        };
        self.settle(name, done, Face::Present { title, locked: !locked });
    }

    fn dismiss(&mut self, name: &str, id: ResourceId, _: String, _: bool) {
        let caller = self.caller();
        let kind = Arc::clone(caller.kinds().by_id(KindId::USER).unwrap());
        let done = self.roster().remove(&caller, &kind, Address::user(id), &Precondition::None);
        self.settle(name, done, Face::Absent);
    }

    fn pass_time(&mut self) {
        let days = i64::try_from(self.dice.below(20)).unwrap();
        if self.dice.once_in(5) {
            self.clock.advance(-days * SECONDS_OF_A_DAY / 4);
            self.times_back += 1;
            // Whatever is written of them now lets them in again, and the day comes once more.
            let now = self.clock.now();
            for person in self.people.values_mut() {
                person.is_over &= person.is_out_by(now);
            }
        } else {
            self.clock.advance(days * SECONDS_OF_A_DAY);
        }
    }

    fn look_at_days(&mut self) {
        let now = self.clock.now();
        let looked = self.roster().look_at_schedules(Look::Now, &|| true);
        self.until_well();
        if looked.is_ok_and(|looked| looked.failed == 0) {
            for person in self.people.values_mut() {
                person.is_over |=
                    person.is_out_by(now) && person.known != Face::Absent && person.perhaps.is_none();
            }
        }
    }

    /// Tells the reader of the feed what it does not know yet; it fails now and then, and is told again.
    fn tell(&mut self) {
        let after = self.told.last().map_or(Seq::ZERO, |(seq, _)| *seq);
        let most = 1 + self.dice.below(20);
        let rows = self.roster().store().snapshot().unwrap().changes(self.tenant(), after, most).unwrap();
        if !self.dice.once_in(3) {
            self.told.extend(rows.iter().map(|row| (row.seq, row.link)));
        }
    }

    /// Takes the desk up where it was left, if it is not there.
    fn desk(&mut self) -> Desk {
        self.delivery.desk.take().unwrap_or_else(|| {
            self.delivery.since_start = Duration::ZERO;
            let to = (HOOK, "https://receiver.test/".to_owned());
            let snapshot = self.roster().store().snapshot().unwrap();
            kept::take_up(snapshot.as_ref(), self.tenant(), to, Seq::ZERO, PACE).unwrap()
        })
    }

    /// Reads which events a row of the history is.
    fn event(&self, row: &LogRow) -> Option<(ResourceId, Timestamp)> {
        let (tenant, kinds) = (self.tenant(), self.roster().kinds());
        let reading = Reading { tenant, kinds, base_url: "https://roster.test", money: Money::Hidden };
        reading.event(row).unwrap().map(|event| (event.resource.id, event.time))
    }

    /// Has the desk at work for a while: it reads on, delivers, hears of it or does not, and writes down how far it has come, unless that fails.
    fn deliver(&mut self, mood: Mood) {
        let mut desk = self.desk();
        let patience = if mood == Mood::Well { 120 } else { self.dice.below(20) as u64 };
        self.delivery.since_start += Duration::from_secs(patience);
        if mood == Mood::Well || self.dice.once_in(6) {
            desk.replay(None);
        }
        desk.release();
        // No longer than it takes: a store that recovers waits for its readers.
        let rows = {
            let snapshot = self.roster().store().snapshot().unwrap();
            snapshot.changes(self.tenant(), desk.read(), desk.room().min(8)).unwrap()
        };
        for row in &rows {
            desk.take(row.seq, self.event(row));
        }
        let mut flying = Vec::new();
        while let Some(one) = desk.next(self.delivery.since_start) {
            flying.push(one);
        }
        while !flying.is_empty() {
            let (resource, seq) = flying.swap_remove(self.dice.below(flying.len()));
            self.land(&mut desk, resource, seq, mood);
        }
        if mood == Mood::Well || !self.dice.once_in(3) {
            let (unit, unwritten) = kept::write_down(&mut desk, HOOK, &[]).unwrap();
            if self.roster().store().commit(self.tenant(), unit).is_err() {
                desk.give_back(unwritten);
            }
            self.until_well();
        }
        self.delivery.desk = Some(desk);
    }

    /// Ends a delivery as the receiver has it.
    fn land(&mut self, desk: &mut Desk, resource: ResourceId, seq: Seq, mood: Mood) {
        let now = Moment { since_start: self.delivery.since_start, wall: self.clock.now() };
        let fate = if mood == Mood::Well { 9 } else { self.dice.below(10) };
        if fate > 1 {
            let snapshot = self.roster().store().snapshot().unwrap();
            let row = snapshot.changes(self.tenant(), Seq(seq.0 - 1), 1).unwrap().remove(0);
            self.delivery.took.push((row.seq, row.link, resource));
        }
        match fate {
            0 if self.dice.once_in(4) => desk.gone(resource, "410", now),
            // It did not arrive, or it did and the answer was lost.
            0..=3 => {
                let chance = u16::try_from(self.dice.below(1 << 16)).unwrap();
                let failure = Failure { why: "503".to_owned(), wait: None };
                desk.failed(resource, failure, now, chance);
            }
            _ => desk.taken(resource),
        }
    }

    /// Has everything delivered that was not, and compares what the receiver has with the history.
    fn deliver_the_rest(&mut self) {
        let head = self.history().last().map_or(Seq::ZERO, |row| row.seq);
        for _ in 0..1000 {
            self.deliver(Mood::Well);
            let desk = self.delivery.desk.as_ref().unwrap();
            if desk.read() == head && desk.waiting() == 0 && desk.set_aside() == 0 {
                break;
            }
        }
        let mut due: BTreeMap<ResourceId, Vec<Seq>> = BTreeMap::new();
        for row in &self.history() {
            if let Some((resource, _)) = self.event(row) {
                due.entry(resource).or_default().push(row.seq);
            }
        }
        let mut got: BTreeMap<ResourceId, Vec<Seq>> = BTreeMap::new();
        for (seq, _, resource) in &self.delivery.took {
            let seqs = got.entry(*resource).or_default();
            if !seqs.contains(seq) {
                seqs.push(*seq);
            }
        }
        assert_eq!(got, due, "what the receiver was told first of each resource, and what there was to tell");
    }

    fn lose_power(&mut self) {
        self.disk.crash();
        self.crashes += 1;
        self.delivery.desk = None;
        // What still runs of it finds no disk any more.
        self.roster = None;
        self.start();
        self.look();
    }

    /// Compares everything with what is known.
    fn look(&mut self) {
        must_be_whole(self.roster());
        let history = self.history();
        let took = self.delivery.took.iter().map(|(seq, link, _)| (seq, link));
        for (seq, link) in self.told.iter().map(|(seq, link)| (seq, link)).chain(took) {
            let row = &history[usize::try_from(seq.0).unwrap() - 1];
            assert_eq!((row.seq, row.link), (*seq, *link), "a reader was told what is not there");
        }
        let names: Vec<String> = self.people.keys().cloned().collect();
        for name in names {
            let (face, id) = self.face(&name);
            let times = id.map_or(0, |id| schedules_in(&history, id));
            let is_out = id.is_none_or(|id| {
                self.roster().locks(&self.caller(), id).unwrap().by(Authority::Schedule).is_some()
            });
            let person = self.people.get_mut(&name).unwrap();
            assert!(
                face == person.known || Some(&face) == person.perhaps.as_ref(),
                "{name} is {face:?}, and should be {:?} or perhaps {:?}",
                person.known,
                person.perhaps
            );
            assert!(times <= 1 + self.times_back, "{name}: a day had its effect {times} times");
            assert!(!person.is_over || is_out, "{name}: a day that was looked at has no effect");
            // What is seen is durable: from now on it is nothing else.
            (person.known, person.perhaps) = (face, None);
            person.id = person.id.or(id);
        }
    }

    fn history(&self) -> Vec<LogRow> {
        self.roster().store().snapshot().unwrap().changes(self.tenant(), Seq::ZERO, 10_000).unwrap()
    }

    fn face(&self, name: &str) -> (Face, Option<ResourceId>) {
        let caller = self.caller();
        let snapshot = self.roster().store().snapshot().unwrap();
        let people = snapshot.ids(caller.tenant(), KindId::USER, None, 0, 1000).unwrap();
        for id in people {
            let stored = snapshot.get(caller.tenant(), Address::user(id)).unwrap().unwrap();
            let core: Value = serde_json::from_str(stored.segments().next().unwrap().1).unwrap();
            if core["userName"] == name {
                let title = core["title"].as_str().unwrap().to_owned();
                let locks = self.roster().locks(&caller, id).unwrap();
                let locked = locks.iter().any(|lock| lock.authority == Authority::Admin);
                return (Face::Present { title, locked }, Some(id));
            }
        }
        (Face::Absent, None)
    }
}

fn schedules_in(history: &[LogRow], id: ResourceId) -> usize {
    let facts = history.iter().map(|row| serde_json::from_slice::<Facts>(&row.facts).unwrap());
    facts
        .filter(|facts| facts.action == Action::Schedule && facts.subject.is_some_and(|at| at.id == id))
        .count()
}

/// Plays a seed; returns the history that it came to, by which two plays are compared.
fn play(seed: u64, is_deaf: bool) -> Vec<Link> {
    let mut world = World::new(seed, is_deaf);
    for number in 0..STEPS {
        world.step(number);
    }
    world.lose_power();
    world.deliver_the_rest();
    world.history().iter().map(|row| row.link).collect()
}

#[test]
fn r36_whatever_the_seed_does_nothing_acknowledged_is_lost_and_every_view_agrees() {
    let one =
        std::env::var_os("ROSTERD_TEST_SEED").map(|seed| seed.to_str().unwrap().parse::<u64>().unwrap());
    let seeds = one.map_or(0..repeats(100, 1000) as u64, |seed| seed..seed + 1);
    for seed in seeds {
        let played = catch_unwind(AssertUnwindSafe(|| play(seed, false)));
        assert!(
            played.is_ok(),
            "seed {seed} failed (see above); play it again by\n  ROSTERD_TEST_SEED={seed} cargo nextest run --all-features -E 'test(r36_whatever)'"
        );
    }
}

#[test]
fn r36_a_seed_is_played_the_same_each_time() {
    for seed in [3, 4] {
        let first = play(seed, false);
        assert!(first.len() > 20, "{}", first.len());
        assert!(play(seed, false) == first, "seed {seed}");
    }
}

#[test]
fn r36_a_disk_that_syncs_nothing_is_caught() {
    let caught = (0..4).filter(|seed| catch_unwind(AssertUnwindSafe(|| play(*seed, true))).is_err()).count();
    assert_eq!(caught, 4);
}
