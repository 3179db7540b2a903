//! See `rosterd::roster::hostile::cursor`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rosterd::roster::hostile::cursor(bytes));
