//! See `rosterd::idp::hostile::filter`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rosterd::idp::hostile::filter(bytes));
