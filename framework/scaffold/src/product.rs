//! A new product.

use std::path::{Path, PathBuf};

use mesh_core::contract::{DataProduct, ProductKind};
use mesh_core::{Error, ErrorKind, Result};
use mesh_formats::{GUESS, Imported, Rendered, SourceOptions, Wishes, read_source, record_name};
use serde_json::{Value as Json, json};

use crate::changes::Changes;
use crate::columns::{Column, columns};
use crate::insert;
use crate::names::{ProductName, check_product};
use crate::place::{DomainFolder, Place};
use crate::sample;
use crate::sources::{Sources, of_sample, over_http};
use crate::templates::Templates;

const PRODUCT: &str = "product.odps.yaml";
const CONTRACT: &str = "contract.odcs.yaml";

/// What tells the columns.
pub enum Given {
    /// The author, one by one.
    Columns(Vec<Column>),
    /// A file, of data or of a schema.
    File {
        /// The file.
        path: PathBuf,
        /// How it is read.
        options: Box<SourceOptions>,
    },
    /// What was read elsewhere, such as a registry's subject.
    Imported(Box<Imported>),
}

/// What the author decides about a product.
#[derive(Debug, Clone, Default)]
pub struct ProductWishes {
    /// Event or state; by default event if a column tells a time, else state.
    pub kind: Option<ProductKind>,
    /// The columns of the key; by default what a schema states or a sample suggests.
    pub key: Vec<String>,
    /// The column with the time of the event.
    pub event_time: Option<String>,
    /// The columns with personal data.
    pub personal: Vec<String>,
    /// The column that identifies the person a row is about; by default the key, where columns
    /// are said to be personal.
    pub subject_key: Option<String>,
    /// The team that owns it; the domain's name by default.
    pub owner: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
}

/// The product `name` of a domain in `place`.
///
/// # Errors
/// A name that is not valid, a domain that is not there, columns that cannot be what they are
/// named for, a product that is there already, a broken template, or one that makes files that
/// are not valid.
pub fn new_product(
    place: &Place,
    name: &ProductName,
    given: &Given,
    wishes: &ProductWishes,
    templates: &Templates,
) -> Result<Changes> {
    let domain = place.domain(&name.domain)?;
    check_product(&name.name, domain.code)?;
    let below = Path::new("products").join(&name.name);
    if domain.path.join(&below).exists() {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("the product `{name}` is there already"),
        )
        .with("folder", domain.path.join(&below).display())
        .mend("choose another name; a new version of a product is a change of its files"));
    }
    let (mut imported, sources) = read(&name.name, given, &domain)?;
    let mut wishes = wishes.clone();
    if let Given::Columns(columns) = given {
        let personal = columns.iter().filter(|column| column.personal);
        wishes
            .personal
            .extend(personal.map(|column| column.name().to_owned()));
    }
    mark_personal(&mut imported, &wishes.personal)?;
    let mut rendered = mesh_formats::render(
        &imported,
        &Wishes {
            domain: Some(name.domain.clone()),
            product: Some(name.name.clone()),
            kind: wishes.kind,
            key: wishes.key.clone(),
            event_time: wishes.event_time.clone(),
            owner: Some(wishes.owner.clone().unwrap_or_else(|| name.domain.clone())),
            standing: None,
        },
    )?;
    let mut changes = Changes::new(&domain.path);
    changes.notes.extend(notes(&imported, &rendered));
    complete(&mut rendered, &imported, &wishes, &mut changes)?;
    if let Some(sources) = &sources {
        rendered.product_document["customProperties"] =
            json!([{"property": "mesh.sources", "value": sources.declared}]);
        changes.notes.extend(sources.note.clone());
        if let (Some(target), Given::File { path, .. }) = (&sources.file, given) {
            changes.copy(target, path);
        }
    }
    let mut context = json!({
        "domain": name.domain,
        "product": name.name,
        "kind": rendered.kind.as_str(),
        "code": domain.code,
        "contract_document": rendered.contract_document,
        "product_document": rendered.product_document,
    });
    let files = templates.render("product/files", &context)?;
    let made = check(name, &files)?;
    for (path, text) in files {
        changes.add(&path, text);
    }
    if domain.code {
        code(&made, &mut context, templates, &mut changes)?;
    }
    Ok(changes)
}

