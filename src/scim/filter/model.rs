//! Filters against a second opinion: a model that knows nothing of schemas, paths or indexes, on documents and filters made at random.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::scim::doc::Document;
use crate::scim::path;
use crate::scim::schema::user;
use crate::scim::sparse::Sparse;
use crate::scim::urn::ENTERPRISE;

/// A filter as the model sees it.
#[derive(Debug, Clone)]
enum Model {
    And(Box<Model>, Box<Model>),
    Or(Box<Model>, Box<Model>),
    Not(Box<Model>),
    /// Some element of `emails` is such.
    Some(Box<Model>),
    Compare(Place, &'static str, Value),
    Present(Place),
}

/// Where a value stands, and how it is compared.
#[derive(Debug, Clone, Copy)]
struct Place {
    written: &'static str,
    pointer: &'static str,
    exact: bool,
}

const fn place(written: &'static str, pointer: &'static str, exact: bool) -> Place {
    Place { written, pointer, exact }
}

const TEXTS: [Place; 7] = [
    place("userName", "/userName", false),
    place("externalId", "/externalId", true),
    place("title", "/title", false),
    place("name.givenName", "/name/givenName", false),
    place("emails", "/emails/*/value", false),
    place("emails.type", "/emails/*/type", false),
    place(
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        "/enterprise/department",
        false,
    ),
];
const FLAGS: [Place; 2] =
    [place("active", "/active", true), place("emails.primary", "/emails/*/primary", true)];
/// Within an element.
const TEXTS_WITHIN: [Place; 2] = [place("value", "/value", false), place("type", "/type", false)];
const FLAGS_WITHIN: [Place; 1] = [place("primary", "/primary", true)];

impl Model {
    /// Writes the filter as a client would.
    fn written(&self) -> String {
        match self {
            Self::And(left, right) => format!("({}) and ({})", left.written(), right.written()),
            Self::Or(left, right) => format!("({}) or ({})", left.written(), right.written()),
            Self::Not(inner) => format!("not ({})", inner.written()),
            Self::Some(inner) => format!("emails[{}]", inner.written()),
            Self::Compare(place, operator, value) => format!("{} {operator} {value}", place.written),
            Self::Present(place) => format!("{} pr", place.written),
        }
    }

    fn holds(&self, on: &Value) -> bool {
        match self {
            Self::And(left, right) => left.holds(on) && right.holds(on),
            Self::Or(left, right) => left.holds(on) || right.holds(on),
            Self::Not(inner) => !inner.holds(on),
            Self::Some(inner) => {
                on["emails"].as_array().is_some_and(|emails| emails.iter().any(|email| inner.holds(email)))
            }
            Self::Present(place) => place.values(on).iter().any(|value| **value != json!("")),
            // Unequal is what is not equal: also who has no value at all.
            Self::Compare(place, "ne", value) => !Self::Compare(*place, "eq", value.clone()).holds(on),
            Self::Compare(place, "eq", Value::Null) => !Self::Present(*place).holds(on),
            Self::Compare(place, operator, value) => {
                place.values(on).iter().any(|found| place.compares(operator, found, value))
            }
        }
    }
}

impl Place {
    fn values(self, on: &Value) -> Vec<&Value> {
        match self.pointer.split_once("/*") {
            None => on.pointer(self.pointer).into_iter().collect(),
            Some((list, rest)) => {
                let all = on.pointer(list).and_then(Value::as_array);
                all.into_iter().flatten().filter_map(|one| one.pointer(rest)).collect()
            }
        }
    }

