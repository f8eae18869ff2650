//! The demo's folder: which bank it holds, and where each process keeps its data.

use std::path::{Path, PathBuf};

use mesh_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::{DemoArgs, bank, make};

/// What fills the demo; kept in the folder, so that two banks never mix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "bank", rename_all = "kebab-case")]
enum Bank {
    Berka { directory: PathBuf },
    MadeUp { customers: u32, seed: u64 },
}

pub(crate) struct DemoFolder {
    root: PathBuf,
    bank: Bank,
}

const MARKER: &str = "mesh-demo.json";

impl DemoFolder {
    pub(crate) fn open(args: &DemoArgs) -> Result<Self> {
        let bank = match &args.berka {
            Some(directory) => Bank::Berka {
                directory: existing(directory)?,
            },
            None => Bank::MadeUp {
                customers: args.customers,
                seed: args.seed,
            },
        };
        let root = std::path::absolute(&args.data_dir).map_err(|error| {
            Error::invalid("the data directory has no absolute path").because(error)
        })?;
        let marker = root.join(MARKER);
        if args.fresh {
            clear(&root, &marker)?;
        }
        let root = make(root)?;
        match std::fs::read_to_string(&marker) {
            Ok(text) => {
                let held: Bank = serde_json::from_str(&text).map_err(|error| {
                    Error::invalid("the demo's folder is not understood")
                        .with("file", marker.display())
                        .mend("start from nothing with --fresh")
                        .because(error)
                })?;
                if held != bank {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        "the data directory holds another bank",
                    )
                    .with("directory", root.display())
                    .mend("start from nothing with --fresh, or choose another --data-dir"));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text = serde_json::to_string_pretty(&bank).map_err(|error| {
                    Error::internal("a marker cannot be written").because(error)
                })?;
                std::fs::write(&marker, text + "\n").map_err(|error| {
                    Error::invalid("the data directory cannot be written")
                        .with("file", marker.display())
                        .with("cause", error)
                        .mend("choose one that can be written with --data-dir DIR")
                })?;
            }
            Err(error) => {
                return Err(Error::invalid("the data directory cannot be read")
                    .with("file", marker.display())
                    .with("cause", error)
                    .mend("choose another with --data-dir DIR"));
            }
        }
        Ok(Self { root, bank })
    }

    /// The directory that the domains read; a made-up bank is written if it is not there.
    pub(crate) fn source(&self) -> Result<PathBuf> {
        match &self.bank {
            Bank::Berka { directory } => Ok(directory.clone()),
            Bank::MadeUp { customers, seed } => {
                let directory = make(self.root.join("bank"))?;
                bank::write(&directory, *customers, *seed)?;
                Ok(directory)
            }
        }
    }

    pub(crate) fn data(&self, process: &str) -> Result<PathBuf> {
        make(self.root.join(process))
    }

    pub(crate) fn logs(&self) -> Result<PathBuf> {
        make(self.root.join("logs"))
    }

    /// Names and process ids of what runs, for those who want to look or to kill.
    pub(crate) fn processes_file(&self) -> PathBuf {
        self.root.join("processes.json")
    }
}

fn existing(directory: &Path) -> Result<PathBuf> {
    match std::fs::canonicalize(directory) {
        Ok(path) if path.is_dir() => Ok(path),
        _ => Err(Error::not_found("there is no such directory")
            .with("directory", directory.display())
            .mend("give --berka the directory of the bank's files, or leave it out")),
    }
}

/// Removes a folder that an earlier demo made; never one that it did not.
fn clear(root: &Path, marker: &Path) -> Result<()> {
    if !root.exists() {
        return Ok(());
    }
    let empty = std::fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_none());
    if !marker.exists() && !empty {
        return Err(Error::new(
            ErrorKind::FailedPrecondition,
            "the data directory was not made by a demo, so --fresh does not remove it",
        )
        .with("directory", root.display())
        .mend("choose another with --data-dir DIR"));
    }
    std::fs::remove_dir_all(root).map_err(|error| {
        Error::invalid("the data directory cannot be removed")
            .with("directory", root.display())
            .with("cause", error)
            .mend("end the processes that use it")
    })
}
