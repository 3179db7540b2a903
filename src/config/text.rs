//! Settings written as text that mean something else: addresses, networks, URLs, paths.
//!
//! One trait and three ways to put it on a field with `#[serde(with = "...")]`: as itself, as an option (`""` is none), as a
//! list. The messages say what was expected and what was found; where it was found is for `load` to say.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serializer};

/// Most characters of a wrong value that a message repeats.
const ECHO_CHARS_MAX: usize = 60;

/// A value with a text form.
pub(super) trait Text: Sized {
    /// Reads the text form, or says what was expected and found.
    fn parse(text: &str) -> Result<Self, String>;
    /// Writes the text form.
    fn show(&self) -> String;
}

impl Text for SocketAddr {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            format!(
                "expected an IP address and a port such as 127.0.0.1:8080 or [::1]:8080, found {}",
                quoted(text)
            )
        })
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Text for TimeZone {
    fn parse(text: &str) -> Result<Self, String> {
        Self::get(text).map_err(|_| {
            format!("expected the name of a time zone such as Europe/Helsinki or UTC, found {}", quoted(text))
        })
    }

    fn show(&self) -> String {
        self.iana_name().unwrap_or_default().to_owned()
    }
}

impl Text for PathBuf {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.contains('\0') {
            return Err(format!("expected a path, found {}", quoted(text)));
        }
        Ok(Self::from(text))
    }

    fn show(&self) -> String {
        self.to_string_lossy().into_owned()
    }
}

impl Text for Duration {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a time such as 500ms or 2s, found {}", quoted(text));
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        match unit {
            "ms" => Ok(Self::from_millis(number)),
            "s" => Ok(Self::from_secs(number)),
            _ => Err(wrong()),
        }
    }

    fn show(&self) -> String {
        if self.subsec_millis() == 0 {
            format!("{}s", self.as_secs())
        } else {
            format!("{}ms", self.as_millis())
        }
    }
}

/// A number of bytes, written as `256KiB` or `32MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(pub usize);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes > 0 && bytes.is_multiple_of(1 << 20) => write!(f, "{}MiB", bytes >> 20),
            bytes if bytes > 0 && bytes.is_multiple_of(1 << 10) => write!(f, "{}KiB", bytes >> 10),
            bytes => write!(f, "{bytes}B"),
        }
    }
}

impl Text for ByteSize {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a size such as 256KiB or 32MiB, found {}", quoted(text));
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
        let number: usize = number.parse().map_err(|_| wrong())?;
        let unit = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            _ => return Err(wrong()),
        };
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// Puts a wrong text into a message: quoted, escaped, cut.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(ECHO_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// Reads a field of type `T`.
pub(super) fn deserialize<'de, T: Text, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    T::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

/// Writes a field of type `T`.
pub(super) fn serialize<T: Text, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&value.show())
}

/// For fields of type `Option<T>`: `""` is none.
pub(super) mod option {
    use super::{Deserialize, Deserializer, Serializer, Text};

    /// Reads a field that may be unset.
    pub(in crate::config) fn deserialize<'de, T: Text, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<T>, D::Error> {
        let text = String::deserialize(from)?;
        if text.is_empty() {
            return Ok(None);
        }
        T::parse(&text).map(Some).map_err(serde::de::Error::custom)
    }

    /// Writes a field that may be unset.
    #[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
    pub(in crate::config) fn serialize<T: Text, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&value.as_ref().map(Text::show).unwrap_or_default())
    }
}

/// For fields of type `Vec<T>`.
pub(super) mod list {
    use super::{Deserialize, Deserializer, Serializer, Text};

    /// Reads a list.
    pub(in crate::config) fn deserialize<'de, T: Text, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<T>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        texts.iter().map(|text| T::parse(text).map_err(serde::de::Error::custom)).collect()
    }

    /// Writes a list.
    pub(in crate::config) fn serialize<T: Text, S: Serializer>(
        values: &[T],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().map(Text::show))
    }
}
