//! The URNs of SCIM 2.0, spelled as the RFCs spell them. Comparison with what a client sent is always by folded case.
//!
//! Schemas: [`USER`], [`GROUP`], [`ENTERPRISE`], [`PSA`]; discovery: [`SERVICE_PROVIDER_CONFIG`], [`RESOURCE_TYPE`], [`SCHEMA`]; messages:
//! [`LIST_RESPONSE`], [`SEARCH_REQUEST`], [`PATCH_OP`], [`BULK_REQUEST`], [`BULK_RESPONSE`], [`ERROR`].

pub use scim_v2::schema_urns::{
    BULK_REQUEST, BULK_RESPONSE, ENTERPRISE_USER as ENTERPRISE, ERROR, GROUP, LIST_RESPONSE, PATCH_OP,
    RESOURCE_TYPE, SCHEMA, SEARCH_REQUEST, SERVICE_PROVIDER_CONFIG, USER,
};

/// The flat PSA extension of User. Entra takes custom extensions under this prefix only.
pub const PSA: &str = "urn:ietf:params:scim:schemas:extension:psa:2.0:User";

/// Tells whether two URNs or attribute names are the same but for the case of letters (RFC 7643 §2.1).
pub fn same(left: &str, right: &str) -> bool {
    left == right || left.eq_ignore_ascii_case(right)
}
