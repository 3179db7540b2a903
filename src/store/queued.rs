//! A unit that is on its way: what became of it can be awaited by a task, or by a thread that has nothing else to do.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use super::StoreError;
use super::unit::Outcome;

/// Where it will be known what became of a unit. The unit is written whether or not that is awaited.
pub type Queued = Pin<Box<dyn Future<Output = Result<Outcome, StoreError>> + Send>>;

/// Waits on this thread until a future is ready.
///
/// For threads that may wait. A worker of an asynchronous runtime awaits instead.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Sleeper(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(found) => return found,
            // A wake between the look and the sleep is not lost: the next sleep ends at once.
            Poll::Pending => std::thread::park(),
        }
    }
}

/// A thread that sleeps until something is ready.
struct Sleeper(Thread);

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use futures_channel::oneshot;

    use super::*;

    #[test]
    fn a_thread_waits_for_what_another_one_says() {
        for _ in 0..1000 {
            let (tell, told) = oneshot::channel();
            let other = std::thread::spawn(move || tell.send(7));
            assert_eq!(wait(told), Ok(7));
            assert_eq!(other.join().unwrap(), Ok(()));
        }
        let (tell, told) = oneshot::channel::<u8>();
        drop(tell);
        assert!(wait(told).is_err());
    }
}
