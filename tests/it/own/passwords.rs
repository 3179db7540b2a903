//! Passwords: who may have one, who sets it, what its setting ends (H10, H11, P05, P06, T07, T08, T09), and who may not come in by one (X46).

use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::config::{Config, Environment, Sources};
use rosterd::ids::{Address, KindId, TenantId};
use rosterd::psa::locks::Authority;
use rosterd::roster::{
    Command, Dead, Deed, Edges, LinkPurpose, NotProved, Precondition, Refused, Reply, RosterError, Way, Whose,
};
use serde_json::{Value, json};

use super::{
    HASH, LIFETIMES, OTHER, body, by_password, by_provider, death, door, enter, firm, follow, key, link,
    local, looked_at, on_every_firm, operator, permit, person, set_method, set_password,
};
use crate::support::bodies::replace;
use crate::support::world::{history, said};
use crate::support::{Engine, TestApp};

#[test]
fn t09_p05_setting_a_password_ends_sessions_by_password_and_no_other() {
    on_every_firm(|app| {
        let ada = person(&app, "ada");
        set_password(&app, ada, HASH);
        let old = by_password(&app, "ada", None).unwrap().key;
        let provider = by_provider(&app, "ada");
        let mailed =
            follow(&app, &link(&app, ada, LinkPurpose::MagicLink), LinkPurpose::MagicLink).unwrap().key;
        for key in [&old, &provider, &mailed] {
            assert_eq!(death(&app, key), None);
        }
        set_password(&app, ada, OTHER);
        assert_eq!(death(&app, &old), Some(Dead::PasswordChanged));
        assert_eq!((death(&app, &provider), death(&app, &mailed)), (None, None));
        let new = by_password(&app, "ada", None).unwrap().key;
        assert_eq!(death(&app, &new), None);
    });
}

#[test]
fn t07_who_is_invited_has_no_password_until_they_set_one() {
    on_every_firm(|app| {
        let ada = person(&app, "ada");
        let _ = link(&app, ada, LinkPurpose::Invitation);
        assert!(app.roster().password_of(&door(&app), "ada").unwrap().is_none());
        let means = app.roster().sign_in_means(&operator(&app), ada).unwrap();
        assert_eq!((means.method, means.password_since), (Way::Password, None));
    });
}

#[test]
fn p05_a_temporary_password_opens_nothing_but_its_own_change() {
    on_every_firm(|app| {
        let ada = person(&app, "ada");
        let roster = app.roster();
        roster.set_password(&operator(&app), permit(&app), ada, HASH, true).unwrap();
        let first = by_password(&app, "ada", None).unwrap().key;
        assert_eq!(death(&app, &first), Some(Dead::MustChange));
        let live = roster.look_at_session_to_change_password(&first, LIFETIMES, &|_| true).unwrap().unwrap();
        assert!(live.must_change);
        let known = roster.password_of_person(&door(&app), ada).unwrap().unwrap();
        assert!(known.must_change);
        let stale = roster.change_password(&door(&app), ada, (known.epoch + 1, None), OTHER);
        assert!(matches!(stale, Err(RosterError::Moved)));
        let changed = roster.change_password(&door(&app), ada, (known.epoch, None), OTHER).unwrap();
        assert_eq!(death(&app, &first), Some(Dead::PasswordChanged), "the session begins anew");
        let second = enter(&app, Whose::Changed(changed.unwrap())).unwrap().key;
        assert!(!looked_at(&app, &second).unwrap().must_change);
        assert_eq!(roster.password_of(&door(&app), "ada").unwrap().unwrap().hash, OTHER);
    });
}

#[test]
fn x10_a_password_that_is_set_while_another_is_tried_lets_nobody_in_by_the_old_one() {
    on_every_firm(|app| {
        let ada = person(&app, "ada");
        set_password(&app, ada, HASH);
        let tried = app.roster().password_of(&door(&app), "ada").unwrap().unwrap();
        set_password(&app, ada, OTHER);
        let came = enter(&app, Whose::Password { person: ada, epoch: tried.epoch, second: None });
        assert_eq!(
            came.err(),
            Some(Refused::NotProved { person: Some(ada), why: NotProved::PasswordChanged })
        );
        assert!(!app.roster().rehash_password(&door(&app), &tried, "$argon2id$dearer").unwrap());
        assert_eq!(app.roster().password_of(&door(&app), "ada").unwrap().unwrap().hash, OTHER);
    });
}

