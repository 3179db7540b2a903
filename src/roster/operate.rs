//! The operator's commands as plain data: what the command line says to a daemon through its socket, or does
//! itself where no daemon holds the folder.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::error::RosterError;
use super::schemas::SchemaDone;
use super::scope::{Scope, Scopes};
use super::{
    Caller, ClientKind, ClientView, ConnectionChange, ConnectionOptions, ConnectionView, Deed, Federation,
    IssuedSecret, NewToken, PeopleAnswer, PeopleAsk, PluginAnswer, PluginAsk, Roster, SchemaView, TenantView,
    TokenView,
};
use crate::ids::{ClientId, ConnectionId, RequestId, ResourceId, TenantId, TokenId};
use crate::store::{LogRow, Seq};

/// Bytes of history at which a page takes no more rows: one row of a large group is megabytes by itself.
const AUDIT_PAGE_BYTES_MAX: usize = 8 << 20;
/// Rows that are read from the store at a time.
const AUDIT_ROWS_AT_ONCE: usize = 4;

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
        /// What it may beyond the ordinary.
        #[serde(default)]
        options: ConnectionOptions,
    },
    /// Changes a connection.
    ConnectionSet {
        /// Whose.
        tenant: String,
        /// Its name.
        name: String,
        /// What is to change.
        change: ConnectionChange,
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
        /// As whom it acts: an id or a userName.
        #[serde(default)]
        person: Option<String>,
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
    /// Makes a client of a connection.
    ClientCreate {
        /// Whose.
        tenant: String,
        /// Of which connection.
        connection: String,
        /// What it may do; an IdP's scopes when empty.
        scopes: Vec<String>,
        /// How it proves itself.
        kind: ClientKind,
        /// Days until its secret stops working.
        days: u32,
    },
    /// Lists clients.
    ClientList {
        /// Whose; everybody's when `None`.
        tenant: Option<String>,
    },
    /// Gives a client another secret.
    ClientSecretAdd {
        /// Which client.
        client: String,
        /// Days until it stops working.
        days: u32,
    },
    /// Ends a client's secret.
    ClientSecretRevoke {
        /// Which client.
        client: String,
        /// Which secret.
        id: String,
    },
    /// Pins whose assertions stand for a client.
    ClientFederate {
        /// Which client.
        client: String,
        /// What is pinned.
        federation: Federation,
    },
    /// Ends a client, with its secrets and access tokens.
    ClientRevoke {
        /// Which.
        client: String,
    },
    /// Adds a schema.
    SchemaAdd {
        /// Whose.
        tenant: String,
        /// The document.
        document: String,
        /// Which connections see it.
        connections: Vec<String>,
    },
    /// Puts a new version of a schema in the place of the one that holds.
    SchemaUpdate {
        /// Whose.
        tenant: String,
        /// The document.
        document: String,
    },
    /// Lists schemas.
    SchemaList {
        /// Whose; everybody's when `None`.
        tenant: Option<String>,
    },
    /// Shows the document of a schema.
    SchemaShow {
        /// Whose.
        tenant: String,
        /// Its URN.
        id: String,
        /// Which version; the one that holds when `None`.
        version: Option<u32>,
    },
    /// Gives a schema to connections.
    SchemaGive {
        /// Whose.
        tenant: String,
        /// Its URN.
        id: String,
        /// To which.
        connections: Vec<String>,
    },
    /// Takes a schema from connections.
    SchemaTake {
        /// Whose.
        tenant: String,
        /// Its URN.
        id: String,
        /// From which.
        connections: Vec<String>,
    },
    /// Removes a schema that no resource carries.
    SchemaRemove {
        /// Whose.
        tenant: String,
        /// Its URN.
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
        /// How many rows at most. Fewer come where they are large; none when there are no more.
        limit: usize,
    },
    /// Erases what is left of a person who was deleted.
    Erase {
        /// Whose.
        tenant: String,
        /// Who, by id.
        person: String,
    },
    /// People as rows, in or out.
    People {
        /// Whose.
        tenant: String,
        /// What is asked.
        ask: PeopleAsk,
    },
    /// Operators' plugins, and who is mapped by them.
    Plugins {
        /// Whose.
        tenant: String,
        /// What is asked.
        ask: PluginAsk,
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
    /// A client, new or with something new.
    Client {
        /// Its id.
        client: ClientId,
        /// Its new secret, which is shown once.
        secret: Option<NewSecret>,
        /// The public URL of `/scim/v2`, where a daemon answers, which knows it.
        base_url: Option<String>,
    },
    /// The clients.
    Clients {
        /// By tenant and connection.
        clients: Vec<Of<ClientView>>,
    },
    /// A schema that was added or changed.
    Schema {
        /// Its URN.
        id: String,
        /// The version that holds now.
        version: u32,
        /// How many resources were indexed.
        indexed: usize,
        /// What its author may not have meant.
        warnings: Vec<String>,
    },
    /// The schemas.
    Schemas {
        /// By tenant and URN.
        schemas: Vec<Of<SchemaView>>,
    },
    /// The document of a schema.
    Document {
        /// As it was taken, with everything said that its author left out.
        document: serde_json::Value,
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
    /// What is left of a person was erased.
    Erased {
        /// How many entries of the history had values.
        entries: u64,
    },
    /// People as rows.
    People {
        /// What is answered.
        answer: PeopleAnswer,
    },
    /// About plugins.
    Plugins {
        /// What is answered.
        answer: PluginAnswer,
    },
    /// What the cross-check found; empty when everything fits.
    Checked {
        /// One sentence each.
        findings: Vec<String>,
        /// Token pointers that a crash had left behind, and that were removed.
        orphaned: usize,
    },
}

/// A client's new secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewSecret {
    /// Its id, by which it is revoked.
    pub id: TokenId,
    /// The secret.
    pub secret: String,
    /// When it stops working.
    pub expires: Timestamp,
}

impl From<IssuedSecret> for NewSecret {
    fn from(issued: IssuedSecret) -> Self {
        Self { id: issued.id, secret: issued.secret.to_string(), expires: issued.expires }
    }
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

impl From<SchemaDone> for Reply {
    fn from(done: SchemaDone) -> Self {
        let SchemaDone { id, version, indexed, warnings } = done;
        Self::Schema { id, version, indexed, warnings }
    }
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
            Command::ConnectionCreate { tenant, name, profile, options } => {
                let caller = self.operator(&tenant, request)?;
                let id = self.create_connection(&caller, &name, &profile, options)?;
                Ok(Reply::Connection { id })
            }
            Command::ConnectionSet { tenant, name, change } => {
                let what = self.change_connection(&self.operator(&tenant, request)?, &name, &change)?;
                Ok(Reply::Connections { connections: vec![Of { tenant, what }] })
            }
            Command::ConnectionList { tenant } => {
                Ok(Reply::Connections { connections: self.of_each(tenant, request, Self::connections)? })
            }
            Command::TokenCreate { tenant, connection, scopes, days, secret, person } => {
                let caller = self.operator(&tenant, request)?;
                let wanted = NewToken {
                    scopes: scopes_named(&scopes)?,
                    lifetime: days.map(whole_days),
                    brought: secret.as_deref(),
                    person: person.as_deref(),
                };
                let issued = self.issue_token(&caller, &connection, wanted)?;
                Ok(Reply::Token { id: issued.id, secret: issued.secret.to_string(), expires: issued.expires })
            }
            Command::TokenList { tenant } => {
                Ok(Reply::Tokens { tokens: self.of_each(tenant, request, Self::tokens)? })
            }
            Command::TokenRevoke { id } => {
                let unknown = || {
                    RosterError::Unknown(
                        "no live token has this id; rosterd token list shows them".to_owned(),
                    )
                };
                let id = TokenId::parse(&id).map_err(|_| unknown())?;
                let all = self.of_each(None, request, Self::tokens)?;
                let holder = all.into_iter().find(|token| token.what.id == id).ok_or_else(unknown)?;
                self.revoke_token(&self.operator(&holder.tenant, request)?, id).map(|()| Reply::Done)
            }
            Command::ClientCreate { tenant, connection, scopes, kind, days } => {
                let caller = self.operator(&tenant, request)?;
                let scopes = scopes_named(&scopes)?;
                let (client, issued) =
                    self.create_client(&caller, &connection, scopes, kind, whole_days(days))?;
                Ok(Reply::Client { client, secret: issued.map(NewSecret::from), base_url: None })
            }
            Command::ClientList { tenant } => {
                Ok(Reply::Clients { clients: self.of_each(tenant, request, Self::clients)? })
            }
            Command::ClientSecretAdd { client, days } => {
                let (caller, client) = self.operator_of_client(&client, request)?;
                let issued = self.add_secret(&caller, client, whole_days(days))?;
                Ok(Reply::Client { client, secret: Some(issued.into()), base_url: None })
            }
            Command::ClientSecretRevoke { client, id } => {
                let (caller, client) = self.operator_of_client(&client, request)?;
                let id = TokenId::parse(&id).map_err(|_| {
                    RosterError::Unfit("no secret has this id; rosterd client list shows them".to_owned())
                })?;
                self.revoke_secret(&caller, client, id).map(|()| Reply::Done)
            }
            Command::ClientFederate { client, federation } => {
                let (caller, client) = self.operator_of_client(&client, request)?;
                self.federate(&caller, client, &federation)?;
                Ok(Reply::Client { client, secret: None, base_url: None })
            }
            Command::ClientRevoke { client } => {
                let (caller, client) = self.operator_of_client(&client, request)?;
                self.revoke_client(&caller, client).map(|()| Reply::Done)
            }
            Command::SchemaAdd { tenant, document, connections } => {
                let done = self.add_schema(&self.operator(&tenant, request)?, &document, &connections)?;
                Ok(done.into())
            }
            Command::SchemaUpdate { tenant, document } => {
                Ok(self.update_schema(&self.operator(&tenant, request)?, &document)?.into())
            }
            Command::SchemaList { tenant } => {
                Ok(Reply::Schemas { schemas: self.of_each(tenant, request, Self::schemas)? })
            }
            Command::SchemaShow { tenant, id, version } => {
                let document = self.schema_document(&self.operator(&tenant, request)?, &id, version)?;
                Ok(Reply::Document { document })
            }
            Command::SchemaGive { tenant, id, connections } => {
                self.give_schema(&self.operator(&tenant, request)?, &id, &connections).map(|()| Reply::Done)
            }
            Command::SchemaTake { tenant, id, connections } => {
                self.take_schema(&self.operator(&tenant, request)?, &id, &connections).map(|()| Reply::Done)
            }
            Command::SchemaRemove { tenant, id } => {
                self.remove_schema(&self.operator(&tenant, request)?, &id).map(|()| Reply::Done)
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
                Ok(Reply::Audit { rows: self.audit_page(tenant, Seq(after), limit)? })
            }
            Command::Erase { tenant, person } => {
                let caller = self.operator(&tenant, request)?;
                let person = ResourceId::parse(&person).map_err(|error| {
                    RosterError::Malformed(format!(
                        "{error}; rosterd audit export shows the ids of those who were deleted"
                    ))
                })?;
                let permit = self.may(&caller, Deed::ErasePeople)?;
                Ok(Reply::Erased { entries: self.erase(&caller, permit, person)? })
            }
            Command::People { tenant, ask } => {
                let answer = self.people_as_rows(&self.operator(&tenant, request)?, ask)?;
                Ok(Reply::People { answer })
            }
            Command::Plugins { tenant, ask } => {
                let answer = self.about_plugins(&self.operator(&tenant, request)?, ask)?;
                Ok(Reply::Plugins { answer })
            }
            Command::Check => {
                let orphaned = self.remove_orphaned_pointers()?;
                let mut findings = self.store.check(&mut |rows| tracing::debug!(rows, "checking"))?;
                findings.extend(self.check_people()?);
                let sentence =
                    |finding: crate::store::Finding| format!("{}: {}", finding.tenant, finding.what);
                Ok(Reply::Checked { findings: findings.into_iter().map(sentence).collect(), orphaned })
            }
        }
    }

    /// Reads rows of a history until there are enough or they are large enough: at least one, unless there is none.
    fn audit_page(&self, tenant: TenantId, after: Seq, limit: usize) -> Result<Vec<AuditRow>, RosterError> {
        let snapshot = self.store.snapshot()?;
        let (mut rows, mut bytes, mut after) = (Vec::new(), 0_usize, after);
        while rows.len() < limit && bytes < AUDIT_PAGE_BYTES_MAX {
            let few = limit.saturating_sub(rows.len()).min(AUDIT_ROWS_AT_ONCE);
            let read = snapshot.changes(tenant, after, few)?;
            let Some(last) = read.last() else { break };
            after = last.seq;
            for row in read {
                bytes = bytes.saturating_add(row.facts.len()).saturating_add(row.values.len());
                rows.push(AuditRow::from(row));
            }
        }
        Ok(rows)
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

/// Reads names of scopes; an IdP's where there are none.
fn scopes_named(names: &[String]) -> Result<Scopes, RosterError> {
    if names.is_empty() {
        return Ok(Scopes::idp());
    }
    Ok(Scopes::of(names.iter().map(|name| Scope::parse(name)).collect::<Result<Vec<_>, _>>()?))
}

fn whole_days(days: u32) -> SignedDuration {
    SignedDuration::from_hours(24_i64.saturating_mul(days.into()))
}

#[cfg(test)]
mod tests;
