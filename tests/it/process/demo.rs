//! The demonstration: what it shows survives kill -9, to the byte; and one signs in at its own provider.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use super::PATIENCE;
use crate::support::{Answer, Client, Request};

fn demo(data: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    command.args(["demo", "--data"]).arg(data).env_clear().stdin(Stdio::null());
    command
}

/// Signs in at the demo's own provider as the first whom it offers; returns My Account.
fn signed_in_as_the_first(said: &str) -> String {
    let address_in = |url: &str| -> (Client, String) {
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        (Client::new(host.parse().unwrap(), "").stranger(), format!("/{path}"))
    };
    let login = said.lines().map(str::trim).find(|line| line.ends_with("/login")).unwrap();
    let (daemon, _) = address_in(login);
    let cookie = |answer: &Answer| answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let there = daemon.send(&Request::new("GET", "/sso/demo/start?return_to=/me")).expect(303);
    let (provider, asked) = address_in(there.header("location").unwrap());
    let page = provider.send(&Request::new("GET", asked.as_str())).expect(200).text();
    let subject = page.split("name=\"subject\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let chosen = format!("{}&subject={subject}", asked.split_once('?').unwrap().1);
    let back = provider.send(&Request::new("POST", "/authorize").body(chosen)).expect(303);
    let (_, callback) = address_in(back.header("location").unwrap());
    let entered = daemon.send(&Request::new("GET", callback).header("Cookie", cookie(&there))).expect(303);
    daemon.send(&Request::new("GET", "/me").header("Cookie", cookie(&entered))).expect(200).text()
}

#[test]
fn the_table_of_the_demo_is_the_same_to_the_byte_after_kill_9() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("demo");
    let mut first = demo(&data).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut out, mut err) = (first.stdout.take().unwrap(), first.stderr.take().unwrap());
    // It says what to do next once the table is out; then it serves until it is killed.
    let (found, told) = channel();
    let listener = std::thread::spawn(move || {
        let (mut said, mut piece) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = err.read(&mut piece) {
            said.extend(&piece[..count]);
            let so_far = String::from_utf8_lossy(&said);
            if so_far.contains("kill -9") {
                let _ = found.send(so_far.into_owned());
            }
        }
        String::from_utf8(said).unwrap()
    });
    let printed = told.recv_timeout(PATIENCE);
    let me = printed.as_ref().map(|said| signed_in_as_the_first(said));
    first.kill().unwrap();
    assert_eq!(first.wait().unwrap().signal(), Some(9));
    let said = listener.join().unwrap();
    assert!(me.is_ok_and(|page| page.contains("Ada Byron")), "{said}");
    let mut table = String::new();
    out.read_to_string(&mut table).unwrap();
    assert!(table.contains("grace.hopper@acme.example") && table.contains("Grace Murray"), "{table}");
    // Each connection shows its own people and no others.
    let (okta, entra) = table.split_once("Connection demo-entra\n").expect("two tables");
    let people = |table: &str, firm: &str| table.lines().filter(|line| line.contains(firm)).count();
    assert_eq!((people(okta, "@acme.example"), people(okta, "@nordlys.example")), (8, 0), "{table}");
    assert_eq!((people(entra, "@acme.example"), people(entra, "@nordlys.example")), (0, 4), "{table}");
    assert!(okta.starts_with("\nConnection idp\n") && !okta.contains("manager"), "{table}");
    let row = |login: &str| -> Vec<&str> {
        let row = entra.lines().find(|line| line.contains(login)).unwrap_or_else(|| panic!("{table}"));
        row.trim_matches('|').split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
    };
    let frances = ["frances.allen@nordlys.example", "Fran Allen", "Principal Consultant", "Research"];
    assert_eq!(row("frances"), [&frances[..], &["Kristen Nygaard", "yes", "Nordlys"]].concat());
    let dennis = ["dennis.ritchie@nordlys.example", "Dennis Ritchie", "Consultant", "Compilers"];
    assert_eq!(row("dennis"), [&dennis[..], &["Kristen Nygaard", "no"]].concat());
    for part in [
        "the userType Team lead gives it",
        "he stays out",
        "curl -H 'Authorization: Bearer rost_",
        "rosterd connection doctor demo-entra --data ",
        "rosterd audit export --tenant main --data ",
        "kill -9",
    ] {
        assert!(said.contains(part), "{said}");
    }

    // What each plugin proposed, what became of it, and whose the value is.
    let told = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for row in [
        "| Kristen Nygaard employment-template is employed as Full time taken plugin:employment-template |",
        "| Fran Allen cost-rate costs 92.50 EUR an hour an administrator has decided it admin |",
        "| Adele Goldberg licence-by-group has a seat of Professional taken plugin:licence-by-group |",
        "| Adele Goldberg user-type-by-group is a Consultant taken plugin:user-type-by-group |",
        "| Dennis Ritchie cost-rate costs 58.00 EUR an hour taken plugin:cost-rate |",
    ] {
        assert!(told.contains(row), "{row}: {said}");
    }

    // The third one has used up both tokens of the connection and replaces the oldest.
    for _ in 0..3 {
        let again = demo(&data).arg("--once").output().unwrap();
        let said = String::from_utf8(again.stderr).unwrap();
        assert_eq!(again.status.code(), Some(0), "{said}");
        assert_eq!(String::from_utf8(again.stdout).unwrap(), table, "{said}");
        assert!(said.contains("it is read back from disk"), "{said}");
    }
}

#[test]
fn the_commands_that_the_demo_proposes_work_while_it_runs() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("demo");
    let once = demo(&data).arg("--once").output().unwrap();
    assert_eq!(once.status.code(), Some(0), "{once:?}");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
        let ran = command.args(args).arg("--data").arg(&data).env_clear().output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    };
    assert!(run(&["audit", "export", "--tenant", "main"]).len() > 1000);
    let examined = run(&["connection", "doctor", "demo-entra"]);
    for part in ["green", "4 people, 1 groups", "string-as-boolean"] {
        assert!(examined.contains(part), "{examined}");
    }
}
