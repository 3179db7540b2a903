//! Who writes what was set aside into the tree, while commits go on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::Tree;
use super::overlay::Overlay;
use crate::store::StoreError;
use crate::store::kv::KvRead;

/// Rows after which the thread lets others have its processor: a few dozen microseconds of work.
const ROWS_AT_ONCE: usize = 8;

/// Goes through rows and lets waiting threads go first every now and then. Nobody waits for these rows, and somebody may for the thread that flushes
/// the journal, to which the kernel would give the processor milliseconds later only (R25).
fn giving_way<T>(rows: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    rows.enumerate().map(|(place, row)| {
        if place % ROWS_AT_ONCE == ROWS_AT_ONCE - 1 {
            std::thread::yield_now();
        }
        row
    })
}

/// A tree, and the thread that writes to it. Dropping it ends the thread, after what it is at.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Held while it is written, so that nothing else is done with it meanwhile.
    tree: Mutex<Box<dyn Tree>>,
    desk: Mutex<Desk>,
    changed: Condvar,
}

/// What is known of the tree, and what is to be done.
struct Desk {
    /// The tree's state.
    base: Arc<dyn KvRead>,
    /// What the tree does not hold yet, and the number of its last batch.
    aside: Option<(Overlay, u64)>,
    /// Whether the tree has a state that nobody has asked for.
    has_news: bool,
    /// Why the thread has stopped writing.
    failed: Option<StoreError>,
    /// Whether the thread is to end.
    closing: bool,
}

impl Keeper {
    /// Starts the thread. `base` is the tree's state; `failed` says why the tree is not open yet.
    pub(super) fn start(
        tree: Box<dyn Tree>,
        base: Arc<dyn KvRead>,
        failed: Option<StoreError>,
    ) -> Result<Self, StoreError> {
        let desk = Desk { base, aside: None, has_news: false, failed, closing: false };
        let shared =
            Arc::new(Shared { tree: Mutex::new(tree), desk: Mutex::new(desk), changed: Condvar::new() });
        let of_thread = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new()
                .name("store-keeper".into())
                .spawn(move || of_thread.run())
                .map_err(|error| StoreError::Fatal(format!("the keeper's thread cannot start: {error}")))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Sets something aside to be written. The keeper must be free.
    pub(super) fn give(&self, overlay: Overlay, number: u64) {
        self.shared.desk().aside = Some((overlay, number));
        self.shared.changed.notify_all();
    }

    /// Tells whether nothing is set aside.
    pub(super) fn is_free(&self) -> bool {
        self.shared.desk().aside.is_none()
    }

    /// Waits until nothing is set aside, or says why that will not be.
    pub(super) fn wait_until_free(&self) -> Result<(), StoreError> {
        let desk = self.shared.desk();
        let desk = self.shared.wait_while(desk, |desk| desk.aside.is_some() && desk.failed.is_none());
        desk.failed.clone().map_or(Ok(()), Err)
    }

    /// Says what went wrong, if anything did.
    pub(super) fn must_be_well(&self) -> Result<(), StoreError> {
        self.shared.desk().failed.clone().map_or(Ok(()), Err)
    }

    /// Tells whether something is set aside, or the tree's state is a new one.
    pub(super) fn has_news(&self) -> bool {
        let desk = self.shared.desk();
        desk.has_news || desk.aside.is_some()
    }

    /// Returns the tree's state with what is set aside on it.
    pub(super) fn state(&self) -> Arc<dyn KvRead> {
        let mut desk = self.shared.desk();
        desk.has_news = false;
        desk.on(Arc::clone(&desk.base))
    }

    /// Reads what is on the disk beside the tree. The thread writes nothing from now on until [`Keeper::reopen`].
    pub(super) fn open_aside(&self) -> Result<Arc<dyn KvRead>, StoreError> {
        let why = || StoreError::Retry("the engine is being reopened".into());
        self.shared.desk().failed.get_or_insert_with(why);
        let read = self.shared.tree().open_aside()?;
        let mut desk = self.shared.desk();
        // Whoever holds a state of the tree holds the tree's file, which is to be opened anew.
        desk.base = Arc::clone(&read);
        Ok(desk.on(read))
    }

    /// Opens the tree anew, and writes into it what is set aside and what is `fresh`, up to a number.
    pub(super) fn reopen(&self, fresh: &Overlay, number: u64) -> Result<(), StoreError> {
        let mut tree = self.shared.tree();
        // Held until the end, so that no page is written over which those see who read beside the tree meanwhile.
        let held = tree.reopen()?;
        let aside = self.shared.desk().aside.clone();
        if let Some((overlay, number)) = aside {
            drop(tree.apply(&|table| Box::new(overlay.of(table)), number)?);
        }
        let base = tree.apply(&|table| Box::new(fresh.of(table)), number)?;
        let mut desk = self.shared.desk();
        *desk = Desk { base, aside: None, has_news: false, failed: None, closing: desk.closing };
        drop(desk);
        drop(held);
        self.shared.changed.notify_all();
        Ok(())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.desk().closing = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's keeper ended by a panic");
        }
    }
}

impl Desk {
    fn on(&self, base: Arc<dyn KvRead>) -> Arc<dyn KvRead> {
        match &self.aside {
            Some((overlay, _)) => overlay.over(base),
            None => base,
        }
    }
}

impl Shared {
    // What is behind these locks is assigned whole, and an error of the tree is remembered: a panic leaves nothing half done.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tree(&self) -> MutexGuard<'_, Box<dyn Tree>> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'a>(
        &self,
        desk: MutexGuard<'a, Desk>,
        condition: impl FnMut(&mut Desk) -> bool,
    ) -> MutexGuard<'a, Desk> {
        self.changed.wait_while(desk, condition).unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        loop {
            let desk = self.desk();
            let idle = |desk: &mut Desk| !desk.closing && (desk.aside.is_none() || desk.failed.is_some());
            if self.wait_while(desk, idle).closing {
                return;
            }
            let mut tree = self.tree();
            // Between the two locks the tree may have been reopened, which wrote what was set aside.
            let aside =
                Some(self.desk()).filter(|desk| desk.failed.is_none()).and_then(|desk| desk.aside.clone());
            let Some((overlay, number)) = aside else { continue };
            let apply = || tree.apply(&|table| Box::new(giving_way(overlay.of(table))), number);
            let applied = catch_unwind(AssertUnwindSafe(apply))
                .unwrap_or_else(|_| Err(StoreError::Fatal("the store's keeper panicked".into())));
            let mut desk = self.desk();
            match applied {
                Ok(base) => (desk.base, desk.aside, desk.has_news) = (base, None, true),
                Err(error) => desk.failed = Some(error),
            }
            drop(desk);
            self.changed.notify_all();
        }
    }
}
