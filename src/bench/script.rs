//! What each connection sends: requests written out by hand into one buffer, so that the load costs as little as possible.

use std::io::Write as _;
use std::sync::Arc;

use super::figures::BULK;
use super::people;

/// What one connection sends, and with which status each of its requests is answered.
pub(super) struct Script {
    write: Box<Next>,
    /// The only status that is right.
    pub(super) status: u16,
    /// Whether a body is right that came with that status.
    pub(super) holds: fn(&[u8]) -> bool,
}

/// Writes the next request.
type Next = dyn FnMut(&mut Vec<u8>) + Send;

/// A person that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    /// The id that the daemon gave.
    pub(super) id: String,
    /// Which of its series it is.
    pub(super) n: usize,
}

/// Writes requests for one bearer token.
#[derive(Debug, Clone)]
pub(super) struct Scripts {
    token: Arc<str>,
}

/// Makes a script that asks for one of these people after the other, at random from a seed on.
pub(super) type ByPeople = fn(&Scripts, &Arc<Vec<Person>>, usize) -> Script;

/// The series of users that are there before the first measurement.
pub(super) const PRELOADED: &str = "user";
/// The series of users that are put into groups and taken out again.
pub(super) const MOVING: &str = "mover";

/// The program that is asked about, and the provider by which people sign in.
pub(super) const PROGRAM: &str = "bench";

impl Script {
    fn new(status: u16, write: impl FnMut(&mut Vec<u8>) + Send + 'static) -> Self {
        Self { write: Box::new(write), status, holds: |_| true }
    }

    /// Expects another status: an echo does not create, and a refusal may be what is measured.
    pub(super) fn answered(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Writes the next request into an empty buffer.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) {
        (self.write)(out);
    }
}

impl Scripts {
    pub(super) fn new(token: &str) -> Self {
        Self { token: token.into() }
    }

    /// L1, on so many connections, no userName twice: each call needs a series of its own.
    pub(super) fn create_all(&self, series: &str, connections: usize) -> Vec<Script> {
        self.create_from(series, 0, connections)
    }

    /// The same with larger numbers, and so longer bodies.
    pub(super) fn create_from(&self, series: &str, first: usize, connections: usize) -> Vec<Script> {
        let one = |connection| self.create(series.to_owned(), first + connection, connections);
        (0..connections).map(one).collect()
    }

    fn create(&self, series: String, first: usize, connections: usize) -> Script {
        let scripts = self.clone();
        let mut n = first;
        Script::new(201, move |out| {
            scripts.send(out, "POST", "/scim/v2/Users", &people::body(&series, n));
            n += connections;
        })
    }

