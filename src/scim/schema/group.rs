//! The core schema of Group (RFC 7643 §4.2, §8.7.1).

use super::build::{complex, reference, string};
use super::{Attribute, Schema};
use crate::scim::urn;

/// Makes the schema.
pub(super) fn schema() -> Schema {
    Schema::new(
        urn::GROUP.into(),
        "Group".into(),
        "A group of people".into(),
        vec![
            string("displayName", "The name of the group; unique within a connection").required(),
            members(),
        ],
    )
}

/// Members: kept as edges in the store. Their parts are immutable: a member is added or removed, never edited (S49). Names are no part
/// of an edge, and looking each up would cost as much as all the rest: they are shown to who asks for `members.display`.
fn members() -> Attribute {
    complex(
        "members",
        "Who belongs to the group",
        vec![
            string("value", "The id of the member").case_exact().immutable(),
            reference("$ref", &["User", "Group"], "The URL of the member").immutable(),
            string("type", "The kind of the member").canonical(&["User", "Group"]).immutable(),
            string("display", "The name of the member, for people").read_only().on_request(),
        ],
    )
    .many()
}
