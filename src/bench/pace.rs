//! The open loop: requests are due at times that are fixed beforehand, whatever becomes of those before them.
//!
//! What a closed loop does not see: while a server stalls, its clients send nothing, and only the few requests that wait are slow. Here a latency
//! is counted from when its request was *due*, so that a stall is felt by everything that was due meanwhile.
//!
//! Each connection has a thread that sleeps until its next request is due, because an executor's timers are milliseconds apart. Whoever is
//! free takes what is due next. How late the thread itself came is told apart: a sender that cannot keep the pace is no slow server.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Deserialize;

use super::BenchError;
use super::load::{PATIENCE, Volley, first_line, histogram, record};
use super::wire::{Answer, Connection};

/// Connections at once. At a thousand requests a second they are all taken after a stall of 64 ms; what is due then waits, and is counted from when it was due.
pub(super) const LANES: usize = 64;
/// From the time that the first request of a task is due to that of its second one. A client that looks for somebody needs the answer before it goes on.
const STEP: Duration = Duration::from_millis(10);
/// From the order to begin until the first request is due: all connections are open by then.
const RUN_UP: Duration = Duration::from_millis(50);

/// What is to be sent, task by task. Each task is one request, or two of which the second follows from the first.
pub(super) trait Agenda: Send + Sync {
    /// Tells whether a task has two requests.
    fn has_two(&self, task: usize) -> bool;
    /// Writes a request of a task into an empty buffer, and says what is right as an answer.
    fn write(&self, task: usize, second: bool, out: &mut Vec<u8>) -> Expected;
}

/// The only answer that is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Any with this status.
    Status(u16),
    /// A list of so many results.
    Results(u64),
}

/// How fast, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Requests that are due in a second.
    pub per_second: u32,
    /// How long, after warming up.
    pub time: Duration,
}

/// What was counted.
pub(super) struct Paced<T> {
    /// As in a closed loop; latencies from when each request was due.
    pub(super) volley: Volley<T>,
    /// How long after it could have been sent each request was: the sender's own share of its latency, in nanoseconds.
    pub(super) behind: Histogram<u64>,
}

/// When the requests of a task are due, from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Due {
    first: Duration,
    second: Option<Duration>,
}

/// Lays requests out evenly: one is due at each beat, the second of a task at the first free beat after [`STEP`].
fn schedule(per_second: u32, until: Duration, agenda: &dyn Agenda) -> Vec<Due> {
    let beat = Duration::from_secs(1) / per_second.max(1);
    let (mut tasks, mut begun): (Vec<Due>, usize) = (Vec::new(), 0);
    // Who waits for a second beat, in order.
    let mut waiting = std::collections::VecDeque::new();
    let mut now = Duration::ZERO;
    while now < until {
        match waiting.front() {
            Some(&(task, ready)) if ready <= now => {
                waiting.pop_front();
                if let Some(due) = tasks.get_mut(task) {
                    let due: &mut Due = due;
                    due.second = Some(now);
                }
            }
            _ => {
                if agenda.has_two(begun) {
                    waiting.push_back((begun, now + STEP));
                }
                tasks.push(Due { first: now, second: None });
                begun += 1;
            }
        }
        now += beat;
    }
    tasks
}

