//! A right as a value: a handler that demands a [`Permit`] as an argument cannot be called by who has not got it.

use std::marker::PhantomData;

use crate::psa::catalogue::Level;

mod sealed {
    /// Closes the list of markers.
    pub trait Sealed {}
}

/// A permission that rosterd itself asks for, as a type.
pub trait Asked: sealed::Sealed {
    /// Its key in every catalogue.
    const KEY: &'static str;
}

/// That somebody has a right, at a level. Only an evaluation makes one ([`super::Effective::permit`]), or within the program a credential of the
/// administrators' that is bound to no person:
/// ```compile_fail,E0451
/// use rosterd::psa::catalogue::Level;
/// use rosterd::psa::permission::{Permit, permits::UsersUpdate};
/// let forged: Permit<UsersUpdate> = Permit { level: Level::All, of: std::marker::PhantomData };
/// ```
/// ```compile_fail,E0624
/// use rosterd::psa::permission::{Permit, permits::UsersUpdate};
/// let forged: Permit<UsersUpdate> = Permit::by_scope();
/// ```
/// ```compile_fail,E0603
/// use rosterd::psa::permission::permits::UsersUpdate;
/// struct Mine;
/// impl rosterd::psa::permission::permit::sealed::Sealed for Mine {}
/// ```
/// One right is not another:
/// ```compile_fail,E0308
/// use rosterd::psa::permission::{Permit, permits::{UsersUpdate, UsersView}};
/// fn change(_: &Permit<UsersUpdate>) {}
/// fn who_may_look(may: &Permit<UsersView>) { change(may) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit<P: Asked> {
    level: Level,
    of: PhantomData<fn() -> P>,
}

impl<P: Asked> Permit<P> {
    pub(super) const fn at(level: Level) -> Self {
        Self { level, of: PhantomData }
    }

    /// For a credential with the scope `admin` that is bound to no person. Only the roster's `Caller` makes one of its scopes.
    pub(crate) const fn by_scope() -> Self {
        Self::at(Level::All)
    }

    /// Returns how far it goes: what is somebody else's needs [`Level::All`].
    pub const fn level(&self) -> Level {
        self.level
    }
}

/// The permissions that rosterd itself asks for, each a type.
pub mod permits {
    use super::{Asked, sealed::Sealed};

    macro_rules! permits {
        ($($(#[$doc:meta])* $name:ident = $key:literal;)*) => {
            $(
                $(#[$doc])*
                #[derive(Debug, Clone, Copy, PartialEq, Eq)]
                pub enum $name {}
                impl Sealed for $name {}
                impl Asked for $name {
                    const KEY: &'static str = $key;
                }
            )*

            /// The key of each.
            pub const KEYS: &[&str] = &[$($key),*];
        };
    }

    permits! {
        /// Hand the account over (row P08).
        AccountTransfer = "account.transfer";
        /// Read and export the history (row X60).
        AuditView = "audit.view";
        /// Change connections, their credentials and schemas.
        ConnectionsUpdate = "connections.update";
        /// Change groups and their members.
        GroupsUpdate = "groups.update";
        /// See groups and their members.
        GroupsView = "groups.view";
        /// Say that a program has records of a person (row H16).
        HoldsUpdate = "holds.update";
        /// Change the firm's own kinds.
        KindsUpdate = "kinds.update";
        /// See the firm's own kinds.
        KindsView = "kinds.view";
        /// Give and take user types and overrides.
        PermissionsUpdate = "permissions.update";
        /// See what somebody may do, and why.
        PermissionsView = "permissions.view";
        /// Say who acts for somebody (row P07).
        ProxiesUpdate = "proxies.update";
        /// Change cost and billing rates (row H12).
        RatesUpdate = "rates.update";
        /// See cost and billing rates.
        RatesView = "rates.view";
        /// Change how people sign in.
        SettingsUpdate = "settings.update";
        /// Add and invite people (row H01).
        UsersCreate = "users.create";
        /// Remove people (row H16).
        UsersDelete = "users.delete";
        /// Lock and unlock people (row H15).
        UsersLock = "users.lock";
        /// Set and reset passwords, end sessions (row H10).
        UsersPassword = "users.password";
        /// Change people (row P20).
        UsersUpdate = "users.update";
        /// See people.
        UsersView = "users.view";
    }
}

#[cfg(test)]
mod tests {
    use super::permits::KEYS;
    use crate::psa::catalogue::OWN;

    #[test]
    fn every_catalogue_has_what_is_asked_for() {
        let own: Vec<&str> = OWN.iter().map(|(key, ..)| *key).collect();
        assert_eq!(own, KEYS);
    }
}
