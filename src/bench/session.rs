//! A run while it goes on: the daemons, and who takes part in a load, taking turns.
//!
//! In each turn everybody is measured once, one after the other, so that what the neighbours do meanwhile falls on all.

use std::hint::black_box;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::spawn_blocking;

use super::child::{Server, probe};
use super::contestant::{Act, At, Contestant, Fire, Paced};
use super::cores::{Half, keep_to};
use super::engine::Engine;
use super::figures::{Case, Footprint, Row, Storage, Who, case};
use super::hang::Visitors;
use super::load::{Volley, closed_loop, neighbours};
use super::loads::Load;
use super::meter::{self, Used};
use super::pace::open_loop;
use super::pgbench::Inserts;
use super::plan::Plan;
use super::postgres::Postgres;
use super::preload::Asked;
use super::script::{ByPeople, Person, Script, Scripts};
use super::storage::storage;
use super::sum::Sum;
use super::sync::first_sync;
use super::which::{Which, with_plugin};
use super::world::{Site, World, Worlds};
use super::{BenchError, disk, preload};

/// A run while it goes on.
pub(super) struct Session<'r> {
    /// Ends before the folder goes in which it is.
    postgres: Option<Postgres>,
    pub(super) plan: &'r Plan,
    /// Which turn is being prepared or taken, from 0.
    pub(super) turn: usize,
    worlds: Worlds,
    engine: Option<Engine>,
    inserts: Option<Inserts>,
    /// How many connections were given users at random by [`Session::gets`].
    walkers: usize,
    progress: &'r mut (dyn Write + Send),
    rows: Vec<Row>,
    storage: Option<Storage>,
}

impl<'r> Session<'r> {
    pub(super) fn new(plan: &'r Plan, site: Site, progress: &'r mut (dyn Write + Send)) -> Self {
        let (worlds, rows) = (Worlds::on(site), Vec::new());
        Self {
            plan,
            turn: 0,
            worlds,
            engine: None,
            postgres: None,
            inserts: None,
            walkers: 0,
            progress,
            rows,
            storage: None,
        }
    }

    /// Takes all turns of a load.
    pub(super) async fn play(&mut self, load: &Load) -> Result<(), BenchError> {
        let mut sums: Vec<(Case, Who, Sum)> = Vec::new();
        for turn in 0..self.plan.turns {
            self.turn = turn;
            for (place, contestant) in (load.prepare)(self).await?.into_iter().enumerate() {
                let Contestant { case, who, act } = contestant;
                let shown = format!("{case}, {}, {} connections", who.name(), case.connections);
                // Progress that nobody can read is no reason to stop.
                let _ = writeln!(self.progress, "  {shown}, turn {}", turn + 1);
                if place >= sums.len() {
                    sums.push((case, who, Sum::nothing()));
                }
                let Some((_, _, sum)) = sums.get_mut(place) else { continue };
                self.take(sum, act).await.map_err(|why| why.during(&shown))?;
            }
        }
        self.rows.extend(sums.into_iter().map(|(case, who, sum)| sum.row(case, who)));
        Ok(())
    }

    /// Tells how far the run is.
    pub(super) fn tell(&mut self, what: std::fmt::Arguments<'_>) {
        // Progress that nobody can read is no reason to stop.
        let _ = writeln!(self.progress, "{what}");
    }

    /// Ends the daemons, and returns all that was found out.
    pub(super) async fn end(self) -> Result<(Vec<Row>, Vec<Footprint>, Option<Storage>), BenchError> {
        drop(self.postgres);
        Ok((self.rows, self.worlds.end().await?, self.storage))
    }

    /// Takes one turn.
    async fn take(&mut self, sum: &mut Sum, act: Act) -> Result<(), BenchError> {
        let window = self.plan.window;
        match act {
            Act::Fire(fire) => self.fire(sum, fire).await,
            Act::Paced(paced) => self.paced(sum, paced).await,
            Act::Append { record, group } => {
                disk::append_loop(sum, self.worlds.site.place.folder(), record, group, window / 4)
            }
            Act::PacedAppend { record, agenda } => {
                let folder = self.worlds.site.place.folder();
                sum.volley(disk::paced(folder, record, agenda.as_ref(), self.plan.pace)?, None);
                Ok(())
            }
            Act::Engine { users, group } => self.engine(users).await?.measure(sum, group, window),
            Act::Inserts { users, clients } => self.inserts(sum, users, clients),
            Act::Parse(text) => {
                parse(sum, &text, window / 4);
                Ok(())
            }
        }
    }

