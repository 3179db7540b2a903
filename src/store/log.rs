//! A tenant's history: one entry per unit, which is the change feed and the audit trail at once.
//!
//! The hash chain covers an entry's facts and a digest of its values, not the values themselves: erasing what a person's
//! attributes were (on a lawful demand) leaves every link provable. The values carry a random salt, so
//! that the digest betrays nothing that can be guessed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::unit::Seq;
use crate::ids::{Address, ClientId, ConnectionId, RequestId, ResourceId, TokenId};

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// A bearer token.
    Token(TokenId),
    /// A person, by a bearer token that is bound to them.
    Bound {
        /// The token.
        token: TokenId,
        /// The person.
        person: ResourceId,
    },
    /// A person, in a session of theirs.
    Person(ResourceId),
    /// A client of a connection, by an access token or by its secret.
    Client(ClientId),
    /// Somebody who may read the data folder, through the command line.
    Cli,
    /// The daemon itself: first start, schedules, repairs.
    System,
}

impl Actor {
    /// Returns the person who did it, where a person did.
    pub const fn person(self) -> Option<ResourceId> {
        match self {
            Self::Bound { person, .. } | Self::Person(person) => Some(person),
            Self::Token(_) | Self::Client(_) | Self::Cli | Self::System => None,
        }
    }
}

/// What was done, as a verb of the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A resource came to be.
    Create,
    /// A resource was replaced (PUT).
    Replace,
    /// A resource was changed in part (PATCH).
    Patch,
    /// An inactive person was restored by a POST.
    Reclaim,
    /// A resource was removed, or a person departed: nobody is served it any more.
    Delete,
    /// Somebody who had departed came back.
    Rehire,
    /// A person was locked.
    Lock,
    /// A lock on a person was taken back.
    Unlock,
    /// A person's schedule had its effect.
    Schedule,
    /// A program said that it has records of a person.
    Hold,
    /// A program said that it has none any more.
    HoldRelease,
    /// A person signed in.
    SignIn,
    /// A sign-in was refused.
    SignInRefuse,
    /// Somebody began to act for another or stopped, or a program was told that they may do something for them.
    ActFor,
    /// A session was ended.
    SignOut,
    /// Everything that a person had signed in with was ended, or that was signed in with through a provider.
    SignInsEnd,
    /// An identity at a provider was said to be a person's.
    IdentityLink,
    /// It was said to be nobody's any more.
    IdentityUnlink,
    /// A person was given a password, or has set one.
    PasswordSet,
    /// A person's password was taken from them.
    PasswordClear,
    /// It was said how a person signs in.
    SignInMethodSet,
    /// A link was made that lets a person in, or lets them set a password.
    LinkIssue,
    /// A person has set up a second factor.
    SecondFactorSet,
    /// A person's second factor was taken away.
    SecondFactorClear,
    /// A mail to a person was given up.
    LetterDrop,
    /// A memo about a person was written.
    MemoAdd,
    /// A memo about a person was removed.
    MemoRemove,
    /// A request was refused for lack of a right.
    Refuse,
    /// A tenant came to be.
    TenantCreate,
    /// A connection came to be.
    ConnectionCreate,
    /// A connection's profile or options changed.
    ConnectionChange,
    /// A token was made.
    TokenCreate,
    /// A token was revoked.
    TokenRevoke,
    /// What the history had of a person's attributes was erased.
    Erase,
    /// An administrator was made.
    AdminCreate,
    /// A person became an administrator.
    AdminMake,
    /// An administrator became a person like others.
    AdminUnmake,
    /// The account got another owner.
    OwnerTransfer,
    /// A client was made.
    ClientCreate,
    /// A client was revoked, with all that it had been given.
    ClientRevoke,
    /// A client was given a secret.
    SecretCreate,
    /// A client's secret was revoked, with the access tokens it had fetched.
    SecretRevoke,
    /// An issuer was pinned whose assertions stand for the client.
    ClientFederate,
    /// A client fetched an access token.
    AccessIssue,
    /// A schema was added.
    SchemaAdd,
    /// A schema was changed, or what it makes findable was indexed.
    SchemaUpdate,
    /// A schema was given to connections.
    SchemaGive,
    /// A schema was taken from connections.
    SchemaTake,
    /// A schema was removed.
    SchemaRemove,
    /// What a webhook had set aside is to be delivered again.
    WebhookReplay,
    /// Something that a webhook had set aside is not to be delivered any more.
    WebhookDiscard,
    /// Plugins were asked again what follows of a person.
    Remap,
    /// The keys that sign for programs downstream were turned.
    SigningKeysTurn,
}

/// One attribute's change. `old` and `new` are absent where the value is secret, or did not exist.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The attribute in canonical spelling, with its schema URN in front when an extension defines it.
    pub attribute: String,
    /// What stood there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// What stands there now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
    /// Which operation of a PATCH was the last to set it, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<usize>,
    /// Which leniencies it needed (as [`Facts::notes`] has them).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Whether it is for those only who may see money: value and name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub money: bool,
    /// Of a history by dates: the first day on which what holds is no longer what it was, as in `2026-03-01` (H13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

impl Change {
    /// Says what an attribute was and became, and nothing of how.
    pub fn of(attribute: impl Into<String>, old: Option<Value>, new: Option<Value>) -> Self {
        Self { attribute: attribute.into(), old, new, ..Self::default() }
    }
}

/// What the history keeps of a unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The part that is chained and never erased.
    pub facts: Facts,
    /// The part that can be erased.
    pub values: Values,
}

impl Eq for Entry {}

