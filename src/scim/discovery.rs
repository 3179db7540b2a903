//! What the server says of itself (RFC 7643 §5–§7, S180–S186): ServiceProviderConfig, Schemas, ResourceTypes.

use serde_json::{Value, json};

use super::schema::{Attribute, Kind, Kinds, Schema};
use super::urn;

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
    /// Limits of bulk requests.
    pub bulk: BulkFacts,
    /// Most resources in one page.
    pub results_max: u64,
    /// Resources in a page when the client does not say.
    pub results_default: u64,
    /// Whether `sortBy` is honoured.
    pub sort: bool,
    /// How long a cursor is good (RFC 9865); `None` when there are none.
    pub cursor_seconds: Option<i64>,
    /// How the caller's connection may authenticate, beside bearer tokens.
    pub schemes: SchemeFacts<'a>,
}

/// Ways to authenticate that a connection has, beside bearer tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SchemeFacts<'a> {
    /// Where access tokens are fetched, if they are.
    pub token_url: Option<&'a str>,
    /// Whether name and secret are taken with each request.
    pub basic: bool,
}

/// Says what the server can do. Every member is there, also of what is not supported (S181).
pub fn service_provider_config(facts: &Facts<'_>) -> Value {
    let mut pagination = json!({
        "cursor": facts.cursor_seconds.is_some(),
        "index": true,
        "defaultPaginationMethod": "index",
        "defaultPageSize": facts.results_default,
        "maxPageSize": facts.results_max,
    });
    if let (Some(seconds), Value::Object(parts)) = (facts.cursor_seconds, &mut pagination) {
        parts.insert("cursorTimeout".into(), seconds.into());
    }
    // authentik cuts its PATCH requests into pieces of `maxOperations` (D-A4), so that the number must be one that a PATCH may
    // have as well.
    json!({
        "schemas": [urn::SERVICE_PROVIDER_CONFIG],
        "patch": {"supported": true},
        "bulk": {
            "supported": true,
            "maxOperations": facts.bulk.operations_max,
            "maxPayloadSize": facts.bulk.payload_bytes_max,
        },
        "filter": {"supported": true, "maxResults": facts.results_max},
        "changePassword": {"supported": false},
        "sort": {"supported": facts.sort},
        "etag": {"supported": true},
        "pagination": pagination,
        "authenticationSchemes": authentication_schemes(facts.schemes),
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{}/ServiceProviderConfig", facts.base),
        },
    })
}

fn authentication_schemes(facts: SchemeFacts<'_>) -> Vec<Value> {
    let mut schemes = vec![json!({
        "type": "oauthbearertoken",
        "name": "Bearer token",
        "description": "A token in the Authorization header",
        "specUri": "https://www.rfc-editor.org/info/rfc6750",
        "primary": true,
    })];
    if let Some(url) = facts.token_url {
        schemes.push(json!({
            "type": "oauth2",
            "name": "OAuth 2.0 client credentials",
            "description": format!("An access token from {url}, for a client's secret or an assertion"),
            "specUri": "https://www.rfc-editor.org/info/rfc6749",
        }));
    }
    if facts.basic {
        schemes.push(json!({
            "type": "httpbasic",
            "name": "HTTP Basic",
            "description": "A client's id and secret in the Authorization header",
            "specUri": "https://www.rfc-editor.org/info/rfc7617",
        }));
    }
    schemes
}

/// Lists the schemas of all kinds, each once, as a ListResponse (S180).
pub fn schemas(kinds: &Kinds, base: &str) -> Value {
    list(all_schemas(kinds).into_iter().map(|schema| describe_schema(schema, base)).collect())
}

/// Describes one schema, named by its URN in any case.
pub fn schema(kinds: &Kinds, id: &str, base: &str) -> Option<Value> {
    let found = all_schemas(kinds).into_iter().find(|schema| urn::same(&schema.id, id));
    found.map(|schema| describe_schema(schema, base))
}

/// Lists the kinds as a ListResponse (S180).
pub fn resource_types(kinds: &Kinds, base: &str) -> Value {
    list(kinds.iter().map(|kind| describe_kind(kind, base)).collect())
}

/// Describes one kind, by name.
pub fn resource_type(kinds: &Kinds, name: &str, base: &str) -> Option<Value> {
    kinds.by_name(name).map(|kind| describe_kind(kind, base))
}

fn all_schemas(kinds: &Kinds) -> Vec<&Schema> {
    let mut all: Vec<&Schema> = Vec::new();
    for schema in kinds.iter().flat_map(|kind| kind.schemas()) {
        if !all.iter().any(|known| known.id == schema.id) {
            all.push(schema);
        }
    }
    all
}

