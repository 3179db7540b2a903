//! A few words to write schemas with: each attribute starts with the RFC's defaults (S47) and says what differs.

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
        description: description.into(),
        sub_attributes: Vec::new(),
    }
}

/// Text.
pub(super) fn string(name: &str, description: &str) -> Attribute {
    attribute(name, Type::String, description)
}

/// True or false.
pub(super) fn boolean(name: &str, description: &str) -> Attribute {
    attribute(name, Type::Boolean, description)
}

/// An instant.
pub(super) fn date_time(name: &str, description: &str) -> Attribute {
    attribute(name, Type::DateTime, description)
}

/// Bytes in base64. Case matters in base64.
pub(super) fn binary(name: &str, description: &str) -> Attribute {
    attribute(name, Type::Binary, description).case_exact()
}

/// A URI of something that bears one of these names.
pub(super) fn reference(name: &str, types: &[&str], description: &str) -> Attribute {
    let mut made = attribute(name, Type::Reference, description).case_exact();
    made.reference_types = types.iter().map(|&name| name.into()).collect();
    made
}

/// An object.
pub(super) fn complex(name: &str, description: &str, sub_attributes: Vec<Attribute>) -> Attribute {
    let mut made = attribute(name, Type::Complex, description);
    made.sub_attributes = sub_attributes;
    made
}

/// A list of values with the usual company: `display`, `type`, `primary` (RFC 7643 §2.4).
pub(super) fn plural(name: &str, description: &str, value: Attribute, types: &[&str]) -> Attribute {
    let parts = vec![
        value,
        string("display", "A name for the value, for people"),
        string("type", "What the value is used for").canonical(types),
        boolean("primary", "Whether this is the preferred value; true at most once"),
    ];
    complex(name, description, parts).many()
}

/// What every resource has beside its schemas (RFC 7643 §3.1).
pub(super) fn common() -> Vec<Attribute> {
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
    pub(super) fn many(mut self) -> Self {
        self.multi_valued = true;
        self
    }

    pub(super) fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(super) fn case_exact(mut self) -> Self {
        self.case_exact = true;
        self
    }

    pub(super) fn read_only(mut self) -> Self {
        self.mutability = Mutability::ReadOnly;
        self
    }

    pub(super) fn immutable(mut self) -> Self {
        self.mutability = Mutability::Immutable;
        self
    }

    /// Written, never read.
    pub(super) fn secret(mut self) -> Self {
        self.mutability = Mutability::WriteOnly;
        self.returned = Returned::Never;
        self
    }

    pub(super) fn always(mut self) -> Self {
        self.returned = Returned::Always;
        self
    }

    pub(super) fn on_request(mut self) -> Self {
        self.returned = Returned::Request;
        self
    }

    pub(super) fn server_unique(mut self) -> Self {
        self.uniqueness = Uniqueness::Server;
        self
    }

    pub(super) fn never_cleared(mut self) -> Self {
        self.clearing = Clearing::Never;
        self
    }

    pub(super) fn canonical(mut self, values: &[&str]) -> Self {
        self.canonical_values = values.iter().map(|&value| value.into()).collect();
        self
    }
}
