//! P16: what the largest daemon's users take on the disk, and how long it takes to open. Its figures are no rates, and stand by themselves.

use super::Prepared;
use crate::bench::session::Session;

pub(super) async fn storage(session: &mut Session<'_>) -> Prepared {
    if session.turn == 0 {
        session.measure_storage().await?;
    }
    Ok(Vec::new())
}
