//! Why somebody may do what they may do: each permission with its level, the cost centres where it differs, and all that contributed.

use std::sync::Arc;

use serde::Serialize;

use super::effective::Effective;
use super::facts::Facts;
use super::gather::{Does, Piece, Source, gather};
use super::tree::CostCenters;
use crate::ids::ResourceId;
use crate::psa::catalogue::{Catalogue, Level};

/// One permission of a person, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained<'f> {
    /// The permission's key.
    pub permission: &'f str,
    /// What it allows.
    pub description: &'f str,
    /// The level for what belongs to no cost centre.
    pub level: Level,
    /// What of it comes from other sources than the person's own overrides, and so stays without them (row A05).
    pub inherited: Level,
    /// The cost centres at which the level is another than above them, each before those below it.
    pub cost_centers: Vec<At>,
    /// What contributed, in the order in which it was asked.
    pub sources: Vec<Contribution<'f>>,
}

/// A level that begins at a cost centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct At {
    /// The cost centre.
    pub value: ResourceId,
    /// The level there, and below it where nothing else is said.
    pub level: Level,
}

/// What one source contributed to a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contribution<'f> {
    /// Where it comes from.
    pub source: Source<'f>,
    /// `gives`: at least this level. `leaves`: at most this level.
    pub effect: &'static str,
    /// The level.
    pub level: Level,
    /// Where, and below; everywhere if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_center: Option<ResourceId>,
    /// Not the person's own: it cannot be taken away from this person alone (row A05).
    pub inherited: bool,
}

/// Explains every permission that somebody has, or would have if nothing took it away.
///
/// What takes is listed only where it takes something: a bound of the licence on a permission that nobody gave explains nothing.
pub fn explain<'f>(
    catalogue: &'f Arc<Catalogue>,
    tree: &'f Arc<CostCenters>,
    facts: &'f Facts,
) -> Vec<Explained<'f>> {
    let effective = Effective::of(catalogue, tree, facts);
    let own = Facts { overrides: Vec::new(), ..facts.clone() };
    let inherited = Effective::of(catalogue, tree, &own);
    let ids: Vec<ResourceId> = tree.iter().map(|(_, id)| id).collect();
    let mut pieces = gather(catalogue, tree, facts);
    // Stable: of each permission the order of the sources stays.
    pieces.sort_by_key(|piece| piece.permission);
    let mut explained = Vec::new();
    for (id, key, about) in catalogue.iter() {
        let of_it = pieces_of(&pieces, |piece| piece.permission.cmp(&id));
        let given = of_it.iter().filter(|piece| piece.does == Does::Gives).map(|piece| piece.level).max();
        let Some(given) = given else { continue };
        let sources = of_it.iter().filter(|piece| piece.does == Does::Gives || piece.level < given);
        explained.push(Explained {
            permission: key,
            description: &about.description,
            level: effective.level_at(id, None),
            inherited: inherited.level_at(id, None),
            cost_centers: tree
                .iter()
                .filter_map(|(node, value)| {
                    let level = effective.level_at(id, Some(node));
                    let above = effective.level_at(id, tree.parent(node));
                    (level != above).then_some(At { value, level })
                })
                .collect(),
            sources: sources
                .map(|piece| Contribution {
                    source: piece.source,
                    effect: if piece.does == Does::Gives { "gives" } else { "leaves" },
                    level: piece.level,
                    cost_center: piece.place.and_then(|node| ids.get(node.0).copied()),
                    inherited: piece.source.is_inherited(),
                })
                .collect(),
        });
    }
    explained
}

/// Finds the pieces of one permission in a list that is sorted by permission.
fn pieces_of<'p, 'f>(
    pieces: &'p [Piece<'f>],
    order: impl Fn(&Piece<'f>) -> std::cmp::Ordering,
) -> &'p [Piece<'f>] {
    let from = pieces.partition_point(|piece| order(piece).is_lt());
    let to = pieces.partition_point(|piece| order(piece).is_le());
    pieces.get(from..to).unwrap_or_default()
}
