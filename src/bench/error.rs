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
    /// The daemon answered something else than success while the run was being prepared.
    #[error("while preparing, {request} was answered: {answer}")]
    Refused {
        /// Which request.
        request: String,
        /// The beginning of the answer.
        answer: String,
    },
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
}
