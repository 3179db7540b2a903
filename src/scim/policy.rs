//! What the engine does where the RFC leaves room, or where a dialect departs from it: one enum per question.
//!
//! `idp::profile` says which answers go with which identity provider; nothing here is named after one.

/// What happens to an operation whose value filter matches no element (S121).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmatched {
    /// 400 noTarget.
    Refuse,
    /// The element is made from the filter's equalities; a removal succeeds.
    Create,
}

/// What happens to a PATCH of an attribute that clients cannot write (S129).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOnly {
    /// 400 mutability.
    Refuse,
    /// The operation is left out.
    Ignore,
}

/// What a removal means that lists values beside its path (S124).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoveValues {
    /// 400 invalidSyntax.
    Refuse,
    /// Only the listed values go.
    Listed,
}

/// Whether one operation may take all members of a group away without naming them (S125).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoveAll {
    /// 400 invalidValue.
    Refuse,
    /// They go.
    Allow,
}

/// What happens when a request marks two values of one attribute as primary (S29).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Primaries {
    /// 400 invalidValue.
    Refuse,
    /// The last one is primary.
    LastWins,
}

/// The answers that applying and validating need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// See [`Unmatched`].
    pub unmatched: Unmatched,
    /// See [`ReadOnly`].
    pub read_only: ReadOnly,
    /// See [`RemoveValues`].
    pub remove_values: RemoveValues,
    /// See [`RemoveAll`].
    pub remove_all_members: RemoveAll,
    /// See [`Primaries`].
    pub primaries: Primaries,
}

impl Policy {
    /// Safe with every identity provider at once.
    pub const AUTO: Self = Self {
        unmatched: Unmatched::Create,
        read_only: ReadOnly::Ignore,
        remove_values: RemoveValues::Listed,
        remove_all_members: RemoveAll::Allow,
        primaries: Primaries::LastWins,
    };
    /// The RFC, and nothing beside it.
    pub const STRICT: Self = Self {
        unmatched: Unmatched::Refuse,
        read_only: ReadOnly::Refuse,
        remove_values: RemoveValues::Refuse,
        remove_all_members: RemoveAll::Allow,
        primaries: Primaries::Refuse,
    };
}
