//! All plugins of a daemon: loaded before anybody is let in, exchanged at a reload as a whole or not at all (R31).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use super::figures::Figures;
use super::grant::{Names, clash};
use super::kept::{KEPT_MAX, Kept};
use super::load::{File, LoadError, fingerprint, load, tables};
use super::loaded::{Absent, Loaded, Shared};
use super::machine::{Machine, MachineError};
use super::spec::{Options, Spec, overlap};
use crate::clock::Clock;
use crate::roster::hooks::{Grant, Plugin};

/// Why plugins were not loaded.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// There is nothing that could run them.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// Plugins that are needed.
    #[error("{}", .0.iter().map(|(name, error)| format!("plugin {name}: {error}")).collect::<Vec<_>>().join("; "))]
    Load(Vec<(String, LoadError)>),
}

/// What a load did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Done {
    /// Plugins that are new, or that a new file, table or setting has changed.
    pub loaded: Vec<String>,
    /// Plugins that stay as they are.
    pub unchanged: Vec<String>,
    /// Plugins that are not there and need not be, and why.
    pub absent: Vec<(String, String)>,
}

/// A plugin as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Its name.
    pub name: String,
    /// `loaded`, `open` (its breaker is) or `absent`.
    pub state: String,
    /// Its author's name and version for it.
    pub version: String,
    /// The digest of its file.
    pub sha256: String,
    /// The hooks at which it is asked.
    pub hooks: Vec<String>,
    /// The connections, all where empty.
    pub sources: Vec<String>,
    /// Why it is not there.
    pub why: Option<String>,
}

#[derive(Debug, Clone)]
enum One {
    There(Arc<Loaded>),
    Absent(Arc<Absent>),
}

#[derive(Debug, Default)]
struct Set {
    each: Vec<One>,
}

/// Plugins that are loaded and not asked yet. Nobody else loads meanwhile.
#[derive(Debug)]
pub struct Prepared<'h> {
    host: &'h Host,
    set: Set,
    done: Done,
    _alone: MutexGuard<'h, ()>,
}

impl Prepared<'_> {
    /// Has them asked from now on, in place of those before.
    pub fn take_over(self) -> Done {
        let figures = &self.host.shared.figures;
        for name in &self.done.loaded {
            figures.load(name, "loaded");
            figures.breaker(name, false);
        }
        self.host.set.store(Arc::new(self.set));
        self.host.show_versions();
        self.done
    }
}

/// All plugins of a daemon.
#[derive(Debug)]
pub struct Host {
    shared: Shared,
    /// Made with the first plugin: a daemon without plugins has none.
    machine: Mutex<Option<Arc<Machine>>>,
    set: ArcSwap<Set>,
    /// One load at a time.
    loading: Mutex<()>,
}

