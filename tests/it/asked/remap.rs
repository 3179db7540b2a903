//! What an operator asks for: people mapped anew, and what a plugin would propose today.

use rosterd::roster::hooks::{Mapped, Operation, Proposal, Series};
use rosterd::roster::{Command, PluginAnswer, PluginAsk, Remapped, Replayed, Reply};

use super::{Double, EXT, admin, broke, history, load, operations, psa, rate};
use crate::support::bodies::{replace, user};
use crate::support::{TestApp, on_every_store};

fn ask(app: &TestApp, ask: PluginAsk) -> PluginAnswer {
    match app.operate(Command::Plugins { tenant: "main".into(), ask }) {
        Reply::Plugins { answer } => {
            // As it goes over the socket.
            serde_json::from_str(&serde_json::to_string(&answer).unwrap()).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

fn remap(app: &TestApp, plugin: Option<&str>, connection: Option<&str>, apply: bool) -> Vec<Remapped> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (plugin, connection) = (plugin.map(str::to_owned), connection.map(str::to_owned));
        let asked = PluginAsk::Remap { plugin, connection, after, limit: 2, apply };
        let PluginAnswer::Remapped { people, looked, next, .. } = ask(app, asked) else { panic!() };
        assert!(looked <= 2);
        all.extend(people);
        after = next;
        if after.is_none() {
            return all;
        }
    }
}

fn replay(app: &TestApp, plugin: &str) -> Vec<Replayed> {
    let asked =
        PluginAsk::Replay { plugin: plugin.into(), since: "2026-01-01T00:00:00Z".parse().unwrap(), after: 0 };
    let PluginAnswer::Replayed { calls, .. } = ask(app, asked) else { panic!() };
    calls
}

#[test]
fn a_remap_shows_the_difference_first_and_writes_it_when_it_is_told_to() {
    on_every_store(|app| {
        let admin = admin(&app);
        let paths: Vec<String> = ["ada", "bob", "eve"]
            .map(|name| format!("/Users/{}", app.post("/Users", &user(name)).expect(201).id()))
            .into();
        drop(admin.patch(&paths[2], &replace(&format!("{EXT}:financialVisibility"), "full")).expect(200));
        drop(admin.post("/Users", &user("of-the-firm")).expect(201));
        let plugin =
            Double::mapping("view", |_, _| vec![Proposal::SetFinancialVisibility("hoursOnly".into())]);
        let other = Double::mapping("other", |_, _| vec![Proposal::SetKind("freelancer".into())]);
        let heard = plugin.heard();
        load(&app, [plugin, other]);
        let length = history(&app).len();

        let would = remap(&app, Some("view"), None, false);
        assert_eq!(history(&app).len(), length, "nothing was written");
        assert!(
            heard
                .lock()
                .unwrap()
                .iter()
                .all(|about| about.dry_run && matches!(about.series, Series::Batch(_)))
        );
        assert_eq!(operations(&heard), [Operation::Remap; 3], "nobody whom it does not serve");
        let names: Vec<&str> = would.iter().map(|one| one.user_name.as_str()).collect();
        assert_eq!(names, ["ada", "bob", "eve"]);
        assert_eq!(would[0].changes[0].0, format!("{EXT}:financialVisibility"));
        assert_eq!(would[0].changes[0].2, Some("hoursOnly".into()));
        assert_eq!(would[2].refused, [("view".to_owned(), "an administrator has decided it".to_owned())]);
        assert!(remap(&app, Some("view"), Some("local"), false).is_empty());

        assert_eq!(remap(&app, Some("view"), None, true).len(), 3);
        assert_eq!(history(&app).len(), length + 2, "an entry for each who was changed");
        let (facts, _) = history(&app).pop().unwrap();
        assert_eq!(
            (facts.action, facts.asked.as_slice()),
            (rosterd::store::Action::Remap, &["view".to_owned()][..])
        );
        assert_eq!(psa(&admin, &paths[0], "financialVisibility"), "hoursOnly");
        assert_eq!(psa(&admin, &paths[2], "financialVisibility"), "full");
        assert_ne!(psa(&admin, &paths[0], "kind"), "freelancer", "the other was not asked");
        assert_eq!(remap(&app, None, None, true).len(), 3);
        assert_eq!(psa(&admin, &paths[0], "kind"), "freelancer");
    });
}

#[test]
fn a_remap_says_whom_it_could_not_map_and_leaves_them_as_they_are() {
    on_every_store(|app| {
        drop(app.post("/Users", &user("ada")).expect(201));
        load(&app, [Double::new("rates").maps(|_, _, _| broke())]);
        let [one] = &remap(&app, None, None, true)[..] else { panic!() };
        assert_eq!(one.failed.as_deref(), Some("rates: trap"));
        assert_eq!(app.roster().parked_counts().unwrap(), (0, 0));
    });
}

#[test]
fn without_a_plugin_a_remap_says_what_it_takes() {
    let app = TestApp::start();
    let roster = app.roster();
    let asked = |plugin: Option<&str>| {
        let ask = PluginAsk::Remap {
            plugin: plugin.map(str::to_owned),
            connection: None,
            after: None,
            limit: 10,
            apply: true,
        };
        roster
            .operate(Command::Plugins { tenant: "main".into(), ask }, roster.request_id())
            .unwrap_err()
            .to_string()
    };
    assert!(asked(None).contains("no plugin is loaded"));
    load(&app, [Double::mapping("rates", |_, _| vec![])]);
    assert_eq!(asked(Some("rate")), "no plugin is named \"rate\"; there are: rates");
}

#[test]
fn a_replay_holds_what_was_proposed_beside_what_would_be_today() {
    on_every_store(|app| {
        let proposes = |amount: &'static str, fingerprint: &str| {
            let mut plugin = Double::new("rates").maps(move |about, _, held| {
                assert!(
                    !about.dry_run || about.now.to_string().starts_with("2026-03-01"),
                    "the moment of then"
                );
                let all = if held.cost_rates.is_empty() {
                    vec![]
                } else {
                    vec![Proposal::SetKind("employee".into())]
                };
                let rates = [Proposal::AddCostRate(rate("2026-01-01", amount))];
                Ok(Mapped { proposals: rates.into_iter().chain(all.into_iter().take(0)).collect(), fuel: 1 })
            });
            plugin.fingerprint = fingerprint.to_owned();
            plugin
        };
        load(&app, [proposes("50", "f1")]);
        let ada = format!("/Users/{}", app.post("/Users", &user("ada")).expect(201).id());
        drop(app.patch(&ada, &replace("nickName", "A")).expect(200));
        let bob = format!("/Users/{}", app.post("/Users", &user("bob")).expect(201).id());
        drop(app.delete(&bob).expect(204));
        let length = history(&app).len();
        let calls = replay(&app, "rates");
        let [create, patch, gone] = &calls[..] else { panic!("{calls:?}") };
        assert!(create.is_same() && create.same_plugin && !create.same_input, "the rate was not there yet");
        assert_eq!(create.recorded.operation, "create");
        assert!(patch.is_same() && patch.same_plugin && patch.same_input, "{patch:?}");
        assert!(gone.today.is_err());

        load(&app, [proposes("60", "f2")]);
        let calls = replay(&app, "rates");
        assert!(!calls[1].is_same() && !calls[1].same_plugin && calls[1].same_input, "{calls:?}");
        assert_eq!(history(&app).len(), length, "nothing was written");
    });
}

