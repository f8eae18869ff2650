//! Files to be written, all or none.

use std::fs;
use std::path::{Path, PathBuf};

use mesh_core::{Error, ErrorKind, Result};

enum Content {
    Text(String),
    /// A copy of this file, with a line's end at its end.
    Copy(PathBuf),
}

struct Edit {
    file: PathBuf,
    before: String,
    after: String,
}

/// What is to be written below one folder: new files, and new lines in files that are there.
pub struct Changes {
    root: PathBuf,
    new: Vec<(PathBuf, Content)>,
    edits: Vec<Edit>,
    /// What the author should know: guesses, and what cannot be had.
    pub notes: Vec<String>,
}

impl Changes {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            new: Vec::new(),
            edits: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// A new file at `path` below the folder.
    pub(crate) fn add(&mut self, path: &Path, text: String) {
        self.new.push((path.to_owned(), Content::Text(text)));
    }

    /// A copy of the file `from` at `path` below the folder.
    pub(crate) fn copy(&mut self, path: &Path, from: &Path) {
        self.new
            .push((path.to_owned(), Content::Copy(from.to_owned())));
    }

    /// Changes the file at `path` below the folder.
    ///
    /// # Errors
    /// If it cannot be read, and as `change` says.
    pub(crate) fn edit(
        &mut self,
        path: &Path,
        change: impl FnOnce(&Path, &str) -> Result<String>,
    ) -> Result<()> {
        let file = self.root.join(path);
        if let Some(edit) = self.edits.iter_mut().find(|edit| edit.file == path) {
            edit.after = change(&file, &edit.after)?;
            return Ok(());
        }
        let before = fs::read_to_string(&file).map_err(|error| failed(&file, "read", error))?;
        let after = change(&file, &before)?;
        self.edits.push(Edit {
            file: path.to_owned(),
            before,
            after,
        });
        Ok(())
    }

    /// The new text of every Rust file passes through `format`; `None` leaves it as it is.
    pub fn format_rust(&mut self, format: impl Fn(&str) -> Option<String>) {
        let is_rust = |path: &Path| path.extension().is_some_and(|ending| ending == "rs");
        for (path, content) in &mut self.new {
            if let Content::Text(text) = content
                && is_rust(path)
                && let Some(formatted) = format(text)
            {
                *text = formatted;
            }
        }
        for edit in self.edits.iter_mut().filter(|edit| is_rust(&edit.file)) {
            if let Some(formatted) = format(&edit.after) {
                edit.after = formatted;
            }
        }
    }

    /// The new files, by their whole paths.
    pub fn created(&self) -> Vec<PathBuf> {
        self.new
            .iter()
            .map(|(path, _)| self.root.join(path))
            .collect()
    }

    /// The files that get new lines, by their whole paths.
    pub fn edited(&self) -> Vec<PathBuf> {
        self.edits
            .iter()
            .map(|edit| self.root.join(&edit.file))
            .collect()
    }

    /// Checks that no new file is there already.
    fn check(&self) -> Result<()> {
        for (path, _) in &self.new {
            let file = self.root.join(path);
            if file.symlink_metadata().is_ok() {
                return Err(Error::new(ErrorKind::Conflict, "the file is there already")
                    .with("file", file.display())
                    .mend("choose another name, or remove the file; nothing was written"));
            }
        }
        Ok(())
    }

    /// Writes everything: into a temporary folder beside the targets first, and then into
    /// place. What fails on the way leaves everything as it was.
    ///
    /// # Errors
    /// A file that is there already, or that cannot be written.
    pub fn write(&self) -> Result<()> {
        self.check()?;
        // The root itself may be new; what is moved in has to stand on the same disk.
        let above = self.root.ancestors().find(|folder| folder.is_dir());
        let above = above.unwrap_or(Path::new("."));
        let stage = tempfile::Builder::new()
            .prefix(".mesh-new-")
            .tempdir_in(above)
            .map_err(|error| failed(above, "written", error))?;
        for (path, content) in &self.new {
            let file = stage.path().join("new").join(path);
            make_parent(&file)?;
            let text = match content {
                Content::Text(text) => text.as_bytes().to_vec(),
                Content::Copy(from) => whole_lines(from)?,
            };
            fs::write(&file, text).map_err(|error| failed(&file, "written", error))?;
        }
        for edit in &self.edits {
            let file = stage.path().join("edited").join(&edit.file);
            make_parent(&file)?;
            fs::write(&file, &edit.after).map_err(|error| failed(&file, "written", error))?;
        }
        let mut done = Done::default();
        let outcome = self.place(stage.path(), &mut done);
        if outcome.is_err() {
            done.undo();
        }
        outcome
    }

