//! The PSA extension of User: what a firm that sells people's time knows of a person beside what SCIM has already.

use crate::ids::KindId;
use crate::psa::urn;
use crate::scim::schema::build::{boolean, complex, date_time, link, link_parts, string};
use crate::scim::schema::{Attribute, Schema};

/// Makes the schema.
pub(super) fn extension() -> Schema {
    Schema::new(
        urn::USER.into(),
        "PsaPerson".into(),
        "What a firm that sells people's time knows of a person".into(),
        vec![
            string("kind", "What the person is to the firm; cannot be changed once it was given (H01, P12)")
                .only(&["employee", "freelancer", "client"]),
            link("company", KindId::COMPANY, "Company", "Who employs them"),
            link(
                "client",
                KindId::CLIENT,
                "Client",
                "The customer whose person it is: of the kind client only",
            ),
            user_types(),
            overrides(),
            link(
                "license",
                KindId::LICENSE_POOL,
                "LicensePool",
                "The pool whose seat they have while they are not locked",
            ),
            string(
                "financialVisibility",
                "Whether they see money: full, or hoursOnly; full where absent (A03)",
            )
            .only(&["full", "hoursOnly"]),
            employments(),
            rates("costRates", "What an hour of the person costs the firm (H12)"),
            rates("billingRates", "What an hour of the person is billed at (H05)"),
            complex(
                "integrations",
                "The person's number in other programs (H07)",
                vec![
                    string("system", "The program").required(),
                    string("id", "The number there").required().case_exact(),
                ],
            )
            .many(),
            complex(
                "schedule",
                "Days on which access begins and ends, at midnight where the person is (P11)",
                vec![
                    string("activateOn", "The first day of access, as in 2026-03-01"),
                    string("deactivateOn", "The first day without access, as in 2026-04-01"),
                ],
            ),
            proxies(),
            boolean("accountOwner", "Whether the account is theirs; moves by the action transfer only (P08)")
                .read_only(),
            lifecycle(),
        ],
    )
}

fn user_types() -> Attribute {
    let mut parts = link_parts(KindId::USER_TYPE, "UserType");
    parts.push(boolean("primary", "Whether this is the primary one; exactly one is once there is any"));
    parts.push(limited());
    complex("userTypes", "The bundles of permissions that the person has, adding up (P14, P15)", parts).many()
}

fn limited() -> Attribute {
    string(
        "costCenter",
        "The id of the cost centre it is limited to, with all below; everywhere where absent",
    )
    .case_exact()
    .names(KindId::COST_CENTER)
}

fn overrides() -> Attribute {
    let parts = vec![
        string("permission", "The key of a permission of the catalogue").required(),
        string("effect", "Whether it is given or taken").only(&["grant", "deny"]).required(),
        string("level", "How far it is given; all where absent").only(&["own", "assigned", "all"]),
        limited(),
    ];
    complex("overrides", "Exceptions for this person alone (P16)", parts).many()
}

fn employments() -> Attribute {
    let parts = vec![
        string("startDate", "The first day, as in 2026-03-01").required(),
        string("endDate", "The last day; absent of the last entry").read_only(),
        boolean("current", "Whether it holds today, where the person is").read_only(),
        string("template", "The id of the EmploymentTemplate")
            .case_exact()
            .names(KindId::EMPLOYMENT_TEMPLATE),
        string("overtimeBalanceStartDate", "The day from which overtime counts, as in 2026-03-01"),
        boolean("hourBalanceDisabled", "Whether no balance of hours is kept"),
    ];
    complex("employments", "A history by dates: an entry holds until the next one starts (H04)", parts).many()
}

fn rates(name: &str, description: &str) -> Attribute {
    let parts = vec![
        string("startDate", "The first day, as in 2026-03-01").required(),
        string("endDate", "The last day; absent of the last entry").read_only(),
        boolean("current", "Whether it holds today, where the person is").read_only(),
        string("amount", "For an hour: an exact decimal with at most four digits after the point, as a text such as \"85.50\"").required(),
        string("currency", "A code of ISO 4217 such as EUR; the base currency of the company where absent"),
    ];
    complex(name, description, parts).many().financial()
}

fn proxies() -> Attribute {
    let mut parts = link_parts(KindId::USER, "User");
    parts.push(string("from", "The first day, as in 2026-03-01"));
    parts.push(string("until", "The last day"));
    parts.push(Attribute {
        multi_valued: true,
        ..string("permissions", "What they may do for the person; everything where absent")
    });
    complex("proxies", "Who may act for the person, and when (P07)", parts).many()
}

fn lifecycle() -> Attribute {
    complex(
        "lifecycle",
        "Where the person stands, and how that came to be (H09)",
        vec![
            string("state", "invited, active or locked").read_only(),
            string("createdBy", "Who made the account").read_only(),
            string("modifiedBy", "Who changed it last").read_only(),
            date_time("invitedAt", "When they were invited").read_only(),
            date_time("activatedAt", "When they were last let in").read_only(),
            date_time("lockedAt", "Since when they are locked").read_only(),
            Attribute {
                multi_valued: true,
                ..string("locks", "Who holds a lock: idp, admin, schedule, license, security")
            }
            .read_only(),
            date_time("lastSignInAt", "When they last signed in (T06)").read_only(),
            string("lastSignInMethod", "How").read_only(),
            boolean("everSignedIn", "Whether they ever did").read_only(),
        ],
    )
    .read_only()
}
