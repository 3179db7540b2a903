//! From the configuration's words on identity providers to what sign-in offers. Reads the files of their secrets.

use std::sync::Arc;

use crate::config::secret::SecretText;
use crate::config::{self, ClientAuthentication, Config, IdentityProvider, ProviderKind};
use crate::http::edge::Edge;
use crate::http::signin::cookies::Cookies;
use crate::http::signin::desk::{Proxies, redirect_uri};
use crate::http::signin::gateway::App;
use crate::http::signin::{Offer, Opened};
use crate::roster::{Claim, Showing};
use crate::signin::rp::{Authentication, Demand, Preset, Provider, Secret, Settings};

/// Why a provider cannot be asked. One line for each mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("identity provider {name}: {}", what.join("; "))]
pub struct ProviderError {
    /// Which.
    pub name: String,
    /// What was expected, what was found, and what to do.
    pub what: Vec<String>,
}

/// Makes what sign-in offers. `public_url` is where browsers find us, without a slash at its end.
pub fn offer(config: &Config, public_url: &str) -> Result<Offer, ProviderError> {
    let all = config.identity_providers.iter().map(|one| {
        let opened = opened(one, public_url)?;
        Ok((one.name.clone(), Arc::new(opened)))
    });
    let cookies = Cookies {
        domain: config.server.cookie_domain.as_ref().map(|domain| domain.as_str().to_owned()),
        from_forms: config.identity_providers.iter().any(|one| one.form_post),
    };
    let proxies = config.server.trusted_proxies.clone();
    Ok(Offer {
        providers: all.collect::<Result<_, _>>()?,
        apps: config.apps.iter().map(|one| (one.name.clone(), Arc::new(app(one)))).collect(),
        cookies,
        proxies: Proxies::new(move |address| proxies.iter().any(|network| network.contains(address))),
    })
}

fn app(one: &config::App) -> App {
    let claim = |claim: &config::Claim| match claim {
        config::Claim::Email => Claim::Email,
        config::Claim::Name => Claim::Name,
        config::Claim::UserName => Claim::UserName,
        config::Claim::Kind => Claim::Kind,
        config::Claim::Groups => Claim::Groups,
        config::Claim::Roles => Claim::Roles,
        config::Claim::UserTypes => Claim::UserTypes,
        config::Claim::License => Claim::License,
        config::Claim::ActingFor => Claim::ActingFor,
    };
    App {
        showing: Arc::new(Showing {
            app: one.name.as_str().into(),
            tenant: one.tenant.clone(),
            claims: one.claims.iter().map(claim).collect(),
            permissions: one.permissions.clone(),
            requires: one.requires.clone(),
        }),
        origin: one.url.as_str().to_owned(),
        audience: one.audience().to_owned(),
        sends_to_sign_in: one.browser == config::Browser::Redirect,
    }
}

fn opened(one: &IdentityProvider, public_url: &str) -> Result<Opened, ProviderError> {
    let refused = |what: Vec<String>| ProviderError { name: one.name.clone(), what };
    let secret = |make: fn(Secret) -> Authentication| {
        let Some(file) = &one.client_secret_file else {
            return Err(refused(vec!["client_secret_file: not set".to_owned()]));
        };
        let text = SecretText::read(file).map_err(|error| refused(vec![error.to_string()]))?;
        Ok(make(Secret::new(text.expose().to_owned())))
    };
    let authentication = match one.client_authentication {
        ClientAuthentication::Basic => secret(Authentication::SecretBasic)?,
        ClientAuthentication::Post => secret(Authentication::SecretPost)?,
        ClientAuthentication::None => Authentication::Public,
    };
    let back = redirect_uri(public_url, &one.name);
    let mut settings = Settings::new(&one.name, &one.issuer, &one.client_id, authentication, &back);
    settings.discovery_url.clone_from(&one.discovery_url);
    settings.post_logout_redirect_uri = Some(format!("{public_url}/logout"));
    if let Some(scopes) = &one.scopes {
        settings.scopes.clone_from(scopes);
    }
    if let Some(algorithms) = &one.algorithms {
        settings.algorithms.clone_from(algorithms);
    }
    if let Some(seconds) = one.leeway_s {
        settings.leeway_seconds = seconds;
    }
    settings.tenants.clone_from(&one.directories);
    settings.hosted_domains.clone_from(&one.hosted_domains);
    settings.endpoint_hosts.clone_from(&one.endpoint_hosts);
    settings.required_claims.clone_from(&one.required_claims);
    settings.form_post = one.form_post;
    let own_key = match one.kind {
        ProviderKind::Oidc => {
            settings.preset = Preset::Plain;
            "sub"
        }
        ProviderKind::Google => {
            settings.preset = Preset::Google;
            "sub"
        }
        ProviderKind::Microsoft => {
            settings.preset = Preset::Microsoft;
            "oid"
        }
    };
    let key_claim = one.key_claim.clone().unwrap_or_else(|| own_key.to_owned());
    settings.wanted_claims.push(key_claim.clone());
    if one.link_by_email {
        settings.wanted_claims.push("email".to_owned());
    }
    let provider = Provider::parse(settings)
        .map_err(|wrong| refused(wrong.iter().map(|error| named(error.to_string())).collect()))?;
    Ok(Opened {
        provider,
        tenant: one.tenant.clone(),
        title: one.title.clone().unwrap_or_else(|| one.name.clone()),
        enabled: one.enabled,
        connection: one.connection.clone(),
        key_claim,
        domains: one.domains.clone(),
        link_by_email: one.link_by_email,
        demand: Demand { max_age: one.max_age_s, acr_values: one.acr_values.clone(), prompt: None },
    })
}

/// Fetches metadata and keys of every provider that is asked, so that nobody who signs in waits for that; says which cannot be reached.
pub async fn keep_fresh(edge: Edge) {
    for (name, opened) in &edge.desk().offer().providers {
        if !opened.enabled {
            continue;
        }
        if let Err(refusal) = edge.desk().party.keep_fresh(&opened.provider).await {
            let (code, cure) = (refusal.code(), refusal.cure());
            tracing::warn!(
                provider = name.as_str(),
                code,
                cure,
                "an identity provider cannot be asked: {refusal}"
            );
        }
    }
}

/// What the relying party calls its settings, in the words of the file.
fn named(what: String) -> String {
    let renamed = [
        ("tenants: ", "directories: "),
        ("leeway_seconds: ", "leeway_s: "),
        ("client_secret: ", "client_secret_file: "),
        ("redirect_uri: ", "server.public_url: "),
        ("post_logout_redirect_uri: ", "server.public_url: "),
    ];
    let found = renamed.into_iter().find_map(|(from, to)| Some(format!("{to}{}", what.strip_prefix(from)?)));
    found.unwrap_or(what)
}
