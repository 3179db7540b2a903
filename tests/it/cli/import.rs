//! People in bulk: looked at, taken in, gone on with after a kill, and written out so that they can be taken in elsewhere (H02, P10).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Ran, Site};
use crate::support::Client;

const CORE: &str = "urn:rosterd:scim:schemas:core:1.0";
const PSA: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
/// A name that is nobody's friend: signs of lists and of formulas.
const HOSTILE: &str = "=1;2@3\\4";

/// A client that may do everything with a tenant's people.
fn local(site: &mut Site, tenant: &str) -> Client {
    site.serve();
    let scopes = "users:read,users:write,kinds:read,kinds:write,financials";
    let made =
        site.run(&["token", "create", "--tenant", tenant, "--connection", "local", "--scopes", scopes]);
    site.serve().client().with(made.done().out.trim())
}

/// Gives a tenant what rows name.
fn firm(site: &mut Site, tenant: &str) -> Client {
    let client = local(site, tenant);
    let make = |kind: &str, endpoint: &str, more: Value| {
        let mut body = json!({ "schemas": [format!("{CORE}:{kind}")] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.post(endpoint, &body).expect(201)
    };
    make("Company", "/Companies", json!({ "displayName": "Acme Oy", "baseCurrency": "EUR" }));
    make("UserType", "/UserTypes", json!({ "displayName": "Consultant", "externalId": "T-1" }));
    make("UserType", "/UserTypes", json!({ "displayName": HOSTILE }));
    make("CostCenter", "/CostCenters", json!({ "displayName": "North" }));
    make("EmploymentTemplate", "/EmploymentTemplates", json!({ "displayName": "Full time" }));
    make("LicensePool", "/LicensePools", json!({ "displayName": "Pro", "seats": 5, "whenFull": "reject" }));
    client
}

fn file(site: &Site, name: &str, text: &str) -> String {
    let path = site.home.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Where the history stands, and everything in it.
fn history(site: &Site, tenant: &str) -> String {
    site.run(&["audit", "export", "--tenant", tenant]).done().out
}

fn each_with_firm(test: impl Fn(&mut Site, &Client)) {
    Site::each(|site| {
        let served = site.daemon.is_some();
        let client = firm(site, "main");
        if !served {
            site.stop();
        }
        test(site, &client);
    });
}

const PEOPLE: &str = "\
userName,givenName,familyName,email,employeeNumber,userTypes,company,license,costRate.amount,costRate.startDate,activateOn,active
ada@acme.test,Ada,Byron,ada@acme.test,1,Consultant@North;=1\\;2\\@3\\\\4,acme oy,Pro,62.50,2026-01-01,,
,Grace,Hopper,grace@acme.test,2,T-1,,,,,2026-02-01,
";

fn rows(ran: &Ran) -> Vec<&str> {
    ran.out.lines().collect()
}

#[test]
fn h02_a_look_says_row_by_row_what_would_become_of_each_and_writes_nothing() {
    each_with_firm(|site, _| {
        let text = format!(
            "{PEOPLE}\
             nobody@acme.test,,,,3,,,,,,,\n\
             late@acme.test,L,L,late@acme.test,4,,,,1,,2026-13-01,\n\
             type@acme.test,T,T,type@acme.test,5,Wizard@South,,,,,,\n\
             ADA@acme.test,A,A,ada2@acme.test,6,,,,,,,\n\
             mail@acme.test,M,M,not an address,7,,,,,,,maybe\n\
             day@acme.test,D,D,day@acme.test,8,,,,,,2026-13-01,\n\
             short@acme.test,S\n\
             rate@acme.test,R,R,rate@acme.test,9,,,,1,2026-01-01,,\n"
        );
        let people = file(site, "people.csv", &text);
        let report = site.home.path().join("report.jsonl");
        let before = history(site, "main");
        let look = ["import", &people, "--report", report.to_str().unwrap()];
        let ran = site.run(&look);
        assert_eq!(ran.code, Some(3), "{ran:?}");
        let said = rows(&ran);
        let has = |beginning: &str, part: &str| {
            assert!(
                said.iter().any(|line| line.starts_with(beginning) && line.contains(part)),
                "{beginning}…{part}: {said:#?}"
            );
        };
        has("row 2: create ada@acme.test", "");
        has("row 3: create grace@acme.test", "");
        has("row 4: error nobody@acme.test: givenName: expected a first name", "found none");
        has("row 4: error nobody@acme.test: familyName: expected a last name", "");
        has("row 4: error nobody@acme.test: email: expected an address", "");
        has("row 5: error late@acme.test: costRate.startDate: expected a value", "");
        has("row 6: error type@acme.test: userTypes: expected the displayName", "found \"Wizard\"");
        has("row 7: error ADA@acme.test: userName: expected each once", "in row 2 as well");
        has("row 8: error mail@acme.test: email: expected an address", "found \"not an address\"");
        has("row 8: error mail@acme.test: active: expected true or false", "found \"maybe\"");
        has("row 9: error day@acme.test: ", "2026-13-01");
        has("row 10: error : expected 12 cells as in the header, found 2", "");
        has("row 11: error rate@acme.test: ", "currency");
        assert!(ran.err.contains("2 new, 0 changed, 0 as they are to be, 8 with mistakes."), "{ran:?}");
        let reported: Vec<Value> = std::fs::read_to_string(&report)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(reported.len(), 10);
        assert_eq!((&reported[0]["row"], &reported[0]["what"]), (&json!(2), &json!("create")));
        // A file with mistakes is not begun with, either.
        let applied = site.run(&["import", &people, "--apply"]);
        assert_eq!(applied.code, Some(3), "{applied:?}");
        assert!(applied.err.contains("Nothing was written: "), "{applied:?}");
        assert_eq!(history(site, "main"), before);
        // Unless it is told to.
        let applied = site.run(&["import", &people, "--apply", "--skip-errors"]);
        assert_eq!(applied.code, Some(3), "{applied:?}");
        assert!(
            applied.err.contains("Done: 2 new, 0 changed, 0 as they are to be, 8 with mistakes."),
            "{applied:?}"
        );
    });
}

#[test]
fn p10_people_are_made_and_changed_and_a_second_run_finds_all_as_it_is_to_be() {
    each_with_firm(|site, _| {
        let people = file(site, "people.csv", PEOPLE);
        let made = site.run(&["import", &people, "--apply"]).done();
        assert_eq!(rows(&made), ["row 2: create ada@acme.test", "row 3: create grace@acme.test"]);
        let before = history(site, "main");
        let again = site.run(&["import", &people, "--apply"]).done();
        assert_eq!(rows(&again), ["row 2: nothing ada@acme.test", "row 3: nothing grace@acme.test"]);
        assert_eq!(history(site, "main"), before);
        // By the employer's number, as JSON, one object a line, and with parts of objects.
        let more = file(
            site,
            "more.jsonl",
            "{\"employeeNumber\": 1, \"title\": \"Lead\", \"costRate\": {\"amount\": \"70\", \"startDate\": \"2026-07-01\"}}\n{\"employeeNumber\": \"2\", \"activateOn\": \"2026-02-01\"}\n",
        );
        let changed = site.run(&["import", &more, "--match", "employee-number", "--apply"]).done();
        let said = rows(&changed);
        assert!(said[0].starts_with("row 1: change 1: ") && said[0].contains("title"), "{said:?}");
        assert!(said[0].contains(&format!("{PSA}:costRates")), "{said:?}");
        assert_eq!(said[1], "row 2: nothing 2");
        let client = firm_client(site);
        let found = client.find("/Users", "userName eq \"ada@acme.test\"").expect(200).json();
        let ada = &found["Resources"][0];
        assert_eq!((&ada["title"], &ada["displayName"]), (&json!("Lead"), &json!("Ada Byron")));
        let rates = ada[PSA]["costRates"].as_array().unwrap();
        let amounts: Vec<_> = rates.iter().map(|rate| (&rate["amount"], &rate["currency"])).collect();
        assert_eq!(amounts.len(), 2, "{rates:?}");
        assert!(amounts.iter().all(|(_, currency)| **currency == json!("EUR")), "{rates:?}");
        let types = ada[PSA]["userTypes"].as_array().unwrap();
        assert_eq!((&types[0]["display"], &types[0]["primary"]), (&json!("Consultant"), &json!(true)));
        assert_eq!(types[1]["display"], json!(HOSTILE));
    });
}

fn firm_client(site: &mut Site) -> Client {
    local(site, "main")
}

#[test]
fn an_import_that_was_killed_goes_on_when_it_is_run_again() {
    let site = Site::served();
    let many = 1000;
    let mut text = "userName,givenName,familyName,email\n".to_owned();
    for number in 0..many {
        writeln!(text, "p{number}@acme.test,P,{number},p{number}@acme.test").unwrap();
    }
    let people = file(&site, "many.csv", &text);
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    command.args(["import", &people, "--apply", "--skip-errors", "--progress", "--data"]).arg(site.data());
    let mut running = command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(running.stderr.take().unwrap()).read_line(&mut said).unwrap();
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(said, "100 rows written, 0 with mistakes\n");
    let ran = site.run(&["import", &people, "--apply", "--skip-errors"]).done();
    let (new, same) = (count(&ran, "create"), count(&ran, "nothing"));
    assert_eq!(new + same, many, "{}", ran.err);
    assert!(new > 0 && same >= 100, "{}", ran.err);
    let out = site.run(&["export"]).done();
    assert_eq!(out.out.lines().count(), many + 1);
    assert_eq!(out.err, format!("{many} people written\n"));
}

/// The lines of an export, but for their order: those made in one millisecond have none.
fn people_in(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().map(|line| line.trim_end_matches(',')).collect();
    lines.sort_unstable();
    lines
}

fn count(ran: &Ran, what: &str) -> usize {
    ran.out.lines().filter(|line| line.split(' ').nth(2) == Some(what)).count()
}

#[test]
fn what_is_written_out_is_taken_in_elsewhere_and_written_out_the_same() {
    each_with_firm(|site, _| {
        let served = site.daemon.is_some();
        site.run(&["tenant", "create", "acme"]).done();
        firm(site, "acme");
        if !served {
            site.stop();
        }
        let people = file(
            site,
            "people.csv",
            &format!("{PEOPLE}=cmd|calc!A0@acme.test,-Eve,+Last,eve@acme.test,9,Consultant,,,,,,false\n"),
        );
        site.run(&["import", &people, "--apply"]).done();
        let more = file(
            site,
            "more.json",
            &json!([{
                "userName": "ada@acme.test", "employments": "Full time@2026-01-01@2026-02-01@disabled",
                "billingRates": "120 EUR@2026-01-01;130.5 EUR@2026-06-01", "integrations": "erp@ 7",
                "phone": { "mobile": "+358 40 1234567" }, "timezone": "Europe/Helsinki",
            }])
            .to_string(),
        );
        site.run(&["import", &more, "--apply"]).done();
        for format in ["csv", "json"] {
            let name = format!("out.{format}");
            let path = site.home.path().join(&name);
            let path = path.to_str().unwrap();
            let to = ["--format", format, "--financials", "--out", path];
            site.run(&[&["export"], &to[..]].concat()).done();
            let first = std::fs::read_to_string(path).unwrap();
            assert!(first.contains("62.5") && first.contains("130.5"), "{first}");
            let taken = site.run(&["import", path, "--tenant", "acme", "--apply"]).done();
            assert_eq!(taken.out.contains("create"), format == "csv", "{taken:?}");
            site.run(&[&["export", "--tenant", "acme"], &to[..]].concat()).done();
            assert_eq!(people_in(&std::fs::read_to_string(path).unwrap()), people_in(&first), "{format}");
        }
        let plain = site.run(&["export"]).done().out;
        for money in ["62.5", "130.5", "Rates"] {
            assert!(!plain.contains(money), "{money}: {plain}");
        }
        assert!(plain.contains(",'+358 40 1234567,") && plain.contains(",'-Eve,,'+Last,"), "{plain}");
        assert!(
            plain.lines().all(|line| line
                .split(',')
                .all(|cell| { !cell.trim_start_matches('"').starts_with(['=', '+', '-', '@']) })),
            "{plain}"
        );
    });
}

#[test]
fn a_mapping_says_what_columns_are_and_a_column_that_nobody_knows_is_not_passed_over() {
    each_with_firm(|site, _| {
        let people = file(
            site,
            "people.csv",
            "First name;Surname;Mail;Notes;Nick\nAda;Byron;ada@acme.test;likes engines;Countess\n",
        );
        let unknown = site.run(&["import", &people, "--delimiter", ";"]).failed();
        assert!(unknown.contains("\"First name\", \"Surname\", \"Mail\", \"Notes\", \"Nick\""), "{unknown}");
        let map = file(
            site,
            "map.toml",
            "ignore = [\"Notes\"]\n[columns]\n\"First name\" = \"givenName\"\nSurname = \"familyName\"\nMail = \"email\"\nNick = \"nickName\"\n[constants]\ncompany = \"Acme Oy\"\n[defaults]\ntimezone = \"Europe/Helsinki\"\n",
        );
        site.run(&["import", &people, "--delimiter", ";", "--mapping", &map, "--apply"]).done();
        let out = site.run(&["export", "--format", "json"]).done().out;
        let all: Vec<BTreeMap<String, String>> = serde_json::from_str(&out).unwrap();
        let ada = all.iter().find(|person| person["userName"] == "ada@acme.test").unwrap();
        let said = ["nickName", "company", "timezone", "familyName"].map(|column| ada[column].as_str());
        assert_eq!(said, ["Countess", "Acme Oy", "Europe/Helsinki", "Byron"]);
        let wrong = file(site, "wrong.toml", "colums = 1\n");
        let said = site.run(&["import", &people, "--mapping", &wrong]).failed();
        assert!(
            said.contains("expected columns, constants, defaults, ignore or clear, found \"colums\""),
            "{said}"
        );
        let object = file(site, "one.jsonl", "{\"userName\": \"x@acme.test\", \"shoeSize\": 44}\n[]\n");
        let ran = site.run(&["import", &object]);
        assert_eq!(ran.code, Some(3));
        assert!(ran.out.contains("row 1: error x@acme.test: shoeSize: expected a column"), "{ran:?}");
        assert!(ran.out.contains("row 2: error : expected an object"), "{ran:?}");
        assert!(site.run(&["import", "none.csv"]).failed().contains("none.csv: expected a file with people"));
        assert!(Path::new(&people).exists());
    });
}

#[test]
fn h17_a_look_counts_the_seats_that_the_rows_before_would_take() {
    each_with_firm(|site, _| {
        // Five seats, and six people for them, over more than one batch.
        let mut text = String::from("userName,givenName,familyName,email,license\n");
        for number in 0..130 {
            let license = if number % 26 == 0 || number == 129 { "Pro" } else { "" };
            writeln!(text, "p{number}@acme.test,P,Q,p{number}@acme.test,{license}").unwrap();
        }
        let people = file(site, "people.csv", &text);
        let before = history(site, "main");
        let looked = site.run(&["import", &people]);
        assert_eq!(looked.code, Some(3), "{looked:?}");
        let wrong: Vec<&str> = rows(&looked).into_iter().filter(|row| row.contains("error")).collect();
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(
            wrong[0].starts_with("row 131: error p129@acme.test") && wrong[0].contains("no seat is left"),
            "{wrong:?}"
        );
        assert_eq!(site.run(&["import", &people, "--apply"]).code, Some(3));
        assert_eq!(history(site, "main"), before, "so nothing of it is written");
        let fits = file(
            site,
            "fits.csv",
            &text.replace("p129@acme.test,P,Q,p129@acme.test,Pro", "p129@acme.test,P,Q,p129@acme.test,"),
        );
        let _ = site.run(&["import", &fits, "--apply"]).done();
        // Who leaves a seat makes room for the next, and the other way round does not.
        let swap = |first: &str, then: &str| {
            file(site, "swap.csv", &format!("userName,active,license\n{first}\n{then}\n"))
        };
        let (out, into) = ("p0@acme.test,false,", "p1@acme.test,,Pro");
        assert_eq!(site.run(&["import", &swap(into, out)]).code, Some(3));
        let _ = site.run(&["import", &swap(out, into)]).done();
        let _ = site.run(&["import", &swap(out, into), "--apply"]).done();
    });
}

#[test]
fn p10_a_marker_of_the_mapping_clears_what_is_there() {
    each_with_firm(|site, _| {
        let header = "userName,givenName,middleName,familyName,email,phone.work,phone.mobile,title,company,userTypes,overrides,license,employments,costRates,integrations,activateOn,deactivateOn\n";
        let full = format!(
            "{header}ada@acme.test,Ada,King,Byron,ada@acme.test,1,2,Countess,Acme Oy,Consultant@North,users.view@grant@own@North;rates.view@deny,Pro,Full time@2026-01-01,50 EUR@2026-01-01,payroll@7,2026-01-01,2099-01-01\n"
        );
        let map = file(site, "map.toml", "clear = \"-\"\n");
        let people = file(site, "people.csv", &full);
        let _ = site.run(&["import", &people, "--mapping", &map, "--apply"]).done();
        let read = |site: &mut Site| {
            let client = firm_client(site);
            let found = client.find("/Users", "userName eq \"ada@acme.test\"").expect(200).json();
            site.stop();
            found["Resources"][0].clone()
        };
        let ada = read(site);
        let given = ada[PSA]["overrides"].as_array().unwrap();
        assert_eq!(
            (given.len(), &given[0]["effect"], &given[0]["level"]),
            (2, &json!("grant"), &json!("own"))
        );
        assert!(given[0]["costCenter"].is_string(), "{given:?}");
        let again = site.run(&["import", &people, "--mapping", &map, "--apply"]).done();
        assert_eq!(rows(&again), ["row 2: nothing ada@acme.test"]);

        // An empty cell leaves what is there, the marker does not.
        let cleared =
            file(site, "cleared.csv", &format!("{header}ada@acme.test,,-,,-,-,,-,-,-,-,-,-,-,-,,-\n"));
        let _ = site.run(&["import", &cleared, "--mapping", &map, "--apply"]).done();
        let ada = read(site);
        assert_eq!(ada["name"]["givenName"], "Ada");
        assert_eq!(ada["phoneNumbers"].as_array().unwrap().len(), 1);
        assert_eq!(ada[PSA]["schedule"], json!({ "activateOn": "2026-01-01" }));
        for (name, value) in
            [("middleName", &ada["name"]["middleName"]), ("emails", &ada["emails"]), ("title", &ada["title"])]
        {
            assert_eq!(value, &Value::Null, "{name}");
        }
        for name in
            ["company", "userTypes", "overrides", "license", "employments", "costRates", "integrations"]
        {
            assert_eq!(ada[PSA][name], Value::Null, "{name}");
        }
        let once = site.run(&["import", &cleared, "--mapping", &map, "--apply"]).done();
        assert_eq!(rows(&once), ["row 2: nothing ada@acme.test"]);

        // A part of an entry is nothing that could be cleared, and a login neither.
        let part = file(site, "part.csv", "userName,costRate.amount\nada@acme.test,-\n");
        let said = site.run(&["import", &part, "--mapping", &map]);
        assert!(said.code == Some(3) && said.out.contains("the history as a whole"), "{said:?}");
        let wrong = file(site, "wrong.toml", "clear = \"\"\n");
        let said = site.run(&["import", &part, "--mapping", &wrong]).failed();
        assert!(said.contains("clear: expected a text that is no value"), "{said:?}");
    });
}
