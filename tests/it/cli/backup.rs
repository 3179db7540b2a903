//! `rosterd backup`, `restore` and `store`: with a daemon and without one, under load, broken off at each step, and what damaged files come to.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rosterd::store::failpoints::Point;
use serde_json::Value;

use super::{Ran, Site, rosterd, run};
use crate::support::TestDaemon;
use crate::support::bodies::{group, user};

/// Everything that can be seen of a folder's roster from outside.
fn seen(data: &Path) -> Vec<String> {
    let ran = |arguments: &[&str]| rosterd(data, arguments).done().out;
    vec![
        ran(&["audit", "export", "--tenant", "main"]),
        ran(&["export", "--tenant", "main", "--format", "json", "--financials"]),
        ran(&["token", "list", "--json"]),
        ran(&["connection", "list", "--json"]),
        ran(&["check"]),
    ]
}

/// A place with some people, in which no daemon runs.
fn peopled() -> Site {
    let mut site = Site::served();
    let client = site.serve().client();
    let ids: Vec<String> = (0..12)
        .map(|number| client.post("/Users", &user(&format!("user-{number}"))).expect(201).id())
        .collect();
    let members: Vec<&str> = ids.iter().map(String::as_str).collect();
    let _ = client.post("/Groups", &group("all", &members)).expect(201);
    site.stop();
    site
}

fn backup(site: &Site, name: &str) -> (Ran, PathBuf) {
    let file = site.home.path().join(name);
    (site.run(&["backup", file.to_str().unwrap()]), file)
}

fn restore(data: &Path, file: &Path) -> Ran {
    rosterd(data, &["restore", file.to_str().unwrap()])
}

#[test]
fn r11_a_backup_is_whole_and_restores_to_an_identical_export() {
    Site::each(|site| {
        let _ = site.run(&["tenant", "create", "acme"]).done();
        let (made, file) = backup(site, "one.backup");
        let made = made.done();
        assert_eq!(made.out, "");
        let last = made.err.lines().last().unwrap();
        assert!(
            last.starts_with("Keep as well") && last.contains("seal.key") && last.contains("settings"),
            "{last}"
        );
        assert!(made.err.contains("on disk, and read back"), "{made:?}");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let verified = site.run(&["backup", "--verify", file.to_str().unwrap()]).done();
        assert!(
            verified.out.starts_with("A whole backup: ") && verified.out.contains("from redb"),
            "{verified:?}"
        );
        assert_eq!(verified.out.lines().next(), made.err.lines().next(), "the same words for the same file");

        // An existing file is not replaced, and nothing else is left of the attempt.
        let bytes = std::fs::read(&file).unwrap();
        let line = backup(site, "one.backup").0.failed();
        assert!(line.contains("one.backup") && line.contains("choose another"), "{line}");
        assert_eq!(std::fs::read(&file).unwrap(), bytes);
        assert!(!site.home.path().join("one.backup.unfinished").exists());

        // What goes through standard output is as good.
        let piped = site.home.path().join("piped.backup");
        let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
        command.args(["backup", "-", "--data"]).arg(site.data()).env_clear().stdin(Stdio::null());
        let out =
            command.stdout(std::fs::File::create(&piped).unwrap()).stderr(Stdio::piped()).output().unwrap();
        assert!(out.status.success(), "{out:?}");
        let again = site.run(&["backup", "--verify", piped.to_str().unwrap()]).done();
        let digest = |text: &str| text.split("SHA-256").nth(1).unwrap().to_owned();
        assert_eq!(digest(&again.out), digest(&verified.out));

        let new = site.home.path().join("new");
        let restored = restore(&new, &file).done();
        assert!(restored.err.contains("Everything fits together."), "{restored:?}");
        assert_eq!(seen(&new), seen(&site.data()));
        let line = restore(&new, &file).failed();
        assert!(line.contains("has data already") && line.contains("--data"), "{line}");
    });
}

#[test]
fn r11_a_backup_under_load_is_one_moment_and_survives_the_loss_of_the_folder() {
    let mut site = Site::served();
    let daemon = site.serve();
    let client = daemon.client();
    let (stop, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    let file = site.home.path().join("busy.backup");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (client, stop, made) = (client.clone(), &stop, &made);
            scope.spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let _ = client.post("/Users", &user(&format!("w{writer}-{number}"))).expect(201);
                    made.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while made.load(Ordering::Relaxed) < 200 {
            std::thread::yield_now();
        }
        let before = made.load(Ordering::Relaxed);
        site.run(&["backup", file.to_str().unwrap()]).done();
        let after = made.load(Ordering::Relaxed) + 4;
        stop.store(true, Ordering::Relaxed);
        let new = site.home.path().join("new");
        let restored = restore(&new, &file).done();
        assert!(restored.err.contains("Everything fits together."), "one moment: {restored:?}");
        let history = rosterd(&new, &["audit", "export", "--tenant", "main"]).done().out;
        let people = history.lines().filter(|line| line.contains("create")).count();
        assert!((before..=after + 20).contains(&people), "{before} <= {people} <= {after}");
        rosterd(&new, &["audit", "verify"]).done();
    });
    // The daemon is stopped, everything is deleted, and the moment of the last backup comes back.
    site.stop();
    let (made, last) = backup(&site, "last.backup");
    made.done();
    let expected = seen(&site.data());
    std::fs::remove_dir_all(site.data()).unwrap();
    restore(&site.data(), &last).done();
    assert_eq!(seen(&site.data()), expected);
    let _ = site.serve().client().post("/Users", &user("later")).expect(201);
}

