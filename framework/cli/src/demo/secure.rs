//! A demo with logins and access control: a user for every process, made with passwords of
//! chance, and rules that let each do its own work alone.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use mesh_core::{Error, Result};
use mesh_stream::{Acl, StreamConfig};
use rand::RngExt;

use super::domains::FoundDomain;
use super::folder::DemoFolder;
use crate::acls;

/// The super user, and the platform's own.
const ADMIN: &str = "admin";
const PLATFORM: &str = "platform";

/// The users of a demo.
pub(crate) struct Logins {
    folder: PathBuf,
    /// The login of the platform, as its own clients read it.
    platform: String,
    acls: Vec<Acl>,
}

impl Logins {
    /// Makes users for the platform and all domains, or takes those of an earlier run.
    pub(crate) fn make(folder: &DemoFolder, found: &[FoundDomain]) -> Result<Self> {
        let folder = folder.data("logins")?;
        let mut logins = Self {
            folder,
            platform: String::new(),
            acls: acls::platform(PLATFORM),
        };
        let users = logins.users_file();
        let known = mesh_broker::user_names(&users)?;
        let domains = found.iter().map(|domain| domain.name.as_str());
        for name in [ADMIN, PLATFORM].into_iter().chain(domains) {
            let file = logins.kafka_config(name);
            let password = match known.contains_key(name) {
                true => password_in(&file),
                false => None,
            };
            let password = match password {
                Some(password) => password,
                None => {
                    let password = format!("{:032x}", rand::rng().random::<u128>());
                    write_secret(&file, &client(name, &password))?;
                    mesh_broker::set_password(&users, name, &password)?;
                    password
                }
            };
            if name == PLATFORM {
                logins.platform = client(name, &password);
            }
        }
        for domain in found {
            let acls = acls::Domain::read(&domain.folder)?.acls(&domain.name);
            logins.acls.extend(acls);
        }
        Ok(logins)
    }

    fn users_file(&self) -> PathBuf {
        self.folder.join("users.json")
    }

    /// The file with the login of a user, for `--kafka-config` and `MESH_CONFIG`.
    pub(crate) fn kafka_config(&self, user: &str) -> PathBuf {
        self.folder.join(format!("{user}.toml"))
    }

    /// The folder that holds all of it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the platform's file, with the broker at `address`.
    pub(crate) fn platform_config(&self, address: &str) -> Result<PathBuf> {
        let file = self.folder.join("mesh.toml");
        let text = format!(
            "[broker]
listeners = [\"SASL_PLAINTEXT://{address}\"]
users_file = \"users.json\"
authorizer = true
super_users = [\"User:{ADMIN}\"]

{}",
            self.platform
        );
        write_secret(&file, &text)?;
        Ok(file)
    }

    /// Makes the rules on the running broker, as the super user.
    pub(crate) async fn allow(&self, bootstrap: &str) -> Result<()> {
        let mut config = StreamConfig::new(bootstrap, String::new(), "mesh-demo");
        config.overrides = crate::kafka::settings(&self.kafka_config(ADMIN))?;
        mesh_stream::allow(&config, self.acls.clone()).await
    }
}

fn client(user: &str, password: &str) -> String {
    format!(
        "[kafka]
\"security.protocol\" = \"SASL_PLAINTEXT\"
\"sasl.mechanism\" = \"SCRAM-SHA-256\"
\"sasl.username\" = \"{user}\"
\"sasl.password\" = \"{password}\"
"
    )
}

fn password_in(file: &Path) -> Option<String> {
    crate::kafka::settings(file).ok()?.remove("sasl.password")
}

/// Writes a file that only we can read.
fn write_secret(file: &Path, text: &str) -> Result<()> {
    let partial = file.with_extension("new");
    let _ = std::fs::remove_file(&partial);
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)
        .and_then(|mut open| open.write_all(text.as_bytes()))
        .and_then(|()| std::fs::rename(&partial, file))
        .map_err(|error| {
            Error::invalid("a login cannot be written")
                .with("file", file.display())
                .with("cause", error)
                .mend("choose another --data-dir DIR")
        })
}
