//! The variables that rosterd reads, and the only place that reads the process environment.
//!
//! Everything else takes an [`Environment`] as a value, so that tests need not touch the process.

use std::fmt;

/// What all of our variables begin with.
pub const PREFIX: &str = "ROSTERD_";
/// Names the configuration file when no `--config` does.
pub const CONFIG_FILE: &str = "ROSTERD_CONFIG";
/// Names the file with the first token of an automated install.
pub const BOOTSTRAP_TOKEN_FILE: &str = "ROSTERD_BOOTSTRAP_TOKEN_FILE";

/// Arms failpoints in a build with the feature `testing`, which alone ignores it here; elsewhere it is a mistake like any other.
const FAILPOINTS: Option<&str> = if cfg!(feature = "testing") { Some("ROSTERD_FAILPOINTS") } else { None };

/// What the project's own test scripts begin theirs with; the program ignores them.
const TEST_PREFIX: &str = "ROSTERD_TEST_";

/// The variables that begin with `ROSTERD_`, in order of name. Their values are not printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// Reads the environment of this process.
    pub fn of_process() -> Self {
        // A value that is not UTF-8 keeps a mark (U+FFFD) that no setting accepts silently: paths and names come from
        // text files otherwise, so nothing is lost that could be written there.
        std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect()
    }

    /// Returns the value of a variable, if it is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// Lists the variables that must be settings: all but the few that name files for the command line.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).filter(|(name, _)| {
            ![CONFIG_FILE, BOOTSTRAP_TOKEN_FILE].contains(name) && FAILPOINTS != Some(name)
        })
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let mut ours: Vec<(String, String)> = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .filter(|(name, value)| {
                name.starts_with(PREFIX) && !name.starts_with(TEST_PREFIX) && !is_service_link(name, value)
            })
            .collect();
        ours.sort();
        Self(ours)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Tells whether Kubernetes set the variable, as it does in every container beside a service called `rosterd` (or
/// `rosterd-admin`, …): `ROSTERD_SERVICE_HOST`, `ROSTERD_PORT=tcp://…`, `ROSTERD_PORT_8080_TCP_ADDR`. Nobody could turn
/// those into settings or avoid them, so they are no mistake.
fn is_service_link(name: &str, value: &str) -> bool {
    let by_value = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let by_name = ["_SERVICE_HOST", "_SERVICE_PORT", "_TCP_", "_UDP_", "_SCTP_"];
    !name.contains("__") && (by_value || by_name.iter().any(|part| name.contains(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings_of(names: &[(&str, &str)]) -> Vec<String> {
        let environment: Environment = names.iter().copied().collect();
        environment.settings().map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn only_our_own_variables_are_settings() {
        let names = [
            ("PATH", "/bin"),
            ("ROSTERD_CONFIG", "x.toml"),
            ("ROSTERD_BOOTSTRAP_TOKEN_FILE", "x"),
            ("ROSTERD_TEST_LONG", "1"),
            ("ROSTERD_SERVER__LISTEN", "127.0.0.1:1"),
            ("ROSTERD_PORT", "8080"),
        ];
        assert_eq!(settings_of(&names), ["ROSTERD_PORT", "ROSTERD_SERVER__LISTEN"]);
    }

    #[test]
    fn what_kubernetes_sets_beside_a_service_called_rosterd_is_no_mistake() {
        let names = [
            ("ROSTERD_SERVICE_HOST", "10.0.0.1"),
            ("ROSTERD_SERVICE_PORT_HTTP", "8080"),
            ("ROSTERD_PORT", "tcp://10.0.0.1:8080"),
            ("ROSTERD_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("ROSTERD_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("ROSTERD_ADMIN_SERVICE_PORT", "8081"),
        ];
        assert_eq!(settings_of(&names), Vec::<String>::new());
    }

    #[test]
    fn x61_values_of_variables_are_not_printed() {
        let environment: Environment = [("ROSTERD_SERVER__LISTEN", "hunter2")].into_iter().collect();
        assert_eq!(format!("{environment:?}"), r#"["ROSTERD_SERVER__LISTEN"]"#);
    }
}
