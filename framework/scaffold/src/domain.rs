//! A new domain.

use std::path::{Path, PathBuf};

use mesh_core::{Error, ErrorKind, Result};
use serde_json::json;

use crate::changes::Changes;
use crate::manifest::lines;
use crate::names::check_domain;
use crate::place::Place;
use crate::templates::Templates;

/// What a domain is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// A folder of contracts that `mesh run` hosts.
    CodeFree,
    /// A crate.
    Code,
}

/// What the author decides about a domain.
#[derive(Debug, Clone, Default)]
pub struct DomainWishes {
    /// With or without code; by default with code where a Cargo workspace takes the folders
    /// below `domains/` for crates, else without.
    pub flavour: Option<Flavour>,
    /// The team that owns it; the domain's name by default.
    pub owner: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// The folder with the framework, where no workspace says where that is.
    pub framework: Option<PathBuf>,
}

/// The domain `name` in `place`.
///
/// # Errors
/// A name that is not valid, a folder that is there already, a broken template, or a place
/// where a domain of this flavour cannot be.
pub fn new_domain(
    place: &Place,
    name: &str,
    wishes: &DomainWishes,
    templates: &Templates,
) -> Result<Changes> {
    let default = match place.is_workspace() {
        true => Flavour::Code,
        false => Flavour::CodeFree,
    };
    let flavour = wishes.flavour.unwrap_or(default);
    check_domain(name, flavour == Flavour::Code)?;
    let below = Place::below(name);
    let folder = place.root.join(&below);
    if folder.exists() {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("the domain `{name}` is there already"),
        )
        .with("folder", folder.display())
        .mend(format!(
            "choose another name, or add a product with `mesh new product {name}/<product>`"
        )));
    }
    let mut context = json!({
        "domain": name,
        "owner": wishes.owner.as_deref().unwrap_or(name),
        "purpose": wishes.purpose,
    });
    let group = match flavour {
        Flavour::CodeFree if place.is_workspace() => {
            return Err(Error::new(
                ErrorKind::FailedPrecondition,
                "cargo takes every folder below domains/ of this workspace for a crate",
            )
            .with("manifest", place.root.join("Cargo.toml").display())
            .mend("make the domain with --code, or name a folder outside of the workspace by --folder DIR"));
        }
        Flavour::CodeFree => "domain/folder",
        Flavour::Code => {
            let lines = lines(place.workspace.as_ref(), wishes.framework.as_deref())?;
            let workspace = place.workspace.as_ref();
            let package = workspace
                .map(|it| it.package.as_slice())
                .unwrap_or_default();
            context["dependencies"] = json!(lines.dependencies);
            context["dev_dependencies"] = json!(lines.for_tests);
            context["inherited"] = json!(package);
            context["lints"] = json!(workspace.is_some_and(|it| it.lints));
            "domain/code"
        }
    };
    let mut changes = Changes::new(&place.root);
    for (path, text) in templates.render(group, &context)? {
        changes.add(&Path::new(&below).join(path), text);
    }
    if flavour == Flavour::Code && place.is_workspace() {
        changes.notes.push(
            "cargo adds the crate to Cargo.lock with the next build; commit that with the folder, `--locked` builds ask for it"
                .into(),
        );
    }
    Ok(changes)
}
