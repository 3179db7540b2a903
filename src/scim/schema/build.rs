//! A few words to write schemas with: each attribute starts with the RFC's defaults (S47) and says what differs.

use crate::ids::KindId;

use super::{Attribute, Canonical, Clearing, Mutability, Returned, Type, Uniqueness};

/// Starts an attribute with the defaults of RFC 7643 §2.2.
fn attribute(name: &str, kind: Type, description: &str) -> Attribute {
    Attribute {
        name: name.into(),
        kind,
        multi_valued: false,
        required: false,
        case_exact: false,
        mutability: Mutability::ReadWrite,
        returned: Returned::Default,
        uniqueness: Uniqueness::None,
        canonical_values: Vec::new(),
        canonical: Canonical::Suggested,
        reference_types: Vec::new(),
        clearing: Clearing::Allowed,
        indexed: false,
        financial: false,
        names: None,
        description: description.into(),
        sub_attributes: Vec::new(),
    }
}

/// Text.
pub(crate) fn string(name: &str, description: &str) -> Attribute {
    attribute(name, Type::String, description)
}

/// True or false.
pub(crate) fn boolean(name: &str, description: &str) -> Attribute {
    attribute(name, Type::Boolean, description)
}

/// A number with a fraction.
pub(crate) fn decimal(name: &str, description: &str) -> Attribute {
    attribute(name, Type::Decimal, description)
}

/// A whole number.
pub(crate) fn integer(name: &str, description: &str) -> Attribute {
    attribute(name, Type::Integer, description)
}

/// A resource of another kind: its id, what leads to it, and what it is called.
pub(crate) fn link(name: &str, kind: KindId, kind_name: &str, description: &str) -> Attribute {
    complex(name, description, link_parts(kind, kind_name))
}

/// The parts of a value that stands for a resource of another kind.
pub(crate) fn link_parts(kind: KindId, kind_name: &str) -> Vec<Attribute> {
    vec![
        string("value", &format!("The id of the {kind_name}")).case_exact().required().names(kind),
        reference("$ref", &[kind_name], &format!("Where the {kind_name} is, seen from here")).read_only(),
        string("display", &format!("What the {kind_name} is called")).read_only(),
    ]
}

/// An instant.
pub(crate) fn date_time(name: &str, description: &str) -> Attribute {
    attribute(name, Type::DateTime, description)
}

/// Bytes in base64. Case matters in base64.
pub(crate) fn binary(name: &str, description: &str) -> Attribute {
    attribute(name, Type::Binary, description).case_exact()
}

/// A URI of something that bears one of these names.
pub(crate) fn reference(name: &str, types: &[&str], description: &str) -> Attribute {
    let mut made = attribute(name, Type::Reference, description).case_exact();
    made.reference_types = types.iter().map(|&name| name.into()).collect();
    made
}

/// An object.
pub(crate) fn complex(name: &str, description: &str, sub_attributes: Vec<Attribute>) -> Attribute {
    let mut made = attribute(name, Type::Complex, description);
    made.sub_attributes = sub_attributes;
    made
}

/// A list of values with the usual company: `display`, `type`, `primary` (RFC 7643 §2.4).
pub(crate) fn plural(name: &str, description: &str, value: Attribute, types: &[&str]) -> Attribute {
    let parts = vec![
        value,
        string("display", "A name for the value, for people"),
        string("type", "What the value is used for").canonical(types),
        boolean("primary", "Whether this is the preferred value; true at most once"),
    ];
    complex(name, description, parts).many()
}

/// What every resource has beside its schemas (RFC 7643 §3.1).
pub(crate) fn common() -> Vec<Attribute> {
    vec![
        string("id", "The identifier that the server gave").case_exact().read_only().server_unique().always(),
        string("externalId", "The identifier that the provisioning client gave").case_exact(),
        complex(
            "meta",
            "What the server knows of the resource",
            vec![
                string("resourceType", "The name of its kind").case_exact().read_only(),
                date_time("created", "When it was made").read_only(),
                date_time("lastModified", "When it last changed").read_only(),
                reference("location", &["uri"], "Its URL").read_only(),
                string("version", "Its entity tag").case_exact().read_only(),
            ],
        )
        .read_only(),
    ]
}

impl Attribute {
    pub(crate) fn many(mut self) -> Self {
        self.multi_valued = true;
        self
    }

    pub(crate) fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) fn case_exact(mut self) -> Self {
        self.case_exact = true;
        self
    }

    pub(crate) fn read_only(mut self) -> Self {
        self.mutability = Mutability::ReadOnly;
        self
    }

    pub(crate) fn immutable(mut self) -> Self {
        self.mutability = Mutability::Immutable;
        self
    }

    /// Written, never read.
    pub(crate) fn secret(mut self) -> Self {
        self.mutability = Mutability::WriteOnly;
        self.returned = Returned::Never;
        self
    }

    pub(crate) fn always(mut self) -> Self {
        self.returned = Returned::Always;
        self
    }

    pub(crate) fn on_request(mut self) -> Self {
        self.returned = Returned::Request;
        self
    }

    pub(crate) fn server_unique(mut self) -> Self {
        self.uniqueness = Uniqueness::Server;
        self
    }

    pub(crate) fn never_cleared(mut self) -> Self {
        self.clearing = Clearing::Never;
        self
    }

    /// Holds the id of a resource of this kind, which must be there.
    pub(crate) fn names(mut self, kind: KindId) -> Self {
        self.names = Some(kind);
        self
    }

    /// For those who may see money.
    pub(crate) fn financial(mut self) -> Self {
        self.financial = true;
        self
    }

    /// Nothing but these values.
    pub(crate) fn only(self, values: &[&str]) -> Self {
        Self { canonical: Canonical::Enforced, ..self.canonical(values) }
    }

    pub(crate) fn canonical(mut self, values: &[&str]) -> Self {
        self.canonical_values = values.iter().map(|&value| value.into()).collect();
        self
    }
}
