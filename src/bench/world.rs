//! A daemon with people in it, on a folder of its own, and what it takes apart from requests.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::BenchError;
use super::child::{self, Server};
use super::cores::{Half, keep_to};
use super::figures::Footprint;
use super::hang::Silent;
use super::postgres::Postgres;
use super::preload;
use super::script::{ByPeople, MOVING, PRELOADED, Person, Scripts};
use super::signin;
use super::which::{Kind, Which, on_database, with_plugin, with_silence};
use super::{meter, place};

/// Users of a second tenant.
const NEIGHBOURS: usize = 1_000;

/// What every daemon of a run has in common.
pub(super) struct Site {
    /// The run's own server, where daemons keep their people in it. It ends before the folder goes in which it is.
    pub(super) postgres: Option<Postgres>,
    pub(super) place: place::Place,
    pub(super) token: String,
    pub(super) token_file: PathBuf,
    pub(super) scripts: Scripts,
    /// Where the plugins that are shipped lie.
    pub(super) plugins: PathBuf,
    /// What a daemon's cache may take in MiB; 0 where that is for the daemon to say.
    pub(super) cache_mib: u32,
}

impl Site {
    /// Writes the settings of a daemon; mostly none.
    fn settings(&self, which: Which, silent: Option<&Silent>) -> Result<String, BenchError> {
        let mut settings = String::new();
        if let Some(server) = &self.postgres {
            server.make(&which.name())?;
            settings.push_str(&on_database(server, &which.name()));
        }
        if self.postgres.is_none() && self.cache_mib > 0 {
            settings = format!("[store]\ncache_mib = {}\n", self.cache_mib);
        }
        if which.kind == Kind::Plugged {
            settings.push_str(&with_plugin(&self.place, &self.plugins)?);
        }
        settings.push_str(&silent.map(with_silence).unwrap_or_default());
        Ok(settings)
    }

    /// Adds up what a daemon's people take on the disk.
    fn bytes(&self, which: Which, data: &Path) -> Result<u64, BenchError> {
        let folder = meter::folder_bytes(data).map_err(BenchError::system("measure the data folder"))?;
        let Some(server) = &self.postgres else { return Ok(folder) };
        let size = server.ask("postgres", &format!("SELECT pg_database_size('{}')", which.name()))?;
        Ok(folder + size.parse::<u64>().unwrap_or_default())
    }
}

/// The daemons of a run, by which they are; made when they are first needed.
pub(super) struct Worlds {
    pub(super) site: Rc<Site>,
    made: BTreeMap<Which, World>,
}

impl Worlds {
    pub(super) fn on(site: Site) -> Self {
        Self { site: Rc::new(site), made: BTreeMap::new() }
    }

    /// Returns a daemon.
    pub(super) async fn with(
        &mut self,
        which: Which,
        progress: &mut (dyn Write + Send),
    ) -> Result<&mut World, BenchError> {
        Ok(match self.made.entry(which) {
            Entry::Occupied(made) => made.into_mut(),
            Entry::Vacant(free) => free.insert(World::make(&self.site, which, progress).await?),
        })
    }

    /// Ends all of them, and says what they took.
    pub(super) async fn end(self) -> Result<Vec<Footprint>, BenchError> {
        let mut footprints = Vec::new();
        for world in self.made.into_values() {
            footprints.push(world.end().await?);
        }
        Ok(footprints)
    }
}

/// A daemon with people in it.
pub(super) struct World {
    site: Rc<Site>,
    which: Which,
    /// The provider that hangs, where there is one.
    pub(super) silent: Option<Silent>,
    settings: String,
    pub(super) server: Server,
    pub(super) people: Arc<Vec<Person>>,
    data: PathBuf,
    footprint: Footprint,
    /// Who is put into groups and taken out again; in none of them otherwise.
    movers: Vec<Person>,
    /// The groups' ids, by the number of their members.
    groups: BTreeMap<usize, String>,
    /// What a second tenant sends with, and its people.
    neighbour: Option<(Scripts, Arc<Vec<Person>>)>,
    /// Whether the daemon has half of the processors only.
    apart: bool,
    /// What the browsers of those hold who have signed in.
    cookies: Vec<String>,
    /// By which loads everybody was asked for since the daemon started.
    walked: BTreeSet<&'static str>,
}

