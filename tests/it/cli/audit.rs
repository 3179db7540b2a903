//! `rosterd audit`: the history proved and written out.

use std::os::unix::fs::PermissionsExt;

use super::Site;
use crate::support::bodies::{replace, user};

#[test]
fn x59_verify_proves_every_history_and_says_its_head() {
    Site::each(|site| {
        site.run(&["tenant", "create", "acme"]).done();
        let all = site.run(&["audit", "verify"]).done();
        let lines: Vec<&str> = all.out.lines().collect();
        let names: Vec<&str> = lines.iter().map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(names, ["(installation)", "acme", "main"]);
        assert!(lines.iter().all(|line| line.contains(" entries, whole; head ")), "{all:?}");
        let one = site.run(&["audit", "verify", "--tenant", "main"]).done();
        assert_eq!(one.out.lines().collect::<Vec<_>>(), [lines[2]]);
        assert!(site.run(&["audit", "verify", "--tenant", "none"]).failed().contains("rosterd tenant list"));
    });
}

#[test]
fn x58_export_writes_one_json_line_for_each_change_and_goes_on_where_one_left_off() {
    Site::each(|site| {
        let client = site.serve().client();
        let id = client.post("/Users", &user("ada")).expect(201).id();
        let _ = client.patch(&format!("/Users/{id}"), &replace("title", "chief")).expect(200);
        let _ = client.delete(&format!("/Users/{id}")).expect(204);
        let all = site.run(&["audit", "export", "--tenant", "main"]).done();
        let rows = all.json();
        let seqs: Vec<u64> = rows.iter().map(|row| row["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
        assert_eq!(all.err, format!("{} entries written\n", rows.len()));
        let last = rows.len() - 3;
        assert!(rows[last..].iter().all(|row| row["facts"].as_str().unwrap().contains(&id)), "{rows:?}");

        let after = site.run(&["audit", "export", "--tenant", "main", "--after", &last.to_string()]).done();
        assert_eq!(after.json(), rows[last..]);
        let out = site.home.path().join("audit.jsonl");
        let to_file =
            site.run(&["audit", "export", "--tenant", "main", "--out", out.to_str().unwrap()]).done();
        assert_eq!((to_file.out.as_str(), std::fs::read_to_string(&out).unwrap()), ("", all.out.clone()));
        assert_eq!(out.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let nowhere = site.home.path().join("no/audit.jsonl");
        let line =
            site.run(&["audit", "export", "--tenant", "main", "--out", nowhere.to_str().unwrap()]).failed();
        assert!(line.contains(nowhere.to_str().unwrap()), "{line}");
        assert!(
            !all.out.contains("rost_") && !all.out.contains(crate::support::TestDaemon::TOKEN),
            "{all:?}"
        );
    });
}