    fn place(&self, stage: &Path, done: &mut Done) -> Result<()> {
        for (path, _) in &self.new {
            let target = self.root.join(path);
            if target.exists() && done.covers(&target) {
                // Came with its folder.
                continue;
            }
            // A folder that is new is moved whole, which is one step.
            let unit = target
                .ancestors()
                .take_while(|folder| folder.starts_with(&self.root) && !folder.exists())
                .last()
                .unwrap_or(&target)
                .to_owned();
            let below = unit.strip_prefix(&self.root).unwrap_or(path);
            let from = match below.as_os_str().is_empty() {
                true => stage.join("new"),
                false => stage.join("new").join(below),
            };
            // The folder above the root may be missing too.
            make_parent(&unit)?;
            let moved = if from.is_dir() {
                fs::rename(&from, &unit)
            } else {
                // Unlike a rename, a link never replaces a file that came in between.
                fs::hard_link(&from, &unit).or_else(|error| match error.kind() {
                    std::io::ErrorKind::AlreadyExists => Err(error),
                    _ => copy_new(&from, &unit),
                })
            };
            moved.map_err(|error| failed(&unit, "written", error))?;
            done.created.push(unit);
        }
        for edit in &self.edits {
            let file = self.root.join(&edit.file);
            let now = fs::read_to_string(&file).map_err(|error| failed(&file, "read", error))?;
            if now != edit.before {
                return Err(
                    Error::new(ErrorKind::Conflict, "the file was changed meanwhile")
                        .with("file", file.display())
                        .mend("try again; nothing was written"),
                );
            }
            fs::rename(stage.join("edited").join(&edit.file), &file)
                .map_err(|error| failed(&file, "written", error))?;
            done.edited.push((file, edit.before.clone()));
        }
        Ok(())
    }
}

/// What stands in its place, should it have to be taken back.
#[derive(Default)]
struct Done {
    created: Vec<PathBuf>,
    edited: Vec<(PathBuf, String)>,
}

impl Done {
    fn covers(&self, path: &Path) -> bool {
        self.created.iter().any(|unit| path.starts_with(unit))
    }

    fn undo(self) {
        // Nothing is left to try where even this fails.
        for (file, text) in self.edited {
            let _ = fs::write(file, text);
        }
        for unit in self.created {
            let _ = match unit.is_dir() {
                true => fs::remove_dir_all(unit),
                false => fs::remove_file(unit),
            };
        }
    }
}

fn copy_new(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut file = fs::File::create_new(to)?;
    std::io::copy(&mut fs::File::open(from)?, &mut file).map(|_| ())
}

/// The bytes of a file, ended by a line's end: rows may be added to it.
fn whole_lines(from: &Path) -> Result<Vec<u8>> {
    let mut bytes = fs::read(from).map_err(|error| failed(from, "read", error))?;
    if bytes.last().is_some_and(|last| *last != b'\n') {
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn make_parent(file: &Path) -> Result<()> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => {
            fs::create_dir_all(folder).map_err(|error| failed(folder, "made", error))
        }
        _ => Ok(()),
    }
}

fn failed(path: &Path, what: &str, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::AlreadyExists => ErrorKind::Conflict,
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::FailedPrecondition,
    };
    Error::new(kind, format!("a file cannot be {what}"))
        .with("file", path.display())
        .with("reason", error.kind())
        .mend("check the path and its rights; nothing was written")
        .because(error)
}
