//! `mesh flow`: who reads what, drawn from the input ports of a folder's products.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use mesh_core::contract::ProductKind;
use mesh_core::{Error, ErrorKind, Result};

use crate::contract::files::load;
use crate::demo::domains::{self, FoundDomain};
use crate::ui;

const BEGIN: &str = "<!-- mesh flow: drawn from the products' ports -->";
const END: &str = "<!-- /mesh flow -->";

#[derive(Args)]
pub(crate) struct FlowArgs {
    /// The workspace whose `domains/` are drawn
    #[arg(long, default_value = ".")]
    workspace: PathBuf,
    /// Which domains are drawn: those of one mesh, or `all`
    #[arg(long, default_value = domains::ALL)]
    mesh: String,
    /// Write the drawing into this Markdown file, between its two `mesh flow` comments
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    write: Option<PathBuf>,
    /// End with code 1 if the drawing in this Markdown file is not as it would be written
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

pub(crate) fn run(args: &FlowArgs) -> Result<ExitCode> {
    let found = domains::of_mesh(domains::find(&args.workspace)?, &args.mesh)?;
    let drawing = draw(&found)?;
    let Some(file) = args.write.as_ref().or(args.check.as_ref()) else {
        ui::line(drawing.trim_end());
        return Ok(ExitCode::SUCCESS);
    };
    let text = read(file)?;
    let drawn = replace(&text, &drawing).map_err(|error| error.with("file", file.display()))?;
    if args.check.is_some() {
        return match drawn == text {
            true => Ok(ExitCode::SUCCESS),
            false => Err(Error::new(
                ErrorKind::FailedPrecondition,
                "the drawing is not that of the products' ports",
            )
            .with("file", file.display())
            .mend(format!(
                "draw it anew: mesh flow --mesh {} --write {}",
                args.mesh,
                file.display()
            ))),
        };
    }
    std::fs::write(file, drawn).map_err(|error| {
        Error::invalid("the file cannot be written")
            .with("file", file.display())
            .because(error)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|error| {
        Error::not_found("the file cannot be read")
            .with("file", file.display())
            .mend("name a Markdown file with the two comments of a drawing")
            .because(error)
    })
}

/// The text with what stands between the two comments replaced.
fn replace(text: &str, drawing: &str) -> Result<String> {
    let places = text.find(BEGIN).map(|at| at + BEGIN.len());
    let places = places.and_then(|from| Some((from, from + text[from..].find(END)?)));
    let (from, to) = places.ok_or_else(|| {
        Error::invalid("the file has no place for the drawing")
            .mend(format!("write `{BEGIN}` and below it `{END}`"))
    })?;
    Ok(format!(
        "{}\n```mermaid\n{drawing}```\n{}",
        &text[..from],
        &text[to..]
    ))
}

/// A product as it is drawn.
struct Node {
    name: String,
    kind: ProductKind,
    /// The ids of the contracts that it is made from.
    reads: BTreeSet<String>,
    contract: String,
}

/// A Mermaid flowchart: a box for each domain, a node for each product, an arrow for each
/// input port.
fn draw(found: &[FoundDomain]) -> Result<String> {
    let mut domains: BTreeMap<&str, Vec<Node>> = BTreeMap::new();
    for domain in found {
        domains.insert(&domain.name, products(&domain.folder)?);
    }
    let mut text = String::from("flowchart LR\n");
    let mut ids = BTreeMap::new();
    for (domain, nodes) in &domains {
        put(&mut text, format_args!("  subgraph {domain}"));
        for node in nodes {
            let id = format!("{domain}_{}", node.name);
            // A log of facts, and a table of rows.
            let (open, close) = match node.kind {
                ProductKind::Event => ("[/", "/]"),
                ProductKind::State => ("[(", ")]"),
            };
            put(
                &mut text,
                format_args!("    {id}{open}{}{close}", node.name),
            );
            ids.insert(node.contract.clone(), id);
        }
        text.push_str("  end\n");
    }
    let mut outside = BTreeSet::new();
    let mut arrows = BTreeSet::new();
    for node in domains.values().flatten() {
        for read in &node.reads {
            let from = ids.get(read).cloned().unwrap_or_else(|| {
                let name = read.rsplit(':').next().unwrap_or(read).to_owned();
                let id = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
                outside.insert(format!("  {id}[\"{name}\"]:::outside"));
                id
            });
            if let Some(to) = ids.get(&node.contract)
                && *to != from
            {
                arrows.insert(format!("  {from} --> {to}"));
            }
        }
    }
    for line in outside.iter().chain(&arrows) {
        put(&mut text, format_args!("{line}"));
    }
    if !outside.is_empty() {
        text.push_str("  classDef outside stroke-dasharray: 4 3\n");
    }
    Ok(text)
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    writeln!(text, "{line}").ok();
}

/// The products of a domain, by name; of several majors the newest.
fn products(folder: &Path) -> Result<Vec<Node>> {
    let folder = folder.join("products");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(Error::invalid("a folder of products cannot be read")
                .with("folder", folder.display())
                .because(error));
        }
    };
    let mut newest: BTreeMap<String, (u64, Node)> = BTreeMap::new();
    for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
        let loaded = load(&entry.path())?;
        let contract = &loaded.contract;
        let node = Node {
            name: contract.product.clone(),
            kind: contract.schema.kind,
            contract: contract.id.clone(),
            reads: loaded
                .product
                .iter()
                .flat_map(|product| &product.input_ports)
                .map(|port| port.contract_id.clone())
                .collect(),
        };
        let major = contract.version.major;
        let known = newest.get(&node.name);
        if known.is_none_or(|(known, _)| *known < major) {
            newest.insert(node.name.clone(), (major, node));
        }
    }
    Ok(newest.into_values().map(|(_, node)| node).collect())
}
