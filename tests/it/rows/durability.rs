//! R1a: an answer is given after the disk has confirmed, as the system calls show.

use std::collections::HashMap;
use std::process::{Command, Stdio};

use crate::support::TestDaemon;
use crate::support::bodies::user;

/// Creates that are traced.
const CREATES: usize = 40;

#[test]
fn r1a_between_each_request_and_its_answer_a_flush_has_completed() {
    let folder = tempfile::tempdir().unwrap();
    if !can_trace() {
        eprintln!(
            "SKIPPED: strace cannot trace here (not installed, or ptrace is forbidden); R1a was not checked"
        );
        return;
    }
    let log = folder.path().join("trace");
    let log_name = log.to_str().unwrap().to_owned();
    // -D: the daemon stays our child, the tracer becomes its grandchild.
    let calls = "trace=fsync,fdatasync,read,recvfrom,recvmsg,write,writev,sendto,sendmsg";
    let mut daemon =
        TestDaemon::start_under(&["strace", "-D", "-f", "-s", "64", "-e", calls, "-o", &log_name]);
    let client = daemon.client();
    for number in 0..CREATES {
        let _ = client.post("/Users", &user(&format!("user-{number}"))).expect(201);
    }
    let (status, said) = daemon.terminate();
    assert!(status.success(), "{said}");
    let trace = std::fs::read_to_string(log).unwrap();
    assert_eq!(flushes_between_requests_and_answers(&trace), Ok(CREATES), "{trace}");
}

fn can_trace() -> bool {
    let tried = Command::new("strace")
        .args(["-e", "trace=none", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

/// Returns how many creates were answered after a flush that began after they were read; or the first that was not.
fn flushes_between_requests_and_answers(trace: &str) -> Result<usize, String> {
    let mut answered = 0;
    let mut asked = false;
    let mut flushed = false;
    // Calls that another thread interrupted: whether they began after the request was read.
    let mut begun: HashMap<&str, bool> = HashMap::new();
    for line in trace.lines() {
        let process = line.split(' ').next().unwrap_or_default();
        let flush = line.contains("fdatasync") || line.contains("fsync");
        if line.contains("\"POST /scim/v2/Users") {
            (asked, flushed) = (true, false);
        } else if flush && line.contains("<unfinished") {
            begun.insert(process, asked);
        } else if flush && line.ends_with("= 0") {
            let in_time = if line.contains("resumed") { begun.remove(process) == Some(true) } else { asked };
            flushed |= in_time;
        } else if line.contains("HTTP/1.1 201") {
            if !asked || !flushed {
                return Err(format!("answer {answered} was not preceded by a flush: {line}"));
            }
            answered += 1;
            asked = false;
        }
    }
    Ok(answered)
}

#[test]
fn r1a_the_look_at_a_trace_finds_an_answer_without_a_flush() {
    let read = "1 recvfrom(9, \"POST /scim/v2/Users HTTP/1.1\\r\\nHos\"..., 8192, 0, NULL, NULL) = 310";
    let flush = "2 fdatasync(7)                            = 0";
    let answer = "1 writev(9, [{iov_base=\"HTTP/1.1 201 Created\\r\\n\"...}], 2) = 900";
    let look = |lines: &[&str]| flushes_between_requests_and_answers(&lines.join("\n"));
    assert_eq!(look(&[read, flush, answer]), Ok(1));
    assert_eq!(
        look(&[read, "2 fdatasync(7 <unfinished ...>", "2 <... fdatasync resumed>) = 0", answer]),
        Ok(1)
    );
    assert!(look(&[read, answer]).is_err());
    assert!(look(&[flush, read, answer]).is_err());
    assert!(
        look(&["2 fdatasync(7 <unfinished ...>", read, "2 <... fdatasync resumed>) = 0", answer]).is_err()
    );
    assert!(look(&[read, "2 fdatasync(7) = -1 EIO (Input/output error)", answer]).is_err());
    assert!(look(&[read, flush, answer, read, answer]).is_err());
}
