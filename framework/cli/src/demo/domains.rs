//! The domains of a workspace: found in `domains/`, built by cargo.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use mesh_core::{Error, Result};
use tokio::process::Command;

use crate::ports::claim;

/// The word for every domain, whatever mesh it belongs to.
pub(crate) const ALL: &str = "all";

/// A folder under `domains/`.
pub(crate) struct FoundDomain {
    /// The package's name, which is the domain's.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// The mesh that it belongs to: `mesh` under `[package.metadata.mesh]` of its manifest.
    pub(crate) mesh: Option<String>,
}

/// Those of the mesh called `wanted`; all of them if that is `all`.
///
/// # Errors
/// If no domain belongs to it.
pub(crate) fn of_mesh(found: Vec<FoundDomain>, wanted: &str) -> Result<Vec<FoundDomain>> {
    if wanted == ALL {
        return Ok(found);
    }
    let known: BTreeSet<String> = found
        .iter()
        .filter_map(|domain| domain.mesh.clone())
        .collect();
    let of: Vec<FoundDomain> = found
        .into_iter()
        .filter(|domain| domain.mesh.as_deref() == Some(wanted))
        .collect();
    if of.is_empty() {
        let known: Vec<String> = known.into_iter().chain([ALL.to_owned()]).collect();
        return Err(Error::not_found("no domain belongs to this mesh")
            .with("mesh", wanted)
            .mend(format!("choose one of {}", known.join(", "))));
    }
    Ok(of)
}

/// Every folder under `domains/` that holds a crate, by name.
pub(crate) fn find(workspace: &Path) -> Result<Vec<FoundDomain>> {
    let folder = workspace.join("domains");
    let entries = std::fs::read_dir(&folder).map_err(|error| {
        Error::not_found("there is no domains folder")
            .with("folder", folder.display())
            .with("cause", error)
            .mend("run it from the root of the workspace, or name that with --workspace DIR")
    })?;
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let manifest = entry.path().join("Cargo.toml");
        let Ok(text) = std::fs::read_to_string(&manifest) else {
            continue;
        };
        let package = toml::from_str::<toml::Table>(&text)
            .ok()
            .and_then(|mut table| table.remove("package"));
        let text_at = |path: &[&str]| {
            let mut at = package.as_ref()?;
            for key in path {
                at = at.get(key)?;
            }
            Some(at.as_str()?.to_owned())
        };
        let mesh = text_at(&["metadata", "mesh", "mesh"]);
        let name = text_at(&["name"]).ok_or_else(|| {
            Error::invalid("a manifest without a package name")
                .with("file", manifest.display())
                .mend("add `[package]` with `name = …`")
        })?;
        found.push(FoundDomain {
            name,
            folder: entry.path(),
            mesh,
        });
    }
    if found.is_empty() {
        return Err(Error::not_found("there is no domain")
            .with("folder", folder.display())
            .mend("add a crate under domains/"));
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The binaries of the domains in `directory`, in the order of `found`.
pub(crate) fn built(directory: &Path, found: &[FoundDomain]) -> Result<Vec<PathBuf>> {
    found
        .iter()
        .map(|domain| {
            let program = directory.join(&domain.name);
            let absolute = std::path::absolute(&program).ok().filter(|it| it.is_file());
            absolute.ok_or_else(|| {
                Error::not_found("a domain has no program in the directory of programs")
                    .with("domain", &domain.name)
                    .with("program", program.display())
                    .mend("put it there, or leave --programs out to have the domains built")
            })
        })
        .collect()
}

/// How variables begin that cargo sets for a program that it runs, as `cargo run --bin mesh`
/// does. Build scripts of dependencies (ring's) take a change of them for one of their own, and
/// all that stands on them would be compiled anew.
const OF_OUTER_CARGO: [&str; 5] = [
    "CARGO_BIN_",
    "CARGO_CRATE_",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PRIMARY_",
];

/// Builds the binary of each domain; answers their paths in the order of `found`.
pub(crate) async fn build(workspace: &Path, found: &[FoundDomain]) -> Result<Vec<PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // No package is selected, only binaries: so cargo settles the features of the
    // dependencies for the whole workspace, and builds them once for demo and tests.
    command
        .current_dir(workspace)
        .args(["build", "--message-format=json-render-diagnostics"]);
    for domain in found {
        command.args(["--bin", &domain.name]);
    }
    for (name, _) in std::env::vars_os() {
        let set = |start: &&str| name.as_encoded_bytes().starts_with(start.as_bytes());
        if OF_OUTER_CARGO.iter().any(set) {
            command.env_remove(&name);
        }
    }
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| {
            Error::unavailable("cargo does not start")
                .with("cause", error)
                .mend("install Rust, the domains are built with it")
        })?;
    if !output.status.success() {
        return Err(Error::invalid("the domains do not build")
            .mend("mend what cargo says above; a broken contract is named with file and line"));
    }
    let mut programs = BTreeMap::new();
    for line in output.stdout.split(|byte| *byte == b'\n') {
        let Ok(message) = serde_json::from_slice::<serde_json::Value>(line) else {
            continue;
        };
        if let (Some(name), Some(program)) = (
            message["target"]["name"].as_str(),
            message["executable"].as_str(),
        ) {
            programs.insert(name.to_owned(), PathBuf::from(program));
        }
    }
    found
        .iter()
        .map(|domain| {
            programs.get(&domain.name).cloned().ok_or_else(|| {
                Error::invalid("a domain without a binary of its name")
                    .with("domain", &domain.name)
                    .with("folder", domain.folder.display())
                    .mend("give the crate a `src/main.rs`")
            })
        })
        .collect()
}

/// One address for each domain, from `first` on.
pub(crate) fn claim_ports(
    host: IpAddr,
    first: u16,
    found: &[FoundDomain],
) -> Result<Vec<SocketAddr>> {
    let listeners = (0..found.len())
        .map(|at| {
            let port = if first == 0 {
                0
            } else {
                first.checked_add(at as u16).ok_or_else(|| {
                    Error::invalid("there are not enough ports above --domain-port")
                        .mend("choose a lower one")
                })?
            };
            claim(host, port, &found[at].name, "--domain-port")
        })
        .collect::<Result<Vec<_>>>()?;
    listeners
        .iter()
        .map(|listener| {
            listener
                .local_addr()
                .map_err(|error| Error::internal("a listener has no address").because(error))
        })
        .collect()
}
