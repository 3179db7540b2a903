//! Reload: a new version as a whole or not at all, and the old one goes on (R31).

use rosterd::roster::hooks::{Broke, Failure, Hooks, Plugin};

use super::guest::{Guest, rate};
use super::home::{Home, about, anna, nothing};

#[test]
fn r31_a_bad_module_keeps_the_old_one() {
    let home = Home::new();
    let plugin = home.one(&rate());
    let fingerprint = plugin.fingerprint().to_owned();
    let bad = [
        b"cut off".to_vec(),
        Guest::mapper().configure(|_| "(unreachable)".to_owned()).does(|_| "(unreachable)".to_owned()),
        wat::parse_str("(component (import \"wasi:io/streams@0.2.0\" (instance)))").unwrap(),
    ];
    for component in bad {
        assert!(home.load(&[home.spec("test", &component)]).is_err());
        let there = home.host.find("test").unwrap();
        assert_eq!(there.fingerprint(), fingerprint);
        assert_eq!(there.map(&about(), &anna(), &nothing()).unwrap().proposals.len(), 1);
    }
}

#[test]
fn r31_a_reload_that_fails_for_one_plugin_changes_none() {
    let home = Home::new();
    home.one(&rate());
    let other =
        home.spec("other", &Guest::mapper().does(|image| format!("(i32.const {})", image.changes(&[]))));
    let broken = home.spec("test", b"cut off");
    assert!(home.load(&[broken, other.clone()]).is_err());
    let names =
        |home: &Home| -> Vec<String> { home.host.views().into_iter().map(|view| view.name).collect() };
    assert_eq!(names(&home), ["test"]);
    let done = home.load(&[home.spec("test", &rate()), other]).unwrap();
    assert_eq!((done.loaded, done.unchanged), (vec!["other".to_owned()], vec!["test".to_owned()]));
    assert_eq!(names(&home), ["test", "other"]);
}

#[test]
fn r31_what_is_unchanged_is_not_loaded_again_and_keeps_its_breaker() {
    let home = Home::new();
    let component = Guest::mapper().does(|_| "(unreachable)".to_owned());
    let plugin = home.one(&component);
    for _ in 0..5 {
        assert!(plugin.map(&about(), &anna(), &nothing()).is_err());
    }
    assert!(plugin.is_open());
    home.load(&[home.spec("test", &component)]).unwrap();
    assert!(home.host.find("test").unwrap().is_open());
    home.load(&[home.spec("test", &rate())]).unwrap();
    assert!(!home.host.find("test").unwrap().is_open(), "another build begins anew");
}

#[test]
fn r31_what_is_not_required_is_absent_and_says_so_each_time() {
    let home = Home::new();
    let mut spec = home.spec("test", b"cut off");
    spec.required = false;
    spec.hooks = Some(Hooks { map: true, ..Hooks::default() });
    let done = home.load(&[spec.clone(), home.spec("good", &rate())]).unwrap();
    assert_eq!((done.loaded, done.absent.len()), (vec!["good".to_owned()], 1));
    let plugins = home.host.plugins();
    assert_eq!(plugins[0].hooks(), Hooks { map: true, ..Hooks::default() });
    let end = plugins[0].map(&about(), &anna(), &nothing());
    assert!(matches!(end, Err(Failure::Broke(Broke::Absent, _))), "{end:?}");
    let view = &home.host.views()[0];
    assert_eq!(view.state, "absent");
    assert!(view.why.as_ref().unwrap().contains("not a component"), "{view:?}");
    // Once it is there it is asked.
    let mut there = home.spec("test", &rate());
    there.required = false;
    home.load(&[there]).unwrap();
    assert_eq!(home.host.views()[0].state, "loaded");
}

#[test]
fn r31_calls_under_way_finish_on_the_build_that_they_began_with() {
    let home = Home::new();
    let old = home.one(&rate());
    home.load(&[
        home.spec("test", &Guest::mapper().does(|image| format!("(i32.const {})", image.changes(&[]))))
    ])
    .unwrap();
    assert_eq!(old.map(&about(), &anna(), &nothing()).unwrap().proposals.len(), 1);
    let new = home.host.find("test").unwrap();
    assert_eq!(new.map(&about(), &anna(), &nothing()).unwrap().proposals.len(), 0);
    home.load(&[]).unwrap();
    assert!(home.host.plugins().is_empty());
}

#[test]
fn what_happens_to_plugins_is_counted() {
    let home = Home::new();
    let plugin = home.one(&rate());
    plugin.map(&about(), &anna(), &nothing()).unwrap();
    assert!(home.load(&[home.spec("test", b"x")]).is_err());
    let mut registry = prometheus_client::registry::Registry::default();
    home.host.figures().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "rosterd_plugin_calls_total{plugin=\"test\",hook=\"map\",outcome=\"ok\"} 1",
        "rosterd_plugin_reload_total{plugin=\"test\",result=\"loaded\"} 1",
        "rosterd_plugin_reload_total{plugin=\"test\",result=\"kept\"} 1",
        "rosterd_plugin_breaker_open{plugin=\"test\"} 0",
        "rosterd_plugin_duration_seconds_count{plugin=\"test\",hook=\"map\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(text.contains("rosterd_plugin_version{plugin=\"test\",version=\"1.2.3\",sha256=\""), "{text}");
}
