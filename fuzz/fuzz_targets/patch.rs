//! See `rosterd::idp::hostile::patch`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rosterd::idp::hostile::patch(bytes));
