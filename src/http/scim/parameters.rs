//! Parameters of SCIM requests (RFC 7644 §3.4.2, §3.9): of the URL, decoded as form data (S5), or of a SearchRequest (§3.4.3, S87).
//!
//! Names are compared without regard to case (S26), unknown ones are ignored (S4), of two spellings of one the first counts.

use serde_json::Value;

use crate::roster::Start;
use crate::scim::error::quoted;
use crate::scim::note::Notes;
use crate::scim::{Refusal, Rule, SortOrder, Why, urn};

/// The parameters that the engine knows, as they were sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// `filter`.
    pub filter: Option<String>,
    /// `attributes`.
    pub attributes: Option<String>,
    /// `excludedAttributes`.
    pub excluded_attributes: Option<String>,
    /// `sortBy`.
    pub sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
    cursor: Option<String>,
}

impl Parameters {
    /// Decodes a query string. Costs nothing when there is none.
    pub fn decode(query: Option<&str>) -> Self {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if let Some(slot) = parameters.slot(&name) {
                slot.get_or_insert_with(|| value.into_owned());
            }
        }
        parameters
    }

    /// Reads a SearchRequest. Values stand there as JSON: lists of names for the projection, numbers for the page. Where the
    /// schema is required, so are those types; else texts do as well, and the notes say that they had to.
    pub fn from_message(body: Value, strict: bool) -> Result<(Self, Notes), Refusal> {
        let Value::Object(message) = body else {
            return Err(syntax("expected a SearchRequest: a JSON object"));
        };
        let mut parameters = Self::default();
        let mut notes = Notes::new();
        let mut named = false;
        for (name, value) in message {
            if urn::same(&name, "schemas") {
                named = is_search(&value);
                continue;
            }
            let Some(slot) = parameters.slot(&name) else { continue };
            let list = urn::same(&name, "attributes") || urn::same(&name, "excludedAttributes");
            let numeric = urn::same(&name, "startIndex") || urn::same(&name, "count");
            *slot = match value {
                Value::Null => None,
                Value::Number(number) if numeric => Some(number.to_string()),
                Value::String(text) if !strict || !(list || numeric) => {
                    if list {
                        notes.add(Rule::SingleAsList);
                    } else if numeric {
                        notes.add(Rule::StringAsNumber);
                    }
                    Some(text)
                }
                Value::Array(names) if list => Some(comma_list(&name, names)?),
                _ => {
                    let expected = if list {
                        "a list of names"
                    } else if numeric {
                        "a whole number"
                    } else {
                        "a text"
                    };
                    return Err(Refusal::new(
                        Why::InvalidValue,
                        format!("{}: expected {expected}", quoted(&name)),
                    ));
                }
            };
        }
        if !named {
            if strict {
                return Err(syntax(format!("expected {} in schemas", urn::SEARCH_REQUEST)));
            }
            notes.add(Rule::SchemasMissing);
        }
        Ok((parameters, notes))
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name.to_ascii_lowercase().as_str() {
            "filter" => &mut self.filter,
            "attributes" => &mut self.attributes,
            "excludedattributes" => &mut self.excluded_attributes,
            "sortby" => &mut self.sort_by,
            "sortorder" => &mut self.sort_order,
            "startindex" => &mut self.start_index,
            "count" => &mut self.count,
            "cursor" => &mut self.cursor,
            _ => return None,
        })
    }

    /// Reads `sortOrder`: ascending where it is absent. A word that is neither is refused where `strict`, else ascending. Says beside it whether
    /// the word was known.
    pub fn sort_order(&self, strict: bool) -> Result<(SortOrder, bool), Refusal> {
        let Some(text) = self.sort_order.as_deref().filter(|text| !text.trim().is_empty()) else {
            return Ok((SortOrder::default(), true));
        };
        match SortOrder::parse(text) {
            Some(order) => Ok((order, true)),
            None if strict => {
                Err(Refusal::new(Why::InvalidValue, "sortOrder: expected ascending or descending"))
            }
            None => Ok((SortOrder::default(), false)),
        }
    }

    /// Reads where the page begins: by `cursor` where there is one, else by `startIndex`: 1 where it is absent or below 1 (S79).
    pub fn start(&self) -> Result<Start, Refusal> {
        match (&self.cursor, &self.start_index) {
            (Some(_), Some(_)) => {
                Err(Refusal::new(Why::InvalidValue, "expected either startIndex or cursor, found both"))
            }
            (Some(cursor), None) => Ok(Start::Cursor(cursor.clone())),
            (None, index) => {
                let index = number("startIndex", index.as_deref(), Why::InvalidValue)?.unwrap_or(1);
                Ok(Start::Index(u64::try_from(index).unwrap_or(0).max(1)))
            }
        }
    }

    /// Reads `count`: `None` where it is absent, 0 where it is negative (S80).
    pub fn count(&self) -> Result<Option<u64>, Refusal> {
        let why = if self.cursor.is_some() { Why::InvalidCount } else { Why::InvalidValue };
        let count = number("count", self.count.as_deref(), why)?;
        Ok(count.map(|count| u64::try_from(count).unwrap_or(0)))
    }
}

