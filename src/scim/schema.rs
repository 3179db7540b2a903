//! Schemas as data: every rule of the engine asks an [`Attribute`] for its characteristics (RFC 7643 §2.2, §7).
//!
//! [`Kind`] is a resource type with its schemas, [`Kinds`] the registry. The schemas of User, Group and EnterpriseUser
//! stand in `user`, `group` and `enterprise`, that of the flat PSA extension in `psa`, written with the few words of `build`. All values are
//! owned, so that schemas read at run time ([`super::custom`]) can join; a new kind is data and nothing else.

pub(crate) mod build;
mod enterprise;
mod group;
mod psa;
mod user;

use std::sync::Arc;

use super::urn;
use crate::ids::KindId;

/// A data type (RFC 7643 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Text.
    String,
    /// True or false.
    Boolean,
    /// A number with a fraction.
    Decimal,
    /// A whole number.
    Integer,
    /// An instant, written as xsd:dateTime.
    DateTime,
    /// Bytes in base64.
    Binary,
    /// A URI.
    Reference,
    /// An object of sub-attributes.
    Complex,
}

impl Type {
    /// Returns the word used in schema documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Decimal => "decimal",
            Self::Integer => "integer",
            Self::DateTime => "dateTime",
            Self::Binary => "binary",
            Self::Reference => "reference",
            Self::Complex => "complex",
        }
    }
}

/// Who may write an attribute, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// The server only.
    ReadOnly,
    /// Anybody who may write the resource.
    ReadWrite,
    /// Whoever creates the value; afterwards nobody.
    Immutable,
    /// Anybody who may write the resource; nobody reads it.
    WriteOnly,
}

impl Mutability {
    /// Returns the word used in schema documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "readOnly",
            Self::ReadWrite => "readWrite",
            Self::Immutable => "immutable",
            Self::WriteOnly => "writeOnly",
        }
    }
}

/// When an attribute is part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// Whatever the projection says.
    Always,
    /// Never, under no spelling.
    Never,
    /// Unless the projection leaves it out.
    Default,
    /// Only when the projection names it.
    Request,
}

impl Returned {
    /// Returns the word used in schema documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Default => "default",
            Self::Request => "request",
        }
    }
}

/// Among whom a value may occur once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uniqueness {
    /// Nobody cares.
    None,
    /// The tenant.
    Server,
    /// The world.
    Global,
}

impl Uniqueness {
    /// Returns the word used in schema documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Server => "server",
            Self::Global => "global",
        }
    }
}

/// Whether the canonical values of an attribute are a closed list (S45).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canonical {
    /// Suggestions; anything goes.
    Suggested,
    /// Nothing else is accepted.
    Enforced,
}

/// What `null` and removal do to an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clearing {
    /// They unassign it.
    Allowed,
    /// `null` leaves it as it is (S52, X29), omission likewise (S102), and removing it is refused.
    Never,
}

/// One attribute or sub-attribute, with its characteristics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The canonical spelling.
    pub name: String,
    /// The data type.
    pub kind: Type,
    /// Whether it holds a list.
    pub multi_valued: bool,
    /// Whether a resource must have it.
    pub required: bool,
    /// Whether comparison minds the case of letters.
    pub case_exact: bool,
    /// Who may write it.
    pub mutability: Mutability,
    /// When it is part of an answer.
    pub returned: Returned,
    /// Among whom its value may occur once.
    pub uniqueness: Uniqueness,
    /// Well-known values.
    pub canonical_values: Vec<String>,
    /// Whether those are a closed list.
    pub canonical: Canonical,
    /// What a reference may point to: names of kinds, `uri` or `external`.
    pub reference_types: Vec<String>,
    /// What `null` does to it.
    pub clearing: Clearing,
    /// Whether resources are found by its values without being read.
    pub indexed: bool,
    /// Whether it is for those only who may see money. Kept in a segment of its own; to others it is an attribute that does not exist.
    pub financial: bool,
    /// The kind of resource whose id it holds, which must be there and cannot be removed meanwhile.
    pub names: Option<KindId>,
    /// What it means, for people.
    pub description: String,
    /// The parts of a complex value.
    pub sub_attributes: Vec<Attribute>,
}

