//! `rosterd plugin` where no plugin is loaded: who waits is listed from the store, and what takes a plugin says so.

use super::Site;

#[test]
fn who_waits_is_listed_with_and_without_a_daemon() {
    Site::each(|site| {
        let listed = site.run(&["plugin", "parked"]).done();
        assert_eq!((listed.out.as_str(), listed.err.as_str()), ("", "none\n"));
        assert!(
            site.run(&["plugin", "parked", "--tenant", "nobody"]).failed().contains("no tenant is named")
        );
    });
}

#[test]
fn what_takes_a_plugin_says_so_where_there_is_none() {
    Site::each(|site| {
        let expected =
            if site.daemon.is_some() { "no plugin is loaded" } else { "expected a daemon that serves" };
        for command in [&["plugin", "remap"][..], &["plugin", "replay", "rates", "--since", "1d"]] {
            let said = site.run(command).failed();
            assert!(said.contains(expected), "{said}");
        }
        assert!(site.run(&["plugin", "notices", "payroll"]).failed().contains("has been told of anything"));
        assert!(
            site.run(&["plugin", "replay", "rates", "--since", "soon"])
                .failed()
                .contains("--since: expected 7d")
        );
        assert!(
            site.run(&["plugin", "remap", "--rate", "0"]).failed().contains("--rate: expected at least 1")
        );
    });
}
