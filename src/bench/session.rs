//! One load and its reference, taking turns.
//!
//! Each turn is the reference and then the daemon, so that what the neighbours do meanwhile falls on both.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::BenchError;
use super::child::{Reference, Server, probe};
use super::disk;
use super::engine::Engine;
use super::figures::{Row, Who};
use super::load::closed_loop;
use super::plan::Plan;
use super::script::{MOVING, PRELOADED, Person, Script, Scripts};
use super::sum::Sum;
use super::{people, preload};

/// The names of measurements.
pub(super) mod case {
    pub(in super::super) const CREATE: &str = "L1 create";
    pub(in super::super) const GET: &str = "L2 GET by id";
    pub(in super::super) const FIND: &str = "L3 userName eq";
    pub(in super::super) const ACTIVATE: &str = "L6 PATCH active";
    pub(in super::super) const MOVE: &str = "L8 one member in, out";
    pub(in super::super) const GET_GROUP: &str = "L8 GET without members";

    /// Names a measurement on a group of some size.
    pub(in super::super) fn of_group(case: &str, members: usize) -> String {
        format!("{case}, {members}")
    }
}

/// A daemon with people in it, and the figures so far.
pub(super) struct Session<'r> {
    pub(super) plan: &'r Plan,
    pub(super) daemon: &'r Server,
    pub(super) scripts: Scripts,
    pub(super) people: Arc<Vec<Person>>,
    pub(super) progress: &'r mut (dyn Write + Send),
    pub(super) rows: Vec<Row>,
    /// Users that were created by measurements.
    pub(super) created: u64,
}

