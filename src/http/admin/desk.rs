//! What an operator orders of plugins over the admin socket: to see them, and to have the settings and everything they name read again.
//!
//! The edge knows no plugins: it passes on what is ordered, and answers with what it is told.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::archive::ArchiveDesk;
use crate::http::edge::Edge;
use crate::http::problem::Problem;

/// Where the command line sends what it orders of plugins.
pub const PLUGINS_PATH: &str = "/admin/v1/plugins/order";

/// What an operator orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "order")]
pub enum PluginOrder {
    /// To see them.
    List,
    /// To have the settings read again, as SIGHUP does, and to be told what became of it.
    Reload,
}

/// Where a reload is answered: with what it did, or with why it did nothing.
pub type ReloadAnswer = oneshot::Sender<Result<Value, String>>;

/// Who carries the orders out.
#[derive(Clone)]
pub struct PluginDesk {
    /// Shows the plugins.
    pub list: Arc<dyn Fn() -> Value + Send + Sync>,
    /// Takes orders for a reload.
    pub reload: mpsc::Sender<ReloadAnswer>,
}

/// Everything that the admin socket asks beside the roster.
#[derive(Clone)]
pub struct Desks {
    /// Who carries out orders for plugins.
    pub plugins: PluginDesk,
    /// Who sends the whole store.
    pub archive: ArchiveDesk,
}

/// Carries out what is ordered.
pub async fn order(
    State(edge): State<Edge>,
    Extension(desk): Extension<PluginDesk>,
    request: Request,
) -> Result<Response, Problem> {
    let order: PluginOrder = super::read(&edge, request).await?;
    let answer = match order {
        PluginOrder::List => (desk.list)(),
        PluginOrder::Reload => {
            let (answered, answer) = oneshot::channel();
            let nobody =
                || Problem::bad_request("this daemon is stopping, or reads its settings already; try again");
            desk.reload.try_send(answered).map_err(|_| nobody())?;
            answer.await.map_err(|_| nobody())?.map_err(Problem::bad_request)?
        }
    };
    Ok(crate::http::scim::reply::json(StatusCode::OK, serde_json::to_vec(&answer).unwrap_or_default()))
}
