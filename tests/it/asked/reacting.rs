//! Who is told afterwards: at least once, of each person in order, under one id, without money that was not granted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rosterd::roster::hooks::Operation::{Create, Deactivate, Delete, Patch};
use rosterd::roster::hooks::{Notice, Operation, Then};
use serde_json::json;

use super::{Double, EXT, admin, attribute, broke, load};
use crate::support::bodies::{replace, user};
use crate::support::{TestApp, on_every_store, until};

type Heard = Arc<Mutex<Vec<(Operation, Notice)>>>;

/// A plugin that fails so many times first.
fn listener(failures: usize) -> (Double, Heard) {
    let heard = Heard::default();
    let (into, left) = (Arc::clone(&heard), AtomicUsize::new(failures));
    let plugin = Double::new("ear").reacts(move |about, notice| {
        into.lock().unwrap().push((about.operation, notice.clone()));
        let fails = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if fails { broke() } else { Ok(vec![]) }
    });
    (plugin, heard)
}

/// Waits until a plugin is told of what happens from then on.
fn begun(app: &TestApp) {
    until("the beginning", || {
        let snapshot = app.roster().store().snapshot().unwrap();
        let tenant = rosterd::ids::TenantId::new(1);
        snapshot.small(tenant, rosterd::outbox::rows::HOOKS, b"plugin:ear").unwrap().is_some()
    });
}

#[test]
fn a_plugin_is_told_of_what_was_committed_in_order_and_of_a_failure_again_under_one_id() {
    on_every_store(|app| {
        let (plugin, heard) = listener(1);
        load(&app, [plugin]);
        begun(&app);
        let ada = format!("/Users/{}", app.post("/Users", &user("ada")).expect(201).id());
        drop(app.patch(&ada, &replace("title", "Coder")).expect(200));
        drop(app.patch(&ada, &replace("active", false)).expect(200));
        drop(app.delete(&ada).expect(204));
        until("everything", || heard.lock().unwrap().len() >= 5);
        let heard = heard.lock().unwrap();
        let said: Vec<Operation> = heard.iter().map(|(operation, _)| *operation).collect();
        assert_eq!(said, [Create, Create, Patch, Deactivate, Delete]);
        assert_eq!(heard[0].1.id, heard[1].1.id, "told again under the same id");
        assert!(heard.windows(2).all(|pair| pair[0].1.sequence <= pair[1].1.sequence));
        assert_eq!(heard[2].1.changed, ["title"]);
        assert!(heard[4].1.user.is_none(), "who is no more");
    });
}

#[test]
fn x57_no_money_is_in_a_notice_unless_it_was_granted() {
    on_every_store(|app| {
        let admin = admin(&app);
        let (plugin, heard) = listener(0);
        load(&app, [plugin]);
        begun(&app);
        let ada = format!("/Users/{}", app.post("/Users", &user("ada")).expect(201).id());
        let rates = |amount: &str| {
            replace(
                &format!("{EXT}:costRates"),
                json!([{ "startDate": "2026-01-01", "amount": amount, "currency": "EUR" }]),
            )
        };
        drop(admin.patch(&ada, &rates("7777")).expect(200));
        drop(app.patch(&ada, &replace("title", "Coder")).expect(200));
        until("both", || heard.lock().unwrap().len() >= 2);
        let said: Vec<Vec<String>> =
            heard.lock().unwrap().iter().map(|(_, notice)| notice.changed.clone()).collect();
        assert_eq!(said.last().unwrap(), &["title"]);
        assert_eq!(said.len(), 2, "a change of money alone is none of its business: {said:?}");
        assert!(!format!("{:?}", heard.lock().unwrap()).contains("7777"));

        let (plugin, heard) = listener(0);
        load(
            &app,
            [plugin.with_grant(|grant| {
                grant.reads.insert(attribute("costRates"));
            })],
        );
        until("the rates", || {
            drop(admin.patch(&ada, &rates(&heard.lock().unwrap().len().to_string())));
            drop(admin.patch(&ada, &rates("5")));
            heard.lock().unwrap().iter().any(|(_, notice)| notice.changed == [format!("{EXT}:costRates")])
        });
    });
}

#[test]
fn r31_what_a_plugin_cannot_take_holds_up_nobody_else() {
    on_every_store(|app| {
        let heard = Heard::default();
        let into = Arc::clone(&heard);
        let plugin = Double::new("ear")
            .reacts(move |about, notice| {
                let who = notice.user.as_ref().and_then(|user| user.document.user_name().map(str::to_owned));
                if who.as_deref() == Some("eve") {
                    return broke();
                }
                into.lock().unwrap().push((about.operation, notice.clone()));
                Ok(vec![])
            })
            .with_policy(|policy| policy.react = Then::Retry);
        load(&app, [plugin]);
        begun(&app);
        for name in ["eve", "ada", "bob"] {
            drop(app.post("/Users", &user(name)).expect(201));
        }
        until("the others", || heard.lock().unwrap().len() == 2);
        let question = rosterd::outbox::Question::State { tenant: "main".into(), hook: "plugin:ear".into() };
        until("eve to wait", || {
            let answer = question.clone().answer(app.roster(), app.roster().request_id()).unwrap();
            let rosterd::outbox::Answer::State { waiting, .. } = answer else { panic!("{answer:?}") };
            waiting.iter().any(|event| event.attempts > 0 && event.why == "the plugin gave no answer (trap)")
        });
    });
}
