//! The schema registry of the platform: where it keeps its state, and who may use it.
//! `mesh registry-users` keeps the file of its users.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mesh_core::{Error, ErrorKind, Result};
use mesh_registry::{Database, Grant, RegistryConfig};

use crate::ui;
use crate::users::{give_to_owner, password};

/// Options of the embedded schema registry.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct RegistryOptions {
    /// Where the registry keeps its state: a SQLite file, or the URL of a Postgres database,
    /// whose password is better given by PGPASSWORD or ~/.pgpass [default: registry.sqlite
    /// in the data directory]
    #[arg(
        long,
        env = "MESH_REGISTRY_DATABASE",
        value_name = "FILE|URL",
        hide_env_values = true
    )]
    pub(crate) registry_database: Option<String>,
    /// File of those who may use the registry, see `mesh registry-users`; without one everybody
    /// may do everything
    #[arg(long, env = "MESH_REGISTRY_USERS", value_name = "FILE")]
    pub(crate) registry_users: Option<PathBuf>,
}

impl RegistryOptions {
    /// The registry's configuration on a platform that keeps its data in `data_dir`.
    pub(crate) fn config(&self, data_dir: &std::path::Path) -> Result<RegistryConfig> {
        let database = match &self.registry_database {
            Some(text) => text.parse()?,
            None => Database::file(data_dir.join("registry.sqlite")),
        };
        let mut config = RegistryConfig::new(database);
        config.users.clone_from(&self.registry_users);
        Ok(config)
    }
}

#[derive(Args)]
pub(crate) struct RegistryUsersArgs {
    #[command(subcommand)]
    action: Action,
    /// The file of users
    #[arg(
        long,
        env = "MESH_REGISTRY_USERS",
        value_name = "FILE",
        default_value = ".mesh/platform/registry-users.json",
        global = true
    )]
    registry_users: PathBuf,
}

#[derive(Subcommand)]
enum Action {
    /// Add a user or set password and grants anew; the password is asked for, or read from
    /// standard input
    Add {
        /// The user's name
        name: String,
        /// ROLE or ROLE:PREFIX, several times: read, write or admin for the subjects that begin
        /// with PREFIX, or for all
        #[arg(long, value_name = "GRANT", required = true)]
        grant: Vec<Grant>,
    },
    /// Make a bearer token and print it; it cannot be shown again
    Token {
        /// The token's name
        name: String,
        /// ROLE or ROLE:PREFIX, several times
        #[arg(long, value_name = "GRANT", required = true)]
        grant: Vec<Grant>,
    },
    /// List users and tokens with what they may do
    List,
    /// Remove a user or a token
    Remove {
        /// The name
        name: String,
    },
}

pub(crate) fn users(args: &RegistryUsersArgs) -> Result<()> {
    let file = &args.registry_users;
    if let Some(folder) = file.parent() {
        crate::platform::make_directory(folder, "--registry-users")?;
    }
    match &args.action {
        Action::Add { name, grant } => {
            let password = password(name)?;
            mesh_registry::set_user(file, name, &password, grant.clone())?;
            give_to_owner(file)?;
            ui::line(format!("{name} can use the registry"));
        }
        Action::Token { name, grant } => {
            let token = mesh_registry::add_token(file, name, grant.clone())?;
            give_to_owner(file)?;
            ui::line(token);
        }
        Action::List => {
            for (name, is_token, grants) in mesh_registry::user_names(file)? {
                let grants: Vec<String> = grants
                    .iter()
                    .map(|grant| format!("{}:{}", grant.role.as_str(), grant.subjects))
                    .collect();
                let kind = if is_token { "token" } else { "user" };
                ui::line(format!("{name}  {kind}  {}", grants.join(" ")));
            }
        }
        Action::Remove { name } => {
            if !mesh_registry::remove_user(file, name)? {
                return Err(
                    Error::new(ErrorKind::NotFound, "there is no such user or token")
                        .with("name", name)
                        .with("file", file.display())
                        .mend("see `mesh registry-users list`"),
                );
            }
            give_to_owner(file)?;
            ui::line(format!("{name} can no longer use the registry"));
        }
    }
    Ok(())
}