fn list(resources: Vec<Value>) -> Value {
    json!({
        "schemas": [urn::LIST_RESPONSE],
        "totalResults": resources.len(),
        "startIndex": 1,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

fn describe_kind(kind: &Kind, base: &str) -> Value {
    let extensions: Vec<Value> =
        kind.extensions.iter().map(|schema| json!({"schema": schema.id, "required": false})).collect();
    json!({
        "schemas": [urn::RESOURCE_TYPE],
        "id": kind.name,
        "name": kind.name,
        "endpoint": kind.endpoint,
        "description": kind.description,
        "schema": kind.core.id,
        "schemaExtensions": extensions,
        "meta": {"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", kind.name)},
    })
}

fn describe_schema(schema: &Schema, base: &str) -> Value {
    let attributes: Vec<Value> = schema.attributes.iter().map(describe_attribute).collect();
    let mut described = json!({
        "schemas": [urn::SCHEMA],
        "id": schema.id,
        "name": schema.name,
        "description": schema.description,
        "attributes": attributes,
        "meta": {"resourceType": "Schema", "location": format!("{base}/Schemas/{}", schema.id)},
    });
    leave_out_if_empty(&mut described, "description");
    described
}

/// Describes an attribute; what does not apply is left out, nothing is null (S182).
pub(super) fn describe_attribute(attribute: &Attribute) -> Value {
    let mut described = json!({
        "name": attribute.name,
        "type": attribute.kind.as_str(),
        "multiValued": attribute.multi_valued,
        "description": attribute.description,
        "required": attribute.required,
        "caseExact": attribute.case_exact,
        "mutability": attribute.mutability.as_str(),
        "returned": attribute.returned.as_str(),
        "uniqueness": attribute.uniqueness.as_str(),
    });
    leave_out_if_empty(&mut described, "description");
    let Value::Object(parts) = &mut described else { return described };
    if !attribute.canonical_values.is_empty() {
        parts.insert("canonicalValues".into(), attribute.canonical_values.clone().into());
    }
    if !attribute.reference_types.is_empty() {
        parts.insert("referenceTypes".into(), attribute.reference_types.clone().into());
    }
    if !attribute.sub_attributes.is_empty() {
        let subs: Vec<Value> = attribute.sub_attributes.iter().map(describe_attribute).collect();
        parts.insert("subAttributes".into(), subs.into());
    }
    described
}

/// Leaves a text out of which nothing was said: custom schemas need no descriptions.
fn leave_out_if_empty(described: &mut Value, name: &str) {
    if let Value::Object(parts) = described
        && parts.get(name).and_then(Value::as_str).is_some_and(str::is_empty)
    {
        parts.shift_remove(name);
    }
}

#[cfg(test)]
mod tests {
    use scim_v2::models::resource_types::ResourceType;
    use scim_v2::models::scim_schema::Schema as TheirSchema;
    use scim_v2::models::service_provider_config::ServiceProviderConfig;

    use super::*;

    const BASE: &str = "https://roster.test/scim/v2";

    fn has_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(elements) => elements.iter().any(has_null),
            Value::Object(parts) => parts.values().any(has_null),
            _ => false,
        }
    }

    #[test]
    fn s180_schemas_and_resource_types_are_list_responses_that_another_library_reads() {
        let kinds = Kinds::standard();
        let schemas = schemas(&kinds, BASE);
        assert_eq!(schemas["totalResults"], 4);
        for described in schemas["Resources"].as_array().unwrap() {
            assert!(!has_null(described));
            let read: TheirSchema = serde_json::from_value(described.clone()).unwrap();
            assert_eq!(read.id, described["id"].as_str().unwrap());
        }
        let types = resource_types(&kinds, BASE);
        assert_eq!(types["totalResults"], 2);
        for described in types["Resources"].as_array().unwrap() {
            let read: ResourceType = serde_json::from_value(described.clone()).unwrap();
            assert_eq!(read.name, described["name"].as_str().unwrap());
        }
    }

    #[test]
    fn s180_one_schema_is_found_in_any_case() {
        let kinds = Kinds::standard();
        let found = schema(&kinds, "URN:ietf:params:scim:schemas:core:2.0:user", BASE).unwrap();
        assert_eq!(found["id"], urn::USER);
        assert_eq!(schema(&kinds, "urn:example:x", BASE), None);
        assert_eq!(resource_type(&kinds, "group", BASE).unwrap()["endpoint"], "/Groups");
    }

    #[test]
    fn s181_the_configuration_has_every_member_also_of_what_is_not_supported() {
        let facts = Facts {
            base: BASE,
            bulk: BulkFacts { operations_max: 1000, payload_bytes_max: 1 << 24 },
            results_max: 1000,
            results_default: 100,
            sort: false,
            cursor_seconds: Some(600),
            schemes: SchemeFacts { token_url: Some("https://roster.test/oauth2/token"), basic: true },
        };
        let described = service_provider_config(&facts);
        assert!(!has_null(&described));
        let read: ServiceProviderConfig = serde_json::from_value(described.clone()).unwrap();
        assert!(read.patch.supported && read.bulk.supported);
        assert_eq!(
            (&described["bulk"]["maxOperations"], &described["bulk"]["maxPayloadSize"]),
            (&1000.into(), &(1 << 24).into())
        );
        assert_eq!(described["filter"]["maxResults"], 1000);
        let schemes = |described: &Value| -> Vec<Value> {
            described["authenticationSchemes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["type"].clone())
                .collect()
        };
        assert_eq!(schemes(&described), ["oauthbearertoken", "oauth2", "httpbasic"]);
        let bare = service_provider_config(&Facts { schemes: SchemeFacts::default(), ..facts });
        assert_eq!(schemes(&bare), ["oauthbearertoken"]);
        assert_eq!(
            described["pagination"],
            json!({
                "cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": 100,
                "maxPageSize": 1000, "cursorTimeout": 600,
            })
        );
    }
}
