//! Conversations as files (`conformance/<who>/*.http`), played against the real router on every store.
//!
//! `transcript` reads a file, `play` plays it, `matching` compares. A file is played where it is listed below; one that is not listed
//! fails a test.

mod matching;
pub mod play;
mod transcript;

/// Lists the transcripts of a folder: the file's name without its ending, as a name of Rust.
macro_rules! transcripts {
    ($folder:ident: $($name:ident)+) => {
        mod $folder {
            $(mod $name {
                const FILE: &str = concat!(stringify!($folder), "/", stringify!($name), ".http");

                #[test]
                fn memory() {
                    crate::conformance::play::play(FILE, crate::support::Engine::Memory);
                }

                #[test]
                fn redb() {
                    crate::conformance::play::play(FILE, crate::support::Engine::Redb);
                }
            })+

            #[test]
            fn every_file_is_played() {
                crate::conformance::every_file_is_listed(stringify!($folder), &[$(stringify!($name)),+]);
            }
        }
    };
}

/// Every folder of transcripts.
pub const FOLDERS: &[&str] = &[
    "core",
    "entra",
    "okta",
    "onelogin",
    "jumpcloud",
    "google",
    "ping",
    "rippling",
    "authentik",
    "keycloak",
    "sailpoint",
    "cross",
];

transcripts! { core:
    s100_put
    s102_put_keeps_external_id
    s104_put_group
    s140_delete
    s150_entity_tags
    s126_value_path_on_one
    s150_group_version
    s154_bulk_versions
    s160_bulk
    s161_bulk_references
    s162_bulk_circle
    s163_bulk_stops
    s170_errors
    s180_discovery
    s183_discovery_guarded
    s190_me
    s2_media_types
    s40_mutability
    s40_strict_mutability
    s45_canonical_values
    s49_members
    s60_create
    s61_duplicate
    s61_strict_schemas
    s76_filter_on_one
    s77_filter
    s78_inactive_stays_visible
    s79_pages
    s84_sort
    s84_unknown_sort
    s84_unknown_sort_strict
    s85_projection
    s87_search
    s88_across_kinds
    s89_cursor
    w10_duplicate_in_other_case
    w11_page_past_the_end
    w12_form_encoded_filter
    w13_bulk_forward_reference
    w14_strict_unknown_member
    w14_unknown_member
    w1_classic_update
    w1_strict_no_target
    w2_same_patch_twice
    w3_rename_keeps_members
    w3_strict_rename_keeps_members
    w4_remove_listed_members
    w4_strict_remove_one_member
    w5_role_in_a_string
    w5_strict_role_in_a_string
    w6_manager_as_text
    w6_strict_manager_is_an_object
    w8_put_leaves_groups_and_active
    w9_all_or_nothing
}

transcripts! { entra:
    d_e01_test_connection
    d_e02_create
    d_e03_read_back
    d_e04_classic_update
    d_e05_matching
    d_e06_unquoted_value
    d_e07_disable
    d_e07_disable_strict
    d_e08_group_members
    d_e09_flag_update
    d_e10_manager
    d_e11_group
    d_e12_roles
    d_e13_custom_extension
    d_e14_delete_and_return
    d_e15_reassigned
    d_e16_empty
    d_e17_pages
    d_e19_conflict_on_update
    d_e20_static_bearer
    d_e21_guests
}

transcripts! { okta:
    crud_suite
    d_k01_test_credentials
    d_k02_probe
    d_k03_create
    d_k04_profile_update
    d_k05_deactivate
    d_k06_password_sync
    d_k07_reassign
    d_k08_group_create
    d_k09_group_rename
    d_k10_membership
    d_k11_push_now
    d_k12_put_group
    d_k12_put_user
    d_k13_unlink
    d_k14_entitlements
    d_k15_numbers
    spec_suite
}

