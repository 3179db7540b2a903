//! See `rosterd::jwt::hostile::keys`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rosterd::jwt::hostile::keys(bytes));