/// The record, and what will feed the product if it has no code.
fn read(
    product: &str,
    given: &Given,
    domain: &DomainFolder,
) -> Result<(Imported, Option<Sources>)> {
    let (mut imported, sources) = match given {
        Given::Columns(given) => (columns(product, given)?, over_http()),
        Given::Imported(imported) => {
            return Ok(((**imported).clone(), (!domain.code).then(over_http)));
        }
        Given::File { path, options } => {
            let imported = read_source(path, options)?;
            let sources = of_sample(product, path, options, &imported)?;
            (imported, sources)
        }
    };
    imported.name = record_name(product);
    Ok((imported, (!domain.code).then_some(sources)))
}

/// Marks the columns that the author calls personal, which is no guess any more.
fn mark_personal(imported: &mut Imported, personal: &[String]) -> Result<()> {
    for column in personal {
        let known: Vec<String> = imported
            .fields
            .iter()
            .map(|field| field.name.clone())
            .collect();
        let Some(field) = imported
            .fields
            .iter_mut()
            .find(|field| field.name == *column)
        else {
            return Err(Error::invalid(format!("`{column}` is no column"))
                .with("columns", known.join(", "))
                .mend("name a column by its name here in --personal"));
        };
        field.classification = Some("personal".into());
        field.custom.remove(GUESS);
        imported.guesses.retain(|guess| guess.column != *column);
    }
    Ok(())
}

fn notes(imported: &Imported, rendered: &Rendered) -> Vec<String> {
    let all = imported.notes.iter().chain(&rendered.notes);
    let mut notes: Vec<String> = all.map(ToString::to_string).collect();
    notes.extend(imported.guesses.iter().map(|guess| {
        format!(
            "{}: taken for personal ({}), a guess to be checked; --personal {} says so",
            guess.column, guess.what, guess.column
        )
    }));
    notes
}

/// What an import leaves to the author and a product needs at once.
fn complete(
    rendered: &mut Rendered,
    imported: &Imported,
    wishes: &ProductWishes,
    changes: &mut Changes,
) -> Result<()> {
    let words = |name: &str| name.replace('_', " ");
    let purpose = wishes.purpose.clone().unwrap_or_else(|| {
        format!(
            "The {} of the domain {}.",
            words(&rendered.product),
            words(&rendered.domain)
        )
    });
    for document in [
        &mut rendered.contract_document,
        &mut rendered.product_document,
    ] {
        document["status"] = "active".into();
        document["description"]["purpose"] = purpose.clone().into();
    }
    let schema = &mut rendered.contract_document["schema"][0];
    if schema.get("description").is_none() {
        schema["description"] = format!("One {}.", words(&imported.name)).into();
    }
    promise(schema);
    let reader = format!("{}_reader", rendered.domain);
    rendered.contract_document["roles"] = json!([{
        "role": reader,
        "access": "read",
        "description": format!("Reads the products of the domain {}.", rendered.domain),
    }]);
    if let Some(column) = subject_key(rendered, wishes, changes)?
        && let Some(custom) =
            rendered.contract_document["schema"][0]["customProperties"].as_array_mut()
    {
        custom.push(json!({"property": "mesh.subjectKey", "value": column}));
    }
    Ok(())
}

/// The quality checks that follow from what is known: required columns hold no null.
fn promise(schema: &mut Json) {
    let columns = schema["properties"].as_array_mut().into_iter().flatten();
    for column in columns.filter(|column| column["required"] == true) {
        column["quality"] = json!([{"metric": "nullValues", "mustBe": 0}]);
    }
}

