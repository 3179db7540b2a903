//! See `rosterd::jwt::hostile::assertion`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rosterd::jwt::hostile::assertion(bytes));
