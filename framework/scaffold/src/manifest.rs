//! Cargo's manifests: whether a workspace is around `domains/`, and what a domain's crate
//! writes for its dependencies.

use std::path::Path;

use mesh_core::{Error, Result};
use toml::{Table, Value};

/// What a domain's crate uses.
const DEPENDENCIES: [&str; 7] = [
    "mesh-core",
    "mesh-macros",
    "mesh-stream",
    "mesh-runtime",
    "async-trait",
    "serde_json",
    "tokio",
];
/// What its tests use beside.
const FOR_TESTS: [&str; 6] = [
    "mesh-broker",
    "mesh-catalog",
    "mesh-registry",
    "axum",
    "reqwest",
    "tempfile",
];

/// A workspace whose members are `domains/*`.
pub(crate) struct Workspace {
    dependencies: Table,
    /// Whether it has lints to inherit.
    pub(crate) lints: bool,
    /// The keys of `[workspace.package]`.
    pub(crate) package: Vec<String>,
}

/// One line of a manifest for each dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lines {
    pub(crate) dependencies: Vec<String>,
    pub(crate) for_tests: Vec<String>,
}

impl Workspace {
    /// The workspace in `root`, if it takes the folders below `domains/` for its members.
    pub(crate) fn around_domains(root: &Path) -> Result<Option<Self>> {
        let manifest = root.join("Cargo.toml");
        if !manifest.is_file() {
            return Ok(None);
        }
        let workspace = workspace(&manifest)?;
        let members = workspace.as_ref().and_then(|it| it.get("members"));
        let takes_all = members.and_then(Value::as_array).is_some_and(|members| {
            let mut names = members.iter().filter_map(Value::as_str);
            names.any(|member| matches!(member.trim_start_matches("./"), "domains/*" | "*/*"))
        });
        Ok(workspace.filter(|_| takes_all).map(|it| Self {
            dependencies: table(&it, "dependencies"),
            lints: it.contains_key("lints"),
            package: table(&it, "package").keys().cloned().collect(),
        }))
    }
}

fn table(of: &Table, key: &str) -> Table {
    of.get(key)
        .and_then(Value::as_table)
        .cloned()
        .unwrap_or_default()
}

/// The table `[workspace]` of `manifest`.
fn workspace(manifest: &Path) -> Result<Option<Table>> {
    let refuse = |message: &'static str, error: Box<dyn std::error::Error + Send + Sync>| {
        Error::invalid(message)
            .with("file", manifest.display())
            .mend("mend the file, or name another folder")
            .because(error)
    };
    let text = std::fs::read_to_string(manifest)
        .map_err(|error| refuse("the manifest cannot be read", error.into()))?;
    let parsed: Table = text
        .parse()
        .map_err(|error: toml::de::Error| refuse("the manifest is not TOML", error.into()))?;
    Ok(parsed.get("workspace").and_then(Value::as_table).cloned())
}

/// The lines of a domain's manifest: inherited from `workspace` where that names them, else as
/// the framework in the folder `framework` has them.
///
/// # Errors
/// If nobody says where a dependency is.
pub(crate) fn lines(workspace: Option<&Workspace>, framework: Option<&Path>) -> Result<Lines> {
    let given = match framework {
        None => None,
        Some(folder) => {
            let folder = folder.canonicalize().map_err(|error| {
                Error::not_found("there is no such folder of the framework")
                    .with("folder", folder.display())
                    .mend("name the folder with the framework's Cargo.toml by --framework DIR")
                    .because(error)
            })?;
            let its = self::workspace(&folder.join("Cargo.toml"))?.unwrap_or_default();
            Some((folder, table(&its, "dependencies")))
        }
    };
    let line = |name: &str| -> Result<String> {
        if workspace.is_some_and(|it| it.dependencies.contains_key(name)) {
            return Ok(format!("{name}.workspace = true"));
        }
        let Some((folder, its)) = &given else {
            return Err(Error::not_found("nobody says where the framework is")
                .with("dependency", name)
                .mend("name the folder with the framework's Cargo.toml by --framework DIR, or make a domain without code by --code-free"));
        };
        let mut value = its.get(name).cloned().ok_or_else(|| {
            Error::not_found("the framework does not name a dependency")
                .with("dependency", name)
                .with("folder", folder.display())
                .mend("name the folder with the framework's Cargo.toml by --framework DIR")
        })?;
        if let Some(path) = value.get_mut("path")
            && let Some(text) = path.as_str()
        {
            *path = Value::String(folder.join(text).display().to_string());
        }
        Ok(format!("{name} = {value}"))
    };
    let lines = |names: &[&str]| names.iter().map(|name| line(name)).collect::<Result<_>>();
    Ok(Lines {
        dependencies: lines(&DEPENDENCIES)?,
        for_tests: lines(&FOR_TESTS)?,
    })
}
