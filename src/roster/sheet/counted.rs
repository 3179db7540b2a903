//! The seats that rows would take and leave, if they were written: so that a row that is only looked at is judged as it would be when it comes to be
//! written after those before it.

use std::collections::BTreeMap;

use crate::ids::ResourceId;
use crate::roster::rows::SEATS;
use crate::store::Write;

/// How many seats of each pool rows would take, less those that they would leave.
pub type Seats = BTreeMap<ResourceId, i64>;

/// Adds the seats that writes take and leave.
pub fn add(seats: &mut Seats, writes: &[Write]) {
    for write in writes {
        if let Write::Add { space: SEATS, key, by } = write
            && let Ok(pool) = <[u8; 16]>::try_from(key.as_slice())
        {
            let sum = seats.entry(ResourceId::from_bytes(pool)).or_default();
            *sum = sum.saturating_add(*by);
        }
    }
}
