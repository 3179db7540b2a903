//! Amounts of money and the currencies they are in (rows H05, H12).
//!
//! A rate is an exact decimal: what was written is what is kept and answered, to the last of four fraction digits. Nothing here
//! calculates, and nothing goes through binary fractions: a JSON number is read by its text. Knows nothing of who may see money.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::scim::error::quoted;

/// Most digits after the point.
pub const FRACTION_DIGITS_MAX: usize = 4;
/// Fewest digits after the point in the canonical text.
const FRACTION_DIGITS_MIN: usize = 2;
/// How many parts make one: ten to the power of [`FRACTION_DIGITS_MAX`].
const PARTS: i64 = 10_000;
/// From here on (10¹¹ whole ones) a JSON number with a fraction no longer tells neighbouring amounts apart: it holds 15 digits.
const PARTS_TOLD_APART: i64 = 1_000_000_000_000_000;

/// An amount of money without its currency: zero or more, with up to four digits after the point.
///
/// ```
/// use rosterd::psa::money::Amount;
/// assert_eq!(Amount::parse("85.5").unwrap().to_string(), "85.50");
/// assert_eq!(Amount::parse("85.1234").unwrap().to_string(), "85.1234");
/// assert!(Amount::parse("8.55e1").is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(i64);

/// Why something is not an amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// No plain decimal: words, signs, exponents, grouping, a comma.
    #[error("expected an amount such as 85.50 (digits, a point, at most 4 digits), found {found}")]
    NotDecimal {
        /// What was there, quoted and shortened.
        found: String,
    },
    /// Less than nothing.
    #[error("expected an amount of zero or more, found {found}")]
    Negative {
        /// What was there, quoted and shortened.
        found: String,
    },
    /// More digits after the point than are kept; rounding is up to who sends.
    #[error("expected at most 4 digits after the point, found {found}: round it before it is sent")]
    TooFine {
        /// What was there, quoted and shortened.
        found: String,
    },
    /// More than can be held.
    #[error("expected an amount of at most {}, found {found}", Amount::MAX)]
    TooLarge {
        /// What was there, quoted and shortened.
        found: String,
    },
    /// A JSON number with a fraction, so large that it may not be what was meant.
    #[error(
        "expected an amount below 100000000000, or one written as a text, found the number {found}: JSON numbers keep 15 digits only"
    )]
    Inexact {
        /// What was there, quoted and shortened.
        found: String,
    },
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The most that can be held.
    pub const MAX: Self = Self(i64::MAX);

    /// Reads plain decimal text: digits, and if there is a point, one to four digits behind it. Nothing is trimmed or rounded.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        let found = || quoted(text);
        let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((_, "")) => return Err(AmountError::NotDecimal { found: found() }),
            Some(parts) => parts,
            None => (unsigned, ""),
        };
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return Err(AmountError::NotDecimal { found: found() });
        }
        if negative {
            return Err(AmountError::Negative { found: found() });
        }
        if fraction.len() > FRACTION_DIGITS_MAX {
            return Err(AmountError::TooFine { found: found() });
        }
        let zeros = std::iter::repeat_n(b'0', FRACTION_DIGITS_MAX.saturating_sub(fraction.len()));
        whole
            .bytes()
            .chain(fraction.bytes())
            .chain(zeros)
            .try_fold(0_i64, |sum, digit| {
                sum.checked_mul(10)?.checked_add(i64::from(digit.saturating_sub(b'0')))
            })
            .map(Self)
            .ok_or_else(|| AmountError::TooLarge { found: found() })
    }

    /// Reads a JSON number by its text.
    ///
    /// A number with a fraction was held as a binary one on its way here. Up to 15 digits its shortest text is the text that was
    /// sent; a larger one is refused rather than believed, and can be sent as a text.
    pub fn from_number(number: &Number) -> Result<Self, AmountError> {
        let text = number.to_string();
        let amount = Self::parse(&text)?;
        if number.is_f64() && amount.0 >= PARTS_TOLD_APART {
            return Err(AmountError::Inexact { found: quoted(&text) });
        }
        Ok(amount)
    }

    /// Returns the amount in ten-thousandths, for whoever must put it in order or into bytes.
    pub const fn ten_thousandths(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Amount {
    /// Writes the canonical text: at least two digits after the point, and no zero at the end beyond these.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never negative, and divided by a constant: neither can overflow.
        let (whole, parts) = (self.0.div_euclid(PARTS), self.0.rem_euclid(PARTS));
        let fraction = format!("{parts:0FRACTION_DIGITS_MAX$}");
        let needed = fraction.trim_end_matches('0').len().max(FRACTION_DIGITS_MIN);
        write!(f, "{whole}.{fraction:.needed$}")
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.to_string()
    }
}

