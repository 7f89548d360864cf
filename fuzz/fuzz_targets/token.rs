#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| polywire_fuzz_checks::token::check(data));
