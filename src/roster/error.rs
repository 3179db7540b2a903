//! Why a use case did not do what it was asked.
//!
//! Named by what the caller can do about it. Carries no status code: the edge gives each its number.

use crate::scim::Refusal;
use crate::store::StoreError;

/// Why a use case did not do what it was asked. In every case nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RosterError {
    /// The request itself is wrong, or collides with what is there (RFC 7644 §3.12).
    #[error("{}", .0.detail)]
    Refused(Refusal),
    /// Nothing lives there, or nothing that this caller may know of.
    #[error("no such resource")]
    NotFound,
    /// Others stand on it: it cannot go, or not become what was asked. Says who, and what to do first.
    #[error("{0}")]
    InUse(String),
    /// The version is not what the caller's precondition (`If-Match`, `If-None-Match`) expects (RFC 7644 §3.14).
    #[error("the resource is at version {current}, which is not what was expected")]
    Stale {
        /// The version that it is at.
        current: String,
    },
    /// The credential lacks a scope.
    #[error("this token lacks the scope {needs}")]
    Forbidden {
        /// The scope that is missing.
        needs: &'static str,
    },
    /// It is for administrators only, whatever the credential's scopes. Says what, and what would open it.
    #[error("{0}")]
    Closed(String),
    /// The caller may not do this, whatever its scopes. Says why and what would help.
    #[error("{detail}")]
    NotAllowed {
        /// What is missing, in a word for the history.
        needs: &'static str,
        /// The sentence for the caller.
        detail: String,
    },
    /// An operator's plugin does not let it happen. Says which, in its words.
    #[error("{0}")]
    Denied(String),
    /// An operator's plugin gave no answer, and its operator wants the request sent again.
    #[error("{0}")]
    Later(String),
    /// What was named is not there. Says which names there are, or what lists them. For administrators, who may know.
    #[error("{0}")]
    Unknown(String),
    /// What was given has not the form that it must have. Says what was expected and what was found.
    #[error("{0}")]
    Malformed(String),
    /// What does not fit what is there: an operator's command, or an operation that needs another one which failed. Says what was
    /// expected and what to do.
    #[error("{0}")]
    Unfit(String),
    /// More in one request than the server takes; names the limit.
    #[error("{0}")]
    TooLarge(String),
    /// The time of the request was up before this part of it was begun.
    #[error("the request ran out of time before this operation; nothing of it was done; send it again")]
    NotBegun,
    /// What is read in several parts has changed between them.
    #[error("the resource changed while it was read; read it again")]
    Moved,
    /// Try again shortly: the store is busy or being reopened.
    #[error("the store is busy; try again shortly")]
    Busy,
    /// The disk is full; reads go on.
    #[error("the disk is full; nothing was changed")]
    Full,
    /// Something a person must look at. The text is for the log only.
    #[error("internal error")]
    Broken(String),
}

impl RosterError {
    /// Says which right the caller lacked, where that is why: the history notes it (X58).
    pub const fn lacks(&self) -> Option<&'static str> {
        match self {
            Self::Forbidden { needs } | Self::NotAllowed { needs, .. } => Some(needs),
            Self::Denied(_) => Some("the word of a plugin"),
            _ => None,
        }
    }
}

impl From<Refusal> for RosterError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for RosterError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Retry(_) | StoreError::Unknown(_) => Self::Busy,
            StoreError::Full(_) => Self::Full,
            StoreError::Invalid(cause) | StoreError::Corrupt(cause) | StoreError::Fatal(cause) => {
                Self::Broken(cause)
            }
        }
    }
}
