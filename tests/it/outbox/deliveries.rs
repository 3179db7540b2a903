//! One webhook in many moods of its receiver.

use std::time::Duration;

use rosterd::clock::{Clock as _, SystemClock};
use rustix::process::Signal;

use super::hooked::{Home, SECRET, figure};
use super::{Delivery, Mood, Receiver};
use crate::support::bodies::{replace, user};
use crate::support::until;

fn whats(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(Delivery::what).collect()
}

fn now() -> i64 {
    SystemClock.now().as_second()
}

#[test]
fn x53_a_delivery_is_signed_by_both_secrets_and_a_tampered_one_is_refused() {
    let receiver = Receiver::willing();
    let home = Home::of(&receiver, "");
    let second = home.secret().with_extension("next");
    let plain = "a secret of plain text, long enough";
    std::fs::write(&second, plain).unwrap();
    let files =
        format!("secret_files = [{:?}, {second:?}]\nheaders = {{ X-Source = \"here\" }}", home.secret());
    home.write(&receiver.url(), &files);
    let daemon = home.start();
    let id = daemon.client().post("/Users", &user("ada")).expect(201).id();
    let [delivery] = receiver.until(|came| came.len() == 1).try_into().unwrap();
    assert_eq!((delivery.what().as_str(), delivery.resource()), ("user.created", id));
    assert!(delivery.id.starts_with("evt_1_") && delivery.body["id"] == delivery.id.as_str());
    for (name, value) in
        [("content-type", "application/json"), ("x-source", "here"), ("user-agent", "rosterd")]
    {
        assert!(delivery.fields.contains(&(name.to_owned(), value.to_owned())), "{:?}", delivery.fields);
    }
    for secret in [SECRET, plain] {
        assert!(delivery.is_signed_by(secret, now()), "{secret}");
        let tampered = Delivery { text: delivery.text.replace("ada", "eve"), ..delivery.clone() };
        assert!(!tampered.is_signed_by(secret, now()));
        let replayed = Delivery { id: "evt_1_1".to_owned(), ..delivery.clone() };
        assert!(!replayed.is_signed_by(secret, now()));
        assert!(!delivery.is_signed_by(secret, now() + 301), "five minutes, and no more");
    }
    assert!(!delivery.is_signed_by("another secret, which is long enough", now()));

    // The exchange is over: the first secret goes, at a reload.
    home.write(&receiver.url(), &format!("secret_files = [{second:?}]"));
    daemon.signal(Signal::HUP);
    daemon.until_said("the settings were read again");
    daemon.client().post("/Users", &user("eve")).expect(201).id();
    let last = receiver.until(|came| came.len() == 2).pop().unwrap();
    assert!(last.is_signed_by(plain, now()) && !last.is_signed_by(SECRET, now()));
    assert!(!daemon.said().contains("MfKQ9r8G") && !daemon.said().contains(plain));
}

#[test]
fn r16_a_new_webhook_begins_where_the_settings_say_and_is_told_what_it_wants() {
    for (more, expected) in [
        ("from = \"beginning\"", &["user.created", "user.locked", "user.unlocked", "user.deleted"][..]),
        (
            "from = \"beginning\"\nevents = [\"group.*\", \"*.locked\", \"user.deleted\"]",
            &["user.locked", "user.deleted"],
        ),
        ("", &["user.deleted"]),
    ] {
        let receiver = Receiver::willing();
        let home = Home::of(&receiver, "");
        // Before there is a webhook.
        let mut daemon = crate::support::TestDaemon::start();
        let client = daemon.client();
        let id = client.post("/Users", &user("ada")).expect(201).id();
        for active in [false, true] {
            let _ = client.patch(&format!("/Users/{id}"), &replace("active", active)).expect(200);
        }
        home.write(&receiver.url(), more);
        daemon = daemon.kill_and_restart_with(|command| home.on(command));
        until("its beginning is written down", || figure(&daemon, "behind") == 0);
        let _ = daemon.client().delete(&format!("/Users/{id}")).expect(204);
        let came = receiver.until(|came| came.len() == expected.len());
        assert_eq!(whats(&came), expected);
    }
}

