//! See `rosterd::archive::hostile::backup`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rosterd::archive::hostile::backup(bytes));
