//! Which provider a connection looks like: by what it calls itself, and by what it sends. Only ever said to people; nothing behaves
//! otherwise for it, because anybody can send a header.

use super::report::Suggestion;
use super::view::RequestView;
use crate::idp::Profile;

/// Microsoft Entra ID, as suggestions name it.
pub(super) const ENTRA: &str = "Microsoft Entra ID";
/// Okta, as suggestions name it.
pub(super) const OKTA: &str = "Okta";

/// What providers call themselves: a part of the User-Agent in lower case, the provider, the profile's name.
const AGENTS: [(&str, &str, &str); 12] = [
    ("okta", OKTA, "okta"),
    ("azure", ENTRA, "entra"),
    ("microsoft", ENTRA, "entra"),
    ("onelogin", "OneLogin", "onelogin"),
    ("jumpcloud", "JumpCloud", "jumpcloud"),
    ("google", "Google Workspace", "google"),
    ("ping", "Ping Identity", "ping"),
    ("rippling", "Rippling", "rippling"),
    ("authentik", "authentik", "authentik"),
    ("goauthentik", "authentik", "authentik"),
    ("keycloak", "Keycloak", "keycloak"),
    ("sailpoint", "SailPoint", "sailpoint"),
];

/// What only one provider is known to send: where, a part of it, the provider, the profile's name, in words.
const SHAPES: [(Place, &str, &str, &str, &str); 5] = [
    (Place::Target, "aadoptscim062020", ENTRA, "entra", "the flag aadOptscim062020 in the URL"),
    (Place::Body, "ResourceManagement/ADSCIM", ENTRA, "entra", "its own group schema in a body"),
    (Place::Body, "WindowsAzureActiveDirectoryRole", ENTRA, "entra", "its own role type in a body"),
    (Place::Body, "urn:scim:schemas:core:", "OneLogin", "onelogin", "SCIM 1 schemas in a body"),
    (Place::Body, r#""op":"Replace","path""#, ENTRA, "entra", "operations in capital letters"),
];

#[derive(PartialEq, Eq)]
enum Place {
    Target,
    Body,
}

/// Says which provider it looks like.
pub(super) fn of(agent: Option<&str>, requests: &[RequestView]) -> Option<Suggestion> {
    let named = agent.and_then(|agent| {
        let lower = agent.to_lowercase();
        let (_, provider, profile) = AGENTS.iter().find(|(part, ..)| lower.contains(part))?;
        Some(suggestion(provider, profile, format!("it calls itself {agent}")))
    });
    named.or_else(|| {
        SHAPES.iter().find_map(|(place, part, provider, profile, words)| {
            let sends = |request: &RequestView| match place {
                Place::Target => request.target.to_lowercase().contains(part),
                Place::Body => {
                    let text = request.body.as_ref().and_then(|body| body.text.as_deref());
                    text.is_some_and(|text| text.replace([' ', '\n'], "").contains(part))
                }
            };
            requests.iter().any(sends).then(|| suggestion(provider, profile, format!("it sent {words}")))
        })
    })
}

fn suggestion(provider: &str, profile: &str, because: String) -> Suggestion {
    let profile = Profile::by_name(profile).map(|profile| profile.name.to_owned());
    Suggestion { provider: provider.to_owned(), because, profile }
}
