//! A new consumer: a handler of another product's records.

use std::path::{Path, PathBuf};

use mesh_core::contract::{Contract, ProductKind};
use mesh_core::{Error, ErrorKind, Result};
use serde_json::{Value as Json, json};

use crate::changes::Changes;
use crate::insert;
use crate::names::{ProductName, check_consumer};
use crate::place::Place;
use crate::sample;
use crate::templates::Templates;

/// What a consumer reads.
#[derive(Debug, Clone)]
pub struct ConsumerWishes {
    /// The product, of this or another domain.
    pub of: ProductName,
    /// Its contract: the text, and where it comes from. Without it the file in `place` is
    /// taken.
    pub contract: Option<(String, String)>,
}

/// The consumer `name` of a domain with code in `place`.
///
/// # Errors
/// A name that is not valid, a domain without code, a contract that is not there or not that of
/// the product, a file that is there already.
pub fn new_consumer(
    place: &Place,
    name: &ProductName,
    wishes: &ConsumerWishes,
    templates: &Templates,
) -> Result<Changes> {
    let domain = place.domain(&name.domain)?;
    check_consumer(&name.name)?;
    if !domain.code {
        return Err(Error::new(
            ErrorKind::FailedPrecondition,
            format!("the domain `{}` has no code", name.domain),
        )
        .with("folder", domain.path.display())
        .mend("a consumer is code; make a domain for it with `mesh new domain NAME --code`"));
    }
    let of = &wishes.of;
    if of.domain == name.domain {
        return Err(Error::invalid(format!("`{of}` is a product of the same domain"))
            .mend("write `.handler::<products::…, _>(…)` in src/lib.rs, or name another domain's product"));
    }
    let (file, text) = match &wishes.contract {
        Some((file, text)) => (file.clone(), text.clone()),
        None => standing(place, of)?,
    };
    let contract = Contract::parse(&file, &text).map_err(|problems| {
        Error::invalid("the contract to be consumed is not valid")
            .with("problems", format!("\n{problems}"))
            .mend("ask its owner, or give another copy by --contract FILE")
    })?;
    if contract.domain != of.domain || contract.product != of.name {
        return Err(Error::invalid("the contract is another product's")
            .with("file", &file)
            .with("wanted", of)
            .with("found", format!("{}/{}", contract.domain, contract.product))
            .mend("name that product by --of, or the right file by --contract"));
    }
    let schema = &contract.schema;
    let inputs = inputs(&domain.path);
    if inputs.iter().any(|(_, known)| known.id == contract.id) {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("the domain reads `{of}` already"),
        )
        .with("folder", domain.path.join("inputs").display())
        .mend(format!(
            "write `.handler::<products::inputs::{}, _>(…)` in src/lib.rs beside the one there is",
            schema.type_name
        )));
    }
    if let Some((file, _)) = inputs
        .iter()
        .find(|(_, it)| it.schema.type_name == schema.type_name)
    {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("the domain reads another record called `{}`", schema.type_name),
        )
        .with("file", file.display())
        .mend("copy the contract, give its schema another `name`, and name that copy by --contract FILE"));
    }
    // An input is called like the product, and like its domain too if two domains have one.
    let file = domain.path.join(format!("inputs/{}.odcs.yaml", of.name));
    let input = match file.exists() {
        true => format!("{}_{}", of.domain, of.name),
        false => of.name.clone(),
    };
    let context = json!({
        "domain": name.domain,
        "consumer": name.name,
        "input": input,
        "of_domain": of.domain,
        "of_product": of.name,
        "record": schema.name,
        "type_name": schema.type_name,
        "state": schema.kind == ProductKind::State,
        "row": sample::row(&schema.fields),
        "contract_text": text,
    });
    let mut changes = Changes::new(&domain.path);
    for (path, text) in templates.render("consumer", &context)? {
        changes.add(&path, text);
    }
    connect(&context, &mut changes)?;
    changes.notes.push(format!(
        "inputs/{input}.odcs.yaml is this domain's own copy: columns that it does not use may be removed there"
    ));
    Ok(changes)
}

/// The contract of a product beside this domain.
fn standing(place: &Place, of: &ProductName) -> Result<(String, String)> {
    let below = Place::below(&of.domain).join("products").join(&of.name);
    let file = place.root.join(below).join("contract.odcs.yaml");
    let text = std::fs::read_to_string(&file).map_err(|error| {
        Error::not_found(format!("there is no contract of `{of}` here"))
            .with("file", file.display())
            .mend("give a copy by --contract FILE, or take it from the catalog by --url http://127.0.0.1:8080")
            .because(error)
    })?;
    Ok((file.display().to_string(), text))
}

/// The contracts in the folder `inputs` of a domain.
fn inputs(domain: &Path) -> Vec<(PathBuf, Contract)> {
    let entries = std::fs::read_dir(domain.join("inputs")).into_iter();
    let files = entries.flatten().flatten().map(|entry| entry.path());
    files
        .filter_map(|file| {
            let text = std::fs::read_to_string(&file).ok()?;
            let contract = Contract::parse(&file.display().to_string(), &text).ok()?;
            Some((file, contract))
        })
        .collect()
}

/// The lines that make the consumer known.
fn connect(context: &Json, changes: &mut Changes) -> Result<()> {
    let word = |name: &str| context[name].as_str().unwrap_or_default().to_owned();
    let (consumer, input, type_name) = (word("consumer"), word("input"), word("type_name"));
    let contract = format!("mesh_macros::contract!(\"inputs/{input}.odcs.yaml\");");
    changes.edit(Path::new("src/products.rs"), |file, text| {
        if text.contains("pub mod inputs {") {
            return insert::above(file, text, "mesh new: inputs", &[contract]);
        }
        let module = [
            "/// What this domain relies on of other domains' products.".to_owned(),
            "pub mod inputs {".to_owned(),
            format!("    {contract}"),
            "    // mesh new: inputs".to_owned(),
            "}".to_owned(),
            String::new(),
        ];
        insert::above(file, text, "mesh new: input module", &module)
    })?;
    let part = format!(
        ".handler::<products::inputs::{type_name}, _>(\"{consumer}\", {consumer}::Consumer)"
    );
    changes.edit(Path::new("src/lib.rs"), |file, text| {
        let text = insert::sorted(
            file,
            text,
            "mesh new: modules",
            &format!("pub mod {consumer};"),
        )?;
        insert::above(file, &text, "mesh new: parts", &[part])
    })?;
    changes.edit(Path::new("tests/it/main.rs"), |file, text| {
        insert::sorted(file, text, "mesh new: tests", &format!("mod {consumer};"))
    })
}
