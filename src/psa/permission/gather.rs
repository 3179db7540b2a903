//! What each source contributes, in the order in which sources are asked. Evaluation folds this list, explanation shows it: they cannot
//! tell different things.

use serde::Serialize;

use super::facts::{Effect, Facts, Grant, HeldGroup, HeldType};
use super::tree::{CostCenters, NodeId};
use crate::ids::ResourceId;
use crate::psa::catalogue::{Catalogue, Level, Levels, NO_CLASS, PermissionId, PersonKind, Reach};

/// Where a right comes from, or what takes it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Source<'f> {
    /// Made an administrator on the command line.
    Administrator,
    /// The class of the licence.
    LicenseClass {
        /// Its name; `none` for those who have none.
        name: &'f str,
    },
    /// A user type.
    UserType {
        /// Which one.
        value: ResourceId,
        /// Its `displayName`.
        display: &'f str,
        /// The role or access level through which it gives this.
        #[serde(skip_serializing_if = "Option::is_none")]
        bundle: Option<&'f str>,
    },
    /// A mapped group.
    Group {
        /// Which one.
        value: ResourceId,
        /// Its `displayName`.
        display: &'f str,
        /// The user type that it gives.
        #[serde(rename = "userType", skip_serializing_if = "Option::is_none")]
        user_type: Option<&'f str>,
    },
    /// An exception for this person.
    Override,
    /// The kind of person.
    Kind {
        /// Which kind.
        name: PersonKind,
    },
    /// The person does not see money.
    FinancialVisibility,
}

impl Source<'_> {
    /// Tells whether it is not the person's own, and so cannot be taken away from this person alone (row A05).
    pub const fn is_inherited(self) -> bool {
        !matches!(self, Self::Override)
    }
}

/// What is done with a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// At least this level.
    Gives,
    /// At most this level, whatever gives more.
    Leaves,
}

/// One contribution to one permission.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'f> {
    pub(super) permission: PermissionId,
    pub(super) does: Does,
    pub(super) level: Level,
    pub(super) place: Option<NodeId>,
    pub(super) source: Source<'f>,
}

/// Collects pieces of one person.
pub(super) struct Gather<'f> {
    catalogue: &'f Catalogue,
    tree: &'f CostCenters,
    pieces: Vec<Piece<'f>>,
}

/// Lists what each source contributes.
pub(super) fn gather<'f>(
    catalogue: &'f Catalogue,
    tree: &'f CostCenters,
    facts: &'f Facts,
) -> Vec<Piece<'f>> {
    let mut gather = Gather { catalogue, tree, pieces: Vec::new() };
    gather.class(facts);
    for held in &facts.user_types {
        gather.user_type(held, None);
    }
    for group in &facts.groups {
        gather.group(group);
    }
    gather.overrides(facts);
    gather.bounds(facts);
    gather.pieces
}

impl<'f> Gather<'f> {
    fn class(&mut self, facts: &'f Facts) {
        if facts.administrator {
            for (permission, _, _) in self.catalogue.iter() {
                self.add(permission, Does::Gives, Level::All, None, Source::Administrator);
            }
        }
        let name = class_of(self.catalogue, facts);
        if let Some(class) = self.catalogue.classes.get(name).filter(|class| !class.off) {
            self.levels(&class.grants, None, Source::LicenseClass { name });
        }
    }

    fn user_type(&mut self, held: &'f HeldType, group: Option<&'f HeldGroup>) {
        let Some(place) = self.place(held.cost_center) else { return };
        let source = |bundle| match group {
            Some(group) => {
                Source::Group { value: group.id, display: &group.name, user_type: Some(&held.name) }
            }
            None => Source::UserType { value: held.id, display: &held.name, bundle },
        };
        for bundle in [&held.role, &held.access_level].into_iter().flatten() {
            self.bundle(bundle, place, source(Some(bundle)));
        }
        self.grants(&held.grants, place, source(None));
    }

    fn group(&mut self, group: &'f HeldGroup) {
        let source = Source::Group { value: group.id, display: &group.name, user_type: None };
        if let Some(bundle) = &group.bundle {
            self.bundle(bundle, None, source);
        }
        self.grants(&group.grants, None, source);
        for held in &group.user_types {
            self.user_type(held, Some(group));
        }
    }

