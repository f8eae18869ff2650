//! What is wrong with a file, said so that its author can mend it.

use std::fmt;

/// One thing that is wrong: where it stands, what it is, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as the caller named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The field's path, such as `schema[0].properties[2].logicalType`; empty for the whole file.
    pub field: String,
    /// What is wrong, a lower-case sentence without a full stop.
    pub message: String,
    /// What the author can do about it.
    pub mend: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        write!(f, "{}; {}", self.message, self.mend)
    }
}

/// All that is wrong with a file, in the order of its lines; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Wraps `items`, sorted by line; `None` if there are none.
    pub(crate) fn from_items(mut items: Vec<Diagnostic>) -> Option<Self> {
        items.sort_by_key(|item| (item.line, item.column));
        (!items.is_empty()).then_some(Self(items))
    }

    /// The diagnostics, at least one.
    pub fn items(&self) -> &[Diagnostic] {
        &self.0
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, item) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            item.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
