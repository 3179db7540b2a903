//! rosterd: identity provisioning for firms that sell people's time.
//!
//! A request enters at the edge ([`http`]), is parsed into values ([`scim`], [`idp`]), and is handed to the [`roster`],
//! which answers with a unit of writes and the facts they stand on; the [`store`] makes it durable, all or nothing.
//! `docs/ARCHITECTURE.md` draws the picture. Rooms import inwards only:
//! `main > cli > app > {http, outbox, plugins, signin, mail, jwt, net, audit, archive, demo, config, telemetry, store engines} > doctor > requests > roster > {psa, idp} > scim > ids`,
//! and what stands left of `roster` is compiled only with the feature `daemon`.

#[cfg(feature = "daemon")]
pub mod app;
#[cfg(feature = "daemon")]
pub mod archive;
#[cfg(feature = "daemon")]
pub mod audit;
#[cfg(feature = "daemon")]
pub mod bench;
pub mod chance;
#[cfg(feature = "daemon")]
pub mod cli;
pub mod clock;
#[cfg(feature = "daemon")]
pub mod config;
#[cfg(feature = "daemon")]
pub mod demo;
#[cfg(feature = "daemon")]
pub mod doctor;
#[cfg(feature = "daemon")]
pub mod http;
pub mod idp;
pub mod ids;
#[cfg(feature = "daemon")]
pub mod jwt;
#[cfg(feature = "daemon")]
pub mod mail;
#[cfg(feature = "daemon")]
pub mod net;
#[cfg(feature = "daemon")]
pub mod outbox;
#[cfg(feature = "plugins")]
pub mod plugins;
pub mod psa;
#[cfg(feature = "daemon")]
pub mod requests;
pub mod roster;
pub mod scim;
#[cfg(feature = "daemon")]
pub mod signin;
pub mod store;
#[cfg(feature = "daemon")]
pub mod telemetry;
