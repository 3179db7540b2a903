//! See `rosterd::requests::hostile::spans`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rosterd::requests::hostile::spans(bytes));
