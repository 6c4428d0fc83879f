#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| podrole_webhook::fuzzing::review(data));
