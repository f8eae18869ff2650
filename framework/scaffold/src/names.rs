//! Names that a domain, a product or a consumer may have.

use mesh_core::contract::check_name;
use mesh_core::{Error, Result};

/// Rust's keywords (reference, edition 2024), strict and reserved: no module is called so.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "union", "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "raw", "safe",
];
/// What the mesh uses itself: no domain is called so.
const TAKEN: &[&str] = &["information_schema", "mesh", "platform"];
/// What Cargo, Rust or the crate's own dependencies are called: no crate of a domain is.
const CRATES: &[&str] = &[
    "alloc",
    "async_trait",
    "axum",
    "build",
    "core",
    "deps",
    "examples",
    "incremental",
    "main",
    "proc_macro",
    "reqwest",
    "serde",
    "serde_json",
    "std",
    "tempfile",
    "test",
    "tests",
    "tokio",
];

fn refuse(what: &'static str, name: &str, why: &str, mend: &'static str) -> Error {
    Error::invalid(format!("no {what} can be called `{name}`: {why}")).mend(mend)
}

fn checked(what: &'static str, name: &str) -> Result<()> {
    check_name(name).map_err(|(message, mend)| {
        Error::invalid(format!("the name of the {what}: {message}")).mend(mend)
    })
}

/// Checks the name of a domain; with code it is a crate's name too.
///
/// # Errors
/// A name that is not valid, or that something else has.
pub fn check_domain(name: &str, code: bool) -> Result<()> {
    const MEND: &str = "choose another name, such as `shipping`";
    checked("domain", name)?;
    if TAKEN.contains(&name) {
        return Err(refuse(
            "domain",
            name,
            "the mesh calls its own parts so",
            MEND,
        ));
    }
    if code {
        if KEYWORDS.contains(&name) {
            return Err(refuse(
                "domain with code",
                name,
                "it is a word of Rust",
                MEND,
            ));
        }
        if CRATES.contains(&name) || name.starts_with("mesh_") {
            return Err(refuse("domain with code", name, "another crate is", MEND));
        }
    }
    Ok(())
}

/// Checks the name of a product; with code it is a module's name too.
///
/// # Errors
/// A name that is not valid, or, with code, a word of Rust.
pub fn check_product(name: &str, code: bool) -> Result<()> {
    module(
        "product",
        name,
        code,
        "choose another name, such as `shipments`",
    )
}

/// Checks the name of a consumer.
pub(crate) fn check_consumer(name: &str) -> Result<()> {
    module(
        "consumer",
        name,
        true,
        "choose another name, such as `billing`",
    )
}

fn module(what: &'static str, name: &str, code: bool, mend: &'static str) -> Result<()> {
    checked(what, name)?;
    if code && KEYWORDS.contains(&name) {
        return Err(refuse(what, name, "it is a word of Rust", mend));
    }
    Ok(())
}

/// `domain/product` as it is written on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductName {
    /// The domain.
    pub domain: String,
    /// The product, or the consumer, in it.
    pub name: String,
}

impl ProductName {
    /// Reads `domain/name`; `domain.name`, as SQL has it, is the same.
    ///
    /// # Errors
    /// Text of another form. The names themselves are checked where they are used.
    pub fn parse(text: &str) -> Result<Self> {
        let parts = text.split_once('/').or_else(|| text.split_once('.'));
        match parts {
            Some((domain, name)) if !domain.is_empty() && !name.is_empty() => Ok(Self {
                domain: domain.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err(
                Error::invalid(format!("`{text}` does not name a domain and what is in it"))
                    .mend("write `<domain>/<name>`, such as `shipping/shipments`"),
            ),
        }
    }
}

impl std::fmt::Display for ProductName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.domain, self.name)
    }
}