    /// The same, many in each Bulk request.
    pub(super) fn bulk_all(&self, series: &str, connections: usize) -> Vec<Script> {
        let one = |connection| {
            let (scripts, series, mut n) = (self.clone(), series.to_owned(), connection * BULK);
            let script = Script::new(200, move |out| {
                let all: Vec<String> = (n..n + BULK).map(|n| people::body(&series, n)).collect();
                scripts.send(out, "POST", "/scim/v2/Bulk", &people::bulk(&all));
                n += connections * BULK;
            });
            Script { holds: |body| memchr_count(body, br#""status":"201""#) == BULK, ..script }
        };
        (0..connections).map(one).collect()
    }

    /// The same requests, for a reference that sends each body back.
    pub(super) fn echo_all(&self, connections: usize) -> Vec<Script> {
        self.create_all("echo", connections).into_iter().map(|script| script.answered(200)).collect()
    }

    /// L2.
    pub(super) fn get(&self, people: &Arc<Vec<Person>>, seed: usize) -> Script {
        let (scripts, people, mut dice) = (self.clone(), Arc::clone(people), Dice::new(seed));
        Script::new(200, move |out| {
            if let Some(person) = dice.choose(&people) {
                scripts.ask(out, format_args!("/scim/v2/Users/{}", person.id));
            }
        })
    }

    /// P19: as a proxy asks for somebody who is signed in.
    pub(super) fn verify(cookie: &str) -> Script {
        let request = format!(
            "GET /auth/verify?app={PROGRAM} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: __Host-rosterd={cookie}\r\n\r\n"
        );
        Script::new(200, move |out| out.extend_from_slice(request.as_bytes()))
    }

    /// L3, encoded as Okta encodes it.
    pub(super) fn find(&self, people: &Arc<Vec<Person>>, seed: usize) -> Script {
        self.find_by(people, seed, "userName", |n| people::user_name(PRELOADED, n).replace('@', "%40"))
    }

    /// L4.
    pub(super) fn find_external(&self, people: &Arc<Vec<Person>>, seed: usize) -> Script {
        self.find_by(people, seed, "externalId", |n| people::external_id(PRELOADED, n))
    }

    fn find_by(
        &self,
        people: &Arc<Vec<Person>>,
        seed: usize,
        attribute: &'static str,
        value: impl Fn(usize) -> String + Send + 'static,
    ) -> Script {
        let (scripts, people, mut dice) = (self.clone(), Arc::clone(people), Dice::new(seed));
        Script::new(200, move |out| {
            if let Some(person) = dice.choose(&people) {
                let value = value(person.n);
                scripts.ask(
                    out,
                    format_args!(
                        "/scim/v2/Users?filter={attribute}%20eq%20%22{value}%22&startIndex=1&count=100"
                    ),
                );
            }
        })
    }

    /// L5, L8, L10: the same again and again.
    pub(super) fn repeat(&self, target: &str) -> Script {
        let mut request = Vec::new();
        self.ask(&mut request, format_args!("{target}"));
        Script::new(200, move |out| out.extend_from_slice(&request))
    }

    /// One request, as it was written elsewhere.
    pub(super) fn once(request: Vec<u8>, status: u16) -> Script {
        Script::new(status, move |out| out.extend_from_slice(&request))
    }

    /// L9: as Entra looks for somebody before it changes or creates them.
    pub(super) fn look_for(&self, out: &mut Vec<u8>, user_name: &str) {
        self.ask(out, format_args!("/scim/v2/Users?filter=userName%20eq%20%22{user_name}%22"));
    }

    /// L6: one user off, the next time on, so that every request changes something.
    pub(super) fn activate(&self, people: Vec<Person>) -> Script {
        let mut active = false;
        self.each(people, "PATCH", move |_, again| {
            active ^= again;
            people::activate(active)
        })
    }

    /// L7: what the user is, but for one attribute, which is another each time.
    pub(super) fn put(&self, people: Vec<Person>, turn: usize) -> Script {
        let mut round = 0;
        self.each(people, "PUT", move |person, again| {
            round += usize::from(again);
            people::revised(PRELOADED, person.n, &format!("{turn}.{round}"))
        })
    }

    /// Sends something for each person in turn; `body` is told when they begin again.
    fn each(
        &self,
        people: Vec<Person>,
        method: &'static str,
        mut body: impl FnMut(&Person, bool) -> String + Send + 'static,
    ) -> Script {
        let (scripts, mut at) = (self.clone(), 0);
        Script::new(200, move |out| {
            let again = at == people.len();
            at = if again { 0 } else { at };
            if let Some(person) = people.get(at) {
                let path = format!("/scim/v2/Users/{}", person.id);
                scripts.send(out, method, &path, &body(person, again));
            }
            at += 1;
        })
    }

    /// L8: members in, the same ones out, all of them in one PATCH.
    pub(super) fn move_members(&self, group: &str, movers: &[Person]) -> Script {
        let scripts = self.clone();
        let path = format!("/scim/v2/Groups/{group}");
        let ids = || movers.iter().map(|mover| mover.id.as_str());
        let (add, remove) = (people::add_members(ids()), people::remove_members(ids()));
        let mut inside = false;
        Script::new(204, move |out| {
            scripts.send(out, "PATCH", &path, if inside { &remove } else { &add });
            inside = !inside;
        })
    }

    /// Some members out of a group, if they are in.
    pub(super) fn take_out(&self, group: &str, movers: &[Person]) -> Script {
        let scripts = self.clone();
        let path = format!("/scim/v2/Groups/{group}");
        let body = people::take_out(movers.iter().map(|mover| mover.id.as_str()));
        Script::new(204, move |out| scripts.send(out, "PATCH", &path, &body))
    }

    /// Writes a request without a body.
    pub(super) fn ask(&self, out: &mut Vec<u8>, target: std::fmt::Arguments<'_>) {
        // Writing to a vector cannot fail.
        let _ = write!(
            out,
            "GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nAccept: application/scim+json\r\n\r\n",
            self.token
        );
    }

    /// Writes a request with a body.
    pub(super) fn send(&self, out: &mut Vec<u8>, method: &str, path: &str, body: &str) {
        let _ = write!(
            out,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nAccept: application/scim+json\r\nContent-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
    }
}

/// Counts how often a text stands in another.
fn memchr_count(text: &[u8], part: &[u8]) -> usize {
    text.windows(part.len()).filter(|window| *window == part).count()
}

/// Picks at random, the same way in every run (splitmix64). Nothing here has to be unguessable.
struct Dice(u64);

impl Dice {
    fn new(seed: usize) -> Self {
        Self(seed as u64)
    }

    fn choose<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let at = mixed.checked_rem(from.len() as u64)?;
        from.get(usize::try_from(at).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(n: usize) -> Person {
        Person { id: format!("id-{n}"), n }
    }

    fn next(script: &mut Script) -> String {
        let mut out = Vec::new();
        script.next(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn connections_of_one_load_never_create_the_same_user() {
        let scripts = Scripts::new("secret");
        let mut names = std::collections::BTreeSet::new();
        for mut script in scripts.create_all("x", 3) {
            for _ in 0..4 {
                let request = next(&mut script);
                let (_, rest) = request.split_once("\"userName\":\"").unwrap();
                assert!(names.insert(rest.split('"').next().unwrap().to_owned()), "{request}");
            }
        }
        assert_eq!(names.len(), 12);
    }

    #[test]
    fn every_activation_changes_something() {
        let mut script = Scripts::new("secret").activate(vec![person(1), person(2)]);
        let seen: Vec<_> = (0..6)
            .map(|_| {
                let request = next(&mut script);
                (request.contains("id-1"), request.contains("\"active\":true"))
            })
            .collect();
        let expected =
            [(true, false), (false, false), (true, true), (false, true), (true, false), (false, false)];
        assert_eq!(seen, expected);
    }

    #[test]
    fn every_replacement_changes_something_and_nobody_s_name() {
        let mut script = Scripts::new("secret").put(vec![person(1)], 4);
        let bodies: Vec<serde_json::Value> = (0..3)
            .map(|_| {
                let request = next(&mut script);
                assert!(request.starts_with("PUT /scim/v2/Users/id-1 HTTP/1.1\r\n"), "{request}");
                serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
            })
            .collect();
        assert_ne!(bodies[0], bodies[1]);
        assert_ne!(bodies[1], bodies[2]);
        for body in bodies {
            assert_eq!(body["userName"], people::user_name(PRELOADED, 1));
            assert_eq!(body["externalId"], people::external_id(PRELOADED, 1));
        }
    }

    #[test]
    fn movers_go_in_and_out() {
        let mut script = Scripts::new("secret").move_members("g", &[person(7), person(8)]);
        for op in ["add", "remove", "add"] {
            let request = next(&mut script);
            assert!(request.contains(&format!("\"op\":\"{op}\"")), "{request}");
            assert!(request.contains("id-7") && request.contains("id-8"), "{request}");
        }
    }
}