#[test]
fn who_waits_is_listed_by_the_admin_api_and_counted_in_the_metrics() {
    on_every_store(|app| {
        load(&app, [Double::new("rates").maps(|_, _, _| broke())]);
        for name in ["ada", "bob"] {
            drop(app.post("/Users", &user(name)).expect(201));
        }
        let admin = rosterd_admin(&app);
        let get = |path: &str| admin.send(&crate::support::Request::new("GET", path)).expect(200);
        let first = get("/admin/v1/plugins/parked?limit=1").json();
        assert_eq!(
            (&first["items"][0]["state"], &first["items"][0]["plugin"]),
            (&"failed".into(), &"rates".into())
        );
        let next = first["next"].as_str().unwrap();
        let second = get(&format!("/admin/v1/plugins/parked?limit=1&after={next}")).json();
        assert_eq!(
            (second["items"].as_array().unwrap().len(), &second["next"]),
            (1, &serde_json::Value::Null)
        );
        let metrics = get("/metrics").text();
        assert!(metrics.contains("\nrosterd_plugin_parked_users 2\n"), "{metrics}");
        assert!(metrics.contains("rosterd_plugin_parkings_total{plugin=\"rates\"} 2"), "{metrics}");
    });
}

/// A client of the admin listener.
fn rosterd_admin(app: &TestApp) -> crate::support::Client {
    crate::support::Client::new(app.daemon().admin(), admin(app).token())
}

#[test]
fn the_command_line_shows_the_difference_and_writes_it_through_the_daemon() {
    on_every_store(|app| {
        let admin = admin(&app);
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        load(
            &app,
            [Double::mapping("view", |_, _| vec![Proposal::SetFinancialVisibility("hoursOnly".into())])],
        );
        let run = |arguments: &[&str]| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rosterd"));
            let output =
                command.args(arguments).arg("--data").arg(app.folder()).env_clear().output().unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (output.status.code(), text(output.stdout), text(output.stderr))
        };
        let (code, out, err) = run(&["plugin", "remap", "view"]);
        assert_eq!(code, Some(0), "{err}");
        assert_eq!(out, format!("{ada} ada\n  {EXT}:financialVisibility: - -> \"hoursOnly\"\n"));
        assert!(err.contains("1 would be changed"), "{err}");
        let path = format!("/Users/{ada}");
        assert_eq!(psa(&admin, &path, "financialVisibility"), serde_json::Value::Null);
        assert_eq!(run(&["plugin", "remap", "--apply"]).0, Some(0));
        assert_eq!(psa(&admin, &path, "financialVisibility"), "hoursOnly");
        let (code, out, err) =
            run(&["plugin", "replay", "view", "--since", "2026-01-01T00:00:00Z", "--diff"]);
        assert_eq!((code, err.as_str()), (Some(0), "1 calls of view: 1 same, 0 differ, 0 gone.\n"), "{out}");
        load(&app, [Double::mapping("view", |_, _| vec![Proposal::SetFinancialVisibility("full".into())])]);
        let (code, out, _) = run(&["plugin", "replay", "view", "--since", "2026-01-01T00:00:00Z", "--diff"]);
        assert_eq!(code, Some(3));
        assert!(out.contains("  - {\"set-financial-visibility\":\"hoursOnly\"}\n  + {\"set-financial-visibility\":\"full\"}\n"), "{out}");
    });
}
