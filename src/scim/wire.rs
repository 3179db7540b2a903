//! From stored segments to the bytes of an answer. A whole resource is spliced together; only a projection parses JSON.

use jiff::Timestamp;

use super::error::Why;
use super::project::Projection;
use super::schema::Kind;
use crate::ids::ResourceId;

/// Another resource, as one shows it: a member of a group, a group of a user.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// The other's kind.
    pub kind: &'a Kind,
    /// The other's id.
    pub id: ResourceId,
    /// The other's name for people.
    pub display: Option<&'a str>,
}

/// A resource to be rendered.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Its kind.
    pub kind: &'a Kind,
    /// Its id.
    pub id: ResourceId,
    /// Its stored segments: schema URN and JSON object, the core schema's first.
    pub segments: &'a [(&'a str, &'a str)],
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub modified: Timestamp,
    /// The number in its entity tag.
    pub version: u64,
    /// The groups it belongs to; `None` when they were not loaded. Shown for kinds that have the attribute.
    pub groups: Option<&'a [Link<'a>]>,
    /// Its members; `None` when they were not loaded. An empty list is shown (D-A5).
    pub members: Option<&'a [Link<'a>]>,
}

/// Writes the URL of a resource: base URL (without a slash at the end), endpoint, id.
pub fn location(base: &str, kind: &Kind, id: ResourceId) -> String {
    format!("{base}{}/{id}", kind.endpoint)
}

/// Writes an entity tag: `W/"7"`.
pub fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

/// Renders a resource.
pub fn resource(out: &mut Vec<u8>, view: &View<'_>, base: &str, projection: &Projection) {
    let _ = (out, view, base, projection);
    todo!()
}

/// Writes a ListResponse, one resource after the other.
#[derive(Debug)]
pub struct ListWriter {
    items: usize,
}

impl ListWriter {
    /// Writes the beginning.
    pub fn begin(out: &mut Vec<u8>) -> Self {
        let _ = out;
        todo!()
    }

    /// Writes what stands before the next resource; the caller renders the resource after it.
    pub fn next(&mut self, out: &mut Vec<u8>) {
        let _ = (out, &self.items);
        todo!()
    }

    /// Writes the end. `itemsPerPage` is what was really written (S81).
    pub fn end(self, out: &mut Vec<u8>, total: u64, start_index: u64) {
        let _ = (out, total, start_index);
        todo!()
    }
}

/// Writes an error (S170). `status` is the caller's; `why` is left out where the RFC has no word for it.
pub fn error(out: &mut Vec<u8>, status: u16, why: Option<Why>, detail: &str) {
    let _ = (out, status, why, detail);
    todo!()
}
