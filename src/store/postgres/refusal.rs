//! Why a database cannot be used, and what to do about it.

use super::failure::Failure;
use super::{PgOptions, migrate};
use crate::store::StoreError;

/// How the owner empties a database of everything that is rosterd's.
const EMPTYING: &str = "as its owner, DROP SCHEMA rosterd CASCADE, and then rosterd store migrate";

/// Why a database cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PgError {
    /// It cannot be connected to.
    #[error("cannot connect to {place} as {user}: {why}; {remedy}")]
    Connect {
        /// Which database.
        place: String,
        /// As whom.
        user: String,
        /// What the database or the network said.
        why: String,
        /// What to do.
        remedy: &'static str,
    },
    /// It was connected to, and did not answer.
    #[error("{place}: {why}")]
    Asking {
        /// Which database.
        place: String,
        /// What it said.
        why: String,
    },
    /// Its tables could not be made or brought up to date.
    #[error(
        "{place}: the tables are missing or older than this build, and {user} could not make them: {why}; {remedy}"
    )]
    Migrate {
        /// Which database.
        place: String,
        /// As whom.
        user: String,
        /// What it said.
        why: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A newer build has changed its tables.
    #[error("{place}: the tables are at step {found}, and this build knows {known}; use the newer build")]
    Newer {
        /// Which database.
        place: String,
        /// The last step found.
        found: usize,
        /// The last step known.
        known: usize,
    },
    /// The role may not use a table.
    #[error(
        "{place}: {user} may not read and write {table}; as the owner: GRANT USAGE ON SCHEMA rosterd TO {user}; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rosterd TO {user}"
    )]
    Rights {
        /// Which database.
        place: String,
        /// As whom.
        user: String,
        /// Which table.
        table: String,
    },
    /// It is being filled from a copy, or that was broken off.
    #[error(
        "{place} is not whole: filling it from a copy was broken off, or goes on at this moment ({written} rows so far); run the same rosterd restore or \
         rosterd store import again, which goes on from there, or empty it: {EMPTYING}"
    )]
    Filling {
        /// Which database.
        place: String,
        /// How many rows were written.
        written: i64,
    },
    /// It is being filled from something else.
    #[error(
        "{place} was being filled from another copy, which was broken off; go on with that one, or empty it: {EMPTYING}"
    )]
    FilledFromAnother {
        /// Which database.
        place: String,
    },
    /// It has data.
    #[error(
        "{place} has data already ({found}); name an empty database by postgres.database, or empty it: {EMPTYING}"
    )]
    NotEmpty {
        /// Which database.
        place: String,
        /// What is there.
        found: String,
    },
    /// The row is gone that says whether it may be used.
    #[error(
        "{place}: expected one row in rosterd.filling, found none; if the database was restored from a dump, restore all of its tables"
    )]
    NoFillingRow {
        /// Which database.
        place: String,
    },
    /// It does not flush what it commits.
    #[error(
        "{place}: fsync is off, so that a power loss takes what was acknowledged; turn it on in postgresql.conf"
    )]
    Unsafe {
        /// Which database.
        place: String,
    },
    /// A thread could not be started.
    #[error("{0}")]
    Start(StoreError),
}

impl PgError {
    pub(super) fn connecting(options: &PgOptions, failure: &Failure) -> Self {
        let code = failure.code.as_ref().map_or("", |code| code.code());
        let remedy = match code {
            "3D000" => "make the database first (CREATE DATABASE), or correct postgres.database",
            "28P01" => "look at postgres.user and at what postgres.password_file holds",
            "28000" => "look at postgres.user, and at what pg_hba.conf lets in",
            "53300" => {
                "the database has no connection left: lower postgres.connections_max, or raise its max_connections"
            }
            _ => {
                "look whether it runs, takes writes, and can be reached from here, and at postgres.hosts and postgres.tls"
            }
        };
        Self::Connect { place: options.place(), user: options.user.clone(), why: failure.to_string(), remedy }
    }

    pub(super) fn rights(options: &PgOptions, table: &str) -> Self {
        Self::Rights { place: options.place(), user: options.user.clone(), table: table.to_owned() }
    }

    pub(super) fn asking(options: &PgOptions, failure: &Failure) -> Self {
        Self::Asking { place: options.place(), why: failure.to_string() }
    }

    pub(super) fn migrating(options: &PgOptions, failure: &Failure) -> Self {
        let remedy = if migrate::is(failure, migrate::LACKS_RIGHTS) {
            "run `rosterd store migrate` with the role that owns the database"
        } else if failure.said.contains("statement pooling") {
            "PgBouncer hands out single statements here, and a change is more than one: set pool_mode = transaction (or session)"
        } else {
            "look at the database's own log"
        };
        Self::Migrate { place: options.place(), user: options.user.clone(), why: failure.to_string(), remedy }
    }
}
