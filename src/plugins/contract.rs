//! What a component may import and must export, by name and version: checked before anything of it runs (X54).

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::roster::hooks::Hooks;

/// The package of the contract.
pub const PACKAGE: &str = "rosterd:plugin";
/// The versions that are served: `0.1.*`.
pub const SERVED: (u64, u64) = (0, 1);

/// Why a component is no plugin of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// It wants what no plugin gets.
    #[error(
        "it imports {0}; a plugin may import rosterd:plugin/host and rosterd:plugin/types and nothing else: no files, network, clock, environment or randomness. Build it without WASI (docs/plugins says how for each language)"
    )]
    Import(String),
    /// It was built for another contract.
    #[error("{name} is of version {wanted}; this rosterd {} serves {}.{}.*. Build the plugin for that, or take a rosterd that serves {wanted}", env!("CARGO_PKG_VERSION"), SERVED.0, SERVED.1)]
    Version {
        /// The interface.
        name: String,
        /// Its version.
        wanted: String,
    },
    /// It lacks what every plugin has.
    #[error("it does not export rosterd:plugin/lifecycle; is it a plugin of rosterd? It exports: {0}")]
    NoLifecycle(String),
    /// Nobody would ever ask it.
    #[error("it exports no hook: none of mapper, validator, gate, claims and reactor")]
    NoHook,
}

/// Looks at the names that a component imports and exports, and says which hooks it has.
pub fn look(engine: &Engine, component: &Component) -> Result<Hooks, ContractError> {
    let whole = component.component_type();
    for (name, _) in whole.imports(engine) {
        match interface(name) {
            Some(("host" | "types", version)) => served(name, version)?,
            _ => return Err(ContractError::Import(name.to_owned())),
        }
    }
    let mut hooks = Hooks::default();
    let mut has_lifecycle = false;
    for (name, _) in whole.exports(engine) {
        let Some((interface, version)) = interface(name) else { continue };
        match interface {
            "lifecycle" => has_lifecycle = true,
            "mapper" => hooks.map = true,
            "validator" => hooks.validate = true,
            "gate" => hooks.gate = true,
            "claims" => hooks.claims = true,
            "reactor" => hooks.react = true,
            _ => continue,
        }
        served(name, version)?;
    }
    if !has_lifecycle {
        let names: Vec<&str> = whole.exports(engine).map(|(name, _)| name).take(5).collect();
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        return Err(ContractError::NoLifecycle(names));
    }
    if hooks == Hooks::default() { Err(ContractError::NoHook) } else { Ok(hooks) }
}

/// Splits `rosterd:plugin/host@0.1.0` into interface and version.
fn interface(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix(PACKAGE)?.strip_prefix('/')?;
    Some(rest.split_once('@').unwrap_or((rest, "")))
}

fn served(name: &str, version: &str) -> Result<(), ContractError> {
    let mut parts = version.split('.').map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) == SERVED => Ok(()),
        _ => {
            let bare = name.split('@').next().unwrap_or(name).to_owned();
            let wanted = if version.is_empty() { "none" } else { version };
            Err(ContractError::Version { name: bare, wanted: wanted.to_owned() })
        }
    }
}
