//! The operator's commands as plain data: what the command line says to a daemon through its socket, or does
//! itself where no daemon holds the folder.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::error::RosterError;
use super::scope::{Scope, Scopes};
use super::{Caller, ConnectionView, Roster, TenantView, TokenView};
use crate::ids::{ConnectionId, RequestId, ResourceId, TenantId, TokenId};
use crate::store::{LogRow, Seq};

/// One thing that an operator asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Makes a tenant.
    TenantCreate {
        /// Its name.
        name: String,
    },
    /// Lists the tenants.
    TenantList,
    /// Makes a connection.
    ConnectionCreate {
        /// Whose.
        tenant: String,
        /// Its name.
        name: String,
        /// The name of its profile.
        profile: String,
    },
    /// Lists connections.
    ConnectionList {
        /// Whose; everybody's when `None`.
        tenant: Option<String>,
    },
    /// Makes a token.
    TokenCreate {
        /// Whose.
        tenant: String,
        /// For which connection.
        connection: String,
        /// What it may do; an IdP's scopes when empty.
        scopes: Vec<String>,
        /// Days until it stops working; `None` for never.
        days: Option<u32>,
        /// The operator's own token, instead of a random one.
        #[serde(default)]
        secret: Option<String>,
    },
    /// Lists live tokens.
    TokenList {
        /// Whose; everybody's when `None`.
        tenant: Option<String>,
    },
    /// Ends a token.
    TokenRevoke {
        /// Which.
        id: String,
    },
    /// Makes an administrator.
    AdminCreate {
        /// Of which tenant.
        tenant: String,
        /// Their login.
        user_name: String,
        /// Their name as others see it.
        display_name: Option<String>,
    },
    /// Reads a stretch of a tenant's history; `None` for what lies above the tenants.
    AuditPage {
        /// Whose.
        tenant: Option<String>,
        /// After which number.
        after: u64,
        /// How many rows at most.
        limit: usize,
    },
    /// Cross-checks everything that the store holds twice.
    Check,
}

/// What an operator is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// It was done.
    Done,
    /// The tenants.
    Tenants {
        /// By name.
        tenants: Vec<TenantView>,
    },
    /// A new connection.
    Connection {
        /// Its id.
        id: ConnectionId,
    },
    /// The connections.
    Connections {
        /// By tenant and name.
        connections: Vec<Of<ConnectionView>>,
    },
    /// A new token.
    Token {
        /// Its id.
        id: TokenId,
        /// The secret, which is shown once.
        secret: String,
        /// When it stops working.
        expires: Option<Timestamp>,
    },
    /// The tokens.
    Tokens {
        /// By tenant and connection.
        tokens: Vec<Of<TokenView>>,
    },
    /// A new administrator.
    Administrator {
        /// Who.
        person: ResourceId,
        /// The invitation's secret, which is shown once.
        invitation: String,
        /// When it stops working.
        expires: Timestamp,
    },
    /// A stretch of history.
    Audit {
        /// Oldest first.
        rows: Vec<AuditRow>,
    },
    /// What the cross-check found; empty when everything fits.
    Checked {
        /// One sentence each.
        findings: Vec<String>,
        /// Token pointers that a crash had left behind, and that were removed.
        orphaned: usize,
    },
}

/// Something of a tenant's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Of<T> {
    /// The tenant's name.
    pub tenant: String,
    /// What it is.
    #[serde(flatten)]
    pub what: T,
}

/// A row of the history as it travels: bytes as text, so that the chain can be verified at the other end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// The unit's number.
    pub seq: u64,
    /// Its link, hexadecimal.
    pub link: String,
    /// SHA-256 of the values, hexadecimal.
    pub values_digest: String,
    /// The facts, as they were chained.
    pub facts: String,
    /// The values, as they were digested; empty once erased.
    pub values: String,
}

impl From<LogRow> for AuditRow {
    fn from(row: LogRow) -> Self {
        Self {
            seq: row.seq.0,
            link: super::commit::hex(&row.link.0),
            values_digest: super::commit::hex(&row.values_digest),
            facts: String::from_utf8_lossy(&row.facts).into_owned(),
            values: String::from_utf8_lossy(&row.values).into_owned(),
        }
    }
}

