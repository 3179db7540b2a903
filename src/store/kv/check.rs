//! Everything that is held twice, compared.

use super::KvRead;
use crate::store::{Finding, StoreError};

/// Reads everything and reports what does not fit.
pub(super) fn check(_state: &dyn KvRead, _progress: &mut dyn FnMut(u64)) -> Result<Vec<Finding>, StoreError> {
    Ok(vec![])
}
