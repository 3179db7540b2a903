//! Which keys exist (those of `config/default.toml`), and which one somebody probably meant.

use figment::value::Dict;

use super::layer::{Entry, LISTS, Layer, TENANTS, tenant_key};
use super::problem::{Place, Problem};
use super::text::quoted;
use super::{DEFAULTS, environment, tenants};

/// Most bytes of a key that is repeated whole, and compared with the keys that exist.
const KEY_BYTES_MAX: usize = 100;

/// The layer of defaults: it has every key, and its values tell each key's type.
pub(super) fn defaults() -> Result<Layer, Problem> {
    Layer::of_toml(DEFAULTS, &|_| Place::Default)
}

/// Takes the entries that are no settings out of a layer, and says what is wrong with each.
pub(super) fn take_unknown(layer: &mut Layer, known: &Layer) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut unknown_topics: Vec<String> = Vec::new();
    layer.entries.retain(|entry| {
        if known.find(&entry.path).is_some() {
            return true;
        }
        if entry.path.split('.').next() == Some(TENANTS) {
            let problem = tenants::unknown(entry, known);
            let is_known = problem.is_none() && tenant_key(&entry.path).is_some();
            problems.extend(problem);
            return is_known;
        }
        let topic = entry.path.split('.').next().unwrap_or_default();
        if LISTS.contains(&topic) && matches!(entry.place, Place::File { .. }) {
            return true;
        }
        let is_empty_topic = entry.path == topic && entry.value.as_dict().is_some_and(Dict::is_empty);
        if is_topic(known, topic) && is_empty_topic {
            return false;
        }
        let in_file = matches!(entry.place, Place::File { .. });
        if in_file && !is_topic(known, topic) && entry.path != topic {
            // One line for a misspelt topic, not one for each of its keys.
            if !unknown_topics.iter().any(|seen| seen == topic) {
                unknown_topics.push(topic.to_owned());
                problems.push(unknown_topic(entry, topic, known));
            }
            return false;
        }
        problems.push(unknown_key(entry, known));
        false
    });
    problems
}

fn is_topic(known: &Layer, name: &str) -> bool {
    topics(known).any(|topic| topic == name)
}

fn topics(known: &Layer) -> impl Iterator<Item = &str> {
    known.entries.iter().filter_map(|entry| entry.path.split('.').next()).chain(LISTS.iter().copied())
}

fn unknown_topic(entry: &Entry, topic: &str, known: &Layer) -> Problem {
    let remedy = match nearest(topic, topics(known)) {
        Some(meant) => format!("did you mean [{meant}]?"),
        None => "`rosterd config reference` lists the topics".to_owned(),
    };
    Problem {
        place: entry.place.clone(),
        key: Some(shown(&entry.path)),
        what: format!("there is no topic [{}]", shown(topic)),
        remedy: Some(remedy),
    }
}

fn unknown_key(entry: &Entry, known: &Layer) -> Problem {
    let as_variable = matches!(entry.place, Place::Variable(_));
    let (key, what) = match entry.place {
        Place::Variable(_) => (None, "no setting has this variable".to_owned()),
        _ if is_topic(known, &entry.path) && !LISTS.contains(&entry.path.as_str()) => {
            let what = format!("expected a topic: a line [{}] with its keys below", entry.path);
            return Problem { place: entry.place.clone(), key: Some(entry.path.clone()), what, remedy: None };
        }
        _ => (Some(shown(&entry.path)), "unknown key".to_owned()),
    };
    let remedy = match meant(&entry.path, known) {
        Some(meant) if as_variable => format!("did you mean {}?", variable(meant)),
        Some(meant) => format!("did you mean {meant}?"),
        None => "`rosterd config reference` lists the keys".to_owned(),
    };
    Problem { place: entry.place.clone(), key, what, remedy: Some(remedy) }
}

/// Writes a key that a stranger to us chose: as it is if it looks like one, else quoted and cut (X61).
pub(super) fn shown(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if key.len() <= KEY_BYTES_MAX && key.bytes().all(plain) { key.to_owned() } else { quoted(key) }
}

/// Returns the variable of a key.
pub(super) fn variable(key: &str) -> String {
    format!("{}{}", environment::PREFIX, key.replace('.', "__").to_ascii_uppercase())
}

/// Finds the key that was probably meant: one spelt alike, or the same name under another topic.
pub(super) fn meant<'k>(path: &str, known: &'k Layer) -> Option<&'k str> {
    let keys = || known.entries.iter().map(|entry| entry.path.as_str());
    let last = path.rsplit('.').next().unwrap_or(path);
    let elsewhere = || {
        let mut same = keys().filter(|key| key.rsplit('.').next() == Some(last));
        same.next().filter(|_| same.next().is_none())
    };
    nearest(path, keys()).or_else(elsewhere)
}

/// Returns the candidate that takes fewest changes, if they are few for a word of that length.
fn nearest<'k>(word: &str, candidates: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > KEY_BYTES_MAX {
        return None;
    }
    let bound = (word.chars().count() / 4).clamp(1, 3);
    candidates
        .map(|candidate| (changes_between(word, candidate), candidate))
        .filter(|(changes, _)| *changes <= bound)
        .min_by_key(|(changes, _)| *changes)
        .map(|(_, candidate)| candidate)
}

/// Counts the characters to add, remove or replace to get from one word to the other (Levenshtein), row by row.
fn changes_between(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, left) in one.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index.saturating_add(1);
        let mut next = vec![before];
        for (right, above) in other.chars().zip(row.iter().skip(1)) {
            let replaced = diagonal.saturating_add(usize::from(left != right));
            diagonal = *above;
            before = replaced.min(above.saturating_add(1)).min(before.saturating_add(1));
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted() {
        for (one, other, changes) in [
            ("", "", 0),
            ("", "abc", 3),
            ("listen", "listne", 2),
            ("kitten", "sitting", 3),
            ("abc", "abc", 0),
        ] {
            assert_eq!(changes_between(one, other), changes, "{one} {other}");
            assert_eq!(changes_between(other, one), changes, "{other} {one}");
        }
    }

    #[test]
    fn the_key_meant_is_found_by_spelling_or_under_its_topic() {
        let known = defaults().unwrap();
        assert_eq!(meant("server.listne", &known), Some("server.listen"));
        assert_eq!(meant("head_timeout_ms", &known), Some("server.head_timeout_ms"));
        assert_eq!(meant("store.queue", &known), None);
        assert_eq!(meant("quite.different", &known), None);
    }
}