impl Roster {
    /// Does what an operator asks for.
    pub fn operate(&self, command: Command, request: RequestId) -> Result<Reply, RosterError> {
        match command {
            Command::TenantCreate { name } => self.create_tenant(&name, request).map(|()| Reply::Done),
            Command::TenantList => Ok(Reply::Tenants { tenants: self.tenants()? }),
            Command::ConnectionCreate { tenant, name, profile } => {
                let id = self.create_connection(&self.operator(&tenant, request)?, &name, &profile)?;
                Ok(Reply::Connection { id })
            }
            Command::ConnectionList { tenant } => {
                Ok(Reply::Connections { connections: self.of_each(tenant, request, Self::connections)? })
            }
            Command::TokenCreate { tenant, connection, scopes, days, secret } => {
                let caller = self.operator(&tenant, request)?;
                let scopes = if scopes.is_empty() {
                    Scopes::idp()
                } else {
                    Scopes::of(scopes.iter().map(|name| Scope::parse(name)).collect::<Result<Vec<_>, _>>()?)
                };
                let lifetime =
                    days.map(|days| SignedDuration::from_hours(24_i64.saturating_mul(days.into())));
                let issued = self.create_token(&caller, &connection, scopes, lifetime, secret.as_deref())?;
                Ok(Reply::Token { id: issued.id, secret: issued.secret.to_string(), expires: issued.expires })
            }
            Command::TokenList { tenant } => {
                Ok(Reply::Tokens { tokens: self.of_each(tenant, request, Self::tokens)? })
            }
            Command::TokenRevoke { id } => {
                let unknown = || {
                    RosterError::Unfit("no live token has this id; rosterd token list shows them".to_owned())
                };
                let id = TokenId::parse(&id).map_err(|_| unknown())?;
                let all = self.of_each(None, request, Self::tokens)?;
                let holder = all.into_iter().find(|token| token.what.id == id).ok_or_else(unknown)?;
                self.revoke_token(&self.operator(&holder.tenant, request)?, id).map(|()| Reply::Done)
            }
            Command::AdminCreate { tenant, user_name, display_name } => {
                let caller = self.operator(&tenant, request)?;
                let made = self.create_administrator(&caller, &user_name, display_name.as_deref())?;
                Ok(Reply::Administrator {
                    person: made.person,
                    invitation: made.secret.to_string(),
                    expires: made.expires,
                })
            }
            Command::AuditPage { tenant, after, limit } => {
                let tenant = match tenant {
                    Some(name) => self.operator(&name, request)?.tenant,
                    None => TenantId::SYSTEM,
                };
                let rows = self.store.snapshot()?.changes(tenant, Seq(after), limit)?;
                Ok(Reply::Audit { rows: rows.into_iter().map(AuditRow::from).collect() })
            }
            Command::Check => {
                let orphaned = self.remove_orphaned_pointers()?;
                let findings = self.store.check(&mut |rows| tracing::debug!(rows, "checking"))?;
                let sentence =
                    |finding: crate::store::Finding| format!("{}: {}", finding.tenant, finding.what);
                Ok(Reply::Checked { findings: findings.into_iter().map(sentence).collect(), orphaned })
            }
        }
    }

    /// Lists something of one tenant, or of each.
    fn of_each<T>(
        &self,
        tenant: Option<String>,
        request: RequestId,
        list: impl Fn(&Self, &Caller) -> Result<Vec<T>, RosterError>,
    ) -> Result<Vec<Of<T>>, RosterError> {
        let names = match tenant {
            Some(name) => vec![name],
            None => self.tenants()?.into_iter().map(|tenant| tenant.name).collect(),
        };
        let mut all = Vec::new();
        for tenant in names {
            let of_one = list(self, &self.operator(&tenant, request)?)?;
            all.extend(of_one.into_iter().map(|what| Of { tenant: tenant.clone(), what }));
        }
        Ok(all)
    }
}
