//! A code for tokens, by `openidconnect` over `net`. The ID token is taken out of the answer as text, so that what is wrong with it is said by `verify`, and
//! not by a reader of answers; what some providers write in odd ways is put right before the crate reads it.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use hyper::Method;
use hyper::body::Bytes;
use openidconnect::core::{CoreClient, CoreErrorResponseType};
use openidconnect::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, IssuerUrl, JsonWebKeySet, OAuth2TokenResponse as _,
    PkceCodeVerifier, RedirectUrl, RequestTokenError, StandardErrorResponse, TokenUrl,
};
use serde_json::{Map, Value};

use super::metadata::Endpoints;
use super::refusal::{Refusal, Told};
use super::settings::{Authentication, Provider, Secret};
use crate::net::{Client, HttpsUrl, NetError};

/// Largest answer of the token endpoint.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// The crate's client, with the endpoints that a code flow has.
pub(super) type Oidc = CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// What a code was given for.
pub(super) struct Tokens {
    pub(super) access: Secret,
    pub(super) id: Secret,
}

/// Why a request of the crate was not made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failed(#[from] NetError);

/// Sends the crate's requests to the token endpoint, and keeps the ID token that comes back.
struct Sender<'a> {
    net: &'a Client,
    at: &'a HttpsUrl,
    id_token: Mutex<Option<String>>,
}

impl<'c> AsyncHttpClient<'c> for Sender<'_> {
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Failed>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let (fields, body) = (parts.headers, Bytes::from(body));
            let answer = self.net.exchange(Method::POST, self.at, fields, body, ANSWER_BYTES_MAX).await?;
            if answer.status.is_server_error() {
                // Not an answer to what was asked, but an outage: trying later may do.
                return Err(Failed(NetError::Status(answer.status)));
            }
            let (body, found) = put_right(&answer.body);
            *self.id_token.lock().unwrap_or_else(PoisonError::into_inner) = found;
            let mut response = HttpResponse::new(body);
            *response.status_mut() = answer.status;
            Ok(response)
        })
    }
}

/// Makes the crate's client for a provider.
pub(super) fn client(provider: &Provider, endpoints: &Endpoints) -> Result<Oidc, Refusal> {
    let odd = |_| Refusal::TokenAnswer("one of the provider's URLs cannot be read".to_owned());
    let settings = &provider.settings;
    let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(odd)?;
    let client = CoreClient::new(ClientId::new(settings.client_id.clone()), issuer, JsonWebKeySet::default())
        .set_auth_uri(AuthUrl::new(endpoints.authorization.clone()).map_err(odd)?)
        .set_token_uri(TokenUrl::new(endpoints.token.as_str().to_owned()).map_err(odd)?)
        .set_redirect_uri(RedirectUrl::new(settings.redirect_uri.clone()).map_err(odd)?);
    let secret = |secret: &Secret| ClientSecret::new(secret.expose().to_owned());
    Ok(match &settings.authentication {
        Authentication::SecretBasic(text) => {
            client.set_auth_type(AuthType::BasicAuth).set_client_secret(secret(text))
        }
        Authentication::SecretPost(text) => {
            client.set_auth_type(AuthType::RequestBody).set_client_secret(secret(text))
        }
        Authentication::Public => client.set_auth_type(AuthType::RequestBody),
    })
}

/// Gives a code for tokens.
pub(super) async fn exchange(
    net: &Client,
    provider: &Provider,
    endpoints: &Endpoints,
    code: &str,
    verifier: &str,
) -> Result<Tokens, Refusal> {
    let client = client(provider, endpoints)?;
    let sender = Sender { net, at: &endpoints.token, id_token: Mutex::new(None) };
    let request = client
        .exchange_code(AuthorizationCode::new(code.to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()));
    let answer = request.request_async(&sender).await.map_err(|error| refused(error, &[code, verifier]))?;
    let id = sender.id_token.into_inner().unwrap_or_else(PoisonError::into_inner);
    let id = id.ok_or_else(|| Refusal::TokenAnswer("it has no id_token".to_owned()))?;
    Ok(Tokens { access: Secret::new(answer.access_token().secret().clone()), id: Secret::new(id) })
}

/// Takes the ID token out of an answer, and puts right what is known to be written in odd ways.
fn put_right(body: &Bytes) -> (Vec<u8>, Option<String>) {
    let Ok(mut answer) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return (body.to_vec(), None);
    };
    let id_token = match answer.remove("id_token") {
        Some(Value::String(token)) => Some(token),
        _ => None,
    };
    // Nothing is asked for later; what is not read cannot be kept by mistake.
    answer.remove("refresh_token");
    // How long an access token lives is nobody's business here. Some send it as a text, which the crate refuses.
    answer.remove("expires_in");
    // A list where a text belongs.
    answer.remove("scope");
    (Value::Object(answer).to_string().into_bytes(), id_token)
}

/// Says what was wrong, without the answer itself: it may hold tokens.
fn refused(
    error: RequestTokenError<Failed, StandardErrorResponse<CoreErrorResponseType>>,
    secrets: &[&str],
) -> Refusal {
    match error {
        RequestTokenError::ServerResponse(said) => Refusal::TokenDenied {
            error: Told::new(said.error().as_ref(), secrets),
            description: said.error_description().map(|text| Told::new(text, secrets)),
        },
        RequestTokenError::Request(Failed(error)) => Refusal::TokenUnreachable(error.to_string()),
        RequestTokenError::Parse(error, _) => {
            let found = if error.inner().is_data() { "another shape" } else { "something else" };
            Refusal::TokenAnswer(format!(
                "expected a JSON object with access_token and token_type, or an error of RFC 6749, found {found}"
            ))
        }
        RequestTokenError::Other(_) => Refusal::TokenAnswer("it is empty or no JSON".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_put_right_before_it_is_read() {
        let odd = br#"{"access_token":"a","token_type":"Bearer","expires_in":"3600","scope":["openid"],"refresh_token":"r","id_token":"i"}"#;
        let (body, id_token) = put_right(&Bytes::from_static(odd));
        assert_eq!(String::from_utf8(body).unwrap(), r#"{"access_token":"a","token_type":"Bearer"}"#);
        assert_eq!(id_token.as_deref(), Some("i"));
        let (body, id_token) = put_right(&Bytes::from_static(b"<html>"));
        assert_eq!((body.as_slice(), id_token), (&b"<html>"[..], None));
    }
}
