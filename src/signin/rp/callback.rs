//! What the browser brings back from a provider, as a query or as a form; and what it brings when signing in begins there.

use std::fmt;

use super::refusal::Refusal;
use super::return_to::ReturnTo;
use super::settings::Provider;

/// Longest query or form.
pub const CALLBACK_BYTES_MAX: usize = 16 * 1024;
/// Longest code.
pub(super) const CODE_BYTES_MAX: usize = 8 * 1024;
/// Longest `state` that may be ours.
const STATE_BYTES_MAX: usize = 64;
/// Longest hint at who somebody is.
pub(super) const LOGIN_HINT_BYTES_MAX: usize = 320;

/// The parameters of an answer (RFC 6749 §4.1.2, RFC 9207 §2). Others are not read; those of them that stand twice spoil the answer.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Callback {
    /// Which start it answers.
    pub state: String,
    pub(super) code: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) error: Option<String>,
    pub(super) description: Option<String>,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("issuer", &self.issuer)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl Callback {
    /// Reads a query or a form.
    pub fn parse(form: &[u8]) -> Result<Self, Refusal> {
        if form.len() > CALLBACK_BYTES_MAX {
            return Err(Refusal::Callback("it is longer than 16 KiB"));
        }
        let mut read = Self::default();
        let mut state = None;
        for (name, value) in form_urlencoded::parse(form) {
            let place = match &*name {
                "state" => &mut state,
                "code" => &mut read.code,
                "iss" => &mut read.issuer,
                "error" => &mut read.error,
                "error_description" => &mut read.description,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(Refusal::Callback("a parameter stands twice"));
            }
        }
        read.state = state.ok_or(Refusal::State)?;
        if read.state.is_empty() || read.state.len() > STATE_BYTES_MAX {
            return Err(Refusal::State);
        }
        Ok(read)
    }
}

/// A start at the provider (OpenID Connect Core §4): a tile in its portal. It says who asks and where to go, and is believed in neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThirdParty {
    /// Where the browser goes afterwards.
    pub return_to: ReturnTo,
    /// Whom the provider means.
    pub login_hint: Option<String>,
}

impl ThirdParty {
    /// Reads a query or a form. `public_url` is ours, without a slash at its end: a target elsewhere becomes the front page.
    pub fn parse(provider: &Provider, form: &[u8], public_url: &str) -> Result<Self, Refusal> {
        if form.len() > CALLBACK_BYTES_MAX {
            return Err(Refusal::Callback("it is longer than 16 KiB"));
        }
        let find = |wanted: &str| {
            form_urlencoded::parse(form).find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
        };
        let issuer = find("iss").ok_or(Refusal::CallbackIssuer { found: None })?;
        if !provider.is_issuer(&issuer) {
            return Err(Refusal::CallbackIssuer { found: Some(issuer) });
        }
        let target = find("target_link_uri");
        let path = target.as_deref().and_then(|target| target.strip_prefix(public_url));
        let return_to = path.and_then(|path| ReturnTo::parse(path, &[]).ok()).unwrap_or_else(ReturnTo::root);
        let login_hint = find("login_hint").filter(|hint| is_hint(hint));
        Ok(Self { return_to, login_hint })
    }
}

/// Tells whether a hint is fit to be passed on.
pub(super) fn is_hint(hint: &str) -> bool {
    !hint.is_empty() && hint.len() <= LOGIN_HINT_BYTES_MAX && !hint.chars().any(char::is_control)
}
