//! An OpenID provider in this process: metadata, keys, codes, tokens and userinfo, by TLS, and every way in which one can fail.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::world::now;
use crate::support::issuer::{Asked, HOST, TlsServer, json_page, page};
use crate::support::signer::{Signer, message};

/// Its name of us, and our secret there.
pub const CLIENT: &str = "rosterd-client";
pub const SECRET: &str = "s3cret/+with:odd&signs%";
/// Who signs in.
pub const SUBJECT: &str = "00u1a2b3c4";
/// What it gives out beside ID tokens.
pub const ACCESS_TOKEN: &str = "opaque-access-token";

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The token endpoint does not look at the PKCE verifier.
    NoPkce,
    /// Texts and lists where numbers and texts belong, beside the tokens.
    OddTokenAnswer,
    /// No ID token.
    NoIdToken,
    /// The token endpoint answers with HTML.
    TokenHtml,
    /// The token endpoint answers with a redirect to itself.
    TokenRedirect,
    /// The token endpoint refuses, and repeats the code in what it says.
    TokenEcho,
    /// The ID token is not signed.
    Unsigned,
    /// The ID token is signed by a key that nobody has seen, under the name of a known one.
    Stranger,
    /// Userinfo speaks of somebody else.
    OtherSubject,
    /// Everything is answered with 503.
    Down,
}

/// What somebody agreed to, until the code is used.
struct Grant {
    nonce: String,
    challenge: String,
    redirect_uri: String,
}

/// What the provider is made to do.
pub struct State {
    base: String,
    pub faults: Vec<Fault>,
    /// Members of the metadata that are otherwise; null takes one away.
    pub metadata: Value,
    /// The same for the claims of an ID token.
    pub claims: Value,
    /// The same for its header.
    pub header: Value,
    pub signer: Arc<Signer>,
    pub keys: Vec<Value>,
    pub userinfo: Value,
    /// The whole ID token, where it is not made of the above.
    pub id_token: Option<String>,
    /// An answer for a path, byte for byte.
    pub pages: HashMap<String, Vec<u8>>,
    /// What was asked, in turn.
    pub asked: Vec<Asked>,
    codes: HashMap<String, Grant>,
    count: usize,
}

/// A running provider.
pub struct Op {
    pub server: TlsServer,
    state: Arc<Mutex<State>>,
}

/// Lays members over a document; null takes one away.
pub fn over(mut document: Value, patch: &Value) -> Value {
    for (name, value) in patch.as_object().unwrap() {
        if value.is_null() {
            document.as_object_mut().unwrap().remove(name);
        } else {
            document[name] = value.clone();
        }
    }
    document
}

/// Reads a query or a form.
pub fn form(text: &str) -> HashMap<String, String> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

impl Op {
    /// Starts one that signs by ES256.
    pub fn start() -> Self {
        let signer = Arc::new(Signer::ec("ec-1"));
        let state = Arc::new(Mutex::new(State {
            base: String::new(),
            faults: vec![],
            metadata: json!({}),
            claims: json!({}),
            header: json!({}),
            keys: vec![signer.jwk()],
            signer,
            userinfo: json!({ "sub": SUBJECT }),
            id_token: None,
            pages: HashMap::new(),
            asked: vec![],
            codes: HashMap::new(),
            count: 0,
        }));
        let answering = Arc::clone(&state);
        let server = TlsServer::start(move |asked| answering.lock().unwrap().answer(asked));
        state.lock().unwrap().base = server.url("");
        Self { server, state }
    }

    /// Is known by another host than its usual name.
    pub fn answer_at(&self, host: &str) {
        self.state().base = format!("https://{host}:{}", self.server.port());
    }

    /// What it is made to do.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Fails so from now on.
    pub fn fail(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Says that an endpoint lies where connections are taken and nobody ever speaks, for as long as what this returns is kept.
    pub fn fall_silent(&self, endpoint: &str) -> TcpListener {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = silent.local_addr().unwrap().port();
        self.state().metadata = json!({ endpoint: format!("https://{HOST}:{port}/silent") });
        silent
    }

    /// Its issuer.
    pub fn issuer(&self) -> String {
        self.state().base.clone()
    }

    /// Plays the browser and the person: who is sent here agrees, and is sent back with what this returns.
    pub fn authorize(&self, url: &str) -> String {
        let mut state = self.state();
        let (place, query) = url.split_once('?').unwrap();
        assert_eq!(place, format!("{}/authorize", state.base));
        let asked = form(query);
        for (name, value) in
            [("response_type", "code"), ("client_id", CLIENT), ("code_challenge_method", "S256")]
        {
            assert_eq!(asked[name], value, "{name}");
        }
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
        state.count += 1;
        let code = format!("code-{}", state.count);
        let take = |name: &str| asked[name].clone();
        let grant = Grant {
            nonce: take("nonce"),
            challenge: take("code_challenge"),
            redirect_uri: take("redirect_uri"),
        };
        state.codes.insert(code.clone(), grant);
        let mut back = form_urlencoded::Serializer::new(String::new());
        back.append_pair("code", &code).append_pair("state", &asked["state"]);
        if state.metadata["authorization_response_iss_parameter_supported"] == true {
            back.append_pair("iss", &state.base);
        }
        back.finish()
    }

    /// Signs a token of its own accord, such as a logout token.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let state = self.state();
        let known = json!({ "alg": state.signer.algorithm, "kid": state.signer.kid });
        state.signer.sign_as(&over(known, header), claims)
    }

