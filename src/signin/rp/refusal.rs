//! Everything that can be wrong with signing in, in words for three readers: the person (one sentence, always the same), the administrator (what it was,
//! and what to do), and whoever counts (a word that stays). No token, code or cookie is in any of it.

use std::fmt;

use super::metadata::MetadataFlaw;
use crate::jwt::{Flaw, Missing};

/// What the person is told, whatever it was.
pub const FOR_THE_PERSON: &str =
    "Signing in did not work. Try again; if it fails once more, ask your administrator and name the time.";

/// Most characters of a provider's text that are kept.
const TOLD_CHARACTERS_MAX: usize = 200;
/// A word longer than this may be a secret, and is not kept.
const WORD_CHARACTERS_MAX: usize = 32;

/// A text of the provider, bounded and made fit for a log: without control characters, and without words that may be codes or tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told(String);

impl Told {
    pub(super) fn new(text: &str, secrets: &[&str]) -> Self {
        let mut text: String = text.chars().take(4 * TOLD_CHARACTERS_MAX).collect();
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "***");
        }
        let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let words = words.map(|word| if word.chars().count() > WORD_CHARACTERS_MAX { "***" } else { word });
        let line = words.collect::<Vec<_>>().join(" ");
        Self(line.chars().take(TOLD_CHARACTERS_MAX).collect())
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// What is wrong with a token of the provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFlaw {
    /// It is no signed JWT of a known algorithm.
    #[error("{0}")]
    Unreadable(Flaw),
    /// A claim has a shape that the specification does not allow.
    #[error("one of its standard claims has a shape that OpenID Connect does not allow")]
    Claims,
    /// It is encrypted.
    #[error("it is encrypted, which is not supported")]
    Encrypted,
    /// It is a token for something else.
    #[error("its header says that it is another kind of token")]
    Type,
    /// Its algorithm is not among those of the settings.
    #[error("its algorithm is {0}, which is not among `algorithms`")]
    Algorithm(&'static str),
    /// There is no key for it.
    #[error("{0}")]
    Key(Missing),
    /// The signature does not fit.
    #[error("its signature does not fit the issuer's key")]
    Signature,
    /// Another issuer.
    #[error("its issuer is not the one of the settings")]
    Issuer,
    /// Another tenant.
    #[error("its tenant (tid) is not among `tenants`")]
    Tenant,
    /// Another domain.
    #[error("its hosted domain (hd) is not among `hosted_domains`")]
    HostedDomain,
    /// Another audience.
    #[error("it is not for our client id, or for others as well")]
    Audience,
    /// Made for another party.
    #[error("its authorized party (azp) is not our client id")]
    AuthorizedParty,
    /// It has run out.
    #[error("it has expired")]
    Expired,
    /// It is not good yet.
    #[error("it is not valid yet (nbf)")]
    NotYet,
    /// It was made in the future, or long ago.
    #[error("it was issued in the future or too long ago (iat)")]
    IssuedAt,
    /// Another nonce, or none.
    #[error("its nonce is not the one that was sent")]
    Nonce,
    /// Its subject is missing, empty, too long, or no text.
    #[error("its subject (sub) is missing or no text of 1 to 255 characters")]
    Subject,
    /// The access token is not the one that it speaks of.
    #[error("its at_hash does not fit the access token")]
    AccessToken,
    /// The proof is older than was asked for.
    #[error("it does not show a sign-in as recent as was asked for (auth_time)")]
    AuthTime,
    /// The proof is weaker than was asked for.
    #[error("it does not show the kind of sign-in that was asked for (acr)")]
    Acr,
    /// A claim that only logout tokens have is missing or wrong.
    #[error("it has no logout event")]
    Events,
    /// A logout token with a nonce may be an ID token.
    #[error("it has a nonce, which no logout token has")]
    UnwantedNonce,
    /// Neither a session nor a subject.
    #[error("it names neither a session (sid) nor a subject (sub)")]
    Nobody,
    /// No id of its own, or one too long.
    #[error("its jti is missing or too long")]
    Jti,
}

