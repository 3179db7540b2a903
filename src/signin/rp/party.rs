//! The two steps of signing in: sending a browser to the provider, and making somebody of what it brings back.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow};
use openidconnect::{
    AuthenticationContextClass, CsrfToken, LoginHint, Nonce, PkceCodeChallenge, PkceCodeVerifier, Scope,
};

use super::callback::{CODE_BYTES_MAX, Callback, is_hint};
use super::claims::{Verified, amr, email, moment, text};
use super::discovery::Discovery;
use super::exchange::{client, exchange};
use super::metadata::Endpoints;
use super::pending::{Demand, PENDING_SECONDS_MAX, Pending, Prompt, digest, secret};
use super::refusal::{Refusal, TokenFlaw, Told};
use super::return_to::ReturnTo;
use super::settings::Provider;
use super::userinfo;
use super::verify::{Expected, ID_TOKEN_BYTES_MAX, id_token, read};
use crate::chance::Chance;
use crate::jwt::{Keyring, Source};
use crate::net::Client;

/// Speaks with all providers. One for the whole daemon.
#[derive(Debug)]
pub struct RelyingParty {
    pub(super) net: Arc<Client>,
    pub(super) keyring: Arc<Keyring>,
    discovery: Discovery,
}

/// What a sign-in is begun for.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// Where the browser goes afterwards.
    pub return_to: ReturnTo,
    /// What else is asked of the provider.
    pub demand: Demand,
    /// Who it may be, for the provider's form.
    pub login_hint: Option<&'a str>,
}

impl Ask<'_> {
    /// A sign-in of somebody, whatever way the provider knows them.
    pub fn plain(return_to: ReturnTo) -> Self {
        Self { return_to, demand: Demand::default(), login_hint: None }
    }
}

/// A sign-in that was begun.
#[derive(Clone, PartialEq, Eq)]
pub struct Started {
    /// Where the browser is sent.
    pub url: String,
    /// What it brings back; kept nowhere but in the browser's way.
    pub state: String,
    /// What is remembered, under the digest of the state and for this browser alone.
    pub pending: Pending,
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").field("pending", &self.pending).finish_non_exhaustive()
    }
}

impl RelyingParty {
    /// Starts with nothing known of anybody.
    pub fn new(net: Arc<Client>, keyring: Arc<Keyring>, chance: Arc<dyn Chance>) -> Self {
        Self { discovery: Discovery::new(Arc::clone(&net), chance), net, keyring }
    }

    /// Finds what a provider says of itself.
    pub async fn endpoints(&self, provider: &Provider) -> Result<Endpoints, Refusal> {
        self.discovery.find(provider).await
    }

    /// Fetches metadata and keys that are no longer fresh, so that nobody who signs in waits for that.
    pub async fn keep_fresh(&self, provider: &Provider) -> Result<(), Refusal> {
        let endpoints = self.endpoints(provider).await?;
        self.keyring.keep_fresh(&keys_of(&endpoints)).await;
        Ok(())
    }

