//! See `rosterd::idp::hostile::json`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rosterd::idp::hostile::json(bytes));