#[test]
fn x10_a_dearer_hash_of_the_same_password_ends_nothing() {
    let app = firm(Engine::Memory);
    let ada = person(&app, "ada");
    set_password(&app, ada, HASH);
    let session = by_password(&app, "ada", None).unwrap().key;
    let known = app.roster().password_of(&door(&app), "ada").unwrap().unwrap();
    assert!(app.roster().rehash_password(&door(&app), &known, OTHER).unwrap());
    assert_eq!(death(&app, &session), None);
}

#[test]
fn x11_nobody_finds_a_password_of_who_is_unknown_locked_gone_or_has_none() {
    on_every_firm(|app| {
        let roster = app.roster();
        let find = |login: &str| roster.password_of(&door(&app), login).unwrap().map(|known| known.person);
        let ada = person(&app, "ada");
        assert_eq!((find("ada"), find("nobody"), find(""), find("\u{0}")), (None, None, None, None));
        set_password(&app, ada, HASH);
        for login in ["ada", "ADA", "ada@acme.test", "Ada@ACME.test"] {
            assert_eq!(find(login), Some(ada), "{login}");
        }
        roster.lock(&operator(&app), ada, Authority::Admin, None).unwrap();
        assert_eq!(find("ada"), None);
        roster.unlock(&operator(&app), ada, Authority::Admin).unwrap();
        assert_eq!(find("ada"), Some(ada));
        assert_eq!(app.delete(&format!("/Users/{ada}")).status, 204);
        assert_eq!(find("ada"), None);
    });
}

#[test]
fn x11_an_address_that_two_people_have_finds_neither() {
    let app = firm(Engine::Memory);
    let ada = person(&app, "ada");
    let mut twin = body("twin");
    twin["emails"][0]["value"] = "ada@acme.test".into();
    let twin = rosterd::ids::ResourceId::parse(&app.post("/Users", &twin).expect(201).id()).unwrap();
    set_password(&app, ada, HASH);
    set_password(&app, twin, HASH);
    assert!(app.roster().password_of(&door(&app), "ada@acme.test").unwrap().is_none());
    assert_eq!(app.roster().password_of(&door(&app), "ada").unwrap().unwrap().person, ada);
}

#[test]
fn x46_who_is_to_come_through_a_provider_has_no_other_way_in() {
    on_every_firm(|app| {
        let ada = person(&app, "ada");
        set_password(&app, ada, HASH);
        let by_own = by_password(&app, "ada", None).unwrap().key;
        let tried = app.roster().password_of(&door(&app), "ada").unwrap().unwrap();
        let mailed = link(&app, ada, LinkPurpose::MagicLink);
        let reset = link(&app, ada, LinkPurpose::Reset);
        set_method(&app, ada, Some(Way::Sso), false);
        assert_eq!(death(&app, &by_own), Some(Dead::Ended));
        assert!(app.roster().password_of(&door(&app), "ada").unwrap().is_none());
        let came = enter(&app, Whose::Password { person: ada, epoch: tried.epoch, second: None });
        assert!(matches!(came, Err(Refused::NotProved { .. })));
        assert!(matches!(follow(&app, &mailed, LinkPurpose::MagicLink), Err(Refused::NotProved { .. })));
        let code = reset.code.as_ref().unwrap();
        let done = app.roster().reset_password(&door(&app), &key(&reset), code, OTHER).unwrap();
        assert_eq!(done, Err(NotProved::NoSuchLink));
        for purpose in [LinkPurpose::MagicLink, LinkPurpose::Invitation, LinkPurpose::Reset] {
            let order = super::order(ada, purpose, rosterd::roster::SENT_AGAIN);
            let asked = app.roster().issue_link(&operator(&app), &order);
            assert!(matches!(asked, Err(RosterError::InUse(why)) if why.contains("by sso")));
            assert!(!app.roster().issue_link_for_login(&door(&app), "ada", purpose, &super::sealed).unwrap());
        }
        let set = app.roster().set_password(&operator(&app), permit(&app), ada, HASH, false);
        assert!(matches!(set, Err(RosterError::InUse(why)) if why.contains("by sso")));
        assert_eq!(death(&app, &by_provider(&app, "ada")), None);
        // What they had does not come back with the way.
        set_method(&app, ada, Some(Way::Password), false);
        assert!(app.roster().password_of(&door(&app), "ada").unwrap().is_none());
    });
}

