//! Threads for reading that takes long, behind everything else: where processors are short, who asks for one resource goes before who looks through
//! thousands (P12). As many threads as there are processors, started when the first such work comes.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::oneshot;

/// How far behind: the system gives such a thread about a tenth of what it gives to others that want the same processor.
const NICENESS: i32 = 10;

type Work = Box<dyn FnOnce() + Send>;

/// The threads. Dropped with what waits for them.
#[derive(Debug)]
pub(super) struct Aside {
    threads: usize,
    queue: OnceLock<Sender<Work>>,
}

impl Aside {
    pub(super) const fn of(threads: usize) -> Self {
        Self { threads, queue: OnceLock::new() }
    }

    /// Does work on one of the threads. `None` when there is none, since the system gives no thread. What panics there panics here.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel::<Result<T, Box<dyn Any + Send>>>();
        let work: Work = Box::new(move || {
            // Nobody waits any more where the request was given up.
            if !answer.is_closed() {
                let _ = answer.send(catch_unwind(AssertUnwindSafe(work)));
            }
        });
        self.queue.get_or_init(|| self.start()).send(work).ok()?;
        match answered.await.ok()? {
            Ok(done) => Some(done),
            Err(panic) => resume_unwind(panic),
        }
    }

    fn start(&self) -> Sender<Work> {
        let (queue, works) = channel();
        let works = Arc::new(Mutex::new(works));
        for _ in 0..self.threads {
            let works = Arc::clone(&works);
            if let Err(error) = std::thread::Builder::new().name("aside".into()).spawn(move || serve(&works))
            {
                tracing::error!(%error, "a thread for long reading cannot start");
            }
        }
        queue
    }
}

fn serve(works: &Mutex<Receiver<Work>>) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "long reading stands beside other work, not behind it");
    }
    loop {
        // A statement of its own, so that the lock is not held while the work is done.
        let work = works.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = work else { return };
        work();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_there_and_a_panic_comes_back() {
        let aside = Arc::new(Aside::of(2));
        assert_eq!(
            aside.run(|| std::thread::current().name().map(str::to_owned)).await,
            Some(Some("aside".to_owned()))
        );
        let other = Arc::clone(&aside);
        let panicked = tokio::spawn(async move { other.run(|| panic!("on purpose")).await }).await;
        assert!(panicked.unwrap_err().is_panic());
        assert_eq!(aside.run(|| 7).await, Some(7), "the thread goes on");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn such_a_thread_stands_behind_others_and_nobody_else_does() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let own = niceness();
        assert_eq!(Aside::of(1).run(niceness).await, Some(own.max(NICENESS)));
        assert_eq!(niceness(), own);
    }
}
