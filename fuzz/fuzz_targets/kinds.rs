#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| podrole_identity::fuzzing::kinds(data));