#[test]
fn x46_whom_a_provider_provisions_signs_in_there_alone_unless_the_firm_says_otherwise() {
    let app = TestApp::with(Engine::Memory, &super::MAIL, std::sync::Arc::new(rosterd::net::SystemResolver));
    let theirs = person(&app, "ada");
    let ours = local(&app).post("/Users", &body("grace")).expect(201).id();
    let ours = rosterd::ids::ResourceId::parse(&ours).unwrap();
    let way = |id| app.roster().sign_in_means(&operator(&app), id).unwrap().method;
    assert_eq!((way(theirs), way(ours)), (Way::Sso, Way::Password));
    set_method(&app, theirs, Some(Way::Password), false);
    set_password(&app, theirs, HASH);
    let session = by_password(&app, "ada", None).unwrap().key;
    // What is decided counts at each use, and not only where somebody comes in.
    set_password(&app, ours, HASH);
    let grace = by_password(&app, "grace", None).unwrap().key;
    assert_eq!((death(&app, &session), death(&app, &grace)), (None, None));
    let sso = rosterd::psa::policy::Policy {
        sign_in: rosterd::psa::policy::SignIn {
            method: rosterd::psa::policy::FirmMethod::Fixed(Way::Sso),
            ..Default::default()
        },
        ..Default::default()
    };
    app.roster().set_policies(rosterd::psa::policy::Policies::new(sso, [])).unwrap();
    assert_eq!((death(&app, &session), death(&app, &grace)), (None, Some(Dead::Method)));
}

#[test]
fn x46_an_emergency_password_is_an_explicit_flag_and_each_use_is_told_to_the_history() {
    on_every_firm(|app| {
        let ada = person(&app, "ada");
        set_method(&app, ada, Some(Way::Sso), true);
        set_password(&app, ada, HASH);
        let session = by_password(&app, "ada", None).unwrap().key;
        assert_eq!(death(&app, &session), None);
        let rows = said(&history(app.roster(), TenantId::new(1)));
        let (facts, _) = rows.last().unwrap();
        assert!(facts.notes.iter().any(|note| note.starts_with("break-glass")), "{:?}", facts.notes);
        let mailed =
            app.roster().issue_link_for_login(&door(&app), "ada", LinkPurpose::MagicLink, &super::sealed);
        assert!(!mailed.unwrap(), "a password, and nothing else");
        set_method(&app, ada, Some(Way::Sso), false);
        assert!(death(&app, &session).is_some());
    });
}

#[test]
fn p06_a_password_is_taken_away_and_what_it_opened_ends() {
    on_every_firm(|app| {
        let ada = person(&app, "ada");
        set_password(&app, ada, HASH);
        let session = by_password(&app, "ada", None).unwrap().key;
        app.roster().clear_password(&operator(&app), permit(&app), ada).unwrap();
        assert_eq!(death(&app, &session), Some(Dead::PasswordChanged));
        assert!(app.roster().password_of(&door(&app), "ada").unwrap().is_none());
        // Saved sign-ins go by themselves.
        let provider = by_provider(&app, "ada");
        app.roster().end_everything(&operator(&app), ada).unwrap();
        assert_eq!(death(&app, &provider), Some(Dead::Ended));
    });
}

#[test]
fn who_leaves_and_comes_back_begins_without_a_password() {
    on_every_firm(|app| {
        let ada = person(&app, "ada");
        set_password(&app, ada, HASH);
        let _ = by_password(&app, "ada", None).unwrap();
        assert_eq!(app.delete(&format!("/Users/{ada}")).status, 204);
        let back = person(&app, "ada");
        assert_eq!(back, ada, "they have signed in, so they come back");
        assert!(app.roster().password_of(&door(&app), "ada").unwrap().is_none());
    });
}

/// A token that acts as a person.
fn acting_as(app: &TestApp, person: &str) -> rosterd::roster::Caller {
    let reply = app.operate(Command::TokenCreate {
        tenant: FIRST_TENANT.to_owned(),
        connection: "local".to_owned(),
        scopes: vec!["admin".to_owned(), "users:read".to_owned(), "users:write".to_owned()],
        days: Some(30),
        secret: None,
        person: Some(person.to_owned()),
    });
    let Reply::Token { secret, .. } = reply else { panic!("{reply:?}") };
    app.roster().authenticate(&secret, app.roster().request_id()).unwrap().unwrap()
}

