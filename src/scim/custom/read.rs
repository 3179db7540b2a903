//! From a document to a definition. Nothing is repaired; every mistake is named with its place.

use serde_json::{Map, Value};

use super::names::{name_mistake, urn_mistake};
use super::{
    ATTRIBUTES_MAX, CANONICAL_BYTES_MAX, CANONICAL_VALUES_MAX, DESCRIPTION_BYTES_MAX, Definition, Finding,
    KEYED_MAX, MISTAKES_MAX, Mistakes, Read, can_be_keyed, is_keyed,
};
use crate::ids::KindId;
use crate::scim::attr::is_name;
use crate::scim::error::quoted;
use crate::scim::schema::{Attribute, Canonical, Clearing, Mutability, Returned, Schema, Type, Uniqueness};
use crate::scim::{fold, urn};

const TYPES: [Type; 8] = [
    Type::String,
    Type::Boolean,
    Type::Decimal,
    Type::Integer,
    Type::DateTime,
    Type::Binary,
    Type::Reference,
    Type::Complex,
];
const MUTABILITIES: [Mutability; 4] =
    [Mutability::ReadOnly, Mutability::ReadWrite, Mutability::Immutable, Mutability::WriteOnly];
const RETURNS: [Returned; 4] = [Returned::Always, Returned::Never, Returned::Default, Returned::Request];

/// Reads the members of a document.
pub(super) fn definition(members: &Map<String, Value>) -> Result<Read, Mistakes> {
    let mut reader = Reader::default();
    let known = ["schemas", "id", "extends", "name", "description", "attributes", "meta"];
    reader.unknown("", members, &known);
    if let Some(listed) = members.get("schemas") {
        let named = listed
            .as_array()
            .is_some_and(|ids| ids.iter().any(|id| id.as_str().is_some_and(|id| urn::same(id, urn::SCHEMA))));
        if !named {
            reader.mistake("schemas", format!("expected a list with {}, or nothing", urn::SCHEMA));
        }
    }
    let id = reader.text("", members, "id");
    match &id {
        Some(id) => {
            if let Some(mistake) = urn_mistake(id) {
                reader.mistake("id", mistake);
            }
        }
        None if members.contains_key("id") => {}
        None => reader.mistake("id", "expected the URN of the schema, found nothing".to_owned()),
    }
    let id = id.unwrap_or_default();
    let kind = reader.kind(members, &id);
    let name = reader.short(members, "name", &id);
    let description = reader.short(members, "description", "");
    let mut count = 0;
    let attributes = match members.get("attributes") {
        Some(Value::Array(listed)) if !listed.is_empty() => {
            reader.attributes("attributes", listed, None, &mut count)
        }
        _ => {
            reader.mistake("attributes", "expected a list of at least one attribute".to_owned());
            Vec::new()
        }
    };
    if count > ATTRIBUTES_MAX {
        reader.mistake(
            "attributes",
            format!("expected at most {ATTRIBUTES_MAX} attributes with their sub-attributes, found {count}"),
        );
    }
    let keyed = attributes
        .iter()
        .flat_map(|one| std::iter::once(one).chain(&one.sub_attributes))
        .filter(|one| is_keyed(one))
        .count();
    if keyed > KEYED_MAX {
        reader.mistake(
            "attributes",
            format!("expected at most {KEYED_MAX} that are unique or indexed, found {keyed}"),
        );
    }
    if !reader.mistakes.is_empty() {
        reader.mistakes.truncate(MISTAKES_MAX);
        return Err(Mistakes(reader.mistakes));
    }
    let schema = Schema::new(id, name, description, attributes);
    Ok(Read { definition: Definition { kind, schema }, warnings: reader.warnings })
}