    fn overrides(&mut self, facts: &'f Facts) {
        for exception in &facts.overrides {
            let Some(permission) = self.catalogue.find(&exception.permission) else { continue };
            let Some(place) = self.place(exception.cost_center) else { continue };
            match exception.effect {
                Effect::Grant => {
                    let level = exception.level.unwrap_or(Level::All);
                    self.add(permission, Does::Gives, level, place, Source::Override);
                }
                Effect::Deny if !facts.administrator => {
                    let left = exception.level.unwrap_or(Level::Own).below();
                    self.add(permission, Does::Leaves, left, place, Source::Override);
                }
                Effect::Deny => {}
            }
        }
    }

    /// What everything together may give at most.
    fn bounds(&mut self, facts: &'f Facts) {
        let name = class_of(self.catalogue, facts);
        let class = self.catalogue.classes.get(name);
        let kind = self.catalogue.kinds.get(&facts.kind);
        for (permission, key, about) in self.catalogue.iter() {
            let mut leave = |level: Option<Level>, source| {
                if let Some(level) = level.filter(|level| *level < Level::All) {
                    self.pieces.push(Piece { permission, does: Does::Leaves, level, place: None, source });
                }
            };
            leave(kind.and_then(|most| most.of(key)), Source::Kind { name: facts.kind });
            leave((about.money && facts.hours_only).then_some(Level::None), Source::FinancialVisibility);
            if !facts.administrator {
                let closed = !about.classes.is_empty() && !about.classes.iter().any(|open| open == name);
                let closed = closed || class.is_some_and(|class| class.off);
                let cap = if closed { Some(Level::None) } else { class.and_then(|class| class.caps.of(key)) };
                leave(cap, Source::LicenseClass { name });
            }
        }
    }

    fn bundle(&mut self, name: &str, place: Option<NodeId>, source: Source<'f>) {
        if let Some(bundle) = self.catalogue.bundles.get(name).filter(|bundle| !bundle.off) {
            self.levels(&bundle.grants, place, source);
        }
    }

    fn levels(&mut self, levels: &Levels, place: Option<NodeId>, source: Source<'f>) {
        for (permission, key, _) in self.catalogue.iter() {
            if let Some(level) = levels.of(key) {
                self.add(permission, Does::Gives, level, place, source);
            }
        }
    }

    fn grants(&mut self, grants: &'f [Grant], within: Option<NodeId>, source: Source<'f>) {
        for grant in grants {
            let Some(permission) = self.catalogue.find(&grant.permission) else { continue };
            let Some(place) = self.place(grant.cost_center) else { continue };
            // A user type limited to one place does not give what it gives at another.
            let Some(place) = self.tree.both(within, place) else { continue };
            self.add(permission, Does::Gives, grant.level, place, source);
        }
    }

    /// Finds a place; none when there is no such cost centre: what is limited to a place that is not there holds nowhere.
    fn place(&self, cost_center: Option<ResourceId>) -> Option<Option<NodeId>> {
        match cost_center {
            None => Some(None),
            Some(id) => self.tree.find(id).map(Some),
        }
    }

    fn add(
        &mut self,
        permission: PermissionId,
        does: Does,
        level: Level,
        place: Option<NodeId>,
        source: Source<'f>,
    ) {
        let is_global = self.catalogue.get(permission).is_some_and(|about| about.reach == Reach::Global);
        // What is for the whole firm is not had at one place; and what is taken there is taken whole.
        let place = match does {
            Does::Gives if is_global && place.is_some() => return,
            Does::Leaves if is_global => None,
            _ => place,
        };
        if does == Does::Gives && level == Level::None {
            return;
        }
        self.pieces.push(Piece { permission, does, level, place, source });
    }
}

/// Returns the class that bounds a person.
fn class_of<'f>(catalogue: &Catalogue, facts: &'f Facts) -> &'f str {
    let primary = || {
        let primary = facts.user_types.iter().find(|held| held.primary)?;
        primary.license_class.as_deref()
    };
    let named = facts.class.as_deref().or_else(primary);
    named.filter(|name| catalogue.classes.contains_key(*name)).unwrap_or(NO_CLASS)
}