/// Does what the requests of an agenda that write are due for, when they are due: `write` is told how many there are, and those that come due meanwhile share
/// its next call. Returns latencies of all requests; one that only reads has none.
pub(super) fn writes_alone(
    agenda: &dyn Agenda,
    pace: Pace,
    mut write: impl FnMut(usize) -> Result<(), BenchError>,
) -> Result<Volley<()>, BenchError> {
    let mut beats = Vec::new();
    let mut request = Vec::with_capacity(4 << 10);
    for (task, due) in schedule(pace.per_second, pace.time, agenda).into_iter().enumerate() {
        for (second, due) in [(false, Some(due.first)), (true, due.second)] {
            let Some(due) = due else { continue };
            request.clear();
            agenda.write(task, second, &mut request);
            beats.push((due, !request.starts_with(b"GET ")));
        }
    }
    beats.sort_unstable();
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let (mut latency, begin) = (histogram(), Instant::now() + RUN_UP);
    let (mut beats, mut last) = (beats.into_iter().peekable(), begin);
    while let Some(&(due, _)) = beats.peek() {
        wait_until(begin + due);
        let now = begin.elapsed();
        let (mut writing, mut reading) = (Vec::new(), 0);
        while let Some((due, writes)) = beats.next_if(|(due, _)| *due <= now) {
            if writes { writing.push(due) } else { reading += 1 }
        }
        if !writing.is_empty() {
            write(writing.len())?;
        }
        last = Instant::now();
        (0..reading).for_each(|_| record(&mut latency, Duration::ZERO));
        writing.iter().for_each(|due| record(&mut latency, last.saturating_duration_since(begin + *due)));
    }
    let elapsed = last.saturating_duration_since(begin);
    Ok(Volley { elapsed, requests: latency.len(), latency, probed: ((), ()) })
}

/// Sends what is due, when it is due. `probe` is called after warming up, and at the end. The first answer that is not right ends it with an error.
pub(super) fn open_loop<T>(
    to: SocketAddr,
    agenda: &dyn Agenda,
    pace: Pace,
    warm_up: Duration,
    probe: impl Fn() -> T,
) -> Result<Paced<T>, BenchError> {
    let until = warm_up + pace.time;
    let tasks = schedule(pace.per_second, until, agenda);
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let begin = Instant::now() + RUN_UP;
    std::thread::scope(|scope| {
        let work = || {
            let lane = Lane { to, agenda, tasks: &tasks, next: &next, stop: &stop, begin, warm_up };
            let done = lane.run();
            // The others need not go on.
            stop.fetch_or(done.is_err(), Ordering::Relaxed);
            done
        };
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(work)).collect();
        wait_until(begin + warm_up);
        let (first, started) = (probe(), Instant::now());
        while started.elapsed() < pace.time && !stop.load(Ordering::Relaxed) {
            std::thread::sleep((pace.time.saturating_sub(started.elapsed())).min(RUN_UP));
        }
        let mut paced = Paced {
            volley: Volley {
                elapsed: Duration::ZERO,
                requests: 0,
                latency: histogram(),
                probed: (first, probe()),
            },
            behind: histogram(),
        };
        let (mut failed, mut ended) = (None, begin + until);
        for lane in lanes {
            let counted = lane.join().map_err(|_| BenchError::Server {
                who: "a thread that sends".into(),
                what: "ended by itself".into(),
            });
            match counted.flatten() {
                Ok(Counted { latency, behind, last }) => {
                    ended = ended.max(last);
                    paced.volley.requests += latency.len();
                    // Same bounds on both sides, so that adding cannot fail.
                    let _ = paced.volley.latency.add(&latency);
                    let _ = paced.behind.add(&behind);
                }
                Err(why) => failed = failed.or(Some(why)),
            }
        }
        // Longer than asked for where answers were outstanding at the end.
        paced.volley.elapsed = ended - (begin + warm_up);
        failed.map_or(Ok(paced), Err)
    })
}

/// What one connection counted.
struct Counted {
    latency: Histogram<u64>,
    behind: Histogram<u64>,
    /// When its last answer came.
    last: Instant,
}

/// A connection, and the thread that sends on it.
struct Lane<'a> {
    to: SocketAddr,
    agenda: &'a dyn Agenda,
    tasks: &'a [Due],
    /// The next task that nobody has taken.
    next: &'a AtomicUsize,
    stop: &'a AtomicBool,
    begin: Instant,
    warm_up: Duration,
}

