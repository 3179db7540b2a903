//! Conversations as files (`conformance/<who>/*.http`), played against the real router on every store.
//!
//! `transcript` reads a file, `play` plays it, `matching` compares. A file is played where it is listed below; one that is not listed
//! fails a test.

mod matching;
mod play;
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
    w4_remove_listed_members
    w5_role_in_a_string
    w6_manager_as_text
    w8_put_leaves_groups_and_active
    w9_all_or_nothing
}

transcripts! { entra:
    d_e01_test_connection
    d_e02_create
    d_e05_matching
    d_e07_disable
    d_e07_disable_strict
    d_e11_group
    d_e13_custom_extension
    d_e14_delete_and_return
    d_e16_empty
}

transcripts! { okta:
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
    spec_suite
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
