//! The plugin host: runs operators' components of WebAssembly, and answers for them to the roster (`roster::hooks::Plugin`).
//!
//! Read in this order: [`limits`] (the bounds), [`machine`] (the engine, its clock and its slots), [`wit`] (the contract, and the two functions that
//! a plugin may call), [`call`] (one call: instance, budget, how it ended), [`spec`] (a plugin as its operator wants it), [`file`](mod@file), [`tables`],
//! [`contract`] (what may be imported), [`grant`] (names of attributes), [`load`] (every step from a file to a plugin), [`vector`] with [`json`] (questions
//! with their answers, in files), [`show`] (what is shown of a person), [`answer`] (what was answered), [`breaker`], [`quick`], [`kept`], [`loaded`] (what the
//! roster asks), [`person`] and [`tell`] (people and answers as JSON), [`host`] (all of them, and their reload), [`figures`].
//!
//! Nothing that a plugin does costs more than its bounds, and nothing that it answers is more than a proposal. Knows neither configuration
//! files nor HTTP.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod answer;
pub mod breaker;
pub mod call;
pub mod contract;
pub mod figures;
pub mod file;
pub mod grant;
pub mod host;
pub mod json;
pub mod kept;
pub mod limits;
pub mod load;
pub mod loaded;
pub mod machine;
pub mod person;
pub mod quick;
pub mod show;
pub mod signature;
pub mod spec;
pub mod tables;
pub mod tell;
pub mod vector;
pub mod wit;

pub use figures::Figures;
pub use grant::Names;
pub use host::{Done, Host, HostError, View};
pub use limits::Limits;
pub use load::LoadError;
pub use spec::{Options, Source, Spec};

use crate::roster::hooks::Hooks;

/// The words by which hooks go in configuration, metrics and vectors.
pub fn hook_words(hooks: Hooks) -> impl Iterator<Item = &'static str> {
    let all = [
        ("gate", hooks.gate),
        ("map", hooks.map),
        ("validate", hooks.validate),
        ("claims", hooks.claims),
        ("event", hooks.react),
    ];
    all.into_iter().filter(|(_, has)| *has).map(|(word, _)| word)
}