    /// Begins a sign-in.
    pub async fn begin(
        &self,
        provider: &Provider,
        ask: Ask<'_>,
        chance: &dyn Chance,
        now: Timestamp,
    ) -> Result<Started, Refusal> {
        let endpoints = self.endpoints(provider).await?;
        let [state, nonce, verifier] = [(); 3].map(|()| secret(chance));
        let pkce = PkceCodeVerifier::new(verifier.clone());
        let client = client(provider, &endpoints)?;
        let (sent_state, sent_nonce) = (state.clone(), nonce.clone());
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(sent_state),
                move || Nonce::new(sent_nonce),
            )
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&pkce));
        let settings = &provider.settings;
        for scope in settings.scopes.iter().filter(|scope| *scope != "openid") {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        if let Some(max_age) = ask.demand.max_age {
            request = request.set_max_age(Duration::from_secs(u64::from(max_age)));
        }
        for acr in &ask.demand.acr_values {
            request = request.add_auth_context_value(AuthenticationContextClass::new(acr.clone()));
        }
        if let Some(prompt) = ask.demand.prompt {
            request = request.add_prompt(match prompt {
                Prompt::None => CoreAuthPrompt::None,
                Prompt::Login => CoreAuthPrompt::Login,
                Prompt::SelectAccount => CoreAuthPrompt::SelectAccount,
            });
        }
        if let Some(hint) = ask.login_hint.filter(|hint| is_hint(hint)) {
            request = request.set_login_hint(LoginHint::new(hint.to_owned()));
        }
        if settings.form_post {
            request = request.add_extra_param("response_mode", "form_post");
        }
        // A hint for the provider's form; the claim is what counts.
        let domain: Option<Cow<'_, str>> = match settings.hosted_domains.as_slice() {
            [] => None,
            [one] => Some(one.clone().into()),
            _ => Some("*".into()),
        };
        if let Some(domain) = domain {
            request = request.add_extra_param("hd", domain);
        }
        let (url, _, _) = request.url();
        let pending = Pending {
            idp: provider.id().to_owned(),
            state_digest: digest(&state),
            nonce,
            verifier,
            return_to: ask.return_to,
            begun: now,
            expires: now
                .saturating_add(SignedDuration::from_secs(PENDING_SECONDS_MAX))
                .unwrap_or(Timestamp::MAX),
            demand: ask.demand,
        };
        Ok(Started { url: url.to_string(), state, pending })
    }

    /// Finishes a sign-in. `pending` has been taken out of the store, and was of this browser; `provider` is one that may be used now.
    pub async fn finish(
        &self,
        provider: &Provider,
        pending: Pending,
        callback: &Callback,
        now: Timestamp,
    ) -> Result<Verified, Refusal> {
        if pending.idp != provider.id() {
            return Err(Refusal::OtherProvider);
        }
        if !pending.is_of(&callback.state) {
            return Err(Refusal::State);
        }
        if now >= pending.expires {
            return Err(Refusal::Expired);
        }
        let endpoints = self.endpoints(provider).await?;
        let code = code_of(provider, &endpoints, &pending, callback)?;
        let tokens = exchange(&self.net, provider, &endpoints, code, &pending.verifier).await?;
        let token = tokens.id.expose();
        let read = read(provider, token, ID_TOKEN_BYTES_MAX).map_err(Refusal::IdToken)?;
        let (kid, algorithm) = (read.signed.kid.clone(), read.signed.algorithm);
        let source = keys_of(&endpoints);
        let key = self.keyring.seek(&source, kid.as_deref(), algorithm).await;
        let key = key.map_err(|why| Refusal::IdToken(TokenFlaw::Key(why)))?;
        let expected = Expected {
            nonce: &pending.nonce,
            access_token: tokens.access.expose(),
            demand: &pending.demand,
            begun: pending.begun,
        };
        let proven = id_token(provider, token, read, key, &expected, now);
        let mut proven = proven.map_err(Refusal::IdToken)?;
        userinfo::complete(&self.net, provider, &endpoints, tokens.access.expose(), &mut proven).await?;
        let claims = proven.claims;
        let auth_time = moment(&claims, "auth_time").ok().flatten();
        Ok(Verified {
            idp: provider.id().to_owned(),
            issuer: proven.issuer,
            subject: proven.subject,
            sid: text(&claims, "sid"),
            tid: text(&claims, "tid"),
            oid: text(&claims, "oid"),
            email: email(&claims),
            auth_time: auth_time.and_then(|seconds| Timestamp::from_second(seconds).ok()),
            acr: text(&claims, "acr"),
            amr: amr(&claims),
            claims,
            id_token: tokens.id,
            signs_out: endpoints.end_session.is_some(),
            return_to: pending.return_to,
        })
    }
}

/// Where a provider's keys are.
pub(super) fn keys_of(endpoints: &Endpoints) -> Source {
    Source::Keys(endpoints.jwks.as_str().to_owned())
}

/// Finds the code in an answer that is this provider's.
fn code_of<'a>(
    provider: &Provider,
    endpoints: &Endpoints,
    pending: &Pending,
    callback: &'a Callback,
) -> Result<&'a str, Refusal> {
    // Errors are answers as well (RFC 9207 §2.4). An issuer is compared also where none was promised.
    let is_ours = match &callback.issuer {
        Some(issuer) => provider.is_issuer(issuer),
        None => !endpoints.names_issuer,
    };
    if !is_ours {
        return Err(Refusal::CallbackIssuer { found: callback.issuer.clone() });
    }
    let code = callback.code.as_deref().filter(|code| !code.is_empty());
    if let Some(error) = &callback.error {
        let secrets = [code.unwrap_or_default(), &callback.state, &pending.nonce, &pending.verifier];
        return Err(Refusal::Denied {
            error: Told::new(error, &secrets),
            description: callback.description.as_deref().map(|text| Told::new(text, &secrets)),
        });
    }
    code.filter(|code| code.len() <= CODE_BYTES_MAX).ok_or(Refusal::NoCode)
}
