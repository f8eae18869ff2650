//! Reading documents.

use mesh_core::Result;

use super::Store;
use super::backend::on;

/// A document as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) key: String,
    pub(crate) version: i64,
    pub(crate) body: String,
}

/// What a scan has seen. The greatest version and the number of documents of a range stay
/// the same only if no document of it was written or deleted: a write raises the version,
/// and a deletion alone lowers the number.
#[derive(Debug, Clone)]
pub(crate) struct ScanMark {
    pub(crate) kind: String,
    pub(crate) prefix: String,
    pub(crate) count: i64,
    pub(crate) newest: i64,
}

const SCAN: &str = "SELECT key, version, body FROM documents WHERE kind = $1 AND key >= $2 AND key < $3 ORDER BY key";
const SCAN_OPEN: &str =
    "SELECT key, version, body FROM documents WHERE kind = $1 AND key >= $2 ORDER BY key";
pub(super) const MARK: &str = "SELECT count(*), coalesce(max(version), 0) FROM documents WHERE kind = $1 AND key >= $2 AND key < $3";
pub(super) const MARK_OPEN: &str =
    "SELECT count(*), coalesce(max(version), 0) FROM documents WHERE kind = $1 AND key >= $2";

impl Store {
    /// Version and body of a document.
    pub(crate) async fn document(&self, kind: &str, key: &str) -> Result<Option<(i64, String)>> {
        on!(self.backend.reader().await?.connection(), c => sqlx::query_as("SELECT version, body FROM documents WHERE kind = $1 AND key = $2")
            .bind(kind)
            .bind(key)
            .fetch_optional(c))
    }

    /// The documents of `kind` whose key begins with `prefix`, by key.
    pub(crate) async fn documents(&self, kind: &str, prefix: &str) -> Result<Vec<Document>> {
        let end = prefix_end(prefix);
        let mut reader = self.backend.reader().await?;
        let rows: Vec<(String, i64, String)> = on!(reader.connection(), c => match &end {
            Some(end) => sqlx::query_as(SCAN)
                .bind(kind)
                .bind(prefix)
                .bind(end.as_str()),
            None => sqlx::query_as(SCAN_OPEN).bind(kind).bind(prefix),
        }
        .fetch_all(c))?;
        Ok(rows
            .into_iter()
            .map(|(key, version, body)| Document { key, version, body })
            .collect())
    }

    /// Number and greatest version of the documents of `kind`.
    pub(crate) async fn mark(&self, kind: &str) -> Result<ScanMark> {
        let (count, newest) = on!(self.backend.reader().await?.connection(), c => sqlx::query_as(MARK_OPEN)
            .bind(kind)
            .bind("")
            .fetch_one(c))?;
        Ok(ScanMark {
            kind: kind.to_owned(),
            prefix: String::new(),
            count,
            newest,
        })
    }
}

/// The first text after all that begin with `prefix`; `None` if there is none. The
/// databases compare keys byte by byte, which for UTF-8 is the order of code points.
pub(crate) fn prefix_end(prefix: &str) -> Option<String> {
    let mut end: Vec<char> = prefix.chars().collect();
    while let Some(last) = end.pop() {
        let next = match last {
            // The code points of surrogates are no characters.
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(last as u32 + 1),
        };
        if let Some(next) = next {
            end.push(next);
            return Some(end.into_iter().collect());
        }
    }
    None
}
