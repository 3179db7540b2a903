//! Who may come in, and what is found wrong.

use rosterd::roster::hooks::{Finding, Operation, Proposal, Severity, Then, Verdict};

use super::{Double, admin, broke, choice, history, load, make, operations};
use crate::support::bodies::{replace, user};
use crate::support::on_every_store;

#[test]
fn the_first_gate_that_denies_keeps_somebody_out_with_its_words() {
    on_every_store(|app| {
        let open = Double::new("open").admits(|_, _| Ok(Verdict::Allow));
        let shut = Double::new("shut").admits(|_, user| match user.document.user_name() {
            Some("eve") => Ok(Verdict::Deny("contractors come in by another door".into())),
            _ => Ok(Verdict::Allow),
        });
        let never = Double::new("never").admits(|_, user| {
            assert_ne!(user.document.user_name(), Some("eve"), "one has denied already");
            Ok(Verdict::Allow)
        });
        let heard = never.heard();
        load(&app, [open, shut, never]);
        let refused = app.post("/Users", &user("eve")).refused(403, None);
        assert!(
            refused.contains("shut") && refused.contains("contractors come in by another door"),
            "{refused}"
        );
        let ada = format!("/Users/{}", app.post("/Users", &user("ada")).expect(201).id());
        drop(app.patch(&ada, &replace("nickName", "A")).expect(200));
        drop(app.patch(&ada, &replace("active", false)).expect(200));
        drop(app.patch(&ada, &replace("active", true)).expect(200));
        assert_eq!(
            operations(&heard),
            [Operation::Create, Operation::Activate],
            "and nobody is asked of the rest"
        );
        drop(app.delete(&ada).expect(204));
        assert_eq!(operations(&heard).len(), 2);
    });
}

#[test]
fn a_gate_that_fails_stays_shut_unless_its_policy_says_otherwise() {
    on_every_store(|app| {
        let gate =
            |then: Then| Double::new("gate").admits(|_, _| broke()).with_policy(|policy| policy.gate = then);
        load(&app, [gate(Then::Deny)]);
        let refused = app.post("/Users", &user("ada")).refused(403, None);
        assert!(!refused.contains("canary"), "its own words stay in the log: {refused}");
        load(&app, [gate(Then::Reject)]);
        let answer = app.post("/Users", &user("ada")).expect(503);
        assert_eq!(answer.header("Retry-After"), Some("30"));
        load(&app, [gate(Then::Skip)]);
        drop(app.post("/Users", &user("ada")).expect(201));
        let (facts, _) = history(&app).pop().unwrap();
        assert!(
            facts.notes.iter().any(|note| note.contains("gate failed (trap) and was passed over")),
            "{facts:?}"
        );
    });
}

fn finding(severity: Severity, path: &str, code: &str) -> Finding {
    Finding { severity, path: Some(path.into()), code: code.into(), detail: format!("{code} is wrong") }
}

#[test]
fn what_all_validators_find_wrong_is_one_answer_and_nothing_is_written() {
    on_every_store(|app| {
        let admin = admin(&app);
        make(&admin, "UserType", "Coder");
        let map = Double::mapping("types", |_, _| vec![Proposal::AddUserType(choice("Coder"))]);
        let one = Double::new("one").validates(|_, _, proposed| {
            assert_eq!(proposed.user_types[0].user_type, "Coder", "it looks at the outcome");
            Ok(vec![
                finding(Severity::Error, "title", "no-title"),
                finding(Severity::Note, "title", "a-note"),
            ])
        });
        let two =
            Double::new("two").validates(|_, _, _| Ok(vec![finding(Severity::Error, "emails", "no-mail")]));
        load(&app, [map, one, two]);
        let before = history(&app).len();
        let refused = app.post("/Users", &user("ada")).refused(400, Some("invalidValue"));
        assert_eq!(refused, "title: no-title is wrong (no-title); emails: no-mail is wrong (no-mail)");
        assert_eq!(history(&app).len(), before);
    });
}

#[test]
fn notes_and_warnings_go_to_the_history_and_refuse_nothing() {
    on_every_store(|app| {
        load(
            &app,
            [Double::new("one").validates(|_, _, _| Ok(vec![finding(Severity::Warning, "title", "odd")]))],
        );
        drop(app.post("/Users", &user("ada")).expect(201));
        let (facts, values) = history(&app).pop().unwrap();
        assert!(facts.notes.contains(&"plugin one: warning odd".to_owned()), "{facts:?}");
        assert_eq!(values.asked[0].findings[0]["detail"], "odd is wrong");
    });
}

#[test]
fn a_validator_that_fails_has_the_request_sent_again_unless_its_policy_says_otherwise() {
    on_every_store(|app| {
        let one = |then: Then| {
            Double::new("one").validates(|_, _, _| broke()).with_policy(|policy| policy.validate = then)
        };
        load(&app, [one(Then::Reject)]);
        assert_eq!(app.post("/Users", &user("ada")).expect(503).header("Retry-After"), Some("30"));
        load(&app, [one(Then::Skip)]);
        drop(app.post("/Users", &user("ada")).expect(201));
    });
}