fn syntax(detail: impl Into<String>) -> Refusal {
    Refusal::new(Why::InvalidSyntax, detail)
}

fn is_search(schemas: &Value) -> bool {
    let names = schemas.as_array().map_or(std::slice::from_ref(schemas), Vec::as_slice);
    names.iter().filter_map(Value::as_str).any(|name| urn::same(name, urn::SEARCH_REQUEST))
}

/// Joins a list of names as the URL has it. A name cannot hold a comma.
fn comma_list(name: &str, names: Vec<Value>) -> Result<String, Refusal> {
    let mut texts = Vec::with_capacity(names.len());
    for value in names {
        let Value::String(text) = value else {
            return Err(Refusal::new(
                Why::InvalidValue,
                format!("{}: expected a list of names", quoted(name)),
            ));
        };
        texts.push(text);
    }
    Ok(texts.join(","))
}

/// Reads a whole number. One that no machine integer holds is cut to the nearest that one does.
fn number(name: &str, text: Option<&str>, why: Why) -> Result<Option<i64>, Refusal> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::new(why, format!("{name}: expected a whole number")));
    }
    let beyond = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Ok(Some(text.parse().unwrap_or(beyond)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
            (parameters.start(), parameters.count())
        };
        let one = || Ok(Start::Index(1));
        assert_eq!(read(""), (one(), Ok(None)));
        assert_eq!(read("startIndex=0&count=-3"), (one(), Ok(Some(0))));
        assert_eq!(read("STARTINDEX=-7&count=5"), (one(), Ok(Some(5))));
        let huge = u64::try_from(i64::MAX).unwrap();
        assert_eq!(
            read("startIndex=99999999999999999999&count=99999999999999999999"),
            (Ok(Start::Index(huge)), Ok(Some(huge)))
        );
        assert!(read("startIndex=abc").0.is_err());
        assert!(read("count=1.5").1.is_err());
    }
    #[test]
    fn s87_a_search_request_says_what_a_url_says() {
        let message = json!({
            "schemas": [urn::SEARCH_REQUEST], "attributes": ["userName", "name.givenName"], "filter": "title pr",
            "SortBy": "userName", "sortOrder": "Descending", "startIndex": 3, "count": 7, "colour": "red",
        });
        let url = "attributes=userName,name.givenName&filter=title+pr&sortBy=userName&sortOrder=Descending&startIndex=3&count=7";
        for strict in [true, false] {
            let expected = Ok((Parameters::decode(Some(url)), Notes::new()));
            assert_eq!(Parameters::from_message(message.clone(), strict), expected);
        }
    }

    #[test]
    fn s87_a_search_request_is_read_leniently_unless_the_profile_is_strict() {
        let sloppy = json!({ "attributes": "userName", "startIndex": "3", "excludedAttributes": null, "filter": null });
        let (read, notes) = Parameters::from_message(sloppy.clone(), false).unwrap();
        assert_eq!(notes.rules(), [Rule::SingleAsList, Rule::StringAsNumber, Rule::SchemasMissing]);
        assert_eq!(read, Parameters::decode(Some("attributes=userName&startIndex=3")));
        assert_eq!(
            Parameters::from_message(sloppy, true).map_err(|refusal| refusal.why),
            Err(Why::InvalidValue)
        );
        let nameless = Parameters::from_message(json!({ "filter": "title pr" }), true);
        assert_eq!(nameless.map_err(|refusal| refusal.why), Err(Why::InvalidSyntax));
        for wrong in [json!([]), json!("x"), json!(null)] {
            let read = Parameters::from_message(wrong, false);
            assert_eq!(read.map_err(|refusal| refusal.why), Err(Why::InvalidSyntax));
        }
        for wrong in
            [json!({"filter": 1}), json!({"count": [1]}), json!({"attributes": [1]}), json!({"sortBy": {}})]
        {
            let read = Parameters::from_message(wrong, false);
            assert_eq!(read.map_err(|refusal| refusal.why), Err(Why::InvalidValue));
        }
        assert!(Parameters::from_message(json!({ "count": 1.5 }), false).unwrap().0.count().is_err());
    }

    #[test]
    fn s89_a_page_begins_at_an_index_or_at_a_cursor_and_not_at_both() {
        let start = |query| Parameters::decode(Some(query)).start();
        assert_eq!(start("cursor"), Ok(Start::Cursor(String::new())));
        assert_eq!(start("cursor=x"), Ok(Start::Cursor("x".into())));
        assert_eq!(start("cursor=x&startIndex=1").map_err(|refusal| refusal.why), Err(Why::InvalidValue));
        let count = Parameters::decode(Some("cursor&count=many")).count();
        assert_eq!(count.map_err(|refusal| refusal.why), Err(Why::InvalidCount));
    }
}