transcripts! { onelogin:
    d_o1_look_up_then_put
    d_o1_put_keeps_what_it_omits
    d_o1_put_under_auto
    d_o2_scim_1_urns
    d_o3_groups
    d_o4_deprovision
}

transcripts! { jumpcloud:
    d_j1_connection_test
    d_j2_updates
    d_j3_members
}

transcripts! { google:
    d_g1_look_up
    d_g2_suspend_and_delete
}

transcripts! { ping:
    d_p1_match_and_disable
    d_p2_bearer
    d_p3_groups
}

transcripts! { rippling:
    d_r1_test
    d_r2_groups
    d_r3_attributes
    d_r4_probes
    d_r5_retries
    d_r6_start_date
}

transcripts! { authentik:
    d_a1_discovery_decides
    d_a2_adopt_after_409
    d_a2_put_keeps_what_it_omits
    d_a2_put_under_auto
    d_a3_group_update
    d_a4_members
    d_a7_kinds_and_groups
    d_a8_strict_reading
}

transcripts! { keycloak:
    d_c1_users_and_groups
}

transcripts! { sailpoint:
    d_s1_preflight
    d_s2_aggregation
    d_s3_groups_on_user
}

transcripts! { cross:
    d_x01_words_of_operations
    d_x02_filters_in_paths
    d_x04_address_without_a_type
    d_x05_members_by_every_verb
    d_x07_addresses_as_texts
    d_x08_lists_without_parameters
    d_x12_extensions_everywhere
    d_x13_a_new_address
    d_x15_null_for_a_part
    d_x16_unknown_paths
    d_x16_unknown_paths_strict
    d_x17_errors_in_scims_words
    d_x18_ids_are_the_servers
    d_x19_the_inactive_can_be_changed
    d_x22_what_is_said_of_members
}

/// W7 is about two at once, which no transcript can say: `rows::concurrency` plays it in both modes.
#[test]
fn every_worked_after_state_is_played_in_both_modes() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/core");
    let mut played = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let transcript = transcript::Transcript::read(&format!("core/{name}"));
        for row in transcript.rows.iter().filter(|row| row.starts_with('W')) {
            played.extend(transcript.profiles.iter().map(|profile| (row.clone(), profile.clone())));
        }
    }
    for number in (1..=14).filter(|number| *number != 7) {
        for profile in ["auto", "strict"] {
            assert!(played.contains(&(format!("W{number}"), profile.to_owned())), "W{number} in {profile}");
        }
    }
}

/// Returns the requirements that a transcript shows.
pub fn rows_of(file: &str) -> Vec<String> {
    transcript::Transcript::read(file).rows
}

fn every_file_is_listed(folder: &str, listed: &[&str]) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance").join(folder);
    let mut found: Vec<String> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".http").map(str::to_owned))
        .collect();
    found.sort_unstable();
    let mut listed: Vec<&str> = listed.to_vec();
    listed.sort_unstable();
    assert_eq!(found, listed, "the folder, and tests/it/conformance/mod.rs");
}

#[test]
fn a_provider_is_played_under_auto_and_under_its_own_profile() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let own = rosterd::idp::Profile::ALL.into_iter().map(|profile| profile.name);
    for provider in own.filter(|name| !["auto", "strict"].contains(name)) {
        let mut alone = std::collections::BTreeSet::new();
        for entry in std::fs::read_dir(root.join(provider)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if std::path::Path::new(&name).extension().is_none_or(|end| end != "http") {
                continue;
            }
            let profiles = transcript::Transcript::read(&format!("{provider}/{name}")).profiles;
            match profiles.as_slice() {
                [auto, own] => assert_eq!([auto, own], ["auto", provider], "{provider}/{name}"),
                // A contrast: what one profile does and another does not.
                [one] => {
                    alone.insert(one.clone());
                }
                _ => panic!("{provider}/{name}: expected [\"auto\", {provider:?}], or one profile"),
            }
        }
        assert!(!alone.contains(provider) || alone.contains("auto"), "{provider}: a contrast has two sides");
    }
}