impl Lane<'_> {
    /// Takes tasks until there are none; returns latencies and how late they were sent.
    fn run(&self) -> Result<Counted, BenchError> {
        // The kernel lets sleepers lie by 50 µs otherwise. Where it refuses, the sender is seen to be behind.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(BenchError::system("start a thread that sends"))?;
        let opened = runtime.block_on(Connection::open(self.to));
        let mut connection = opened.map_err(BenchError::system(format!("reach {}", self.to)))?;
        let mut counted = Counted { latency: histogram(), behind: histogram(), last: self.begin };
        let mut request = Vec::with_capacity(4 << 10);
        while !self.stop.load(Ordering::Relaxed) {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(due) = self.tasks.get(task) else { break };
            for (second, due) in [(false, Some(due.first)), (true, due.second)] {
                let Some(due) = due else { continue };
                let free = Instant::now();
                request.clear();
                let expected = self.agenda.write(task, second, &mut request);
                let at = self.begin + due;
                wait_until(at);
                let sent = Instant::now();
                let answer = runtime
                    .block_on(async { tokio::time::timeout(PATIENCE, connection.ask(&request)).await });
                counted.last = Instant::now();
                match answer {
                    Ok(Ok(answer)) => look(&request, expected, &answer)?,
                    Ok(Err(why)) => return Err(wrong(&request, expected, why.to_string())),
                    Err(_) => return Err(wrong(&request, expected, format!("nothing within {PATIENCE:?}"))),
                }
                if due >= self.warm_up {
                    record(&mut counted.latency, counted.last.saturating_duration_since(at));
                    record(&mut counted.behind, sent.saturating_duration_since(at.max(free)));
                }
            }
        }
        Ok(counted)
    }
}

fn wait_until(at: Instant) {
    let left = at.saturating_duration_since(Instant::now());
    if !left.is_zero() {
        std::thread::sleep(left);
    }
}

/// Looks whether an answer is right. After its time was taken: reading it is no part of that.
fn look(request: &[u8], expected: Expected, answer: &Answer<'_>) -> Result<(), BenchError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Counted {
        total_results: u64,
    }
    let right = match expected {
        Expected::Status(status) => answer.status == status,
        Expected::Results(results) => {
            answer.status == 200
                && serde_json::from_slice(answer.body)
                    .is_ok_and(|found: Counted| found.total_results == results)
        }
    };
    if right { Ok(()) } else { Err(wrong(request, expected, answer.excerpt())) }
}

