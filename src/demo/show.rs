//! The roster as a table for each connection: read over HTTP, like everything that anybody knows of it.

use std::collections::HashMap;
use std::io::Write;

use anyhow::{Context, Result};
use comfy_table::{ColumnConstraint, Table, presets};
use hyper::{Method, StatusCode};
use serde_json::Value;

use super::client::Client;
use super::play::ENTERPRISE;

/// People in a page; the demo has fewer, but what it left behind may have more.
const PAGE_SIZE: u64 = 100;

/// What stands above the columns.
const HEADER: [&str; 7] = ["userName", "name", "title", "department", "manager", "active", "groups"];

/// Reads everybody that a connection knows of, page by page, and prints them. Columns in which nobody has anything are left out.
pub async fn roster(client: &mut Client, out: &mut dyn Write) -> Result<()> {
    let users = everybody(client).await?;
    let text = |user: &Value, pointer: &str| user.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let names: HashMap<String, String> =
        users.iter().filter_map(|user| Some((text(user, "/id")?, text(user, "/displayName")?))).collect();
    let rows: Vec<[String; 7]> = users.iter().map(|user| row(user, &names)).collect();
    let mut table = Table::new();
    table.load_style(presets::ASCII_BORDERS_ONLY_CONDENSED).set_header(HEADER);
    table.add_rows(&rows);
    for (column, at) in table.column_iter_mut().zip(0..) {
        if rows.iter().all(|row| row.get::<usize>(at).is_none_or(String::is_empty)) {
            column.set_constraint(ColumnConstraint::Hidden);
        }
    }
    writeln!(out, "{table}")?;
    Ok(())
}

async fn everybody(client: &mut Client) -> Result<Vec<Value>> {
    let (mut start, mut all) = (1, Vec::new());
    loop {
        let page =
            client.send(Method::GET, &format!("/Users?startIndex={start}&count={PAGE_SIZE}"), None).await?;
        let page = page.expect(StatusCode::OK)?;
        let total =
            page.get("totalResults").and_then(Value::as_u64).context("a list without totalResults")?;
        let users = page.get("Resources").and_then(Value::as_array).context("a list without Resources")?;
        all.extend_from_slice(users);
        start += PAGE_SIZE;
        if start > total {
            return Ok(all);
        }
    }
}

fn row(user: &Value, names: &HashMap<String, String>) -> [String; 7] {
    let text = |pointer: &str| user.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned();
    let active = user.get("active").and_then(Value::as_bool).unwrap_or(true);
    let groups = user.get("groups").and_then(Value::as_array);
    let groups: Vec<&str> =
        groups.into_iter().flatten().filter_map(|group| group.get("display")?.as_str()).collect();
    let manager = text(&format!("/{ENTERPRISE}/manager/value"));
    [
        text("/userName"),
        text("/displayName"),
        text("/title"),
        text(&format!("/{ENTERPRISE}/department")),
        names.get(&manager).cloned().unwrap_or(manager),
        if active { "yes" } else { "no" }.to_owned(),
        groups.join(", "),
    ]
}
