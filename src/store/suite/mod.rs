//! What every store must pass: one small case per promise of the contract.
//!
//! Each case is a function that gets an empty store. `fixture` makes records and units; then, by topic, `records`, `facts`,
//! `unique`, `index`, `edges`, `small`, `counters`, `history` and `moments`; `durable` is for stores that outlive their process; `model` plays
//! random units against two stores and compares them. A new engine needs a constructor here and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_imports,
    missing_docs,
    reason = "test code; the names of the cases say what they are about"
)]

mod counters;
mod durable;
mod edges;
mod facts;
pub mod fixture;
mod history;
mod index;
#[cfg(test)]
mod model;
mod moments;
mod records;
mod small;
mod unique;

use super::Store;

/// A case: its name, and what it does to an empty store.
pub type Case = (&'static str, fn(&dyn Store));
/// A case that closes the store and opens it again: it gets what opens it.
pub type DurableCase = (&'static str, fn(&dyn Fn() -> Box<dyn Store>));

/// Lists the cases, and makes each a test of its own on each store, so that a failure names both.
macro_rules! suite {
    ({ $($topic:ident: $($case:ident)*;)* } durable { $($durable:ident)* }) => {
        /// Every case.
        pub const CASES: &[Case] = &[$($((stringify!($case), $topic::$case),)*)*];
        /// Every case that closes the store.
        pub const DURABLE_CASES: &[DurableCase] = &[$((stringify!($durable), durable::$durable),)*];

        #[cfg(test)]
        mod on_memory {
            use super::*;
            $($(#[test] fn $case() { $topic::$case(&crate::store::memory::MemoryStore::new()); })*)*
        }

        #[cfg(all(test, feature = "sled"))]
        mod on_sled {
            use super::*;
            $($(#[test] fn $case() { on_a_fresh_sled($topic::$case); })*)*
            $(#[test] fn $durable() {
                let home = tempfile::tempdir().unwrap();
                durable::$durable(&|| open_sled(home.path()));
            })*
        }

        #[cfg(all(test, feature = "redb"))]
        mod on_redb {
            use super::*;
            $($(#[test] fn $case() { on_a_fresh_folder($topic::$case); })*)*
            $(#[test] fn $durable() {
                let home = tempfile::tempdir().unwrap();
                durable::$durable(&|| open_redb(home.path()));
            })*
        }
    };
}

suite! {
    {
    records:
        a_record_that_was_put_is_read_back_whole a_missing_record_is_none a_second_put_replaces_the_first
        a_deleted_record_is_gone_from_every_view deleting_what_is_not_there_is_no_error
        r4_a_record_put_again_after_its_deletion_has_a_greater_version
        the_version_is_the_number_of_the_unit_that_put_it kinds_with_one_id_are_two_records
        a_record_with_next_to_nothing_is_kept unknown_urns_and_any_text_are_kept_as_they_are
        a_record_of_a_megabyte_is_kept the_last_of_several_puts_of_a_unit_stands
        a_record_put_and_deleted_in_one_unit_was_never_there exists_agrees_with_get
        counts_follow_puts_and_deletes counts_are_kept_by_kind_and_tenant ids_come_in_order_of_creation
        several_records_are_read_at_once_in_the_order_in_which_they_are_asked_for
        ids_page_from_just_after_and_skip ids_page_back_from_just_before
        perf8_deep_pages_leave_out_exactly_what_they_should
        x19_what_a_connection_provisioned_is_counted_and_listed_apart a_limit_of_zero_reads_nothing a_page_has_a_greatest_size;
    facts:
        a_version_holds_until_the_next_put a_version_of_nothing_is_lost exists_holds_while_the_record_does
        absent_holds_until_the_record_comes free_holds_for_nobody_and_for_the_holder
        members_hold_until_the_next_change_of_edges a_small_value_holds_until_it_changes
        the_first_fact_that_does_not_hold_is_named facts_are_checked_before_the_first_write
        a_lost_unit_leaves_no_trace unused_holds_until_somebody_of_any_kind_has_the_entry
        unused_and_exists_let_one_of_two_through facts_of_another_tenant_do_not_count;
    unique:
        a_value_that_another_holds_is_lost_though_nobody_asked a_value_freed_by_a_rename_can_be_taken
        a_value_freed_by_a_deletion_can_be_taken a_unit_may_delete_the_holder_and_take_its_value
        two_puts_of_one_value_in_one_unit_are_lost a_unit_lost_at_its_last_write_leaves_no_trace
        r3_of_64_threads_racing_for_one_value_exactly_one_wins r3_of_8_renames_onto_one_value_exactly_one_wins
        one_value_in_two_indexes_is_two_values values_are_compared_byte_for_byte
        a_record_keeps_its_own_value_when_it_is_replaced a_record_may_hold_several_values
        unique_values_are_listed_by_their_beginning the_longest_key_is_kept a_longer_key_is_refused_and_leaves_no_trace;
    index:
        entries_come_in_order_of_value_and_id a_replaced_record_leaves_no_old_entry bounds_are_inclusive
        a_range_upside_down_is_empty paging_meets_every_entry_once one_value_exactly
        any_bytes_sort_as_bytes kinds_and_indexes_do_not_mix a_record_may_have_several_entries
        an_entry_given_twice_is_one_entry a_page_resumes_after_an_entry_that_has_gone
        a_range_is_read_back_as_it_is_read a_range_leaves_out_as_many_as_it_should
        entries_are_given_anew_without_a_new_version;
    edges:
        an_edge_is_seen_from_both_ends adding_a_member_twice_touches_nothing
        removing_who_is_no_member_touches_nothing the_touched_row_knows_number_and_count
        r17_a_membership_change_changes_no_records_version deleting_a_member_touches_its_groups
        deleting_a_group_frees_its_members groups_may_hold_groups a_group_within_itself_can_be_deleted
        an_edge_needs_its_member an_edge_needs_its_group a_user_of_the_groups_id_is_not_the_group
        members_page_in_order_of_kind_and_id groups_page_in_order_of_id the_groups_of_several_are_those_of_each the_touched_time_never_goes_back
        groups_are_listed_by_the_quarter_of_an_hour_in_which_they_were_touched
        an_emptied_group_remembers_that_it_was_touched a_group_made_again_starts_empty
        an_edge_added_and_removed_in_one_unit_is_not_there r19_many_threads_fill_one_group;
    small:
        a_small_value_is_put_replaced_and_removed small_values_page_under_a_prefix spaces_do_not_mix
        empty_keys_and_values_are_kept a_unit_without_a_log_entry_takes_no_number
        r18_compare_and_set_loses_no_update a_long_small_key_is_refused;
    counters:
        a_counter_counts_from_nothing_and_goes_with_it r18_64_units_count_and_none_is_lost
        r18_of_64_units_exactly_as_many_commit_as_there_is_room room_is_judged_before_the_units_own_writes
        room_stops_at_its_maximum a_counter_that_would_sink_below_nothing_is_refused_and_leaves_no_trace
        what_is_no_counter_is_not_counted_on counters_of_spaces_and_tenants_do_not_mix
        a_lost_unit_counts_nothing a_long_key_of_a_counter_is_refused;
    history:
        numbers_are_gap_free_from_one r2_numbers_are_gap_free_under_threads x59_the_chain_verifies
        x63_erased_values_are_gone_and_the_chain_still_verifies a_lost_unit_takes_no_number changes_page_after_a_number the_head_is_the_last_row
        x58_an_entry_is_kept_byte_for_byte histories_are_per_tenant
        a_change_of_records_without_a_log_entry_is_refused a_unit_that_only_logs_takes_a_number
        x58_the_history_of_a_resource_is_read_from_both_ends a_resource_keeps_its_history_in_another_kind_and_removed
        the_history_of_a_resource_is_its_tenants the_log_may_be_as_long_as_a_page_and_longer;
    moments:
        a_snapshot_does_not_change a_snapshot_after_a_commit_sees_it r2_a_reader_sees_all_of_a_unit_or_nothing
        x14_tenants_never_meet a_fresh_store_is_ready_and_empty units_are_counted
        a_units_neighbours_commit_though_it_fails
        several_units_are_judged_in_their_order_and_each_by_itself check_finds_nothing_in_a_sound_store;
    }
    durable {
        everything_is_there_after_reopening numbers_go_on_after_reopening what_many_threads_wrote_is_there_after_reopening
        a_store_may_be_opened_many_times
    }
}

/// Opens the embedded store in a folder, with a small cache.
#[cfg(feature = "redb")]
pub fn open_redb(folder: &std::path::Path) -> Box<dyn Store> {
    let options = super::redb::RedbOptions { cache_bytes: 4 << 20, ..Default::default() };
    Box::new(super::redb::open(folder, &options).unwrap())
}

#[cfg(all(test, feature = "redb"))]
fn on_a_fresh_folder(case: fn(&dyn Store)) {
    let home = tempfile::tempdir().unwrap();
    let store = open_redb(home.path());
    case(&*store);
    // Whatever a case did, what is held twice still agrees.
    assert_eq!(store.check(&mut |_| {}).unwrap(), vec![]);
}

/// Opens the engine that one may choose instead, likewise.
#[cfg(feature = "sled")]
pub fn open_sled(folder: &std::path::Path) -> Box<dyn Store> {
    let options = super::sled::SledOptions { cache_bytes: 4 << 20, ..Default::default() };
    Box::new(super::sled::open(folder, &options).unwrap())
}

#[cfg(all(test, feature = "sled"))]
fn on_a_fresh_sled(case: fn(&dyn Store)) {
    let home = tempfile::tempdir().unwrap();
    let store = open_sled(home.path());
    case(&*store);
    assert_eq!(store.check(&mut |_| {}).unwrap(), vec![]);
}
