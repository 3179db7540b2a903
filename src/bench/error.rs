//! Why a benchmark ended without figures.

use std::io;

use crate::store::StoreError;
use crate::store::redb::OpenError;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file, a folder, a process or a socket.
    #[error("cannot {doing}: {why}")]
    System {
        /// What was attempted, as a verb with its object.
        doing: String,
        /// What the system said.
        why: io::Error,
    },
    /// A server that was started for the run.
    #[error("{who} {what}")]
    Server {
        /// Which one.
        who: String,
        /// What it did, or did not.
        what: String,
    },
    /// A server answered something else than what a request is for. Errors are quick: figures of them would flatter.
    #[error("{during}: {request} should be answered {expected}, and was answered: {answer}")]
    Wrong {
        /// Which measurement, or which preparation.
        during: String,
        /// The request's first line.
        request: String,
        /// The status, or what the body must say.
        expected: String,
        /// The beginning of the answer, or how the connection failed.
        answer: String,
    },
    /// Something that this machine does not have, and that a load needs.
    #[error("{0}")]
    Missing(String),
    /// The engine that is measured without a server.
    #[error("the engine without a server: {0}")]
    Open(#[from] OpenError),
    /// The same, later.
    #[error("the engine without a server: {0}")]
    Store(#[from] StoreError),
}

impl BenchError {
    /// Names what was attempted when the system refused.
    pub(super) fn system(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |why| Self::System { doing, why }
    }

    /// Says in the course of what an answer was wrong.
    pub(super) fn during(self, what: &str) -> Self {
        match self {
            Self::Wrong { request, expected, answer, .. } => {
                Self::Wrong { during: what.to_owned(), request, expected, answer }
            }
            other => other,
        }
    }
}
