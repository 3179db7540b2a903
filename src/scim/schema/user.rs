//! The core schema of User (RFC 7643 §4.1, §8.7.1).

use super::build::{binary, boolean, complex, plural, reference, string};
use super::{Attribute, Schema};
use crate::scim::urn;

/// Makes the schema.
pub(super) fn schema() -> Schema {
    let mut attributes = singular();
    attributes.extend(contact());
    attributes.extend(belonging());
    Schema::new(urn::USER.into(), "User".into(), "A person".into(), attributes)
}

/// The single-valued attributes.
fn singular() -> Vec<Attribute> {
    vec![
        string("userName", "The name the person signs in with; unique, whatever the case of letters")
            .required()
            .server_unique(),
        complex(
            "name",
            "The parts of the person's name",
            vec![
                string("formatted", "The whole name as it is shown"),
                string("familyName", "The family name"),
                string("givenName", "The given name"),
                string("middleName", "The middle names"),
                string("honorificPrefix", "What stands before the name"),
                string("honorificSuffix", "What stands after the name"),
            ],
        ),
        string("displayName", "The name shown to others"),
        string("nickName", "What friends say"),
        reference("profileUrl", &["external"], "A page about the person"),
        string("title", "The position, such as Vice President"),
        string("userType", "The relation to the organization, such as Employee or Contractor"),
        string("preferredLanguage", "The language to write to the person in, as in Accept-Language"),
        string("locale", "The region by whose customs numbers and dates are written"),
        string("timezone", "The time zone, such as Europe/Oslo"),
        boolean("active", "Whether the person may sign in").never_cleared(),
        string("password", "A password; accepted and dropped, never kept").secret(),
    ]
}

/// How the person is reached.
fn contact() -> Vec<Attribute> {
    let places = &["work", "home", "other"];
    vec![
        plural("emails", "E-mail addresses", string("value", "An e-mail address"), places),
        plural(
            "phoneNumbers",
            "Telephone numbers",
            string("value", "A telephone number"),
            &["work", "home", "mobile", "fax", "pager", "other"],
        ),
        plural(
            "ims",
            "Addresses for instant messages",
            string("value", "An address"),
            &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"],
        ),
        plural(
            "photos",
            "Pictures of the person",
            reference("value", &["external"], "The URL of a picture"),
            &["photo", "thumbnail"],
        ),
        complex(
            "addresses",
            "Postal addresses",
            vec![
                string("formatted", "The whole address as it is shown"),
                string("streetAddress", "Street and number"),
                string("locality", "City"),
                string("region", "State or region"),
                string("postalCode", "Postal code"),
                string("country", "Country, as an ISO 3166-1 code of two letters"),
                string("type", "What the address is used for").canonical(places),
                boolean("primary", "Whether this is the preferred address; true at most once"),
            ],
        )
        .many(),
    ]
}

/// What the person belongs to, may do and proves.
fn belonging() -> Vec<Attribute> {
    vec![
        complex(
            "groups",
            "The groups the person belongs to; changed through the groups",
            vec![
                string("value", "The id of the group").case_exact().read_only(),
                reference("$ref", &["Group"], "The URL of the group").read_only(),
                string("display", "The name of the group").read_only(),
                string("type", "Whether the membership is direct")
                    .canonical(&["direct", "indirect"])
                    .read_only(),
            ],
        )
        .many()
        .read_only(),
        plural("entitlements", "What the person is entitled to", string("value", "An entitlement"), &[]),
        plural("roles", "The roles the person plays", string("value", "A role"), &[]),
        plural(
            "x509Certificates",
            "Certificates of the person",
            binary("value", "A certificate in DER"),
            &[],
        ),
    ]
}
