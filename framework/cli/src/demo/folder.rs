//! The demo's folder: which bank and which media service it holds, and where each process keeps its data.

use std::path::{Path, PathBuf};

use mesh_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::{DemoArgs, bank, make, media};

/// What fills the demo; kept in the folder, so that two of them never mix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sample {
    #[serde(flatten)]
    bank: Bank,
    media: Media,
}

/// Where the media service's views and advertisements come from; made up where no file is
/// named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Media {
    movielens: Option<PathBuf>,
    report: Option<PathBuf>,
    viewers: u32,
    seed: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "bank", rename_all = "kebab-case")]
enum Bank {
    Berka { directory: PathBuf },
    MadeUp { customers: u32, seed: u64 },
}

pub(crate) struct DemoFolder {
    root: PathBuf,
    sample: Sample,
}

const MARKER: &str = "mesh-demo.json";

impl DemoFolder {
    pub(crate) fn open(args: &DemoArgs) -> Result<Self> {
        let bank = match &args.berka {
            Some(directory) => Bank::Berka {
                directory: existing(directory, "--berka")?,
            },
            None => Bank::MadeUp {
                customers: args.customers,
                seed: args.seed,
            },
        };
        let media = Media {
            movielens: match &args.movielens {
                Some(directory) => Some(existing(directory, "--movielens")?),
                None => None,
            },
            report: match &args.ads_report {
                Some(file) => Some(existing_file(file)?),
                None => None,
            },
            viewers: args.viewers,
            seed: args.seed,
        };
        let sample = Sample { bank, media };
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
                let held: Sample = serde_json::from_str(&text).map_err(|error| {
                    Error::invalid("the demo's folder is not understood")
                        .with("file", marker.display())
                        .mend("start from nothing with --fresh")
                        .because(error)
                })?;
                if held != sample {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        "the data directory holds another bank or media service",
                    )
                    .with("directory", root.display())
                    .mend("start from nothing with --fresh, or choose another --data-dir"));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text = serde_json::to_string_pretty(&sample).map_err(|error| {
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
        Ok(Self { root, sample })
    }

    /// The directory that the domains of a mesh read; what is made up is written if it is not
    /// there.
    pub(crate) fn source(&self, mesh: Option<&str>) -> Result<PathBuf> {
        match mesh {
            Some("media") => self.media(),
            _ => self.bank(),
        }
    }

    fn media(&self) -> Result<PathBuf> {
        let media = &self.sample.media;
        let directory = make(self.root.join("media"))?;
        if let Some(from) = &media.movielens {
            let views = ["ratings.csv.gz", "ratings.csv"]
                .into_iter()
                .find(|name| from.join(name).is_file())
                .ok_or_else(|| {
                    Error::not_found("the directory holds no ratings")
                        .with("directory", from.display())
                        .mend("give --movielens a directory with ratings.csv or ratings.csv.gz")
                })?;
            for name in [views, "movies.csv"] {
                copy(&from.join(name), &directory.join(name))?;
            }
        }
        if let Some(from) = &media.report {
            copy(from, &directory.join("data.csv"))?;
        }
        media::write(&directory, media.viewers, media.seed)?;
        Ok(directory)
    }

    fn bank(&self) -> Result<PathBuf> {
        match &self.sample.bank {
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

/// Copies a file that is not there yet; its time of change does not matter to its readers.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        return Ok(());
    }
    // A half-copied file must never be read as a whole one.
    let partial = to.with_extension("new");
    std::fs::copy(from, &partial)
        .and_then(|_| std::fs::rename(&partial, to))
        .map_err(|error| {
            Error::invalid("a file cannot be copied into the data directory")
                .with("file", from.display())
                .with("to", to.display())
                .with("cause", error)
                .mend("put the file there, or choose a --data-dir with room")
        })
}

fn existing_file(file: &Path) -> Result<PathBuf> {
    match std::fs::canonicalize(file) {
        Ok(path) if path.is_file() => Ok(path),
        _ => Err(Error::not_found("there is no such file")
            .with("file", file.display())
            .mend("give --ads-report the report's file, or leave it out")),
    }
}

fn existing(directory: &Path, option: &str) -> Result<PathBuf> {
    match std::fs::canonicalize(directory) {
        Ok(path) if path.is_dir() => Ok(path),
        _ => Err(Error::not_found("there is no such directory")
            .with("directory", directory.display())
            .mend(format!(
                "give {option} the directory of the files, or leave it out"
            ))),
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
