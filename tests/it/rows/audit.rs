//! X58, X59: the history holds exactly what was done, by whom and on which request; and no byte of it can be changed unnoticed.

use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::audit::Proof;
use rosterd::ids::TenantId;
use rosterd::roster::{AuditRow, Command, Reply};
use rosterd::store::{Action, Actor};
use serde_json::{Value, json};

use crate::support::bodies::{add_members, group, replace, user};
use crate::support::world::{history, said};
use crate::support::{Answer, Client, TestApp, on_every_store, until};

const TENANT: TenantId = TenantId::new(1);

/// What one entry must say.
#[derive(Debug, PartialEq)]
struct Told {
    action: Action,
    subject: Option<String>,
    attributes: Vec<String>,
    result: String,
    request: String,
}

#[test]
fn x58_every_acknowledged_write_has_one_entry_that_says_who_what_and_on_which_request() {
    on_every_store(|app| {
        let before = history(app.roster(), TENANT).len();
        let mut expected = vec![];
        let mut done =
            |action: Action, subject: &str, attributes: &[&str], answer: Answer, status: u16| -> Answer {
                let answer = answer.expect(status);
                expected.push(Told {
                    action,
                    subject: Some(if subject.is_empty() { answer.id() } else { subject.to_owned() }),
                    attributes: attributes.iter().map(|&name| name.to_owned()).collect(),
                    result: "ok".to_owned(),
                    request: answer.header("x-request-id").unwrap().to_owned(),
                });
                answer
            };
        let mut body = user("ada");
        body["title"] = "CTO".into();
        let ada =
            done(Action::Create, "", &["userName", "title", "active"], app.post("/Users", &body), 201).id();
        let path = format!("/Users/{ada}");
        done(Action::Patch, &ada, &["title"], app.patch(&path, &replace("title", "CEO")), 200);
        done(
            Action::Replace,
            &ada,
            &["title", "nickName"],
            app.put(&path, &json!({ "userName": "ada", "nickName": "A" })),
            200,
        );
        let crowd =
            done(Action::Create, "", &["displayName"], app.post("/Groups", &group("crowd", &[])), 201).id();
        done(
            Action::Patch,
            &crowd,
            &["members"],
            app.patch(&format!("/Groups/{crowd}"), &add_members(&[&ada])),
            204,
        );
        done(Action::Delete, &ada, &["userName", "nickName", "active", "groups"], app.delete(&path), 204);
        // What was refused, or changed nothing, has none.
        app.post("/Groups", &group("crowd", &[])).refused(409, Some("uniqueness"));
        app.patch(&path, &replace("title", "CEO")).refused(404, None);
        let _ = app.put(&format!("/Groups/{crowd}"), &group("crowd", &[])).expect(200);
        let _ = app.get("/Users").expect(200);

        let rows = said(&history(app.roster(), TENANT)[before..]);
        let mut found: Vec<Told> = rows
            .iter()
            .map(|(facts, _)| Told {
                action: facts.action,
                subject: facts.subject.map(|at| at.id.to_string()),
                attributes: facts.attributes.clone(),
                result: facts.result.clone(),
                request: facts.request.to_string(),
            })
            .collect();
        for told in found.iter_mut().chain(&mut expected) {
            told.attributes.sort_unstable();
        }
        assert_eq!(found, expected);
        let Reply::Tokens { tokens } =
            app.operate(Command::TokenList { tenant: Some(FIRST_TENANT.to_owned()) })
        else {
            panic!()
        };
        for (facts, values) in &rows {
            assert_eq!(facts.who, Actor::Token(tokens[0].what.id));
            assert!(facts.connection.is_some());
            assert_eq!(
                values.changes.iter().map(|change| &change.attribute).collect::<Vec<_>>(),
                facts.attributes.iter().collect::<Vec<_>>()
            );
        }
        let (_, patched) = &rows[1];
        assert_eq!(
            (&patched.changes[0].old, &patched.changes[0].new),
            (&Some(json!("CTO")), &Some(json!("CEO")))
        );
    });
}

#[test]
fn x58_a_request_without_the_right_is_in_the_history_too() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let (reader, id) = app.issue(FIRST_TENANT, "idp", &["users:read"]);
        let before = history(app.roster(), TENANT).len();
        let path = format!("/Users/{ada}");
        let refused = [
            (reader.post("/Users", &user("eve")), "users:write"),
            (reader.put(&path, &user("eve")), "users:write"),
            (reader.patch(&path, &replace("active", false)), "users:write"),
            (reader.delete(&path), "users:write"),
            (reader.get(&format!("/Groups/{ada}")), "groups:read"),
        ];
        // Nobody who reads waits until their refusal is written down.
        until("all refusals", || history(app.roster(), TENANT).len() >= before + refused.len());
        let rows = said(&history(app.roster(), TENANT)[before..]);
        assert_eq!(rows.len(), refused.len());
        for ((answer, needs), (facts, _)) in refused.iter().zip(&rows) {
            answer.refused(403, None);
            assert_eq!(facts.action, Action::Refuse);
            assert_eq!(facts.result, format!("forbidden: needs {needs}"));
            assert_eq!(facts.request.to_string(), answer.header("x-request-id").unwrap());
            assert_eq!(facts.who, Actor::Token(rosterd::ids::TokenId::parse(&id).unwrap()));
        }
    });
}