impl TryFrom<String> for Amount {
    type Error = AmountError;

    fn try_from(text: String) -> Result<Self, AmountError> {
        Self::parse(&text)
    }
}

/// A currency by its ISO 4217 code. Those that were superseded are among them: what was paid in them stays in a history.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(iso_currency::Currency);

/// Why a text is not a currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CurrencyError {
    /// No code of the list.
    #[error("expected a currency's ISO 4217 code of three letters such as EUR, found {found}")]
    Unknown {
        /// What was there, quoted and shortened.
        found: String,
    },
    /// A code of the list that stands for a metal, a test, a unit of account, or no currency at all.
    #[error(
        "expected the ISO 4217 code of a currency that people are paid in, found {code}, which stands for {name}"
    )]
    NotMoney {
        /// The code.
        code: &'static str,
        /// What the list calls it.
        name: String,
    },
}

impl Currency {
    /// Reads a code of three letters in any case; nothing is trimmed.
    pub fn parse(text: &str) -> Result<Self, CurrencyError> {
        // The length first: what strangers send is not copied whole to be looked up.
        let known = (text.len() == 3).then(|| iso_currency::Currency::from_code(&text.to_ascii_uppercase()));
        let Some(currency) = known.flatten() else {
            return Err(CurrencyError::Unknown { found: quoted(text) });
        };
        if currency.is_special() {
            return Err(CurrencyError::NotMoney { code: currency.code(), name: currency.name().to_owned() });
        }
        Ok(Self(currency))
    }

