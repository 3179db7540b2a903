//! Named places where a test, or a whole process under test, can make things go wrong (R37).
//!
//! Without the feature `testing` a failpoint is an empty function. With it a test arms a point for one store (named by its
//! place, so that tests beside it are not hit); `ROSTERD_FAILPOINTS="commit.before=crash@20,flush=error@3"` arms points for
//! every store of a process, each after it has been passed that many times; with `?PATH` at its end a point strikes only
//! while there is a file of that name, so that a test can make the disk fail and heal again.

/// A place where something can go wrong, in the order in which a batch passes them. Some are passed again when the tree gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Point {
    /// Before a batch is appended to the journal.
    AppendBefore,
    /// In the engine: before a write to a file.
    DiskWrite,
    /// In the engine: before a flush of a file.
    DiskFlush,
    /// After the batch became durable, before readers see it.
    PublishBefore,
    /// After readers see it, before anybody is told.
    AnswerBefore,
    /// Before the first row of what the journal set aside is written into the tree.
    TreeBefore,
    /// After its last row was written, before the tree commits.
    CommitBefore,
    /// After the tree holds it, before its journal's file is free.
    TreeAfter,
    /// Before a file that is whole takes its name.
    RenameBefore,
    /// After it has, before the folder is flushed.
    RenameAfter,
    /// Before the folder's label is written.
    LabelBefore,
    /// After it is durable.
    LabelAfter,
    /// Before rows are copied into a store that is being filled.
    FillBefore,
    /// When they are durable.
    FillAfter,
    /// On a database: before a transaction begins.
    BeginBefore,
    /// When some of a batch's rows have been sent, and others not.
    RowsBetween,
    /// When the commit has been sent, before its answer is read.
    CommitSent,
    /// When it was seen what others wrote, before anybody is told.
    PollBefore,
    /// Before a step of the tables is taken.
    MigrateBefore,
    /// When all of a step was carried out, before it is committed.
    MigrateWithin,
    /// When it is durable.
    MigrateAfter,
}

impl Point {
    /// What every batch passes before it is answered.
    pub const OF_A_BATCH: [Self; 5] =
        [Self::AppendBefore, Self::DiskWrite, Self::DiskFlush, Self::PublishBefore, Self::AnswerBefore];
    /// What is passed when the tree gets many batches, behind the back of those who commit; and when the tree is opened.
    pub const OF_THE_TREE: [Self; 3] = [Self::TreeBefore, Self::CommitBefore, Self::TreeAfter];

    /// Lists every point.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::OF_A_BATCH.into_iter().chain(Self::OF_THE_TREE)
    }

    /// The points that are passed where files are made, moved and labelled, and a store is filled.
    pub const STEPS: [Self; 6] = [
        Self::RenameBefore,
        Self::RenameAfter,
        Self::LabelBefore,
        Self::LabelAfter,
        Self::FillBefore,
        Self::FillAfter,
    ];

    /// What is passed where rows are in a database, in this order; and when the daemon looks what others wrote.
    pub const OF_A_DATABASE: [Self; 8] = [
        Self::BeginBefore,
        Self::AppendBefore,
        Self::RowsBetween,
        Self::CommitBefore,
        Self::CommitSent,
        Self::PublishBefore,
        Self::AnswerBefore,
        Self::PollBefore,
    ];
    /// What is passed when its tables are made.
    pub const OF_MIGRATING: [Self; 3] = [Self::MigrateBefore, Self::MigrateWithin, Self::MigrateAfter];

    /// The point's name in the environment.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AppendBefore => "append.before",
            Self::CommitBefore => "commit.before",
            Self::DiskWrite => "disk.write",
            Self::DiskFlush => "disk.flush",
            Self::PublishBefore => "publish.before",
            Self::AnswerBefore => "answer.before",
            Self::RenameBefore => "rename.before",
            Self::RenameAfter => "rename.after",
            Self::LabelBefore => "label.before",
            Self::LabelAfter => "label.after",
            Self::FillBefore => "fill.before",
            Self::FillAfter => "fill.after",
            Self::TreeBefore => "tree.before",
            Self::TreeAfter => "tree.after",
            Self::BeginBefore => "begin.before",
            Self::RowsBetween => "rows.between",
            Self::CommitSent => "commit.sent",
            Self::PollBefore => "poll.before",
            Self::MigrateBefore => "migrate.before",
            Self::MigrateWithin => "migrate.within",
            Self::MigrateAfter => "migrate.after",
        }
    }
}

