//! The templates, and how they are rendered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mesh_core::{Error, ErrorKind, Result};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value};
use serde_json::Value as Json;

use crate::changes::Changes;

/// The ending of a template; what is made of it is called without.
const ENDING: &str = ".j2";
/// The largest template that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

macro_rules! embedded {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../templates/", $path)))),*]
    };
}

/// The templates of this crate, by the paths that a folder of others may give anew.
const DEFAULTS: &[(&str, &str)] = &embedded![
    "consumer/inputs/__input__.odcs.yaml.j2",
    "consumer/src/__consumer__.rs.j2",
    "consumer/tests/it/__consumer__.rs.j2",
    "domain/code/Cargo.toml.j2",
    "domain/code/README.md.j2",
    "domain/code/src/lib.rs.j2",
    "domain/code/src/main.rs.j2",
    "domain/code/src/products.rs.j2",
    "domain/code/tests/it/contracts.rs.j2",
    "domain/code/tests/it/main.rs.j2",
    "domain/code/tests/it/mesh.rs.j2",
    "domain/folder/README.md.j2",
    "product/code/src/__product__.rs.j2",
    "product/code/tests/it/__product__.rs.j2",
    "product/files/products/__product__/contract.odcs.yaml.j2",
    "product/files/products/__product__/product.odps.yaml.j2",
];

struct Template {
    /// Where it stands, for errors.
    origin: String,
    text: String,
}

/// Templates by their paths.
pub struct Templates {
    files: BTreeMap<String, Template>,
}

impl Default for Templates {
    fn default() -> Self {
        let files = DEFAULTS.iter().map(|(path, text)| {
            let template = Template {
                origin: (*path).to_owned(),
                text: (*text).to_owned(),
            };
            ((*path).to_owned(), template)
        });
        Self {
            files: files.collect(),
        }
    }
}

impl Templates {
    /// The templates of this crate, with those in `folder` in place of theirs and beside them.
    ///
    /// # Errors
    /// If the folder or a file in it cannot be read, holds none, or if a file stands where no
    /// template is looked for.
    pub fn with_folder(folder: &Path) -> Result<Self> {
        let mut templates = Self::default();
        let mut found = Vec::new();
        walk(folder, folder, &mut found)?;
        if found.is_empty() {
            return Err(Error::not_found("the folder holds no template")
                .with("folder", folder.display())
                .mend(format!(
                    "write the ones there are with `mesh new templates {}` and change them",
                    folder.display()
                )));
        }
        let groups: Vec<&str> = ["consumer/", "domain/", "product/"].into();
        for (path, file) in found {
            if !groups.iter().any(|group| path.starts_with(group)) {
                return Err(Error::invalid("a template stands where none is looked for")
                    .with("file", file.display())
                    .mend("put it below consumer/, domain/code/, domain/folder/, product/files/ or product/code/"));
            }
            let template = Template {
                origin: file.display().to_string(),
                text: read(&file)?,
            };
            templates.files.insert(path, template);
        }
        Ok(templates)
    }

    /// The templates of this crate as new files in `folder`, for a platform team to change.
    pub fn defaults_in(folder: &Path) -> Changes {
        let mut changes = Changes::new(folder);
        for (path, text) in DEFAULTS {
            changes.add(Path::new(path), (*text).to_owned());
        }
        changes
    }

    /// Every template below `group`, rendered with `context`; a `__name__` in a path stands for
    /// the context's text of that name. The paths are relative to the group.
    ///
    /// # Errors
    /// A template that is broken, with file and line; a path that leads out of its folder.
    pub(crate) fn render(&self, group: &str, context: &Json) -> Result<Vec<(PathBuf, String)>> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(
            SyntaxConfig::builder()
                .keep_trailing_newline(true)
                .trim_blocks(true)
                .lstrip_blocks(true)
                .build()
                .map_err(|error| {
                    Error::internal("the templates' language cannot be set up").because(error)
                })?,
        );
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.add_filter("yaml", yaml);
        environment.add_filter("json", json);
        let value = Value::from(Serde(context));
        let prefix = format!("{group}/");
        let mut rendered = Vec::new();
        for (path, template) in &self.files {
            let Some(rest) = path.strip_prefix(&prefix) else {
                continue;
            };
            let target = target(rest, context, &template.origin)?;
            let text = environment
                .template_from_named_str(&template.origin, &template.text)
                .and_then(|parsed| parsed.render(&value))
                .map_err(|error| broken(&template.origin, &error))?;
            rendered.push((target, text));
        }
        Ok(rendered)
    }
}

