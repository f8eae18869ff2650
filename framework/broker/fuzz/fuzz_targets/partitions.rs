#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| mesh_broker::fuzzing::partitions(data));
