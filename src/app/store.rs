//! The store that the settings name: opened, filled from a copy, written anew. An embedded engine in the data folder, or a database that several daemons
//! share. The only place that knows every engine.

use std::sync::Arc;

use super::memory::cache_bytes;
use super::{Rim, policies};
use crate::config::{Config, Engine};
use crate::roster::Roster;
use crate::store::Store;
use crate::store::fill::Fill;
use crate::store::folder::FolderError;
use crate::store::redb::compact::{self, Compacted};
use crate::store::redb::{self, OpenError, RedbOptions};
#[cfg(feature = "sled")]
use crate::store::sled::{self, SledOptions};
use crate::store::writer::WriterOptions;

/// Why the store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreOpenError {
    /// The embedded engine, or its folder.
    #[error(transparent)]
    Embedded(#[from] OpenError),
    /// The data folder of a daemon whose data are elsewhere.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The database.
    #[cfg(feature = "postgres")]
    #[error(transparent)]
    Database(#[from] crate::store::postgres::PgError),
    /// The database's roots.
    #[error("postgres.ca_file: {0}")]
    Roots(String),
    /// TLS to the database.
    #[error("no TLS for the database: {0}")]
    Tls(#[from] rustls::Error),
    /// The database's password.
    #[error("postgres.password_file: {0}")]
    Password(String),
    /// An engine that does not do this, or is not in this build.
    #[error("{0}")]
    Unfit(&'static str),
}

#[cfg(not(feature = "postgres"))]
const NOT_BUILT: &str = "store.engine: this build has no \"postgres\"; use one with the feature postgres";

/// Opens the store that the configuration names, and the roster on it. Holds the data folder until dropped.
pub fn open_roster(config: &Config, rim: &Rim) -> Result<Arc<Roster>, StoreOpenError> {
    let roster = roster_on(open_store(config, rim)?, rim);
    // Which tenants there are is looked at when they are served: the first is not made yet.
    if let Err(error) = roster.set_policies(policies(config)) {
        tracing::error!(%error, "the tenants could not be read");
    }
    match roster.complete_indexes() {
        Ok(0) => {}
        Ok(records) => tracing::info!(records, "records of an earlier build were given index entries"),
        // Nothing is wrong with what is answered without them: more is read for it.
        Err(error) => tracing::error!(%error, "records of an earlier build were not given index entries"),
    }
    Ok(roster)
}

fn open_store(config: &Config, rim: &Rim) -> Result<Arc<dyn Store>, StoreOpenError> {
    match config.store.engine {
        Engine::Redb => {
            let options = RedbOptions { writer: writer(config), ..engine_options(config) };
            Ok(Arc::new(redb::open(&config.data.dir, &options)?))
        }
        #[cfg(feature = "sled")]
        Engine::Sled => {
            tracing::warn!(
                "store.engine is sled: when the power went in tests it lost writes that had been acknowledged (a deleted person came back), or did not open again, rarely but \
                 now and then, whatever rosterd does around it; redb never did (docs/decisions/0001); keep backups, and take everything to redb by rosterd store export and import"
            );
            let options = SledOptions { cache_bytes: cache_bytes(config), writer: writer(config) };
            Ok(Arc::new(sled::open(&config.data.dir, &options)?))
        }
        #[cfg(feature = "postgres")]
        Engine::Postgres => shared::open(config, rim),
        #[cfg(not(feature = "postgres"))]
        Engine::Postgres => {
            let _ = rim;
            Err(StoreOpenError::Unfit(NOT_BUILT))
        }
    }
}

/// Opens an empty store of the engine that the configuration names, to be filled from a copy that `source` tells from others; or one that was being
/// filled from it.
pub fn open_to_fill(config: &Config, rim: &Rim, source: &str) -> Result<Fill, StoreOpenError> {
    let dir = &config.data.dir;
    match config.store.engine {
        Engine::Redb => Ok(redb::fill(dir, source, &engine_options(config))?),
        #[cfg(feature = "sled")]
        Engine::Sled => {
            let options = SledOptions { cache_bytes: cache_bytes(config), ..SledOptions::default() };
            Ok(sled::fill(dir, source, &options)?)
        }
        #[cfg(feature = "postgres")]
        Engine::Postgres => Ok(crate::store::postgres::fill(&shared::options(config, rim)?, source)?),
        #[cfg(not(feature = "postgres"))]
        Engine::Postgres => {
            let _ = rim;
            Err(StoreOpenError::Unfit(NOT_BUILT))
        }
    }
}

/// Says where the store lies that the configuration names, for messages.
pub fn place(config: &Config) -> String {
    if config.store.engine == Engine::Postgres {
        format!("the database {} at {}", config.postgres.database, config.postgres.hosts.join(" or "))
    } else {
        config.data.dir.display().to_string()
    }
}

fn writer(config: &Config) -> WriterOptions {
    WriterOptions { queue_max: config.store.queue_max, ..WriterOptions::default() }
}

/// Makes the tables of the database that the configuration names, or brings them up to this build. Returns how many steps were missing.
pub fn migrate(config: &Config, rim: &Rim) -> Result<usize, StoreOpenError> {
    if config.store.engine != Engine::Postgres {
        return Err(StoreOpenError::Unfit(
            "store.engine is not \"postgres\": the embedded engine's folder is brought up to date when it is opened",
        ));
    }
    #[cfg(feature = "postgres")]
    return Ok(crate::store::postgres::migrate(&shared::options(config, rim)?)?);
    #[cfg(not(feature = "postgres"))]
    {
        let _ = rim;
        Err(StoreOpenError::Unfit(NOT_BUILT))
    }
}

/// Writes the store that the configuration names anew, without what was erased. Nobody may have the data folder open.
pub fn compact(config: &Config) -> Result<Compacted, StoreOpenError> {
    if config.store.engine != Engine::Redb {
        return Err(StoreOpenError::Unfit(
            "store.engine is not \"redb\": the tables of \"postgres\" are written anew by the database's own VACUUM FULL, and a folder of \"sled\" by rosterd store export and import",
        ));
    }
    Ok(compact::compact(&config.data.dir, &engine_options(config))?)
}

fn engine_options(config: &Config) -> RedbOptions {
    let (cache_bytes, journal_bytes) = (cache_bytes(config), config.store.journal_bytes());
    RedbOptions { cache_bytes, journal_bytes, ..RedbOptions::default() }
}

/// Puts a roster on a store.
pub fn roster_on(store: Arc<dyn Store>, rim: &Rim) -> Arc<Roster> {
    Arc::new(Roster::new(store, Arc::clone(&rim.clock), Arc::clone(&rim.chance)))
}

#[cfg(feature = "postgres")]
mod shared {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::{ClientConfig, RootCertStore};
    use zeroize::Zeroizing;

    use super::{StoreOpenError, writer};
    use crate::app::Rim;
    use crate::config::secret::SecretText;
    use crate::config::{Config, PostgresPlace, PostgresTls};
    use crate::net::read_roots;
    use crate::store::Store;
    use crate::store::folder::Folder;
    use crate::store::postgres::{self, PgOptions, Place};
    use crate::store::writer::WriterOptions;

    /// Longest pause between two attempts at a database that has gone.
    const PAUSE_MAX: Duration = Duration::from_secs(1);

    /// Opens the store in the database. The data folder is held as well: the admin socket lies in it, and the key that seals secrets.
    pub(super) fn open(config: &Config, rim: &Rim) -> Result<Arc<dyn Store>, StoreOpenError> {
        let folder = Folder::open(&config.data.dir)?;
        let store = postgres::open(&options(config, rim)?)?;
        Ok(Arc::new(store.holding(folder)))
    }

    pub(super) fn options(config: &Config, rim: &Rim) -> Result<PgOptions, StoreOpenError> {
        let settings = &config.postgres;
        let places: Vec<Place> = settings
            .places()
            .into_iter()
            .map(|place| match place {
                PostgresPlace::Host(host, port) => Place::Host(host, port),
                PostgresPlace::Socket(folder, port) => Place::Socket(folder, port),
            })
            .collect();
        let password = match &settings.password_file {
            Some(file) => {
                let text =
                    SecretText::read(file).map_err(|error| StoreOpenError::Password(error.to_string()))?;
                Some(Zeroizing::new(text.expose().to_owned()))
            }
            None => None,
        };
        // What is said over a socket does not leave the machine, and no server speaks TLS there.
        let by_socket = places.iter().all(|place| matches!(place, Place::Socket(..)));
        let tls = match settings.tls {
            PostgresTls::Require if !by_socket => Some(tls(config)?),
            _ => None,
        };
        let mut name = [0; 16];
        rim.chance.fill(&mut name);
        Ok(PgOptions {
            places,
            database: settings.database.clone(),
            user: settings.user.clone(),
            password,
            tls,
            connections_max: settings.connections_max,
            statement_within: settings.statement_within(),
            writer: name,
            options: WriterOptions { pause_max: PAUSE_MAX, ..writer(config) },
        })
    }

    fn tls(config: &Config) -> Result<Arc<ClientConfig>, StoreOpenError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let own = config.postgres.ca_file.as_deref().map_or(Ok(vec![]), read_roots);
        let own = own.map_err(|error| StoreOpenError::Roots(error.why().to_owned()))?;
        roots.add_parsable_certificates(own);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let settings = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(settings))
    }
}
