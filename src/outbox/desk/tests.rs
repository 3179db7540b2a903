//! The desk: order, retries, what is set aside.
