//! `mesh adopt`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use mesh_core::{Error, Principal, Result};
use mesh_plan::{Adopted, Adopting, Adoption, Allowed, Applier, Ledger, Platform, Scope, Wish};
use serde_json::json;

use super::REFUSED;
use super::options::PlatformArgs;
use crate::{sql, ui};

#[derive(Args)]
pub(crate) struct AdoptArgs {
    /// The domain that the products will belong to
    #[arg(long)]
    domain: String,
    /// Only topics of these names: `*` for any characters, `?` for one
    #[arg(long, value_name = "PATTERN")]
    topics: Option<String>,
    /// The folder that holds domains/; the products are written to domains/DOMAIN/products
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// The team that owns the products [default: the domain's name]
    #[arg(long)]
    owner: Option<String>,
    /// Write the folders only, and leave the catalog to a later `mesh apply`
    #[arg(long)]
    files_only: bool,
    #[command(flatten)]
    platform: PlatformArgs,
    /// Who adopts
    #[arg(long = "as", env = "MESH_PRINCIPAL", default_value_t = sql::default_principal())]
    principal: String,
    /// Answer with one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) async fn adopt(args: AdoptArgs) -> Result<ExitCode> {
    let by: Principal = args.principal.parse()?;
    let products = args
        .folder
        .join("domains")
        .join(&args.domain)
        .join("products");
    std::fs::create_dir_all(&products).map_err(|error| cannot_write(&products, error))?;
    let known = Wish::read(&args.folder, None)?;
    let platform = args.platform.platform()?;
    let adopting = Adopting {
        domain: args.domain.clone(),
        topics: args.topics.clone(),
        owner: args.owner.clone(),
    };
    let adoption = mesh_plan::adopt(&platform, &adopting, &known).await?;
    let mut folders = Vec::new();
    for product in &adoption.adopted {
        let folder = products.join(folder_name(product));
        write(&folder, product)?;
        folders.push(folder);
    }
    let registered = match args.files_only || adoption.adopted.is_empty() {
        true => Some(0),
        false => register(&platform, &args, &adoption, &by).await?,
    };
    match args.json {
        true => ui::line(format!("{:#}", told(&adoption, &folders, registered))),
        false => tell(&adoption, &folders, registered),
    }
    Ok(match registered {
        Some(_) => ExitCode::SUCCESS,
        None => ExitCode::from(REFUSED),
    })
}

fn folder_name(product: &Adopted) -> String {
    match product.major {
        1 => product.product.clone(),
        major => format!("{}_v{major}", product.product),
    }
}

fn cannot_write(path: &Path, error: std::io::Error) -> Error {
    Error::invalid("a product cannot be written")
        .with("path", path.display())
        .with("cause", error)
        .mend("name a folder that can be written with --folder DIR")
}

/// Writes a product; a folder that is there is nobody's to overwrite.
fn write(folder: &Path, product: &Adopted) -> Result<()> {
    std::fs::create_dir(folder).map_err(|error| cannot_write(folder, error))?;
    for (name, text) in [
        ("product.odps.yaml", &product.product_text),
        ("contract.odcs.yaml", &product.contract_text),
    ] {
        let file = folder.join(name);
        std::fs::write(&file, text).map_err(|error| cannot_write(&file, error))?;
    }
    Ok(())
}

/// Puts what was adopted into the catalog; `None` if the plan for it is to do anything else,
/// since nothing that stands there is to be touched.
async fn register(
    platform: &Platform,
    args: &AdoptArgs,
    adoption: &Adoption,
    by: &Principal,
) -> Result<Option<usize>> {
    let mut wish = Wish::read(&args.folder, Some(&args.domain))?;
    wish.products.retain(|product| {
        let topic = product.descriptor.topic.as_str();
        adoption
            .adopted
            .iter()
            .any(|adopted| adopted.topic == topic)
    });
    // It speaks for nothing else.
    wish.domains.clear();
    let mut applier = Applier::begin(platform, by).await?;
    let ledger = Ledger::read(platform).await?;
    let state = platform.read(&Scope::of(&wish, &ledger)).await?;
    let plan = mesh_plan::plan(&wish, &state, &ledger, &Allowed::default());
    let only_entries = plan
        .steps
        .iter()
        .all(|step| step.is_ready() && step.action.kind() == "register_product");
    if !only_entries {
        ui::note(&format!(
            "refused: the topics or subjects have moved while they were adopted\n{plan}"
        ));
        return Ok(None);
    }
    Ok(Some(applier.apply(&plan, |_, _| {}).await?.len()))
}

fn tell(adoption: &Adoption, folders: &[PathBuf], registered: Option<usize>) {
    for (product, folder) in adoption.adopted.iter().zip(folders) {
        ui::line(format!("{} -> {}", product.topic, folder.display()));
        for note in &product.notes {
            ui::line(format!("    look: {note}"));
        }
    }
    for skipped in &adoption.skipped {
        ui::line(format!(
            "{} cannot be adopted: {}",
            skipped.topic, skipped.why
        ));
    }
    ui::line(format!(
        "{} adopted, {} in the catalog, {} cannot be.",
        adoption.adopted.len(),
        registered.unwrap_or_default(),
        adoption.skipped.len()
    ));
}

fn told(adoption: &Adoption, folders: &[PathBuf], registered: Option<usize>) -> serde_json::Value {
    let adopted: Vec<_> = adoption
        .adopted
        .iter()
        .zip(folders)
        .map(|(product, folder)| {
            json!({
                "topic": product.topic,
                "product": product.product,
                "folder": folder.display().to_string(),
                "notes": product.notes,
            })
        })
        .collect();
    let skipped: Vec<_> = adoption
        .skipped
        .iter()
        .map(|skipped| json!({ "topic": skipped.topic, "why": skipped.why }))
        .collect();
    json!({
        "format": 1,
        "adopted": adopted,
        "skipped": skipped,
        "registered": registered.unwrap_or_default(),
    })
}
