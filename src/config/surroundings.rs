//! What only the file system can tell about a configuration: whether its files and folders are there and may be used (R29, X66).
//!
//! Looks, and changes nothing: `serve` looks before it binds a port, `config check` looks without a daemon. Whether
//! certificate and key fit each other is for `http` to find out.

use std::fs::{self, File};
use std::path::Path;

use rustix::fs::Access;

use super::secret::open_to_others;
use super::{Config, ConfigErrors, Engine, Place, Problem};

/// What is odd about the surroundings, but no reason not to start.
pub type Warning = String;

/// Looks at the files and folders that the configuration names.
pub fn look(config: &Config) -> Result<Vec<Warning>, ConfigErrors> {
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    if let Some((cert, key)) = config.tls.files() {
        look_at_file("tls.cert_file", cert, &mut problems);
        look_at_secret("tls.key_file", key, &mut problems, &mut warnings);
    }
    if let Some(file) = &config.mail.password_file {
        look_at_file("mail.password_file", file, &mut problems);
        if let Some(mode) = fs::metadata(file).ok().as_ref().and_then(open_to_others) {
            warnings.push(format!(
                "mail.password_file: expected {} to be readable by its owner only, found mode {mode:04o}; run chmod 600",
                file.display()
            ));
        }
    }
    if config.store.engine == Engine::Postgres {
        if let Some(file) = &config.postgres.password_file {
            look_at_secret("postgres.password_file", file, &mut problems, &mut warnings);
        }
        if let Some(roots) = &config.postgres.ca_file {
            look_at_file("postgres.ca_file", roots, &mut problems);
        }
    }
    if let Some(roots) = &config.net.ca_file {
        look_at_file("net.ca_file", roots, &mut problems);
    }
    for hook in &config.webhooks {
        for file in &hook.secret_files {
            let key = format!("webhooks.{}.secret_files", hook.name);
            look_at_secret(&key, file, &mut problems, &mut warnings);
        }
    }
    for provider in &config.identity_providers {
        if let Some(file) = &provider.client_secret_file {
            let key = format!("identity_providers.{}.client_secret_file", provider.name);
            look_at_secret(&key, file, &mut problems, &mut warnings);
        }
    }
    look_at_data_folder(&config.data.dir, &mut problems, &mut warnings);
    if problems.is_empty() { Ok(warnings) } else { Err(ConfigErrors::new(problems)) }
}

fn look_at_file(key: &str, path: &Path, problems: &mut Vec<Problem>) {
    let what = match File::open(path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_file() => return,
        Ok(_) => "expected a file, found something else".to_owned(),
        Err(error) => format!("cannot be read: {error}"),
    };
    problems.push(problem(key, path, &what, "correct the path, or let the daemon's user read it"));
}

fn look_at_secret(key: &str, path: &Path, problems: &mut Vec<Problem>, warnings: &mut Vec<Warning>) {
    look_at_file(key, path, problems);
    if let Some(mode) = fs::metadata(path).ok().as_ref().and_then(open_to_others) {
        warnings.push(format!(
            "{key}: expected {} to be readable by its owner only, found mode {mode:04o}; run chmod 600",
            path.display()
        ));
    }
}

fn look_at_data_folder(dir: &Path, problems: &mut Vec<Problem>, warnings: &mut Vec<Warning>) {
    let key = "data.dir";
    match fs::metadata(dir) {
        Ok(metadata) if !metadata.is_dir() => {
            problems.push(problem(key, dir, "expected a folder, found a file", "name another path"));
        }
        Ok(metadata) => {
            look_at_writing(key, dir, problems);
            if let Some(mode) = open_to_others(&metadata) {
                warnings.push(format!(
                    "data.dir: expected {} to be open to its owner only, found mode {mode:04o}; run chmod 700",
                    dir.display()
                ));
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // A bare name has the parent "": the folder the program was started in.
            let parent =
                dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if parent.is_dir() {
                look_at_writing(key, parent, problems);
            } else {
                let what = "neither the folder nor its parent exists";
                problems.push(problem(
                    key,
                    dir,
                    what,
                    "create it, owned by the daemon's user, with mode 700",
                ));
            }
        }
        Err(error) => {
            let what = format!("cannot be looked at: {error}");
            problems.push(problem(key, dir, &what, "let the daemon's user into its parents"));
        }
    }
}

fn look_at_writing(key: &str, dir: &Path, problems: &mut Vec<Problem>) {
    if let Err(error) = rustix::fs::access(dir, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        let what = format!("cannot be written: {error}");
        problems.push(problem(
            key,
            dir,
            &what,
            "give it to the daemon's user, on a disk that is not read-only",
        ));
    }
}

fn problem(key: &str, path: &Path, what: &str, remedy: &str) -> Problem {
    Problem {
        place: Place::File { name: path.display().to_string(), line: None },
        key: Some(key.to_owned()),
        what: what.to_owned(),
        remedy: Some(remedy.to_owned()),
    }
}
