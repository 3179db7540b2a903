//! Clients: what an administrator types, and what an identity provider can do with what is printed (D-E20).

use super::{Ran, Site};
use crate::support::Request;

const CREATE: [&str; 6] = ["client", "create", "--tenant", "main", "--connection", "idp"];

/// Reads a value out of the lines that are printed for an identity provider.
fn value(ran: &Ran, name: &str) -> Option<String> {
    ran.out.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
}

fn fetch(site: &mut Site, id: &str, secret: &str) -> crate::support::Answer {
    let body = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let request = Request::new("POST", "/oauth2/token")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(body);
    site.serve().client().stranger().send(&request)
}

#[test]
fn d_e20_a_client_is_made_rotated_and_revoked_from_the_command_line() {
    Site::each(|site| {
        let made = site.run(&CREATE).done();
        let (id, secret) = (value(&made, "client id").unwrap(), value(&made, "client secret").unwrap());
        assert!(!made.err.contains(&secret), "{made:?}");
        let (token_url, scim_url) = (value(&made, "token URL").unwrap(), value(&made, "SCIM URL").unwrap());
        assert_eq!(token_url.strip_suffix("/oauth2/token"), scim_url.strip_suffix("/scim/v2"), "{made:?}");
        assert!(token_url.starts_with("http://127.0.0.1:"), "{made:?}");
        let first_id = made.err.strip_prefix("Made a client with secret ").unwrap()[..36].to_owned();

        let second =
            site.run(&["client", "secret", "add", &id, "--days", "7", "--json"]).done().json().remove(0);
        assert_eq!((&second["client_id"], &second["token_url"]), (&id.clone().into(), &token_url.into()));
        let third = site.run(&["client", "secret", "add", &id]).failed();
        assert!(third.contains("has 2 live secrets already; revoke the older one first"), "{third}");

        let listed = site.run(&["client", "list", "--json"]).done();
        let table = site.run(&["client", "list"]).done();
        for (text, part) in [(&listed.out, &first_id), (&table.out, &first_id), (&table.out, &id)] {
            assert!(text.contains(part) && !text.contains("rosts_") && !text.contains("hash"), "{text}");
        }
        let _ = fetch(site, &id, &secret).expect(200);
        let _ = fetch(site, &id, second["client_secret"].as_str().unwrap()).expect(200);
        site.run(&["client", "secret", "revoke", &id, &first_id]).done();
        assert_eq!(fetch(site, &id, &secret).status, 401);
        site.run(&["client", "revoke", &id]).done();
        assert_eq!(fetch(site, &id, second["client_secret"].as_str().unwrap()).status, 401);
        assert_eq!(site.run(&["client", "list"]).done().err, "none\n");
        assert!(site.run(&["client", "revoke", &id]).failed().contains("rosterd client list shows them"));
        site.run(&["check"]).done();
    });
}

#[test]
fn d_e20_what_is_pinned_is_listed_and_what_is_wrong_is_said() {
    Site::each(|site| {
        let made = site.run(&[&CREATE[..], &["--federated"]].concat()).done();
        let id = value(&made, "client id").unwrap();
        assert_eq!(value(&made, "client secret"), None);
        assert!(made.err.contains(&format!("Next: rosterd client federate {id}")), "{made:?}");
        let pin = |more: &[&str]| {
            let given =
                ["client", "federate", &id, "--issuer", "https://idp.example/v2.0", "--subject", "object-1"];
            site.run(&[&given[..], more].concat())
        };
        let pinned = pin(&[
            "--audience",
            "api://one",
            "--audience",
            "api://two",
            "--jwks-uri",
            "https://idp.example/keys",
        ]);
        assert!(value(&pinned.done(), "token URL").is_some());
        let row = site.run(&["client", "list", "--json"]).done().json().remove(0);
        assert_eq!(
            row["federation"],
            serde_json::json!({
                "issuer": "https://idp.example/v2.0", "subject": "object-1", "audiences": ["api://one", "api://two"],
                "keys_url": "https://idp.example/keys", "algorithms": ["RS256", "PS256", "ES256"], "lifetime_minutes_max": 1440,
            })
        );
        let plain = pin(&["--audience", "a", "--jwks-uri", "http://idp.example/keys"]).failed();
        assert!(plain.contains("https only"), "{plain}");
        let none = pin(&["--audience", "a", "--algorithms", "RS256,none"]).failed();
        assert!(none.contains("unknown algorithm \"none\"; expected one of: RS256"), "{none}");
        assert_eq!(pin(&[]).code, Some(2), "an audience is needed");
        let both = site.run(&[&CREATE[..], &["--basic", "--federated"]].concat());
        assert_eq!(both.code, Some(2), "{both:?}");
        let basic = site.run(&[&CREATE[..], &["--basic"]].concat()).done();
        assert_eq!(value(&basic, "token URL"), None, "such a client fetches nothing");
    });
}