impl Attribute {
    /// Finds a sub-attribute by name, whatever the case of letters.
    pub fn sub(&self, name: &str) -> Option<&Attribute> {
        find(&self.sub_attributes, name)
    }

    /// Tells whether clients may write it.
    pub fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }

    /// Tells whether it must not be seen, compared or sorted by (X25).
    pub fn is_secret(&self) -> bool {
        self.returned == Returned::Never || self.mutability == Mutability::WriteOnly
    }
}

/// Finds an attribute by folded name. A dozen comparisons of lengths cost less than hashing the name.
fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes
        .iter()
        .find(|attribute| attribute.name.len() == name.len() && attribute.name.eq_ignore_ascii_case(name))
}

/// A schema: a URN and the attributes it defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The URN.
    pub id: String,
    /// A short name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The attributes in the order in which they are rendered and listed.
    pub attributes: Vec<Attribute>,
    /// Whether some attribute is shown only to those who ask for it, so that stored bytes cannot be answered as they are.
    holds_back: bool,
    /// Whether some attribute is financial.
    holds_money: bool,
}

impl Schema {
    /// Makes a schema.
    pub fn new(id: String, name: String, description: String, attributes: Vec<Attribute>) -> Self {
        let held_back = |attribute: &Attribute| {
            std::iter::once(attribute)
                .chain(&attribute.sub_attributes)
                .any(|one| one.returned == Returned::Request)
        };
        let holds_back = attributes.iter().any(held_back);
        let holds_money = attributes.iter().any(|attribute| attribute.financial);
        Self { id, name, description, attributes, holds_back, holds_money }
    }

    /// Tells whether some attribute is for those only who may see money.
    pub const fn holds_money(&self) -> bool {
        self.holds_money
    }

    /// Makes the schema as those see it who may not see money.
    #[must_use]
    pub fn without_money(&self) -> Self {
        let attributes = self.attributes.iter().filter(|attribute| !attribute.financial).cloned().collect();
        Self::new(self.id.clone(), self.name.clone(), self.description.clone(), attributes)
    }

    /// Makes the schema of what those do not see who may not see money.
    #[must_use]
    pub fn only_money(&self) -> Self {
        let attributes = self.attributes.iter().filter(|attribute| attribute.financial).cloned().collect();
        Self::new(self.id.clone(), self.name.clone(), self.description.clone(), attributes)
    }

    /// Tells whether some attribute is shown only to those who ask for it.
    pub const fn holds_back(&self) -> bool {
        self.holds_back
    }

    /// Finds an attribute by name, whatever the case of letters.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        find(&self.attributes, name)
    }
}

/// What follows the URN of a schema in the name of the segment that holds its financial attributes, apart from all others.
pub const MONEY: &str = "#money";

/// A kind of resource: what the RFC calls a resource type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Its number in the store.
    pub id: KindId,
    /// Its name, as in `meta.resourceType`.
    pub name: String,
    /// Its endpoint below the base URL, with the slash: `/Users`.
    pub endpoint: String,
    /// What it is for.
    pub description: String,
    /// `id`, `externalId` and `meta`: what every resource has beside its schemas (RFC 7643 §3.1).
    pub common: Arc<[Attribute]>,
    /// The core schema.
    pub core: Arc<Schema>,
    /// The extensions it may carry.
    pub extensions: Vec<Arc<Schema>>,
}

impl Kind {
    /// Finds a schema of this kind by URN, whatever the case of letters.
    pub fn schema(&self, id: &str) -> Option<&Schema> {
        if urn::same(&self.core.id, id) { Some(self.core.as_ref()) } else { self.extension(id) }
    }

    /// Lists the core schema and the extensions.
    pub fn schemas(&self) -> impl Iterator<Item = &Schema> {
        std::iter::once(&self.core).chain(&self.extensions).map(AsRef::as_ref)
    }

