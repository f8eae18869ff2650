mesh_macros::contract!("../contracts/broken.odcs.yaml");

fn main() {}
