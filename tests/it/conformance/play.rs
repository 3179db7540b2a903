//! Plays a transcript against a daemon.

use std::time::{Duration, Instant};

use rosterd::app::bootstrap::{FIRST_CONNECTION, FIRST_TENANT};
use rosterd::roster::Command;
use serde_json::Value;

use super::matching::Captured;
use super::transcript::{Step, Transcript};
use crate::support::{Answer, Client, Engine, PUBLIC_URL, Request, TestApp};

/// A section of a transcript, played.
#[derive(Debug)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// What was not as expected, with its place.
    pub differences: Vec<String>,
    /// How long its slowest answer took.
    pub slowest: Duration,
}

/// Plays a file on a store, once for each profile it names; fails at the first answer that is not as expected.
pub fn play(file: &str, engine: Engine) {
    let transcript = Transcript::read(file);
    for profile in &transcript.profiles {
        let app = TestApp::on(engine);
        let client = client_of(&app, profile);
        for file in &transcript.schemas {
            let document =
                std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let connection = if profile == "auto" { "idp" } else { "other" };
            app.operate(Command::SchemaAdd {
                tenant: FIRST_TENANT.into(),
                document,
                connections: vec![connection.into()],
            });
        }
        let mut captured = start();
        for step in &transcript.steps {
            app.clock().advance(1);
            let differences = take(step, &transcript, &client, &mut captured);
            assert!(
                differences.is_empty(),
                "\n{} ({profile}, {engine:?}; {})\n{} {}\n  {}\n",
                place(&transcript, step),
                transcript.rows.join(", "),
                step.method,
                step.target,
                differences.join("\n  ")
            );
        }
    }
}

/// Plays a file with a client to its end, whatever the answers, and says of each section what was wrong with it. What comes before the first
/// section prepares the ground and must be right.
pub fn play_sections(file: &str, app: &TestApp, client: &Client) -> Vec<Section> {
    let transcript = Transcript::read(file);
    let mut captured = start();
    let mut sections: Vec<Section> = Vec::new();
    for step in &transcript.steps {
        app.clock().advance(1);
        let began = Instant::now();
        let differences = take(step, &transcript, client, &mut captured);
        let took = began.elapsed();
        let differences: Vec<String> =
            differences.into_iter().map(|what| format!("{}: {what}", place(&transcript, step))).collect();
        if step.section.is_empty() {
            assert!(differences.is_empty(), "\n{}\n", differences.join("\n"));
            continue;
        }
        match sections.last_mut().filter(|section| section.name == step.section) {
            Some(section) => {
                section.differences.extend(differences);
                section.slowest = section.slowest.max(took);
            }
            None => sections.push(Section { name: step.section.clone(), differences, slowest: took }),
        }
    }
    sections
}

/// Lists the sections of a file.
pub fn sections_of(file: &str) -> Vec<String> {
    let mut names: Vec<String> = Transcript::read(file).steps.into_iter().map(|step| step.section).collect();
    names.retain(|name| !name.is_empty());
    names.dedup();
    names
}

/// Makes a client of a connection with a profile.
pub fn client_of(app: &TestApp, profile: &str) -> Client {
    match profile {
        "auto" => (**app).clone(),
        other => app.connection(FIRST_TENANT, connection_of(other), other),
    }
}

/// Names the connection that plays under a profile.
pub fn connection_of(profile: &str) -> &'static str {
    if profile == "auto" { FIRST_CONNECTION } else { "other" }
}

fn start() -> Captured {
    Captured::knowing("base", &format!("{PUBLIC_URL}/scim/v2"))
}

fn place(transcript: &Transcript, step: &Step) -> String {
    format!("{}:{}", transcript.path.display(), step.answer_line)
}

/// Takes one step, and says what was not as expected.
fn take(step: &Step, transcript: &Transcript, client: &Client, captured: &mut Captured) -> Vec<String> {
    let request = match request(step, transcript, captured) {
        Ok(request) => request,
        Err(what) => return vec![what],
    };
    let answer = client.send(&request);
    let mut differences = vec![];
    if answer.status != step.status {
        differences.push(format!("status: expected {}, found {}", step.status, answer.status));
    }
    for (name, expected) in &step.answer_headers {
        let found = answer.header(name);
        let what = match (expected.as_str(), found) {
            ("{{absent}}", None) => None,
            ("{{absent}}", Some(found)) => Some(format!("should be absent, found {found}")),
            (_, None) => Some("is missing".to_owned()),
            (pattern, Some(found)) => captured.matches(pattern, &found.into()).err(),
        };
        differences.extend(what.map(|what| format!("{name}: {what}")));
    }
    compare_bodies(step, &answer, captured, &mut differences);
    if !differences.is_empty() {
        differences.push(format!("the answer was {} {}", answer.status, answer.text()));
    }
    differences
}

fn compare_bodies(step: &Step, answer: &Answer, captured: &mut Captured, differences: &mut Vec<String>) {
    if step.answer_body.is_empty() {
        if !answer.body.is_empty() {
            differences.push("expected no body".to_owned());
        }
        return;
    }
    match (serde_json::from_str(&step.answer_body), serde_json::from_slice::<Value>(&answer.body)) {
        (Ok(expected), Ok(found)) => {
            captured.compare("$", &expected, &found, differences);
            if answer.header("content-type").is_none_or(|kind| !kind.starts_with("application/scim+json")) {
                differences.push("Content-Type: expected application/scim+json (S1)".to_owned());
            }
        }
        (Err(error), _) => differences.push(format!("the transcript's own body is no JSON: {error}")),
        (_, Err(error)) => differences.push(format!("the answer's body is no JSON: {error}")),
    }
}

fn request(step: &Step, transcript: &Transcript, captured: &Captured) -> Result<Request, String> {
    let mut request = Request::new(&step.method, captured.fill(&step.target)?);
    let own = |name: &str| step.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    for (name, value) in transcript.send.iter().filter(|(name, _)| !own(name)).chain(&step.headers) {
        let value = if value == "{{none}}" { String::new() } else { captured.fill(value)? };
        request = request.header(name, value);
    }
    if !step.body.is_empty() {
        request = request.body(captured.fill(&step.body)?);
    }
    Ok(request)
}