#[test]
fn r11_nothing_is_taken_from_a_damaged_file() {
    let site = peopled();
    let (made, file) = backup(&site, "good.backup");
    made.done();
    let good = std::fs::read(&file).unwrap();
    let bad = site.home.path().join("bad.backup");
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for (what, bytes) in [
        ("flipped", flipped),
        ("cut", good[..good.len() - 1].to_vec()),
        ("appended", [&good[..], b"\0"].concat()),
        ("empty", vec![]),
        ("something else", b"PK\x03\x04".to_vec()),
    ] {
        std::fs::write(&bad, bytes).unwrap();
        let new = site.home.path().join("new");
        for command in [&["restore"][..], &["backup", "--verify"]] {
            let line = rosterd(&new, &[command, &[bad.to_str().unwrap()]].concat()).failed();
            assert!(line.contains("bad.backup"), "{what}: {line}");
            assert!(line.contains("damaged at byte") || line.contains("begins otherwise"), "{what}: {line}");
        }
        assert!(!new.exists(), "{what}: nothing was made");
    }
}

/// Ends the process at a point, after it was passed so many times; tells whether it was.
fn dies(data: &Path, arguments: &[&str], point: Point, passes: u64) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    command.args(arguments).arg("--data").arg(data).env_clear().stdin(Stdio::null());
    let ran = run(command.env("ROSTERD_FAILPOINTS", format!("{}=crash@{passes}", point.name())));
    assert!(ran.code == Some(0) || ran.code.is_none_or(|code| code > 100), "{ran:?}");
    ran.code != Some(0)
}

#[test]
fn r37_a_restore_that_was_killed_at_any_step_is_no_store_and_goes_on() {
    let site = peopled();
    let expected = seen(&site.data());
    let (made, file) = backup(&site, "good.backup");
    made.done();
    let lines = site.home.path().join("good.jsonl");
    site.run(&["store", "export", lines.to_str().unwrap()]).done();
    for (command, file) in [(&["restore"][..], &file), (&["store", "import"], &lines)] {
        let arguments = [command, &[file.to_str().unwrap()]].concat();
        let mut steps = 0;
        for point in Point::STEPS.into_iter().chain([Point::CommitBefore, Point::DiskFlush, Point::DiskWrite])
        {
            for passes in [0, 3] {
                let home = tempfile::tempdir().unwrap();
                let new = home.path().join("data");
                if !dies(&new, &arguments, point, passes) {
                    break;
                }
                steps += 1;
                if std::fs::read_to_string(new.join("FORMAT")).is_ok_and(|label| label.starts_with("filling"))
                {
                    let line = rosterd(&new, &["check"]).failed();
                    assert!(
                        line.contains("is not whole") && line.contains("rosterd restore"),
                        "{point:?}: {line}"
                    );
                    let mut served = TestDaemon::command(home.path(), &[]);
                    let refused = run(&mut served);
                    assert!(refused.code == Some(1) && refused.err.contains("is not whole"), "{refused:?}");
                }
                let labelled = std::fs::read_to_string(new.join("FORMAT"))
                    .is_ok_and(|label| label.trim().parse::<u32>().is_ok());
                if !labelled {
                    rosterd(&new, &arguments).done();
                }
                assert_eq!(seen(&new), expected, "{point:?} after {passes}");
            }
        }
        assert!(steps >= 8, "{steps}");
    }
}

#[test]
fn a_backup_that_was_killed_leaves_no_file_of_that_name_and_the_next_one_works() {
    let site = peopled();
    let file = site.home.path().join("some.backup");
    std::fs::write(site.home.path().join("some.backup.unfinished"), "half").unwrap();
    site.run(&["backup", file.to_str().unwrap()]).done();
    site.run(&["backup", "--verify", file.to_str().unwrap()]).done();
    assert!(!site.home.path().join("some.backup.unfinished").exists());
}

#[test]
fn r11_an_export_is_json_lines_and_comes_back_as_it_was() {
    Site::each(|site| {
        let file = site.home.path().join("all.jsonl");
        site.run(&["store", "export", file.to_str().unwrap()]).done();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (first, last) = (&lines[0], lines.last().unwrap());
        assert_eq!((&first["rosterd"], &first["engine"]), (&"store export".into(), &"redb".into()));
        assert_eq!(last["rows"], lines.len() - 2);
        let new = site.home.path().join("new");
        rosterd(&new, &["store", "import", file.to_str().unwrap()]).done();
        assert_eq!(seen(&new), seen(&site.data()));
        let printed = rosterd(&new, &["store", "export"]).done().out;
        let body = |text: &str| text.lines().skip(1).collect::<Vec<_>>().join("\n");
        let rows = |text: &str| body(text).rsplit_once('\n').unwrap().0.to_owned();
        assert_eq!(rows(&printed), rows(&text));
        let line = rosterd(&site.home.path().join("other"), &["restore", file.to_str().unwrap()]).failed();
        assert!(line.contains("found an export; rosterd store import takes it"), "{line}");
    });
}