impl Host {
    /// Makes a host without plugins.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let shared = Shared { clock, kept: Arc::new(Kept::default()), figures: Figures::default() };
        Self { shared, machine: Mutex::default(), set: ArcSwap::default(), loading: Mutex::default() }
    }

    /// Returns what is counted.
    pub const fn figures(&self) -> &Figures {
        &self.shared.figures
    }

    /// Returns the plugins in their order.
    pub fn plugins(&self) -> Arc<[Arc<dyn Plugin>]> {
        let plugin = |one: &One| -> Arc<dyn Plugin> {
            match one {
                One::There(loaded) => Arc::clone(loaded) as Arc<dyn Plugin>,
                One::Absent(absent) => Arc::clone(absent) as Arc<dyn Plugin>,
            }
        };
        self.set.load().each.iter().map(plugin).collect()
    }

    /// Finds a plugin that is loaded.
    pub fn find(&self, name: &str) -> Option<Arc<Loaded>> {
        self.set.load().each.iter().find_map(|one| match one {
            One::There(loaded) if loaded.spec.name == name => Some(Arc::clone(loaded)),
            _ => None,
        })
    }

    /// Shows the plugins.
    pub fn views(&self) -> Vec<View> {
        self.set.load().each.iter().map(view).collect()
    }

    /// Lets go of instances that have waited too long for the next call of their series.
    pub fn sweep(&self) {
        self.shared.kept.sweep(self.shared.clock.now());
    }

    /// Makes the plugins be those that are wanted, or changes nothing.
    pub fn load(&self, options: &Options, specs: &[Spec], names: &Names) -> Result<Done, HostError> {
        Ok(self.prepare(options, specs, names)?.take_over())
    }

    /// Loads the plugins that are wanted, beside those that are there. On an error the old ones go on. One that need not be there does not
    /// hold up the others; its old version goes on too if it has one.
    ///
    /// Reads files and compiles: not on a thread that others wait for.
    pub fn prepare(
        &self,
        options: &Options,
        specs: &[Spec],
        names: &Names,
    ) -> Result<Prepared<'_>, HostError> {
        let alone = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if specs.is_empty() {
            return Ok(Prepared { host: self, set: Set::default(), done: Done::default(), _alone: alone });
        }
        let machine = self.machine(options)?;
        let before = self.set.load_full();
        let mut done = Done::default();
        let mut each = Vec::new();
        let mut errors = Vec::new();
        for spec in specs {
            let old = before.each.iter().find_map(|one| match one {
                One::There(loaded) if loaded.spec.name == spec.name => Some(loaded),
                _ => None,
            });
            let figures = &self.shared.figures;
            match self.one(&machine, spec, options, names, old) {
                Ok((loaded, fresh)) => {
                    let list = if fresh { &mut done.loaded } else { &mut done.unchanged };
                    list.push(spec.name.clone());
                    each.push(One::There(loaded));
                }
                Err(error) if spec.required => {
                    figures.load(&spec.name, if old.is_some() { "kept" } else { "refused" });
                    errors.push((spec.name.clone(), error));
                }
                Err(error) => {
                    figures.load(&spec.name, if old.is_some() { "kept" } else { "absent" });
                    tracing::error!(plugin = spec.name, why = %error, "plugin could not be loaded; it is not required");
                    done.absent.push((spec.name.clone(), error.to_string()));
                    each.push(match old {
                        Some(old) => One::There(Arc::clone(old)),
                        None => {
                            let absent = Absent::new(spec.clone(), error.to_string(), figures.clone());
                            One::Absent(Arc::new(absent))
                        }
                    });
                }
            }
        }
        errors.extend(clashes(&each, names));
        if !errors.is_empty() {
            return Err(HostError::Load(errors));
        }
        Ok(Prepared { host: self, set: Set { each }, done, _alone: alone })
    }

    /// Loads one plugin, unless nothing about it has changed. Tells whether it is another than before.
    fn one(
        &self,
        machine: &Arc<Machine>,
        spec: &Spec,
        options: &Options,
        names: &Names,
        old: Option<&Arc<Loaded>>,
    ) -> Result<(Arc<Loaded>, bool), LoadError> {
        let file = File::of(spec, options)?;
        let tables = tables(spec, options)?;
        if let Some(old) = old.filter(|old| old.spec == *spec)
            && old.passed.fingerprint == fingerprint(&file, spec, &tables)
        {
            return Ok((Arc::clone(old), false));
        }
        let passed = load(machine, spec, options, names, &file, tables)?;
        let loaded = Loaded::new(spec.clone(), passed, file.sha256, self.shared.clone());
        Ok((Arc::new(loaded), true))
    }

    fn machine(&self, options: &Options) -> Result<Arc<Machine>, MachineError> {
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(machine) = &*machine {
            return Ok(Arc::clone(machine));
        }
        let kept = u32::try_from(KEPT_MAX).unwrap_or(u32::MAX);
        let made = Arc::new(Machine::new(options.slots, kept)?);
        *machine = Some(Arc::clone(&made));
        Ok(made)
    }

    fn show_versions(&self) {
        let set = self.set.load();
        self.shared.figures.versions(set.each.iter().filter_map(|one| match one {
            One::There(loaded) => Some((
                loaded.spec.name.as_str(),
                loaded.passed.manifest.version.as_str(),
                loaded.sha256.as_str(),
            )),
            One::Absent(_) => None,
        }));
    }
}

/// Makes what plugins have in common.
pub fn shared(clock: Arc<dyn Clock>) -> Shared {
    Shared { clock, kept: Arc::new(Kept::default()), figures: Figures::default() }
}

/// Finds plugins that may both set one single value for the same connections.
fn clashes(each: &[One], names: &Names) -> Vec<(String, LoadError)> {
    let there: Vec<(&Spec, &Grant)> = each
        .iter()
        .filter_map(|one| match one {
            One::There(loaded) => Some((&loaded.spec, &loaded.passed.grant)),
            One::Absent(_) => None,
        })
        .collect();
    let mut found = Vec::new();
    for (index, (spec, grant)) in there.iter().enumerate() {
        for (earlier, before) in there.iter().take(index) {
            let agreed = spec.overrides.contains(&earlier.name) || earlier.overrides.contains(&spec.name);
            if agreed || !overlap(&spec.sources, &earlier.sources) {
                continue;
            }
            if let Some(attribute) = clash(names, grant, before) {
                let error = LoadError::Clash { other: earlier.name.clone(), attribute };
                found.push((spec.name.clone(), error));
            }
        }
    }
    found
}

fn view(one: &One) -> View {
    let (spec, state, version, sha256, why) = match one {
        One::There(loaded) => {
            let state = if loaded.is_open() { "open" } else { "loaded" };
            let manifest = &loaded.passed.manifest;
            let version = format!("{} {}", manifest.name, manifest.version);
            (&loaded.spec, state, version, loaded.sha256.clone(), None)
        }
        One::Absent(absent) => {
            (&absent.spec, "absent", String::new(), String::new(), Some(absent.why.clone()))
        }
    };
    let hooks = match one {
        One::There(loaded) => loaded.hooks(),
        One::Absent(absent) => absent.hooks(),
    };
    let source = |source: &super::spec::Source| match &source.tenant {
        Some(tenant) => format!("{tenant}/{}", source.connection),
        None => source.connection.clone(),
    };
    View {
        name: spec.name.clone(),
        state: state.to_owned(),
        version,
        sha256,
        hooks: super::hook_words(hooks).map(str::to_owned).collect(),
        sources: spec.sources.iter().map(source).collect(),
        why,
    }
}
