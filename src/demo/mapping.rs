//! The operator's own rule in the story: a shipped plugin that reads Entra's titles and knows what each level costs.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::play::Player;

/// The plugin, as it is shipped.
const COST_RATE: &[u8] = include_bytes!("../../plugins/dist/cost-rate.wasm");
const DIGESTS: &str = include_str!("../../plugins/dist/SHA256SUMS");
const RATE_CARD: &str = "level,amount\nconsultant,58\nprincipal,92.50\n";

/// Lays out the plugin, its rate card and the settings that name them; returns the file of settings. `connection` is whose people it maps.
pub fn lay_out(folder: &Path, connection: &str) -> io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("cost-rate.wasm"), COST_RATE)?;
    std::fs::write(folder.join("rates.csv"), RATE_CARD)?;
    let digest = DIGESTS
        .lines()
        .find(|line| line.ends_with("cost-rate.wasm"))
        .and_then(|line| line.split_whitespace().next())
        .unwrap_or_default();
    let settings = format!(
        r#"# What the demo has rosterd ask its plugin. Change rates.csv, then: rosterd plugin reload
[plugin_host]
folder = {folder}

[[plugins]]
name = "cost-rate"
path = "cost-rate.wasm"
sha256 = "{digest}"
sources = ["{connection}"]
reads = ["title", "costRates"]
writes = ["costRates"]

[plugins.tables]
rates = "rates.csv"

[plugins.settings]
currency = "EUR"
levels = [{{ title = "Principal*", level = "principal" }}, {{ title = "*consultant*", level = "consultant" }}]
"#,
        folder = Value::from(std::path::absolute(folder)?.to_string_lossy()),
    );
    let file = folder.join("rosterd.toml");
    std::fs::write(&file, settings)?;
    Ok(file)
}

/// Shows what the plugin made of the people of Entra.
pub async fn show(firm: &mut Player<'_>) -> Result<()> {
    firm.chapter("A plugin of the operator's has read Entra's titles, and set what an hour of each costs")?;
    let found = firm.get("/Users?filter=title+pr&attributes=userName,title,urn:rosterd:scim:schemas:extension:psa:1.0:User:costRates").await?;
    let people = found.get("Resources").and_then(Value::as_array).context("no list of people")?;
    for person in people {
        let text = |pointer: &str| person.pointer(pointer).and_then(Value::as_str);
        let rate = "/urn:rosterd:scim:schemas:extension:psa:1.0:User/costRates/0";
        if let (Some(name), Some(title), Some(amount), Some(currency)) = (
            text("/userName"),
            text("/title"),
            text(&format!("{rate}/amount")),
            text(&format!("{rate}/currency")),
        ) {
            firm.tell(&format!("{name:<32} {title:<22} {amount} {currency}"))?;
        }
    }
    Ok(())
}
