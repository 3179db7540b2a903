//! See `rosterd::idp::hostile::resource`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rosterd::idp::hostile::resource(bytes));
