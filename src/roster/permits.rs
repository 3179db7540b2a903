//! What an administrator may do: the one place that decides, and the proof that it did.
//!
//! A [`Permit`] is made by [`Roster::may`] alone, so that code which asks for one cannot be reached unasked.

use super::LOCAL;
use super::Roster;
use super::error::RosterError;
use super::scope::{Caller, Scope};
use crate::psa::catalogue::Level;
use crate::psa::permission::Asked;
use crate::psa::permission::permits::{
    AccountTransfer, AuditView, ConnectionsUpdate, HoldsUpdate, KindsView, PermissionsView, SettingsUpdate,
    UsersCreate, UsersDelete, UsersLock, UsersPassword, UsersUpdate, UsersView,
};

/// A thing that an administrator does, as far as rights tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Reads what the API is.
    SeeApi,
    /// Looks at connections, how they are and what came in.
    SeeConnections,
    /// Makes and changes connections.
    ChangeConnections,
    /// Looks at tokens and clients, never at their secrets.
    SeeCredentials,
    /// Makes tokens, clients and their secrets, which are shown once, and pins whose assertions stand for one.
    MakeCredentials,
    /// Ends tokens, clients and their secrets.
    EndCredentials,
    /// Looks at schemas.
    SeeSchemas,
    /// Reads and exports the history (X60).
    SeeHistory,
    /// Erases what the history has of somebody (X63).
    ErasePeople,
    /// Looks at people, what is written down about them and what happened to them.
    SeePeople,
    /// Adds people (H02), also like others (P04).
    AddPeople,
    /// Locks people and lets them in (H15, T11).
    LockPeople,
    /// Says as whom people sign in at providers, and ends what they signed in with (P06).
    EndSessions,
    /// Removes people of whom there is nothing (H16, P03).
    RemovePeople,
    /// Says that a program has records of somebody, or that they signed in (H16, T06).
    ReportUse,
    /// Writes memos about people and removes them (H14).
    WriteMemos,
    /// Says how people sign in, gives them passwords, takes passwords and second factors from them (H10, P05, P06, T08).
    SetSignIn,
    /// Sends people links that let them in, which go to their own address (T02, T10).
    SendLinks,
    /// Looks at what people may do (P17, P19, A05).
    SeeRights,
    /// Looks at licences (H17).
    SeeLicenses,
    /// Gives the account to somebody else (P08).
    TransferAccount,
    /// Looks at tenants, and makes them.
    RunInstallation,
}

impl Deed {
    /// Returns the permission without which a person does not do it, whose token it is.
    pub const fn permission(self) -> &'static str {
        match self {
            Self::SeeApi => UsersView::KEY,
            Self::SeeConnections
            | Self::ChangeConnections
            | Self::SeeCredentials
            | Self::MakeCredentials
            | Self::EndCredentials => ConnectionsUpdate::KEY,
            Self::SeeSchemas | Self::SeeLicenses => KindsView::KEY,
            Self::SeeHistory => AuditView::KEY,
            Self::ErasePeople | Self::RemovePeople => UsersDelete::KEY,
            Self::SeePeople => UsersView::KEY,
            Self::AddPeople => UsersCreate::KEY,
            Self::LockPeople => UsersLock::KEY,
            Self::EndSessions => UsersPassword::KEY,
            Self::ReportUse => HoldsUpdate::KEY,
            Self::WriteMemos | Self::SetSignIn | Self::SendLinks => UsersUpdate::KEY,
            Self::SeeRights => PermissionsView::KEY,
            Self::TransferAccount => AccountTransfer::KEY,
            Self::RunInstallation => SettingsUpdate::KEY,
        }
    }

    /// Returns the scope without which nobody does it.
    pub const fn scope(self) -> Scope {
        match self {
            Self::SeeHistory => Scope::Audit,
            Self::SeePeople | Self::SeeRights => Scope::UsersRead,
            Self::AddPeople
            | Self::LockPeople
            | Self::EndSessions
            | Self::RemovePeople
            | Self::ReportUse
            | Self::SendLinks
            | Self::WriteMemos => Scope::UsersWrite,
            Self::SeeLicenses => Scope::KindsRead,
            _ => Scope::Admin,
        }
    }
}

/// The proof that a caller may do something.
#[derive(Debug, Clone, Copy)]
pub struct Permit {
    deed: Deed,
}

impl Permit {
    /// Returns what may be done.
    pub const fn deed(self) -> Deed {
        self.deed
    }

    /// Refuses a permit for something else. A defect of the caller.
    pub(super) fn must_be(self, deed: Deed) -> Result<(), RosterError> {
        if self.deed == deed {
            return Ok(());
        }
        Err(RosterError::Broken(format!("a permit for {:?} was shown for {deed:?}", self.deed)))
    }
}

impl Roster {
    /// Decides whether a caller may do something: it comes through the built-in connection, its token has the scope, and where it acts as a
    /// person, that person may.
    pub fn may(&self, caller: &Caller, deed: Deed) -> Result<Permit, RosterError> {
        if caller.connection() != LOCAL {
            return Err(RosterError::NotAllowed {
                needs: "a token of an administrator",
                detail: "this token is an identity provider's; the admin API needs one of the connection \"local\" (rosterd token create --connection local --scopes admin)".to_owned(),
            });
        }
        caller.needs(deed.scope())?;
        if let Some(person) = caller.person() {
            let needs = deed.permission();
            let rights = self.rights(caller, person)?.filter(|rights| rights.active);
            if rights.is_none_or(|rights| rights.effective.everywhere(needs) != Level::All) {
                return Err(RosterError::NotAllowed {
                    needs,
                    detail: format!(
                        "this token acts as a person who lacks the permission {needs} at the level all; an administrator can give it"
                    ),
                });
            }
        }
        Ok(Permit { deed })
    }
}
