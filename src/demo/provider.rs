//! The demo's own identity provider, so that there is somebody to sign in with: an OpenID provider that believes whoever says who they are. By TLS with a
//! certificate of its own making where the daemon asks; its page is plain HTTP on loopback, so that no browser warns of that certificate.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use askama::Template;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::chance::Chance;
use crate::clock::Clock;

/// The daemon's name at the provider.
pub const CLIENT: &str = "rosterd-demo";
/// The provider's name in the demo's settings.
pub const NAME: &str = "demo";
/// Most bytes of a form.
const FORM_BYTES_MAX: usize = 16 * 1024;
/// Most codes that are remembered; beyond, the oldest are nobody's any more.
const CODES_MAX: usize = 100;
/// Seconds that an ID token is good for.
const TOKEN_SECONDS: i64 = 300;

/// A person who can be chosen: the key by which the demo's provisioning knows them, and their name.
pub type Choice = (String, String);

/// A provider that is served.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its issuer.
    pub issuer: String,
    /// The file with the certificate by which it is known.
    pub certificate: PathBuf,
}

/// What somebody agreed to, until the code is used.
struct Grant {
    subject: String,
    nonce: String,
    challenge: String,
    redirect_uri: String,
}

struct Inner {
    issuer: String,
    page: String,
    people: Vec<Choice>,
    key: EcdsaKeyPair,
    chance: Arc<dyn Chance>,
    clock: Arc<dyn Clock>,
    codes: Mutex<HashMap<String, Grant>>,
}

/// Where somebody says who they are.
#[derive(Template)]
#[template(path = "demo_provider.html")]
struct Page<'a> {
    people: &'a [Choice],
    asked: &'a [(String, String)],
}

/// Serves a provider for as long as the runtime lives. Its certificate is written into a folder.
pub async fn serve(
    folder: &Path,
    people: Vec<Choice>,
    chance: Arc<dyn Chance>,
    clock: Arc<dyn Clock>,
) -> Result<Provider> {
    let pair = KeyPair::generate().context("make a key")?;
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()])?.self_signed(&pair)?;
    let file = folder.join("provider.pem");
    std::fs::write(&file, certificate.pem()).with_context(|| format!("write {}", file.display()))?;
    let private = PrivateKeyDer::try_from(pair.serialize_der()).map_err(anyhow::Error::msg)?;
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    let (by_tls, plain) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    let issuer = format!("https://{}", by_tls.local_addr()?);
    let page = format!("http://{}", plain.local_addr()?);
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).context("make a signing key")?;
    let codes = Mutex::default();
    let inner = Arc::new(Inner { issuer: issuer.clone(), page, people, key, chance, clock, codes });
    tokio::spawn(accept(by_tls, Some(TlsAcceptor::from(Arc::new(tls))), Arc::clone(&inner)));
    tokio::spawn(accept(plain, None, inner));
    Ok(Provider { issuer, certificate: file })
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, inner: Arc<Inner>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(speak(stream, tls.clone(), Arc::clone(&inner)));
    }
}

async fn speak(stream: TcpStream, tls: Option<TlsAcceptor>, inner: Arc<Inner>) {
    let service = service_fn(move |request| {
        let inner = Arc::clone(&inner);
        async move { Ok::<_, Infallible>(inner.answer(request).await) }
    });
    // Whoever breaks off has broken off.
    match tls {
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            }
        }
        None => {
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        }
    }
}