#[test]
fn t08_an_administrator_sets_anybodys_password_but_their_own_and_who_may_less_sets_nobodys_who_may_more() {
    let app = firm(Engine::Memory);
    let desk = "[sign_in]\nmethod = \"password\"\n[permissions.bundles.desk]\n\
                description = \"Desk\"\ngrants = { \"users.update\" = \"all\", \"users.view\" = \"all\" }\n";
    let file = app.folder().join("desk.toml");
    std::fs::write(&file, desk).unwrap();
    let config = Config::load(&Sources::new(Environment::default()).file(file)).unwrap();
    app.roster().set_policies(rosterd::app::policies(&config)).unwrap();
    let roster = app.roster();
    let [ada, eve, bob] = ["ada", "eve", "bob"].map(|name| person(&app, name));
    roster.make_administrator(&operator(&app), ada).unwrap();
    let desk = json!({ "schemas": ["urn:rosterd:scim:schemas:psa:1.0:UserType"], "displayName": "Desk", "role": "desk" });
    let admin = app
        .issue(FIRST_TENANT, "local", &["users:read", "users:write", "kinds:read", "kinds:write", "admin"])
        .0;
    let types = admin.post("/UserTypes", &desk).expect(201).id();
    let eves = replace(
        "urn:rosterd:scim:schemas:extension:psa:1.0:User:userTypes",
        json!([{ "value": types, "primary": true }]),
    );
    let _ = admin.patch(&format!("/Users/{eve}"), &eves).expect(200);

    let boss = acting_as(&app, "ada");
    let permit = roster.may(&boss, Deed::SetSignIn).unwrap();
    roster.set_password(&boss, permit, bob, HASH, false).unwrap();
    roster.set_password(&boss, permit, eve, HASH, false).unwrap();
    let own = roster.set_password(&boss, permit, ada, HASH, false);
    assert!(matches!(own, Err(RosterError::InUse(why)) if why.contains("themselves")));

    let clerk = acting_as(&app, "eve");
    let permit = roster.may(&clerk, Deed::SetSignIn).unwrap();
    roster.set_password(&clerk, permit, bob, OTHER, false).unwrap();
    let up = |what: Result<(), RosterError>| {
        assert!(
            matches!(what, Err(RosterError::NotAllowed { needs: "what the other may do", .. })),
            "{what:?}"
        );
    };
    up(roster.set_password(&clerk, permit, ada, HASH, false));
    up(roster.clear_password(&clerk, permit, ada));
    // Nor is what would be mailed to them led elsewhere.
    let kind = roster.kinds().by_id(KindId::USER).unwrap().clone();
    let moved = |id, name: &str, value: Value| {
        let body = replace(name, value);
        roster.patch(&clerk, &kind, Address::user(id), &Precondition::None, body, Edges::NONE).map(|_| ())
    };
    let elsewhere = || json!([{ "value": "eve@evil.example", "primary": true }]);
    up(moved(ada, "emails", elsewhere()));
    up(moved(ada, "userName", json!("eve2")));
    moved(ada, "title", json!("Director")).unwrap();
    moved(bob, "emails", json!([{ "value": "bob@acme.example", "primary": true }])).unwrap();
    up(roster.clear_second_factor(&clerk, permit, ada));
    up(roster.set_sign_in_method(&clerk, permit, ada, Some(Way::Password), true));
    // Also while the other is kept out.
    roster.make_administrator(&operator(&app), bob).unwrap();
    roster.lock(&operator(&app), bob, Authority::Admin, None).unwrap();
    up(roster.set_password(&clerk, permit, bob, HASH, false));

    let nobody = person(&app, "nobody");
    let _ = nobody;
    let plain = acting_as(&app, "nobody");
    assert!(matches!(roster.may(&plain, Deed::SetSignIn), Err(RosterError::NotAllowed { .. })));
    assert!(matches!(roster.may(&plain, Deed::SendLinks), Err(RosterError::NotAllowed { .. })));
}

#[test]
fn x61_the_history_tells_that_a_password_was_set_and_never_which() {
    let app = firm(Engine::Memory);
    let ada = person(&app, "ada");
    set_password(&app, ada, HASH);
    let mailed = link(&app, ada, LinkPurpose::Reset);
    let rows = history(app.roster(), TenantId::new(1));
    let all: String = rows
        .iter()
        .flat_map(|row| [&row.facts, &row.values])
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .collect();
    assert!(all.contains("password-set") && all.contains("link-issue"), "{all}");
    let secret = mailed.token.split_once('.').unwrap().1;
    for secret in ["argon2id", secret, mailed.code.as_ref().unwrap()] {
        assert!(!all.contains(secret));
    }
}
