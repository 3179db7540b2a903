//! `rosterd connection requests`, `doctor` and `explain`: what an administrator sees of what a provider sent.

use serde_json::{Value, json};

use super::{Ran, Site};
use crate::support::bodies::{ENTERPRISE, USER, group, patch, replace, user};
use crate::support::{Client, Request};

const AGENT: &str = "Okta SCIM Client 1.0.0";

fn requests(site: &Site, more: &[&str]) -> Ran {
    site.run(&[&["connection", "requests", "idp"], more].concat())
}

fn doctor(site: &Site) -> (Option<i32>, Value) {
    let ran = site.run(&["connection", "doctor", "idp", "--json"]);
    assert_eq!(ran.err, "", "{ran:?}");
    (ran.code, ran.json().remove(0))
}

fn send(client: &Client, method: &str, path: &str, body: &Value) -> crate::support::Answer {
    client.send(&Request::scim(method, path).header("User-Agent", AGENT).json(body))
}

/// A person as a good mapping sends them.
fn ada() -> Value {
    json!({
        "schemas": [USER], "userName": "ada@acme.test", "externalId": "00u1a2b3c4d5e6f7g8h9", "active": true,
        "name": {"givenName": "Ada", "familyName": "Byron"}, "emails": [{"value": "ada@acme.test", "primary": true}],
    })
}

#[test]
fn a_failed_sync_shows_exactly_what_was_sent_and_what_was_answered() {
    let site = Site::served();
    let client = site.daemon.as_ref().unwrap().client();
    let none = requests(&site, &[]).done();
    assert!(none.out.is_empty() && none.err.contains("no request came in through idp since 20"), "{none:?}");

    let sent = r#"{ "schemas":["urn:ietf:params:scim:schemas:core:2.0:User"], "userName" : "ada@acme.test", "active":"perhaps" }"#;
    let post = Request::scim("POST", "/Users").header("User-Agent", AGENT).body(sent);
    let answer = client.send(&post);
    let detail = answer.refused(400, Some("invalidValue"));
    let id = send(&client, "POST", "/Users", &ada()).expect(201).id();
    let _ = client.get("/Users?filter=userName+eq+%22ada%40acme.test%22").expect(200);

    let failed = requests(&site, &["--failed", "--body"]).done();
    let lines: Vec<&str> = failed.out.lines().collect();
    assert!(lines[0].contains("  POST /scim/v2/Users  400 invalidValue  "), "{failed:?}");
    assert_eq!(lines[1], format!("    answered: {detail}"));
    assert_eq!(lines[2], format!("    sent {} bytes:", sent.len()));
    assert_eq!(lines[3], format!("      {sent}"), "byte for byte");
    assert_eq!(lines.len(), 4, "{failed:?}");

    let all = requests(&site, &["--json"]).done().json();
    let seen: Vec<(&str, u64)> =
        all.iter().map(|one| (one["method"].as_str().unwrap(), one["status"].as_u64().unwrap())).collect();
    assert_eq!(seen, [("POST", 400), ("POST", 201), ("GET", 200)]);
    assert_eq!(all[0]["request"], answer.header("x-request-id").unwrap());
    assert_eq!(all[0]["agent"], AGENT);
    assert_eq!(all[0]["changes"], Value::Null);
    assert_eq!(all[1]["body"]["text"], ada().to_string());
    assert_eq!(all[2]["target"], "/scim/v2/Users?filter=userName+eq+%22ada%40acme.test%22");
    let last = requests(&site, &["--last", "1", "--json"]).done().json();
    assert_eq!(last, all[2..]);

    // The number that the log shows is the history's.
    let change = all[1]["changes"][0].as_u64().unwrap().to_string();
    let explained = site.run(&["connection", "explain", &change]).done();
    assert!(
        explained.out.contains(&id) && explained.out.contains("POST /scim/v2/Users  201"),
        "{explained:?}"
    );
}

#[test]
fn without_a_daemon_there_is_no_log_and_the_reason_is_said() {
    let site = Site::at_rest();
    let line = requests(&site, &[]).failed();
    assert!(line.contains("no daemon runs") && line.contains("rosterd serve"), "{line}");
    let ran = site.run(&["connection", "doctor", "idp"]);
    assert_eq!(ran.code, Some(3), "nothing has come in: {ran:?}");
    assert!(ran.out.contains("nothing is known of them while no daemon runs"), "{ran:?}");
    for arguments in
        [&["requests", "nobody"][..], &["doctor", "nobody"], &["doctor", "idp", "--tenant", "acme"]]
    {
        let line = site.run(&[&["connection"], arguments].concat()).failed();
        assert!(line.contains("rosterd connection list") || line.contains("rosterd tenant list"), "{line}");
    }
    let line = site.run(&["connection", "explain", "999"]).failed();
    assert!(line.contains("there is no change 999") && line.contains("1 to "), "{line}");
    let _ = site.run(&["connection", "explain", "0"]).failed();
}