    /// Returns the code, in upper case.
    pub fn code(self) -> &'static str {
        self.0.code()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Currency({})", self.code())
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Self) -> Ordering {
        self.code().cmp(other.code())
    }
}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl TryFrom<String> for Currency {
    type Error = CurrencyError;

    fn try_from(text: String) -> Result<Self, CurrencyError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Number {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn h12_the_canonical_text_has_two_digits_after_the_point_or_as_many_as_it_needs() {
        let pairs = [
            ("85", "85.00"),
            ("85.5", "85.50"),
            ("85.50", "85.50"),
            ("85.500", "85.50"),
            ("85.125", "85.125"),
            ("85.1234", "85.1234"),
            ("85.0001", "85.0001"),
            ("0", "0.00"),
            ("0.0100", "0.01"),
            ("007", "7.00"),
            ("922337203685477.5807", "922337203685477.5807"),
        ];
        for (sent, kept) in pairs {
            assert_eq!(Amount::parse(sent).unwrap().to_string(), kept, "{sent}");
        }
    }

    #[test]
    fn h12_what_is_no_amount_is_refused_with_what_was_found() {
        let not_decimal = |text: &str| matches!(Amount::parse(text), Err(AmountError::NotDecimal { .. }));
        for text in [
            "",
            " ",
            ".",
            "-",
            ".5",
            "5.",
            "-.5",
            "--1",
            "+1",
            " 1",
            "1 ",
            "1,5",
            "1 000",
            "1_000",
            "1e3",
            "8.55E1",
            "1.2.3",
            "1.-2",
            "NaN",
            "inf",
            "Infinity",
            "0x10",
            "١",
            "€5",
            "85.50 EUR",
        ] {
            assert!(not_decimal(text), "{text}");
        }
        let said = |text: &str| Amount::parse(text).unwrap_err().to_string();
        assert_eq!(said("-1.50"), "expected an amount of zero or more, found \"-1.50\"");
        assert_eq!(
            said("1.00000"),
            "expected at most 4 digits after the point, found \"1.00000\": round it before it is sent"
        );
        assert_eq!(
            said("922337203685477.5808"),
            "expected an amount of at most 922337203685477.5807, found \"922337203685477.5808\""
        );
        assert_eq!(
            said("85,50"),
            "expected an amount such as 85.50 (digits, a point, at most 4 digits), found \"85,50\""
        );
        assert!(said(&"9".repeat(1 << 20)).len() < 200);
    }

    #[test]
    fn h12_a_json_number_is_read_by_its_text() {
        for (sent, kept) in
            [("85", "85.00"), ("85.1", "85.10"), ("0.1", "0.10"), ("99999999999.9999", "99999999999.9999")]
        {
            assert_eq!(Amount::from_number(&number(sent)).unwrap().to_string(), kept, "{sent}");
        }
        assert_eq!(
            Amount::from_number(&number("922337203685477")).unwrap().to_string(),
            "922337203685477.00",
            "whole numbers are exact however large"
        );
        let refused = |sent: &str| Amount::from_number(&number(sent)).unwrap_err();
        assert!(matches!(refused("-1"), AmountError::Negative { .. }));
        assert!(matches!(refused("85.12345"), AmountError::TooFine { .. }));
        assert!(matches!(refused("1e300"), AmountError::NotDecimal { .. }));
        assert!(matches!(refused("0.0000001"), AmountError::NotDecimal { .. }));
        assert!(matches!(refused("18446744073709551615"), AmountError::TooLarge { .. }));
    }

    #[test]
    fn h12_a_json_number_that_lost_digits_on_the_way_is_refused() {
        // As a binary fraction this is 123456789012345.0, which looks like an honest amount.
        let lossy = number("123456789012345.0001");
        assert_eq!(lossy.to_string(), "123456789012345.0");
        assert!(matches!(Amount::from_number(&lossy), Err(AmountError::Inexact { .. })));
        assert_eq!(Amount::parse("123456789012345.0001").unwrap().to_string(), "123456789012345.0001");
    }

    #[test]
    fn h12_a_currency_is_a_code_of_iso_4217_in_upper_case() {
        for (sent, kept) in [("EUR", "EUR"), ("eur", "EUR"), ("Sek", "SEK"), ("JPY", "JPY"), ("HRK", "HRK")] {
            assert_eq!(Currency::parse(sent).unwrap().to_string(), kept);
        }
        for wrong in ["", "E", "EURO", " EUR", "€", "ABC", "978", "Euro", "ſek"] {
            assert_eq!(Currency::parse(wrong), Err(CurrencyError::Unknown { found: format!("\"{wrong}\"") }));
        }
        assert_eq!(
            Currency::parse("XXX").unwrap_err().to_string(),
            "expected the ISO 4217 code of a currency that people are paid in, found XXX, which stands for No currency"
        );
        assert!(matches!(Currency::parse("xau"), Err(CurrencyError::NotMoney { code: "XAU", .. })));
    }

    #[test]
    fn h12_amounts_and_currencies_are_kept_as_texts() {
        let kept = serde_json::to_string(&(Amount::parse("85.5").unwrap(), Currency::parse("eur").unwrap()))
            .unwrap();
        assert_eq!(kept, r#"["85.50","EUR"]"#);
        let back: (Amount, Currency) = serde_json::from_str(&kept).unwrap();
        assert_eq!((back.0.ten_thousandths(), back.1.code()), (855_000, "EUR"));
        assert!(serde_json::from_str::<Amount>("\"-1\"").is_err());
        assert!(serde_json::from_str::<Currency>("\"XYZ\"").is_err());
    }

    /// Says what the pattern of an amount says, in another way.
    fn is_amount(text: &str) -> bool {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        let fits =
            || format!("{whole}{fraction:0<4}").parse::<i128>().is_ok_and(|sum| sum <= i128::from(i64::MAX));
        digits(whole) && digits(fraction) && fraction.len() <= 4 && fits()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn h12_an_amount_is_its_text(parts in 0..=i64::MAX) {
            let amount = Amount(parts);
            prop_assert_eq!(Amount::parse(&amount.to_string()), Ok(amount));
        }

        #[test]
        fn h12_an_amount_sent_as_a_json_number_is_the_one_that_was_written(parts in 0..PARTS_TOLD_APART) {
            let amount = Amount(parts);
            prop_assert_eq!(Amount::from_number(&number(&amount.to_string())), Ok(amount));
        }

        #[test]
        fn h12_amounts_sort_as_the_sums_they_are(a in 0..=i64::MAX, b in 0..=i64::MAX) {
            let (left, right) = (Amount(a), Amount(b));
            let padded = |amount: Amount| {
                let text = amount.to_string();
                let (whole, fraction) = text.split_once('.').unwrap();
                format!("{whole:0>20}.{fraction:0<4}")
            };
            prop_assert_eq!(left.cmp(&right), padded(left).cmp(&padded(right)));
        }

        #[test]
        fn h12_only_amounts_are_read(text in "-?[0-9]{0,17}[.,e+ ]?[0-9]{0,6}|\\PC{0,8}") {
            prop_assert_eq!(Amount::parse(&text).is_ok(), is_amount(&text), "{}", text);
        }
    }
}
