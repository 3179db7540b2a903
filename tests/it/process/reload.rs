//! R28, R32: SIGHUP. The whole new configuration holds, or the whole old one.

use std::path::Path;
use std::sync::Arc;

use rcgen::KeyPair;
use rustix::process::Signal;
use tempfile::TempDir;

use super::home;
use super::tunnel::{Tunnel, write_pair};
use crate::support::bodies::user;
use crate::support::{Client, TestDaemon, until};

const DONE: &str = "rosterd_config_reloads_total";
const FAILED: &str = "rosterd_config_reload_failures_total";

/// Starts a daemon that reads a file.
fn start(home: &Arc<TempDir>, toml: &str) -> TestDaemon {
    write(home.path(), toml);
    let file = home.path().join("rosterd.toml");
    TestDaemon::start_with(home, &[], |command| {
        command.arg("--config").arg(file).env_remove("ROSTERD_LOG__LEVEL");
    })
}

fn write(home: &Path, toml: &str) {
    std::fs::write(home.join("rosterd.toml"), toml).unwrap();
}

/// Reloads, and waits until a counter shows it.
fn reload(daemon: &TestDaemon, counter: &str) {
    let before = daemon.metric(counter);
    daemon.signal(Signal::HUP);
    until(counter, || daemon.metric(counter) > before);
}

/// Sends a body of so many bytes, and returns the status.
fn send_bytes(client: &Client, bytes: usize) -> u16 {
    let mut body = user("x");
    body["title"] = "t".repeat(bytes).into();
    client.clone().post("/Users", &body).status
}

#[test]
fn r28_four_broken_files_change_nothing_and_a_good_one_takes_effect() {
    let home = home();
    let daemon = start(&home, "[log]\nlevel = \"info\"\n[server]\nbody_bytes_max = 8192\n");
    let client = daemon.client();
    let id = client.post("/Users", &user("ada")).expect(201).id();
    assert_eq!(send_bytes(&client, 10_000), 413);

    let broken = [
        ("[server]\nbody_bytes_max = 65536\n[log\n", "rosterd.toml:3: not TOML"),
        (
            "[server]\nbody_bytes_max = 65536\nbody_byte_max = 1\n",
            "rosterd.toml:3: server.body_byte_max: unknown key",
        ),
        (
            "[server]\nbody_bytes_max = 65536\n[log]\nlevel = \"loud\"\n",
            "rosterd.toml:4: log.level: expected",
        ),
        (
            "[server]\nbody_bytes_max = 65536\n\n\nidle_timeout_ms = 1\n",
            "rosterd.toml:5: server.idle_timeout_ms: expected 100 to",
        ),
    ];
    for (number, (toml, line)) in broken.iter().enumerate() {
        write(home.path(), toml);
        reload(&daemon, FAILED);
        assert!(daemon.until_said(line).contains("ERROR"), "{}", daemon.said());
        assert_eq!(usize::try_from(daemon.metric(FAILED)).unwrap(), number + 1);
        assert_eq!(daemon.metric(DONE), 0);
        let _ = client.get(&format!("/Users/{id}")).expect(200);
        assert_eq!(send_bytes(&client, 10_000), 413, "the old bound holds after {toml}");
    }
    // A file that is gone is a mistake as well, not a return to the defaults.
    std::fs::remove_file(home.path().join("rosterd.toml")).unwrap();
    reload(&daemon, FAILED);
    daemon.until_said("the configuration file cannot be read");

    assert!(
        !daemon.said().contains("request answered\" method=\"GET\"") && !daemon.said().contains("DEBUG"),
        "{}",
        daemon.said()
    );
    write(
        home.path(),
        "[server]\nbody_bytes_max = 65536\n[log]\nlevel = \"debug\"\n[store]\ncache_mib = 32\n",
    );
    reload(&daemon, DONE);
    assert_eq!(usize::try_from(daemon.metric(FAILED)).unwrap(), broken.len() + 1);
    assert_eq!(send_bytes(&client, 10_000), 400, "now the title is too long, not the body");
    let said = daemon.until_said("the settings were read again");
    for key in ["log.level", "server.body_bytes_max", "at_restart=[\"store.cache_mib\"]"] {
        assert!(said.contains(key), "{said}");
    }
    let _ = client.get(&format!("/Users/{id}")).expect(200);
    daemon.until_said("DEBUG");
}

#[test]
fn r32_a_new_pair_is_shown_after_sighup_and_a_broken_one_is_not() {
    let home = home();
    let first = write_pair(home.path(), 2040);
    let pair =
        format!("[tls]\ncert_file = \"{0}/cert.pem\"\nkey_file = \"{0}/key.pem\"\n", home.path().display());
    let daemon = start(&home, &pair);
    let mut old = Tunnel::open(&daemon, &first).unwrap();
    let days = daemon.metric("rosterd_tls_days_to_expiry");

    let second = write_pair(home.path(), 2042);
    reload(&daemon, DONE);
    Tunnel::open(&daemon, &second).unwrap();
    assert!(Tunnel::open(&daemon, &first).is_err(), "the old certificate is still shown");
    old.livez().unwrap();
    assert_eq!(daemon.metric("rosterd_tls_days_to_expiry") - days, 731, "two years, one of them a leap year");

    // Another's key; no key at all; and a certificate that is none, with another setting beside it.
    let key = home.path().join("key.pem");
    std::fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    reload(&daemon, FAILED);
    let said = daemon.until_said("cannot be used together");
    assert!(said.contains("cert.pem") && said.contains("key.pem"), "{said}");
    std::fs::remove_file(&key).unwrap();
    reload(&daemon, FAILED);
    daemon.until_said("tls.key_file");
    write_pair(home.path(), 2044);
    std::fs::write(home.path().join("cert.pem"), "none").unwrap();
    write(home.path(), &format!("{pair}[log]\nlevel = \"debug\"\n"));
    reload(&daemon, FAILED);
    daemon.until_said("expected a certificate chain in PEM form");
    for _ in 0..2 {
        Tunnel::open(&daemon, &second).unwrap();
    }
    old.livez().unwrap();
    assert!(!daemon.said().contains("DEBUG"), "half a reload: {}", daemon.said());
}
