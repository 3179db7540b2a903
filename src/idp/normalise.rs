//! The pipeline from a parsed body to its canonical form (part 3, steps 2 to 6).

use serde_json::{Map, Value};

use super::coerce::{Coercion, Nothing, Place};
use super::incoming::{Incoming, IncomingPatch};
use super::lower;
use super::profile::{Profile, Schemas, Types};
use crate::scim::Kind;
use crate::scim::attr::{AttrPath, Resolved, resolve};
use crate::scim::doc::Document;
use crate::scim::error::{Refusal, Why};
use crate::scim::note::{Notes, Rule};
use crate::scim::patch::{MemberRef, member_refs};
use crate::scim::schema::{Attribute, Clearing};
use crate::scim::urn;

/// Normalises the body of a POST or a PUT.
pub fn resource(body: Value, kind: &Kind, profile: &Profile) -> Result<Incoming, Refusal> {
    let Value::Object(body) = body else {
        return Err(syntax("expected a JSON object"));
    };
    let mut reader = Reader {
        coercion: Coercion::new(profile),
        kind,
        document: Document::default(),
        cleared: Vec::new(),
        members: None,
        parts: Vec::new(),
    };
    check_schemas(&body, &kind.core.id, profile, &mut reader.coercion.notes)?;
    reader.core(body)?;
    reader.dotted()?;
    reader.document.drop_empty_extensions();
    let Coercion { notes, shadow, .. } = reader.coercion;
    Ok(Incoming {
        document: reader.document,
        cleared: reader.cleared,
        members: reader.members,
        shadow,
        notes,
    })
}

/// Normalises the body of a PATCH.
pub fn patch(body: Value, kind: &Kind, profile: &Profile) -> Result<IncomingPatch, Refusal> {
    lower::patch(body, kind, profile)
}

/// Checks that `schemas` names what the endpoint expects; a lenient profile does not mind (part 3, step 3).
pub(super) fn check_schemas(
    body: &Map<String, Value>,
    expected: &str,
    profile: &Profile,
    notes: &mut Notes,
) -> Result<(), Refusal> {
    let listed = body.iter().find(|(name, _)| urn::same(name, "schemas")).map(|(_, value)| value);
    let named = listed
        .and_then(Value::as_array)
        .is_some_and(|ids| ids.iter().any(|id| id.as_str().is_some_and(|id| urn::same(id, expected))));
    if named {
        return Ok(());
    }
    if profile.schemas == Schemas::Required {
        return Err(syntax(format!("expected {expected} in schemas")));
    }
    notes.add(Rule::SchemasMissing);
    Ok(())
}

pub(super) fn syntax(detail: impl Into<String>) -> Refusal {
    Refusal::new(Why::InvalidSyntax, detail)
}

/// Reads a body attribute by attribute.
struct Reader<'a> {
    coercion: Coercion<'a>,
    kind: &'a Kind,
    document: Document,
    cleared: Vec<AttrPath>,
    members: Option<Vec<MemberRef>>,
    /// Parts that came under a name with a dot, to be put into what the body says of their attributes.
    parts: Vec<Part<'a>>,
}

/// A part of an attribute that stood under a name of its own, as in `"name.givenName": "Ada"`.
struct Part<'a> {
    extension: Option<&'a str>,
    attribute: &'a Attribute,
    sub: &'a Attribute,
    value: Value,
}

