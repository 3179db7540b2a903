//! The suites that identity providers run on us before they list us, as tests of ours: each gate is a named set with a score.
//!
//! A gate is either a transcript, each section of which is one of its tests, or a list of functions. It is run on every store, under
//! `auto` and under the provider's own profile, against one daemon from beginning to end, as the real one is. `docs/GATES.md` shows the scores.

mod entra;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use crate::conformance::play::{client_of, connection_of, play_sections, sections_of};
use crate::oauth::idp::{HOST, Idp};
use crate::support::{Client, Dice, Engine, TestApp};

/// Set to write `docs/GATES.md` instead of comparing it.
const WRITE: &str = "ROSTERD_TEST_WRITE";
/// Okta's test of `GET /Groups` fails above this (S11).
const GROUPS_WITHIN: Duration = Duration::from_millis(600);

/// Somebody's suite.
struct Gate {
    /// Its name, as the test prints it.
    name: &'static str,
    /// Whose it is, and what it is for.
    about: &'static str,
    /// The provider's own profile.
    profile: &'static str,
    /// Its tests.
    tests: Tests,
}

/// Where the tests of a gate stand.
enum Tests {
    /// The sections of a transcript.
    Transcript(&'static str),
    /// Functions.
    Functions(&'static [Case]),
}

/// One test of a gate.
pub struct Case {
    /// Its name in the gate's own list.
    pub name: &'static str,
    /// What it wants, in a few words.
    pub wants: &'static str,
    /// Whether the gate only warns when it fails.
    pub warns: bool,
    /// Panics where the gate would fail.
    pub run: fn(&entra::Tenant<'_>),
}

/// What became of one test.
struct Outcome {
    name: String,
    passed: bool,
}

const OKTA_SPEC: Gate = Gate {
    name: "gate_okta_spec",
    about: "Okta's specification test, twelve requests that an app for its network must answer",
    profile: "okta",
    tests: Tests::Transcript("okta/spec_suite.http"),
};

const OKTA_CRUD: Gate = Gate {
    name: "gate_okta_crud",
    about: "Okta's test of the life of a user, from being assigned an app to losing it",
    profile: "okta",
    tests: Tests::Transcript("okta/crud_suite.http"),
};

const ENTRA: Gate = Gate {
    name: "gate_entra",
    about: "the validation that Microsoft asks for before an app is listed in Entra's gallery, with what its provisioning service sends for each test",
    profile: "entra",
    tests: Tests::Functions(entra::CASES),
};

/// Every gate.
const ALL: [&Gate; 3] = [&OKTA_SPEC, &OKTA_CRUD, &ENTRA];

impl Gate {
    /// Runs the gate everywhere, prints its score for each place, and fails where it is not what `docs/GATES.md` promises.
    fn must_hold(&self) {
        for engine in Engine::ALL {
            for profile in ["auto", self.profile] {
                let issuer = Idp::start();
                let app = issuer.app_on(engine, &[("net.allow", &format!("{HOST}:{}", issuer.port()))]);
                let outcomes = self.run(&app, &issuer, profile);
                let failed: Vec<&str> =
                    outcomes.iter().filter(|one| !one.passed).map(|one| one.name.as_str()).collect();
                let passed = outcomes.len() - failed.len();
                eprintln!("{} {passed}/{} ({profile}, {engine:?})", self.name, self.total());
                assert!(
                    failed.is_empty(),
                    "{} under {profile} on {engine:?}: {}",
                    self.name,
                    failed.join("; ")
                );
                assert_eq!(passed, self.total(), "as many tests ran as are listed");
            }
        }
    }

    fn run(&self, app: &TestApp, issuer: &Idp, profile: &str) -> Vec<Outcome> {
        let client = &client_of(app, profile);
        match self.tests {
            Tests::Transcript(file) => play_sections(file, app, client)
                .into_iter()
                .map(|section| {
                    eprint!(
                        "{}",
                        section.differences.iter().fold(String::new(), |all, what| all + what + "\n")
                    );
                    // A busy machine may hold one answer up, but not three.
                    let in_time = !section.name.contains("600 ms")
                        || section.slowest < GROUPS_WITHIN
                        || (0..2).any(|_| fastest_list_of_groups(client) < GROUPS_WITHIN);
                    Outcome { passed: section.differences.is_empty() && in_time, name: section.name }
                })
                .collect(),
            Tests::Functions(cases) => {
                let dice = RefCell::new(Dice::new(25));
                let connection = connection_of(profile);
                let tenant = entra::Tenant { app, issuer, connection, client, dice: &dice };
                let play = |case: &Case| {
                    app.clock().advance(1);
                    let passed = catch_unwind(AssertUnwindSafe(|| (case.run)(&tenant))).is_ok();
                    Outcome { name: case.name.to_owned(), passed }
                };
                cases.iter().map(play).collect()
            }
        }
    }

    /// Counts the tests that the gate has.
    fn total(&self) -> usize {
        match self.tests {
            Tests::Transcript(file) => sections_of(file).len(),
            Tests::Functions(cases) => cases.len(),
        }
    }

    /// Writes the gate's part of the list for people.
    fn write(&self, page: &mut String) {
        let (name, total) = (self.name, self.total());
        write!(page, "\n## {name}: {total} of {total}\n\nThis is {}.\n\n", self.about).unwrap();
        match self.tests {
            Tests::Transcript(file) => {
                writeln!(page, "Played from `conformance/{file}`:\n").unwrap();
                for (number, section) in sections_of(file).iter().enumerate() {
                    writeln!(page, "{}. {section}", number + 1).unwrap();
                }
            }
            Tests::Functions(cases) => {
                page.push_str("| | test | wants | |\n|---|---|---|---|\n");
                for (number, case) in cases.iter().enumerate() {
                    let state = if case.warns { "holds; the gate would only warn" } else { "holds" };
                    writeln!(page, "| {} | {} | {} | {state} |", number + 1, case.name, case.wants).unwrap();
                }
            }
        }
    }
}

fn fastest_list_of_groups(client: &Client) -> Duration {
    let began = std::time::Instant::now();
    let _ = client.get("/Groups").expect(200);
    began.elapsed()
}

/// Writes the list for people.
fn page() -> String {
    let mut page = format!(
        "# Gates\n\nIdentity providers run suites of their own on a server before they list it. Each is a test of ours here, run on every store,\n\
         under `auto` and under the provider's own profile. They are replays, made from the suites' own descriptions and files: no provider has\n\
         run its suite on rosterd yet. Made by `gates::` in `tests/it`; the suite fails where this page is not true, and where a test that is\n\
         said to hold does not. To write it anew:\n\n    {WRITE}=1 cargo nextest run --all-features gates::\n\n| gate | holds | of |\n|---|---|---|\n"
    );
    for gate in ALL {
        writeln!(page, "| {} | {} | {} |", gate.name, gate.total(), gate.total()).unwrap();
    }
    for gate in ALL {
        gate.write(&mut page);
    }
    page
}

// Rows: D-K1, D-K2, D-K3, S8.
#[test]
fn gate_okta_spec() {
    assert_eq!(OKTA_SPEC.total(), 12);
    OKTA_SPEC.must_hold();
}

// Rows: D-K3, D-K4, D-K5, D-K7.
#[test]
fn gate_okta_crud() {
    assert_eq!(OKTA_CRUD.total(), 5);
    OKTA_CRUD.must_hold();
}

// Rows: D-E1, D-E2, D-E3, D-E4, D-E7, D-E8, D-E10, D-E11, D-E14, D-E15, D-E16, D-E17, D-E18, D-E20, S28.
#[test]
fn gate_entra() {
    assert_eq!(ENTRA.total(), 25);
    ENTRA.must_hold();
}

#[test]
fn the_coverage_of_gates_is_true() {
    let expected = page();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/GATES.md");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == found,
        "docs/GATES.md is not true any more. Write it anew: {WRITE}=1 cargo nextest run --all-features gates::"
    );
}
