//! The 25 tests of Entra's gallery, by their names there. Those that go through the provisioning service send what that service sends;
//! those that go to the endpoint directly send values of their own making, from a seed.
//!
//! `users` and `groups` go through the service, `direct` does not, `tokens` come before either.

mod direct;
mod groups;
mod tokens;
mod users;

use std::cell::RefCell;

use serde_json::{Value, json};

use super::Case;
use crate::oauth::idp::Idp;
use crate::support::bodies::{ENTERPRISE, GROUP, USER, patch};
use crate::support::{Answer, Client, Dice, TestApp, encode};

/// Lists a test that must hold.
const fn holds(name: &'static str, wants: &'static str, run: fn(&Tenant<'_>)) -> Case {
    Case { name, wants, warns: false, run }
}

/// Lists a test that must hold here, although the gate would only warn.
const fn optional(name: &'static str, wants: &'static str, run: fn(&Tenant<'_>)) -> Case {
    Case { name, wants, warns: true, run }
}

/// The gate's tests, in its own order.
pub(super) const CASES: &[Case] = &[
    holds("Create_User_Test", "somebody assigned is found by userName", users::create),
    holds("Update_User_Test", "changed attributes are read back", users::update),
    holds("Disable_User_Test", "active false, and still there", users::disable),
    optional("Delete_User_Test", "nobody is found any more", users::delete),
    holds("User_Update_Manager_Test", "a manager is set, changed and taken away", users::manager),
    holds("Restore_User_Test", "unassigned and assigned again, the same user is active", users::restore),
    holds("POD_User_Test", "provisioned on demand, in the classic form", users::on_demand),
    holds("Create_Group_Test", "a group is found by displayName", groups::create),
    holds("Update_Group_Test", "a new name is read back", groups::rename),
    optional("Delete_Group_Test", "the group is not found any more", groups::delete),
    holds("Group_Update_Add_Member_Test", "a member is added", groups::add_member),
    holds("Group_Update_Remove_Member_Test", "a member is removed, and no other", groups::remove_member),
    holds("POD_Group_Test", "provisioned on demand, with its members", groups::on_demand),
    optional("Restore_Group_Test", "deleted, and made again under the same name", groups::restore),
    holds("Schema_Discoverability_Test", "every mapped attribute stands in /Schemas", direct::schemas),
    holds("SCIM_Null_Update_Test", "empty texts and nulls unassign", direct::nulls),
    holds("SCIM_User_Create_Test", "POST of a user, echoed", direct::create_user),
    holds(
        "SCIM_User_Update_Test",
        "random values of every single attribute are read back",
        direct::update_user,
    ),
    holds("SCIM_Group_Create_Test", "POST of a group, echoed", direct::create_group),
    holds(
        "SCIM_Group_Update_Test",
        "random values of a group's attributes are read back",
        direct::update_group,
    ),
    holds(
        "Validate_Credentials_Test",
        "client credentials are exchanged for a token of 60 to 360 minutes",
        tokens::credentials,
    ),
    holds(
        "Federated_Identity_Test",
        "an assertion of an issuer is exchanged for a token",
        tokens::federation,
    ),
    holds("SCIM_User_Pagination_Test", "users five at a time, startIndex exact", direct::user_pages),
    optional("SCIM_Group_Pagination_Test", "groups five at a time, startIndex exact", direct::group_pages),
    holds("SCIM_Update_Manager_Test", "manager by Add, Replace, and Replace with nothing", direct::manager),
];

/// The tenant that is provisioned from, and its connection to us.
pub struct Tenant<'a> {
    pub app: &'a TestApp,
    /// Who signs its assertions.
    pub issuer: &'a Idp,
    /// The name of its connection.
    pub connection: &'a str,
    pub client: &'a Client,
    pub dice: &'a RefCell<Dice>,
}

impl Tenant<'_> {
    /// Makes a word up that nobody has used.
    fn word(&self) -> String {
        format!("{:016x}", self.dice.borrow_mut().next())
    }

    /// Makes a login up.
    fn login(&self) -> String {
        format!("{}@acme.test", self.word())
    }

    /// Picks a number below a bound.
    fn below(&self, bound: usize) -> usize {
        self.dice.borrow_mut().below(bound)
    }

    /// Looks somebody up as the service does: form-encoded.
    fn look_up(&self, path: &str, attribute: &str, value: &str) -> Option<Value> {
        let filter = encode(&format!("{attribute} eq {}", Value::from(value))).replace("%20", "+");
        let excluded = if path == "/Groups" { "excludedAttributes=members&" } else { "" };
        let list = self.client.get(&format!("{path}?{excluded}filter={filter}")).expect(200).json();
        let found = list["Resources"].as_array().expect("a list of resources, also of none");
        assert_eq!(list["totalResults"], found.len());
        assert!(found.len() <= 1, "one match at most: {list}");
        found.first().cloned()
    }

    /// Provisions somebody as the service does: looks them up, makes them, and reads them back.
    fn user(&self, login: &str) -> String {
        assert_eq!(self.look_up("/Users", "userName", login), None);
        let body = json!({
            "schemas": [USER, ENTERPRISE], "externalId": self.word(), "userName": login, "active": true, "displayName": "Ada Byron",
            "emails": [{ "primary": true, "type": "work", "value": login }], "meta": { "resourceType": "User" },
            "name": { "formatted": "Ada Byron", "familyName": "Byron", "givenName": "Ada" }, "roles": [],
        });
        let made = self.client.post("/Users", &body).expect(201).json();
        for name in ["externalId", "userName", "active", "displayName", "emails", "name"] {
            assert_eq!(made[name], body[name], "{name}");
        }
        let id = made["id"].as_str().unwrap().to_owned();
        assert_eq!(self.read(&format!("/Users/{id}")), made);
        id
    }

    /// Provisions a group as the service does: empty, with its foreign URN.
    fn group(&self, name: &str) -> String {
        assert_eq!(self.look_up("/Groups", "displayName", name), None);
        let foreign = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
        let body = json!({ "schemas": [GROUP, foreign], "externalId": self.word(), "displayName": name, "meta": { "resourceType": "Group" } });
        let made = self.client.post("/Groups", &body).expect(201).json();
        assert_eq!((&made["displayName"], &made["externalId"]), (&body["displayName"], &body["externalId"]));
        made["id"].as_str().unwrap().to_owned()
    }

    /// Reads a resource.
    fn read(&self, path: &str) -> Value {
        self.client.get(path).expect(200).json()
    }

    /// Sends operations; the service takes 200 and 204.
    fn patch(&self, path: &str, operations: &[Value]) -> Answer {
        let answer = self.client.patch(path, &patch(operations));
        assert!(matches!(answer.status, 200 | 204), "{} {}", answer.status, answer.text());
        answer
    }

    /// Reads the members of a group.
    fn members(&self, group: &str) -> Vec<String> {
        let group = self.read(&format!("/Groups/{group}"));
        let members = group["members"].as_array().expect("members, also when there are none");
        members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
    }
}
