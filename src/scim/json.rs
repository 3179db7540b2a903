//! From bytes to JSON values, strictly: nothing that two readers could understand in two ways gets through.

use serde_json::Value;

use super::error::Refusal;

/// Parses a request body.
pub fn parse(bytes: &[u8]) -> Result<Value, Refusal> {
    let _ = bytes;
    todo!()
}
