//! What the answers are made of, a piece at a time: a resource's head, each page of its members, its tail; a list's resources.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::flow::Pieces;
use crate::http::edge::Edge;
use crate::ids::KindId;
use crate::roster::{Member, Page, RosterError, View};
use crate::scim::wire::{self, Link, ListWriter, Members};
use crate::scim::{Kind, Projection};

/// One resource.
pub struct One {
    kind: Arc<Kind>,
    projection: Projection,
    rendering: Rendering,
}

impl One {
    /// Stands before its first piece.
    pub fn new(kind: Arc<Kind>, view: View, projection: Projection) -> Self {
        Self { kind, projection, rendering: Rendering { view, members: None } }
    }
}

impl Pieces for One {
    fn write(&mut self, out: &mut Vec<u8>, edge: &Edge) -> Result<ControlFlow<()>, RosterError> {
        self.rendering.write(out, edge, &self.kind, &self.projection)
    }

    fn let_go(&mut self) {
        self.rendering.let_go();
    }
}

/// A page of resources.
pub struct Listed {
    kinds: Vec<(Arc<Kind>, Projection)>,
    page: Page,
    list: Option<ListWriter>,
    current: Option<(Rendering, usize)>,
}

impl Listed {
    /// Stands before its first piece.
    pub fn new(page: Page, kinds: Vec<(Arc<Kind>, Projection)>) -> Self {
        Self { kinds, page, list: None, current: None }
    }

    /// Begins with the next resource; `None` after the last one.
    fn next(&mut self, edge: &Edge) -> Result<Option<(Rendering, usize)>, RosterError> {
        while let Some(view) = self.page.views.next_view(edge.roster())? {
            let id = view.stored.at().kind;
            if let Some(kind) = self.kinds.iter().position(|(kind, _)| kind.id == id) {
                return Ok(Some((Rendering { view, members: None }, kind)));
            }
        }
        Ok(None)
    }
}

impl Pieces for Listed {
    fn write(&mut self, out: &mut Vec<u8>, edge: &Edge) -> Result<ControlFlow<()>, RosterError> {
        let mut list = match self.list.take() {
            Some(list) => list,
            None => ListWriter::begin(out),
        };
        let current = match self.current.take() {
            Some(current) => Some(current),
            None => {
                let next = self.next(edge)?;
                next.is_some().then(|| list.next(out));
                next
            }
        };
        let Some((mut rendering, place)) = current else {
            let Page { total, start_index, next, previous, .. } = &self.page;
            list.end(out, *total, *start_index, next.as_deref(), previous.as_deref());
            return Ok(ControlFlow::Break(()));
        };
        self.list = Some(list);
        if let Some((kind, projection)) = self.kinds.get(place)
            && rendering.write(out, edge, kind, projection)?.is_continue()
        {
            self.current = Some((rendering, place));
        }
        Ok(ControlFlow::Continue(()))
    }

    fn let_go(&mut self) {
        self.page.views.let_go();
        if let Some((rendering, _)) = &mut self.current {
            rendering.let_go();
        }
    }
}

/// A resource on its way out.
struct Rendering {
    view: View,
    /// Between the head and the tail: the list of members that has been begun.
    members: Option<Members>,
}

impl Rendering {
    /// Writes the next piece: all of it, or its head and a page of members, or another page, with the tail after the last one.
    fn write(
        &mut self,
        out: &mut Vec<u8>,
        edge: &Edge,
        kind: &Kind,
        projection: &Projection,
    ) -> Result<ControlFlow<()>, RosterError> {
        let (base, kinds) = (edge.base_url(), edge.roster().kinds());
        let members = match self.members.take() {
            Some(members) => Some(members),
            None => {
                head(out, edge, kind, &self.view, projection);
                self.view.members.as_ref().and_then(|_| Members::begin(out, kind, projection))
            }
        };
        if let (Some(mut writer), Some(members)) = (members, &mut self.view.members) {
            if let Some(page) = members.next_page(edge.roster())? {
                for Member { at, display } in &page {
                    let Some(kind) = kinds.by_id(at.kind) else { continue };
                    writer.next(out, &Link { kind, id: at.id, display: display.as_deref() }, base);
                }
                if !members.is_done() {
                    self.members = Some(writer);
                    return Ok(ControlFlow::Continue(()));
                }
            }
            writer.end(out);
        }
        wire::tail(out, &bare(kind, &self.view), base, projection);
        Ok(ControlFlow::Break(()))
    }

    fn let_go(&mut self) {
        if let Some(members) = &mut self.view.members {
            members.let_go();
        }
    }
}

fn head(out: &mut Vec<u8>, edge: &Edge, kind: &Kind, view: &View, projection: &Projection) {
    let mut segments: Vec<(&str, &str)> = view.segments(kind);
    let nameless;
    if let (false, Some((_, core))) = (view.shows_external_id, segments.first_mut()) {
        nameless = without_external_id(core);
        *core = &nameless;
    }
    let groups: Option<Vec<Link<'_>>> = view.groups.as_ref().and_then(|groups| {
        let kind = edge.roster().kinds().by_id(KindId::GROUP)?;
        Some(groups.iter().map(|group| Link { kind, id: group.id, display: Some(&group.display) }).collect())
    });
    let shown = wire::View { segments: &segments, groups: groups.as_deref(), ..bare(kind, view) };
    wire::head(out, &shown, edge.base_url(), projection);
}

/// Leaves out what another connection calls a resource.
fn without_external_id(core: &str) -> String {
    // The store gives back what was put into it; a segment that is no object has been reported by its check.
    let mut attributes: Map<String, Value> = serde_json::from_str(core).unwrap_or_default();
    attributes.shift_remove("externalId");
    Value::Object(attributes).to_string()
}

/// What `meta` is written from.
fn bare<'a>(kind: &'a Kind, view: &View) -> wire::View<'a> {
    wire::View {
        kind,
        id: view.stored.at().id,
        segments: &[],
        created: view.stored.created(),
        modified: view.modified,
        version: view.version.0,
        groups: None,
        members: None,
    }
}
