//! What tests stand on where that is not a folder: a database server of the test's own. While one is laid, every daemon of the test (in this process or as one
//! of its own) has its data in a database there, whatever store the test asks for. So whole tests are played again on it.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rosterd::store::postgres::server::{OWNER, PgServer};
use tempfile::TempDir;

use super::bouncer::{Bouncer, Mode};

/// A server, and the key that every daemon on it seals with.
pub struct Ground {
    pub server: PgServer,
    keys: TempDir,
    /// What stands between daemons and the server.
    pooler: Option<Bouncer>,
}

static LAID: RwLock<Option<Arc<Ground>>> = RwLock::new(None);
/// One test at a time stands on a ground.
static TURN: Mutex<()> = Mutex::new(());
thread_local! {
    /// How the grounds of this thread are pooled.
    static POOLED: Cell<Option<Mode>> = const { Cell::new(None) };
}
static SEED: AtomicU64 = AtomicU64::new(7);

/// Held while a ground is laid.
pub struct Laid {
    pub ground: Arc<Ground>,
    _turn: MutexGuard<'static, ()>,
}

impl Drop for Laid {
    fn drop(&mut self) {
        *LAID.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Lays a ground; `None`, said aloud, where there is no server to be had.
pub fn lay() -> Option<Laid> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let server = PgServer::start()?;
    let pooler = match POOLED.get() {
        Some(mode) => Some(Bouncer::before(&server, mode)?),
        None => None,
    };
    let ground = Arc::new(Ground { server, keys: tempfile::tempdir().unwrap(), pooler });
    *LAID.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&ground));
    Some(Laid { ground, _turn: turn })
}

/// Plays a test that lays a ground with PgBouncer between the daemons and their server; says aloud where that is not to be had.
pub fn behind_pgbouncer(mode: Mode, test: impl FnOnce()) {
    POOLED.set(Some(mode));
    test();
    POOLED.set(None);
}

/// Plays a test on a database server.
pub fn on_postgresql(test: impl FnOnce()) {
    if let Some(_laid) = lay() {
        test();
    }
}

fn laid() -> Option<Arc<Ground>> {
    LAID.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Tells whether a test stands on a server.
pub fn is_laid() -> bool {
    laid().is_some()
}

/// The seed of a daemon's randomness.
pub fn seed() -> u64 {
    if is_laid() { SEED.fetch_add(1, Ordering::Relaxed) } else { 7 }
}

/// The settings of a daemon in a folder: each folder has a database of its own, and keeps it.
pub fn settings(folder: &Path) -> Vec<(&'static str, String)> {
    let Some(ground) = laid() else { return vec![] };
    let label = folder.join("database");
    let database = std::fs::read_to_string(&label).unwrap_or_else(|_| {
        let made = ground.server.database();
        std::fs::write(&label, &made).unwrap();
        made
    });
    let port = ground.pooler.as_ref().map_or_else(|| ground.server.port(), Bouncer::port);
    vec![
        ("store.engine", "postgres".to_owned()),
        ("postgres.hosts", format!("127.0.0.1:{port}")),
        ("postgres.database", database),
        ("postgres.user", OWNER.to_owned()),
        ("postgres.tls", "none".to_owned()),
        ("data.seal_key_file", ground.keys.path().join("seal.key").display().to_string()),
    ]
}

/// Has a folder use the database of another.
pub fn share(from: &Path, to: &Path) {
    std::fs::copy(from.join("database"), to.join("database")).unwrap();
}

/// The same settings as variables.
pub fn variables(home: &Path) -> Vec<(String, String)> {
    let variable = |key: &str| format!("ROSTERD_{}", key.replace('.', "__").to_uppercase());
    settings(home).into_iter().map(|(key, value)| (variable(key), value)).collect()
}