/// Who did what, when, to what, on which request, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// When, by the daemon's clock.
    pub when: Timestamp,
    /// Who.
    pub who: Actor,
    /// Through which connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// On which request.
    pub request: RequestId,
    /// What was done.
    pub action: Action,
    /// To which resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Address>,
    /// The names of the attributes that changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
    /// `ok`, or in a word why not.
    pub result: String,
    /// Which leniencies the request needed (rule names, `scim-dialects`), for the connection's report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Which plugins were asked what follows for the firm's own side.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<String>,
}

/// What the attributes were and became.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Values {
    /// Random, hexadecimal, so that the digest of a short value cannot be guessed.
    pub salt: String,
    /// The changes, in the order they were made.
    pub changes: Vec<Change>,
    /// What plugins were asked, in the order in which they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
}

/// What a plugin was asked, and what it answered: enough to ask it again and to compare.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Its name.
    pub plugin: String,
    /// `gate`, `map` or `validate`.
    pub hook: String,
    /// What tells the component, its settings and its tables from others.
    pub fingerprint: String,
    /// What the directory was doing.
    pub operation: String,
    /// SHA-256 of what it was shown, hexadecimal; moment and request are not in it.
    pub input: String,
    /// `ok`, or in a word how it failed.
    pub outcome: String,
    /// The fuel that it took.
    #[serde(default)]
    pub fuel: u64,
    /// What it proposed, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proposals: Vec<Proposed>,
    /// What it found, without what refused the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Value>,
}

/// One proposal of a plugin.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Proposed {
    /// What, as an object with one member.
    pub proposal: Value,
    /// Whether it is about money, so that not everybody may see it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub money: bool,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A link of a tenant's hash chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Link(pub [u8; 32]);

/// An entry as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// The unit's number.
    pub seq: Seq,
    /// `SHA-256(previous link ‖ seq as 8 bytes, big-endian ‖ SHA-256 of the values ‖ facts)`.
    pub link: Link,
    /// SHA-256 of the values as they were written.
    pub values_digest: [u8; 32],
    /// [`Facts`] as JSON, byte for byte as chained.
    pub facts: Vec<u8>,
    /// [`Values`] as JSON; empty once erased.
    pub values: Vec<u8>,
}

impl LogRow {
    /// Turns an entry into the row that follows `previous`.
    pub fn chain(previous: Link, seq: Seq, entry: &Entry) -> Result<Self, serde_json::Error> {
        let facts = json_of(&entry.facts, 1 << 10)?;
        let values = json_of(&entry.values, 4 << 10)?;
        let values_digest = Sha256::digest(&values).into();
        let link = Link::after(previous, seq, &values_digest, &facts);
        Ok(Self { seq, link, values_digest, facts, values })
    }

    /// Reads from the facts what the entry is about.
    pub fn subject(&self) -> Result<Option<Address>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Subject {
            #[serde(default)]
            subject: Option<Address>,
        }
        serde_json::from_slice::<Subject>(&self.facts).map(|facts| facts.subject)
    }

    /// Tells whether this row follows `previous` and nothing in it was altered (erased values are lawful).
    pub fn follows(&self, previous: Link) -> bool {
        let values_intact =
            self.values.is_empty() || self.values_digest == <[u8; 32]>::from(Sha256::digest(&self.values));
        values_intact && self.link == Link::after(previous, self.seq, &self.values_digest, &self.facts)
    }
}

/// Writes JSON of about so many bytes.
fn json_of(part: &impl Serialize, bytes: usize) -> Result<Vec<u8>, serde_json::Error> {
    let mut json = Vec::with_capacity(bytes);
    serde_json::to_writer(&mut json, part)?;
    Ok(json)
}

impl Link {
    /// Computes the link of a row from the one before it.
    pub fn after(previous: Self, seq: Seq, values_digest: &[u8; 32], facts: &[u8]) -> Self {
        let hash = Sha256::new()
            .chain_update(previous.0)
            .chain_update(seq.0.to_be_bytes())
            .chain_update(values_digest)
            .chain_update(facts);
        Self(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{RequestId, ResourceId};

    fn entry() -> Entry {
        Entry {
            facts: Facts {
                when: "2026-01-02T03:04:05Z".parse().unwrap(),
                who: Actor::Cli,
                connection: None,
                request: RequestId::from_bytes([7; 16]),
                action: Action::Create,
                subject: Some(Address::user(ResourceId::from_bytes([1; 16]))),
                attributes: vec!["userName".into()],
                result: "ok".into(),
                notes: vec![],
                asked: vec![],
            },
            values: Values {
                salt: "00".into(),
                changes: vec![Change::of("userName", None, Some("ada@acme.test".into()))],
                asked: vec![],
            },
        }
    }

    #[test]
    fn x59_every_altered_byte_of_a_row_breaks_its_link() {
        let row = LogRow::chain(Link::default(), Seq(1), &entry()).unwrap();
        assert!(row.follows(Link::default()));
        assert!(!row.follows(Link([1; 32])));
        for at in 0..row.facts.len() {
            let mut altered = row.clone();
            altered.facts[at] ^= 1;
            assert!(!altered.follows(Link::default()));
        }
        for at in 0..row.values.len() {
            let mut altered = row.clone();
            altered.values[at] ^= 1;
            assert!(!altered.follows(Link::default()));
        }
        let renumbered = LogRow { seq: Seq(2), ..row.clone() };
        assert!(!renumbered.follows(Link::default()));
    }

    #[test]
    fn x60_erased_values_leave_the_chain_provable() {
        let row = LogRow::chain(Link::default(), Seq(1), &entry()).unwrap();
        assert!(LogRow { values: vec![], ..row }.follows(Link::default()));
    }
}
