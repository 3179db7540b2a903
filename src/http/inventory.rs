//! Which route a path belongs to: the bounded set of names under which requests are logged, counted and measured.
//!
//! Built once from the router's own list of templates (`/scim/v2/Users/{id}`), so that a log line or a metric never
//! shows a path with an id in it (R34, X62), and asked before routing, so that a request that no handler sees has a name as well.

use std::sync::Arc;

/// A route's place in the [`Inventory`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteId(u16);

impl RouteId {
    /// The name of every path that is not in the inventory.
    pub const UNMATCHED: Self = Self(0);

    /// Returns the number, below [`Inventory::len`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// All routes of all listeners. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Inventory(Arc<Tree>);

#[derive(Debug)]
struct Tree {
    templates: Vec<&'static str>,
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    literals: Vec<(&'static str, usize)>,
    capture: Option<usize>,
    rest: Option<RouteId>,
    leaf: Option<RouteId>,
}

impl Inventory {
    /// Reads templates as the router writes them: `{name}` is one segment, `{*name}` everything after.
    /// More than 65,535 of them, or the same twice, keep the first.
    pub fn new(templates: &[&'static str]) -> Self {
        let mut tree = Tree { templates: vec!["unmatched"], nodes: vec![Node::default()] };
        for template in templates {
            if let Ok(number) = u16::try_from(tree.templates.len()) {
                tree.templates.push(template);
                tree.insert(template, RouteId(number));
            }
        }
        Self(Arc::new(tree))
    }

    /// Finds the route of a path; a literal segment wins over a captured one.
    pub fn find(&self, path: &str) -> RouteId {
        let Some(path) = path.strip_prefix('/') else { return RouteId::UNMATCHED };
        self.0.find(0, Some(path)).unwrap_or(RouteId::UNMATCHED)
    }

    /// Returns the template of a route.
    pub fn template(&self, route: RouteId) -> &'static str {
        self.0.templates.get(route.index()).copied().unwrap_or("unmatched")
    }

    /// Lists the templates in the order they were given, `unmatched` first.
    pub fn templates(&self) -> &[&'static str] {
        &self.0.templates
    }

    /// Returns how many names there are, `unmatched` included.
    pub fn len(&self) -> usize {
        self.0.templates.len()
    }

    /// Tells that there is always at least one name.
    pub fn is_empty(&self) -> bool {
        false
    }
}

impl Tree {
    fn insert(&mut self, template: &'static str, route: RouteId) {
        let mut at = 0;
        for segment in template.strip_prefix('/').unwrap_or(template).split('/') {
            let fresh = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { return };
            if segment.starts_with("{*") {
                node.rest.get_or_insert(route);
                return;
            }
            let known = if segment.starts_with('{') {
                Some(*node.capture.get_or_insert(fresh))
            } else {
                node.literals.iter().find(|(name, _)| *name == segment).map(|(_, next)| *next)
            };
            at = known.unwrap_or_else(|| {
                node.literals.push((segment, fresh));
                fresh
            });
            if at == fresh {
                self.nodes.push(Node::default());
            }
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.leaf.get_or_insert(route);
        }
    }

    /// Walks down one segment; depth is bounded by the longest template, because no node has deeper children.
    fn find(&self, at: usize, path: Option<&str>) -> Option<RouteId> {
        let node = self.nodes.get(at)?;
        let Some(path) = path else { return node.leaf };
        let (segment, rest) = match path.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (path, None),
        };
        let literal = node.literals.iter().find(|(name, _)| *name == segment);
        literal
            .and_then(|(_, next)| self.find(*next, rest))
            .or_else(|| node.capture.filter(|_| !segment.is_empty()).and_then(|next| self.find(next, rest)))
            .or(node.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r34_a_path_has_the_name_of_its_route_and_never_its_own() {
        let routes = Inventory::new(&[
            "/livez",
            "/scim/v2/Users",
            "/scim/v2/Users/{id}",
            "/scim/v2/Users/.search",
            "/ui/{*rest}",
        ]);
        for (path, template) in [
            ("/livez", "/livez"),
            ("/scim/v2/Users", "/scim/v2/Users"),
            ("/scim/v2/Users/0192", "/scim/v2/Users/{id}"),
            ("/scim/v2/Users/.search", "/scim/v2/Users/.search"),
            ("/ui/a/b/c", "/ui/{*rest}"),
            ("/scim/v2/Users/", "unmatched"),
            ("/scim/v2/Users/1/2", "unmatched"),
            ("/", "unmatched"),
            ("", "unmatched"),
            ("*", "unmatched"),
        ] {
            assert_eq!(routes.template(routes.find(path)), template, "{path}");
        }
    }
}
