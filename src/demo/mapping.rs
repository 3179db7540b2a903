//! The operator's own rules in the story: the four shipped plugins, which make of Entra's people what the firm needs to know of them.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use comfy_table::{Table, presets};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::Client;
use super::firm::{PSA, find};
use super::play::Player;

/// The plugins, as they are shipped.
const COMPONENTS: [(&str, &[u8]); 4] = [
    ("cost-rate", include_bytes!("../../plugins/dist/cost-rate.wasm")),
    ("employment-template", include_bytes!("../../plugins/dist/employment-template.wasm")),
    ("licence-by-group", include_bytes!("../../plugins/dist/licence-by-group.wasm")),
    ("user-type-by-group", include_bytes!("../../plugins/dist/user-type-by-group.wasm")),
];
const DIGESTS: &str = include_str!("../../plugins/dist/SHA256SUMS");
const TABLES: [(&str, &str); 2] = [
    ("rates.csv", "level,amount\nconsultant,58\nprincipal,92.50\n"),
    ("templates.csv", "place,template\nNO,Norway 37.5 h\nNO/Management,Full time\n"),
];
/// What each is granted, and its settings; `@…@` is filled in.
const PLUGINS: &str = r#"
[[plugins]]
name = "cost-rate"
path = "cost-rate.wasm"
sha256 = "@cost-rate@"
sources = ["@connection@"]
reads = ["title", "costRates"]
writes = ["costRates"]
[plugins.tables]
rates = "rates.csv"
[plugins.settings]
currency = "EUR"
levels = [{ title = "Principal*", level = "principal" }, { title = "*consultant*", level = "consultant" }]

[[plugins]]
name = "employment-template"
path = "employment-template.wasm"
sha256 = "@employment-template@"
sources = ["@connection@"]
reads = ["addresses", "department", "employments"]
writes = ["employments"]
[plugins.tables]
templates = "templates.csv"

[[plugins]]
name = "licence-by-group"
path = "licence-by-group.wasm"
sha256 = "@licence-by-group@"
sources = ["@connection@"]
reads = ["active", "groups", "license"]
writes = ["license"]
[plugins.settings]
licences = [{ group = "Nordlys", pool = "Professional" }]

[[plugins]]
name = "user-type-by-group"
path = "user-type-by-group.wasm"
sha256 = "@user-type-by-group@"
sources = ["@connection@"]
reads = ["groups", "userTypes"]
writes = ["userTypes"]
[plugins.settings]
rules = [{ group = "Nordlys", user_type = "Consultant" }]
"#;

/// Whose rate an administrator decides.
const FRANCES: &str = "frances.allen@nordlys.example";
/// The people of Entra.
const EVERYBODY: [&str; 4] = [
    "kristen.nygaard@nordlys.example",
    FRANCES,
    "adele.goldberg@nordlys.example",
    "dennis.ritchie@nordlys.example",
];
/// Those of them who are in the group: the rest have left.
const MEMBERS: usize = 3;
/// How long members of a group may take to be mapped: rosterd looks every two seconds.
const MAPPED_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Lays out the plugins, their tables and the settings that name them; returns the file of settings. `connection` is whose people they map.
pub fn lay_out(folder: &Path, connection: &str) -> io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    for (name, text) in TABLES {
        std::fs::write(folder.join(name), text)?;
    }
    let mut settings = PLUGINS.replace("@connection@", connection);
    for (name, component) in COMPONENTS {
        let file = format!("{name}.wasm");
        std::fs::write(folder.join(&file), component)?;
        let line = DIGESTS.lines().find(|line| line.ends_with(&file));
        let digest = line.and_then(|line| line.split_whitespace().next()).unwrap_or_default();
        settings = settings.replace(&format!("@{name}@"), digest);
    }
    let head = format!(
        "# What the demo has rosterd ask its plugins. Change rates.csv, then: rosterd plugin reload\n[plugin_host]\nfolder = {}\n",
        Value::from(std::path::absolute(folder)?.to_string_lossy()),
    );
    let file = folder.join("rosterd.toml");
    std::fs::write(&file, head + &settings)?;
    Ok(file)
}

/// Decides something by hand that a plugin would have otherwise.
pub async fn decide(firm: &mut Player<'_>) -> Result<()> {
    firm.chapter(
        "An administrator agrees on a rate with Frances: that stays, whatever a plugin makes of her title",
    )?;
    let frances = find(firm, FRANCES).await?;
    let rate = json!([{ "startDate": "2026-01-01", "amount": "99.00", "currency": "EUR" }]);
    let path = format!("{PSA}:costRates");
    firm.patch(&format!("/Users/{frances}"), json!([{ "op": "replace", "path": path, "value": rate }])).await
}

