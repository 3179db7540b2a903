//! The parameters of a query: each endpoint lists its own, and from that list they are read, refused and documented.
//!
//! A parameter that is not in the list is refused by name, and so is one that comes twice: a mistyped `limit` must not look as if it held.

use std::collections::BTreeMap;

use jiff::Timestamp;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter as Described, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

use super::ask::LIMIT_MAX;
use crate::http::problem::Problem;
use crate::scim::error::quoted;

/// For which tenant an operator asks. On the socket only.
pub const TENANT: &str = "tenant";
/// Longest text of a parameter.
const TEXT_CHARACTERS_MAX: usize = 1024;

/// What a parameter must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Any text.
    Text,
    /// A whole number within bounds.
    Number(u64, u64),
    /// `true` or `false`.
    Switch,
    /// An instant (RFC 3339).
    Instant,
}

/// A parameter of an endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it must look like.
    pub form: Form,
    /// What it does, in a sentence.
    pub says: &'static str,
}

impl Parameter {
    /// Makes one.
    pub const fn new(name: &'static str, form: Form, says: &'static str) -> Self {
        Self { name, form, says }
    }
}

/// How many items a page has.
pub const LIMIT: Parameter = Parameter::new(
    "limit",
    Form::Number(1, LIMIT_MAX as u64),
    "How many items at most; 50 where nothing is said.",
);
/// Where a page begins, of a list in order of name or id.
pub const AFTER: Parameter =
    Parameter::new("after", Form::Text, "The `next` of the page before: only items that come after it.");
/// Where a page begins, of a numbered list.
pub const AFTER_NUMBER: Parameter = Parameter::new(
    "after",
    Form::Number(0, u64::MAX),
    "Only what has a greater number; the `next` of the page before.",
);
/// Both, of a list in order of name or id.
pub const PAGED: [Parameter; 2] = [AFTER, LIMIT];

const OF_TENANT: Parameter =
    Parameter::new(TENANT, Form::Text, "For which tenant; may be left out where there is one only.");

/// Reads a query by a list of parameters.
pub(super) fn read(
    query: Option<&str>,
    parameters: &[Parameter],
    is_operator: bool,
) -> Result<BTreeMap<&'static str, String>, Problem> {
    let mut found = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let operators = is_operator.then_some(&OF_TENANT);
        let Some(parameter) = parameters.iter().chain(operators).find(|known| known.name == name) else {
            return Err(unknown(&name, parameters, is_operator));
        };
        parameter.check(&value)?;
        if found.insert(parameter.name, value.into_owned()).is_some() {
            return Err(Problem::bad_request(format!(
                "expected {name} once in the query, found it several times"
            )));
        }
    }
    Ok(found)
}

/// Lists the values of a name.
pub(super) fn values<'a>(
    query: Option<&'a str>,
    name: &'static str,
) -> impl Iterator<Item = String> + use<'a> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.filter(move |(known, _)| known == name).map(|(_, value)| value.into_owned())
}

fn unknown(name: &str, parameters: &[Parameter], is_operator: bool) -> Problem {
    if name == TENANT && !is_operator {
        return Problem::bad_request(
            "found tenant in the query; the token alone says for which tenant this is; leave it out",
        );
    }
    let known: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Problem::bad_request(format!(
        "found the unknown parameter {} in the query; there are: {known}",
        quoted(name)
    ))
}

impl Parameter {
    fn check(&self, value: &str) -> Result<(), Problem> {
        let expected = match self.form {
            Form::Text if value.chars().nth(TEXT_CHARACTERS_MAX).is_some() => {
                format!("at most {TEXT_CHARACTERS_MAX} characters")
            }
            Form::Text => return Ok(()),
            Form::Number(min, max) => {
                let is_plain = value.bytes().all(|byte| byte.is_ascii_digit());
                if is_plain && value.parse().is_ok_and(|number: u64| (min..=max).contains(&number)) {
                    return Ok(());
                }
                if max == u64::MAX {
                    format!("a whole number from {min}")
                } else {
                    format!("a whole number from {min} to {max}")
                }
            }
            Form::Switch if matches!(value, "true" | "false") => return Ok(()),
            Form::Switch => "true or false".to_owned(),
            Form::Instant if value.parse::<Timestamp>().is_ok() => return Ok(()),
            Form::Instant => "an instant such as 2026-03-01T08:00:00Z".to_owned(),
        };
        Err(Problem::bad_request(format!("{}: expected {expected}, found {}", self.name, quoted(value))))
    }

    /// Describes it for the document.
    pub(super) fn described(&self) -> Described {
        let object = ObjectBuilder::new();
        let object = match self.form {
            Form::Text => object.schema_type(Type::String).max_length(Some(TEXT_CHARACTERS_MAX)),
            Form::Number(min, max) => {
                let object = object.schema_type(Type::Integer).minimum(Some(min));
                if max == u64::MAX { object } else { object.maximum(Some(max)) }
            }
            Form::Switch => object.schema_type(Type::Boolean),
            Form::Instant => object
                .schema_type(Type::String)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))),
        };
        ParameterBuilder::new()
            .name(self.name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(self.says))
            .schema(Some(object.build()))
            .build()
    }
}

/// Describes the parameter that names the tenant.
pub(super) fn tenant_described() -> Described {
    OF_TENANT.described()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Parameter; 3] = [AFTER, LIMIT, Parameter::new("failed", Form::Switch, "")];

    fn refused(query: &str) -> String {
        read(Some(query), &KNOWN, false).unwrap_err().detail().to_owned()
    }

    #[test]
    fn what_is_in_the_list_is_read_and_everything_else_is_refused_by_name() {
        let read = read(Some("limit=7&after=a%20b&failed=true"), &KNOWN, false).unwrap();
        let expected = [("after", "a b"), ("failed", "true"), ("limit", "7")];
        assert_eq!(read.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>(), expected);
        assert!(refused("limti=7").contains("after, limit, failed"));
        assert!(refused("limit=1&limit=2").contains("several times"));
        for wrong in
            ["limit=0", "limit=201", "limit=+7", "limit=", "limit=7x", "limit=99999999999999999999999"]
        {
            assert!(refused(wrong).contains("a whole number from 1 to 200"), "{wrong}");
        }
        assert!(refused("failed=1").contains("true or false"));
    }

    #[test]
    fn x14_only_an_operator_names_a_tenant() {
        assert!(refused("tenant=acme").contains("the token alone"));
        assert_eq!(read(Some("tenant=acme"), &KNOWN, true).unwrap()["tenant"], "acme");
    }
}
