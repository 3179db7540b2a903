//! What somebody may do, compiled: a question is two look-ups.
//!
//! For each permission one level for what belongs to no cost centre, and where it differs, the steps at which the level changes when one
//! walks through the cost centres in the order of their numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::facts::Facts;
use super::gather::{Does, Piece, gather};
use super::permit::{Asked, Permit};
use super::tree::{CostCenters, NodeId, Place};
use crate::ids::ResourceId;
use crate::psa::catalogue::{Catalogue, Level, Permission, PermissionId};

/// The permission that makes an administrator.
pub const ADMINISTERS: &str = "users.update";

/// What one person may do. Cheap to ask, and to keep: a few hundred bytes.
#[derive(Debug, Clone)]
pub struct Effective {
    catalogue: Arc<Catalogue>,
    tree: Arc<CostCenters>,
    rows: Box<[Row]>,
}

/// One permission of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Row {
    /// For what belongs to no cost centre.
    whole: Level,
    /// From which number of a cost centre on another level holds; empty when `whole` holds at all of them.
    steps: Box<[(usize, Level)]>,
}

/// What a person has to do with a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It is the person's own.
    Own,
    /// The person is assigned to it.
    Assigned,
    /// Nothing.
    Other,
}

impl Relation {
    /// Returns the level that a permission must have for such a thing.
    pub const fn needs(self) -> Level {
        match self {
            Self::Own => Level::Own,
            Self::Assigned => Level::Assigned,
            Self::Other => Level::All,
        }
    }
}

/// How much of a cost centre and what lies below it a permission covers (row P17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// It and everything below it.
    All,
    /// A part of it.
    Some,
    /// Nothing.
    None,
}

impl Effective {
    /// Computes what somebody may do.
    pub fn of(catalogue: &Arc<Catalogue>, tree: &Arc<CostCenters>, facts: &Facts) -> Self {
        let mut sums: Vec<Sum> = vec![Sum::default(); catalogue.len()];
        for piece in gather(catalogue, tree, facts) {
            if let Some(sum) = sums.get_mut(piece.permission.0) {
                sum.add(&piece, tree);
            }
        }
        let rows = sums.into_iter().map(|sum| sum.row(tree.len())).collect();
        Self { catalogue: Arc::clone(catalogue), tree: Arc::clone(tree), rows }
    }

    /// Returns the same with some of the permissions alone.
    #[must_use]
    pub fn only(&self, keeps: impl Fn(&str, &Permission) -> bool) -> Self {
        let rows = self.catalogue.iter().zip(&self.rows);
        let rows = rows.map(
            |((_, key, permission), row)| if keeps(key, permission) { row.clone() } else { Row::default() },
        );
        Self { catalogue: Arc::clone(&self.catalogue), tree: Arc::clone(&self.tree), rows: rows.collect() }
    }

    /// Returns the level of a permission for a thing of a cost centre, or of none. What is not known is not allowed: a permission
    /// that the catalogue does not have is at none, and a cost centre that the tree does not have has only what holds at all of them.
    pub fn level(&self, permission: &str, cost_center: Option<ResourceId>) -> Level {
        let Some(row) = self.row_of(permission) else { return Level::None };
        match cost_center {
            None => row.whole,
            Some(id) => match self.tree.find(id) {
                Some(node) => row.at(node),
                None => row.least(),
            },
        }
    }

    /// Returns the level at a place that was looked up before, for those who ask often.
    pub fn level_at(&self, permission: PermissionId, node: Option<NodeId>) -> Level {
        let Some(row) = self.rows.get(permission.0) else { return Level::None };
        node.map_or(row.whole, |node| row.at(node))
    }

    /// Answers whether a thing may be touched to which the person stands in a relation.
    pub fn allows(&self, permission: &str, relation: Relation, cost_center: Option<ResourceId>) -> bool {
        self.level(permission, cost_center) >= relation.needs()
    }

    /// Returns the level that holds everywhere, at every cost centre and beside them.
    pub fn everywhere(&self, permission: &str) -> Level {
        self.row_of(permission).map_or(Level::None, Row::least)
    }

    /// Returns the highest level that holds anywhere.
    pub fn anywhere(&self, permission: &str) -> Level {
        self.row_of(permission)
            .map_or(Level::None, |row| row.steps.iter().map(|(_, level)| *level).fold(row.whole, Level::max))
    }

    /// Tells whether the person is an administrator: may change everybody.
    pub fn is_administrator(&self) -> bool {
        self.everywhere(ADMINISTERS) == Level::All
    }

