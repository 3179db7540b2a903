//! Filling the daemon before anything is measured, through its front door.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::task::JoinSet;

use super::BenchError;
use super::people;
use super::script::{Person, Scripts};
use super::wire::Connection;

/// Connections that fill at once: as many as share a durable commit well.
const CONNECTIONS: usize = 64;
/// Progress is told this often.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// The part of an answer that is needed.
#[derive(Deserialize)]
struct Made {
    id: String,
}

/// Makes the first people of a series, and returns them in order.
pub(super) async fn people(
    to: SocketAddr,
    scripts: &Scripts,
    series: &'static str,
    count: usize,
    progress: &mut (dyn Write + Send),
) -> Result<Vec<Person>, BenchError> {
    let lanes = CONNECTIONS.min(count);
    let mut tasks = JoinSet::new();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for lane in 0..lanes {
        let (scripts, tell) = (scripts.clone(), tell.clone());
        tasks.spawn(async move {
            let mut connection =
                Connection::open(to).await.map_err(BenchError::system("reach the daemon"))?;
            let mut request = Vec::new();
            for n in (lane..count).step_by(lanes) {
                request.clear();
                scripts.send(&mut request, "POST", "/scim/v2/Users", &people::body(series, n));
                let id = made(&mut connection, &request).await?;
                // The other end goes first only after an error, which is returned there.
                let _ = tell.send(Person { id, n });
            }
            Ok::<_, BenchError>(())
        });
    }
    drop(tell);
    let mut people = Vec::with_capacity(count);
    let mut last = Instant::now();
    while let Some(person) = told.recv().await {
        people.push(person);
        if last.elapsed() > TELL_EVERY {
            last = Instant::now();
            let _ = writeln!(progress, "  {} of {count} users", people.len());
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|why| BenchError::Server { who: "the load".into(), what: why.to_string() })??;
    }
    people.sort_unstable_by_key(|person| person.n);
    Ok(people)
}

/// Makes one resource, and returns its id.
pub(super) async fn create(
    to: SocketAddr,
    scripts: &Scripts,
    collection: &str,
    body: &str,
) -> Result<String, BenchError> {
    let mut connection = Connection::open(to).await.map_err(BenchError::system("reach the daemon"))?;
    let mut request = Vec::new();
    scripts.send(&mut request, "POST", &format!("/scim/v2/{collection}"), body);
    made(&mut connection, &request).await
}

/// Asks once, and returns the body of a success.
pub(super) async fn ask(to: SocketAddr, request: &[u8]) -> Result<Vec<u8>, BenchError> {
    let mut connection = Connection::open(to).await.map_err(BenchError::system("reach the daemon"))?;
    asked(&mut connection, request).await
}

async fn made(connection: &mut Connection, request: &[u8]) -> Result<String, BenchError> {
    let body = asked(connection, request).await?;
    let made: Made = serde_json::from_slice(&body).map_err(|why| BenchError::Refused {
        request: first_line(request),
        answer: format!("no id: {why}"),
    })?;
    Ok(made.id)
}

async fn asked(connection: &mut Connection, request: &[u8]) -> Result<Vec<u8>, BenchError> {
    let answer = connection.ask(request).await.map_err(BenchError::system("hear the daemon"))?;
    if answer.is_success() {
        return Ok(answer.body.to_vec());
    }
    Err(BenchError::Refused { request: first_line(request), answer: answer.excerpt() })
}

fn first_line(request: &[u8]) -> String {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}