/// Why signing in, or a logout that a provider orders, was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What came back is no answer of a provider.
    #[error("the callback is no answer of a provider: {0}")]
    Callback(&'static str),
    /// No state, or one that belongs to no start of this browser.
    #[error("the callback belongs to no sign-in that was begun here")]
    State,
    /// It took too long.
    #[error("the sign-in took longer than ten minutes")]
    Expired,
    /// The start was at another provider.
    #[error("the sign-in was begun at another provider than the one that answers")]
    OtherProvider,
    /// The answer says it is another issuer's, or does not say whose it is although this one always does.
    #[error("the callback is {}, expected the issuer of the settings (iss)", found.as_ref().map_or("without an issuer".to_owned(), |found| format!("of {}", Told::new(found, &[]))))]
    CallbackIssuer {
        /// Whose it says it is.
        found: Option<String>,
    },
    /// The provider says no.
    #[error("the provider answered with the error {error}{}", description.as_ref().map_or(String::new(), |text| format!(": {text}")))]
    Denied {
        /// Its word.
        error: Told,
        /// What it says beside that.
        description: Option<Told>,
    },
    /// Neither a code nor an error.
    #[error("the callback has no code")]
    NoCode,
    /// The provider's metadata cannot be had.
    #[error("the provider's metadata cannot be had: {0}")]
    MetadataUnreachable(String),
    /// The provider's metadata is not taken.
    #[error("the provider's metadata: {0}")]
    Metadata(#[from] MetadataFlaw),
    /// The token endpoint cannot be reached.
    #[error("the token endpoint cannot be reached: {0}")]
    TokenUnreachable(String),
    /// The token endpoint says no.
    #[error("the token endpoint answered with the error {error}{}", description.as_ref().map_or(String::new(), |text| format!(": {text}")))]
    TokenDenied {
        /// Its word.
        error: Told,
        /// What it says beside that.
        description: Option<Told>,
    },
    /// The answer of the token endpoint cannot be read.
    #[error("the token endpoint's answer is not taken: {0}")]
    TokenAnswer(String),
    /// The ID token is not taken.
    #[error("the ID token is not taken: {0}")]
    IdToken(TokenFlaw),
    /// The userinfo endpoint cannot be reached, or its answer is not taken.
    #[error("the userinfo endpoint: {0}")]
    Userinfo(String),
    /// Userinfo is about somebody else.
    #[error("the userinfo endpoint answered about another subject than the ID token")]
    UserinfoSubject,
    /// A claim that must be there is not.
    #[error("claims that must be there are missing: {}", .0.join(", "))]
    ClaimMissing(Vec<String>),
    /// The logout token is not taken.
    #[error("the logout token is not taken: {0}")]
    LogoutToken(TokenFlaw),
    /// The request for a revocation is not taken.
    #[error("the revocation's token is not taken: {0}")]
    Revocation(TokenFlaw),
    /// What shall be revoked cannot be read.
    #[error("the body of a request for logout or revocation: {0}")]
    OrderBody(&'static str),
}

impl Refusal {
    /// Returns a word that stays the same from release to release: for the history, for counting, for documentation.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Callback(_) => "callback",
            Self::State => "state",
            Self::Expired => "expired",
            Self::OtherProvider => "other_provider",
            Self::CallbackIssuer { .. } => "callback_issuer",
            Self::Denied { .. } => "denied",
            Self::NoCode => "no_code",
            Self::MetadataUnreachable(_) => "metadata_unreachable",
            Self::Metadata(_) => "metadata",
            Self::TokenUnreachable(_) => "token_unreachable",
            Self::TokenDenied { .. } => "token_denied",
            Self::TokenAnswer(_) => "token_answer",
            Self::IdToken(_) => "id_token",
            Self::Userinfo(_) => "userinfo",
            Self::UserinfoSubject => "userinfo_subject",
            Self::ClaimMissing(_) => "claim_missing",
            Self::LogoutToken(_) => "logout_token",
            Self::Revocation(_) => "revocation",
            Self::OrderBody(_) => "order_body",
        }
    }

    /// Tells whether it was the provider that could not be reached, so that trying later may do.
    pub const fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::MetadataUnreachable(_)
                | Self::TokenUnreachable(_)
                | Self::IdToken(TokenFlaw::Key(Missing::Unreachable))
                | Self::LogoutToken(TokenFlaw::Key(Missing::Unreachable))
                | Self::Revocation(TokenFlaw::Key(Missing::Unreachable))
        )
    }

    /// Says what an administrator can do about it.
    pub const fn cure(&self) -> &'static str {
        match self {
            Self::Callback(_) | Self::State | Self::NoCode => {
                "begin anew; if it happens to many, look whether cookies reach rosterd and whether the redirect URI at the provider is this one's"
            }
            Self::Expired => "begin anew",
            Self::OtherProvider | Self::CallbackIssuer { .. } => {
                "compare `issuer` with the provider's metadata; if both are right, somebody tried to mix two providers up"
            }
            Self::Denied { .. } => {
                "look into the provider's own log of sign-ins; often the person is not assigned to the application there"
            }
            Self::MetadataUnreachable(_) | Self::TokenUnreachable(_) => {
                "look whether the provider is up, whether rosterd may reach it (net.allow for addresses inside the house), and whether its certificate is trusted (net.ca_file)"
            }
            Self::Metadata(flaw) => flaw.cure(),
            Self::TokenDenied { .. } => {
                "invalid_client: renew the client secret or change the way it is shown (basic, post); invalid_grant: begin anew, and compare the redirect URI"
            }
            Self::TokenAnswer(_) => {
                "the provider must speak OpenID Connect's code flow: look whether the scope openid is granted"
            }
            Self::IdToken(flaw) | Self::LogoutToken(flaw) | Self::Revocation(flaw) => flaw.cure(),
            Self::Userinfo(_) => {
                "look whether the scopes allow userinfo, and whether it answers with plain JSON (no signed or encrypted userinfo)"
            }
            Self::UserinfoSubject => {
                "this must not happen: report it to the provider, and do not let the person in otherwise"
            }
            Self::ClaimMissing(_) => {
                "have the provider put the claims into the ID token or userinfo (scopes, optional claims), or take them out of `required_claims`"
            }
            Self::OrderBody(_) => "for Okta set the subject format to \"Issuer and Subject Identifier\"",
        }
    }
}

