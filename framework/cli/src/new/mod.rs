//! `mesh new`: domains, products and consumers as files. What is written is `mesh-scaffold`'s;
//! here is how people ask for it.

mod ask;
mod consumer;
mod product;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{Args, Subcommand};
use mesh_core::Result;
use mesh_scaffold::{Changes, DomainWishes, Flavour, Place, Templates, new_domain};

use crate::ui;

#[derive(Args)]
pub(crate) struct NewArgs {
    #[command(subcommand)]
    what: What,
    /// Templates that stand in place of our own; `mesh new templates DIR` writes ours
    #[arg(long, env = "MESH_TEMPLATES", value_name = "DIR", global = true)]
    templates: Option<PathBuf>,
    /// The folder that has domains/, or will have it [default: the nearest from here upwards
    /// that has it, else this one]
    #[arg(long, value_name = "DIR", global = true)]
    folder: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    /// A domain: a crate where a Cargo workspace takes domains/* for crates, else a folder
    /// without code
    Domain(DomainArgs),
    /// A product of a domain, ready to be published and read
    Product(Box<product::ProductArgs>),
    /// A handler of another domain's product, in a domain with code
    Consumer(consumer::ConsumerArgs),
    /// Write our templates to a folder, to be changed and given to --templates
    Templates {
        /// The folder; what is there is not overwritten
        to: PathBuf,
    },
}

#[derive(Args)]
struct DomainArgs {
    /// Its name, such as shipping
    name: String,
    /// A crate
    #[arg(long, conflicts_with = "code_free")]
    code: bool,
    /// A folder of contracts that `mesh run` hosts
    #[arg(long)]
    code_free: bool,
    /// The team that owns it
    #[arg(long)]
    owner: Option<String>,
    /// What it is for, in a sentence
    #[arg(long)]
    purpose: Option<String>,
    /// The folder with the framework's Cargo.toml, for a crate outside of its workspace
    #[arg(long, value_name = "DIR")]
    framework: Option<PathBuf>,
}

pub(crate) async fn run(args: NewArgs) -> Result<()> {
    if let What::Templates { to } = &args.what {
        write(Templates::defaults_in(to))?;
        ui::line(format!(
            "next: mesh new domain NAME --templates {}",
            to.display()
        ));
        return Ok(());
    }
    let templates = match &args.templates {
        Some(folder) => Templates::with_folder(folder)?,
        None => Templates::default(),
    };
    let place = Place::find(args.folder.as_deref())?;
    match args.what {
        What::Domain(args) => domain(&place, args, &templates),
        What::Product(args) => product::run(&place, *args, &templates).await,
        What::Consumer(args) => consumer::run(&place, args, &templates).await,
        What::Templates { .. } => Ok(()),
    }
}

fn domain(place: &Place, args: DomainArgs, templates: &Templates) -> Result<()> {
    let flavour = match (args.code, args.code_free) {
        (true, _) => Some(Flavour::Code),
        (_, true) => Some(Flavour::CodeFree),
        _ => None,
    };
    let wishes = DomainWishes {
        flavour,
        owner: args.owner,
        purpose: args.purpose,
        framework: args.framework,
    };
    write(new_domain(place, &args.name, &wishes, templates)?)?;
    ui::line(format!(
        "next: mesh new product {}/<product> --help",
        args.name
    ));
    Ok(())
}

/// Writes `changes` and says what was done.
fn write(mut changes: Changes) -> Result<()> {
    changes.format_rust(rustfmt);
    changes.write()?;
    for file in changes.created() {
        ui::line(format!("wrote {}", shown(&file)));
    }
    for file in changes.edited() {
        ui::line(format!("added lines to {}", shown(&file)));
    }
    if !changes.notes.is_empty() {
        ui::line("notes:");
        for note in &changes.notes {
            ui::line(format!("  {note}"));
        }
    }
    Ok(())
}

fn shown(file: &Path) -> String {
    file.strip_prefix(".").unwrap_or(file).display().to_string()
}

/// `text` as rustfmt writes it; `None` where there is no rustfmt, or it does not understand it.
fn rustfmt(text: &str) -> Option<String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take()?;
    // The output of one file fits into a pipe or is read once the input is closed: rustfmt
    // reads all before it writes.
    input.write_all(text.as_bytes()).ok()?;
    drop(input);
    let output = child.wait_with_output().ok()?;
    let formatted = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !formatted.is_empty()).then_some(formatted)
}
