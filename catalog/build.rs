//! Has the crate built again when a migration is added: `sqlx::migrate!` reads the folder.
#![allow(clippy::print_stdout)]

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