#[test]
fn x58_what_an_operator_does_is_in_the_history_as_the_command_lines() {
    use Action::{AdminCreate, ConnectionCreate, TokenCreate, TokenRevoke};
    let app = TestApp::start();
    let before = history(app.roster(), TENANT).len();
    let (_, id) = app.issue(FIRST_TENANT, "idp", &[]);
    app.operate(Command::TokenRevoke { id });
    let _ = app.connection(FIRST_TENANT, "second", "strict");
    app.operate(Command::AdminCreate {
        tenant: FIRST_TENANT.to_owned(),
        user_name: "root".to_owned(),
        display_name: None,
    });
    let rows = said(&history(app.roster(), TENANT)[before..]);
    let actions: Vec<Action> = rows.iter().map(|(facts, _)| facts.action).collect();
    assert_eq!(actions, [TokenCreate, TokenRevoke, ConnectionCreate, TokenCreate, AdminCreate]);
    assert!(rows.iter().all(|(facts, _)| facts.who == Actor::Cli));
}

/// Reads a history as it travels to whoever proves it.
fn travelled(app: &TestApp) -> Vec<AuditRow> {
    let page = Command::AuditPage { tenant: Some(FIRST_TENANT.to_owned()), after: 0, limit: 10_000 };
    let Reply::Audit { rows } = app.operate(page) else { panic!() };
    rows
}

fn fill(client: &Client, entries: usize) {
    for number in 0..entries {
        let _ = client.post("/Users", &user(&format!("user-{number}"))).expect(201);
    }
}

#[test]
fn x59_every_flipped_byte_of_a_log_of_a_hundred_entries_is_found() {
    on_every_store(|app| {
        fill(&app, 100 - travelled(&app).len());
        let rows = travelled(&app);
        assert_eq!(rows.len(), 100);
        let mut proof = Proof::default();
        for row in &rows {
            // What came before is proven, so this row alone decides.
            let proven = proof;
            proof.take(row).unwrap();
            let parts: [fn(&mut AuditRow) -> &mut String; 4] = [
                |row: &mut AuditRow| &mut row.facts,
                |row: &mut AuditRow| &mut row.values,
                |row: &mut AuditRow| &mut row.link,
                |row: &mut AuditRow| &mut row.values_digest,
            ];
            for part in parts {
                let length = part(&mut row.clone()).len();
                for at in 0..length {
                    let mut changed = row.clone();
                    let text = part(&mut changed);
                    let mut bytes = std::mem::take(text).into_bytes();
                    bytes[at] ^= 1;
                    let Ok(flipped) = String::from_utf8(bytes) else { continue };
                    *text = flipped;
                    assert!(proven.clone().take(&changed).is_err(), "row {}, byte {at}", row.seq);
                }
            }
            for bit in 0..8 {
                let changed = AuditRow { seq: row.seq ^ (1 << bit), ..row.clone() };
                assert!(proven.clone().take(&changed).is_err(), "row {}, its number", row.seq);
            }
        }
        assert_eq!(proof.entries(), 100);
    });
}

#[test]
fn x59_removed_repeated_exchanged_and_invented_entries_are_found() {
    let app = TestApp::start();
    fill(&app, 20);
    let rows = travelled(&app);
    let prove = |rows: &[AuditRow]| -> bool {
        let mut proof = Proof::default();
        rows.iter().all(|row| proof.take(row).is_ok())
    };
    assert!(prove(&rows));
    for at in 0..rows.len() - 1 {
        let without: Vec<AuditRow> =
            rows.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, row)| row.clone()).collect();
        assert!(!prove(&without), "row {at} removed");
        let mut exchanged = rows.clone();
        exchanged.swap(at, at + 1);
        assert!(!prove(&exchanged), "rows {at} and the next exchanged");
        let mut renumbered = without.clone();
        renumbered.iter_mut().zip(1..).for_each(|(row, seq)| row.seq = seq);
        assert!(!prove(&renumbered), "row {at} removed, and the rest renumbered");
        let mut repeated = rows.clone();
        repeated.insert(at, rows[at].clone());
        assert!(!prove(&repeated), "row {at} repeated");
    }
}

#[test]
fn x58_an_entry_never_holds_what_an_answer_must_not_show() {
    let app = TestApp::start();
    let mut body = user("ada");
    body["password"] = "canary-password".into();
    let ada = app.post("/Users", &body).expect(201).id();
    let _ = app.patch(&format!("/Users/{ada}"), &replace("password", "canary-password")).expect(200);
    let token = app.token().to_owned();
    let all: Value =
        json!(travelled(&app).iter().map(|row| format!("{}{}", row.facts, row.values)).collect::<Vec<_>>());
    assert!(all.to_string().contains("ada"));
    assert!(!all.to_string().contains("canary-password"));
    assert!(!all.to_string().contains(&token));
}
