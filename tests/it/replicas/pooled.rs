//! R13 with PgBouncer before the database: what the other tests here look at, through a pooler that hands few connections to many.

use super::{failing, paging, sessions, two};
use crate::support::bodies::user;
use crate::support::bouncer::Mode;
use crate::support::ground::{behind_pgbouncer, lay};
use crate::support::{Engine, TestApp, TestDaemon};

#[test]
fn r13_two_daemons_behind_pgbouncer_in_transaction_mode_see_what_the_other_writes_and_ends() {
    behind_pgbouncer(Mode::Transaction, || {
        two::r13_what_is_written_at_one_daemon_is_read_at_the_other();
        two::r3_r13_of_sixteen_creates_of_one_name_at_two_daemons_one_succeeds();
        two::x9_r13_who_is_locked_at_one_daemon_is_dead_at_the_other_within_a_second_a_hundred_times();
        sessions::x9_r13_who_leaves_at_one_daemon_is_out_at_the_other_and_who_comes_back_has_no_old_session();
        paging::r13_r21_a_list_that_is_followed_from_daemon_to_daemon_under_writes_shows_everybody_once_on_postgresql();
    });
}

#[test]
fn r13_nothing_is_lost_behind_pgbouncer_in_transaction_mode() {
    behind_pgbouncer(Mode::Transaction, || {
        super::rows::r13_r1b_r2_x58_kill_9_of_the_daemon_loses_nothing_on_postgresql();
        super::rows::r13_r18_no_update_is_lost_on_postgresql();
        super::rows::r13_r19_many_clients_fill_one_group_on_postgresql();
        failing::r13_a_backend_that_is_ended_again_and_again_costs_no_acknowledged_write();
    });
}

#[test]
fn r13_two_daemons_behind_pgbouncer_in_session_mode_see_what_the_other_writes_and_ends() {
    behind_pgbouncer(Mode::Session, || {
        two::r13_what_is_written_at_one_daemon_is_read_at_the_other();
        two::x9_r13_who_is_locked_at_one_daemon_is_dead_at_the_other_within_a_second_a_hundred_times();
        failing::r13_a_backend_that_is_ended_again_and_again_costs_no_acknowledged_write();
    });
}

#[test]
fn r13_fewer_connections_than_one_daemon_opens_serve_two_behind_pgbouncer() {
    behind_pgbouncer(Mode::Transaction, || {
        let Some(laid) = lay() else { return };
        let here = TestApp::on(Engine::Redb);
        let there = TestApp::beside(&here);
        let most = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..12)
                .map(|number| {
                    let client = if number % 2 == 0 { &here } else { &there };
                    scope.spawn(move || {
                        for round in 0..20 {
                            let _ = client.post("/Users", &user(&format!("p{number}-{round}"))).expect(201);
                            let _ = client.get("/Users?count=5").expect(200);
                        }
                    })
                })
                .collect();
            let mut most = 0;
            while asking.iter().any(|one| !one.is_finished()) {
                let those = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'd0'";
                most = most.max(laid.ground.server.number("postgres", those));
            }
            most
        });
        let connections = i64::try_from(Mode::Transaction.connections()).unwrap();
        assert!((2..=connections).contains(&most), "{most} connections to the server");
        assert_eq!(there.get("/Users?count=0").expect(200).json()["totalResults"], 240);
    });
}

#[test]
fn r29_r13_a_pooler_that_hands_out_single_statements_is_refused_in_a_sentence() {
    behind_pgbouncer(Mode::Statement, || {
        let Some(_laid) = lay() else { return };
        let home = tempfile::tempdir().unwrap();
        let done = TestDaemon::command(home.path(), &[]).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains("pool_mode"), "{said}");
    });
}
