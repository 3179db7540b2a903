//! The loads: what is measured. To add one is an entry in [`LOADS`] and the function that it names.
//!
//! Before each turn that function prepares who takes part, in their order: references and daemons. It also sends each request once and looks
//! at what the answer says, so that nothing is measured that does not do what its name says.

mod fairness;
mod groups;
mod hanging;
mod lists;
mod mixed;
mod plugged;
mod reads;
mod scans;
mod storage;
mod sync;
mod verify;
mod writes;

use std::pin::Pin;

use super::BenchError;
use super::contestant::Contestant;
use super::session::Session;

/// Something that is done again and again.
pub struct Load {
    /// The name in the requirements.
    pub name: &'static str,
    /// The name by which people remember it.
    pub word: &'static str,
    /// What is done.
    pub what: &'static str,
    /// Whether it fills a folder of its own with as many users as the largest daemon has, and removes it.
    pub(super) has_own_folder: bool,
    /// Whether it needs nothing but requests, so that the daemons may keep their people in a database.
    pub by_requests: bool,
    /// Prepares a turn.
    pub(super) prepare: for<'s> fn(&'s mut Session<'_>) -> Preparing<'s>,
}

type Preparing<'s> = Pin<Box<dyn Future<Output = Prepared> + 's>>;

/// Who takes part in a turn, in which order. The same in each turn.
type Prepared = Result<Vec<Contestant>, BenchError>;

/// Every load, in the order in which they run: those that leave the number of users alone come first.
pub static LOADS: [Load; 17] = [
    Load {
        name: "L2",
        word: "get",
        what: "read a user by id",
        has_own_folder: false,
        by_requests: true,
        prepare: |session| Box::pin(reads::get(session)),
    },
    Load {
        name: "L3",
        word: "find",
        what: "find a user by userName",
        has_own_folder: false,
        by_requests: true,
        prepare: |session| Box::pin(reads::find(session)),
    },
    Load {
        name: "L4",
        word: "find-external",
        what: "find a user by externalId",
        has_own_folder: false,
        by_requests: true,
        prepare: |session| Box::pin(reads::find_external(session)),
    },
    Load {
        name: "L5",
        word: "list",
        what: "list a page of 100 users: first, middle, last, by index and by cursor",
        has_own_folder: false,
        by_requests: true,
        prepare: |session| Box::pin(lists::pages(session)),
    },
    Load {
        name: "L10",
        word: "scan",
        what: "find users by what no index knows",
        has_own_folder: false,
        by_requests: true,
        prepare: |session| Box::pin(scans::scans(session)),
    },
    Load {
        name: "P19",
        word: "verify",
        what: "ask whether somebody may come to a program (forward-auth)",
        has_own_folder: false,
        by_requests: false,
        prepare: |session| Box::pin(verify::verify(session)),
    },
    Load {
        name: "L6",
        word: "patch",
        what: "deactivate and reactivate a user by PATCH",
        has_own_folder: false,
        by_requests: true,
        prepare: |session| Box::pin(writes::activate(session)),
    },
    Load {
        name: "L7",
        word: "put",
        what: "replace a user by PUT",
        has_own_folder: false,
        by_requests: true,
        prepare: |session| Box::pin(writes::put(session)),
    },
    Load {
        name: "L8",
        word: "group",
        what: "add members to a group and remove them, by one and by 100; read it, with and without its members",
        has_own_folder: false,
        by_requests: true,
        prepare: |session| Box::pin(groups::groups(session)),
    },
    Load {
        name: "R25",
        word: "fairness",
        what: "read and change one tenant's users, alone and while another tenant sends all it can",
        has_own_folder: false,
        by_requests: false,
        prepare: |session| Box::pin(fairness::fairness(session)),
    },
    Load {
        name: "R30",
        word: "hanging",
        what: "ask whether somebody may come to a program, alone and while identity providers hang and people try to sign in",
        has_own_folder: false,
        by_requests: false,
        prepare: |session| Box::pin(hanging::hanging(session)),
    },
    Load {
        name: "P14",
        word: "sync",
        what: "look for every user of an empty daemon and create them: the last tenth against the first",
        has_own_folder: true,
        by_requests: false,
        prepare: |session| Box::pin(sync::first_sync(session)),
    },
    Load {
        name: "P16",
        word: "disk",
        what: "what users take on the disk, created and changed, and how long a daemon takes to open them after a stop and a kill",
        has_own_folder: true,
        by_requests: false,
        prepare: |session| Box::pin(storage::storage(session)),
    },
    Load {
        name: "L9",
        word: "mixed",
        what: "look for users and change or create them, and change a group, as Entra does: at a fixed pace (--rate, --steady)",
        has_own_folder: false,
        by_requests: true,
        prepare: |session| Box::pin(mixed::mixed(session)),
    },
    Load {
        name: "P17",
        word: "plugin",
        what: "create a user without and with a plugin, alone and fifty in a Bulk request (needs plugins/dist)",
        has_own_folder: false,
        by_requests: false,
        prepare: |session| Box::pin(plugged::plugged(session)),
    },
    Load {
        name: "L1",
        word: "create",
        what: "create a user",
        has_own_folder: false,
        by_requests: true,
        prepare: |session| Box::pin(writes::create(session)),
    },
    Load {
        name: "P5",
        word: "postgres",
        what: "create a user, beside PostgreSQL inserting a document (needs its server and pgbench)",
        has_own_folder: false,
        by_requests: true,
        prepare: |session| Box::pin(writes::durable(session)),
    },
];

impl Load {
    /// Finds a load by either of its names.
    pub fn named(name: &str) -> Result<&'static Self, String> {
        let found = LOADS
            .iter()
            .find(|load| load.name.eq_ignore_ascii_case(name) || load.word.eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            let known: Vec<String> =
                LOADS.iter().map(|load| format!("{} ({})", load.name, load.word)).collect();
            format!("expected one of {}", known.join(", "))
        })
    }
}

impl std::fmt::Debug for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Load {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