impl TokenFlaw {
    /// Says what an administrator can do about it.
    pub const fn cure(&self) -> &'static str {
        match self {
            Self::Unreadable(_) | Self::Claims | Self::Type | Self::Subject | Self::Jti => {
                "the provider's token does not follow the specification: look at its own mapping of claims"
            }
            Self::Encrypted => "switch encryption of ID tokens off at the provider",
            Self::Algorithm(_) => {
                "have the provider sign by one of `algorithms` (RS256 or ES256; never HS256 or none), or allow the one it uses if it is there to be allowed"
            }
            Self::Key(Missing::Ambiguous) => "have the provider name its keys (kid), or show one key alone",
            Self::Key(Missing::Unreachable) => {
                "look whether the provider's jwks_uri can be reached from here"
            }
            Self::Key(Missing::Unknown) | Self::Signature => {
                "if the provider has just changed its keys, try again in a minute; if not, somebody sent a forged token"
            }
            Self::Issuer => {
                "compare `issuer` with `iss` of the provider's tokens, letter for letter; Microsoft's must be the v2.0 one"
            }
            Self::Tenant => "add the directory (tenant) id to `tenants` if its people are to be let in",
            Self::HostedDomain => {
                "add the domain to `hosted_domains` if its people are to be let in; private accounts have none"
            }
            Self::Audience | Self::AuthorizedParty => {
                "compare `client_id` with the provider's; a token for several audiences is not taken"
            }
            Self::Expired | Self::NotYet | Self::IssuedAt => {
                "compare the clocks; `leeway_seconds` bridges up to 300 seconds"
            }
            Self::Nonce => {
                "begin anew; if it stays, the provider does not return the nonce, without which nobody is let in"
            }
            Self::AccessToken => "the answer was put together from two: report it to the provider",
            Self::AuthTime => {
                "sign in anew at the provider; if it stays, it does not send auth_time when max_age is asked for"
            }
            Self::Acr => {
                "the provider must know the `acr_values` that are asked for, and name the one it used"
            }
            Self::Events | Self::UnwantedNonce | Self::Nobody => {
                "what was sent is no logout token: look at the back-channel logout URL at the provider"
            }
        }
    }
}
