//! Whom an identity is found to be (X45), and whom it is not.

use rosterd::app::bootstrap::{FIRST_CONNECTION, FIRST_TENANT};
use rosterd::psa::policy::{Deprovision, Policies, Policy};
use rosterd::roster::{Identity, NotLinked, Refused};
use serde_json::json;

use super::{ISSUER, OKTA, id, identity, operator, provisioned, tried};
use crate::support::on_every_store;

#[test]
fn x45_a_subject_is_whom_its_own_connection_gave_that_external_id_and_stays_so() {
    on_every_store(|app| {
        let ada = app.post("/Users", &provisioned("ada", "00u1")).expect(201).id();
        assert_eq!(tried(&app, identity("00u1")).unwrap().person, id(&ada));
        let links = app.roster().links(&operator(&app), id(&ada)).unwrap();
        let [link] = links.as_slice() else { panic!("{links:?}") };
        assert_eq!(
            (link.provider.as_str(), link.subject.as_str(), link.by.as_str()),
            (OKTA, "00u1", "external-id")
        );
        // The key changes, the identity stays hers: it is the subject that counts.
        let mut body = provisioned("ada", "00u9");
        body["id"] = json!(ada);
        let _ = app.put(&format!("/Users/{ada}"), &body).expect(200);
        assert_eq!(tried(&app, identity("00u1")).unwrap().person, id(&ada));
    });
}

#[test]
fn x45_the_external_id_of_another_connection_names_nobody() {
    on_every_store(|app| {
        let other = app.connection(FIRST_TENANT, "entra", "auto");
        let _ = other.post("/Users", &provisioned("eve", "00u1")).expect(201);
        let refused = tried(&app, identity("00u1")).err().unwrap();
        let expected = NotLinked::NoSuchKey {
            provider: OKTA.into(),
            connection: FIRST_CONNECTION.into(),
            key: "00u1".into(),
        };
        assert_eq!(refused, Refused::NotLinked(expected));
        assert!(refused.to_string().contains("map externalId"), "{refused}");
    });
}

#[test]
fn x45_an_address_links_only_where_it_was_verified_and_to_the_one_person_who_has_it() {
    on_every_store(|app| {
        let mut ada = provisioned("ada@firm.test", "1");
        ada["emails"] =
            json!([{ "value": "ada@firm.test", "primary": true }, { "value": "shared@firm.test" }]);
        let ada = app.post("/Users", &ada).expect(201).id();
        let mut bob = provisioned("bob", "2");
        bob["emails"] = json!([{ "value": "shared@firm.test", "primary": true }]);
        let bob = app.post("/Users", &bob).expect(201).id();
        let with = |subject, email| Identity { key: None, email, ..identity(subject) };
        // Without an address that somebody vouches for, a name is nothing.
        assert!(matches!(tried(&app, with("s1", None)), Err(Refused::NotLinked(NotLinked::Unknown { .. }))));
        assert_eq!(tried(&app, with("s1", Some("Ada@Firm.test"))).unwrap().person, id(&ada));
        // Ada has the other address too, but not as the one she is known by.
        assert_eq!(tried(&app, with("s2", Some("shared@firm.test"))).unwrap().person, id(&bob));
        for odd in ["a@b@firm.test", "@firm.test", "bob", "bob@", "böb@firm.test", "bob @firm.test"] {
            assert!(tried(&app, with("s3", Some(odd))).is_err(), "{odd}");
        }
    });
}

#[test]
fn x45_an_address_is_seen_to_be_of_two_however_many_have_it_as_another_one() {
    on_every_store(|app| {
        let person = |name: &str, external: &str, team_is_first: bool| {
            let mut body = provisioned(name, external);
            body["emails"] = json!([
                { "value": format!("{name}@firm.test"), "primary": !team_is_first },
                { "value": "team@firm.test", "primary": team_is_first },
            ]);
            app.post("/Users", &body).expect(201).id()
        };
        for number in 0..5 {
            let _ = person(&format!("other{number}"), &format!("o{number}"), false);
        }
        let ada = person("ada", "1", true);
        let team = |subject| Identity { key: None, email: Some("team@firm.test"), ..identity(subject) };
        assert_eq!(tried(&app, team("s1")).unwrap().person, id(&ada));
        let _ = person("bob", "2", true);
        let refused = Refused::NotLinked(NotLinked::Ambiguous { provider: OKTA.into() });
        assert_eq!(tried(&app, team("s2")).err(), Some(refused.clone()));
        // Of so many none is looked at.
        for number in 5..70 {
            let _ = person(&format!("other{number}"), &format!("o{number}"), false);
        }
        assert_eq!(tried(&app, team("s3")).err(), Some(refused));
    });
}

