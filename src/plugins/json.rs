//! JSON for what `plugins/wit` describes, as a JavaScript plugin sees it: for vectors, and for what the command line prints.
//!
//! Records are objects in camelCase, enums their word, variants `{"tag": …, "val": …}`. Where the contract has JSON in a text (`extra`, `shadow`,
//! `json`) the JSON itself stands. The types are those of the component, so that nothing here repeats the contract.

use serde_json::{Map, Value};
use wasmtime::component::Val;
use wasmtime::component::types::Type;

/// Fields whose text is JSON.
const JSON_FIELDS: [&str; 3] = ["extra", "shadow", "json"];

/// What does not fit the contract, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Misfit {
    /// The place, such as `user.groups[0].id`.
    pub place: String,
    /// What was expected and found.
    pub what: String,
}

/// Reads a value of a type. What is left out is empty where it is a list, and absent where it may be.
pub fn read(of: &Type, json: &Value, place: &str) -> Result<Val, Misfit> {
    let misfit = |what: String| Err(Misfit { place: place.to_owned(), what });
    let expected = |what: &str| misfit(format!("expected {what}, found {}", kind_of(json)));
    match (of, json) {
        (Type::Bool, Value::Bool(truth)) => Ok(Val::Bool(*truth)),
        (Type::Bool, _) => expected("true or false"),
        (Type::String, Value::String(text)) => Ok(Val::String(text.clone())),
        (Type::String, _) => expected("a text"),
        (Type::List(list), Value::Array(items)) => {
            let inner = list.ty();
            let items = items.iter().enumerate();
            let items = items.map(|(index, item)| read(&inner, item, &format!("{place}[{index}]")));
            Ok(Val::List(items.collect::<Result<_, _>>()?))
        }
        (Type::List(_), _) => expected("a list"),
        (Type::Option(_), Value::Null) => Ok(Val::Option(None)),
        (Type::Option(option), _) => Ok(Val::Option(Some(Box::new(read(&option.ty(), json, place)?)))),
        (Type::Enum(words), Value::String(word)) => {
            if words.names().any(|known| known == word) {
                return Ok(Val::Enum(word.clone()));
            }
            misfit(format!(
                "expected one of {}, found {word:?}",
                words.names().collect::<Vec<_>>().join(", ")
            ))
        }
        (Type::Enum(_), _) => expected("a word"),
        (Type::Record(record), Value::Object(members)) => {
            let fields: Vec<_> = record.fields().collect();
            if let Some(unknown) =
                members.keys().find(|key| !fields.iter().any(|field| camel(field.name) == **key))
            {
                let known: Vec<String> = fields.iter().map(|field| camel(field.name)).collect();
                return misfit(format!("unknown member {unknown:?}, expected {}", known.join(", ")));
            }
            let mut values = Vec::new();
            for field in fields {
                let name = camel(field.name);
                let place = format!("{place}.{name}");
                let value = match (members.get(&name), &field.ty) {
                    (Some(json), Type::String) if JSON_FIELDS.contains(&field.name) => {
                        Val::String(json.to_string())
                    }
                    (Some(json), ty) => read(ty, json, &place)?,
                    (None, Type::Option(_)) => Val::Option(None),
                    (None, Type::List(_)) => Val::List(Vec::new()),
                    (None, _) => {
                        return Err(Misfit {
                            place,
                            what: "expected a value, which is not there".to_owned(),
                        });
                    }
                };
                values.push((field.name.to_owned(), value));
            }
            Ok(Val::Record(values))
        }
        (Type::Record(_), _) => expected("an object"),
        (Type::Variant(variant), Value::Object(members)) => {
            let tag = members.get("tag").and_then(Value::as_str).unwrap_or_default();
            let Some(case) = variant.cases().find(|case| case.name == tag) else {
                let known: Vec<&str> = variant.cases().map(|case| case.name).collect();
                return misfit(format!("expected a tag of {}, found {tag:?}", known.join(", ")));
            };
            let extra = members.keys().find(|key| !matches!(key.as_str(), "tag" | "val"));
            if let Some(extra) = extra {
                return misfit(format!("unknown member {extra:?}, expected tag and val"));
            }
            let inner = match (case.ty, members.get("val")) {
                (Some(ty), Some(json)) => Some(Box::new(read(&ty, json, &format!("{place}.val"))?)),
                (None, None | Some(Value::Null)) => None,
                (Some(_), None) => return misfit(format!("expected a val beside the tag {tag}")),
                (None, Some(_)) => return misfit(format!("expected no val beside the tag {tag}")),
            };
            Ok(Val::Variant(tag.to_owned(), inner))
        }
        (Type::Variant(_), _) => expected("an object with tag and val"),
        // The contract has no others.
        _ => misfit("a type that the contract does not have".to_owned()),
    }
}

/// Writes a value.
pub fn write(value: &Val) -> Value {
    match value {
        Val::Bool(truth) => Value::Bool(*truth),
        Val::String(text) | Val::Enum(text) => Value::String(text.clone()),
        Val::List(items) => Value::Array(items.iter().map(write).collect()),
        Val::Option(inner) => inner.as_ref().map_or(Value::Null, |inner| write(inner)),
        Val::Record(fields) => {
            let field = |(name, value): &(String, Val)| {
                let json = match value {
                    // What is no JSON stays the text that it is.
                    Val::String(text) if JSON_FIELDS.contains(&name.as_str()) => {
                        serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))
                    }
                    value => write(value),
                };
                (camel(name), json)
            };
            Value::Object(fields.iter().map(field).collect())
        }
        Val::Variant(tag, inner) => {
            let mut members = Map::from_iter([("tag".to_owned(), Value::String(tag.clone()))]);
            if let Some(inner) = inner {
                members.insert("val".to_owned(), write(inner));
            }
            Value::Object(members)
        }
        // The contract has no others.
        _ => Value::Null,
    }
}

/// Turns `user-type` into `userType`.
pub fn camel(name: &str) -> String {
    let mut parts = name.split('-');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut done, part| {
        let mut letters = part.chars();
        done.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        done.push_str(letters.as_str());
        done
    })
}

/// Says what a value is, in words.
fn kind_of(json: &Value) -> &'static str {
    match json {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
