//! Files of declarations in TOML, read at the start: errors name file, line and field.

use std::path::Path;

use mesh_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use toml::Spanned;

/// A file of declarations, for errors about it.
#[derive(Debug, Clone)]
pub struct Declared {
    file: String,
    text: String,
}

impl Declared {
    /// A text that is called `file` in errors.
    pub fn new(file: &str, text: &str) -> Self {
        Self {
            file: file.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// If it is not there, cannot be read, or is no UTF-8.
    pub fn open(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                _ => ErrorKind::FailedPrecondition,
            };
            Error::new(kind, "a file of declarations cannot be read")
                .with("file", path.display())
                .mend("name a file that is there, in UTF-8, and let this process read it")
                .because(error)
        })?;
        Ok(Self::new(&path.display().to_string(), &text))
    }

    /// The file as a `T`.
    ///
    /// # Errors
    /// What is no TOML, is missing, unknown or of another type, by file and line.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        toml::from_str(&self.text).map_err(|error| {
            let line = self.line(error.span().map_or(0, |span| span.start));
            Error::invalid(format!(
                "the declarations are malformed: {}",
                error.message()
            ))
            .with("file", &self.file)
            .with("line", line)
            .mend("write the file as the comment at the top of the one that is delivered says")
        })
    }

    /// The error that what stands at `field` is wrong.
    pub fn wrong<T>(
        &self,
        at: &Spanned<T>,
        field: &'static str,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Error {
        Error::invalid(message.into())
            .with("file", &self.file)
            .with("line", self.line(at.span().start))
            .with("field", field)
            .mend(mend.into())
    }

    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}
