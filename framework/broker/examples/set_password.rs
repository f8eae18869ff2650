//! Sets the password of a user who may log in to a broker; only salted hashes are stored:
//! `echo PASSWORD | cargo run -p mesh-broker --example set_password -- FILE USER`.

use std::path::Path;

use mesh_core::{Error, Result};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(user)) = (arguments.next(), arguments.next()) else {
        return Err(Error::invalid("the file or the user is missing")
            .mend("name the file of users and the user; the password is read from the input"));
    };
    // Not an argument: those are seen by everybody on the machine.
    let password = std::io::read_to_string(std::io::stdin())
        .map_err(|error| Error::invalid("the password cannot be read").because(error))?;
    mesh_broker::set_password(Path::new(&file), &user, password.trim_end_matches('\n'))
}
