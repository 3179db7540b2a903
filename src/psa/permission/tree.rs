//! The cost centres of a tenant, numbered so that "lies below" is a comparison of numbers.
//!
//! Numbers are given depth first, so that a node and all below it are one range. A circle cannot be made by those who use rosterd; should
//! one be there all the same, it is cut before its smallest id, and nothing hangs. A parent that does not exist is no parent.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::ids::ResourceId;

/// A cost centre's number in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) usize);

/// All cost centres of a tenant.
#[derive(Debug, Clone, Default)]
pub struct CostCenters {
    numbers: HashMap<ResourceId, NodeId>,
    /// By number.
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    id: ResourceId,
    parent: Option<NodeId>,
    /// The number after the last one below.
    end: usize,
}

impl CostCenters {
    /// Builds the tree from each cost centre with its parent.
    pub fn new(all: impl IntoIterator<Item = (ResourceId, Option<ResourceId>)>) -> Self {
        let parents: BTreeMap<ResourceId, Option<ResourceId>> = all.into_iter().collect();
        let parent_of = |id: ResourceId| {
            parents.get(&id).copied().flatten().filter(|parent| parents.contains_key(parent))
        };
        let mut children: HashMap<ResourceId, Vec<ResourceId>> = HashMap::new();
        for id in parents.keys() {
            if let Some(parent) = parent_of(*id) {
                children.entry(parent).or_default().push(*id);
            }
        }
        let mut tree = Self::default();
        for root in parents.keys().filter(|id| parent_of(**id).is_none()) {
            tree.add(*root, &children);
        }
        // Whoever is not reached from a root hangs on a circle.
        for id in parents.keys() {
            if !tree.numbers.contains_key(id) {
                tree.add(cut(*id, parent_of), &children);
            }
        }
        tree
    }

    /// Numbers a node and all below it that have no number yet.
    fn add(&mut self, root: ResourceId, children: &HashMap<ResourceId, Vec<ResourceId>>) {
        /// What is left to do: begin a node, or end it.
        enum Step {
            Begin(ResourceId, Option<NodeId>),
            End(NodeId),
        }
        let mut steps = vec![Step::Begin(root, None)];
        while let Some(step) = steps.pop() {
            match step {
                Step::Begin(id, _) if self.numbers.contains_key(&id) => {}
                Step::Begin(id, parent) => {
                    let number = NodeId(self.nodes.len());
                    self.numbers.insert(id, number);
                    self.nodes.push(Node { id, parent, end: 0 });
                    steps.push(Step::End(number));
                    let below = children.get(&id).into_iter().flatten().rev();
                    steps.extend(below.map(|child| Step::Begin(*child, Some(number))));
                }
                Step::End(number) => {
                    let end = self.nodes.len();
                    if let Some(node) = self.nodes.get_mut(number.0) {
                        node.end = end;
                    }
                }
            }
        }
    }

    /// Finds a cost centre.
    pub fn find(&self, id: ResourceId) -> Option<NodeId> {
        self.numbers.get(&id).copied()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Lists the cost centres, each before those below it.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (NodeId, ResourceId)> {
        self.nodes.iter().enumerate().map(|(number, node)| (NodeId(number), node.id))
    }

    /// Returns the cost centre above.
    pub fn parent(&self, node: NodeId) -> Option<NodeId> {
        self.nodes.get(node.0)?.parent
    }

    /// Returns the numbers of a cost centre and all below it.
    pub(super) fn range(&self, node: NodeId) -> Range<usize> {
        self.nodes.get(node.0).map_or(0..0, |found| node.0..found.end)
    }

    /// Returns the narrower of two places, if one lies in the other. No place is everywhere.
    pub(super) fn both(&self, one: Option<NodeId>, other: Option<NodeId>) -> Option<Option<NodeId>> {
        match (one, other) {
            (place, None) | (None, place) => Some(place),
            (Some(left), Some(right)) if self.range(left).contains(&right.0) => Some(Some(right)),
            (Some(left), Some(right)) if self.range(right).contains(&left.0) => Some(Some(left)),
            _ => None,
        }
    }
}

/// Finds the smallest id of the circle on which a node hangs.
fn cut(from: ResourceId, parent_of: impl Fn(ResourceId) -> Option<ResourceId>) -> ResourceId {
    let mut seen = std::collections::HashSet::new();
    let mut at = from;
    while seen.insert(at) {
        match parent_of(at) {
            Some(parent) => at = parent,
            None => return from,
        }
    }
    // `at` is on the circle: once around.
    let mut smallest = at;
    let mut next = parent_of(at);
    while let Some(here) = next.filter(|here| *here != at) {
        smallest = smallest.min(here);
        next = parent_of(here);
    }
    smallest
}
