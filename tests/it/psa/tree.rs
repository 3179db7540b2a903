//! Cost centres are a tree (P17): parents exist, there is no circle, and none comes to be by two who write at a time.

use serde_json::{Value, json};

use super::{local, make, thing};
use crate::support::bodies::{patch, replace};
use crate::support::{Client, on_every_store};

fn below(name: &str, parent: &str) -> Value {
    let mut body = thing("CostCenter", name);
    body["parent"] = json!({ "value": parent });
    body
}

fn under(parent: &str) -> Value {
    replace("parent", json!({ "value": parent }))
}

fn path(id: &str) -> String {
    format!("/CostCenters/{id}")
}

#[test]
fn p17_a_parent_is_there_and_is_shown_by_name() {
    on_every_store(|app| {
        let admin = local(&app);
        let detail = admin
            .post("/CostCenters", &below("North", "0190b0a0-0000-7000-8000-000000000000"))
            .refused(400, Some("invalidValue"));
        assert!(detail.contains("parent") && detail.contains("/CostCenters"), "{detail}");
        admin.post("/CostCenters", &below("North", "Firm")).refused(400, Some("invalidValue"));
        let firm = make(&admin, "/CostCenters", &thing("CostCenter", "Firm"));
        let north = make(&admin, "/CostCenters", &below("North", &firm));
        let shown = json!({ "value": firm, "$ref": format!("../CostCenters/{firm}"), "display": "Firm" });
        assert_eq!(admin.get(&path(&north)).expect(200).json()["parent"], shown);
        admin.patch(&path(&firm), &replace("displayName", "The firm")).expect(200).json();
        assert_eq!(admin.get(&path(&north)).expect(200).json()["parent"]["display"], "The firm");
        // What is computed may come back as it was read.
        let read = admin.get(&path(&north)).expect(200);
        assert_eq!(admin.put(&path(&north), &read.json()).expect(200).etag(), read.etag());
        for filter in [format!("parent.value eq \"{firm}\""), format!("parent eq \"{firm}\"")] {
            assert_eq!(admin.find("/CostCenters", &filter).expect(200).json()["totalResults"], 1, "{filter}");
        }
        let type_id = make(&admin, "/UserTypes", &thing("UserType", "Boss"));
        admin.post("/CostCenters", &below("South", &type_id)).refused(400, Some("invalidValue"));
    });
}

#[test]
fn p17_no_cost_centre_is_below_itself() {
    on_every_store(|app| {
        let admin = local(&app);
        let firm = make(&admin, "/CostCenters", &thing("CostCenter", "Firm"));
        let north = make(&admin, "/CostCenters", &below("North", &firm));
        let lab = make(&admin, "/CostCenters", &below("Lab", &north));
        for (whom, parent) in [(&firm, &firm), (&firm, &north), (&firm, &lab), (&north, &lab)] {
            let detail = admin.patch(&path(whom), &under(parent)).refused(400, Some("invalidValue"));
            assert!(detail.contains("circle"), "{detail}");
        }
        let mut whole = below("Firm", &lab);
        whole["code"] = "1".into();
        admin.put(&path(&firm), &whole).refused(400, Some("invalidValue"));
        assert_eq!(admin.get(&path(&firm)).expect(200).json().get("code"), None, "nothing was changed");
        // What is no circle goes on.
        admin.patch(&path(&lab), &under(&firm)).expect(200).json();
        admin.patch(&path(&north), &under(&lab)).expect(200).json();
        admin.patch(&path(&lab), &patch(&[json!({ "op": "remove", "path": "parent" })])).expect(200).json();
    });
}

#[test]
fn p17_a_tree_has_a_bottom() {
    on_every_store(|app| {
        let admin = local(&app);
        let mut last = make(&admin, "/CostCenters", &thing("CostCenter", "level 0"));
        for level in 1..=32 {
            last = make(&admin, "/CostCenters", &below(&format!("level {level}"), &last));
        }
        let detail = admin.post("/CostCenters", &below("level 33", &last)).refused(400, Some("invalidValue"));
        assert!(detail.contains("32"), "{detail}");
    });
}

#[test]
fn p17_two_who_write_at_a_time_make_no_circle() {
    on_every_store(|app| {
        let admin = local(&app);
        for round in 0..20 {
            let make_one =
                |name: &str| make(&admin, "/CostCenters", &thing("CostCenter", &format!("{name} {round}")));
            let (left, right) = (make_one("left"), make_one("right"));
            let (one, other) = (Client::clone(&admin), Client::clone(&admin));
            let statuses = std::thread::scope(|scope| {
                let first = scope.spawn(|| one.patch(&path(&left), &under(&right)).status);
                let second = scope.spawn(|| other.patch(&path(&right), &under(&left)).status);
                [first.join().unwrap(), second.join().unwrap()]
            });
            let mut sorted = statuses;
            sorted.sort_unstable();
            assert_eq!(sorted, [200, 400], "round {round}: exactly one of them has its way");
        }
    });
}
