//! The identity providers we know, one constant each: what differs from `auto`, and why.
//!
//! `auto` is safe for all of them at once; a profile of one's own makes a connection say what its provider means where that differs
//! (above all, whether a PUT that leaves an attribute out wants it gone). No code path is named after a provider (`scim-dialects`, part 2).

use super::profile::{AUTO, Profile, PutOmitted};

/// Okta, applications of the integration network (PUT of the whole profile, PATCH of `active` and groups) and of the wizard (PUT for everything).
pub const OKTA: Profile = Profile { name: "okta", title: "Okta", agents: &["Okta SCIM Client"], ..AUTO };

/// Microsoft Entra ID, both wire forms (with and without the flag `aadOptscim062020`), mixed. Updates are PATCH alone.
pub const ENTRA: Profile = Profile {
    name: "entra",
    title: "Microsoft Entra ID",
    agents: &["Azure-ActiveDirectory", "Microsoft.SCIM"],
    ..AUTO
};

/// OneLogin: its PUT is a template that an administrator edits, any subset of attributes; what it leaves out stays (S102).
pub const ONELOGIN: Profile = Profile {
    name: "onelogin",
    title: "OneLogin",
    agents: &["OneLogin"],
    put_omitted: PutOmitted::Keep,
    ..AUTO
};

/// JumpCloud: PUT of the whole person, or PATCH.
pub const JUMPCLOUD: Profile =
    Profile { name: "jumpcloud", title: "JumpCloud", agents: &["JumpCloud"], ..AUTO };

/// Google Workspace and Cloud Identity.
pub const GOOGLE: Profile =
    Profile { name: "google", title: "Google Workspace", agents: &["Google-"], ..AUTO };

/// PingFederate and PingOne.
pub const PING: Profile = Profile { name: "ping", title: "Ping Identity", agents: &["Ping"], ..AUTO };

/// Rippling.
pub const RIPPLING: Profile = Profile { name: "rippling", title: "Rippling", agents: &["Rippling"], ..AUTO };

/// authentik: PUT of a subset; what it leaves out stays (S102).
pub const AUTHENTIK: Profile = Profile {
    name: "authentik",
    title: "authentik",
    agents: &["authentik", "goauthentik"],
    put_omitted: PutOmitted::Keep,
    ..AUTO
};

/// The outbound add-ons of Keycloak: PUT of users and of groups with their members.
pub const KEYCLOAK: Profile =
    Profile { name: "keycloak", title: "Keycloak", agents: &["Keycloak", "Apache-HttpClient"], ..AUTO };

/// SailPoint and other governance clients: full aggregation by pages; may write `groups` on a person, which changes nothing (S48).
pub const SAILPOINT: Profile =
    Profile { name: "sailpoint", title: "SailPoint", agents: &["SailPoint"], ..AUTO };