    async fn fire(&mut self, sum: &mut Sum, fire: Fire) -> Result<(), BenchError> {
        let window = self.plan.window;
        // Who has just started knows nothing yet: L2 would look slower alone than beside something later.
        let warm_up = if fire.fresh { window } else { self.plan.warm_up() };
        match &fire.at {
            At::Reference(_) => {}
            At::Daemon(which) => {
                let world = self.world(*which).await?;
                world.keep_apart(fire.apart).await?;
                if fire.fresh {
                    world.restart(None).await?;
                    // What its cache keeps of them is no memory of what is measured.
                    self.walk(*which, case::GET, Scripts::get).await?;
                }
                self.world(*which).await?.note_memory();
            }
        }
        let visitors = match &fire.at {
            At::Daemon(which) if fire.hang => Some(self.visitors(*which).await?),
            _ => None,
        };
        let server = match &fire.at {
            At::Reference(server) => server,
            At::Daemon(which) => &self.world(*which).await?.server,
        };
        let before = counters(server).await;
        let forgot = meter::forget_peak(server.pid());
        let (memory, _) = meter::memory_kib(server.pid());
        let _kept = if fire.apart { keep_to(Half::Second) } else { None };
        let measured = closed_loop(server.at(), fire.scripts, warm_up, window, probe(server));
        let volley = if fire.beside.is_empty() {
            measured.await?
        } else {
            let (at, scripts, apart) = (server.at(), fire.beside, fire.apart);
            let other = spawn_blocking(move || neighbours(at, scripts, warm_up, window, apart));
            let (volley, other) = tokio::join!(measured, other);
            other.map_err(|why| BenchError::Server {
                who: "the load beside".into(),
                what: format!("ended: {why}"),
            })??;
            volley?
        };
        visitors.map_or(Ok(()), Visitors::end)?;
        let (_, most) = meter::memory_kib(server.pid());
        sum.volley(volley, forgot.then(|| most.saturating_sub(memory)));
        if let (Some(before), Some(after)) = (before, counters(server).await) {
            sum.store(after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
        }
        Ok(())
    }

    /// Has people try to sign in by providers that hang.
    async fn visitors(&mut self, which: Which) -> Result<Visitors, BenchError> {
        let world = self.world(which).await?;
        let silent = world.silent.as_ref().ok_or_else(|| BenchError::Server {
            who: "the daemon".into(),
            what: "has no provider that hangs".into(),
        })?;
        Visitors::come(world.server.at(), silent).await
    }

    async fn paced(&mut self, sum: &mut Sum, Paced { users, agenda }: Paced) -> Result<(), BenchError> {
        let (pace, warm_up) = (self.plan.pace, self.plan.warm_up_of_pace());
        let world = self.world(users).await?;
        world.keep_apart(false).await?;
        world.note_memory();
        let server = &world.server;
        let before = counters(server).await;
        let (at, probe) = (server.at(), probe(server));
        let ran = spawn_blocking(move || open_loop(at, agenda.as_ref(), pace, warm_up, probe)).await;
        let paced = ran.map_err(|why| BenchError::Server {
            who: "the open loop".into(),
            what: format!("ended: {why}"),
        })??;
        sum.behind(&paced.behind);
        sum.volley(paced.volley, None);
        if let (Some(before), Some(after)) = (before, counters(server).await) {
            sum.store(after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
        }
        Ok(())
    }

    /// Has PostgreSQL insert for a while.
    fn inserts(&mut self, sum: &mut Sum, users: usize, clients: usize) -> Result<(), BenchError> {
        let mut inserts = match self.inserts.take() {
            Some(inserts) => inserts,
            None => Inserts::prepare(self.postgres()?, users)?,
        };
        let window = self.plan.window;
        let place = Rc::clone(&self.worlds.site);
        inserts.measure(sum, self.postgres()?, &place.place, clients, window)?;
        self.inserts = Some(inserts);
        Ok(())
    }

    /// Looks whether the plugin is there that some daemons have.
    pub(super) fn plugin_must_be_there(&self) -> Result<(), BenchError> {
        let site = &self.worlds.site;
        with_plugin(&site.place, &site.plugins).map(|_| ())
    }

    /// Reads how often a daemon has asked a plugin.
    pub(super) async fn plugin_calls(&mut self, which: Which) -> Result<u64, BenchError> {
        Ok(self
            .world(which)
            .await?
            .server
            .counters_of("rosterd_plugin_calls_total")
            .await
            .unwrap_or_default())
    }

    /// Returns the run's own PostgreSQL, or says what is missing for it.
    pub(super) fn postgres(&mut self) -> Result<&Postgres, BenchError> {
        if self.worlds.site.postgres.is_some() {
            let found = self.worlds.site.postgres.as_ref();
            return found.ok_or_else(|| BenchError::Missing("PostgreSQL".into()));
        }
        let server = match self.postgres.take() {
            Some(server) => server,
            None => Postgres::start(&self.worlds.site.place)?,
        };
        Ok(self.postgres.insert(server))
    }

    /// Returns the engine on a copy of the folder with so many users.
    async fn engine(&mut self, users: usize) -> Result<&mut Engine, BenchError> {
        let engine = match self.engine.take() {
            Some(open) => open,
            None => {
                let twin = self.worlds.site.place.path("engine");
                self.world(users).await?.restart(Some(&twin)).await?;
                Engine::open(&twin, &self.worlds.site.token)?
            }
        };
        Ok(self.engine.insert(engine))
    }

    /// Returns a daemon.
    async fn world(&mut self, which: impl Into<Which>) -> Result<&mut World, BenchError> {
        self.worlds.with(which.into(), self.progress).await
    }
}

/// What loads ask while they prepare a turn.
impl Session<'_> {
    pub(super) fn scripts(&self) -> Scripts {
        self.worlds.site.scripts.clone()
    }

    /// Returns the users of the daemon with so many of them.
    pub(super) async fn people(&mut self, users: usize) -> Result<Arc<Vec<Person>>, BenchError> {
        Ok(Arc::clone(&self.world(users).await?.people))
    }

    /// Asks a daemon for everybody once as a load does.
    pub(super) async fn walk(
        &mut self,
        which: impl Into<Which>,
        load: &'static str,
        script: ByPeople,
    ) -> Result<(), BenchError> {
        let which = which.into();
        self.worlds.with(which, self.progress).await?.walk(load, script, self.progress).await
    }

    /// Returns what the browsers of so many of its users hold, who have signed in.
    pub(super) async fn cookies(
        &mut self,
        which: impl Into<Which>,
        count: usize,
    ) -> Result<Vec<String>, BenchError> {
        self.world(which).await?.cookies(count).await
    }

    /// Returns how many users a list of that daemon has.
    pub(super) async fn total(&mut self, users: usize) -> Result<usize, BenchError> {
        Ok(self.world(users).await?.total())
    }

    /// Returns what a second tenant of a daemon sends with, and its people; makes both if they are not there.
    pub(super) async fn neighbour(
        &mut self,
        users: usize,
    ) -> Result<(Scripts, Arc<Vec<Person>>), BenchError> {
        let Self { worlds, progress, .. } = self;
        let world = worlds.with(users.into(), *progress).await?;
        world.neighbour(*progress).await
    }

    /// Returns people who come and go, of the largest daemon.
    pub(super) async fn movers(&mut self, count: usize) -> Result<Vec<Person>, BenchError> {
        let Self { worlds, progress, plan, .. } = self;
        let world = worlds.with(plan.users.into(), *progress).await?;
        Ok(world.movers(count, *progress).await?.to_vec())
    }

    /// Returns a group of the largest daemon. How long it took to make it is a figure.
    pub(super) async fn group(&mut self, members: usize) -> Result<String, BenchError> {
        let Self { worlds, progress, plan, .. } = self;
        let world = worlds.with(plan.users.into(), *progress).await?;
        let (id, took) = world.group(members, *progress).await?;
        if let Some((took, cpu)) = took {
            let mut sum = Sum::nothing();
            sum.step(members, took, cpu);
            sum.end_turn();
            let case = Case::of(case::LOAD_GROUP, 1).with_users(plan.users).with_members(members);
            self.rows.push(sum.row(case, Who::Rosterd));
        }
        Ok(id)
    }

    /// Takes those who come and go out of a group of the largest daemon: a turn may have ended while they were in.
    pub(super) async fn empty_of(&mut self, group: &str, movers: &[Person]) -> Result<(), BenchError> {
        let mut script = self.scripts().take_out(group, movers);
        self.send(self.plan.users, &mut script, "taking members out").await?;
        Ok(())
    }

    /// Synchronises so many users into a daemon of their own, which is removed afterwards.
    pub(super) async fn synchronise(&mut self, users: usize) -> Result<Vec<Volley<Used>>, BenchError> {
        let site = Rc::clone(&self.worlds.site);
        let data = site.place.path("sync");
        let (mut server, _) = Server::daemon(&data, &site.token_file).await?;
        self.tell(format_args!("synchronising: {users} users"));
        let tenths = first_sync(&server, &site.scripts, users, self.progress).await?;
        let counted = preload::count(server.at(), &site.scripts).await?;
        if counted != users {
            let what = format!("has {counted} of {users} users after a first synchronisation");
            return Err(BenchError::Server { who: "the daemon".into(), what });
        }
        server.stop()?;
        std::fs::remove_dir_all(&data).map_err(BenchError::system("remove a data folder"))?;
        Ok(tenths)
    }

    /// Measures what the largest daemon's users take on the disk.
    pub(super) async fn measure_storage(&mut self) -> Result<(), BenchError> {
        let (site, plan) = (Rc::clone(&self.worlds.site), self.plan);
        self.storage = Some(storage(&site, plan.users, plan.turns, plan.window, self.progress).await?);
        Ok(())
    }

    /// Adds a measurement that was not taken in turns.
    pub(super) fn keep(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Returns a contestant that reads users at random.
    pub(super) async fn gets(&mut self, users: usize, name: &'static str) -> Result<Contestant, BenchError> {
        let connections = self.plan.connections_of_reads;
        let (scripts, people) = (self.scripts(), self.people(users).await?);
        // Nobody walks in another's footsteps, where everything is in the cache.
        let first = self.walkers;
        self.walkers += connections;
        let all = (first..self.walkers).map(|seed| scripts.get(&people, seed)).collect();
        Ok(Contestant::daemon(Case::of(name, connections).with_users(users), users, all))
    }

    /// Asks whether somebody is a member of a group: the list has one result, or none.
    pub(super) async fn is_member(
        &mut self,
        users: usize,
        group: &str,
        who: Option<&Person>,
    ) -> Result<Asked, BenchError> {
        let target = format!(
            "/scim/v2/Groups?filter=id%20eq%20%22{group}%22%20and%20members.value%20eq%20%22{}%22&excludedAttributes=members",
            who.map(|person| person.id.as_str()).unwrap_or_default()
        );
        let mut script = self.scripts().repeat(&target);
        self.send(users, &mut script, "looking for a member").await
    }

    /// Sends one request to a daemon; the status of the answer must be right.
    pub(super) async fn send(
        &mut self,
        which: impl Into<Which>,
        script: &mut Script,
        during: &str,
    ) -> Result<Asked, BenchError> {
        let at = self.world(which).await?.server.at();
        preload::send(at, script).await.map_err(|why| why.during(during))
    }

    /// The same, and the body must say what it should. Returns its size.
    pub(super) async fn rehearse(
        &mut self,
        which: impl Into<Which>,
        mut script: Script,
        during: &str,
        expected: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<usize, BenchError> {
        let asked = self.send(which, &mut script, during).await?;
        asked.must_say(expected, holds).map_err(|why| why.during(during))?;
        Ok(asked.body.len())
    }
}

/// Reads how many batches and units the daemon has made durable; a reference has none.
async fn counters(server: &Server) -> Option<(u64, u64)> {
    let batches = server.counter("rosterd_store_batches_total").await?;
    Some((batches, server.counter("rosterd_store_units_total").await?))
}

/// Reads a text again and again.
fn parse(sum: &mut Sum, text: &[u8], window: Duration) {
    /// So many that looking at the clock costs nothing beside them.
    const AT_ONCE: usize = 100;
    let started = Instant::now();
    while started.elapsed() < window {
        let (begun, cpu) = (Instant::now(), meter::cpu_of_this_thread());
        for _ in 0..AT_ONCE {
            black_box(serde_json::from_slice::<Value>(black_box(text)).is_ok());
        }
        sum.step(AT_ONCE, begun.elapsed(), meter::cpu_of_this_thread().saturating_sub(cpu));
    }
    sum.end_turn();
}