    /// Marks each cost centre: how much of it and what lies below it has the permission at that level. In the order of the tree.
    pub fn marks(&self, permission: &str, level: Level) -> Vec<(ResourceId, Mark)> {
        let Some(row) = self.row_of(permission) else { return Vec::new() };
        // How many of the first n cost centres have it.
        let mut counted = Vec::with_capacity(self.tree.len().saturating_add(1));
        let mut sum = 0_usize;
        counted.push(sum);
        for (node, _) in self.tree.iter() {
            sum = sum.saturating_add(usize::from(row.at(node) >= level));
            counted.push(sum);
        }
        let upto = |n: usize| counted.get(n).copied().unwrap_or_default();
        let mark = |node| {
            let range = self.tree.range(node);
            match upto(range.end).saturating_sub(upto(range.start)) {
                0 => Mark::None,
                some if some == range.len() => Mark::All,
                _ => Mark::Some,
            }
        };
        self.tree.iter().map(|(node, id)| (id, mark(node))).collect()
    }

    /// Lists the permissions that hold somewhere, with the level beside all cost centres and the highest anywhere. For reports (row P19).
    pub fn iter(&self) -> impl Iterator<Item = (&str, Level, Level)> {
        self.catalogue
            .iter()
            .map(|(id, key, _)| (key, self.level_at(id, None), self.anywhere(key)))
            .filter(|(_, _, highest)| *highest > Level::None)
    }

    /// Finds a permission that these rights have and others have not: at some place a higher level than both of the others have there. All
    /// are to be of one catalogue and one tree.
    pub fn beyond(&self, one: &Self, other: &Self) -> Option<&str> {
        let places = || std::iter::once(None).chain(self.tree.iter().map(|(node, _)| Some(node)));
        let mut keys = self.catalogue.iter().map(|(id, key, _)| (id, key));
        let found = keys.find(|(id, _)| {
            let level = |of: &Self, place| of.level_at(*id, place);
            places().any(|place| level(self, place) > level(one, place).max(level(other, place)))
        });
        found.map(|(_, key)| key)
    }

    /// Gives the right that a handler demands, if the person has it at a cost centre (or beside them) at that level.
    pub fn permit<P: Asked>(&self, level: Level, cost_center: Option<ResourceId>) -> Option<Permit<P>> {
        let held = self.level(P::KEY, cost_center);
        (held >= level && held > Level::None).then(|| Permit::at(held))
    }

    /// Gives the right that a handler demands of those who have it everywhere.
    pub fn permit_everywhere<P: Asked>(&self) -> Option<Permit<P>> {
        (self.everywhere(P::KEY) == Level::All).then(|| Permit::at(Level::All))
    }

    /// Returns the catalogue that was asked.
    pub const fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// Returns the tree that was asked.
    pub const fn tree(&self) -> &Arc<CostCenters> {
        &self.tree
    }

    fn row_of(&self, permission: &str) -> Option<&Row> {
        self.rows.get(self.catalogue.find(permission)?.0)
    }
}

impl Row {
    fn at(&self, node: NodeId) -> Level {
        let after = self.steps.partition_point(|(from, _)| *from <= node.0);
        let step = after.checked_sub(1).and_then(|last| self.steps.get(last));
        step.map_or(self.whole, |(_, level)| *level)
    }

    fn least(&self) -> Level {
        self.steps.iter().map(|(_, level)| *level).fold(self.whole, Level::min)
    }
}

/// How many sources give or leave each level, at one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    gives: [usize; 4],
    leaves: [usize; 4],
}

impl Tally {
    fn count(&mut self, does: Does, level: Level, by: isize) {
        let counts = match does {
            Does::Gives => &mut self.gives,
            Does::Leaves => &mut self.leaves,
        };
        if let Some(count) = counts.get_mut(level as usize) {
            *count = count.saturating_add_signed(by);
        }
    }

    /// The highest that is given, and no more than the least that is left.
    fn level(&self) -> Level {
        let is_there = |(count, level): (&usize, Level)| (*count > 0).then_some(level);
        let given = self.gives.iter().zip(Level::EACH).filter_map(is_there).next_back();
        let left = self.leaves.iter().zip(Level::EACH).find_map(is_there);
        given.unwrap_or_default().min(left.unwrap_or(Level::All))
    }
}

/// All contributions to one permission.
#[derive(Debug, Clone, Default)]
struct Sum {
    whole: Tally,
    /// What begins (+1) and ends (-1) at a number of a cost centre.
    changes: BTreeMap<usize, Vec<(Does, Level, isize)>>,
}

impl Sum {
    fn add(&mut self, piece: &Piece<'_>, tree: &CostCenters) {
        match piece.place {
            Place::Everywhere => self.whole.count(piece.does, piece.level, 1),
            Place::At(node) => {
                let range = tree.range(node);
                self.changes.entry(range.start).or_default().push((piece.does, piece.level, 1));
                self.changes.entry(range.end).or_default().push((piece.does, piece.level, -1));
            }
        }
    }

    fn row(self, nodes: usize) -> Row {
        let whole = self.whole.level();
        let mut tally = self.whole;
        let mut steps: Vec<(usize, Level)> = Vec::new();
        for (from, changes) in self.changes {
            for (does, level, by) in changes {
                tally.count(does, level, by);
            }
            let level = tally.level();
            let before = steps.last().map_or(whole, |(_, level)| *level);
            if from < nodes && level != before {
                steps.push((from, level));
            }
        }
        Row { whole, steps: steps.into() }
    }
}