/// What has been found so far.
#[derive(Default)]
struct Reader {
    mistakes: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl Reader {
    fn mistake(&mut self, place: impl Into<String>, what: String) {
        self.mistakes.push(Finding { place: place.into(), what });
    }

    fn warn(&mut self, place: impl Into<String>, what: String) {
        self.warnings.push(Finding { place: place.into(), what });
    }

    /// Warns of members that mean nothing here.
    fn unknown(&mut self, place: &str, members: &Map<String, Value>, known: &[&str]) {
        for name in members.keys().filter(|name| !known.contains(&name.as_str())).take(MISTAKES_MAX) {
            let meant = known.iter().find(|known| urn::same(known, name));
            let hint = meant.map_or(String::new(), |meant| format!("; did you mean {meant}?"));
            self.warn(place, format!("the member {} means nothing here and is left out{hint}", quoted(name)));
        }
    }

    /// Reads a member that is a text without control characters.
    fn text(&mut self, place: &str, members: &Map<String, Value>, name: &str) -> Option<String> {
        let Value::String(text) = members.get(name)? else {
            self.mistake(within(place, name), "expected a text".to_owned());
            return None;
        };
        if text.contains(char::is_control) {
            self.mistake(
                within(place, name),
                "expected a text without control characters or line breaks".to_owned(),
            );
        }
        Some(text.clone())
    }

    /// Reads a text for people, of limited length.
    fn short(&mut self, members: &Map<String, Value>, name: &str, default: &str) -> String {
        self.described("", members, name).unwrap_or_else(|| default.to_owned())
    }

    fn described(&mut self, place: &str, members: &Map<String, Value>, name: &str) -> Option<String> {
        let text = self.text(place, members, name)?;
        if text.len() > DESCRIPTION_BYTES_MAX {
            let found = text.len();
            self.mistake(
                within(place, name),
                format!("expected at most {DESCRIPTION_BYTES_MAX} bytes, found {found}"),
            );
        }
        Some(text)
    }

    /// Reads which kind is extended: what `extends` says, else what the URN ends with.
    fn kind(&mut self, members: &Map<String, Value>, id: &str) -> KindId {
        let said = members.get("extends").map(|said| said.as_str().unwrap_or_default());
        let word = said.or_else(|| id.rsplit(':').next()).unwrap_or_default();
        if urn::same(word, "User") {
            return KindId::USER;
        }
        if urn::same(word, "Group") {
            return KindId::GROUP;
        }
        let what = match said {
            Some(_) => "expected User or Group".to_owned(),
            None => "expected User or Group in extends, as the URN does not end with one of them".to_owned(),
        };
        self.mistake("extends", what);
        KindId::USER
    }

    /// Reads a list of attributes, or of the sub-attributes of one.
    fn attributes(
        &mut self,
        place: &str,
        listed: &[Value],
        parent: Option<&str>,
        count: &mut usize,
    ) -> Vec<Attribute> {
        let mut read: Vec<Attribute> = Vec::new();
        for (number, value) in listed.iter().enumerate() {
            *count = count.saturating_add(1);
            // Beyond the limit there is nothing to learn; the limit itself is told.
            if *count > ATTRIBUTES_MAX {
                continue;
            }
            let here = format!("{place}[{number}]");
            let Value::Object(members) = value else {
                self.mistake(here, "expected an object that describes an attribute".to_owned());
                continue;
            };
            let Some(attribute) = self.attribute(&here, members, parent, count) else { continue };
            if read.iter().any(|known| urn::same(&known.name, &attribute.name)) {
                self.mistake(
                    within(&here, "name"),
                    format!("{} is there already; case does not matter", quoted(&attribute.name)),
                );
                continue;
            }
            read.push(attribute);
        }
        read
    }

    /// Reads one attribute; what it leaves out is what RFC 7643 §2.2 says (S47).
    fn attribute(
        &mut self,
        place: &str,
        members: &Map<String, Value>,
        parent: Option<&str>,
        count: &mut usize,
    ) -> Option<Attribute> {
        const KNOWN: [&str; 15] = [
            "name",
            "type",
            "multiValued",
            "description",
            "required",
            "caseExact",
            "mutability",
            "returned",
            "uniqueness",
            "canonicalValues",
            "referenceTypes",
            "subAttributes",
            "indexed",
            "closed",
            "financial",
        ];
        self.unknown(place, members, &KNOWN);
        let name = self.text(place, members, "name");
        let Some(name) = name else {
            if !members.contains_key("name") {
                self.mistake(
                    within(place, "name"),
                    "expected the name of the attribute, found nothing".to_owned(),
                );
            }
            return None;
        };
        if let Some(mistake) = name_mistake(&name, parent.is_some()) {
            self.mistake(within(place, "name"), mistake);
        }
        let kind = self.word(place, members, "type", &TYPES, Type::as_str).unwrap_or(Type::String);
        let case_exact = self.flag(place, members, "caseExact");
        // Of these two the RFC says that case matters, whatever the schema says (RFC 7643 §2.3.6, §2.3.7).
        let always_exact = matches!(kind, Type::Binary | Type::Reference);
        if always_exact && case_exact == Some(false) {
            let what = format!(
                "values of the type {} are always compared with regard to case; leave it out",
                kind.as_str()
            );
            self.mistake(within(place, "caseExact"), what);
        }
        let mutability = self
            .word(place, members, "mutability", &MUTABILITIES, Mutability::as_str)
            .unwrap_or(Mutability::ReadWrite);
        let unseen = mutability == Mutability::WriteOnly;
        let returned = self.word(place, members, "returned", &RETURNS, Returned::as_str);
        let returned = returned.unwrap_or(if unseen { Returned::Never } else { Returned::Default });
        let unique = self.word(
            place,
            members,
            "uniqueness",
            &[Uniqueness::None, Uniqueness::Server],
            Uniqueness::as_str,
        );
        let closed = self.flag(place, members, "closed").unwrap_or(false);
        let financial = self.flag(place, members, "financial").unwrap_or(false);
        if financial && parent.is_some() {
            let what = "expected of whole attributes only: say it of the one that this is a part of";
            self.mistake(within(place, "financial"), what.to_owned());
        }
        let attribute = Attribute {
            kind,
            multi_valued: self.flag(place, members, "multiValued").unwrap_or(false),
            required: self.flag(place, members, "required").unwrap_or(false),
            case_exact: case_exact.unwrap_or(always_exact),
            mutability,
            returned,
            uniqueness: unique.unwrap_or(Uniqueness::None),
            canonical_values: self.texts(place, members, "canonicalValues"),
            canonical: if closed { Canonical::Enforced } else { Canonical::Suggested },
            reference_types: self.texts(place, members, "referenceTypes"),
            clearing: Clearing::Allowed,
            indexed: self.flag(place, members, "indexed").unwrap_or(false),
            financial,
            names: None,
            description: self.described(place, members, "description").unwrap_or_default(),
            sub_attributes: self.sub_attributes(place, members, kind, parent, &name, count),
            name,
        };
        self.combination(place, &attribute);
        Some(attribute)
    }

    fn sub_attributes(
        &mut self,
        place: &str,
        members: &Map<String, Value>,
        kind: Type,
        parent: Option<&str>,
        name: &str,
        count: &mut usize,
    ) -> Vec<Attribute> {
        let here = within(place, "subAttributes");
        if kind == Type::Complex && parent.is_some() {
            self.mistake(
                within(place, "type"),
                "a complex attribute cannot be part of another (RFC 7643 section 2.3.8)".to_owned(),
            );
            return Vec::new();
        }
        match (members.get("subAttributes"), kind) {
            (Some(Value::Array(listed)), Type::Complex) if !listed.is_empty() => {
                self.attributes(&here, listed, Some(name), count)
            }
            (_, Type::Complex) => {
                self.mistake(here, "expected a list of at least one sub-attribute".to_owned());
                Vec::new()
            }
            (Some(_), _) => {
                self.mistake(
                    here,
                    format!("expected none, as the type is {} and not complex", kind.as_str()),
                );
                Vec::new()
            }
            (None, _) => Vec::new(),
        }
    }

    /// Refuses characteristics that contradict each other, and warns of those that come to nothing.
    fn combination(&mut self, place: &str, attribute: &Attribute) {
        let secret = attribute.is_secret();
        let kind = attribute.kind.as_str();
        let mut refuse =
            |member: &str, what: String| self.mistakes.push(Finding { place: within(place, member), what });
        if attribute.mutability == Mutability::WriteOnly && attribute.returned != Returned::Never {
            refuse("returned", "expected never, as nobody may read what is writeOnly".to_owned());
        }
        if attribute.required && attribute.is_read_only() {
            refuse(
                "required",
                "nobody could give a value that is readOnly; leave one of the two out".to_owned(),
            );
        }
        let keyed =
            [("uniqueness", attribute.uniqueness != Uniqueness::None), ("indexed", attribute.indexed)];
        for (member, _) in keyed.into_iter().filter(|(_, asked)| *asked) {
            if secret {
                refuse(
                    member,
                    "what is never returned is not kept, and can be neither unique nor found".to_owned(),
                );
            } else if !can_be_keyed(attribute.kind) {
                refuse(
                    member,
                    format!("possible for the types string, reference, integer and dateTime, found {kind}"),
                );
            }
        }
        if attribute.required && secret {
            refuse("required", "what is never returned is not kept, and cannot be required".to_owned());
        }
        let texts = matches!(attribute.kind, Type::String | Type::Reference);
        if !attribute.canonical_values.is_empty() && !texts {
            refuse("canonicalValues", format!("expected none, as the type is {kind} and not string"));
        }
        if attribute.canonical == Canonical::Enforced && attribute.canonical_values.is_empty() {
            refuse(
                "closed",
                "expected canonicalValues beside it, as nothing else would be accepted".to_owned(),
            );
        }
        let same = |left: &String, right: &String| {
            if attribute.case_exact { left == right } else { fold::same(left, right) }
        };
        let values = attribute.canonical_values.iter().enumerate();
        for (number, value) in values {
            if attribute.canonical_values.iter().take(number).any(|known| same(known, value)) {
                refuse(&format!("canonicalValues[{number}]"), format!("{} is there already", quoted(value)));
            }
        }
        if !attribute.reference_types.is_empty() && attribute.kind != Type::Reference {
            refuse("referenceTypes", format!("expected none, as the type is {kind} and not reference"));
        }
        for (number, word) in attribute.reference_types.iter().enumerate().filter(|(_, word)| !is_name(word))
        {
            let what = format!("expected the name of a kind, uri or external, found {}", quoted(word));
            refuse(&format!("referenceTypes[{number}]"), what);
        }
        if secret {
            self.warn(
                place,
                "what may never be shown is not kept: values are accepted and dropped".to_owned(),
            );
        } else if attribute.is_read_only() {
            self.warn(place, "nobody can write what is readOnly, so that it will have no value".to_owned());
        }
    }

    fn flag(&mut self, place: &str, members: &Map<String, Value>, name: &str) -> Option<bool> {
        let value = members.get(name)?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.mistake(within(place, name), "expected true or false".to_owned());
        }
        flag
    }