impl Session<'_> {
    /// L2 beside bare hyper.
    pub(super) async fn get(&mut self) -> Result<(), BenchError> {
        let (scripts, people) = (self.scripts.clone(), Arc::clone(&self.people));
        self.read(case::GET, move |seed| scripts.get(&people, seed)).await
    }

    /// L3 beside bare hyper.
    pub(super) async fn find(&mut self) -> Result<(), BenchError> {
        let (scripts, people) = (self.scripts.clone(), Arc::clone(&self.people));
        self.read(case::FIND, move |seed| scripts.find(&people, seed)).await
    }

    async fn read(&mut self, case: &str, script: impl Fn(usize) -> Script) -> Result<(), BenchError> {
        let connections = self.plan.connections_of_reads;
        let mut sample = Vec::new();
        script(0)(&mut sample);
        let bytes = preload::ask(self.daemon.at(), &sample).await?.len();
        let bare = Server::reference(Reference::Get(bytes))?;
        let (mut theirs, mut ours) = (Sum::nothing(), Sum::nothing());
        for turn in 0..self.plan.turns {
            let seeds = || (0..connections).map(|connection| turn * connections + connection);
            self.say(&format!("{case}, {connections} connections, turn {}", turn + 1));
            self.fire(&mut theirs, &bare, seeds().map(&script).collect()).await;
            self.fire(&mut ours, self.daemon, seeds().map(&script).collect()).await;
        }
        self.rows.push(theirs.row(case, Who::BareHyper, connections));
        self.rows.push(ours.row(case, Who::Rosterd, connections));
        Ok(())
    }

    /// L6 beside the POST echo.
    pub(super) async fn activate(&mut self) -> Result<(), BenchError> {
        let connections = self.plan.connections_of_reads;
        let echo = Server::reference(Reference::Echo)?;
        let (mut theirs, mut ours) = (Sum::nothing(), Sum::nothing());
        // Nobody is touched by two connections or in two turns, so that nobody waits for another, and every request changes something.
        let shares = connections * self.plan.turns;
        let share = (self.people.len() / shares.max(1)).max(1);
        let mut shares = self.people.chunks(share).map(<[Person]>::to_vec).collect::<Vec<_>>().into_iter();
        for turn in 0..self.plan.turns {
            self.say(&format!("{}, {connections} connections, turn {}", case::ACTIVATE, turn + 1));
            let bodies = self.scripts.create_all(&format!("echo{turn}"), connections);
            self.fire(&mut theirs, &echo, bodies).await;
            let scripts = shares.by_ref().take(connections).map(|share| self.scripts.activate(share));
            let scripts = scripts.collect();
            self.fire(&mut ours, self.daemon, scripts).await;
        }
        self.rows.push(theirs.row(case::ACTIVATE, Who::PostEcho, connections));
        self.rows.push(ours.row(case::ACTIVATE, Who::Rosterd, connections));
        Ok(())
    }

    /// L8: a small group beside a large one.
    pub(super) async fn groups(&mut self) -> Result<(), BenchError> {
        let connections = self.plan.connections_of_reads;
        let sizes = [super::plan::SMALL_GROUP.min(self.people.len()), self.plan.members];
        let movers =
            preload::people(self.daemon.at(), &self.scripts, MOVING, connections, self.progress).await?;
        let mut groups = Vec::new();
        for size in sizes {
            self.say(&format!("a group of {size} members"));
            let body = people::group(&format!("Group of {size}"), self.ids(size));
            // A large group would be answered in chunks, which our small client does not read.
            let groups_at = "Groups?excludedAttributes=members";
            groups.push((size, preload::create(self.daemon.at(), &self.scripts, groups_at, &body).await?));
        }
        let mut moves: Vec<Sum> = sizes.iter().map(|_| Sum::nothing()).collect();
        let mut reads: Vec<Sum> = sizes.iter().map(|_| Sum::nothing()).collect();
        for turn in 0..self.plan.turns {
            for ((size, group), sum) in groups.iter().zip(&mut moves) {
                self.say(&format!("{}, {size} members, turn {}", case::MOVE, turn + 1));
                let script = |mover: &Person| self.scripts.move_member(group.clone(), mover.clone());
                let scripts = movers.iter().map(script).collect();
                self.fire(sum, self.daemon, scripts).await;
            }
            for ((size, group), sum) in groups.iter().zip(&mut reads) {
                self.say(&format!("{}, {size} members, turn {}", case::GET_GROUP, turn + 1));
                let scripts = (0..connections).map(|_| self.scripts.get_group(group.clone())).collect();
                self.fire(sum, self.daemon, scripts).await;
            }
        }
        for (name, sums) in [(case::MOVE, moves), (case::GET_GROUP, reads)] {
            for (size, sum) in sizes.iter().zip(sums) {
                self.rows.push(sum.row(&case::of_group(name, *size), Who::Rosterd, connections));
            }
        }
        Ok(())
    }

    /// L1 beside the POST echo, the engine without a server, and the disk itself.
    pub(super) async fn create(&mut self, engine: &mut Engine, folder: &Path) -> Result<(), BenchError> {
        let echo = Server::reference(Reference::Echo)?;
        let record = people::body(PRELOADED, 0).len();
        for connections in self.plan.connections.clone() {
            let [mut appended, mut alone, mut theirs, mut ours] = std::array::from_fn(|_| Sum::nothing());
            for turn in 0..self.plan.turns {
                self.say(&format!("{}, {connections} connections, turn {}", case::CREATE, turn + 1));
                disk::append_loop(&mut appended, folder, record, connections, self.plan.window / 4)?;
                engine.measure(&mut alone, connections, self.plan.window)?;
                let series = format!("l1t{turn}c{connections}");
                self.fire(&mut theirs, &echo, self.scripts.create_all(&series, connections)).await;
                self.fire(&mut ours, self.daemon, self.scripts.create_all(&series, connections)).await;
            }
            let ours = ours.row(case::CREATE, Who::Rosterd, connections);
            self.created += ours.requests;
            self.rows.push(appended.row(case::CREATE, Who::Append, connections));
            self.rows.push(alone.row(case::CREATE, Who::Engine, connections));
            self.rows.push(theirs.row(case::CREATE, Who::PostEcho, connections));
            self.rows.push(ours);
        }
        Ok(())
    }

    /// Runs one turn against a server, and adds it to the sum.
    async fn fire(&self, sum: &mut Sum, server: &Server, scripts: Vec<Script>) {
        let before = counters(server).await;
        let volley =
            closed_loop(server.at(), scripts, self.plan.warm_up(), self.plan.window, probe(server)).await;
        sum.volley(volley);
        let after = counters(server).await;
        if let (Some(before), Some(after)) = (before, after) {
            sum.store(after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
        }
    }

    fn ids(&self, count: usize) -> impl Iterator<Item = &str> {
        self.people.iter().take(count).map(|person| person.id.as_str())
    }

    fn say(&mut self, what: &str) {
        // Progress that nobody can read is no reason to stop.
        let _ = writeln!(self.progress, "  {what}");
    }
}

/// Reads how many batches and units the daemon has made durable; a reference has none.
async fn counters(server: &Server) -> Option<(u64, u64)> {
    let batches = server.counter("rosterd_store_batches_total").await?;
    Some((batches, server.counter("rosterd_store_units_total").await?))
}

impl Scripts {
    /// L1 on so many connections.
    fn create_all(&self, series: &str, connections: usize) -> Vec<Script> {
        (0..connections).map(|one| self.create(series.to_owned(), one, connections)).collect()
    }
}
