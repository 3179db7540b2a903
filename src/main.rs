//! The `rosterd` program. Everything is in the library; this file only calls it.

fn main() {}
