//! `[tenants.NAME.TOPIC]`: what one tenant has otherwise.
//!
//! The same topics and the same keys as for everybody, laid over what holds for everybody: a key that is left out means that. Only
//! topics of policy can be otherwise; listeners and files are the installation's. A name that no tenant has is no
//! mistake, because tenants are made while the daemon runs: whoever knows the tenants warns of it.

use std::collections::{BTreeMap, BTreeSet};

use figment::value::Dict;
use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::known::{meant, shown};
use super::layer::{Entry, Layer, TENANTS, tenant_key};
use super::load::{key_of, laid_over, place_of, take_out, what_of};
use super::problem::Problem;
use super::{Groups, People, Permissions, Sessions, SignIn, permissions};

/// The topics that a tenant can have otherwise.
pub const TENANT_TOPICS: &[&str] = &["groups", "people", "permissions", "sessions", "sign_in"];
/// Longest name of a tenant.
const NAME_CHARACTERS_MAX: usize = 63;

/// What holds for one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// What becomes of people.
    pub people: People,
    /// The rights that there are.
    pub permissions: Permissions,
    /// What groups give.
    pub groups: Groups,
    /// Signing in by the firm's own means.
    pub sign_in: SignIn,
    /// How long its people stay signed in.
    pub sessions: Sessions,
}

impl Tenant {
    pub(super) fn check(&self, name: &str, found: &mut Findings) {
        let above = format!("{TENANTS}.{name}.");
        self.people.check(&above, found);
        self.sign_in.check(&above, found);
        self.permissions.check(&above, found);
        self.groups.check(&above, &self.permissions, found);
        self.sessions.check(&above, found);
    }
}

/// Says what is wrong with the name of a setting of one tenant, if anything is.
pub(super) fn unknown(entry: &Entry, known: &Layer) -> Option<Problem> {
    let wrong = |what: String, remedy: String| {
        let key = Some(shown(&entry.path));
        Some(Problem { place: entry.place.clone(), key, what, remedy: Some(remedy) })
    };
    let is_empty = entry.value.as_dict().is_some_and(Dict::is_empty);
    let Some((name, key)) = tenant_key(&entry.path) else {
        let example = format!("write [{TENANTS}.NAME.people] with its keys below");
        return if is_empty {
            None
        } else {
            wrong("expected a tenant's name and a topic".to_owned(), example)
        };
    };
    if !is_name(name) {
        return wrong(
            "no tenant can have this name".to_owned(),
            format!("expected 1 to {NAME_CHARACTERS_MAX} lower-case letters, digits and inner hyphens"),
        );
    }
    let topic = key.split('.').next().unwrap_or(key);
    if !TENANT_TOPICS.contains(&topic) {
        let topics = TENANT_TOPICS.join(", ");
        return wrong("a tenant cannot have this otherwise".to_owned(), format!("expected one of: {topics}"));
    }
    if known.find(key).is_some() || (key == topic && is_empty) {
        return None;
    }
    let remedy = match meant(key, known) {
        Some(meant) => format!("did you mean {TENANTS}.{name}.{meant}?"),
        None => "`rosterd config reference` lists the keys".to_owned(),
    };
    wrong("unknown key".to_owned(), remedy)
}

fn is_name(name: &str) -> bool {
    name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !name.starts_with('-')
        && !name.ends_with('-')
        && (1..=NAME_CHARACTERS_MAX).contains(&name.len())
}

/// Gives every tenant's values their types. What is wrong for everybody was said already, and is replaced by its default here.
pub(super) fn type_values(layers: &[Layer], problems: &mut Vec<Problem>) -> BTreeMap<String, Tenant> {
    let names: BTreeSet<&str> = layers.iter().flat_map(Layer::tenants).collect();
    let typed = names.into_iter().map(|name| Some((name.to_owned(), type_tenant(name, layers, problems)?)));
    typed.flatten().collect()
}

fn type_tenant(name: &str, layers: &[Layer], problems: &mut Vec<Problem>) -> Option<Tenant> {
    let own: Vec<Layer> = layers.iter().map(|layer| layer.of_tenant(name)).collect();
    let mut above: Vec<Layer> = layers.iter().chain(&own).cloned().collect();
    let beneath = permissions::beneath(above.iter()).map_err(|problem| problems.push(problem)).ok()?;
    loop {
        let error = match laid_over(&above, &beneath).extract::<Tenant>() {
            Ok(tenant) => return Some(tenant),
            Err(error) => error,
        };
        let key = key_of(&error);
        if own.iter().any(|layer| layer.find(&key).is_some()) {
            problems.push(Problem {
                place: place_of(&key, &own),
                key: Some(format!("{TENANTS}.{name}.{key}")),
                what: what_of(&error),
                remedy: None,
            });
        }
        if !take_out(&mut above, &key) {
            return None;
        }
    }
}
