//! Where things are: the folder with `domains/`, a Cargo workspace around it, a domain in it.

use std::path::{Path, PathBuf};

use mesh_core::{Error, ErrorKind, Result};

use crate::manifest::Workspace;

/// The folder that has, or will have, `domains/`.
pub struct Place {
    /// The folder.
    pub root: PathBuf,
    /// The Cargo workspace that takes every folder below `domains/` for a crate.
    pub(crate) workspace: Option<Workspace>,
}

/// A domain's folder.
pub struct DomainFolder {
    /// Its path.
    pub path: PathBuf,
    /// Whether it is a crate.
    pub code: bool,
}

impl Place {
    /// `folder`; without one the nearest folder from the current one upwards that has
    /// `domains/`, else the current one.
    ///
    /// # Errors
    /// A folder that is not there; a `Cargo.toml` beside `domains/` that cannot be read.
    pub fn find(folder: Option<&Path>) -> Result<Self> {
        let root = match folder {
            Some(folder) if folder.is_dir() => folder.to_owned(),
            Some(folder) => {
                return Err(Error::not_found("there is no such folder")
                    .with("folder", folder.display())
                    .mend("name the folder that has domains/, or will have it, by --folder DIR"));
            }
            None => {
                let here = std::env::current_dir().map_err(|error| {
                    Error::new(
                        ErrorKind::FailedPrecondition,
                        "the current folder is not known",
                    )
                    .mend("name a folder by --folder DIR")
                    .because(error)
                })?;
                let found = here
                    .ancestors()
                    .find(|folder| folder.join("domains").is_dir());
                match found {
                    // As it is called from here, which is what a person reads.
                    Some(found) if found == here => PathBuf::from("."),
                    Some(found) => found.to_owned(),
                    None => PathBuf::from("."),
                }
            }
        };
        let workspace = Workspace::around_domains(&root)?;
        Ok(Self { root, workspace })
    }

    /// Whether a Cargo workspace takes every folder below `domains/` for a crate.
    pub fn is_workspace(&self) -> bool {
        self.workspace.is_some()
    }

    /// Where the domain `name` is, or would be, from the root.
    pub(crate) fn below(name: &str) -> PathBuf {
        Path::new("domains").join(name)
    }

    /// The folder of the domain `name`.
    ///
    /// # Errors
    /// If it is not there.
    pub fn domain(&self, name: &str) -> Result<DomainFolder> {
        let below = Self::below(name);
        let path = match self.root == Path::new(".") {
            true => below,
            false => self.root.join(below),
        };
        if !path.is_dir() {
            return Err(Error::not_found(format!("there is no domain `{name}`"))
                .with("folder", path.display())
                .mend(format!(
                    "make it with `mesh new domain {name}`, or say where it is by --folder DIR"
                )));
        }
        let code = path.join("Cargo.toml").is_file();
        Ok(DomainFolder { path, code })
    }
}
