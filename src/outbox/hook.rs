//! One webhook as the settings say, with its secrets read.

use std::path::Path;

use hyper::HeaderMap;
use hyper::http::{HeaderName, HeaderValue};

use super::event::{Event, Money, Type};
use super::sign::Secret;
use crate::config::secret::SecretText;
use crate::config::{Webhook, WebhookFrom};
use crate::net::DeliveryUrl;

/// Why a webhook cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("webhook {name}: {what}")]
pub struct HookError {
    /// Which.
    pub name: String,
    /// What was expected and what was found.
    pub what: String,
}

/// Who is told, of what, where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Its name.
    pub name: String,
    /// The name of the tenant.
    pub tenant: String,
    /// Where to.
    pub url: DeliveryUrl,
    /// What signs.
    pub secrets: Vec<Secret>,
    /// Which events; all when there is none.
    pub patterns: Vec<Pattern>,
    /// Whether money is told.
    pub money: Money,
    /// Where it begins if it is new.
    pub from: WebhookFrom,
    /// Further fields.
    pub fields: HeaderMap,
}

impl Hook {
    /// Reads the secrets of a webhook.
    pub fn read(settings: &Webhook) -> Result<Self, HookError> {
        let refused = |what: String| HookError { name: settings.name.clone(), what };
        let url = DeliveryUrl::parse(&settings.url).map_err(|error| refused(error.to_string()))?;
        let mut secrets = Vec::new();
        for file in &settings.secret_files {
            secrets.push(read_secret(file).map_err(refused)?);
        }
        let mut fields = HeaderMap::new();
        for (name, value) in &settings.headers {
            let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) else {
                return Err(refused(format!("the header {name} cannot be sent")));
            };
            fields.insert(name, value);
        }
        Ok(Self {
            name: settings.name.clone(),
            tenant: settings.tenant.clone(),
            url,
            secrets,
            patterns: settings.events.iter().map(|text| Pattern::new(text)).collect(),
            money: if settings.financials { Money::Shown } else { Money::Hidden },
            from: settings.from,
            fields,
        })
    }

    /// Tells whether the receiver wants an event.
    pub fn wants(&self, event: &Event) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.fits(&event.what))
    }
}

fn read_secret(file: &Path) -> Result<Secret, String> {
    let text = SecretText::read(file).map_err(|error| error.to_string())?;
    Secret::parse(text.expose()).map_err(|what| format!("{}: {what}", file.display()))
}

/// Which events: `user.created`, `user.*`, `*.created`, `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    kind: Option<String>,
    verb: Option<String>,
}

impl Pattern {
    /// Takes a pattern that the settings were checked for.
    pub fn new(text: &str) -> Self {
        let (kind, verb) = text.split_once('.').unwrap_or((text, "*"));
        let part = |text: &str| (text != "*").then(|| text.to_owned());
        Self { kind: part(kind), verb: part(verb) }
    }

    fn fits(&self, what: &Type) -> bool {
        self.kind.as_ref().is_none_or(|kind| *kind == what.kind)
            && self.verb.as_ref().is_none_or(|verb| verb == what.verb.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::Verb;

    #[test]
    fn patterns_choose_by_kind_and_by_verb() {
        let what = Type { kind: "user".to_owned(), verb: Verb::Created };
        for (pattern, fits) in [
            ("*", true),
            ("user.*", true),
            ("*.created", true),
            ("user.created", true),
            ("user.deleted", false),
            ("group.*", false),
        ] {
            assert_eq!(Pattern::new(pattern).fits(&what), fits, "{pattern}");
        }
    }
}
