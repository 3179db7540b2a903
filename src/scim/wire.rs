//! From stored segments to the bytes of an answer. A whole resource is spliced together; only a projection parses JSON.
//!
//! What may be long is written in parts, so that nobody need hold the whole: a resource is its [`head`], its members ([`Members`])
//! and its [`tail`]; a list is what [`ListWriter`] puts around resources, a bulk answer what [`BulkWriter`] puts around operations.

use std::io::Write;

use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::{Map, Value};

use super::error::Why;
use super::project::{Projection, Shown};
use super::schema::{Kind, Returned, Schema};
use super::urn;
use crate::ids::ResourceId;

/// Characters of an id.
const ID_BYTES: usize = 36;

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
    let mut buffer = [0; ID_BYTES];
    [base, &kind.endpoint, "/", id.encode(&mut buffer)].concat()
}

/// Writes an entity tag: `W/"7"`.
pub fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

/// Renders a resource. Without a projection the stored segments are spliced in as they stand.
pub fn resource(out: &mut Vec<u8>, view: &View<'_>, base: &str, projection: &Projection) {
    head(out, view, base, projection);
    if let Some(links) = view.members
        && let Some(mut members) = Members::begin(out, view.kind, projection)
    {
        links.iter().for_each(|link| members.next(out, link, base));
        members.end(out);
    }
    tail(out, view, base, projection);
}

/// Writes what stands before the members of a resource.
pub fn head(out: &mut Vec<u8>, view: &View<'_>, base: &str, projection: &Projection) {
    out.extend_from_slice(b"{\"schemas\":[");
    for (place, (id, _)) in view.segments.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        string(out, id);
    }
    let mut buffer = [0; ID_BYTES];
    text(out, &["],\"id\":\"", view.id.encode(&mut buffer), "\""]);
    if projection.is_all() {
        spliced(out, view);
    } else {
        projected(out, view, projection);
    }
    if let Some(groups) = view.groups.filter(|groups| !groups.is_empty() && view.kind.has_groups())
        && let Some(mut links) = Links::begin(out, "groups", projection, Side::Groups)
    {
        groups.iter().for_each(|group| links.next(out, group, base));
        out.push(b']');
    }
}

/// Writes what stands after the members of a resource. Of the view it needs no segments.
pub fn tail(out: &mut Vec<u8>, view: &View<'_>, base: &str, projection: &Projection) {
    meta(out, view, base, &projection.shows(None, "meta", Returned::Default));
    out.push(b'}');
}

/// Writes the members of a resource, between its [`head`] and its [`tail`].
#[derive(Debug)]
pub struct Members(Links);

impl Members {
    /// Writes the beginning; `None` where no members are shown.
    pub fn begin(out: &mut Vec<u8>, kind: &Kind, projection: &Projection) -> Option<Self> {
        if !kind.has_members() {
            return None;
        }
        Links::begin(out, "members", projection, Side::Members).map(Self)
    }

    /// Writes the next member.
    pub fn next(&mut self, out: &mut Vec<u8>, link: &Link<'_>, base: &str) {
        self.0.next(out, link, base);
    }

    /// Writes the end.
    pub fn end(self, out: &mut Vec<u8>) {
        out.push(b']');
    }
}

/// Writes the segments as they are stored, but for what is shown only to those who ask.
fn spliced(out: &mut Vec<u8>, view: &View<'_>) {
    for (place, (id, json)) in view.segments.iter().enumerate() {
        if place > 0 {
            if view.kind.extension(id).is_some_and(Schema::holds_back) {
                project(out, view, &Projection::ALL, place, id, json);
                continue;
            }
            out.push(b',');
            string(out, id);
            out.push(b':');
            out.extend_from_slice(json.as_bytes());
            continue;
        }
        let inner = json.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or("");
        if !inner.is_empty() {
            out.push(b',');
            out.extend_from_slice(inner.as_bytes());
        }
    }
}

