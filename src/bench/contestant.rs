//! Who takes part in a load, and what each of them does in a turn.

use std::sync::Arc;

use super::BenchError;
use super::child::{Reference, Server};
use super::figures::{Case, Who};
use super::pace::Agenda;
use super::script::Script;
use super::which::Which;

/// Who is measured, doing what.
pub(super) struct Contestant {
    pub(super) case: Case,
    pub(super) who: Who,
    pub(super) act: Act,
}

/// How somebody is measured.
pub(super) enum Act {
    /// Requests to a server.
    Fire(Fire),
    /// Requests to a daemon, each at its time.
    Paced(Paced),
    /// Records appended to a file, flushed in groups.
    Append { record: usize, group: usize },
    /// Records appended for the requests of an agenda that write, each when it is due: the disk alone at the daemon's pace.
    PacedAppend { record: usize, agenda: Arc<dyn Agenda> },
    /// Commits of creates by the engine alone, on a copy of the folder with so many users.
    Engine { users: usize, group: usize },
    /// PostgreSQL inserting, beside as many rows as there are users.
    Inserts { users: usize, clients: usize },
    /// `serde_json` reading a text.
    Parse(Vec<u8>),
}

/// Requests to a server.
pub(super) struct Fire {
    pub(super) at: At,
    /// One for each connection.
    pub(super) scripts: Vec<Script>,
    /// What other connections send all the while. It is not counted.
    pub(super) beside: Vec<Script>,
    /// Whether people try to sign in meanwhile, by providers that hang.
    pub(super) hang: bool,
    /// Whether the daemon is started again before, so that its memory holds nothing from earlier.
    pub(super) fresh: bool,
    /// Whether the daemon has half of the processors and those who send the other half.
    pub(super) apart: bool,
}

/// Requests to the daemon with so many users, at the plan's pace.
pub(super) struct Paced {
    pub(super) users: usize,
    pub(super) agenda: Arc<dyn Agenda>,
}

/// Which server.
pub(super) enum At {
    /// One that does as little as possible, and lives as long as the turn.
    Reference(Server),
    /// A daemon.
    Daemon(Which),
}

impl Contestant {
    /// The daemon with so many users.
    pub(super) fn daemon(case: Case, which: impl Into<Which>, scripts: Vec<Script>) -> Self {
        Self::fire(case, Who::Rosterd, At::Daemon(which.into()), scripts)
    }

    /// A server that answers every request with so many bytes.
    pub(super) fn bare(case: Case, bytes: usize, scripts: Vec<Script>) -> Result<Self, BenchError> {
        // It knows no refusals.
        let scripts = scripts.into_iter().map(|script| script.answered(200)).collect();
        let server = Server::reference(Reference::Get(bytes))?;
        Ok(Self::fire(case, Who::BareHyper, At::Reference(server), scripts))
    }

    /// A server that parses a body, serialises it and sends it back.
    pub(super) fn echo(case: Case, scripts: Vec<Script>) -> Result<Self, BenchError> {
        let server = Server::reference(Reference::Echo)?;
        Ok(Self::fire(case, Who::PostEcho, At::Reference(server), scripts))
    }

    fn fire(case: Case, who: Who, at: At, scripts: Vec<Script>) -> Self {
        Self {
            case,
            who,
            act: Act::Fire(Fire { at, scripts, beside: Vec::new(), hang: false, fresh: false, apart: false }),
        }
    }

    /// Lets other connections send something all the while.
    pub(super) fn beside(mut self, scripts: Vec<Script>) -> Self {
        if let Act::Fire(fire) = &mut self.act {
            fire.beside = scripts;
        }
        self
    }

    /// Lets people try all the while to sign in by providers that hang.
    pub(super) fn while_providers_hang(mut self) -> Self {
        if let Act::Fire(fire) = &mut self.act {
            fire.hang = true;
        }
        self
    }

    /// Gives the daemon and those who send processors of their own.
    pub(super) fn apart(mut self) -> Self {
        if let Act::Fire(fire) = &mut self.act {
            fire.apart = true;
        }
        self
    }

    /// Starts the daemon again before, and asks for everybody once.
    pub(super) fn fresh(mut self) -> Self {
        if let Act::Fire(fire) = &mut self.act {
            fire.fresh = true;
        }
        self
    }
}