/// Passes a point, without any fault.
#[cfg(not(any(test, feature = "testing")))]
#[inline]
#[expect(clippy::unnecessary_wraps, reason = "as it is when armed")]
pub(super) fn pass(_point: Point, _place: &str) -> std::io::Result<()> {
    Ok(())
}

/// Tells whether the next who passes a point runs into something.
#[cfg(all(feature = "postgres", not(any(test, feature = "testing"))))]
#[inline]
pub(super) const fn strikes_next(_point: Point, _place: &str) -> bool {
    false
}

#[cfg(any(test, feature = "testing"))]
pub(super) use armed::pass;
#[cfg(all(feature = "postgres", any(test, feature = "testing")))]
pub(super) use armed::strikes_next;
#[cfg(any(test, feature = "testing"))]
pub use armed::{Armed, Fault, arm};

#[cfg(any(test, feature = "testing"))]
mod armed {
    use std::io;
    use std::path::PathBuf;
    use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};

    use super::Point;

    /// What goes wrong.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Fault {
        /// An I/O error.
        Error,
        /// No room on the disk.
        Full,
        /// The process ends at once.
        Crash,
        /// The thread waits until the point is disarmed.
        Pause,
        /// The thread panics.
        Panic,
    }

    #[derive(Debug)]
    struct Trap {
        id: u64,
        point: Point,
        /// `None`: any store.
        place: Option<String>,
        fault: Fault,
        /// Strikes only while this file is there.
        only_while: Option<PathBuf>,
        /// How often it lets pass before it strikes.
        spared: u64,
        /// How often it has struck.
        struck: u64,
    }

    struct Registry {
        traps: Mutex<(u64, Vec<Trap>)>,
        changed: Condvar,
    }

    static REGISTRY: LazyLock<Registry> =
        LazyLock::new(|| Registry { traps: Mutex::new((0, from_environment())), changed: Condvar::new() });

    fn traps() -> MutexGuard<'static, (u64, Vec<Trap>)> {
        REGISTRY.traps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A point that is armed until this value is dropped.
    #[derive(Debug)]
    pub struct Armed(u64);

    /// Arms a point of the store at `place`; it strikes every time after having been passed `spared` times.
    pub fn arm(point: Point, place: &str, fault: Fault, spared: u64) -> Armed {
        let mut traps = traps();
        traps.0 += 1;
        let id = traps.0;
        traps.1.push(Trap {
            id,
            point,
            place: Some(place.into()),
            fault,
            only_while: None,
            spared,
            struck: 0,
        });
        Armed(id)
    }

    impl Armed {
        /// Says how often the fault has struck.
        pub fn struck(&self) -> u64 {
            traps().1.iter().find(|trap| trap.id == self.0).map_or(0, |trap| trap.struck)
        }

        /// Waits until the fault has struck so many times.
        pub fn wait_until_struck(&self, times: u64) {
            let mut traps = traps();
            while traps.1.iter().any(|trap| trap.id == self.0 && trap.struck < times) {
                traps = REGISTRY.changed.wait(traps).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    impl Drop for Armed {
        fn drop(&mut self) {
            traps().1.retain(|trap| trap.id != self.0);
            REGISTRY.changed.notify_all();
        }
    }

    impl Trap {
        fn is_met(&self, point: Point, place: &str) -> bool {
            self.point == point
                && self.place.as_deref().is_none_or(|only| only == place)
                && self.only_while.as_deref().is_none_or(std::path::Path::exists)
        }
    }

    /// Tells whether the next who passes a point runs into something.
    #[cfg(feature = "postgres")]
    pub(in crate::store) fn strikes_next(point: Point, place: &str) -> bool {
        let traps = traps();
        traps.1.iter().find(|trap| trap.is_met(point, place)).is_some_and(|trap| trap.spared == 0)
    }

    /// Passes a point, or runs into what it is armed with.
    pub(in crate::store) fn pass(point: Point, place: &str) -> io::Result<()> {
        let (id, fault) = {
            let mut traps = traps();
            let met = |trap: &&mut Trap| trap.is_met(point, place);
            let Some(trap) = traps.1.iter_mut().find(met) else { return Ok(()) };
            if trap.spared > 0 {
                trap.spared -= 1;
                return Ok(());
            }
            trap.struck += 1;
            (trap.id, trap.fault)
        };
        REGISTRY.changed.notify_all();
        strike(id, fault, point)
    }

    #[expect(clippy::panic, reason = "a panic on demand")]
    fn strike(id: u64, fault: Fault, point: Point) -> io::Result<()> {
        match fault {
            Fault::Error => Err(io::Error::other(format!("injected at {}", point.name()))),
            Fault::Full => Err(io::ErrorKind::StorageFull.into()),
            Fault::Crash => std::process::abort(),
            Fault::Panic => panic!("injected at {}", point.name()),
            Fault::Pause => {
                let mut traps = traps();
                while traps.1.iter().any(|trap| trap.id == id) {
                    traps = REGISTRY.changed.wait(traps).unwrap_or_else(PoisonError::into_inner);
                }
                Ok(())
            }
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "tests of whole processes only; no configuration of the daemon"
    )]
    fn from_environment() -> Vec<Trap> {
        std::env::var("ROSTERD_FAILPOINTS").map(|text| parse(&text)).unwrap_or_default()
    }

    /// Reads `point=fault@passes?path,…`; what is not understood is a defect of the test.
    #[expect(clippy::panic, reason = "a test that misspells its failpoint must not pass")]
    fn parse(text: &str) -> Vec<Trap> {
        let understood = |item: &str| {
            let (name, rest) = item.split_once('=')?;
            let (rest, path) = rest.split_once('?').map_or((rest, None), |(rest, path)| (rest, Some(path)));
            let (fault, spared) = rest.split_once('@').unwrap_or((rest, "0"));
            let others = Point::STEPS.into_iter().chain(Point::OF_A_DATABASE).chain(Point::OF_MIGRATING);
            let point = Point::all().chain(others).find(|point| point.name() == name)?;
            let fault = match fault {
                "error" => Fault::Error,
                "full" => Fault::Full,
                "crash" => Fault::Crash,
                "pause" => Fault::Pause,
                "panic" => Fault::Panic,
                _ => return None,
            };
            let (spared, only_while) = (spared.parse().ok()?, path.map(PathBuf::from));
            Some(Trap { id: 0, point, place: None, fault, only_while, spared, struck: 0 })
        };
        let items = text.split(',').filter(|item| !item.is_empty());
        items
            .map(|item| understood(item).unwrap_or_else(|| panic!("ROSTERD_FAILPOINTS: what is {item:?}?")))
            .collect()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_environment_names_point_fault_and_passes() {
            let traps = parse("commit.before=crash@20,disk.flush=error");
            let seen: Vec<_> = traps.iter().map(|trap| (trap.point, trap.fault, trap.spared)).collect();
            assert_eq!(seen, [(Point::CommitBefore, Fault::Crash, 20), (Point::DiskFlush, Fault::Error, 0)]);
            let while_there = parse("disk.flush=full?/there").pop().unwrap();
            assert_eq!((while_there.fault, while_there.spared), (Fault::Full, 0));
            assert_eq!(while_there.only_while.unwrap(), PathBuf::from("/there"));
        }

        #[test]
        fn a_point_strikes_its_own_store_only_and_after_the_passes_it_spares() {
            let armed = arm(Point::AppendBefore, "here", Fault::Error, 1);
            assert!(pass(Point::AppendBefore, "there").is_ok());
            assert!(pass(Point::AppendBefore, "here").is_ok());
            assert!(pass(Point::AppendBefore, "here").is_err());
            drop(armed);
            assert!(pass(Point::AppendBefore, "here").is_ok());
        }
    }
}
