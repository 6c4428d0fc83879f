#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| podrole_sandbox::fuzzing::policy(data));
