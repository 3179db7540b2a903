//! R13: the tests of R1 to R4, R16 to R21 and R37, played on PostgreSQL.

use crate::support::ground::on_postgresql;
use crate::{lists, outbox, rows};

#[test]
pub(super) fn r13_r1b_r2_x58_kill_9_of_the_daemon_loses_nothing_on_postgresql() {
    on_postgresql(
        rows::crashes::r1b_r2_x58_kill_9_under_eight_writers_loses_nothing_and_leaves_every_view_agreeing,
    );
}

#[test]
fn r13_r3_one_name_is_given_once_on_postgresql() {
    on_postgresql(|| {
        rows::concurrency::r3_of_sixteen_creates_of_one_name_in_any_case_one_succeeds();
        rows::concurrency::r3_of_eight_renames_onto_one_name_one_succeeds();
        rows::concurrency::r3_a_member_deleted_while_it_is_added_leaves_no_edge_behind();
    });
}

#[test]
fn r13_r4_ids_are_never_given_twice_on_postgresql() {
    on_postgresql(rows::concurrency::r4_ids_are_never_given_twice_and_versions_never_go_back);
}

#[test]
fn r13_r16_every_change_is_delivered_on_postgresql() {
    on_postgresql(
        outbox::crashes::r16_kill_9_before_a_failing_receiver_every_change_is_delivered_in_order_without_a_gap_and_under_one_id,
    );
}

#[test]
fn r13_r17_what_is_repeated_changes_nothing_on_postgresql() {
    on_postgresql(rows::idempotence::r17_what_is_repeated_changes_neither_version_nor_history);
}

#[test]
pub(super) fn r13_r18_no_update_is_lost_on_postgresql() {
    on_postgresql(|| {
        rows::concurrency::r18_eight_clients_patch_eight_attributes_of_one_person_and_every_change_survives();
        rows::concurrency::r18_a_stale_if_match_changes_nothing();
    });
}

#[test]
pub(super) fn r13_r19_many_clients_fill_one_group_on_postgresql() {
    on_postgresql(rows::concurrency::r19_w7_sixteen_clients_fill_one_group_in_memory_and_all_are_there);
}

#[test]
fn r13_r20_what_clients_see_is_what_a_register_would_show_them_on_postgresql() {
    on_postgresql(
        rows::register::r20_what_four_clients_see_is_what_a_register_would_show_them_whenever_the_process_is_killed,
    );
}

#[test]
fn r13_r37_a_crash_at_any_point_of_a_transaction_loses_nothing_that_was_acknowledged_on_postgresql() {
    on_postgresql(rows::crashes::crashed_at_each_point_of_a_database);
}

#[test]
fn r13_r21_whoever_is_there_throughout_is_met_exactly_once_on_postgresql() {
    on_postgresql(lists::cursor::r21_whoever_is_there_throughout_is_met_exactly_once);
}