    /// Leaves of a record's segments those whose schema this kind has: the core schema's, which comes first, and its extensions'.
    pub fn seen<'a>(
        &self,
        segments: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        segments.enumerate().filter(|(place, (id, _))| *place == 0 || self.sees(id)).map(|(_, one)| one)
    }

    /// Tells whether this kind has the schema of a segment: that of an extension, or of its financial attributes.
    pub fn sees(&self, segment: &str) -> bool {
        match segment.strip_suffix(MONEY) {
            Some(id) => self.extension(id).is_some_and(Schema::holds_money),
            None => self.extension(segment).is_some(),
        }
    }

    /// Finds an extension of this kind by URN, whatever the case of letters.
    pub fn extension(&self, id: &str) -> Option<&Schema> {
        self.extensions.iter().map(AsRef::as_ref).find(|schema| urn::same(&schema.id, id))
    }

    /// Finds an attribute of the core schema or a common attribute by name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.core.attribute(name).or_else(|| find(&self.common, name))
    }

    /// Finds an attribute of an extension (`Some(urn)`) or of the core schema (`None`).
    pub fn attribute_of(&self, extension: Option<&str>, name: &str) -> Option<&Attribute> {
        match extension {
            None => self.attribute(name),
            Some(id) => self.extension(id)?.attribute(name),
        }
    }

    /// Tells whether its members are kept as edges beside the document.
    pub fn has_members(&self) -> bool {
        self.core.attribute("members").is_some()
    }

    /// Tells whether the groups it belongs to are part of its representation.
    pub fn has_groups(&self) -> bool {
        self.core.attribute("groups").is_some()
    }
}

/// Makes the kind `User` with the enterprise extension (RFC 7643 §4.1, §4.3) and the flat PSA extension.
pub fn user() -> Kind {
    Kind {
        id: KindId::USER,
        name: "User".into(),
        endpoint: "/Users".into(),
        description: "A person".into(),
        common: build::common().into(),
        core: user::schema().into(),
        extensions: vec![enterprise::schema().into(), psa::schema().into()],
    }
}

/// Makes the kind `Group` (RFC 7643 §4.2).
pub fn group() -> Kind {
    Kind {
        id: KindId::GROUP,
        name: "Group".into(),
        endpoint: "/Groups".into(),
        description: "A group of people".into(),
        common: build::common().into(),
        core: group::schema().into(),
        extensions: Vec::new(),
    }
}

/// The registry of kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kinds(Vec<Arc<Kind>>);

impl Kinds {
    /// Registers kinds in the order in which discovery lists them.
    pub fn new(kinds: impl IntoIterator<Item = Kind>) -> Self {
        Self(kinds.into_iter().map(Arc::new).collect())
    }

    /// Registers User and Group.
    pub fn standard() -> Self {
        Self::new([user(), group()])
    }

    /// Makes a registry of the same kinds with more extensions; kinds that get none are shared.
    #[must_use]
    pub fn extended(&self, more: impl Fn(KindId) -> Vec<Arc<Schema>>) -> Self {
        let extend = |kind: &Arc<Kind>| {
            let more = more(kind.id);
            if more.is_empty() {
                return Arc::clone(kind);
            }
            let mut extended = Kind::clone(kind);
            extended.extensions.extend(more);
            Arc::new(extended)
        };
        Self(self.0.iter().map(extend).collect())
    }

    /// Makes a registry of the same kinds with their extensions changed; kinds of which none is are shared.
    #[must_use]
    pub fn with_extensions(&self, change: impl Fn(&Arc<Schema>) -> Option<Arc<Schema>>) -> Self {
        let changed = |kind: &Arc<Kind>| {
            let extensions: Vec<Arc<Schema>> = kind.extensions.iter().filter_map(&change).collect();
            if extensions == kind.extensions {
                return Arc::clone(kind);
            }
            Arc::new(Kind { extensions, ..Kind::clone(kind) })
        };
        Self(self.0.iter().map(changed).collect())
    }

    /// Makes a registry of those of the kinds that pass; they are shared.
    #[must_use]
    pub fn only(&self, passes: impl Fn(KindId) -> bool) -> Self {
        Self(self.0.iter().filter(|kind| passes(kind.id)).cloned().collect())
    }

