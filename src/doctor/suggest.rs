//! Which provider a connection looks like: by what it calls itself, and by what it sends. Only ever said to people; nothing behaves
//! otherwise for it, because anybody can send a header.

use super::report::Suggestion;
use super::view::RequestView;
use crate::idp::Profile;

/// What only one provider is known to send: where, a part of it, the profile's name, in words.
const SHAPES: [(Place, &str, &str, &str); 5] = [
    (Place::Target, "aadoptscim062020", "entra", "the flag aadOptscim062020 in the URL"),
    (Place::Body, "ResourceManagement/ADSCIM", "entra", "its own group schema in a body"),
    (Place::Body, "WindowsAzureActiveDirectoryRole", "entra", "its own role type in a body"),
    (Place::Body, "urn:scim:schemas:core:", "onelogin", "SCIM 1 schemas in a body"),
    (Place::Body, r#""op":"Replace","path""#, "entra", "operations in capital letters"),
];

#[derive(PartialEq, Eq)]
enum Place {
    Target,
    Body,
}

/// Says which provider it looks like.
pub(super) fn of(agent: Option<&str>, requests: &[RequestView]) -> Option<Suggestion> {
    let named = agent.and_then(|agent| {
        let profile = Profile::suggested_by(agent)?;
        Some(suggestion(profile, format!("it calls itself {agent}")))
    });
    named.or_else(|| {
        SHAPES.iter().find_map(|(place, part, profile, words)| {
            let sends = |request: &RequestView| match place {
                Place::Target => request.target.to_lowercase().contains(part),
                Place::Body => {
                    let text = request.body.as_ref().and_then(|body| body.text.as_deref());
                    text.is_some_and(|text| text.replace([' ', '\n'], "").contains(part))
                }
            };
            let profile = Profile::by_name(profile)?;
            requests.iter().any(sends).then(|| suggestion(profile, format!("it sent {words}")))
        })
    })
}

fn suggestion(profile: &Profile, because: String) -> Suggestion {
    Suggestion { provider: profile.title.to_owned(), because, profile: profile.name.to_owned() }
}
