//! The two cookies: the session's, and the one by which a browser is known again that began a sign-in (X43).
//!
//! Always `Secure` and `HttpOnly`, and with the prefix `__Host-`, so that no neighbour host can set one; browsers take them over plain HTTP from loopback
//! only. Where programs on other hosts of a domain must see the session, the operator names that domain, and the prefix is `__Secure-`.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};

use crate::roster::SessionKey;

/// What binds a browser to the sign-ins that it began.
const BROWSER: &str = "__Host-rosterd-pre";
/// The session of this host alone.
pub const SESSION: &str = "__Host-rosterd";
/// The session of a domain.
const SHARED_SESSION: &str = "__Secure-rosterd";
/// How long a browser is known again: longer than any sign-in takes.
const BROWSER_SECONDS: i64 = 3600;
/// Longest value that is looked at.
const VALUE_BYTES_MAX: usize = 128;

/// How cookies are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cookies {
    /// The domain whose hosts share the session's cookie.
    pub domain: Option<String>,
    /// Whether some provider answers by a form, which browsers send from another site: then the browser's own cookie must be sent there too.
    pub from_forms: bool,
}

impl Cookies {
    /// Reads which session a browser shows. Two cookies of that name are none: nobody can say which is ours.
    pub fn session(&self, headers: &HeaderMap) -> Option<SessionKey> {
        SessionKey::parse(find(headers, self.session_name())?)
    }

    /// Returns the name of the session's cookie.
    pub const fn session_name(&self) -> &'static str {
        if self.domain.is_some() { SHARED_SESSION } else { SESSION }
    }

    /// Writes a session's cookie.
    pub fn set_session(&self, value: &str, expires: Timestamp, now: Timestamp) -> Option<HeaderValue> {
        let seconds = expires.duration_since(now).max(SignedDuration::ZERO).as_secs();
        self.write(value, seconds)
    }

    /// Takes a session's cookie away.
    pub fn clear_session(&self) -> Option<HeaderValue> {
        self.write("", 0)
    }

    fn write(&self, value: &str, seconds: i64) -> Option<HeaderValue> {
        let name = self.session_name();
        let domain = self.domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        let text =
            format!("{name}={value}; Path=/{domain}; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax");
        sensitive(&text)
    }

    /// Reads what a browser is known by that began a sign-in: 64 hexadecimal digits, which only we make.
    pub fn browser<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        find(headers, BROWSER)
            .filter(|value| value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }

    /// Writes what a browser is known by.
    pub fn set_browser(&self, value: &str) -> Option<HeaderValue> {
        let site = if self.from_forms { "None" } else { "Lax" };
        sensitive(&format!(
            "{BROWSER}={value}; Path=/; Max-Age={BROWSER_SECONDS}; Secure; HttpOnly; SameSite={site}"
        ))
    }
}

/// A field that is neither logged nor kept by compression tables.
fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Finds the one cookie of a name.
fn find<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    let pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value);
    let first = values.next().filter(|value| value.len() <= VALUE_BYTES_MAX)?;
    values.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[&str]) -> HeaderMap {
        fields.iter().map(|field| (COOKIE, field.parse().unwrap())).collect()
    }

    #[test]
    fn x43_a_cookie_is_of_this_host_alone_and_no_script_reads_it() {
        let cookies = Cookies::default();
        let (now, later) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(90).unwrap());
        let written = cookies.set_session("1.ab", later, now).unwrap();
        assert_eq!(
            written.to_str().unwrap(),
            "__Host-rosterd=1.ab; Path=/; Max-Age=90; Secure; HttpOnly; SameSite=Lax"
        );
        assert!(written.is_sensitive());
        let shared = Cookies { domain: Some("acme.example".to_owned()), ..Cookies::default() };
        assert_eq!(
            shared.clear_session().unwrap().to_str().unwrap(),
            "__Secure-rosterd=; Path=/; Domain=acme.example; Max-Age=0; Secure; HttpOnly; SameSite=Lax"
        );
        assert!(
            Cookies { from_forms: true, ..cookies }
                .set_browser("a")
                .unwrap()
                .to_str()
                .unwrap()
                .ends_with("SameSite=None")
        );
    }

    #[test]
    fn x43_of_two_cookies_of_one_name_none_is_taken() {
        let one = format!("__Host-rosterd-pre={}", "a".repeat(64));
        let cookies = Cookies::default();
        assert!(cookies.browser(&headers(&["x=1", &one])).is_some());
        assert!(cookies.browser(&headers(&[&format!("x=1; {one}; y=2")])).is_some());
        for wrong in [
            &[one.as_str(), one.as_str()][..],
            &[&format!("{one}; {one}")],
            &[&format!("{one}a")],
            &["__Host-rosterd-pre=short"],
            &["__host-rosterd-pre=short"],
            &[],
        ] {
            assert_eq!(cookies.browser(&headers(wrong)), None, "{wrong:?}");
        }
    }
}
