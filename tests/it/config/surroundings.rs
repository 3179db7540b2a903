//! R29: what only the file system can tell is told before anything is started.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rosterd::config::{Config, Environment, Sources, surroundings};

fn look(folder: &Path, settings: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let sources = settings.iter().fold(Sources::new(Environment::default()), |sources, (key, name)| {
        sources.flag("--test", key, folder.join(name).to_string_lossy())
    });
    let cut = |text: String| text.replace(&format!("{}/", folder.display()), "");
    let config = Config::load(&sources).unwrap();
    match surroundings::look(&config) {
        Ok(warnings) => Ok(warnings.into_iter().map(cut).collect()),
        Err(errors) => Err(cut(errors.to_string())),
    }
}

fn file(folder: &Path, name: &str, mode: u32) {
    fs::write(folder.join(name), "x").unwrap();
    fs::set_permissions(folder.join(name), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn r29_a_data_folder_must_be_a_folder_or_have_a_parent() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "file", 0o600);
    assert_eq!(look(folder.path(), &[("data.dir", "new")]), Ok(vec![]));
    assert_eq!(
        look(folder.path(), &[("data.dir", "file")]),
        Err("file: data.dir: expected a folder, found a file; name another path".to_owned())
    );
    assert_eq!(
        look(folder.path(), &[("data.dir", "missing/new")]),
        Err("missing/new: data.dir: neither the folder nor its parent exists; \
             create it, owned by the daemon's user, with mode 700"
            .to_owned())
    );
}

#[test]
fn x66_a_data_folder_or_key_that_others_may_open_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
    file(folder.path(), "cert", 0o644);
    file(folder.path(), "key", 0o640);
    let settings = [("data.dir", "data"), ("tls.cert_file", "cert"), ("tls.key_file", "key")];
    assert_eq!(
        look(folder.path(), &settings),
        Ok(vec![
            "tls.key_file: expected key to be readable by its owner only, found mode 0640; run chmod 600"
                .to_owned(),
            "data.dir: expected data to be open to its owner only, found mode 0755; run chmod 700".to_owned(),
        ])
    );
    fs::set_permissions(&data, Permissions::from_mode(0o700)).unwrap();
    file(folder.path(), "key", 0o600);
    assert_eq!(look(folder.path(), &settings), Ok(vec![]));
}

#[test]
fn r29_missing_tls_files_are_named_each() {
    let folder = tempfile::tempdir().unwrap();
    let said = look(folder.path(), &[("data.dir", "d"), ("tls.cert_file", "cert"), ("tls.key_file", "key")]);
    let remedy = "correct the path, or let the daemon's user read it";
    let missing = "cannot be read: No such file or directory (os error 2)";
    assert_eq!(
        said,
        Err(format!("cert: tls.cert_file: {missing}; {remedy}\nkey: tls.key_file: {missing}; {remedy}"))
    );
}