#[test]
fn r16_one_resource_that_fails_holds_up_nobody_and_a_replay_keeps_its_order() {
    let receiver = Receiver::willing();
    receiver
        .now(|body| if body.to_string().contains("unfit") { Mood::Status(422) } else { Mood::Status(200) });
    let home = Home::of(&receiver, "");
    let mut daemon = home.start();
    let client = daemon.client();
    let bad = client.post("/Users", &user("unfit")).expect(201).id();
    client.post("/Users", &user("good")).expect(201).id();
    let _ = client.patch(&format!("/Users/{bad}"), &replace("title", "chief")).expect(200);
    until("it is set aside, and what stands behind it", || figure(&daemon, "set_aside") == 2);
    client.post("/Users", &user("better")).expect(201).id();
    let came = receiver.until(|came| came.iter().filter(|one| one.taken()).count() == 2);
    let of_bad = |came: &[Delivery]| -> Vec<String> {
        came.iter()
            .filter(|one| one.resource() == bad)
            .map(|one| format!("{} {}", one.id, one.what()))
            .collect()
    };
    let tries = of_bad(&came);
    assert!(tries.len() == 3 && tries.iter().all(|one| *one == tries[0]), "three times the same: {tries:?}");
    daemon.until_said("was set aside");
    until("it is shown", || {
        let shown = home.told(&["webhook", "show", "ledger"]);
        shown.contains(&bad) && shown.contains("answered 422") && shown.contains("stands behind")
    });

    // What lies aside outlives a crash.
    daemon = daemon.kill_and_restart_with(|command| home.on(command));
    until("it still lies aside", || figure(&daemon, "set_aside") == 2);
    receiver.now(|_| Mood::Status(200));
    let _ = daemon.client().delete(&format!("/Users/{bad}")).expect(204);
    until("what comes later stands behind it", || figure(&daemon, "set_aside") == 3);
    home.told(&["webhook", "replay", "ledger"]);
    let came = receiver.until(|came| of_bad(came).len() >= 6);
    let replayed: Vec<String> =
        of_bad(&came)[3..].iter().map(|one| one.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(replayed, ["user.created", "user.updated", "user.deleted"]);
    until("nothing lies aside", || figure(&daemon, "set_aside") == 0 && figure(&daemon, "behind") <= 1);
    until("it is written down", || home.told(&["webhook", "show", "ledger"]).is_empty());
    daemon.must_be_sound();
}

#[test]
fn r16_what_is_given_up_is_never_delivered_and_the_history_says_who_gave_it_up() {
    let receiver = Receiver::start(|body| {
        if body.to_string().contains("unfit") { Mood::Status(500) } else { Mood::Status(200) }
    });
    let home = Home::of(&receiver, "");
    let daemon = home.start();
    let client = daemon.client();
    client.post("/Users", &user("unfit")).expect(201).id();
    client.post("/Users", &user("good")).expect(201).id();
    until("it is set aside", || figure(&daemon, "set_aside") == 1);
    let show = || home.told(&["webhook", "show", "ledger", "--json"]);
    until("it is written down", || show().contains("set aside"));
    let shown = show();
    let seq = serde_json::from_str::<serde_json::Value>(&shown).unwrap()["seq"].to_string();
    let unknown = home.cli(&["webhook", "discard", "ledger", "4711"]);
    assert!(!unknown.status.success() && String::from_utf8_lossy(&unknown.stderr).contains("no event 4711"));
    home.told(&["webhook", "discard", "ledger", &seq]);
    until("nothing lies aside", || figure(&daemon, "set_aside") == 0);
    let history = home.told(&["audit", "export", "--tenant", "main"]);
    assert!(history.contains("webhook-discard"), "{history}");
}

#[test]
fn r16_a_receiver_that_is_gone_is_left_alone_until_an_operator_goes_on() {
    let receiver = Receiver::start(|_| Mood::Status(410));
    let home = Home::of(&receiver, "");
    let mut daemon = home.start();
    daemon.client().post("/Users", &user("one")).expect(201).id();
    daemon.until_said("410 Gone, so nothing more is delivered");
    until("it is off", || figure(&daemon, "off") == 1);
    daemon.client().post("/Users", &user("two")).expect(201).id();
    until("it is written down", || home.told(&["webhook", "list"]).contains("off since"));
    daemon = daemon.kill_and_restart_with(|command| home.on(command));
    until("it stays off", || figure(&daemon, "off") == 1);
    receiver.now(|_| Mood::Status(200));
    assert_eq!(receiver.deliveries().len(), 1, "nothing was sent meanwhile");
    home.told(&["webhook", "replay", "ledger"]);
    let came = receiver.until(|came| came.len() == 3);
    assert!(came[1..].iter().any(|one| one.id == came[0].id), "the first one too, under its id");
    assert!(home.told(&["webhook", "list"]).contains("http://127.0.0.1"));
}

#[test]
fn r16_a_receiver_that_says_when_to_come_back_is_left_alone_until_then() {
    let receiver = Receiver::start(|_| Mood::With(429, "Retry-After: 1"));
    let home = Home::of(&receiver, "");
    let daemon = home.start();
    daemon.client().post("/Users", &user("one")).expect(201).id();
    receiver.until(|came| came.len() == 1);
    let began = std::time::Instant::now();
    receiver.now(|_| Mood::Status(200));
    receiver.until(|came| came.len() == 2);
    // Without the field it would be a hundredth of a second.
    assert!(began.elapsed() > Duration::from_millis(700), "{:?}", began.elapsed());
}

#[test]
fn x52_deliveries_go_where_they_may_and_follow_nobody() {
    let receiver = Receiver::start(|_| Mood::With(302, "Location: http://127.0.0.1/elsewhere"));
    let home = Home::of(&receiver, "");
    // No daemon is needed to try it out.
    let tried = home.cli(&["webhook", "test", "ledger"]);
    assert_eq!(tried.status.code(), Some(3), "{tried:?}");
    assert!(String::from_utf8_lossy(&tried.stdout).contains("answered 302"));
    let [delivery] = receiver.deliveries().try_into().unwrap();
    assert!(delivery.what() == "webhook.test" && delivery.is_signed_by(SECRET, now()));

    for (url, part) in [
        ("http://127.0.0.1:1/in", "http to a place that net.allow names"),
        ("http://billing.example/in", "http to a place that net.allow names"),
        ("ftp://billing.example/in", "expected a URL"),
        ("https://me:secret@billing.example/in", "expected a URL"),
    ] {
        home.write(url, "");
        let checked = home.cli(&["config", "check"]);
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(
            checked.status.code() == Some(1) && said.contains(part) && said.contains("rosterd.toml:9"),
            "{said}"
        );
    }
    for url in ["https://127.0.0.1:1/in", "https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/"] {
        home.write(url, "");
        let tried = home.cli(&["webhook", "test", "ledger"]);
        let said = String::from_utf8_lossy(&tried.stderr).into_owned();
        assert!(tried.status.code() == Some(1) && said.contains("is not public"), "{url}: {said}");
    }
    assert_eq!(receiver.deliveries().len(), 1);
}

#[test]
fn the_settings_of_webhooks_are_checked_and_shown() {
    let receiver = Receiver::willing();
    let home = Home::of(&receiver, "");
    assert!(home.told(&["config", "show"]).contains("[[webhooks]]"));
    for (more, part) in [
        ("events = [\"user.made\"]", "webhooks.0.events: expected an event"),
        ("events = [\"users\"]", "webhooks.0.events: expected an event"),
        ("secret_files = []", "webhooks.0.secret_files: expected one or two files"),
        ("headers = { Authorization = \"x\" }", "webhooks.0.headers: expected header fields that are yours"),
        ("headers = { webhook-id = \"x\" }", "webhooks.0.headers: expected header fields that are yours"),
        ("from = \"yesterday\"", "webhooks.0"),
        ("colour = \"red\"", "colour"),
        (
            "[[webhooks]]\nname = \"ledger\"\ntenant = \"main\"\nurl = \"https://a.test/\"\nsecret_files = [\"x\"]",
            "two webhooks have the name",
        ),
    ] {
        home.write(&receiver.url(), more);
        let checked = home.cli(&["config", "check"]);
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.code() == Some(1) && said.contains(part), "{more}: {said}");
    }
    home.write(&receiver.url(), "");
    std::fs::write(home.secret(), "short").unwrap();
    let tried = home.cli(&["webhook", "test", "ledger"]);
    assert!(String::from_utf8_lossy(&tried.stderr).contains("expected a secret of 24 to 512 bytes, found 5"));
}
