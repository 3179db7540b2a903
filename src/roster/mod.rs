//! The use cases: what one may do with a firm's people, each in a file of its own.
//!
//! Read in this order: `scope` (who is asking), `credentials` (how that is found out), `ended` (who still comes with a revoked one), `clients` and
//! `grants` (of those that fetch their tokens by themselves), `commit` (how an answer becomes durable), `lines` (who goes next where several want the same), `led` (which changes a request led to),
//! `refusals` (how many of them are written down), `view` (what is given back), then the use cases `create`, `replace`,
//! `patch`, `remove` (with `depart`, `rehire`), `locks`, `holds`, `memos`, `owner`, `due`, `people` (as administrators look at them), `power` (what those who act as a person may change), `remaining` (who still administers), `query` (with `candidates`, `known`, `scan`, `found` and `cursor`), `bulk`, `sheet` (people in and out as rows), with `authority` (what a connection may write), `members` (edges), `index` (under which
//! values a record is found) and `keyed` (the same for attributes of schemas of one's own), `sight` (which schemas a connection sees), `policies` (what its tenant has decided), `hooks` (what operators' plugins are asked) and `asked` (when, and what becomes of what they answer), `shadow` (what
//! none of them knows); `tenants`, `admins` and `schemas` for the operator, `operate` for the operator's commands as plain data.
//!
//! Synchronous and free of I/O but for the store. Knows no HTTP and no status code. Reads the clock once per request, when it
//! makes the caller.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod admins;
mod adopt;
mod asked;
mod authority;
mod bound;
mod bulk;
mod candidates;
mod census;
mod clients;
mod commit;
mod create;
mod credentials;
mod cursor;
mod depart;
mod due;
mod edges;
mod ended;
mod erase;
mod error;
mod face;
mod found;
mod grants;
mod holds;
pub mod hooks;
#[cfg(any(test, feature = "testing"))]
pub mod hostile;
mod index;
mod keyed;
mod known;
mod lease;
mod led;
mod leniencies;
mod lines;
mod locks;
mod members;
mod memos;
mod money;
mod operate;
mod owner;
mod patch;
mod people;
mod permits;
mod person;
mod policies;
mod power;
mod query;
mod reading;
mod reclaim;
mod references;
mod refusals;
mod rehire;
mod remaining;
mod remove;
mod repair;
mod replace;
mod retention;
mod rights;
mod rows;
mod rules;
mod scan;
mod schemas;
mod scope;
mod shadow;
mod sheet;
mod sight;
mod signin;
mod tenants;
mod trail;
mod view;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

use jiff::Timestamp;

pub use admins::Invitation;
pub use asked::{
    Counts as PluginCounts, Mended, ParkedView, Parking, PluginAnswer, PluginAsk, Reaction, Recorded,
    Remapped, Replayed,
};
pub use bulk::{Answered, Done};
pub use clients::{
    ASSERTION_MINUTES_MAX, CLIENTS_PER_CONNECTION_MAX, ClientKind, ClientView, FEDERATION_ALGORITHMS,
    Federation, IssuedSecret, SECRET_PREFIX, SECRETS_PER_CLIENT_MAX, Schemes, SecretView,
};
pub use commit::{hex, unhex};
pub use credentials::{
    Issued, NewToken, TOKEN_CHARACTERS_MIN, TOKEN_PREFIX, TOKENS_BOUND_MAX, TOKENS_OF_LOCAL_MAX,
    TOKENS_PER_CONNECTION_MAX, TokenView,
};
pub use cursor::CURSOR_SECONDS_MAX;
pub use due::{Look, Looked};
pub use edges::{Edges, MEMBERS_PAGE_ROWS, Member, MemberFace, Members};
pub use error::RosterError;
pub use grants::{
    ACCESS_PER_CLIENT_MAX, ACCESS_PREFIX, ASSERTIONS_PER_CLIENT_MAX, Candidate, Denied, Granted, Known, Once,
    Proven, Shown,
};
pub use holds::{HOLDS_PER_PERSON_MAX, Hold, WORD_CHARACTERS_MAX};
pub use lease::Lease;
pub use led::Led;
pub use leniencies::Used;
pub use locks::{REASON_CHARACTERS_MAX, refuse_oneself};
pub use memos::{MEMO_CHARACTERS_MAX, MEMOS_PER_PERSON_MAX, Memo};
pub use money::is_money;
pub use operate::{AuditRow, Command, NewSecret, Of, Reply};
pub use people::{Card, Found, LicenseView, Namesakes, PersonView, Sought, State};
pub use permits::{Deed, Permit};
pub use query::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Page, Part, Query, Start, Views};
pub use rights::Rights;
pub use scan::{SCAN_ROWS_MAX, SCAN_SECONDS_MAX};
pub use schemas::{SCHEMAS_PER_TENANT_MAX, SchemaDone, SchemaView, check_schema};
pub use scope::{Caller, ConnectionOptions, Rests, Scope, Scopes};
pub use shadow::{SHADOW, SHADOW_ATTRIBUTES_MAX, SHADOW_BYTES_MAX};
pub use sheet::{
    Flaw, MatchBy, PEOPLE_COLUMNS, PeopleAnswer, PeopleAsk, Row, RowDone, SeatsTaken, SoFar, Verdict,
    is_money_column,
};
pub use signin::{
    AppVisit, CONTACT_CHARACTERS_MAX, ChangedPassword, Claim, Contact, Dead, Entered, Entry as SignInEntry,
    FLEETING_BYTES_MAX, FLEETING_MAX, FirstPassword, FreshSigningKey, GROUPS_SHOWN_MAX, INVITATION, Identity,
    KnownPassword, Letter, LetterKind, Lifetimes, LinkView, Live, MAGIC_LINK, Mailed, MailedKey, MailedView,
    MeansView, Method as SignInMethod, NotLinked, NotProved, NotShown, Order as LinkOrder, OrderedBy,
    PasswordContext, Principal, Purpose as LinkPurpose, RECOVERY_CODES_MAX, RESET, Refused, SENT_AGAIN,
    SHOWN_BYTES_MAX, SIGNING_KEYS_REMEMBERED, Seal, Second, SecondFactor, Sent, SessionKey, SessionView,
    Showing, Shown as ShownToApp, SigningKey, SigningKeys, Turn as SigningKeyTurn, Turned, WRONG_CODES_MAX,
    Whose, letter_place,
};
pub use tenants::{ConnectionChange, ConnectionView, TenantView};
pub use trail::{Stretch, Trail, Wanted};
pub use view::{Precondition, View};

