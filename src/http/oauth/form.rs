//! What a client sends to the token endpoint (RFC 6749 §2.3, §3.2): a form in the body, and at most one way to prove who it is.

use std::collections::HashMap;

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::http::body::{Bodies, read_body};
use crate::http::problem::Problem;

/// Largest form: an assertion, and a little beside it.
pub const FORM_BYTES_MAX: u64 = 32 * 1024;
/// Most fields of a form.
const FIELDS_MAX: usize = 32;
/// The one kind of assertion (RFC 7523 §2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A form that has been read.
pub struct Form {
    fields: HashMap<String, Zeroizing<String>>,
    basic: Option<Basic>,
}

/// How a client proves who it is.
pub enum Presented {
    /// Not at all.
    Nothing,
    /// By a secret.
    Secret {
        /// Who it says it is.
        client: String,
        /// The secret.
        secret: Zeroizing<String>,
    },
    /// By an assertion.
    Assertion {
        /// Who it says it is, where it says so.
        client: Option<String>,
        /// The assertion.
        text: Zeroizing<String>,
    },
}

/// What an `Authorization: Basic` field holds.
pub struct Basic {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for Basic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Basic(***)")
    }
}

impl Basic {
    /// Reads a field as RFC 7617 has it; `None` where it is of another scheme or unreadable.
    pub fn read(field: &str) -> Option<Self> {
        let (scheme, rest) = field.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let bytes = Zeroizing::new(STANDARD.decode(rest).ok()?);
        let text = std::str::from_utf8(&bytes).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Self { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) })
    }

    /// Undoes the form encoding that RFC 6749 §2.3.1 puts around both.
    fn form_decoded(self) -> Option<Self> {
        let user = form_decode(&self.user)?.to_string();
        Some(Self { user, password: form_decode(&self.password)? })
    }
}

fn form_decode(text: &str) -> Option<Zeroizing<String>> {
    let pair = Zeroizing::new(format!("v={text}"));
    let mut pairs = form_urlencoded::parse(pair.as_bytes());
    let (_, value) = pairs.next()?;
    // An ampersand was not encoded: whatever that is, it is no name and no password.
    pairs.next().is_none().then(|| Zeroizing::new(value.into_owned()))
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Form(***)")
    }
}

impl Form {
    /// Reads a request: nothing in the query, a form in the body, no field twice.
    pub async fn read(request: Request, bodies: &Bodies) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        if parts.uri.query().is_some() {
            return Err(wrong(
                "expected the fields in the body, found a query; what stands in a URL is written down on its way",
            ));
        }
        if !is_form(&parts.headers) {
            return Err(wrong("expected the Content-Type application/x-www-form-urlencoded"));
        }
        let basic = basic(&parts.headers)?;
        let bytes = read_body(body, FORM_BYTES_MAX, bodies).await?;
        let mut fields = HashMap::new();
        for (name, value) in form_urlencoded::parse(&bytes) {
            // A field without a value counts as left out (RFC 6749 §3.2), but not as one that may be there twice.
            if fields.len() >= FIELDS_MAX {
                return Err(wrong("expected fewer fields"));
            }
            if fields.insert(name.into_owned(), Zeroizing::new(value.into_owned())).is_some() {
                return Err(wrong("expected each field once, found one twice"));
            }
        }
        Ok(Self { fields, basic })
    }

    /// Returns what is asked for.
    pub fn grant_type(&self) -> Option<&str> {
        self.field("grant_type")
    }

    /// Returns the scope that is asked for.
    pub fn scope(&self) -> Option<&str> {
        self.field("scope")
    }

    /// Finds out how the client proves who it is. More than one way is refused (RFC 6749 §2.3).
    pub fn presented(&self) -> Result<Presented, Problem> {
        let client = self.field("client_id").map(str::to_owned);
        let secret = self.field("client_secret");
        let kind = self.field("client_assertion_type");
        let assertion = self.field("client_assertion");
        let ways = [self.basic.is_some(), secret.is_some(), kind.is_some() || assertion.is_some()];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            return Err(wrong("expected one way to authenticate the client, found several"));
        }
        if let Some(basic) = &self.basic {
            if client.is_some_and(|client| client != basic.user) {
                return Err(wrong("expected client_id to be the one in the Authorization field"));
            }
            return Ok(Presented::Secret { client: basic.user.clone(), secret: basic.password.clone() });
        }
        match (secret, kind, assertion, client) {
            (Some(secret), _, _, Some(client)) => {
                Ok(Presented::Secret { client, secret: Zeroizing::new(secret.to_owned()) })
            }
            (Some(_), ..) => Err(wrong("expected client_id beside client_secret")),
            (None, Some(JWT_BEARER), Some(text), client) => {
                Ok(Presented::Assertion { client, text: Zeroizing::new(text.to_owned()) })
            }
            (None, None, None, _) => Ok(Presented::Nothing),
            _ => Err(wrong(
                "expected client_assertion with the client_assertion_type urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            )),
        }
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.as_str()).filter(|value| !value.is_empty())
    }
}

fn wrong(detail: &'static str) -> Problem {
    Problem::oauth(StatusCode::BAD_REQUEST, "invalid_request", detail)
}

fn is_form(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (fields.next(), fields.next()) else { return false };
    let Ok(text) = only.to_str() else { return false };
    let kind = text.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn basic(headers: &HeaderMap) -> Result<Option<Basic>, Problem> {
    let Some(field) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let read = field.to_str().ok().and_then(Basic::read).and_then(Basic::form_decoded);
    read.map(Some).ok_or_else(|| wrong("expected an Authorization field of the scheme Basic, or none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6749_2_3_1_name_and_password_are_form_encoded_within_basic() {
        let read = |text: &str| {
            let basic = Basic::read(&format!("bAsic {}", STANDARD.encode(text)))?.form_decoded()?;
            Some((basic.user, basic.password.to_string()))
        };
        let both = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(read("id:secret"), both("id", "secret"));
        assert_eq!(read("id:a%3Ab+c%26%3D"), both("id", "a:b c&="));
        assert_eq!(read("id:a=b:c"), both("id", "a=b:c"));
        assert_eq!(read("i%64:"), both("id", ""));
        assert_eq!(read("id"), None);
        assert_eq!(read("id:a&b"), None);
        for wrong in ["Bearer aWQ6cw==", "Basic", "Basic  aWQ6cw==", "Basic aWQ6cw", "Basic !", "Basic gA=="]
        {
            assert!(Basic::read(wrong).is_none(), "{wrong}");
        }
    }
}
