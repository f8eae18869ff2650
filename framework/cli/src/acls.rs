//! `mesh acls`: what a domain and the platform need on a Kafka with access control, and no
//! more. It follows from the domain's contracts.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mesh_core::contract::Contract;
use mesh_core::{Error, Result};
use mesh_stream::{Acl, AclOperation, AclResource, StreamConfig};

use crate::kafka::ClusterArgs;
use crate::ui;

#[derive(Args)]
pub(crate) struct AclsArgs {
    #[command(subcommand)]
    whose: Whose,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Only tell the rules
    #[arg(long, global = true)]
    dry_run: bool,
}

#[derive(Subcommand)]
enum Whose {
    /// Let a domain's user write its own topics and read those in its inputs folder
    Domain {
        /// The domain's folder, such as domains/loan
        folder: PathBuf,
        /// The user [default: the domain's name]
        #[arg(long)]
        user: Option<String>,
    },
    /// Let the platform's user read every topic for SQL
    Platform {
        /// The user
        #[arg(long, default_value = "platform")]
        user: String,
    },
}

pub(crate) async fn run(args: AclsArgs) -> Result<()> {
    let acls = match &args.whose {
        Whose::Domain { folder, user } => {
            let domain = Domain::read(folder)?;
            domain.acls(user.as_deref().unwrap_or(&domain.name))
        }
        Whose::Platform { user } => platform(user),
    };
    for acl in &acls {
        ui::line(acl.to_string());
    }
    if args.dry_run {
        return Ok(());
    }
    let bootstrap = args.cluster.bootstrap()?;
    let bootstrap = bootstrap.unwrap_or_else(|| "127.0.0.1:9092".into());
    let mut config = StreamConfig::new(bootstrap, String::new(), "mesh-acls");
    config.overrides = args.cluster.settings()?;
    mesh_stream::allow(&config, acls).await
}

/// What the contracts in a domain's folder say of the topics that it works with.
pub(crate) struct Domain {
    pub(crate) name: String,
    inputs: Vec<String>,
}

impl Domain {
    /// Reads the contracts of the domain's products and of what it relies on.
    ///
    /// # Errors
    /// If there are none, or they are of several domains.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let mut own: Vec<Contract> = Vec::new();
        for product in list(&folder.join("products"))? {
            let file = product.join("contract.odcs.yaml");
            if file.is_file() {
                own.push(contract(&file)?);
            }
        }
        let name = match own.first() {
            Some(first) if own.iter().all(|one| one.domain == first.domain) => first.domain.clone(),
            _ => {
                return Err(Error::invalid("this is not the folder of one domain")
                    .with("folder", folder.display())
                    .mend("name one that holds products/<product>/contract.odcs.yaml"));
            }
        };
        let mut inputs = Vec::new();
        for file in list(&folder.join("inputs"))? {
            if file
                .extension()
                .is_some_and(|extension| extension == "yaml")
            {
                inputs.push(contract(&file)?.schema.topic);
            }
        }
        Ok(Self { name, inputs })
    }

    /// A domain owns all names that begin with its own and a dot: topics, groups and
    /// transactional ids. Of others' it reads the topics of its inputs.
    pub(crate) fn acls(&self, user: &str) -> Vec<Acl> {
        use AclOperation::{Create, DescribeConfigs, Read, Write};
        use AclResource::{Group, Topic, TransactionalId};
        let own = [
            (Topic, Create),
            (Topic, DescribeConfigs),
            (Topic, Write),
            (Topic, Read),
            (Group, Read),
            (TransactionalId, Write),
        ]
        .map(|(resource, operation)| Acl {
            principal: format!("User:{user}"),
            resource,
            name: format!("{}.", self.name),
            prefixed: true,
            operation,
        });
        let inputs = self.inputs.iter().map(|topic| Acl {
            principal: format!("User:{user}"),
            resource: Topic,
            name: topic.clone(),
            prefixed: false,
            operation: Read,
        });
        own.into_iter().chain(inputs).collect()
    }
}

/// SQL reads every topic, and asks nothing else of Kafka.
pub(crate) fn platform(user: &str) -> Vec<Acl> {
    vec![Acl {
        principal: format!("User:{user}"),
        resource: AclResource::Topic,
        name: "*".into(),
        prefixed: false,
        operation: AclOperation::Read,
    }]
}

fn contract(file: &Path) -> Result<Contract> {
    let cannot = |why: String| {
        Error::invalid("a contract cannot be read")
            .with("file", file.display())
            .with("cause", why)
            .mend("mend what it names")
    };
    let text = std::fs::read_to_string(file).map_err(|error| cannot(error.to_string()))?;
    Contract::parse(&file.display().to_string(), &text).map_err(|all| cannot(all.to_string()))
}

/// What is in a folder, by name; nothing if it is not there.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    match std::fs::read_dir(folder) {
        Ok(entries) => found.extend(entries.flatten().map(|entry| entry.path())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(Error::invalid("a folder cannot be read")
                .with("folder", folder.display())
                .because(error));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_may_do_its_own_work_alone() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../domains");
        let transaction = Domain::read(&root.join("transaction")).unwrap();
        let rules: Vec<String> = transaction
            .acls("books")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            rules,
            [
                "User:books may create topic transaction.*",
                "User:books may describe configs topic transaction.*",
                "User:books may write topic transaction.*",
                "User:books may read topic transaction.*",
                "User:books may read group transaction.*",
                "User:books may write transactional id transaction.*",
                "User:books may read topic loan.decisions.v1",
            ]
        );
        assert!(Domain::read(&root).is_err());
    }
}
