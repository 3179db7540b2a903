//! The schema of the settings, where it is written down so that the component need not derive it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{Plugin, settings};

/// The variable that has files written instead of compared.
const WRITE: &str = "ROSTERD_PLUGIN_WRITE";

/// Compares a file with the schema of the plugin's settings, and what the component will say with both. Where the variable
/// `ROSTERD_PLUGIN_WRITE` is `1`, writes the file instead.
///
/// # Panics
///
/// Where they differ.
#[track_caller]
pub fn schema<P: Plugin>(file: impl AsRef<Path>) {
    let file = file.as_ref();
    let derived: Value = read(&settings::schema::<P::Settings>());
    if std::env::var_os(WRITE).is_some_and(|value| value == "1") {
        let text = format!("{derived:#}\n");
        fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        return;
    }
    let written = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let again = format!("{WRITE}=1 cargo test writes it anew");
    assert!(
        read(&written) == derived,
        "{}: expected\n{derived:#}\nfound\n{written}\n{again}",
        file.display()
    );
    let told = P::SCHEMA.map(read);
    assert!(
        told.is_none_or(|told| told == derived),
        "the plugin's SCHEMA is not that of its settings: {again}"
    );
}

#[track_caller]
fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("the schema is no JSON: {error}"))
}