    /// How often a path was asked for.
    pub fn count(&self, path: &str) -> usize {
        self.state().asked.iter().filter(|asked| asked.target == path).count()
    }
}

impl State {
    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn answer(&mut self, asked: &Asked) -> Vec<u8> {
        self.asked.push(asked.clone());
        if self.has(Fault::Down) {
            return page("503 Service Unavailable", "{}");
        }
        if let Some(page) = self.pages.get(&asked.target) {
            return page.clone();
        }
        match (asked.method.as_str(), asked.target.as_str()) {
            ("GET", "/.well-known/openid-configuration") => json_page(&self.metadata().to_string()),
            ("GET", "/jwks") => json_page(&json!({ "keys": self.keys }).to_string()),
            ("POST", "/token") => self.token(asked),
            ("GET", "/userinfo") => self.userinfo(asked),
            _ => page("404 Not Found", "{}"),
        }
    }

    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.base);
        let plain = json!({
            "issuer": self.base,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/jwks"),
            "userinfo_endpoint": at("/userinfo"),
            "end_session_endpoint": at("/logout"),
            "code_challenge_methods_supported": ["plain", "S256"],
            "response_types_supported": ["code"],
        });
        over(plain, &self.metadata)
    }

    fn token(&mut self, asked: &Asked) -> Vec<u8> {
        let fields = form(std::str::from_utf8(&asked.body).unwrap());
        let refused = |why: &str| page("400 Bad Request", &json!({ "error": why }).to_string());
        if self.has(Fault::TokenHtml) {
            return page("200 OK", "<html>access_token</html>");
        }
        if self.has(Fault::TokenRedirect) {
            return format!(
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: {}/token\r\nContent-Length: 0\r\n\r\n",
                self.base
            )
            .into_bytes();
        }
        if self.has(Fault::TokenEcho) {
            let said =
                format!("code {} with verifier {} is unknown", fields["code"], fields["code_verifier"]);
            let body = json!({ "error": "invalid_grant", "error_description": said });
            return page("400 Bad Request", &body.to_string());
        }
        let in_field = asked.field("authorization").map(|field| {
            let pair = STANDARD.decode(field.strip_prefix("Basic ").unwrap()).unwrap();
            let pair = String::from_utf8(pair).unwrap();
            let (id, secret) = pair.split_once(':').unwrap();
            [id, secret].map(|part| form(&format!("x={part}"))["x"].clone())
        });
        let in_form = fields.get("client_secret").map(|secret| [fields["client_id"].clone(), secret.clone()]);
        let shown = in_field.or(in_form);
        let is_public = fields.get("client_id").is_some_and(|id| id == "public");
        if !is_public && shown != Some([CLIENT, SECRET].map(str::to_owned)) {
            return page("401 Unauthorized", &json!({ "error": "invalid_client" }).to_string());
        }
        // A code is used up by whoever shows it, whatever comes of that.
        let Some(grant) = self.codes.remove(&fields["code"]) else { return refused("invalid_grant") };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(fields["code_verifier"].as_bytes()));
        let is_proven = self.has(Fault::NoPkce) || challenge == grant.challenge;
        if !is_proven
            || fields["redirect_uri"] != grant.redirect_uri
            || fields["grant_type"] != "authorization_code"
        {
            return refused("invalid_grant");
        }
        let mut answer = json!({ "access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3600 });
        if self.has(Fault::OddTokenAnswer) {
            answer = over(
                answer,
                &json!({ "expires_in": "3599", "scope": ["openid"], "refresh_token": 7, "token_type": "bearer" }),
            );
        }
        if !self.has(Fault::NoIdToken) {
            answer["id_token"] = self.id_token(&grant.nonce).into();
        }
        json_page(&answer.to_string())
    }

    fn id_token(&self, nonce: &str) -> String {
        if let Some(token) = &self.id_token {
            return token.clone();
        }
        let second = now().as_second();
        let digest = Sha256::digest(ACCESS_TOKEN.as_bytes());
        let claims = json!({
            "iss": self.base, "sub": SUBJECT, "aud": CLIENT, "iat": second, "exp": second + 300, "nonce": nonce,
            "at_hash": URL_SAFE_NO_PAD.encode(&digest[..16]),
        });
        let claims = over(claims, &self.claims);
        let header = json!({ "alg": self.signer.algorithm, "typ": "JWT", "kid": self.signer.kid });
        let header = over(header, &self.header);
        if self.has(Fault::Unsigned) {
            return format!("{}.", message(&over(header, &json!({ "alg": "none" })), &claims));
        }
        if self.has(Fault::Stranger) {
            return Signer::ec("ec-1").sign_as(&header, &claims);
        }
        self.signer.sign_as(&header, &claims)
    }

    fn userinfo(&self, asked: &Asked) -> Vec<u8> {
        if asked.field("authorization") != Some(&format!("Bearer {ACCESS_TOKEN}")) {
            return page("401 Unauthorized", "{}");
        }
        let mut answer = self.userinfo.clone();
        if self.has(Fault::OtherSubject) {
            answer["sub"] = "somebody-else".into();
        }
        json_page(&answer.to_string())
    }
}
