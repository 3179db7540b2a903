//! The firm's own side of the story: what an administrator's program adds to the people whom the identity providers brought, and what it can ask then.

use std::io::Write;

use anyhow::{Context, Result};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::Client;
use super::play::{Player, id_of};

/// The PSA extension of people.
pub(super) const PSA: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
const ADA: &str = "ada.byron@acme.example";
const EDSGER: &str = "edsger.dijkstra@acme.example";
const RADIA: &str = "radia.perlman@acme.example";

/// The firm's own lists, of which people are given something, by id.
#[derive(Debug)]
pub struct Lists {
    company: String,
    nordics: String,
    week: String,
    seats: String,
    lead: String,
}

/// Makes the firm's own lists, and tells each step.
pub async fn lists(firm: &mut Player<'_>) -> Result<Lists> {
    firm.chapter(
        "The firm's own lists: an employer, cost centres, working hours, seats, a bundle of permissions",
    )?;
    let company = make(
        firm,
        "/Companies",
        json!({ "displayName": "Acme", "baseCurrency": "EUR", "timeZone": "Europe/Helsinki" }),
    )
    .await?;
    let nordics = make(firm, "/CostCenters", json!({ "displayName": "Nordics" })).await?;
    make(firm, "/CostCenters", json!({ "displayName": "Helsinki", "parent": { "value": nordics } })).await?;
    let hours = json!({ "monday": 7.5, "tuesday": 7.5, "wednesday": 7.5, "thursday": 7.5, "friday": 7.5 });
    let week = make(
        firm,
        "/EmploymentTemplates",
        json!({ "displayName": "Full time", "country": "FI", "hours": hours }),
    )
    .await?;
    let norway = json!({ "displayName": "Norway 37.5 h", "country": "NO", "hours": hours });
    make(firm, "/EmploymentTemplates", norway).await?;
    let seats = make(firm, "/LicensePools", json!({ "displayName": "Professional", "seats": 10 })).await?;
    let lead = json!([
        { "permission": "users.view", "level": "all" },
        { "permission": "rates.view", "level": "assigned" },
    ]);
    let lead = make(firm, "/UserTypes", json!({ "displayName": "Team lead", "grants": lead })).await?;
    let own = json!([{ "permission": "users.view", "level": "own" }]);
    make(firm, "/UserTypes", json!({ "displayName": "Consultant", "grants": own })).await?;
    Ok(Lists { company, nordics, week, seats, lead })
}

/// Plays the firm's first day, and tells each step. Returns whom it is worth asking about: Ada's id.
pub async fn first_day(firm: &mut Player<'_>, lists: &Lists) -> Result<String> {
    firm.chapter(
        "Ada is employed, leads a team in the Nordics, has a seat, and costs more from next year on",
    )?;
    let ada = find(firm, ADA).await?;
    let psa = json!({
        "kind": "employee",
        "company": { "value": lists.company },
        "employments": [{ "startDate": "2026-01-01", "template": lists.week }],
        "costRates": [{ "startDate": "2026-01-01", "amount": "62.50" }, { "startDate": "2027-01-01", "amount": "65.00" }],
        "billingRates": [{ "startDate": "2026-01-01", "amount": "140.00", "currency": "EUR" }],
        "userTypes": [{ "value": lists.lead, "primary": true, "costCenter": lists.nordics }],
        "license": { "value": lists.seats },
    });
    firm.patch(&format!("/Users/{ada}"), json!([{ "op": "add", "value": { PSA: psa } }])).await?;

    firm.chapter(
        "Edsger is locked by an administrator: whatever his identity provider says tonight, he stays out",
    )?;
    let edsger = find(firm, EDSGER).await?;
    firm.patch(&format!("/Users/{edsger}"), json!([{ "op": "replace", "path": "active", "value": false }]))
        .await?;

    firm.chapter("Radia leaves on the last day of 2099: from midnight on, where she is")?;
    let radia = find(firm, RADIA).await?;
    let schedule = json!({ PSA: { "schedule": { "deactivateOn": "2100-01-01" } } });
    firm.patch(&format!("/Users/{radia}"), json!([{ "op": "add", "value": schedule }])).await?;
    Ok(ada)
}

/// Asks what somebody may do, and why, and tells it.
pub async fn explain(admin: &mut Client, id: &str, told: &mut dyn Write) -> Result<()> {
    writeln!(told, "\nWhat Ada may do, and why")?;
    let path = format!("/admin/v1/users/{id}/permissions");
    let explained = admin.send_to(Method::GET, &path, None).await?.expect(StatusCode::OK)?;
    let permissions = explained.get("permissions").and_then(Value::as_array).context("no permissions")?;
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    for permission in permissions {
        for contribution in permission.get("sources").and_then(Value::as_array).into_iter().flatten() {
            let source = contribution.get("source").unwrap_or(&Value::Null);
            let place = if contribution.get("costCenter").is_some() {
                "at its cost centre and below"
            } else {
                "everywhere"
            };
            writeln!(
                told,
                "  {:<12} {:<9} {place}: the {} {} {} it",
                text(permission, "permission"),
                text(contribution, "level"),
                text(source, "type"),
                text(source, "display"),
                text(contribution, "effect"),
            )?;
        }
    }
    Ok(told.flush()?)
}

async fn make(firm: &mut Player<'_>, path: &str, body: Value) -> Result<String> {
    id_of(&firm.send(Method::POST, path, Some(body), StatusCode::CREATED).await?)
}

pub(super) async fn find(firm: &mut Player<'_>, name: &str) -> Result<String> {
    let found = firm.get(&format!("/Users?filter=userName+eq+%22{name}%22")).await?;
    id_of(found.get("Resources").and_then(|all| all.get(0)).with_context(|| format!("{name} is not there"))?)
}
