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
    };
    check_schemas(&body, &kind.core.id, profile, &mut reader.coercion.notes)?;
    reader.core(body)?;
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
            } else if name.contains(':') {
                self.by_urn(&name, value)?;
            } else {
                self.coercion.unknown(&Place::Top(None, &name), value)?;
            }
        }
        Ok(())
    }

    /// Reads what stands under a name with a URN in it.
    fn by_urn(&mut self, name: &str, value: Value) -> Result<(), Refusal> {
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
