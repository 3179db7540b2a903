//! What each connection sends: requests written out by hand into one buffer, so that the load costs as little as possible.

use std::io::Write as _;
use std::sync::Arc;

use super::people;

/// Writes a connection's next request into an empty buffer.
pub(super) type Script = Box<dyn FnMut(&mut Vec<u8>) + Send>;

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

/// The series of users that are there before the first measurement.
pub(super) const PRELOADED: &str = "user";
/// The series of users that are put into groups and taken out again.
pub(super) const MOVING: &str = "mover";

impl Scripts {
    pub(super) fn new(token: &str) -> Self {
        Self { token: token.into() }
    }

    /// L1. Each call makes a series of its own, so that no userName comes twice.
    pub(super) fn create(&self, series: String, connection: usize, connections: usize) -> Script {
        let scripts = self.clone();
        let mut n = connection;
        Box::new(move |out| {
            scripts.send(out, "POST", "/scim/v2/Users", &people::body(&series, n));
            n += connections;
        })
    }

    /// L2.
    pub(super) fn get(&self, people: &Arc<Vec<Person>>, seed: usize) -> Script {
        let (scripts, people, mut dice) = (self.clone(), Arc::clone(people), Dice::new(seed));
        Box::new(move |out| {
            if let Some(person) = dice.choose(&people) {
                scripts.ask(out, format_args!("/scim/v2/Users/{}", person.id));
            }
        })
    }

    /// L3, encoded as Okta encodes it.
    pub(super) fn find(&self, people: &Arc<Vec<Person>>, seed: usize) -> Script {
        let (scripts, people, mut dice) = (self.clone(), Arc::clone(people), Dice::new(seed));
        Box::new(move |out| {
            if let Some(person) = dice.choose(&people) {
                let name = people::user_name(PRELOADED, person.n).replace('@', "%40");
                scripts.ask(
                    out,
                    format_args!("/scim/v2/Users?filter=userName%20eq%20%22{name}%22&startIndex=1&count=100"),
                );
            }
        })
    }

    /// L6: one user off, the next time on, so that every request changes something.
    pub(super) fn activate(&self, people: Vec<Person>) -> Script {
        let scripts = self.clone();
        let (mut at, mut active) = (0, false);
        Box::new(move |out| {
            if let Some(person) = people.get(at) {
                let path = format!("/scim/v2/Users/{}", person.id);
                scripts.send(out, "PATCH", &path, &people::activate(active));
            }
            at += 1;
            if at >= people.len() {
                (at, active) = (0, !active);
            }
        })
    }

    /// L8: one member in, the same one out.
    pub(super) fn move_member(&self, group: String, mover: Person) -> Script {
        let scripts = self.clone();
        let mut inside = false;
        let path = format!("/scim/v2/Groups/{group}");
        Box::new(move |out| {
            let body = if inside { people::remove_member(&mover.id) } else { people::add_member(&mover.id) };
            inside = !inside;
            scripts.send(out, "PATCH", &path, &body);
        })
    }

    /// L8: the group without its members.
    pub(super) fn get_group(&self, group: String) -> Script {
        let scripts = self.clone();
        Box::new(move |out| {
            scripts.ask(out, format_args!("/scim/v2/Groups/{group}?excludedAttributes=members"));
        })
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
        script(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn connections_of_one_load_never_create_the_same_user() {
        let scripts = Scripts::new("secret");
        let mut names = std::collections::BTreeSet::new();
        for connection in 0..3 {
            let mut script = scripts.create("x".into(), connection, 3);
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
        let seen: Vec<_> = (0..4)
            .map(|_| {
                let request = next(&mut script);
                (request.contains("id-1"), request.contains("\"active\":true"))
            })
            .collect();
        assert_eq!(seen, [(true, false), (false, false), (true, true), (false, true)]);
    }

    #[test]
    fn a_mover_goes_in_and_out() {
        let mut script = Scripts::new("secret").move_member("g".into(), person(7));
        assert!(next(&mut script).contains("\"op\":\"add\""));
        assert!(next(&mut script).contains("\"op\":\"remove\""));
        assert!(next(&mut script).contains("\"op\":\"add\""));
    }
}
