//! Acting for somebody (P07): in what, and until when.
//!
//! What is handed over is never more than the other may do, and of that nothing about money, nothing that gives power over others' rights, and nothing of rosterd's own
//! administration. Knows neither who is let in nor what the other may do.

use serde_json::{Map, Value};

use super::calendar::Day;
use super::catalogue::{OWN, Permission};

/// What somebody may do for another on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mandate {
    /// The last day; `None` for ever.
    pub until: Option<Day>,
    /// Keys of permissions, or beginnings of keys with a star behind. A period that names none is for everything that can be handed over.
    permissions: Vec<String>,
}

impl Mandate {
    /// Finds it among the attributes of whoever is acted for. Periods that overlap count together.
    pub fn on(attributes: &Map<String, Value>, proxy: &str, today: Day) -> Option<Self> {
        let all = attributes.get("proxies").and_then(Value::as_array).into_iter().flatten();
        let theirs = all.filter(|one| one.get("value").and_then(Value::as_str) == Some(proxy));
        theirs.filter_map(|one| Self::of(one, today)).reduce(|mut one, other| {
            one.until = one.until.zip(other.until).map(|(one, other)| one.max(other));
            one.permissions.extend(other.permissions);
            one
        })
    }

    /// Reads a period, if it holds on a day. One whose days cannot be read holds on none.
    fn of(period: &Value, today: Day) -> Option<Self> {
        let day = |name: &str| match period.get(name).and_then(Value::as_str) {
            Some(text) => Day::parse(text).map(Some),
            None => Ok(None),
        };
        let (from, until) = (day("from").ok()?, day("until").ok()?);
        if from.is_some_and(|from| today < from) || until.is_some_and(|until| until < today) {
            return None;
        }
        let named = period.get("permissions").and_then(Value::as_array).into_iter().flatten();
        let mut permissions: Vec<String> = named.filter_map(Value::as_str).map(str::to_owned).collect();
        if permissions.is_empty() {
            permissions.push("*".to_owned());
        }
        Some(Self { until, permissions })
    }

    /// Tells whether a permission is handed over.
    pub fn covers(&self, key: &str, permission: &Permission) -> bool {
        let is_named = self.permissions.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => key.starts_with(prefix),
            None => key == pattern,
        });
        is_named && can_be_handed_over(key, permission)
    }
}

/// Tells whether anybody may ever do it for somebody else.
fn can_be_handed_over(key: &str, permission: &Permission) -> bool {
    let is_own = OWN.iter().any(|(own, ..)| *own == key);
    !is_own && !permission.money && permission.privileged.is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::catalogue::{Level, Reach};
    use super::*;

    fn mandate(periods: Value, day: &str) -> Option<Mandate> {
        let attributes = json!({ "proxies": periods });
        Mandate::on(attributes.as_object().unwrap(), "bob", Day::parse(day).unwrap())
    }

    fn permission(money: bool, privileged: Option<Level>) -> Permission {
        Permission { reach: Reach::Global, description: String::new(), money, privileged, classes: vec![] }
    }

    #[test]
    fn p07_a_period_holds_from_its_first_day_to_its_last() {
        let march = json!([{ "value": "bob", "from": "2026-03-01", "until": "2026-03-31" }]);
        for (day, holds) in
            [("2026-02-28", false), ("2026-03-01", true), ("2026-03-31", true), ("2026-04-01", false)]
        {
            assert_eq!(mandate(march.clone(), day).is_some(), holds, "{day}");
        }
        assert!(mandate(json!([{ "value": "bob" }]), "2026-03-01").is_some());
        for wrong in [
            json!([{ "value": "eve" }]),
            json!([{ "value": "bob", "from": "soon" }]),
            json!([{ "value": "bob", "until": "2026-13-01" }]),
            json!([{ "from": "2026-03-01" }]),
            json!("bob"),
            json!(null),
        ] {
            assert_eq!(mandate(wrong.clone(), "2026-03-01"), None, "{wrong}");
        }
        let two = json!([{ "value": "bob", "until": "2026-03-02", "permissions": ["hours.approve"] }, { "value": "bob", "until": "2026-03-09", "permissions": ["time.*"] }]);
        let both = mandate(two, "2026-03-01").unwrap();
        assert_eq!(both.until, Some(Day::parse("2026-03-09").unwrap()));
        assert!(["hours.approve", "time.book"].iter().all(|key| both.covers(key, &permission(false, None))));
    }

    #[test]
    fn p07_money_others_rights_and_administration_are_never_handed_over() {
        let plain = permission(false, None);
        for everything in [json!([{ "value": "bob" }]), json!([{ "value": "bob", "permissions": ["*"] }])] {
            let all = mandate(everything, "2026-03-01").unwrap();
            assert!(all.covers("hours.approve", &plain));
            assert!(!all.covers("hours.approve", &permission(true, None)), "money");
            assert!(!all.covers("hours.approve", &permission(false, Some(Level::All))), "power");
        }
        let own: Vec<&str> = OWN.iter().map(|(key, ..)| *key).collect();
        let named = mandate(json!([{ "value": "bob", "permissions": own.clone() }]), "2026-03-01").unwrap();
        assert!(own.iter().all(|key| !named.covers(key, &plain)), "administration");
        let some =
            mandate(json!([{ "value": "bob", "permissions": ["hours.*", "tasks.view"] }]), "2026-03-01")
                .unwrap();
        let covered =
            ["hours.approve", "tasks.view", "tasks.update", "hoursx"].map(|key| some.covers(key, &plain));
        assert_eq!(covered, [true, true, false, false]);
    }
}
