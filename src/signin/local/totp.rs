//! Codes that a device counts: RFC 6238 with HMAC-SHA-1, steps of 30 seconds and six digits, which is what every authenticator app takes for granted.
//!
//! A code is looked for in the step that is now, the one before and the one after. Which step it was for is told, so that each counts once (RFC 6238 §5.2).

use std::fmt;
use std::fmt::Write as _;

use aws_lc_rs::hmac;
use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::chance::Chance;

/// Seconds of a step.
const STEP_SECONDS: u64 = 30;
/// Digits of a code.
const DIGITS: usize = 6;
/// What a code is below.
const CODES: u32 = 1_000_000;
/// Steps before and after the one that is now, in which a code counts too: clocks differ, and people type.
const WINDOW: u64 = 1;
/// Bytes of a secret (RFC 4226 §4: 160 bits are recommended).
const SECRET_BYTES: usize = 20;
/// Recovery codes of a person.
pub const RECOVERY_CODES: usize = 10;
/// Letters and digits of recovery codes and of secrets as they are shown (RFC 4648 §6).
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Characters of a recovery code: eighty random bits, so that a plain digest of one gives nothing away.
const RECOVERY_CHARACTERS: usize = 16;

/// The secret that a device counts with. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Zeroizing<Vec<u8>>);

/// Codes for when the device is lost, each good once. Shown once.
pub struct RecoveryCodes(pub Vec<Zeroizing<String>>);

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl TotpSecret {
    /// Makes a secret.
    pub fn new(chance: &dyn Chance) -> Self {
        let mut secret = Zeroizing::new(vec![0_u8; SECRET_BYTES]);
        chance.fill(&mut secret);
        Self(secret)
    }

    /// Takes a secret that was kept.
    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// Returns the secret, to be sealed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the secret as a person types it into their device.
    pub fn shown(&self) -> Zeroizing<String> {
        base32(&self.0)
    }

    /// Returns what a device reads from a picture: whose code it is, of which firm, and the secret.
    pub fn uri(&self, firm: &str, login: &str) -> Zeroizing<String> {
        let [firm, login] = [firm, login].map(escaped);
        let secret = self.shown();
        Zeroizing::new(format!(
            "otpauth://totp/{firm}:{login}?secret={}&issuer={firm}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}",
            secret.as_str()
        ))
    }

    /// Tells for which step a code is right at a moment (seconds since 1970); `None` where it is for none.
    pub fn step_of(&self, typed: &str, now: u64) -> Option<u64> {
        let typed: Zeroizing<String> = Zeroizing::new(typed.chars().filter(|c| !c.is_whitespace()).collect());
        if typed.len() != DIGITS || !typed.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let step = now / STEP_SECONDS;
        let mut found = 0_u64;
        // All are looked at, whichever it is.
        for step in step.saturating_sub(WINDOW)..=step.saturating_add(WINDOW) {
            let same = self.code(step).as_bytes().ct_eq(typed.as_bytes());
            found = u64::conditional_select(&found, &step, same);
        }
        (found > 0).then_some(found)
    }

    /// Returns the code of a step (RFC 4226 §5.3).
    pub fn code(&self, step: u64) -> Zeroizing<String> {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let offset = tag.as_ref().last().map_or(0, |last| usize::from(last & 0x0f));
        let word = tag.as_ref().get(offset..offset.saturating_add(4)).and_then(|four| four.try_into().ok());
        let number = u32::from_be_bytes(word.unwrap_or_default()) & 0x7fff_ffff;
        Zeroizing::new(format!("{:0width$}", number % CODES, width = DIGITS))
    }
}

impl RecoveryCodes {
    /// Makes a set of codes.
    pub fn new(chance: &dyn Chance) -> Self {
        Self((0..RECOVERY_CODES).map(|_| recovery_code(chance)).collect())
    }
}

/// Makes four groups of four.
fn recovery_code(chance: &dyn Chance) -> Zeroizing<String> {
    let mut random = Zeroizing::new([0_u8; RECOVERY_CHARACTERS]);
    chance.fill(random.as_mut_slice());
    let mut code = Zeroizing::new(String::with_capacity(RECOVERY_CHARACTERS.saturating_add(3)));
    for (place, byte) in random.iter().enumerate() {
        if place > 0 && place.is_multiple_of(4) {
            code.push('-');
        }
        code.extend(BASE32.get(usize::from(byte % 32)).copied().map(char::from));
    }
    code
}

fn base32(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().saturating_mul(2)));
    for chunk in bytes.chunks(5) {
        let mut word = [0_u8; 8];
        word.iter_mut().skip(3).zip(chunk).for_each(|(to, from)| *to = *from);
        let word = u64::from_be_bytes(word);
        let characters = chunk.len().saturating_mul(8).div_ceil(5);
        for place in 0..characters {
            let shift = u32::try_from(35_usize.saturating_sub(place.saturating_mul(5))).unwrap_or(0);
            let digit = usize::try_from(word.checked_shr(shift).unwrap_or(0) & 31).unwrap_or(0);
            text.extend(BASE32.get(digit).copied().map(char::from));
        }
    }
    text
}

/// Writes a text so that nothing in it means anything in a URL.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    fn rfc() -> TotpSecret {
        TotpSecret::from_bytes(Zeroizing::new(b"12345678901234567890".to_vec()))
    }

    #[test]
    fn rfc6238_b_the_codes_are_those_of_the_rfc() {
        // Appendix B, the last six of its eight digits.
        for (now, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(rfc().step_of(code, now), Some(now / 30), "{now}");
        }
    }

    #[test]
    fn rfc6238_5_2_a_code_counts_one_step_early_and_one_late_and_no_further() {
        let code = "081804";
        let step = 1_111_111_109 / 30;
        for (late, found) in [(-2, None), (-1, Some(step)), (0, Some(step)), (1, Some(step)), (2, None)] {
            let now = 1_111_111_109_u64.checked_add_signed(late * 30).unwrap();
            assert_eq!(rfc().step_of(code, now), found, "{late}");
        }
    }

    #[test]
    fn only_six_digits_are_a_code_and_spaces_between_them_do_not_matter() {
        assert_eq!(rfc().step_of("081 804", 1_111_111_109), Some(1_111_111_109 / 30));
        for wrong in ["", "08180", "0818044", "08180a", "٠٨١٨٠٤", "081805"] {
            assert_eq!(rfc().step_of(wrong, 1_111_111_109), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_shown_as_devices_read_it() {
        assert_eq!(rfc().shown().as_str(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(
            rfc().uri("Acme & Co", "ada@acme.test").as_str(),
            "otpauth://totp/Acme%20%26%20Co:ada%40acme.test?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme%20%26%20Co&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(format!("{:?}", rfc()), "***");
    }

    #[test]
    fn recovery_codes_are_ten_and_differ() {
        let RecoveryCodes(codes) = RecoveryCodes::new(&SeededChance::new(3));
        assert_eq!(codes.len(), 10);
        assert!(codes.iter().all(|code| code.len() == 19), "{}", codes[0].as_str());
        let distinct: std::collections::BTreeSet<&str> = codes.iter().map(|code| code.as_str()).collect();
        assert_eq!(distinct.len(), 10);
    }
}