    /// Finds a kind by its number.
    pub fn by_id(&self, id: KindId) -> Option<&Arc<Kind>> {
        self.0.iter().find(|kind| kind.id == id)
    }

    /// Finds a kind by its name, whatever the case of letters.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Kind>> {
        self.0.iter().find(|kind| urn::same(&kind.name, name))
    }

    /// Finds a kind by its endpoint, with or without the slash. Paths mind the case of letters.
    pub fn by_endpoint(&self, endpoint: &str) -> Option<&Arc<Kind>> {
        let wanted = endpoint.trim_start_matches('/');
        self.0.iter().find(|kind| kind.endpoint.trim_start_matches('/') == wanted)
    }

    /// Lists the kinds.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use scim_v2::models::scim_schema::{Attributes, SubAttributes, get_schemas};

    use super::*;

    /// What both descriptions of an attribute say of it, but for prose.
    #[derive(Debug, PartialEq)]
    struct Shape {
        name: String,
        kind: String,
        multi_valued: bool,
        required: bool,
        mutability: String,
        returned: String,
        uniqueness: String,
    }

    fn ours(attribute: &Attribute) -> Shape {
        Shape {
            name: attribute.name.clone(),
            kind: attribute.kind.as_str().into(),
            multi_valued: attribute.multi_valued,
            required: attribute.required,
            mutability: attribute.mutability.as_str().into(),
            returned: attribute.returned.as_str().into(),
            uniqueness: attribute.uniqueness.as_str().into(),
        }
    }

    fn theirs(attribute: &Attributes) -> Shape {
        Shape {
            name: attribute.name.clone(),
            kind: attribute.r#type.clone(),
            multi_valued: attribute.multi_valued,
            required: attribute.required.unwrap_or(false),
            mutability: attribute.mutability.clone().unwrap_or_else(|| "readWrite".into()),
            returned: attribute.returned.clone().unwrap_or_else(|| "default".into()),
            uniqueness: attribute.uniqueness.clone().unwrap_or_else(|| "none".into()),
        }
    }

    fn their_sub(attribute: &SubAttributes) -> (String, String) {
        (attribute.name.clone(), attribute.r#type.clone())
    }

    #[test]
    fn our_schemas_are_those_that_another_library_embeds() {
        let all = get_schemas(vec!["user", "group", "enterprise_user"]).unwrap();
        let (user, group) = (user(), group());
        for (their, our) in all.iter().zip([&user.core, &group.core, &user.extensions[0]]) {
            assert_eq!(their.id, our.id);
            for attribute in &their.attributes {
                let found =
                    our.attribute(&attribute.name).unwrap_or_else(|| panic!("{} is missing", attribute.name));
                let mut expected = theirs(attribute);
                // The RFC's text requires it, its schema document forgets to (RFC 7643 §4.2, §8.7.1).
                expected.required |= our.id == urn::GROUP && expected.name == "displayName";
                assert_eq!(ours(found), expected);
                for (name, kind) in attribute.sub_attributes.as_slice().iter().map(their_sub) {
                    let sub =
                        found.sub(&name).unwrap_or_else(|| panic!("{}.{name} is missing", attribute.name));
                    assert_eq!((sub.name.as_str(), sub.kind.as_str()), (name.as_str(), kind.as_str()));
                }
            }
            assert_eq!(their.attributes.len(), our.attributes.len(), "{}", our.id);
        }
    }

    #[test]
    fn kinds_are_found_by_number_name_and_endpoint() {
        let kinds = Kinds::standard();
        assert_eq!(kinds.by_id(KindId::USER).unwrap().name, "User");
        assert_eq!(kinds.by_name("group").unwrap().id, KindId::GROUP);
        assert_eq!(kinds.by_endpoint("/Users").unwrap().id, KindId::USER);
        assert_eq!(kinds.by_endpoint("Groups").unwrap().id, KindId::GROUP);
        assert!(kinds.by_endpoint("/users").is_none());
    }
}
