//! Tenants, connections, administrators.

use serde_json::Value;

use super::Site;

#[test]
fn a_tenant_is_made_once_and_listed() {
    Site::each(|site| {
        let made = site.run(&["tenant", "create", "acme"]).done();
        assert_eq!(
            (made.out.as_str(), made.err.as_str()),
            ("", "Made tenant acme. Next: rosterd connection create idp --tenant acme\n")
        );
        let again = site.run(&["tenant", "create", "acme"]).failed();
        assert_eq!(again, "a tenant is named \"acme\" already; choose another name");
        let reserved = site.run(&["tenant", "create", "system"]).failed();
        assert!(reserved.contains("reserved"), "{reserved}");
        for wrong in ["Acme", "a b", "-a", "a_b", "", "ä", &"a".repeat(64), "a\u{1b}[31m"] {
            // What follows `--` cannot be a flag, so the folder stands before it.
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rosterd"));
            command.args(["tenant", "create", "--data"]).arg(site.data()).args(["--", wrong]).env_clear();
            let line = super::run(&mut command).failed();
            assert!(line.contains("expected 1 to 63 lower-case letters, digits and inner hyphens"), "{line}");
            assert!(!line.contains('\u{1b}'), "{line:?}");
        }
        let names = |site: &Site| -> Vec<String> {
            let rows = site.run(&["tenant", "list", "--json"]).done().json();
            rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(site), ["acme", "main"]);
        let table = site.run(&["tenant", "list"]).done();
        assert!(
            table.out.contains("acme") && table.out.contains("created") && table.err.is_empty(),
            "{table:?}"
        );
        site.restart();
        assert_eq!(names(site), ["acme", "main"]);
    });
}

#[test]
fn a_connection_is_made_for_a_tenant_that_is_there_with_a_profile_that_is_there() {
    Site::each(|site| {
        let made =
            site.run(&["connection", "create", "okta", "--tenant", "main", "--profile", "strict"]).done();
        assert!(made.err.contains("Next: rosterd token create --tenant main --connection okta"), "{made:?}");
        for (arguments, parts) in [
            (
                &["okta", "--tenant", "main"][..],
                &["a connection is named \"okta\" already", "choose another name"][..],
            ),
            (
                &["okta", "--tenant", "acme"],
                &["no tenant is named \"acme\"", "rosterd tenant list", "rosterd tenant create acme"],
            ),
            (
                &["two", "--tenant", "main", "--profile", "entre"],
                &["unknown profile \"entre\"", "expected one of: ", "auto", "strict"],
            ),
        ] {
            let line = site.run(&[&["connection", "create"], arguments].concat()).failed();
            for part in parts {
                assert!(line.contains(part), "{line}");
            }
        }
        let rows = site.run(&["connection", "list", "--json"]).done().json();
        let seen: Vec<[&str; 3]> = rows
            .iter()
            .map(|row| ["tenant", "name", "profile"].map(|key| row[key].as_str().unwrap()))
            .collect();
        assert_eq!(seen, [["main", "local", "auto"], ["main", "idp", "auto"], ["main", "okta", "strict"]]);
        let table = site.run(&["connection", "list", "--tenant", "main"]).done().out;
        assert!(table.lines().any(|line| line.contains("okta") && line.contains("strict")), "{table}");
        assert!(
            site.run(&["connection", "list", "--tenant", "acme"]).failed().contains("rosterd tenant list")
        );
    });
}

#[test]
fn x12_an_administrator_is_made_with_an_invitation_that_is_shown_once_and_only_on_standard_error() {
    Site::each(|site| {
        let made = site
            .run(&["admin", "create", "ada@acme.example", "--tenant", "main", "--display-name", "Ada"])
            .done();
        assert_eq!(made.out, "");
        let secret = made.err.lines().last().unwrap().strip_prefix("/invite/1.").unwrap();
        assert!(secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "{made:?}");
        assert!(made.err.contains("good until 20") && made.err.contains("shown this once"), "{made:?}");
        let again = site.run(&["admin", "create", "ADA@acme.example", "--tenant", "main"]).failed();
        assert!(again.contains("userName"), "{again}");
        let nowhere = site.run(&["admin", "create", "ada", "--tenant", "acme"]).failed();
        assert!(nowhere.contains("no tenant is named \"acme\""), "{nowhere}");
        let odd = site.run(&["admin", "create", "ada\u{202e}", "--tenant", "main"]).failed();
        assert!(odd.contains("userName"), "{odd}");

        let token = site.run(&["token", "create", "--tenant", "main", "--connection", "local"]).done();
        let found = site
            .serve()
            .client()
            .with(token.out.trim())
            .find("/Users", "userName eq \"ada@acme.example\"")
            .expect(200)
            .json();
        let ada: &Value = &found["Resources"][0];
        assert_eq!(
            (&ada["displayName"], &ada["emails"][0]["value"]),
            (&"Ada".into(), &"ada@acme.example".into())
        );
        site.daemon.as_ref().unwrap().client().with(secret).get("/Users").refused(401, None);
    });
}