fn wrong(request: &[u8], expected: Expected, answer: String) -> BenchError {
    let expected = match expected {
        Expected::Status(status) => status.to_string(),
        Expected::Results(results) => format!("200 with {results} results"),
    };
    BenchError::Wrong { during: "measuring".into(), request: first_line(request), expected, answer }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::reference::{Reference, accept};
    use crate::bench::script::Scripts;
    use std::sync::Mutex;

    /// The same request again and again; tasks of two requests at every even number.
    struct Same {
        expected: Expected,
        asked: Mutex<Vec<(usize, bool)>>,
    }

    impl Same {
        fn new(status: u16) -> Self {
            Self { expected: Expected::Status(status), asked: Mutex::default() }
        }
    }

    impl Agenda for Same {
        fn has_two(&self, task: usize) -> bool {
            task.is_multiple_of(2)
        }

        fn write(&self, task: usize, second: bool, out: &mut Vec<u8>) -> Expected {
            self.asked.lock().unwrap().push((task, second));
            Scripts::new("t").ask(out, format_args!("/x"));
            self.expected
        }
    }

    const PACE: Pace = Pace { per_second: 200, time: Duration::from_millis(100) };

    #[test]
    fn one_request_is_due_at_each_beat_and_the_second_of_a_task_after_the_first_was_answered() {
        let tasks = schedule(1_000, Duration::from_millis(100), &Same::new(200));
        let mut beats: Vec<Duration> = tasks.iter().map(|due| due.first).collect();
        beats.extend(tasks.iter().filter_map(|due| due.second));
        beats.sort();
        assert_eq!(beats, (0..100).map(Duration::from_millis).collect::<Vec<_>>());
        for (task, due) in tasks.iter().enumerate() {
            assert!(task.is_multiple_of(2) || due.second.is_none());
            assert!(due.second.is_none_or(|second| second >= due.first + STEP));
        }
        assert!(tasks.iter().filter(|due| due.second.is_some()).count() > 20);
    }

    #[tokio::test]
    async fn everything_that_is_due_after_the_warm_up_is_sent_and_counted_once() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let server = tokio::spawn(accept(listener, Reference::get(3)));
        let warm_up = Duration::from_millis(50);
        let ran = tokio::task::spawn_blocking(move || {
            let agenda = Same::new(200);
            let paced = open_loop(to, &agenda, PACE, warm_up, || ()).unwrap();
            let mut asked = agenda.asked.into_inner().unwrap();
            asked.sort_unstable();
            let all = asked.len();
            asked.dedup();
            (paced, all, asked.len())
        });
        let (paced, all, distinct) = ran.await.unwrap();
        assert_eq!((all, distinct), (30, 30));
        assert_eq!((paced.volley.requests, paced.behind.len()), (20, 20));
        server.abort();
    }

    #[tokio::test]
    async fn a_stall_is_felt_by_all_that_was_due_meanwhile() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let mut loop_ = tokio::task::spawn_blocking(move || {
            open_loop(to, &Same::new(200), PACE, Duration::ZERO, || ()).unwrap()
        });
        // Nobody is answered before everything is due.
        let stall = RUN_UP + PACE.time + Duration::from_millis(100);
        assert!(tokio::time::timeout(stall, &mut loop_).await.is_err());
        let server = tokio::spawn(accept(listener, Reference::get(3)));
        let latency = loop_.await.unwrap().volley.latency;
        assert_eq!(latency.len(), 20);
        assert!(latency.min() >= 90_000_000, "the last one was due 100 ms before: {}", latency.min());
        assert!(latency.max() >= 195_000_000, "the first one waited for all of it: {}", latency.max());
        server.abort();
    }

    /// Looks and creates in turn.
    struct Writing;

    impl Agenda for Writing {
        fn has_two(&self, _: usize) -> bool {
            true
        }

        fn write(&self, _: usize, second: bool, out: &mut Vec<u8>) -> Expected {
            out.extend_from_slice(if second { b"POST /x " } else { b"GET /x " });
            Expected::Status(200)
        }
    }

    #[test]
    fn what_is_due_while_a_write_stalls_shares_the_next_one_and_reads_wait_for_none() {
        let stalled = Duration::from_millis(40);
        let mut writes = Vec::new();
        let done = writes_alone(&Writing, PACE, |count| {
            if writes.is_empty() {
                std::thread::sleep(stalled);
            }
            writes.push(count);
            Ok(())
        });
        let latency = done.unwrap().latency;
        assert_eq!(writes.iter().sum::<usize>(), writes_due(), "{writes:?}");
        assert!(writes.len() < writes_due(), "some shared one: {writes:?}");
        assert!(latency.max() >= 40_000_000, "{}", latency.max());
        assert_eq!(latency.count_at(0), latency.len() - writes_due() as u64);
    }

    /// How many of the requests at this pace write.
    fn writes_due() -> usize {
        schedule(PACE.per_second, PACE.time, &Writing).iter().filter(|due| due.second.is_some()).count()
    }

    #[tokio::test]
    async fn one_wrong_answer_ends_the_loop_with_an_error_that_shows_it() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let server = tokio::spawn(accept(listener, Reference::get(3)));
        let ran = tokio::task::spawn_blocking(move || {
            open_loop(to, &Same::new(204), PACE, Duration::ZERO, || ()).map(|_| ()).unwrap_err().to_string()
        });
        assert_eq!(
            ran.await.unwrap(),
            "measuring: GET /x HTTP/1.1 should be answered 204, and was answered: 200    "
        );
        server.abort();
    }

    #[test]
    fn a_list_with_another_number_of_results_is_wrong() {
        let body = br#"{"totalResults":1}"#;
        let answer = Answer { status: 200, body };
        assert!(look(b"", Expected::Results(1), &answer).is_ok());
        assert!(look(b"", Expected::Results(0), &answer).is_err());
        assert!(look(b"", Expected::Results(1), &Answer { status: 200, body: b"{}" }).is_err());
    }
}
