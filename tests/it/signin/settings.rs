//! What an operator can get wrong, and what is said about it: what was expected, what was found, what to do.

use rosterd::signin::rp::{Authentication, Preset, Provider, Secret, Settings};

fn plain() -> Settings {
    let secret = Authentication::SecretPost(Secret::new("a secret".replace(' ', "-")));
    Settings::new(
        "entra",
        "https://login.example.com/t/v2.0",
        "client",
        secret,
        "https://rosterd.test/sso/entra/callback",
    )
}

/// The keys of what is wrong with settings that were changed so.
#[track_caller]
fn wrong(change: impl FnOnce(&mut Settings)) -> Vec<&'static str> {
    let mut settings = plain();
    change(&mut settings);
    let all = Provider::parse(settings).map(|_| ()).unwrap_err();
    for one in &all {
        assert!(!one.expected.is_empty() && !one.found.is_empty() && one.cure.len() > 10, "{one}");
        assert!(one.to_string().starts_with(one.key), "{one}");
    }
    all.iter().map(|one| one.key).collect()
}

#[test]
fn x44_only_algorithms_with_public_keys_can_be_allowed() {
    for name in ["HS256", "HS384", "HS512", "none", "RS384", "rs256", "dir", ""] {
        assert_eq!(wrong(|settings| settings.algorithms = vec![name.to_owned()]), ["algorithms"], "{name}");
    }
    assert_eq!(wrong(|settings| settings.algorithms.clear()), ["algorithms"]);
    let all = ["RS256", "PS256", "ES256", "ES384", "EdDSA"].map(str::to_owned).to_vec();
    assert!(Provider::parse(Settings { algorithms: all, ..plain() }).is_ok());
}

#[test]
fn x52_issuer_and_addresses_are_https() {
    for issuer in [
        "http://login.example.com",
        "login.example.com",
        "https://login.example.com/?a=b",
        "https://a@b.example",
        "https://b.example/#x",
        "",
    ] {
        assert!(wrong(|settings| settings.issuer = issuer.to_owned()).contains(&"issuer"), "{issuer}");
    }
    for uri in [
        "http://rosterd.test/cb",
        "http://localhost.evil.example/cb",
        "http://127.0.0.1@evil.example/",
        "/cb",
        "",
    ] {
        assert_eq!(wrong(|settings| settings.redirect_uri = uri.to_owned()), ["redirect_uri"], "{uri}");
    }
    for uri in ["http://127.0.0.1:8080/cb", "http://localhost/cb", "http://[::1]:1/cb"] {
        assert!(Provider::parse(Settings { redirect_uri: uri.to_owned(), ..plain() }).is_ok(), "{uri}");
    }
    assert_eq!(
        wrong(|settings| settings.discovery_url = Some("http://x.example".to_owned())),
        ["discovery_url"]
    );
    for host in ["https://x.example", "*.example", "x.example/path", "a..b", "x example"] {
        assert!(
            wrong(|settings| settings.endpoint_hosts = vec![host.to_owned()]).contains(&"endpoint_hosts"),
            "{host}"
        );
    }
}

#[test]
fn x45_an_issuer_for_every_tenant_needs_a_list_of_tenants() {
    let template = "https://login.microsoftonline.com/{tenantid}/v2.0".to_owned();
    assert_eq!(wrong(|settings| settings.issuer.clone_from(&template)), ["tenants"]);
    assert_eq!(wrong(|settings| settings.tenants = vec!["firm.example".to_owned()]), ["tenants"]);
    let tenants = vec!["8ADF8E6E-67B2-4CF2-A259-E3DC5476C621".to_owned()];
    let provider =
        Provider::parse(Settings { issuer: template, tenants, preset: Preset::Microsoft, ..plain() })
            .unwrap();
    let tenant = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621";
    let issuer = format!("https://login.microsoftonline.com/{tenant}/v2.0");
    assert_eq!(provider.issuer_for(Some(tenant)).as_deref(), Some(&*issuer));
    assert_eq!((provider.issuer_for(None), provider.issuer_for(Some("another"))), (None, None));
    assert!(provider.is_issuer(&issuer) && !provider.is_issuer(provider.issuer()));
    assert!(
        provider.may_lie_on("graph.microsoft.com")
            && !provider.may_lie_on("graph.microsoft.com.evil.example")
    );
}

#[test]
fn every_mistake_is_told_at_once_and_no_secret_with_it() {
    let found = wrong(|settings| {
        settings.id = "Entra ID".to_owned();
        settings.client_id.clear();
        settings.authentication = Authentication::SecretBasic(Secret::new("hush hush\n".to_owned()));
        settings.leeway_seconds = 301;
        settings.scopes = vec!["openid profile".to_owned()];
        settings.required_claims = vec!["a".to_owned(); 51];
    });
    assert_eq!(found, ["id", "client_id", "client_secret", "leeway_seconds", "scopes", "required_claims"]);
    let authentication = Authentication::SecretBasic(Secret::new("hush hush\n".to_owned()));
    let said = Provider::parse(Settings { authentication, ..plain() }).unwrap_err()[0].to_string();
    assert!(said.contains("10 bytes") && !said.contains("hush"), "{said}");
    assert!(!format!("{:?}", plain()).contains("a-secret"));
}
