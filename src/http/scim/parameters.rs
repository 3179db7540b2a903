//! Query parameters of SCIM requests (RFC 7644 §3.4.2, §3.9), decoded as form data (S5).
//!
//! Names are compared without regard to case (S26), unknown ones are ignored (S4), of two spellings of one the first counts.

use crate::scim::{Refusal, Why};

/// The parameters that the engine knows, as they were sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// `filter`.
    pub filter: Option<String>,
    /// `attributes`.
    pub attributes: Option<String>,
    /// `excludedAttributes`.
    pub excluded_attributes: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
}

impl Parameters {
    /// Decodes a query string. Costs nothing when there is none.
    pub fn decode(query: Option<&str>) -> Self {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let slot = match name.to_ascii_lowercase().as_str() {
                "filter" => &mut parameters.filter,
                "attributes" => &mut parameters.attributes,
                "excludedattributes" => &mut parameters.excluded_attributes,
                "startindex" => &mut parameters.start_index,
                "count" => &mut parameters.count,
                _ => continue,
            };
            slot.get_or_insert_with(|| value.into_owned());
        }
        parameters
    }

    /// Reads `startIndex`: 1 where it is absent or below 1 (S79).
    pub fn start_index(&self) -> Result<u64, Refusal> {
        let index = number("startIndex", self.start_index.as_deref())?.unwrap_or(1);
        Ok(u64::try_from(index).unwrap_or(0).max(1))
    }

    /// Reads `count`: `None` where it is absent, 0 where it is negative (S80).
    pub fn count(&self) -> Result<Option<u64>, Refusal> {
        let count = number("count", self.count.as_deref())?;
        Ok(count.map(|count| u64::try_from(count).unwrap_or(0)))
    }
}

/// Reads a whole number. One that no machine integer holds is cut to the nearest that one does.
fn number(name: &str, text: Option<&str>) -> Result<Option<i64>, Refusal> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::new(Why::InvalidValue, format!("{name}: expected a whole number")));
    }
    let beyond = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Ok(Some(text.parse().unwrap_or(beyond)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s5_a_plus_is_a_space_and_an_encoded_plus_is_a_plus() {
        let parameters = Parameters::decode(Some("filter=userName+eq+%22ada%2Bx%40acme.test%22&"));
        assert_eq!(parameters.filter.unwrap(), "userName eq \"ada+x@acme.test\"");
    }

    #[test]
    fn s4_unknown_and_empty_parameters_are_ignored() {
        assert_eq!(Parameters::decode(Some("x=1&&=&y")), Parameters::default());
        assert_eq!(Parameters::decode(None), Parameters::default());
    }

    #[test]
    fn s79_s80_paging_numbers_are_cut_to_what_they_can_mean() {
        let read = |query| {
            let parameters = Parameters::decode(Some(query));
            (parameters.start_index(), parameters.count())
        };
        assert_eq!(read(""), (Ok(1), Ok(None)));
        assert_eq!(read("startIndex=0&count=-3"), (Ok(1), Ok(Some(0))));
        assert_eq!(read("STARTINDEX=-7&count=5"), (Ok(1), Ok(Some(5))));
        let huge = u64::try_from(i64::MAX).unwrap();
        assert_eq!(
            read("startIndex=99999999999999999999&count=99999999999999999999"),
            (Ok(huge), Ok(Some(huge)))
        );
        assert!(read("startIndex=abc").0.is_err());
        assert!(read("count=1.5").1.is_err());
    }
}
