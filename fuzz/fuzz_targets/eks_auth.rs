#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| podrole_agent::fuzzing::eks_auth(data));
