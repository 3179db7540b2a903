//! R7: a disk that is full in earnest: a small tmpfs, in a mount namespace of the daemon's own.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::bodies::user;
use crate::support::world::must_agree;
use crate::support::{Client, Request, TestDaemon};

/// A disk of 16 MiB at a home's data folder, which only those see who are started on it.
struct SmallDisk {
    holder: Child,
    data: PathBuf,
}

impl SmallDisk {
    /// Makes it; `None` where nobody may mount anything.
    fn make(home: &Path) -> Option<Self> {
        let data = home.join("data");
        std::fs::create_dir(&data).unwrap();
        let script = "mount -t tmpfs -o size=16m,mode=700 tmpfs \"$0\" && echo mounted && exec cat";
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(&data);
        let mut holder =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut said = String::new();
        BufReader::new(holder.stdout.take()?).read_line(&mut said).unwrap();
        let disk = Self { holder, data };
        (said == "mounted\n").then_some(disk)
    }

    /// What a program must be started with to see it.
    fn wrapper(&self) -> Vec<String> {
        let target = self.holder.id().to_string();
        ["nsenter", "--preserve-credentials", "--user", "--mount", "--target", &target]
            .map(str::to_owned)
            .into()
    }

    fn filler(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.data.strip_prefix("/").unwrap()).join("filler")
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut filler = OpenOptions::new().create(true).append(true).open(self.filler()).unwrap();
        for size in [1 << 16, 4096, 1] {
            while filler.write_all(&vec![7; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Creates people until one is refused; returns how many were acknowledged.
fn create_until_refused(client: &Client, from: usize) -> usize {
    for number in from.. {
        let mut body = user(&format!("p{number}"));
        body["nickName"] = json!("n".repeat(4000));
        let answer = client.post("/Users", &body);
        if answer.status != 201 {
            assert!(matches!(answer.status, 503 | 507), "{}", answer.text());
            assert!(answer.header("retry-after").is_some(), "{}", answer.text());
            return number;
        }
    }
    unreachable!("a disk without an end")
}

fn await_readyz(client: &Client, status: u16) {
    let patience = Instant::now() + Duration::from_secs(30);
    while client.send(&Request::new("GET", "/readyz")).status != status {
        assert!(Instant::now() < patience, "/readyz is never {status}");
        std::thread::yield_now();
    }
}

#[test]
fn r7_a_disk_that_is_full_refuses_writes_answers_reads_and_takes_writes_again_when_there_is_room() {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let Some(disk) = SmallDisk::make(home.path()) else {
        eprintln!(
            "SKIPPED: no file system may be mounted here; a disk that is full in earnest was not tried"
        );
        return;
    };
    let wrapper = disk.wrapper();
    let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    let start = || {
        TestDaemon::start_with(&home, &wrapper, |command| {
            command.env("ROSTERD_STORE__JOURNAL_MIB", "1");
        })
    };
    let mut daemon = start();
    let client = daemon.client();
    disk.fill();
    let acknowledged = create_until_refused(&client, 0);
    assert!(acknowledged > 0, "there was room in the files that are there");
    let refused = client.post("/Users", &user("refused"));
    assert!(matches!(refused.status, 503 | 507), "{}", refused.text());
    let ready = client.send(&Request::new("GET", "/readyz"));
    assert_eq!((ready.status, ready.text().contains("disk full")), (503, true), "{}", ready.text());
    let total =
        |client: &Client| client.get("/Users?count=0").expect(200).json()["totalResults"].as_u64().unwrap();
    // The one that was refused may be there: nobody said that it is not.
    let there = total(&client);
    assert!((acknowledged as u64..=acknowledged as u64 + 1).contains(&there), "{there} of {acknowledged}");

    // Killed while it is full, it starts and answers.
    daemon.kill();
    drop(daemon);
    let mut daemon = start();
    let client = daemon.client();
    let there = total(&client);
    assert!((acknowledged as u64..=acknowledged as u64 + 1).contains(&there), "{there} of {acknowledged}");
    let _ = client.find("/Users", "userName eq \"p0\"").expect(200);

    await_readyz(&client, 503);
    disk.make_room();
    await_readyz(&client, 200);
    let _ = client.post("/Users", &user("after")).expect(201);
    must_agree(&client);
    assert!(total(&client) > acknowledged as u64);
    assert!(daemon.terminate().0.success());
    let mut daemon = start();
    assert!(total(&daemon.client()) > acknowledged as u64);
    must_agree(&daemon.client());
    assert!(daemon.terminate().0.success());
}