#[test]
fn two_connections_of_one_name_are_told_apart_by_their_tenant() {
    Site::each(|site| {
        site.run(&["tenant", "create", "acme"]).done();
        site.run(&["connection", "create", "idp", "--tenant", "acme"]).done();
        let line = site.run(&["connection", "doctor", "idp"]).failed();
        assert!(line.contains("acme, main") && line.contains("--tenant NAME"), "{line}");
        let ran = site.run(&["connection", "doctor", "idp", "--tenant", "acme", "--json"]);
        assert_eq!(ran.json()[0]["tenant"], "acme");
        assert!(site.run(&["connection", "explain", "1"]).failed().contains("--tenant NAME"));
        let _ = site.run(&["connection", "explain", "1", "--tenant", "main"]).done();
    });
}

#[test]
fn x25_what_the_log_the_doctor_and_an_explanation_show_holds_no_secret() {
    let site = Site::served();
    let client = site.daemon.as_ref().unwrap().client();
    let canary = "canary-hunter2-0123456789";
    let mut with_password = ada();
    with_password["password"] = canary.into();
    let id = send(&client, "POST", "/Users", &with_password).expect(201).id();
    let one = format!("/Users/{id}");
    for body in [
        replace("password", canary),
        patch(&[json!({"op": "replace", "value": {"password": canary, "title": "CTO"}})]),
        patch(&[json!({"value": canary, "path": "PASSWORD", "op": "Add"})]),
        patch(&[
            json!({"op": "add", "path": "roles", "value": [{"value": json!({"value": "a", "password": canary}).to_string()}]}),
        ]),
        patch(&[json!({"op": "replace", "path": format!("password[value eq \"{canary}\"]"), "value": "x"})]),
    ] {
        let _ = send(&client, "PATCH", &one, &body);
    }
    let raw = |body: String| client.send(&Request::scim("PATCH", &one).body(body));
    raw(format!(r#"{{"Operations":[{{"op":"replace","path":"p\u0061ssword","value":"{canary}"}}]}}"#));
    raw(format!(r#"{{"Operations":[{{"op":"replace","path":"password","value":"{canary}"}}"#));
    raw(format!(r#"{{"password":"{canary}","Password":"{canary}"}}"#));
    let _ = client.get(&format!("/Users?filter=password%20eq%20%22{canary}%22"));
    let _ = client.get(&format!("/Users?access_token={canary}"));
    let _ = send(&client, "POST", "/Users/.search", &json!({"filter": format!("password eq \"{canary}\"")}));
    let _ = client.send(&Request::scim("GET", "/Users").header("User-Agent", format!("sync token={canary}")));
    let _ = send(
        &client,
        "POST",
        "/Bulk",
        &json!({"Operations": [
            {"method": "PATCH", "path": one, "data": replace("password", canary)},
            {"method": "POST", "path": "/Users", "bulkId": "u", "data": {"userName": "bob@acme.test", "password": canary}},
        ]}),
    );

    let log = requests(&site, &["--json"]).done();
    assert_eq!(log.json().len(), 14, "{log:?}");
    let mut shown =
        vec![log, requests(&site, &["--body"]).done(), site.run(&["connection", "doctor", "idp"])];
    for change in 1..=site.daemon.as_ref().unwrap().history_length() {
        shown.push(site.run(&["connection", "explain", &change.to_string()]).done());
    }
    for ran in shown {
        for secret in [canary, crate::support::TestDaemon::TOKEN] {
            assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{ran:?}");
        }
    }
}

#[test]
fn who_comes_with_a_credential_that_was_once_good_is_seen_without_it() {
    let site = Site::served();
    let daemon = site.daemon.as_ref().unwrap();
    let made = site.run(&["token", "create", "--tenant", "main", "--connection", "idp"]).done();
    let (secret, client) = (made.out.trim().to_owned(), daemon.client());
    let id = made.err.strip_prefix("Made token ").unwrap().split(',').next().unwrap().to_owned();
    site.run(&["token", "revoke", &id]).done();
    let with = client.with(&secret);
    let one = with.get("/Users");
    one.refused(401, None);
    assert_eq!(one.body, client.stranger().get("/Users").body, "the answer tells nothing");
    client.with("somebody-elses-token-0123456789abcdef").get("/Users").refused(401, None);
    let all = requests(&site, &["--json"]).done();
    let rows = all.json();
    assert_eq!(rows.len(), 1, "whose the unknown one is cannot be told: {all:?}");
    assert_eq!((&rows[0]["status"], &rows[0]["method"]), (&401.into(), &"GET".into()));
    assert!(!all.out.contains(&secret) && !all.out.contains("rost_"), "{all:?}");

    let deleted = client.delete("/Users").expect(405);
    assert_eq!(
        deleted.header("allow").map(str::len),
        client.stranger().delete("/Users").header("allow").map(str::len)
    );
    let rows = requests(&site, &["--json"]).done().json();
    assert_eq!(
        (rows.len(), &rows[1]["status"]),
        (2, &405.into()),
        "a method that there is none of is seen as well"
    );

    let (code, report) = doctor(&site);
    assert_eq!(code, Some(3));
    let what = report["findings"][0]["what"].as_str().unwrap();
    assert!(what.contains("1 request failed with 401 and were not made good since"), "{report}");
    let _ = client.get("/Users").expect(200);
    let (code, report) = doctor(&site);
    assert_eq!((code, &report["green"]), (Some(0), &true.into()), "{report}");
}

#[test]
fn a_connection_is_green_when_a_good_mapping_came_through_and_says_what_it_saw() {
    let site = Site::served();
    let (code, fresh) = doctor(&site);
    assert_eq!((code, &fresh["green"]), (Some(3), &false.into()));
    assert_eq!(fresh["findings"][0]["what"], "nothing has come in through this connection yet");
    assert!(fresh["scim_url"].as_str().unwrap().ends_with("/scim/v2"), "{fresh}");

    let client = site.daemon.as_ref().unwrap().client();
    let _ = client.get("/Users?startIndex=1&count=2").expect(200);
    let id = send(&client, "POST", "/Users", &ada()).expect(201).id();
    let _ = send(&client, "POST", "/Groups", &group("PSA Managers", &[&id])).expect(201);
    let classic = patch(&[json!({"op": "Replace", "path": "active", "value": "False"})]);
    let _ = send(&client, "PATCH", &format!("/Users/{id}"), &classic).expect(200);
    let (code, report) = doctor(&site);
    assert_eq!((code, &report["green"]), (Some(0), &true.into()), "{report}");
    let findings = report["findings"].as_array().unwrap();
    assert_eq!((findings.len(), &findings[0]["level"]), (1, &"advice".into()), "{report}");
    assert!(findings[0]["todo"].as_str().unwrap().contains("--profile okta"), "{report}");
    assert_eq!(report["deeds"]["users_created"], 1);
    assert_eq!(report["deeds"]["groups_created"], 1);
    assert_eq!(report["deeds"]["last_write"]["action"], "patch");
    assert_eq!(report["suggestion"]["provider"], "Okta");
    assert_eq!(report["seen"]["by_class"], json!({"2xx": 4}));
    assert_eq!(report["leniencies"][0]["rule"], "string-as-boolean");
    assert!(report["leniencies"][0]["todo"].as_str().unwrap().contains("aadOptscim062020"), "{report}");
    assert_eq!(report["credentials"][0]["standing"], "live");

    let page = site.run(&["connection", "doctor", "idp"]).done();
    for part in [
        "Connection idp of tenant main: green: nobody has to act",
        "calls itself  Okta SCIM Client 1.0.0",
        "1 people, 1 groups, 3 changes in all",
        "string-as-boolean (1 changes, 1 requests since the start)",
    ] {
        assert!(page.out.contains(part), "{part}: {page:?}");
    }
}

#[test]
fn a_mapping_that_will_hurt_later_is_found_with_what_to_change() {
    let site = Site::served();
    let client = site.daemon.as_ref().unwrap().client();
    for (name, external, mail) in [("ada@acme.test", "ada", true), ("bob", "bob@acme.test", false)] {
        let mut body = json!({"schemas": [USER], "userName": name, "externalId": external, "favouriteColour": "red",
            ENTERPRISE: {"department": "R&D", "badge": "7"}});
        if mail {
            body["emails"] = json!([{"value": name}]);
        }
        let _ = send(&client, "POST", "/Users", &body).expect(201);
    }
    let _ = send(&client, "POST", "/Groups", &group("Empty", &[])).expect(201);
    site.run(&["connection", "create", "other", "--tenant", "main"]).done();
    let made = site.run(&["token", "create", "--tenant", "main", "--connection", "other"]).done();
    let twin =
        json!({"schemas": [USER], "userName": "a.byron@acme.test", "emails": [{"value": "ADA@acme.test"}]});
    let _ = client.with(made.out.trim()).post("/Users", &twin).expect(201);

    let (code, report) = doctor(&site);
    assert_eq!(code, Some(3));
    let findings = report["findings"].as_array().unwrap();
    let of = |level: &str| -> Vec<&str> {
        findings.iter().filter(|one| one["level"] == level).map(|one| one["what"].as_str().unwrap()).collect()
    };
    assert_eq!(
        of("problem"),
        [
            "externalId is an e-mail address or a login for 1 of 2 people, such as bob@acme.test",
            "externalId is a short name for 1 of 2 people, such as ada",
            "1 of 2 people have no e-mail address, and a userName that is none: bob",
            "1 e-mail addresses belong to people of this connection and to people of another, such as ada@acme.test",
        ]
    );
    assert_eq!(
        of("advice"),
        [
            "2 attributes come in that no schema has: favouriteColour, urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:badge",
            "2 of 2 people have no name.familyName, such as bob, ada@acme.test",
            "1 of 1 groups have no members, such as Empty",
            "this looks like Okta (it calls itself Okta SCIM Client 1.0.0), and the profile is auto",
        ]
    );
    assert!(findings.iter().all(|one| one["why"] != "" && one["todo"] != ""), "{report}");
    let page = site.run(&["connection", "doctor", "idp"]);
    assert!(page.out.contains("To be done") && page.out.contains("Would be better"), "{page:?}");
}

#[test]
fn failures_are_shown_with_what_to_do_until_the_same_goes_well() {
    let site = Site::served();
    let client = site.daemon.as_ref().unwrap().client();
    let mut wrong = ada();
    wrong["active"] = "perhaps".into();
    send(&client, "POST", "/Users", &wrong).refused(400, Some("invalidValue"));
    let mut other = ada();
    other["userName"] = "eve@acme.test".into();
    other["externalId"] = "00u1a2b3c4d5e6f7g8h0".into();
    other["emails"] = json!([]);
    let _ = send(&client, "POST", "/Users", &other).expect(201);
    let (code, report) = doctor(&site);
    assert_eq!(code, Some(3), "another person is no repair");
    assert_eq!((&report["failures"][0]["count"], &report["failures"][0]["open"]), (&1.into(), &1.into()));
    let last = &report["last_failed"][0];
    assert_eq!((&last["made_good"], &last["body"]["text"]), (&false.into(), &wrong.to_string().into()));
    assert!(last["todo"].as_str().unwrap().contains("mapping of that attribute"), "{report}");
    let page = site.run(&["connection", "doctor", "idp"]);
    assert!(
        page.out.contains(&wrong.to_string()) && page.out.contains("do: correct the mapping"),
        "{page:?}"
    );

    let _ = send(&client, "POST", "/Users", &ada()).expect(201);
    let (code, report) = doctor(&site);
    assert_eq!((code, &report["last_failed"][0]["made_good"]), (Some(0), &true.into()), "{report}");
    // What failed within a request that went well is seen too.
    let bulk = json!({"Operations": [
        {"method": "POST", "path": "/Users", "bulkId": "a", "data": user("grace@acme.test")},
        {"method": "POST", "path": "/Users", "bulkId": "b", "data": user("GRACE@acme.test")},
    ]});
    let _ = send(&client, "POST", "/Bulk", &bulk).expect(200);
    let failed = requests(&site, &["--failed", "--json"]).done().json();
    let detail = failed.last().unwrap()["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("1 of 2 operations failed; the first: userName is already in use"),
        "{detail}"
    );
}

#[test]
fn a_change_is_explained_by_the_operation_that_set_each_value() {
    let mut site = Site::served();
    let client = site.daemon.as_ref().unwrap().client();
    let id = send(&client, "POST", "/Users", &ada()).expect(201).id();
    let sent = [
        json!({"op": "Replace", "path": "title", "value": "CTO"}),
        json!({"op": "replace", "value": {"active": "False", "name.familyName": "King"}}),
        json!({"op": "Add", "path": format!("{ENTERPRISE}:department"), "value": "R&D"}),
    ];
    let _ = send(&client, "PATCH", &format!("/Users/{id}"), &patch(&sent)).expect(200);
    let change = requests(&site, &["--json"]).done().json().last().unwrap()["changes"][0].as_u64().unwrap();
    let number = change.to_string();
    let explained = site.run(&["connection", "explain", &number, "--json"]).done().json().remove(0);
    assert_eq!(explained["subject"]["id"], id.as_str());
    assert_eq!((&explained["action"], &explained["connection"]), (&"patch".into(), &"idp".into()));
    let values = explained["values"].as_array().unwrap();
    for (attribute, place, old, new) in [
        ("title", 0, Value::Null, json!("CTO")),
        ("active", 1, json!(true), json!(false)),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            2,
            Value::Null,
            json!("R&D"),
        ),
    ] {
        let value = values.iter().find(|value| value["attribute"] == attribute).unwrap();
        assert_eq!((&value["old"], &value["new"]), (&old, &new), "{explained}");
        let from = json!([{"place": format!("Operations[{place}]"), "sent": sent[place]}]);
        assert_eq!(value["from"], from, "{explained}");
    }
    let active = values.iter().find(|value| value["attribute"] == "active").unwrap();
    assert_eq!(
        (&active["leniencies"][0]["rule"], &active["operation"]),
        (&"string-as-boolean".into(), &1.into()),
        "{explained}"
    );
    let page = site.run(&["connection", "explain", &number]).done();
    assert!(
        page.out.contains("title: (none) → \"CTO\"") && page.out.contains("from Operations[0]: "),
        "{page:?}"
    );

    // The history outlives the log.
    site.restart();
    let later = site.run(&["connection", "explain", &number]).done();
    assert!(
        later.out.contains("title: (none) → \"CTO\"") && later.out.contains("not remembered"),
        "{later:?}"
    );
    assert!(later.out.contains("from Operations[1] of the request"), "{later:?}");
    assert!(later.out.contains("by the leniency string-as-boolean: "), "{later:?}");
}

#[test]
fn x61_what_a_provider_sends_cannot_command_the_terminal_that_shows_it() {
    let site = Site::served();
    let client = site.daemon.as_ref().unwrap().client();
    let mut body = ada();
    body["displayName"] = "\u{9b}31m\u{202e}red".into();
    let _ = send(&client, "POST", "/Users", &body);
    for arguments in [&["requests", "idp", "--body"][..], &["requests", "idp", "--json"], &["doctor", "idp"]]
    {
        let ran = site.run(&[&["connection"], arguments].concat());
        assert!(!ran.out.contains(['\u{9b}', '\u{202e}']), "{ran:?}");
    }
    assert!(requests(&site, &["--body"]).done().out.contains("\\u009b31m\\u202ered"));
}

/// The guides, by file name.
fn guides() -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operate");
    let mut guides: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        // Those are the same whoever the provider is.
        .filter(|path| {
            let others = [
                "schemas.md",
                "people.md",
                "import.md",
                "permissions.md",
                "admin-api.md",
                "webhooks.md",
                "mapping.md",
                "sign-in.md",
                "forward-auth.md",
                "backup.md",
                "upgrade.md",
                "disk-full.md",
                "scale-out.md",
            ];
            !others.iter().any(|other| path.ends_with(other))
        })
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap())
        })
        .collect();
    guides.sort();
    guides
}

/// The words of the commands that stand in lines of their own.
fn commands_in(guide: &str) -> Vec<Vec<&str>> {
    let lines =
        guide.lines().filter_map(|line| line.strip_prefix("    ")?.trim_start().strip_prefix("rosterd "));
    lines
        .map(|line| line.split("  ").next().unwrap().split('#').next().unwrap().split_whitespace().collect())
        .collect()
}

#[test]
fn the_commands_of_every_guide_are_understood_and_make_a_connection() {
    let guides = guides();
    assert_eq!(guides.len(), 6, "five providers and the index");
    for (name, guide) in guides {
        let commands = commands_in(&guide);
        for command in &commands {
            let mut asked = std::process::Command::new(env!("CARGO_BIN_EXE_rosterd"));
            let ran = super::run(asked.args(command).arg("--help").env_clear());
            assert_eq!(ran.code, Some(0), "{name}: {command:?}: {ran:?}");
        }
        let site = Site::at_rest();
        let making: Vec<_> =
            commands.iter().filter(|command| command.get(1) == Some(&"create")).take(3).collect();
        assert_eq!(making.len(), 3, "{name}: {making:?}");
        for command in &making {
            site.run(command).done();
        }
        let connection = making[1][2];
        let ran = site.run(&["connection", "doctor", connection]);
        assert!(ran.code == Some(3) && ran.out.contains("nothing has come in"), "{name}: {ran:?}");
    }
}
