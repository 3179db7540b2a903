//! Amounts and currencies, checked once. Nothing goes through binary fractions.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Most digits after the point.
const FRACTION_DIGITS_MAX: usize = 4;
/// How many parts make one.
const PARTS: i64 = 10_000;

/// An amount of money without its currency: zero or more, with up to four digits after the point.
///
/// ```
/// use rosterd_plugin::Amount;
/// let rate = Amount::parse("85.5").unwrap();
/// assert_eq!(rate.to_string(), "85.50");
/// assert_eq!(rate.times(Amount::parse("1.25").unwrap()).unwrap().to_string(), "106.875");
/// assert!(Amount::parse("8,5").is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i64);

/// Why something is not an amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmountError(String);

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected an amount such as 85.50 (digits, a point, at most 4 digits), found {:?}", self.0)
    }
}

impl std::error::Error for AmountError {}

impl Amount {
    /// Reads plain decimal text: digits, and if there is a point, one to four digits behind it.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        Self::read(text).map(Self).ok_or_else(|| AmountError(text.chars().take(40).collect()))
    }

    fn read(text: &str) -> Option<i64> {
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (text, ""),
        };
        if whole.is_empty() || fraction.len() > FRACTION_DIGITS_MAX {
            return None;
        }
        let zeros = std::iter::repeat_n(b'0', FRACTION_DIGITS_MAX.saturating_sub(fraction.len()));
        whole.bytes().chain(fraction.bytes()).chain(zeros).try_fold(0_i64, |sum, digit| {
            let digit = char::from(digit).to_digit(10)?;
            sum.checked_mul(10)?.checked_add(i64::from(digit))
        })
    }

    /// Adds; `None` beyond what can be held.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Multiplies, rounded half up to four digits; `None` beyond what can be held.
    #[must_use]
    pub fn times(self, factor: Self) -> Option<Self> {
        let parts = i128::from(PARTS);
        let product = i128::from(self.0).checked_mul(i128::from(factor.0))?.checked_add(parts / 2)?;
        i64::try_from(product / parts).ok().map(Self)
    }
}

impl fmt::Display for Amount {
    /// Writes at least two digits after the point, and no zero at the end beyond these: as rosterd keeps it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, parts) = (self.0 / PARTS, self.0 % PARTS);
        if parts % 100 == 0 {
            write!(f, "{whole}.{:02}", parts / 100)
        } else if parts % 10 == 0 {
            write!(f, "{whole}.{:03}", parts / 10)
        } else {
            write!(f, "{whole}.{parts:04}")
        }
    }
}

/// A currency: a code of three capital letters. Whether ISO 4217 knows it, the host checks.
///
/// ```
/// use rosterd_plugin::Currency;
/// assert_eq!(Currency::parse("EUR").unwrap().as_str(), "EUR");
/// assert!(Currency::parse("euro").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(String);

/// Why something is not a currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrencyError(String);

impl fmt::Display for CurrencyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected a code of ISO 4217 such as EUR, found {:?}", self.0)
    }
}

impl std::error::Error for CurrencyError {}

impl Currency {
    /// Reads three capital letters.
    pub fn parse(text: &str) -> Result<Self, CurrencyError> {
        if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CurrencyError(text.chars().take(40).collect()))
        }
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! as_text {
    ($type:ident, $error:ident, $schema:tt) => {
        impl FromStr for $type {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                Self::parse(text)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

as_text!(Amount, AmountError, { "type": "string", "pattern": "^[0-9]+([.][0-9]{1,4})?$" });
as_text!(Currency, CurrencyError, { "type": "string", "pattern": "^[A-Z]{3}$" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_as_rosterd_keeps_them() {
        for (text, kept) in [
            ("0", "0.00"),
            ("85", "85.00"),
            ("85.1", "85.10"),
            ("85.123", "85.123"),
            ("85.1230", "85.123"),
            ("0.0001", "0.0001"),
        ] {
            assert_eq!(Amount::parse(text).unwrap().to_string(), kept);
        }
        for wrong in ["", ".5", "5.", "-1", "+1", "1e3", "1,5", "1.00000", "99999999999999999999", "1 000"] {
            assert!(Amount::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_product_is_rounded_half_up() {
        let times = |a: &str, b: &str| {
            Amount::parse(a).unwrap().times(Amount::parse(b).unwrap()).map(|c| c.to_string())
        };
        assert_eq!(times("0.0001", "0.5").as_deref(), Some("0.0001"));
        assert_eq!(times("0.0001", "0.4999").as_deref(), Some("0.00"));
        assert_eq!(times("900000000000000", "900000000000000"), None);
    }
}
