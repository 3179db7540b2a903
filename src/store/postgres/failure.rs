//! What a database says when it does not do as it was told, sorted by what follows from it.
//!
//! Only the message and its code are kept: the details that a database adds may hold keys, and those hold names.

use std::error::Error as _;
use std::fmt;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::store::StoreError;

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The transaction met another one; nothing of it was written, and it may be tried again at once.
    Again,
    /// The connection is of no use any more. What was under way is not known.
    Lost,
    /// The database has no room.
    Full,
    /// It was refused, and would be again.
    Refused,
    /// Said of whatever follows a failure in a transaction: says nothing by itself.
    Follows,
}

/// A failure, and what the database said.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) code: Option<SqlState>,
    pub(super) said: String,
}

impl Failure {
    /// A connection that is of no use.
    pub(super) fn lost(said: impl Into<String>) -> Self {
        Self { kind: Kind::Lost, code: None, said: said.into() }
    }

    /// Tells whether the connection can be used further, after a rollback.
    pub(super) fn spares_the_connection(&self) -> bool {
        self.kind != Kind::Lost
    }

    /// The same as an error of a store that wrote nothing.
    pub(super) fn unwritten(&self) -> StoreError {
        let said = self.to_string();
        match self.kind {
            Kind::Again | Kind::Lost | Kind::Follows => StoreError::Retry(said),
            Kind::Full => StoreError::Full(said),
            Kind::Refused => StoreError::Fatal(said),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{} ({})", self.said, code.code()),
            None => f.write_str(&self.said),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if let Some(told) = error.as_db_error() {
            let code = told.code().clone();
            return Self { kind: kind_of(&code), said: told.message().to_owned(), code: Some(code) };
        }
        // The library's own words name the step alone; what went wrong is the cause behind them.
        let mut said = error.to_string();
        if let Some(cause) = error.source()
            && !said.contains(&cause.to_string())
        {
            said = format!("{said}: {cause}");
        }
        Self::lost(said)
    }
}

fn kind_of(code: &SqlState) -> Kind {
    match code.code() {
        // Serialization failure, deadlock, a lock that was not had in time, a statement that took too long.
        "40001" | "40P01" | "40003" | "55P03" | "57014" => Kind::Again,
        "25P02" => Kind::Follows,
        "53100" => Kind::Full,
        // A server that has become a standby, or was one all along, takes no writes: another connection may find the one that does.
        "25006" => Kind::Lost,
        "25P03" | "25P04" => Kind::Lost,
        other if other.starts_with("08") || other.starts_with("57P") || other.starts_with("53") => Kind::Lost,
        _ => Kind::Refused,
    }
}

/// Picks the failure that says something from those of one transaction, if there was any.
pub(super) fn first_that_says_something<const N: usize>(
    done: [Result<(), Failure>; N],
) -> Result<(), Failure> {
    let mut found: Result<(), Failure> = Ok(());
    for one in done {
        if let Err(failure) = one {
            match &found {
                // What was said of a statement says more than that the connection went.
                Err(known) if !matches!(known.kind, Kind::Follows | Kind::Lost) => {}
                Err(known) if known.kind == Kind::Lost && failure.kind == Kind::Follows => {}
                _ => found = Err(failure),
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str) -> Failure {
        let code = SqlState::from_code(code);
        Failure { kind: kind_of(&code), code: Some(code), said: "said".to_owned() }
    }

    #[test]
    fn r13_what_met_another_transaction_is_tried_again_and_what_was_cut_off_elsewhere() {
        for (code, kind) in [
            ("40001", Kind::Again),
            ("40P01", Kind::Again),
            ("55P03", Kind::Again),
            ("57P01", Kind::Lost),
            ("08006", Kind::Lost),
            ("25006", Kind::Lost),
            ("53300", Kind::Lost),
            ("53100", Kind::Full),
            ("42501", Kind::Refused),
            ("42P01", Kind::Refused),
        ] {
            assert_eq!(of(code).kind, kind, "{code}");
        }
    }

    #[test]
    fn of_a_transactions_failures_the_one_that_says_why_is_kept() {
        let found = first_that_says_something([Ok(()), Err(of("40001")), Err(of("25P02")), Err(of("25P02"))]);
        assert_eq!(found.unwrap_err().kind, Kind::Again);
        let found = first_that_says_something([Err(of("40P01")), Err(Failure::lost("gone"))]);
        assert_eq!(found.unwrap_err().kind, Kind::Again);
        let found = first_that_says_something([Err(Failure::lost("gone")), Err(of("25P02"))]);
        assert_eq!(found.unwrap_err().kind, Kind::Lost);
    }
}