/// Writes what a projection leaves of the segments.
fn projected(out: &mut Vec<u8>, view: &View<'_>, projection: &Projection) {
    for (place, (id, json)) in view.segments.iter().enumerate() {
        project(out, view, projection, place, id, json);
    }
}

/// Writes what a projection leaves of one segment.
fn project(out: &mut Vec<u8>, view: &View<'_>, projection: &Projection, place: usize, id: &str, json: &str) {
    // The store gives back what was put into it; a segment that is no object has been reported by its check.
    let Ok(mut attributes) = serde_json::from_str::<Map<String, Value>>(json) else { return };
    projection.keep((place > 0).then_some(id), &mut attributes, view.kind);
    if attributes.is_empty() {
        return;
    }
    out.push(b',');
    if place > 0 {
        string(out, id);
        out.push(b':');
        let _ = serde_json::to_writer(&mut *out, &attributes);
    } else if let Ok(json) = serde_json::to_vec(&attributes)
        && let Some(inner) = json.get(1..json.len().saturating_sub(1))
    {
        out.extend_from_slice(inner);
    }
}

/// Which list of links is written.
#[derive(Debug, Clone, Copy)]
enum Side {
    /// The groups of a user: a member directly, as nesting is not computed.
    Groups,
    /// The members of a group.
    Members,
}

/// Writes a list of links, but for its end.
#[derive(Debug)]
struct Links {
    shown: Shown,
    side: Side,
    any: bool,
}

impl Links {
    fn begin(out: &mut Vec<u8>, name: &str, projection: &Projection, side: Side) -> Option<Self> {
        let shown = projection.shows(None, name, Returned::Default);
        if shown == Shown::Nothing {
            return None;
        }
        text(out, &[",\"", name, "\":["]);
        Some(Self { shown, side, any: false })
    }

    fn next(&mut self, out: &mut Vec<u8>, link: &Link<'_>, base: &str) {
        if std::mem::replace(&mut self.any, true) {
            out.push(b',');
        }
        out.push(b'{');
        let start = out.len();
        let mut buffer = [0; ID_BYTES];
        let id = link.id.encode(&mut buffer);
        if self.shown.has("value") {
            text(out, &["\"value\":\"", id, "\","]);
        }
        if self.shown.has("$ref") {
            text(out, &["\"$ref\":\"", base, &link.kind.endpoint, "/", id, "\","]);
        }
        if let Some(display) = link.display.filter(|_| self.shown.has("display")) {
            out.extend_from_slice(b"\"display\":");
            string(out, display);
            out.push(b',');
        }
        if self.shown.has("type") {
            let word = match self.side {
                Side::Groups => "direct",
                Side::Members => &link.kind.name,
            };
            text(out, &["\"type\":\"", word, "\","]);
        }
        if out.len() > start {
            out.pop();
        }
        out.push(b'}');
    }
}

/// Writes `meta`.
fn meta(out: &mut Vec<u8>, view: &View<'_>, base: &str, shown: &Shown) {
    if *shown == Shown::Nothing {
        return;
    }
    out.extend_from_slice(b",\"meta\":{");
    let start = out.len();
    if shown.has("resourceType") {
        text(out, &["\"resourceType\":\"", &view.kind.name, "\","]);
    }
    if shown.has("created") {
        out.extend_from_slice(b"\"created\":\"");
        instant(out, view.created);
        out.extend_from_slice(b"\",");
    }
    if shown.has("lastModified") {
        out.extend_from_slice(b"\"lastModified\":\"");
        instant(out, view.modified);
        out.extend_from_slice(b"\",");
    }
    if shown.has("location") {
        let mut buffer = [0; ID_BYTES];
        let id = view.id.encode(&mut buffer);
        text(out, &["\"location\":\"", base, &view.kind.endpoint, "/", id, "\","]);
    }
    if shown.has("version") {
        out.extend_from_slice(b"\"version\":\"W/\\\"");
        number(out, view.version, 1);
        out.extend_from_slice(b"\\\"\",");
    }
    if out.len() > start {
        out.pop();
    }
    out.push(b'}');
}

