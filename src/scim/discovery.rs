//! What the server says of itself (RFC 7643 §5–§7, S180–S186): ServiceProviderConfig, Schemas, ResourceTypes.

use serde_json::Value;

use super::schema::{Kind, Kinds, Schema};

/// Limits of bulk requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkFacts {
    /// Most operations in one request.
    pub operations_max: u64,
    /// Most bytes in one request.
    pub payload_bytes_max: u64,
}

/// What is true of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The base URL, without a slash at the end.
    pub base: &'a str,
    /// Limits of bulk requests; `None` when there are none to send.
    pub bulk: Option<BulkFacts>,
    /// Most resources in one page.
    pub results_max: u64,
    /// Resources in a page when the client does not say.
    pub results_default: u64,
    /// Whether `sortBy` is honoured.
    pub sort: bool,
}

/// Says what the server can do.
pub fn service_provider_config(facts: &Facts<'_>) -> Value {
    let _ = facts;
    todo!()
}

/// Lists the schemas of all kinds, each once.
pub fn schemas(kinds: &Kinds, base: &str) -> Value {
    let _ = (kinds, base);
    todo!()
}

/// Describes one schema, named by its URN in any case.
pub fn schema(kinds: &Kinds, id: &str, base: &str) -> Option<Value> {
    let _ = (kinds, id, base, |schema: &Schema| schema.id.len());
    todo!()
}

/// Lists the kinds.
pub fn resource_types(kinds: &Kinds, base: &str) -> Value {
    let _ = (kinds, base);
    todo!()
}

/// Describes one kind, by name.
pub fn resource_type(kinds: &Kinds, name: &str, base: &str) -> Option<Value> {
    let _ = (kinds, name, base, |kind: &Kind| kind.id);
    todo!()
}
