#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(mesh_broker::fuzzing::requests(data)));
