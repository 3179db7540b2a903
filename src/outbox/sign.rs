//! Signatures of the Standard Webhooks scheme: HMAC-SHA256 over id, time and body, once for each secret (X53).
//!
//! Pure. A receiver that holds either of two secrets accepts, which is what makes an exchange of secrets possible without a gap.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use zeroize::Zeroizing;

/// What a secret in base64 begins with.
pub const PREFIX: &str = "whsec_";
/// Fewest bytes of a secret.
pub const SECRET_BYTES_MIN: usize = 24;
/// Most bytes of a secret.
pub const SECRET_BYTES_MAX: usize = 512;

/// A secret that a receiver shares. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Secret {
    /// Reads a secret: `whsec_` and base64, or any other text, whose bytes are the key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bytes = match text.strip_prefix(PREFIX) {
            Some(coded) => Zeroizing::new(
                STANDARD
                    .decode(coded)
                    .map_err(|_| format!("expected base64 after {PREFIX}, found something else"))?,
            ),
            None => Zeroizing::new(text.as_bytes().to_vec()),
        };
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
            return Err(format!(
                "expected a secret of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, found {}; \
                 `echo whsec_$(openssl rand -base64 32)` makes one",
                bytes.len()
            ));
        }
        Ok(Self(bytes))
    }

    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length");
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

/// What the three header fields say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// `webhook-id`
    pub id: String,
    /// `webhook-timestamp`: when it is sent, in seconds. A receiver refuses what is older than five minutes.
    pub timestamp: String,
    /// `webhook-signature`
    pub signature: String,
}

/// Signs a body.
pub fn sign(secrets: &[Secret], id: &str, now: Timestamp, body: &[u8]) -> Signed {
    let seconds = now.as_second();
    let each = secrets.iter().map(|secret| format!("v1,{}", secret.sign(id, seconds, body)));
    Signed {
        id: id.to_owned(),
        timestamp: seconds.to_string(),
        signature: each.collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the scheme's own libraries test themselves with.
    #[test]
    fn x53_the_published_example_is_signed_as_published() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let now = Timestamp::from_second(1_614_265_330).unwrap();
        let signed = sign(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", now, br#"{"test": 2432232314}"#);
        assert_eq!(signed.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(signed.timestamp, "1614265330");
    }

    #[test]
    fn x53_two_secrets_sign_both() {
        let [one, two] = ["a".repeat(32), "b".repeat(32)].map(|text| Secret::parse(&text).unwrap());
        let now = Timestamp::from_second(1).unwrap();
        let of = |secrets: &[Secret]| sign(secrets, "evt_1_1", now, b"{}").signature;
        assert_eq!(
            of(&[one.clone(), two.clone()]),
            format!("{} {}", of(std::slice::from_ref(&one)), of(std::slice::from_ref(&two)))
        );
        assert_ne!(of(&[one]), of(&[two]));
    }

    #[test]
    fn x53_a_secret_that_could_be_guessed_is_refused_and_never_repeated() {
        for wrong in
            ["", "hunter2", "whsec_", "whsec_aHVudGVyMg==", "whsec_no base64 at all, and long enough"]
        {
            let said = Secret::parse(wrong).unwrap_err();
            assert!(said.starts_with("expected ") && !said.contains("unter2"), "{said}");
        }
        assert_eq!(format!("{:?}", Secret::parse(&"a".repeat(32)).unwrap()), "***");
    }
}
