//! Filling a daemon before anything is measured, through its front door.

use std::io::Write;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinSet;

use super::BenchError;
use super::load::first_line;
use super::people;
use super::script::{ByPeople, Person, Script, Scripts};
use super::wire::Connection;

/// Connections that fill at once: as many as share a durable commit well.
const CONNECTIONS: usize = 64;
/// Members that are put into a group by one PATCH.
const MEMBERS_AT_ONCE: usize = 1_000;
/// Progress is told this often.
pub(super) const TELL_EVERY: Duration = Duration::from_secs(2);

/// The part of an answer that is needed.
#[derive(Deserialize)]
struct Made {
    id: String,
}

/// Makes some people of a series, and returns them in order.
pub(super) async fn people(
    to: SocketAddr,
    scripts: &Scripts,
    series: &'static str,
    which: Range<usize>,
    progress: &mut (dyn Write + Send),
) -> Result<Vec<Person>, BenchError> {
    let (count, lanes) = (which.len(), CONNECTIONS.min(which.len()));
    let mut tasks = JoinSet::new();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for lane in 0..lanes {
        let (scripts, tell, mine) = (scripts.clone(), tell.clone(), which.clone().skip(lane).step_by(lanes));
        tasks.spawn(async move {
            let mut connection = open(to).await?;
            for n in mine {
                let mut request = Vec::new();
                scripts.send(&mut request, "POST", "/scim/v2/Users", &people::body(series, n));
                let made: Made = asked(&mut connection, request, 201).await?.read()?;
                // The other end goes first only after an error, which is returned there.
                let _ = tell.send(Person { id: made.id, n });
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

/// Makes a group with members, a thousand with each request, and returns its id.
pub(super) async fn group(
    to: SocketAddr,
    scripts: &Scripts,
    members: &[&str],
    progress: &mut (dyn Write + Send),
) -> Result<String, BenchError> {
    let mut connection = open(to).await?;
    let mut request = Vec::new();
    let mut chunks = members.chunks(MEMBERS_AT_ONCE);
    let first = chunks.next().unwrap_or_default().iter().copied();
    let body = people::group(&people::group_name(members.len()), first);
    scripts.send(&mut request, "POST", "/scim/v2/Groups", &body);
    let made: Made = asked(&mut connection, request, 201).await?.read()?;
    let path = format!("/scim/v2/Groups/{}", made.id);
    let (mut last, mut inside) = (Instant::now(), MEMBERS_AT_ONCE);
    for chunk in chunks {
        let mut request = Vec::new();
        scripts.send(&mut request, "PATCH", &path, &people::add_members(chunk.iter().copied()));
        asked(&mut connection, request, 204).await?;
        inside += chunk.len();
        if last.elapsed() > TELL_EVERY {
            last = Instant::now();
            let _ = writeln!(progress, "  {inside} of {} members", members.len());
        }
    }
    Ok(made.id)
}

/// Sends everybody the same PATCH.
pub(super) async fn change(
    to: SocketAddr,
    scripts: &Scripts,
    people: &[Person],
    body: &str,
    progress: &mut (dyn Write + Send),
) -> Result<(), BenchError> {
    let (scripts, body) = (scripts.clone(), body.to_owned());
    let patch = move |out: &mut Vec<u8>, person: &Person| {
        scripts.send(out, "PATCH", &format!("/scim/v2/Users/{}", person.id), &body);
    };
    for_each(to, people, patch, progress).await
}

/// Asks for everybody as a script does.
pub(super) async fn walk(
    to: SocketAddr,
    scripts: &Scripts,
    people: &[Person],
    script: ByPeople,
    progress: &mut (dyn Write + Send),
) -> Result<(), BenchError> {
    let scripts = scripts.clone();
    let ask = move |out: &mut Vec<u8>, person: &Person| {
        script(&scripts, &Arc::new(vec![person.clone()]), 0).next(out);
    };
    for_each(to, people, ask, progress).await
}

/// Sends a request for everybody, which is answered with 200.
async fn for_each(
    to: SocketAddr,
    people: &[Person],
    request: impl Fn(&mut Vec<u8>, &Person) + Clone + Send + 'static,
    progress: &mut (dyn Write + Send),
) -> Result<(), BenchError> {
    let mut tasks = JoinSet::new();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for lane in 0..CONNECTIONS.min(people.len()) {
        let mine: Vec<Person> = people.iter().skip(lane).step_by(CONNECTIONS).cloned().collect();
        let (request, tell) = (request.clone(), tell.clone());
        tasks.spawn(async move {
            let mut connection = open(to).await?;
            for person in mine {
                let mut out = Vec::new();
                request(&mut out, &person);
                asked(&mut connection, out, 200).await?;
                // The other end goes first only after an error, which is returned there.
                let _ = tell.send(());
            }
            Ok::<_, BenchError>(())
        });
    }
    drop(tell);
    let (mut done, mut last) = (0, Instant::now());
    while told.recv().await.is_some() {
        done += 1;
        if last.elapsed() > TELL_EVERY {
            last = Instant::now();
            let _ = writeln!(progress, "  {done} of {} users", people.len());
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|why| BenchError::Server { who: "the load".into(), what: why.to_string() })??;
    }
    Ok(())
}

/// Asks how many users there are.
pub(super) async fn count(to: SocketAddr, scripts: &Scripts) -> Result<usize, BenchError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Counted {
        total_results: usize,
    }
    let mut request = Vec::new();
    scripts.ask(&mut request, format_args!("/scim/v2/Users?count=0"));
    let counted: Counted = asked(&mut open(to).await?, request, 200).await?.read()?;
    Ok(counted.total_results)
}

/// A request and the body of its answer, which has the right status.
pub(super) struct Asked {
    request: Vec<u8>,
    pub(super) body: Vec<u8>,
}

impl Asked {
    /// Reads what is needed of the answer.
    pub(super) fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, BenchError> {
        serde_json::from_slice(&self.body).map_err(|why| self.wrong(&format!("as RFC 7644 says ({why})")))
    }

    /// Looks whether the body says what the request is for.
    pub(super) fn must_say(
        &self,
        expected: &str,
        holds: impl FnOnce(&Value) -> bool,
    ) -> Result<(), BenchError> {
        let said = serde_json::from_slice(&self.body).is_ok_and(|found| holds(&found));
        if said { Ok(()) } else { Err(self.wrong(&format!("with {expected}"))) }
    }

    fn wrong(&self, expected: &str) -> BenchError {
        let answer: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        wrong(&self.request, expected.to_owned(), answer)
    }
}

/// Sends a script's next request.
pub(super) async fn send(to: SocketAddr, script: &mut Script) -> Result<Asked, BenchError> {
    let mut request = Vec::new();
    script.next(&mut request);
    asked(&mut open(to).await?, request, script.status).await
}

pub(super) async fn open(to: SocketAddr) -> Result<Connection, BenchError> {
    Connection::open(to).await.map_err(BenchError::system("reach the daemon"))
}

pub(super) async fn asked(
    connection: &mut Connection,
    request: Vec<u8>,
    status: u16,
) -> Result<Asked, BenchError> {
    let answer = connection.ask(&request).await.map_err(BenchError::system("hear the daemon"))?;
    if answer.status == status {
        let body = answer.body.to_vec();
        return Ok(Asked { request, body });
    }
    Err(wrong(&request, status.to_string(), answer.excerpt()))
}

fn wrong(request: &[u8], expected: String, answer: String) -> BenchError {
    BenchError::Wrong { during: "preparing".into(), request: first_line(request), expected, answer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_does_not_say_what_the_request_is_for_is_an_error_that_shows_it() {
        let asked = |body: &str| Asked { request: b"GET /x HTTP/1.1\r\n".into(), body: body.into() };
        let one = |found: &Value| found["totalResults"] == 1;
        asked(r#"{"totalResults":1}"#).must_say("one result", one).unwrap();
        for body in [r#"{"totalResults":0}"#, "no json"] {
            let why = asked(body).must_say("one result", one).unwrap_err().to_string();
            let expected = format!(
                "preparing: GET /x HTTP/1.1 should be answered with one result, and was answered: {body}"
            );
            assert_eq!(why, expected);
        }
        assert!(asked("{}").read::<Made>().is_err());
    }
}
