//! Who names what is looked up and not searched for (S70): a filter on a link reads those whom it means, and nobody else.

use std::sync::Arc;

use serde_json::json;

use super::{EXT, hire, local, make, thing};
use crate::support::{Counting, TestApp};

#[test]
fn s70_a_filter_on_a_link_reads_those_whom_it_means() {
    let store = Arc::new(Counting::default());
    let app = TestApp::around(Arc::clone(&store) as Arc<dyn rosterd::store::Store>);
    let admin = local(&app);
    let acme = make(&admin, "/Companies", &thing("Company", "Acme"));
    let boss = make(&admin, "/UserTypes", &thing("UserType", "Boss"));
    let pool = make(&admin, "/LicensePools", &thing("LicensePool", "Pro"));
    let full = make(&admin, "/EmploymentTemplates", &thing("EmploymentTemplate", "Full"));
    let north = make(&admin, "/CostCenters", &thing("CostCenter", "North"));
    let mut lab = thing("CostCenter", "Lab");
    lab["parent"] = json!({ "value": north });
    make(&admin, "/CostCenters", &lab);
    hire(
        &admin,
        "ada",
        json!({ "company": { "value": acme }, "license": { "value": pool }, "userTypes": [{ "value": boss, "costCenter": north }], "employments": [{ "startDate": "2026-01-01", "template": full }] }),
    );
    for number in 0..200 {
        hire(&admin, &format!("user-{number}"), json!({}));
        make(&admin, "/CostCenters", &thing("CostCenter", &format!("centre {number}")));
    }
    let people = |path: &str| ("/Users", format!("{EXT}:{path}"));
    for (endpoint, filter) in [
        people(&format!("company.value eq \"{acme}\"")),
        people(&format!("company eq \"{acme}\"")),
        people(&format!("license.value eq \"{pool}\"")),
        people(&format!("userTypes.value eq \"{boss}\"")),
        people(&format!("userTypes[value eq \"{boss}\" and primary eq true]")),
        people(&format!("userTypes.costCenter eq \"{north}\"")),
        people(&format!("employments.template eq \"{full}\"")),
        people(&format!("company.value eq \"{acme}\" and userName eq \"ada\"")),
        ("/CostCenters", format!("parent.value eq \"{north}\"")),
    ] {
        store.take();
        let found = admin.find(endpoint, &filter).expect(200).json();
        let reads = store.take();
        assert_eq!(found["totalResults"], 1, "{filter}");
        assert!(reads < 60, "{filter}: {reads} reads");
    }
    for filter in [
        format!("company.value eq \"{boss}\""),
        "company.value eq \"nobody\"".to_owned(),
        format!("userTypes.value eq \"{north}\""),
    ] {
        store.take();
        assert_eq!(
            admin.find("/Users", &format!("{EXT}:{filter}")).expect(200).json()["totalResults"],
            0,
            "{filter}"
        );
        assert!(store.take() < 60, "{filter}");
    }
}