#[test]
fn a_running_daemons_folder_is_not_restored_into() {
    let site = Site::served();
    let (made, file) = backup(&site, "own.backup");
    made.done();
    let line = restore(&site.data(), &file).failed();
    assert!(line.contains("a daemon serves this folder"), "{line}");
}

#[test]
fn r12_r37_writing_the_file_anew_loses_nothing_wherever_it_is_killed() {
    let mut site = peopled();
    let expected = seen(&site.data());
    let mut deaths = 0;
    for point in Point::STEPS.into_iter().chain([Point::CommitBefore, Point::DiskWrite, Point::DiskFlush]) {
        for passes in [0, 4] {
            if !dies(&site.data(), &["compact"], point, passes) {
                break;
            }
            deaths += 1;
            assert_eq!(seen(&site.data()), expected, "{point:?} after {passes}");
        }
    }
    assert!(deaths >= 6, "{deaths}");
    site.run(&["compact"]).done();
    assert_eq!(seen(&site.data()), expected);
    let _ = site.serve().client().post("/Users", &user("later")).expect(201);
}

/// Runs the program on a folder with an engine that the variables name.
#[cfg(feature = "sled")]
fn on(engine: &str, data: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    command.args(arguments).arg("--data").arg(data).env_clear().stdin(Stdio::null());
    run(command.env("ROSTERD_STORE__ENGINE", engine))
}

#[test]
#[cfg(feature = "sled")]
fn r11_a_roster_moves_to_sled_works_there_and_moves_back() {
    let site = peopled();
    let home = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let there = home.path().join("data");
    let file = site.home.path().join("all.jsonl");
    let name = file.to_str().unwrap();
    site.run(&["store", "export", name]).done();
    on("sled", &there, &["store", "import", name]).done();
    let line = rosterd(&there, &["check"]).failed();
    assert!(line.contains("holds a store of sled") && line.contains("rosterd store export"), "{line}");
    let line = on("sled", &site.data(), &["check"]).failed();
    assert!(line.contains("holds a store of redb"), "{line}");
    let export = ["export", "--tenant", "main", "--format", "json", "--financials"];
    assert_eq!(on("sled", &there, &export).done().out, site.run(&export).done().out);

    let mut daemon = TestDaemon::start_with(&home, &[], |command| {
        command.env("ROSTERD_STORE__ENGINE", "sled");
    });
    assert!(daemon.said().contains("store.engine is sled"), "{}", daemon.said());
    let id = daemon.client().post("/Users", &user("on-sled")).expect(201).id();
    assert_eq!(daemon.client().delete(&format!("/Users/{id}")).status, 204);
    let backup = home.path().join("sled.backup");
    rosterd(&there, &["backup", backup.to_str().unwrap()]).done();
    assert!(daemon.terminate().0.success());
    // Either way back.
    let back = home.path().join("back.jsonl");
    on("sled", &there, &["store", "export", back.to_str().unwrap()]).done();
    let again = home.path().join("again");
    rosterd(&again, &["store", "import", back.to_str().unwrap()]).done();
    let restored = home.path().join("restored");
    rosterd(&restored, &["restore", backup.to_str().unwrap()]).done();
    let verified = rosterd(&restored, &["backup", "--verify", backup.to_str().unwrap()]).done().out;
    assert!(verified.contains("from sled"), "{verified}");
    for folder in [&again, &restored] {
        assert_eq!(seen(folder)[1], site.run(&export).done().out);
        rosterd(folder, &["audit", "verify"]).done();
    }
}

#[test]
fn r24_one_copy_at_a_time_and_who_hangs_up_gives_the_next_one_its_turn() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    let mut site = Site::served();
    let client = site.serve().client();
    for number in 0..600 {
        let mut body = user(&format!("user-{number}"));
        body["title"] = "t".repeat(400).into();
        let _ = client.post("/Users", &body).expect(201);
    }
    let socket = site.data().join("admin.sock");
    let mut idle = UnixStream::connect(socket).unwrap();
    let body = "\"lines\"";
    let head = "POST /admin/v1/archive HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    write!(idle, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut begin = [0; 15];
    idle.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
    // It takes no more, and what is on its way does not fit into the socket.
    let line = backup(&site, "some.backup").0.failed();
    assert!(line.contains("another backup or export is being made"), "{line}");
    assert!(!site.home.path().join("some.backup.unfinished").exists());
    drop(idle);
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while backup(&site, "some.backup").0.code != Some(0) {
        assert!(std::time::Instant::now() < patience, "the turn never came back");
    }
}