impl World {
    /// Starts a daemon on a folder that is not there yet, makes the users, and starts it again.
    async fn make(
        site: &Rc<Site>,
        which: Which,
        progress: &mut (dyn Write + Send),
    ) -> Result<Self, BenchError> {
        let users = which.users;
        let data = site.place.path(&which.name());
        let silent = if which.kind == Kind::Hung { Some(Silent::start().await?) } else { None };
        let settings = site.settings(which, silent.as_ref())?;
        if !settings.is_empty() {
            let file = child::settings_of(&data);
            std::fs::write(&file, &settings)
                .map_err(BenchError::system(format!("write {}", file.display())))?;
        }
        let (mut server, _) = Server::daemon(&data, &site.token_file).await?;
        let mut footprint = Footprint { users, beside: which.beside(), ..Footprint::default() };
        footprint.idle_empty_kib = meter::memory_kib(server.pid()).0;
        // Progress that nobody can read is no reason to stop.
        let _ = writeln!(progress, "filling: {users} users");
        let started = Instant::now();
        let people = preload::people(server.at(), &site.scripts, PRELOADED, 0..users, progress).await?;
        footprint.preload_per_second = rate(people.len(), started.elapsed());
        server.stop()?;
        footprint.disk_bytes = site.bytes(which, &data)?;
        let (server, ready) = Server::daemon(&data, &site.token_file).await?;
        footprint.ready_ms = ready.as_secs_f64() * 1e3;
        footprint.idle_kib = meter::memory_kib(server.pid()).0;
        let (people, movers, groups) = (Arc::new(people), Vec::new(), BTreeMap::new());
        Ok(Self {
            site: Rc::clone(site),
            which,
            silent,
            settings,
            server,
            people,
            data,
            footprint,
            movers,
            groups,
            neighbour: None,
            apart: false,
            cookies: Vec::new(),
            walked: BTreeSet::new(),
        })
    }

    /// How many users there are, but for those that L1 makes.
    pub(super) fn total(&self) -> usize {
        self.people.len() + self.movers.len()
    }

    /// Ends the daemon, copies its folder if somebody wants a copy, and starts it again.
    pub(super) async fn restart(&mut self, copy_to: Option<&Path>) -> Result<(), BenchError> {
        self.note_memory();
        self.server.stop()?;
        if let Some(to) = copy_to {
            place::copy_folder(&self.data, to).map_err(BenchError::system("copy the data folder"))?;
        }
        (self.server, _) = Server::daemon(&self.data, &self.site.token_file).await?;
        self.walked.clear();
        Ok(())
    }

    /// Starts the daemon again on a half of the processors, or on all, unless that is how it runs.
    pub(super) async fn keep_apart(&mut self, apart: bool) -> Result<(), BenchError> {
        if self.apart == apart {
            return Ok(());
        }
        let _kept = if apart { keep_to(Half::First) } else { None };
        self.apart = apart;
        self.restart(None).await
    }

    /// Returns what the browsers of so many people hold who have signed in. Signs them in if they are not: beside the daemon, which then knows a program.
    pub(super) async fn cookies(&mut self, count: usize) -> Result<Vec<String>, BenchError> {
        if self.cookies.len() < count {
            self.note_memory();
            self.server.stop()?;
            let settings = child::settings_of(&self.data);
            // Who has providers already has a program too.
            let knows = self.settings.contains("[[apps]]");
            let text =
                if knows { self.settings.clone() } else { format!("{}{}", self.settings, signin::SETTINGS) };
            std::fs::write(&settings, text)
                .map_err(BenchError::system(format!("write {}", settings.display())))?;
            self.cookies = signin::sign_in(&self.data, self.people.iter().take(count))?;
            (self.server, _) = Server::daemon(&self.data, &self.site.token_file).await?;
            self.walked.clear();
        }
        Ok(self.cookies.clone())
    }

