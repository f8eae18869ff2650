//! `mesh users`: who may log in to the embedded broker. Passwords are asked for or read
//! from standard input, never arguments, which everybody on the machine can see.

use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mesh_core::{Error, ErrorKind, Result};

use crate::broker_options::PlatformFile;
use crate::ui;

#[derive(Args)]
pub(crate) struct UsersArgs {
    #[command(subcommand)]
    action: Action,
    /// The file of users
    #[arg(long, env = "MESH_USERS_FILE", value_name = "FILE", global = true)]
    users_file: Option<PathBuf>,
    /// The platform's TOML file, which may name the file of users
    #[arg(long, env = "MESH_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The platform's directory, where the file is if nothing names another
    #[arg(
        long,
        env = "MESH_DATA_DIR",
        default_value = ".mesh/platform",
        global = true
    )]
    data_dir: PathBuf,
}

#[derive(Subcommand)]
enum Action {
    /// Add a user or set another password; it is asked for, or read from standard input
    Add {
        /// The user's name
        name: String,
    },
    /// List the users and how they can log in
    List,
    /// Remove a user
    Remove {
        /// The user's name
        name: String,
    },
}

impl UsersArgs {
    fn file(&self) -> Result<PathBuf> {
        if let Some(file) = &self.users_file {
            return Ok(file.clone());
        }
        if let Some(config) = &self.config
            && let Some(file) = PlatformFile::read(config)?.broker.users_file
        {
            return Ok(file);
        }
        Ok(self.data_dir.join("kafka/users.json"))
    }
}

pub(crate) fn run(args: &UsersArgs) -> Result<()> {
    let file = args.file()?;
    match &args.action {
        Action::Add { name } => {
            if let Some(folder) = file.parent() {
                crate::platform::make_directory(folder, "--users-file")?;
            }
            let password = password(name)?;
            mesh_broker::set_password(&file, name, &password)?;
            give_to_owner(&file)?;
            ui::line(format!("{name} can log in"));
        }
        Action::List => {
            for (name, mechanisms) in mesh_broker::user_names(&file)? {
                ui::line(format!("{name}  {}", mechanisms.join(", ")));
            }
        }
        Action::Remove { name } => {
            if !mesh_broker::remove_user(&file, name)? {
                return Err(Error::new(ErrorKind::NotFound, "there is no such user")
                    .with("user", name)
                    .with("file", file.display())
                    .mend("see `mesh users list`"));
            }
            give_to_owner(&file)?;
            ui::line(format!("{name} can no longer log in"));
        }
    }
    Ok(())
}

/// Gives a file that root has written to the owner of its folder, who is to read it: the
/// platform runs as another user.
pub(crate) fn give_to_owner(file: &Path) -> Result<()> {
    // SAFETY: takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return Ok(());
    }
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    std::fs::metadata(folder.unwrap_or(Path::new(".")))
        .and_then(|owner| std::os::unix::fs::chown(file, Some(owner.uid()), Some(owner.gid())))
        .map_err(|error| {
            Error::internal("the file of users cannot be given to the owner of its folder")
                .with("file", file.display())
                .with("cause", error)
                .mend("give it to the user that the platform runs as: chown")
        })
}

/// Asks at a terminal, without an echo and twice; elsewhere the first line of standard input.
pub(crate) fn password(name: &str) -> Result<String> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return line();
    }
    let quiet = Quiet::begin()?;
    let ask = |what: &str| {
        let mut out = std::io::stderr().lock();
        let _ = write!(out, "{what} of {name}: ");
        let _ = out.flush();
        let answer = line();
        let _ = writeln!(out);
        answer
    };
    let password = ask("password")?;
    let again = ask("the same password")?;
    drop(quiet);
    if password != again {
        return Err(Error::invalid("the passwords differ").mend("try again"));
    }
    Ok(password)
}

fn line() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut text)
        .map_err(|error| Error::invalid("the password cannot be read").because(error))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// A terminal without an echo, until it is dropped.
struct Quiet(libc::termios);

impl Quiet {
    fn begin() -> Result<Self> {
        // SAFETY: termios is plain data, for which zeroes are valid; both calls read and
        // write only it, and standard input is open.
        unsafe {
            let mut before: libc::termios = std::mem::zeroed();
            if libc::tcgetattr(libc::STDIN_FILENO, &mut before) == 0 {
                let mut quiet = before;
                quiet.c_lflag &= !libc::ECHO;
                if libc::tcsetattr(libc::STDIN_FILENO, libc::TCSAFLUSH, &quiet) == 0 {
                    return Ok(Self(before));
                }
            }
        }
        Err(
            Error::internal("the terminal cannot be asked without showing the answer")
                .mend("give the password on standard input"),
        )
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // SAFETY: as in `begin`.
        unsafe {
            libc::tcsetattr(libc::STDIN_FILENO, libc::TCSAFLUSH, &self.0);
        }
    }
}
