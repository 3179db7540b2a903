//! `/admin/v1/tenants`, on the socket only: whoever holds a token belongs to one tenant, and need not know of others.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ask::Ask;
use super::endpoint::{Found, Made};
use super::page::Page;
use crate::http::problem::Problem;
use crate::roster::TenantView;

/// A tenant.
#[derive(Serialize, ToSchema)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
}

/// A tenant to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// Its name: lower-case letters, digits and inner hyphens.
    pub name: String,
}

/// Lists the tenants.
pub async fn list(ask: Ask) -> Result<Found<Page<Tenant>>, Problem> {
    let tenants = ask.edge().roster().tenants()?;
    let tenants = tenants.into_iter().map(|TenantView { name, created }| Tenant { name, created });
    Ok(Found(Page::of(&ask, tenants, |tenant| tenant.name.clone())))
}

/// Makes a tenant.
pub async fn make(ask: Ask, NewTenant { name }: NewTenant) -> Result<Made<Tenant>, Problem> {
    let request = ask.hold.request_id;
    let made = ask.run(move |roster, _, _| {
        roster.create_tenant(&name, request)?;
        Ok(roster.tenants()?.into_iter().find(|tenant| tenant.name == name))
    });
    match made.await? {
        Some(TenantView { name, created }) => Ok(Made(Tenant { name, created })),
        None => Err(Problem::internal("a tenant that was made is not listed")),
    }
}