    /// Asks for everybody once as a load does, unless that was done: a daemon that has just started has nothing in its cache, and a large one would be measured while it fills.
    pub(super) async fn walk(
        &mut self,
        load: &'static str,
        script: ByPeople,
        progress: &mut (dyn Write + Send),
    ) -> Result<(), BenchError> {
        if self.walked.insert(load) {
            let _ = writeln!(progress, "asking for everybody once: {load}");
            preload::walk(self.server.at(), &self.site.scripts, &self.people, script, progress).await?;
        }
        Ok(())
    }

    /// Returns so many people who come and go; makes those who are not there yet.
    pub(super) async fn movers(
        &mut self,
        count: usize,
        progress: &mut (dyn Write + Send),
    ) -> Result<&[Person], BenchError> {
        let missing = self.movers.len()..count;
        if !missing.is_empty() {
            let _ = writeln!(progress, "filling: {} users who come and go", missing.len());
            let made =
                preload::people(self.server.at(), &self.site.scripts, MOVING, missing, progress).await?;
            self.movers.extend(made);
        }
        Ok(self.movers.get(..count).unwrap_or_default())
    }

    /// Returns what a second tenant sends with, and its people; makes both if they are not there.
    pub(super) async fn neighbour(
        &mut self,
        progress: &mut (dyn Write + Send),
    ) -> Result<(Scripts, Arc<Vec<Person>>), BenchError> {
        if let Some(known) = &self.neighbour {
            return Ok(known.clone());
        }
        let _ = writeln!(progress, "filling: a second tenant of {NEIGHBOURS} users");
        let scripts = Scripts::new(&child::second_tenant(&self.data)?);
        let people = preload::people(self.server.at(), &scripts, PRELOADED, 0..NEIGHBOURS, progress).await?;
        Ok(self.neighbour.insert((scripts, Arc::new(people))).clone())
    }

    /// Returns the id of a group with so many members, and what time and CPU time it took to make it if it was not there.
    pub(super) async fn group(
        &mut self,
        members: usize,
        progress: &mut (dyn Write + Send),
    ) -> Result<(String, Option<(Duration, Duration)>), BenchError> {
        if let Some(id) = self.groups.get(&members) {
            return Ok((id.clone(), None));
        }
        let _ = writeln!(progress, "filling: a group of {members} members");
        let (started, before) = (Instant::now(), meter::used(self.server.pid()).cpu);
        let who: Vec<&str> = self.people.iter().take(members).map(|person| person.id.as_str()).collect();
        let id = preload::group(self.server.at(), &self.site.scripts, &who, progress).await?;
        let cpu = meter::used(self.server.pid()).cpu.saturating_sub(before);
        let took = (started.elapsed(), cpu);
        self.groups.insert(members, id.clone());
        Ok((id, Some(took)))
    }

    /// Ends the daemon, and says what it took.
    pub(super) async fn end(mut self) -> Result<Footprint, BenchError> {
        self.footprint.users_at_end = preload::count(self.server.at(), &self.site.scripts).await?;
        self.footprint.end_kib = meter::memory_kib(self.server.pid()).0;
        self.note_memory();
        self.footprint.disk_bytes_at_end = self.site.bytes(self.which, &self.data)?;
        self.footprint.stop_ms = self.server.stop()?.as_secs_f64() * 1e3;
        Ok(self.footprint)
    }

    /// Keeps the most memory that the daemon had, before something makes the kernel forget it.
    pub(super) fn note_memory(&mut self) {
        let (_, most) = meter::memory_kib(self.server.pid());
        self.footprint.peak_kib = self.footprint.peak_kib.max(most);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(1e-9)
}