/// Shows what each plugin proposed for the people of Entra, what became of it, and whose the value is now. Who is in the group is mapped behind the request
/// that filled it, which is waited for.
pub async fn show(firm: &mut Player<'_>, admin: &mut Client) -> Result<()> {
    firm.chapter(
        "Four plugins have read Entra's titles, countries and groups: what each proposed, what became of it, whose the value is",
    )?;
    let began = Instant::now();
    let mut table = Table::new();
    table.load_style(presets::ASCII_BORDERS_ONLY_CONDENSED);
    table.set_header(["person", "plugin", "proposed", "became", "whose it is"]);
    let people = everybody(admin).await?;
    for (place, login) in EVERYBODY.into_iter().enumerate() {
        let (id, name) = people.get(login).with_context(|| format!("{login} is not there"))?;
        let mut writers = provenance(admin, id).await?;
        while place < MEMBERS && writer(&writers, "license").is_none() && began.elapsed() < MAPPED_WITHIN {
            tokio::time::sleep(LOOK_EVERY).await;
            writers = provenance(admin, id).await?;
        }
        for (plugin, proposals) in asked(admin, id).await? {
            for one in proposals {
                let (what, attribute) = described(one.get("proposal").unwrap_or(&Value::Null));
                let refused = one.get("refused").and_then(Value::as_str);
                table.add_row([
                    name.as_str(),
                    &plugin,
                    &what,
                    refused.unwrap_or("taken"),
                    writer(&writers, attribute).unwrap_or("nobody's"),
                ]);
            }
        }
    }
    for line in table.to_string().lines() {
        firm.tell(line)?;
    }
    Ok(())
}

/// Lists everybody's id and name by login, also those who have left.
async fn everybody(admin: &mut Client) -> Result<HashMap<String, (String, String)>> {
    let page = read(admin, "/admin/v1/users?inactive=true&limit=100").await?;
    let people = items(&page).iter().filter_map(|person| {
        let text = |name: &str| person.get(name).and_then(Value::as_str).map(str::to_owned);
        Some((text("userName")?, (text("id")?, text("displayName")?)))
    });
    Ok(people.collect())
}

/// Says who wrote each attribute of somebody last.
async fn provenance(admin: &mut Client, id: &str) -> Result<Value> {
    let card = read(admin, &format!("/admin/v1/users/{id}?provenance=true")).await?;
    Ok(card.get("provenance").cloned().unwrap_or_default())
}

/// Finds who wrote an attribute of the firm's last.
fn writer<'w>(writers: &'w Value, attribute: &str) -> Option<&'w str> {
    writers.get(format!("{PSA}:{attribute}"))?.as_str()
}

/// Reads from the history what each plugin proposed for somebody when it last proposed anything.
async fn asked(admin: &mut Client, id: &str) -> Result<BTreeMap<String, Vec<Value>>> {
    let page = read(admin, &format!("/admin/v1/audit?subject={id}&limit=100")).await?;
    let mut last = BTreeMap::new();
    for call in items(&page).iter().flat_map(|entry| list(entry, "plugins")) {
        let proposals = list(call, "proposals");
        if let Some(plugin) = call.get("plugin").and_then(Value::as_str).filter(|_| !proposals.is_empty()) {
            last.insert(plugin.to_owned(), proposals.to_vec());
        }
    }
    Ok(last)
}

/// Says in words what was proposed, and which attribute it is about.
fn described(proposal: &Value) -> (String, &'static str) {
    let of = |change: &str, name: &str| {
        let value = proposal.get(change)?;
        let value = if name.is_empty() { value } else { value.get(name)? };
        value.as_str().map(str::to_owned)
    };
    if let (Some(amount), Some(currency)) = (of("add-cost-rate", "amount"), of("add-cost-rate", "currency")) {
        (format!("costs {amount} {currency} an hour"), "costRates")
    } else if let Some(template) = of("add-employment", "template") {
        (format!("is employed as {template}"), "employments")
    } else if let Some(pool) = of("set-license", "") {
        (format!("has a seat of {pool}"), "license")
    } else if let Some(user_type) = of("add-user-type", "userType") {
        (format!("is a {user_type}"), "userTypes")
    } else {
        (proposal.to_string(), "")
    }
}

fn items(page: &Value) -> &[Value] {
    list(page, "items")
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

async fn read(admin: &mut Client, path: &str) -> Result<Value> {
    admin.send_to(Method::GET, path, None).await?.expect(StatusCode::OK).with_context(|| path.to_owned())
}