use crate::chance::Chance;
use crate::clock::Clock;
use crate::ids::{ConnectionId, RequestId, TenantId};
pub use crate::psa::locks::{Authority, Lock};
pub use crate::psa::policy::Way;
pub use crate::psa::urn::USER as PSA_USER;
use crate::scim::Document;
pub use crate::scim::custom::DOCUMENT_BYTES_MAX as SCHEMA_BYTES_MAX;
use crate::scim::schema::Kinds;
use crate::store::{PAGE_ROWS_MAX, SmallRow, Snapshot, Space, Store, Stored, Watched, Watcher};

/// The built-in connection of every tenant, through which its own administrators work.
pub const LOCAL: ConnectionId = ConnectionId::from_bytes([0; 16]);
/// Its name.
pub const LOCAL_NAME: &str = "local";

/// A firm's people, and everything one may do with them. Shared by every thread.
pub struct Roster {
    store: Arc<dyn Store>,
    /// The same store, for whoever wants to be told of commits.
    watched: Arc<Watched>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    schemas: sight::Schemas,
    policies: policies::Held,
    plugins: asked::Loaded,
    credentials: Arc<credentials::Credentials>,
    ended: ended::Ended,
    refusals: refusals::Refusals,
    leniencies: leniencies::Leniencies,
    lines: lines::Lines,
    rights: rights::Remembered,
    shown: signin::Remembered,
    failures: refusals::Refusals,
    issues: refusals::Refusals,
    turned: refusals::Refusals,
    /// Held from a token's pointer to its row.
    making_tokens: Mutex<()>,
    cursor_key: OnceLock<cursor::CursorKey>,
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster").finish_non_exhaustive()
    }
}

impl Roster {
    /// Opens the roster that a store holds.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Self {
        let watched = Arc::new(Watched::new(store));
        let credentials = Arc::new(credentials::Credentials::default());
        let held = Arc::clone(&credentials);
        watched.follow(Arc::new(move |tenant, seq| held.changed_elsewhere(tenant, seq)));
        Self {
            store: Arc::clone(&watched) as Arc<dyn Store>,
            watched,
            clock,
            chance,
            schemas: sight::Schemas::default(),
            policies: policies::Held::default(),
            plugins: asked::Loaded::default(),
            credentials,
            ended: ended::Ended::default(),
            refusals: refusals::Refusals::default(),
            leniencies: leniencies::Leniencies::default(),
            lines: lines::Lines::default(),
            rights: rights::Remembered::default(),
            shown: signin::Remembered::default(),
            failures: refusals::Refusals::default(),
            issues: refusals::Refusals::default(),
            turned: refusals::Refusals::default(),
            making_tokens: Mutex::default(),
            cursor_key: OnceLock::new(),
        }
    }

    /// Lists the kinds of resource with the built-in extensions; what a caller sees is for [`Caller::kinds`] to say.
    pub fn kinds(&self) -> &Kinds {
        self.schemas.built_in()
    }

    /// Returns the store, for health and checks.
    pub fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// Has somebody told of every commit that a history grew by; soon after also of those of other processes on the same store.
    pub fn watch(&self, watcher: Watcher) {
        self.store.follow(Arc::clone(&watcher));
        self.watched.watch(watcher);
    }

    /// Reads the clock, to the millisecond: finer digits would tell nobody anything.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// Tells what time it is here, for checks that stand before a caller.
    pub fn current_time(&self) -> Timestamp {
        self.now()
    }

    /// Makes the name of a request.
    pub fn request_id(&self) -> RequestId {
        RequestId::new(self.chance.uuid(self.clock.now()))
    }
}

/// Reads the attributes of a record's core schema.
fn core(stored: &Stored) -> Result<Document, RosterError> {
    Document::from_segments(stored.segments().take(1))
        .map_err(|error| RosterError::Broken(format!("{}: {error}", stored.at().id)))
}

/// Reads a whole drawer. For drawers that operators fill, which are small.
fn all_small(snapshot: &dyn Snapshot, tenant: TenantId, space: Space) -> Result<Vec<SmallRow>, RosterError> {
    let mut rows: Vec<SmallRow> = Vec::new();
    loop {
        let after = rows.last().map(|row| row.key.clone());
        let page = snapshot.small_range(tenant, space, &[], after.as_deref(), PAGE_ROWS_MAX)?;
        let last = page.len() < PAGE_ROWS_MAX;
        rows.extend(page);
        if last {
            return Ok(rows);
        }
    }
}