    /// Reads one of a few words.
    fn word<T: Copy>(
        &mut self,
        place: &str,
        members: &Map<String, Value>,
        name: &str,
        known: &[T],
        word: fn(T) -> &'static str,
    ) -> Option<T> {
        let said = members.get(name)?;
        let found = known.iter().copied().find(|one| said.as_str() == Some(word(*one)));
        if found.is_none() {
            let words: Vec<&str> = known.iter().copied().map(word).collect();
            let shown = said.as_str().map_or_else(|| "something else".to_owned(), quoted);
            self.mistake(within(place, name), format!("expected one of {}, found {shown}", words.join(", ")));
        }
        found
    }

    /// Reads a list of texts.
    fn texts(&mut self, place: &str, members: &Map<String, Value>, name: &str) -> Vec<String> {
        let Some(value) = members.get(name) else { return Vec::new() };
        let listed = value.as_array().filter(|listed| listed.len() <= CANONICAL_VALUES_MAX);
        let Some(listed) = listed else {
            self.mistake(
                within(place, name),
                format!("expected a list of at most {CANONICAL_VALUES_MAX} texts"),
            );
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(listed.len());
        for (number, value) in listed.iter().enumerate() {
            match value.as_str().filter(|text| (1..=CANONICAL_BYTES_MAX).contains(&text.len())) {
                Some(text) => texts.push(text.to_owned()),
                None => self.mistake(
                    format!("{}[{number}]", within(place, name)),
                    format!("expected a text of 1 to {CANONICAL_BYTES_MAX} bytes"),
                ),
            }
        }
        texts
    }
}

fn within(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}