fn broken(origin: &str, error: &minijinja::Error) -> Error {
    let reason = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    let told = Error::invalid("a template is broken").with("file", origin);
    let told = match error.line() {
        Some(line) => told.with("line", line),
        None => told,
    };
    told.with("reason", reason)
        .mend("mend the template; docs/scaffolding.md lists what it may use")
}

/// Where the template at `path` is written.
fn target(path: &str, context: &Json, origin: &str) -> Result<PathBuf> {
    let mut made = path.strip_suffix(ENDING).unwrap_or(path).to_owned();
    if let Json::Object(names) = context {
        for (name, value) in names {
            if let Json::String(text) = value {
                made = made.replace(&format!("__{name}__"), text);
            }
        }
    }
    let plain = Path::new(&made)
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    let unknown = made.split('/').any(|part| part.split("__").count() > 2);
    if !plain || unknown {
        return Err(Error::invalid("the path of a template cannot be made a file's")
            .with("file", origin)
            .with("path", made)
            .mend("use `__domain__`, `__product__`, `__consumer__` or `__input__` in it, where its group knows them"));
    }
    Ok(PathBuf::from(made))
}

/// A value as YAML: text and numbers on the line, lists and mappings as a block whose lines
/// stand `indent` columns in.
fn yaml(value: &Value, indent: Option<usize>) -> std::result::Result<String, minijinja::Error> {
    let failed =
        |message: String| minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, message);
    let document = serde_json::to_value(value).map_err(|error| failed(error.to_string()))?;
    let block = matches!(&document, Json::Array(items) if !items.is_empty())
        || matches!(&document, Json::Object(entries) if !entries.is_empty());
    let text = mesh_formats::to_yaml(&document).map_err(|error| failed(error.to_string()))?;
    let text = text.trim_end();
    if !block {
        return Ok(text.to_owned());
    }
    let space = " ".repeat(indent.unwrap_or(0));
    let lines: Vec<String> = text
        .lines()
        .map(|line| match line {
            "" => String::new(),
            line => format!("{space}{line}"),
        })
        .collect();
    Ok(lines.join("\n"))
}

/// A value as one line of JSON.
fn json(value: &Value) -> std::result::Result<String, minijinja::Error> {
    serde_json::to_string(value).map_err(|error| {
        minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, error.to_string())
    })
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::InvalidInput,
    };
    Error::new(kind, "the templates cannot be read")
        .with("file", path.display())
        .with("reason", error.kind())
        .mend("name a folder of templates in UTF-8 by --templates DIR")
        .because(error)
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<(String, PathBuf)>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        if path.is_dir() {
            walk(root, &path, found)?;
        } else if path.to_string_lossy().ends_with(ENDING)
            && let Ok(below) = path.strip_prefix(root)
        {
            found.push((below.to_string_lossy().replace('\\', "/"), path.clone()));
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    let length = std::fs::metadata(file)
        .map_err(|error| unreadable(file, error))?
        .len();
    if length > MAX_BYTES {
        return Err(
            Error::new(ErrorKind::ResourceExhausted, "a template is too large")
                .with("file", file.display())
                .with("bytes", length)
                .with("limit", MAX_BYTES),
        );
    }
    std::fs::read_to_string(file).map_err(|error| unreadable(file, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let mut found = Vec::new();
        walk(&root, &root, &mut found).unwrap();
        let mut found: Vec<String> = found.into_iter().map(|(path, _)| path).collect();
        found.sort();
        let known: Vec<String> = DEFAULTS
            .iter()
            .map(|(path, _)| (*path).to_owned())
            .collect();
        assert_eq!(known, found);
    }
}