/// Writes a JSON string. Names and URNs hold nothing to escape, and are most of what is written here.
fn string(out: &mut Vec<u8>, plain: &str) {
    if plain.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        return text(out, &["\"", plain, "\""]);
    }
    // Writing text into memory cannot fail.
    let _ = serde_json::to_writer(out, plain);
}

/// Writes an instant as `2026-01-02T03:04:05.678Z`, with as many digits of the second as it has: what its `Display` writes, which costs every
/// resource twice a formatter.
fn instant(out: &mut Vec<u8>, at: Timestamp) {
    let civil = Offset::UTC.to_datetime(at);
    let Ok(year) = u64::try_from(civil.year()) else {
        // Writing text into memory cannot fail.
        return drop(write!(out, "{at}"));
    };
    number(out, year, 4);
    for (mark, part) in [
        (b'-', civil.month()),
        (b'-', civil.day()),
        (b'T', civil.hour()),
        (b':', civil.minute()),
        (b':', civil.second()),
    ] {
        out.push(mark);
        number(out, u64::from(part.unsigned_abs()), 2);
    }
    let nanosecond = civil.subsec_nanosecond().unsigned_abs();
    if nanosecond > 0 {
        out.push(b'.');
        number(out, u64::from(nanosecond), 9);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
    out.push(b'Z');
}

/// Writes a number with at least so many digits.
fn number(out: &mut Vec<u8>, mut number: u64, digits: usize) {
    let start = out.len();
    while number > 0 || out.len().saturating_sub(start) < digits {
        let [digit, ..] = (number % 10).to_le_bytes();
        out.push(b'0' | digit);
        number /= 10;
    }
    if let Some(written) = out.get_mut(start..) {
        written.reverse();
    }
}

/// Writes pieces of text as they stand; costs less than a formatter.
fn text(out: &mut Vec<u8>, pieces: &[&str]) {
    for piece in pieces {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// Writes a ListResponse, one resource after the other.
#[derive(Debug)]
pub struct ListWriter {
    items: u64,
}

impl ListWriter {
    /// Writes the beginning.
    pub fn begin(out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(b"{\"schemas\":[");
        string(out, urn::LIST_RESPONSE);
        out.extend_from_slice(b"],\"Resources\":[");
        Self { items: 0 }
    }

    /// Writes what stands before the next resource; the caller renders the resource after it.
    pub fn next(&mut self, out: &mut Vec<u8>) {
        if self.items > 0 {
            out.push(b',');
        }
        self.items = self.items.saturating_add(1);
    }

    /// Writes the end. `itemsPerPage` is what was really written (S81). A page that was asked for by cursor has no index, and says
    /// where to go on unless it is the last, and where to go back unless it is the first (S89).
    pub fn end(
        self,
        out: &mut Vec<u8>,
        total: u64,
        start_index: Option<u64>,
        next_cursor: Option<&str>,
        previous_cursor: Option<&str>,
    ) {
        let _ = write!(out, "],\"totalResults\":{total},\"itemsPerPage\":{}", self.items);
        if let Some(index) = start_index {
            let _ = write!(out, ",\"startIndex\":{index}");
        }
        for (name, cursor) in [("nextCursor", next_cursor), ("previousCursor", previous_cursor)] {
            if let Some(cursor) = cursor {
                let _ = write!(out, ",\"{name}\":");
                string(out, cursor);
            }
        }
        out.push(b'}');
    }
}

/// Writes a BulkResponse, one operation after the other.
#[derive(Debug)]
pub struct BulkWriter {
    any: bool,
}

impl BulkWriter {
    /// Writes the beginning.
    pub fn begin(out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(b"{\"schemas\":[");
        string(out, urn::BULK_RESPONSE);
        out.extend_from_slice(b"],\"Operations\":[");
        Self { any: false }
    }

    /// Writes what became of an operation.
    pub fn next(&mut self, out: &mut Vec<u8>, operation: &Value) {
        if std::mem::replace(&mut self.any, true) {
            out.push(b',');
        }
        // A value always serialises, and writing into memory cannot fail.
        let _ = serde_json::to_writer(out, operation);
    }

    /// Writes the end.
    pub fn end(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"]}");
    }
}

/// Writes an error (S170). `status` is the caller's; `why` is shown with 400 and 409 only, the RFC has no words for others.
pub fn error(out: &mut Vec<u8>, status: u16, why: Option<Why>, detail: &str) {
    out.extend_from_slice(b"{\"schemas\":[");
    string(out, urn::ERROR);
    let _ = write!(out, "],\"status\":\"{status}\"");
    if let Some(why) = why.filter(|_| matches!(status, 400 | 409)) {
        let _ = write!(out, ",\"scimType\":\"{}\"", why.scim_type());
    }
    out.extend_from_slice(b",\"detail\":");
    string(out, detail);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::scim::schema::{group, user};

    const ID: &str = "0192f0c1-2b3c-7def-8123-456789abcdef";
    const BASE: &str = "https://roster.test/scim/v2";

    fn rendered(view: &View<'_>, projection: &Projection) -> Value {
        let mut out = Vec::new();
        resource(&mut out, view, BASE, projection);
        serde_json::from_slice(&out)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)))
    }

    fn view<'a>(kind: &'a Kind, segments: &'a [(&'a str, &'a str)]) -> View<'a> {
        View {
            kind,
            id: ResourceId::parse(ID).unwrap(),
            segments,
            created: Timestamp::UNIX_EPOCH,
            modified: Timestamp::UNIX_EPOCH,
            version: 7,
            groups: None,
            members: None,
        }
    }

    #[test]
    fn s21_s22_a_user_is_spliced_from_its_segments() {
        let (users, groups) = (user(), group());
        let segments = [
            (urn::USER, r#"{"userName":"ada","title":"\"x\""}"#),
            (urn::ENTERPRISE, r#"{"department":"R&D"}"#),
        ];
        let link = [Link { kind: &groups, id: ResourceId::parse(ID).unwrap(), display: Some("A \"B\"") }];
        let shown = rendered(&View { groups: Some(&link), ..view(&users, &segments) }, &Projection::ALL);
        assert_eq!(
            shown,
            json!({
                "schemas": [urn::USER, urn::ENTERPRISE],
                "id": ID,
                "userName": "ada", "title": "\"x\"",
                (urn::ENTERPRISE): {"department": "R&D"},
                "groups": [{"value": ID, "$ref": format!("{BASE}/Groups/{ID}"), "display": "A \"B\"", "type": "direct"}],
                "meta": {
                    "resourceType": "User", "created": "1970-01-01T00:00:00Z", "lastModified": "1970-01-01T00:00:00Z",
                    "location": format!("{BASE}/Users/{ID}"), "version": "W/\"7\"",
                },
            })
        );
    }

    #[test]
    fn d_a5_an_empty_group_says_that_it_is_empty() {
        let groups = group();
        let segments = [(urn::GROUP, r#"{"displayName":"A"}"#)];
        let empty = View { members: Some(&[]), ..view(&groups, &segments) };
        assert_eq!(rendered(&empty, &Projection::ALL)["members"], json!([]));
        let not_loaded = rendered(&view(&groups, &segments), &Projection::ALL);
        assert!(not_loaded.get("members").is_none());
    }

    #[test]
    fn members_are_shown_with_their_kind() {
        let (users, groups) = (user(), group());
        let segments = [(urn::GROUP, r#"{"displayName":"A"}"#)];
        let link = [Link { kind: &users, id: ResourceId::parse(ID).unwrap(), display: None }];
        let full = View { members: Some(&link), ..view(&groups, &segments) };
        let expected = json!([{"value": ID, "$ref": format!("{BASE}/Users/{ID}"), "type": "User"}]);
        assert_eq!(rendered(&full, &Projection::ALL)["members"], expected);
        let projection = Projection::parse(Some("members.value"), None, &groups).unwrap();
        assert_eq!(
            rendered(&full, &projection),
            json!({"schemas": [urn::GROUP], "id": ID, "members": [{"value": ID}]})
        );
    }

    #[test]
    fn s85_a_projection_leaves_id_and_schemas() {
        let users = user();
        let segments =
            [(urn::USER, r#"{"userName":"ada","title":"x"}"#), (urn::ENTERPRISE, r#"{"department":"R&D"}"#)];
        let shown = |attributes: Option<&str>, excluded: Option<&str>| {
            rendered(&view(&users, &segments), &Projection::parse(attributes, excluded, &users).unwrap())
        };
        let schemas = json!([urn::USER, urn::ENTERPRISE]);
        assert_eq!(shown(Some("password"), None), json!({"schemas": schemas, "id": ID}));
        assert_eq!(
            shown(
                Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department,meta.version"),
                None
            ),
            json!({"schemas": schemas, "id": ID, (urn::ENTERPRISE): {"department": "R&D"}, "meta": {"version": "W/\"7\""}})
        );
        assert_eq!(
            shown(None, Some("id,meta,title,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User")),
            json!({"schemas": schemas, "id": ID, "userName": "ada"})
        );
    }

    #[test]
    fn s77_s81_a_page_counts_what_is_in_it() {
        let mut out = Vec::new();
        ListWriter::begin(&mut out).end(&mut out, 2, Some(101), None, None);
        assert_eq!(
            serde_json::from_slice::<Value>(&out).unwrap(),
            json!({"schemas": [urn::LIST_RESPONSE], "Resources": [], "totalResults": 2, "startIndex": 101, "itemsPerPage": 0})
        );
        let mut out = Vec::new();
        let mut list = ListWriter::begin(&mut out);
        for number in [b'1', b'2'] {
            list.next(&mut out);
            out.push(number);
        }
        list.end(&mut out, 5, None, Some("x"), Some("y"));
        let list: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&list["Resources"], &list["itemsPerPage"]), (&json!([1, 2]), &json!(2)));
        assert_eq!((&list["nextCursor"], &list["previousCursor"]), (&json!("x"), &json!("y")));
        assert_eq!(list.get("startIndex"), None);
    }

    #[test]
    fn s170_the_status_is_a_string_and_the_word_is_shown_where_the_rfc_has_one() {
        let written = |status, why| {
            let mut out = Vec::new();
            error(&mut out, status, why, "a \"b\"");
            serde_json::from_slice::<Value>(&out).unwrap()
        };
        assert_eq!(
            written(409, Some(Why::Uniqueness)),
            json!({"schemas": [urn::ERROR], "status": "409", "scimType": "uniqueness", "detail": "a \"b\""})
        );
        assert_eq!(written(404, Some(Why::NoTarget)).get("scimType"), None);
    }

    proptest! {
        #[test]
        fn an_instant_and_a_number_are_written_as_they_write_themselves(
            second in -62_135_596_800_i64..=253_402_207_199,
            nanosecond in prop_oneof![Just(0), Just(1), Just(120_000_000), 0..1_000_000_000],
            any in any::<u64>(),
        ) {
            let at = Timestamp::new(second, 0).unwrap() + jiff::SignedDuration::new(0, nanosecond);
            let mut out = Vec::new();
            instant(&mut out, at);
            number(&mut out, any, 1);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{at}{any}"));
        }
    }

    #[test]
    fn an_instant_before_the_first_year_is_written_as_well() {
        let mut out = Vec::new();
        instant(&mut out, Timestamp::MIN);
        number(&mut out, 0, 1);
        assert_eq!(String::from_utf8(out).unwrap(), format!("{}0", Timestamp::MIN));
    }
}