fn subject_key(
    rendered: &Rendered,
    wishes: &ProductWishes,
    changes: &mut Changes,
) -> Result<Option<String>> {
    if let Some(column) = &wishes.subject_key {
        let properties = rendered.contract_document["schema"][0]["properties"].as_array();
        let names = properties
            .into_iter()
            .flatten()
            .filter_map(|column| column["name"].as_str());
        let names: Vec<&str> = names.collect();
        if !names.contains(&column.as_str()) {
            return Err(Error::invalid(format!("`{column}` is no column"))
                .with("columns", names.join(", "))
                .mend("name the column that identifies the person by --subject-key"));
        }
        return Ok(Some(column.clone()));
    }
    if wishes.personal.is_empty() {
        return Ok(None);
    }
    match rendered.key.as_slice() {
        [only] => {
            changes.notes.push(format!(
                "{only}: taken to identify the person that the personal columns are about; --subject-key says otherwise"
            ));
            Ok(Some(only.clone()))
        }
        _ => Err(Error::invalid("nothing says whose the personal data are")
            .with("key", rendered.key.join(", "))
            .mend("name the column that identifies the person by --subject-key COLUMN")),
    }
}

/// The files that the templates made, as the framework reads them.
fn check(name: &ProductName, files: &[(PathBuf, String)]) -> Result<DataProduct> {
    let find = |file: &str| {
        let found = files
            .iter()
            .find(|(path, _)| path.ends_with(Path::new("products").join(&name.name).join(file)));
        found
            .map(|(path, text)| (path.display().to_string(), text.as_str()))
            .ok_or_else(|| {
                Error::invalid("the templates make no such file")
                    .with("file", file)
                    .mend(format!(
                        "keep product/files/products/__product__/{file}.j2 among them"
                    ))
            })
    };
    let ((product_file, product), (contract_file, contract)) = (find(PRODUCT)?, find(CONTRACT)?);
    let made = DataProduct::parse(&product_file, product, &contract_file, contract).map_err(
        |problems| {
            Error::invalid("what the templates make is not valid")
                .with("problems", format!("\n{problems}"))
                .mend("mend the templates below product/files; nothing was written")
        },
    )?;
    if made.contract.domain != name.domain || made.contract.product != name.name {
        return Err(Error::invalid("the templates make another product")
            .with("wanted", name)
            .with(
                "made",
                format!("{}/{}", made.contract.domain, made.contract.product),
            )
            .mend("use `domain` and `product` in the templates below product/files"));
    }
    Ok(made)
}

/// The module, its tests, and the lines that make them known.
fn code(
    made: &DataProduct,
    context: &mut Json,
    templates: &Templates,
    changes: &mut Changes,
) -> Result<()> {
    let schema = &made.contract.schema;
    let (product, type_name) = (&made.contract.product, &schema.type_name);
    let row = sample::row(&schema.fields);
    let key = schema.kafka_key();
    let text = |value: &Json| match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let key_path: Vec<String> = key.iter().map(|field| text(&row[&field.name])).collect();
    let required = schema.fields.iter().find(|field| !field.nullable);
    let more = json!({
        "record": schema.name,
        "type_name": type_name,
        "topic": schema.topic,
        "key": key.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(),
        "key_path": key_path.join("/"),
        "key_is_unique": key.iter().all(|field| field.primary_key.is_some()),
        "required": required.map(|field| field.name.as_str()),
        "row": row,
    });
    if let (Some(context), Json::Object(more)) = (context.as_object_mut(), more) {
        context.extend(more);
    }
    for (path, text) in templates.render("product/code", context)? {
        changes.add(&path, text);
    }
    let contract = format!("mesh_macros::contract!(\"products/{product}/contract.odcs.yaml\");");
    let listed = format!("<{type_name} as mesh_core::Record>::descriptor(),");
    changes.edit(Path::new("src/products.rs"), |file, text| {
        let text = insert::above(file, text, "mesh new: contracts", &[contract])?;
        insert::above(file, &text, "mesh new: products", &[listed])
    })?;
    let mut parts = vec![format!(".api({product}::routes)")];
    if schema.kind == ProductKind::State {
        parts.push(format!(
            ".keep::<products::{type_name}>({product}::DOCUMENTS)"
        ));
    }
    changes.edit(Path::new("src/lib.rs"), |file, text| {
        let text = insert::sorted(
            file,
            text,
            "mesh new: modules",
            &format!("pub mod {product};"),
        )?;
        insert::above(file, &text, "mesh new: parts", &parts)
    })?;
    changes.edit(Path::new("tests/it/main.rs"), |file, text| {
        insert::sorted(file, text, "mesh new: tests", &format!("mod {product};"))
    })
}
