//! The roster as a table: read over HTTP, like everything that anybody knows of it.

use std::io::Write;

use anyhow::{Context, Result};
use comfy_table::{Table, presets};
use hyper::{Method, StatusCode};
use serde_json::Value;

use super::client::Client;

/// People in a page; the demo has fewer, but what it left behind may have more.
const PAGE_SIZE: u64 = 100;

/// Reads everybody, page by page, and prints them.
pub async fn roster(client: &mut Client, out: &mut dyn Write) -> Result<()> {
    let mut table = Table::new();
    table.load_style(presets::ASCII_BORDERS_ONLY_CONDENSED).set_header([
        "userName",
        "name",
        "title",
        "department",
        "active",
        "groups",
    ]);
    let mut start = 1;
    loop {
        let page =
            client.send(Method::GET, &format!("/Users?startIndex={start}&count={PAGE_SIZE}"), None).await?;
        let page = page.expect(StatusCode::OK)?;
        let total =
            page.get("totalResults").and_then(Value::as_u64).context("a list without totalResults")?;
        let users = page.get("Resources").and_then(Value::as_array).context("a list without Resources")?;
        for user in users {
            table.add_row(row(user));
        }
        start += PAGE_SIZE;
        if start > total {
            break;
        }
    }
    writeln!(out, "{table}")?;
    Ok(())
}

fn row(user: &Value) -> [String; 6] {
    let text = |pointer: &str| user.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned();
    let active = user.get("active").and_then(Value::as_bool).unwrap_or(true);
    let groups = user.get("groups").and_then(Value::as_array);
    let groups: Vec<&str> =
        groups.into_iter().flatten().filter_map(|group| group.get("display")?.as_str()).collect();
    let department = "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department";
    [
        text("/userName"),
        text("/displayName"),
        text("/title"),
        text(department),
        if active { "yes" } else { "no" }.to_owned(),
        groups.join(", "),
    ]
}