#[test]
fn x45_an_address_that_two_people_have_links_neither() {
    on_every_store(|app| {
        for (name, external) in [("ada", "1"), ("bob", "2")] {
            let mut body = provisioned(name, external);
            body["emails"] = json!([{ "value": "team@firm.test", "primary": true }]);
            let _ = app.post("/Users", &body).expect(201);
        }
        let team = Identity { key: None, email: Some("team@firm.test"), ..identity("s1") };
        assert_eq!(
            tried(&app, team).err(),
            Some(Refused::NotLinked(NotLinked::Ambiguous { provider: OKTA.into() }))
        );
    });
}

#[test]
fn a_second_subject_never_gets_a_person_who_signs_in_as_another() {
    on_every_store(|app| {
        let mut body = provisioned("ada@firm.test", "1");
        body["emails"] = json!([{ "value": "ada@firm.test", "primary": true }]);
        let ada = app.post("/Users", &body).expect(201).id();
        let _ = tried(&app, identity("1")).unwrap();
        let second = Identity { subject: "evil", key: None, email: Some("ada@firm.test"), ..identity("1") };
        let taken = Refused::NotLinked(NotLinked::Taken { provider: OKTA.into(), person: id(&ada) });
        assert_eq!(tried(&app, second).err(), Some(taken.clone()));
        // By hand neither, before the first is unlinked; and what it had opened is closed then.
        let roster = app.roster();
        let link = (OKTA, ISSUER, "evil");
        let refused = roster.link(&operator(&app), id(&ada), link).unwrap_err();
        assert!(refused.to_string().contains("unlink"), "{refused}");
        let session = tried(&app, identity("1")).unwrap().key;
        roster.unlink(&operator(&app), id(&ada), OKTA).unwrap();
        assert!(super::death(&app, &session).is_some());
        roster.link(&operator(&app), id(&ada), link).unwrap();
        assert_eq!(tried(&app, second).unwrap().person, id(&ada));
        assert_eq!(tried(&app, identity("1")).err(), Some(taken));
    });
}

#[test]
fn who_was_erased_and_made_anew_is_found_anew_and_who_came_back_is_who_they_were() {
    on_every_store(|app| {
        let gone = app.post("/Users", &provisioned("bob", "00u2")).expect(201).id();
        assert_eq!(tried(&app, identity("00u2")).unwrap().person, id(&gone));
        let _ = app.delete(&format!("/Users/{gone}")).expect(204);
        assert_eq!(tried(&app, identity("00u2")).err(), Some(Refused::NotLetIn { person: id(&gone) }));
        let _ = app.post("/Users", &provisioned("bob", "00u2")).expect(201);
        assert_eq!(tried(&app, identity("00u2")).unwrap().person, id(&gone));
        let erases = Policy { deprovision: Deprovision::Delete, ..Policy::default() };
        app.roster().set_policies(Policies::new(erases, [])).unwrap();
        let first = app.post("/Users", &provisioned("ada", "00u1")).expect(201).id();
        assert_eq!(tried(&app, identity("00u1")).unwrap().person, id(&first));
        let _ = app.delete(&format!("/Users/{first}")).expect(204);
        assert!(tried(&app, identity("00u1")).is_err());
        let second = app.post("/Users", &provisioned("ada", "00u1")).expect(201).id();
        assert_ne!(first, second);
        assert_eq!(tried(&app, identity("00u1")).unwrap().person, id(&second));
    });
}

#[test]
fn an_identity_that_is_somebodys_is_not_linked_to_somebody_else() {
    on_every_store(|app| {
        let ada = app.post("/Users", &provisioned("ada", "1")).expect(201).id();
        let bob = app.post("/Users", &provisioned("bob", "2")).expect(201).id();
        let _ = tried(&app, identity("1")).unwrap();
        let refused = app.roster().link(&operator(&app), id(&bob), (OKTA, ISSUER, "1")).unwrap_err();
        assert!(refused.to_string().contains(&ada), "{refused}");
        assert!(app.roster().links(&operator(&app), id(&bob)).unwrap().is_empty());
    });
}