impl Reader<'_> {
    /// Reads the attributes of the core schema, and the extensions among them.
    fn core(&mut self, body: Map<String, Value>) -> Result<(), Refusal> {
        let kind = self.kind;
        for (name, value) in body {
            if let Some(attribute) = kind.attribute(&name) {
                self.attribute(None, attribute, value)?;
            } else if urn::same(&name, "schemas") {
                // Checked already; the real list is derived from what the document holds.
            } else if name.contains([':', '.']) {
                self.by_path(&name, value)?;
            } else {
                self.coercion.unknown(&Place::Top(None, &name), value)?;
            }
        }
        Ok(())
    }

    /// Reads what stands under a name with a URN or a dot in it.
    fn by_path(&mut self, name: &str, value: Value) -> Result<(), Refusal> {
        let kind = self.kind;
        let lenient = self.coercion.profile.types == Types::Coerce;
        match (resolve(name, kind), value) {
            (Resolved::Schema(schema), value) if schema.id != kind.core.id => {
                self.extension(&schema.id, value)
            }
            (Resolved::Schema(_), Value::Object(attributes)) if lenient => {
                self.coercion.notes.add(Rule::CoreAsContainer);
                // Once is enough: a container within the container means nothing.
                if attributes.keys().any(|inner| urn::same(inner, name)) {
                    return Err(syntax(format!("{} stands within itself", kind.core.id)));
                }
                self.core(attributes)
            }
            (Resolved::Attribute { extension, attribute, sub: None }, value) if lenient => {
                self.attribute(extension, attribute, value)
            }
            (Resolved::Attribute { extension, attribute, sub: Some(sub) }, value)
                if lenient && may_be_dotted(attribute, sub, &value) =>
            {
                self.parts.push(Part { extension, attribute, sub, value });
                Ok(())
            }
            (_, value) => self.coercion.unknown(&Place::Top(None, name), value),
        }
    }

    /// Reads an extension: an object of attributes, or nothing at all.
    fn extension(&mut self, id: &str, value: Value) -> Result<(), Refusal> {
        let Some(schema) = self.kind.extension(id) else { return Ok(()) };
        match value {
            Value::Object(attributes) => {
                for (name, value) in attributes {
                    match schema.attribute(&name) {
                        Some(attribute) => self.attribute(Some(&schema.id), attribute, value)?,
                        None => self.coercion.unknown(&Place::Top(Some(id), &name), value)?,
                    }
                }
                Ok(())
            }
            Value::Null => {
                for attribute in &schema.attributes {
                    self.clear(Some(&schema.id), attribute);
                }
                Ok(())
            }
            _ => Err(Refusal::new(Why::InvalidValue, format!("{id}: expected an object"))),
        }
    }

    /// Reads one attribute.
    fn attribute(
        &mut self,
        extension: Option<&str>,
        attribute: &Attribute,
        value: Value,
    ) -> Result<(), Refusal> {
        let name = attribute.name.as_str();
        self.coercion.notes.turn_to(extension, name);
        if attribute.is_read_only() {
            self.coercion.notes.add(Rule::ReadOnlyIgnored);
            return Ok(());
        }
        if attribute.is_secret() {
            self.coercion.notes.add(Rule::PasswordDropped);
            return Ok(());
        }
        if self.has(extension, name) {
            // The parser has seen to names within one object; a URN as a container makes it two (X24).
            return Err(syntax(format!("{name} stands twice in the body")));
        }
        if value.is_null() && attribute.clearing == Clearing::Never {
            self.coercion.notes.add(Rule::NullActiveKept);
            return Ok(());
        }
        let typed =
            self.coercion.attribute(value, attribute, &Place::Top(extension, name), Nothing::LeftOut)?;
        if extension.is_none() && name == "members" && self.kind.has_members() {
            self.members = Some(typed.as_ref().map(member_refs).transpose()?.unwrap_or_default());
            return Ok(());
        }
        match typed {
            Some(value) => self.document.set(extension, name, Some(value)),
            None => self.clear(extension, attribute),
        }
        Ok(())
    }

    /// Puts the parts that came under names with dots where they belong (D-O4, D-R3).
    fn dotted(&mut self) -> Result<(), Refusal> {
        for Part { extension, attribute, sub, value } in std::mem::take(&mut self.parts) {
            let name = attribute.name.as_str();
            self.coercion.notes.turn_to(extension, name);
            self.coercion.notes.add(Rule::DottedName);
            let whole = self.document.attribute(extension, name).cloned();
            let top = Place::Top(extension, name);
            let place = Place::Part(&top, &sub.name);
            if attribute.multi_valued && whole.is_some() {
                // The list itself says more than one name of it.
                self.coercion.unknown(&place, value)?;
                continue;
            }
            let whole = if attribute.multi_valued {
                self.coercion.notes.add(Rule::PrimaryByName);
                let element = serde_json::json!({ "value": value, "primary": true });
                self.coercion.attribute(Value::Array(vec![element]), attribute, &top, Nothing::LeftOut)?
            } else {
                let mut known = match whole {
                    Some(Value::Object(known)) => known,
                    _ => Map::new(),
                };
                let typed = self.coercion.attribute(value, sub, &place, Nothing::LeftOut)?;
                if known.get(&sub.name).is_some_and(|said| Some(said) != typed.as_ref()) {
                    // The parser has seen to names within one object; under a name of its own it is another (X24).
                    return Err(syntax(format!("{place} stands twice in the body")));
                }
                known.extend(typed.map(|value| (sub.name.clone(), value)));
                (!known.is_empty()).then_some(Value::Object(known))
            };
            match whole {
                Some(value) => {
                    self.cleared.retain(|path| path.name != name || path.extension.as_deref() != extension);
                    self.document.set(extension, name, Some(value));
                }
                None => self.clear(extension, attribute),
            }
        }
        Ok(())
    }

    /// Tells whether an attribute has been read already.
    fn has(&self, extension: Option<&str>, name: &str) -> bool {
        let cleared = |path: &AttrPath| {
            path.name == name && path.extension.as_deref() == extension && path.sub.is_none()
        };
        self.document.attribute(extension, name).is_some()
            || self.cleared.iter().any(cleared)
            || (name == "members" && extension.is_none() && self.members.is_some())
    }

    fn clear(&mut self, extension: Option<&str>, attribute: &Attribute) {
        self.cleared.push(AttrPath {
            extension: extension.map(str::to_owned),
            name: attribute.name.clone(),
            sub: None,
        });
    }
}

/// Tells whether a part may stand under a name of its own in a body: of a single value any part; of a list `primary` alone, which
/// stands for the `value` of the primary element when it is a text that is no boolean.
fn may_be_dotted(attribute: &Attribute, sub: &Attribute, value: &Value) -> bool {
    let sealed = attribute.is_read_only() || attribute.is_secret() || sub.is_read_only() || sub.is_secret();
    let is_address = value.as_str().is_some_and(|text| !matches!(text, "true" | "True" | "false" | "False"));
    let of_list = sub.name == "primary" && attribute.sub("value").is_some() && is_address;
    !sealed && (!attribute.multi_valued || of_list)
}