    fn compares(self, operator: &str, found: &Value, wanted: &Value) -> bool {
        let (Some(found), Some(wanted)) = (found.as_str(), wanted.as_str()) else { return found == wanted };
        let folded = |text: &str| if self.exact { text.to_owned() } else { text.to_lowercase() };
        let (found, wanted) = (folded(found), folded(wanted));
        match operator {
            "eq" => found == wanted,
            "co" => found.contains(&wanted),
            "sw" => found.starts_with(&wanted),
            "ew" => found.ends_with(&wanted),
            "gt" => found > wanted,
            "ge" => found >= wanted,
            "lt" => found < wanted,
            _ => found <= wanted,
        }
    }
}

/// Few letters, so that values meet.
fn word() -> impl Strategy<Value = String> {
    "[abAB]{1,3}"
}

fn leaf(texts: &'static [Place], flags: &'static [Place]) -> impl Strategy<Value = Model> {
    let operator = prop::sample::select(vec!["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
    let equality = prop::sample::select(vec!["eq", "ne"]);
    prop_oneof![
        8 => (prop::sample::select(texts), operator, word())
            .prop_map(|(place, operator, word)| Model::Compare(place, operator, json!(word))),
        3 => (prop::sample::select(flags), equality.clone(), any::<bool>())
            .prop_map(|(place, operator, flag)| Model::Compare(place, operator, json!(flag))),
        1 => (prop::sample::select(texts), equality)
            .prop_map(|(place, operator)| Model::Compare(place, operator, Value::Null)),
        2 => prop::sample::select(texts).prop_map(Model::Present),
        1 => prop::sample::select(flags).prop_map(Model::Present),
    ]
}

fn joined(leaf: impl Strategy<Value = Model> + 'static) -> impl Strategy<Value = Model> {
    leaf.prop_recursive(3, 10, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            two.clone().prop_map(|(left, right)| Model::And(left.into(), right.into())),
            two.prop_map(|(left, right)| Model::Or(left.into(), right.into())),
            inner.prop_map(|inner| Model::Not(inner.into())),
        ]
    })
}

/// A condition on some element of `emails`.
fn within() -> impl Strategy<Value = Model> {
    joined(leaf(&TEXTS_WITHIN, &FLAGS_WITHIN)).prop_map(|inner| Model::Some(inner.into()))
}

fn filter() -> impl Strategy<Value = Model> {
    joined(prop_oneof![4 => leaf(&TEXTS, &FLAGS), 2 => within()])
}

/// A person as the model sees them: without what has no value, the enterprise extension under a short name.
fn person() -> impl Strategy<Value = Value> {
    let email = (word(), prop::option::of(prop::sample::select(vec!["a", "B", "ab"])), any::<Option<bool>>());
    let texts = prop::collection::vec(prop::option::of(word()), 4);
    (word(), any::<bool>(), texts, prop::collection::vec(email, 0..4)).prop_map(
        |(name, active, texts, emails)| {
            let mut person = json!({ "userName": name, "active": active });
            let mut put = |at: &str, value: Value| {
                let (outer, inner) =
                    at.split_once('/').map_or((at, None), |(outer, inner)| (outer, Some(inner)));
                match inner {
                    Some(inner) => person[outer] = json!({ inner: value }),
                    None => person[outer] = value,
                }
            };
            for (at, text) in
                ["externalId", "title", "name/givenName", "enterprise/department"].iter().zip(texts)
            {
                if let Some(text) = text {
                    put(at, json!(text));
                }
            }
            if !emails.is_empty() {
                let one = |(value, kind, primary): (String, Option<&str>, Option<bool>)| {
                    let mut email = Map::from_iter([("value".to_owned(), json!(value))]);
                    email.extend(kind.map(|kind| ("type".to_owned(), json!(kind))));
                    email.extend(primary.map(|primary| ("primary".to_owned(), json!(primary))));
                    Value::Object(email)
                };
                put("emails", emails.into_iter().map(one).collect());
            }
            person
        },
    )
}

fn document(person: &Value) -> Document {
    let Value::Object(mut core) = person.clone() else { panic!("{person}") };
    let extensions = match core.remove("enterprise") {
        Some(Value::Object(inner)) => vec![(ENTERPRISE.to_owned(), inner)],
        _ => Vec::new(),
    };
    Document { core, extensions }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn s70_s72_s74_a_filter_means_what_a_second_opinion_says(people in prop::collection::vec(person(), 1..8), model in filter()) {
        let kind = user();
        let written = model.written();
        let filter = Filter::parse(&written, &kind).unwrap();
        // What is printed means the same as what was read.
        let printed = Filter::parse(&filter.to_string(), &kind).unwrap();
        prop_assert_eq!(&printed, &filter);
        for person in &people {
            let document = document(person);
            let holds = model.holds(person);
            prop_assert_eq!(filter.matches(&document, &kind), holds, "{} on {}", written, person);
            // The same without parsing all of it, and nobody is passed over by the look at the text alone.
            let segments = document.to_segments(&kind);
            let text = Sparse::new(segments.iter().map(|(id, json)| (id.as_str(), json.as_str())).collect());
            prop_assert_eq!(filter.matches(&text, &kind), holds, "{} on the text of {}", written, person);
            prop_assert!(!holds || filter.may_match(&text, &kind), "{} passes over {}", written, person);
        }
    }

    #[test]
    fn s114_a_printed_path_with_any_filter_in_it_is_the_same_path(model in within(), part in prop::option::of(prop::sample::select(vec!["value", "type", "Primary"]))) {
        let kind = user();
        let Model::Some(inner) = model else { panic!("{model:?}") };
        let written = format!("Emails[{}]{}", inner.written(), part.map(|part| format!(".{part}")).unwrap_or_default());
        let known = path::parse(&written, &kind).unwrap();
        let path::Target::Known(path) = &known else { panic!("{written}") };
        prop_assert_eq!(path::parse(&path.to_string(), &kind).unwrap(), known);
    }
}
