//! The configuration, from its sources to the command line.

mod cli;
mod defaults;
mod load;
mod plugins;
mod reload;
mod surroundings;
mod tenants;

use std::path::PathBuf;

use rosterd::config::{Config, ConfigErrors, Environment, Sources};

/// A folder with one configuration file, whose path is cut out of messages.
struct Written {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
    flags: Vec<(String, String, String)>,
}

impl Written {
    fn toml(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rosterd.toml"), text).unwrap();
        Self { folder, variables: Vec::new(), flags: Vec::new() }
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn flag(mut self, name: &str, key: &str, value: &str) -> Self {
        self.flags.push((name.to_owned(), key.to_owned(), value.to_owned()));
        self
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("rosterd.toml")
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        let environment: Environment = self.variables.iter().cloned().collect();
        let sources = Sources::new(environment).file(self.path());
        let sources =
            self.flags.iter().fold(sources, |sources, (name, key, value)| sources.flag(name, key, value));
        Config::load(&sources)
    }

    /// The lines that an operator sees, with the folder cut out.
    fn problems(&self) -> Vec<String> {
        let errors = self.load().expect_err("this configuration is wrong");
        let folder = format!("{}/", self.folder.path().display());
        errors.to_string().lines().map(|line| line.replace(&folder, "")).collect()
    }
}

fn problems(toml: &str) -> Vec<String> {
    Written::toml(toml).problems()
}