impl Inner {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let asked = match parts.method {
            Method::GET => Bytes::copy_from_slice(parts.uri.query().unwrap_or_default().as_bytes()),
            _ => match Limited::new(body, FORM_BYTES_MAX).collect().await {
                Ok(body) => body.to_bytes(),
                Err(_) => return said(StatusCode::PAYLOAD_TOO_LARGE, "a form is expected"),
            },
        };
        let form: Vec<(String, String)> = form_urlencoded::parse(&asked).into_owned().collect();
        match (parts.method, parts.uri.path()) {
            (Method::GET, "/.well-known/openid-configuration") => shown(&self.metadata()),
            (Method::GET, "/jwks") => shown(&json!({ "keys": [self.jwk()] })),
            (Method::GET, "/authorize") => self.choice(&form),
            (Method::POST, "/authorize") => self.agree(&form),
            (Method::POST, "/token") => self.token(&form),
            (Method::GET, "/logout") => signed_out(&form),
            _ => said(StatusCode::NOT_FOUND, "nothing is here"),
        }
    }

    fn metadata(&self) -> Value {
        let (issuer, page) = (&self.issuer, &self.page);
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{page}/authorize"),
            "end_session_endpoint": format!("{page}/logout"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }

    fn jwk(&self) -> Value {
        let point = self.key.public_key().as_ref();
        // An uncompressed point: a byte, then both coordinates.
        let half = |from: usize| {
            URL_SAFE_NO_PAD.encode(point.get(from..from.saturating_add(32)).unwrap_or_default())
        };
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "demo", "x": half(1), "y": half(33) })
    }

    /// Shows who can be chosen.
    fn choice(&self, asked: &[(String, String)]) -> Response<Full<Bytes>> {
        match (Page { people: &self.people, asked }).render() {
            Ok(html) => with(StatusCode::OK, "text/html; charset=utf-8", html),
            Err(error) => said(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    /// Sends the browser back with a code for whoever was chosen.
    fn agree(&self, form: &[(String, String)]) -> Response<Full<Bytes>> {
        let get = |name: &str| find(form, name);
        let known = self.people.iter().any(|(key, _)| key == get("subject"));
        let back = get("redirect_uri");
        let is_ours = back.starts_with("http://127.0.0.1:") && back.ends_with("/callback");
        if !known || !is_ours || get("client_id") != CLIENT || get("code_challenge_method") != "S256" {
            return said(StatusCode::BAD_REQUEST, "this is no sign-in that the demo began");
        }
        let code = URL_SAFE_NO_PAD.encode(self.chance.secret());
        let grant = Grant {
            subject: get("subject").to_owned(),
            nonce: get("nonce").to_owned(),
            challenge: get("code_challenge").to_owned(),
            redirect_uri: back.to_owned(),
        };
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        if codes.len() >= CODES_MAX {
            codes.clear();
        }
        codes.insert(code.clone(), grant);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("code", &code).append_pair("state", get("state"));
        see_other(&format!("{back}?{}", query.finish()))
    }

    /// Gives an ID token for a code, once.
    fn token(&self, form: &[(String, String)]) -> Response<Full<Bytes>> {
        let get = |name: &str| find(form, name);
        let grant = self.codes.lock().unwrap_or_else(PoisonError::into_inner).remove(get("code"));
        let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(get("code_verifier").as_bytes()));
        let grant =
            grant.filter(|grant| grant.challenge == proof && grant.redirect_uri == get("redirect_uri"));
        let Some(grant) = grant else {
            return with(
                StatusCode::BAD_REQUEST,
                "application/json",
                json!({ "error": "invalid_grant" }).to_string(),
            );
        };
        let now = self.clock.now().as_second();
        let claims = json!({
            "iss": self.issuer, "sub": grant.subject, "aud": CLIENT, "nonce": grant.nonce,
            "iat": now, "exp": now.saturating_add(TOKEN_SECONDS), "auth_time": now,
        });
        match self.signed(&claims) {
            Ok(token) => shown(&json!({
                "access_token": URL_SAFE_NO_PAD.encode(self.chance.secret()), "token_type": "Bearer", "id_token": token,
            })),
            Err(error) => said(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    fn signed(&self, claims: &Value) -> Result<String> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message =
            format!("{}.{}", part(&json!({ "alg": "ES256", "typ": "JWT", "kid": "demo" })), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).context("sign")?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref())))
    }
}

fn find<'f>(form: &'f [(String, String)], name: &str) -> &'f str {
    form.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
}

/// Nobody is signed in here for longer than a page: the browser goes back at once.
fn signed_out(form: &[(String, String)]) -> Response<Full<Bytes>> {
    let back = find(form, "post_logout_redirect_uri");
    if back.starts_with("http://127.0.0.1:") { see_other(back) } else { said(StatusCode::OK, "signed out") }
}

fn see_other(to: &str) -> Response<Full<Bytes>> {
    let Ok(to) = HeaderValue::from_str(to) else { return said(StatusCode::BAD_REQUEST, "an odd place") };
    let mut response = with(StatusCode::SEE_OTHER, "text/plain", String::new());
    response.headers_mut().insert(LOCATION, to);
    response
}

fn shown(value: &Value) -> Response<Full<Bytes>> {
    with(StatusCode::OK, "application/json", value.to_string())
}

fn said(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    with(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn with(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Where the daemon may ask, as its settings write it.
pub fn settings(provider: &Provider) -> String {
    let Provider { issuer, certificate } = provider;
    format!(
        "[net]\nallow = [\"127.0.0.1\"]\nca_file = {certificate:?}\n\n[[identity_providers]]\nname = \"{NAME}\"\ntenant = \"main\"\ntitle = \"the demo's own provider\"\n\
         issuer = \"{issuer}\"\nclient_id = \"{CLIENT}\"\nclient_authentication = \"none\"\nconnection = \"idp\"\n"
    )
}
