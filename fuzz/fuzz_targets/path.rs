//! See `rosterd::idp::hostile::path`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rosterd::idp::hostile::path(bytes));
