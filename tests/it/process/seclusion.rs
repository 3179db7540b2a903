//! X66, X71: what other users of the machine can see, and what a crash leaves behind.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use super::{everything, home, status_line};
use crate::support::TestDaemon;
use crate::support::bodies::user;

/// A mask under which everybody may read and write everything.
const OPEN_MASK: &str = "umask 000; ulimit -c unlimited; exec \"$0\" \"$@\"";

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn x66_folder_files_and_socket_are_the_owners_alone_whatever_the_mask_was() {
    let home = home();
    let daemon = TestDaemon::start_with(&home, &["sh", "-c", OPEN_MASK], |_| {});
    let _ = daemon.client().post("/Users", &user("ada")).expect(201);
    assert_eq!(status_line(daemon.id(), "Umask"), "0077");
    let out = home.path().join("audit.jsonl");
    assert!(
        daemon.cli(&["audit", "export", "--tenant", "main", "--out", out.to_str().unwrap()]).status.success()
    );
    assert_eq!(mode(&out), 0o600);
    assert_eq!(mode(&daemon.data()), 0o700);
    let found = everything(&daemon.data());
    assert!(found.iter().any(|path| path.metadata().unwrap().file_type().is_socket()), "{found:?}");
    for path in &found {
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(path), wanted, "{}", path.display());
        assert_eq!(path.metadata().unwrap().uid(), home.path().metadata().unwrap().uid());
    }
    drop(daemon);

    // A folder that was made for us, open to everybody, is closed.
    let home = self::home();
    std::fs::create_dir(home.path().join("data")).unwrap();
    std::fs::set_permissions(home.path().join("data"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let daemon = TestDaemon::start_with(&home, &[], |_| {});
    assert_eq!(mode(&daemon.data()), 0o700);
    daemon.until_said("warning: data.dir");
}

#[test]
fn x71_a_crash_leaves_no_core_with_tokens_and_people_in_it() {
    let daemon = TestDaemon::start_with(&home(), &["sh", "-c", OPEN_MASK], |_| {});
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let values: Vec<&str> = line["Max core file size".len()..].split_whitespace().collect();
    assert_eq!(values, ["0", "0", "bytes"]);
}
