//! Registration of a version of a product.

use chrono::Utc;
use mesh_core::contract::{Contract, DataProduct, KeySchema, Version};
use mesh_core::{Error, ErrorKind, Result};
use serde_json::Value as Json;

use super::{App, life, standing};
use crate::model::{
    Column, Document, Outcome, ProductKind, ProductRegistration, Registered, Status,
};
use crate::refusal::Refusal;
use crate::store::{self, Changes, NewVersion};

/// The longest text of each of the two files and the two schemas, in bytes.
const MAX_TEXT: usize = 1 << 20;

const PRODUCT_FILE: &str = "product.odps.yaml";
const CONTRACT_FILE: &str = "contract.odcs.yaml";

impl App {
    /// Keeps a version of a product. Doing the same again changes nothing.
    pub(crate) async fn register(
        &self,
        domain: String,
        product: String,
        version: Version,
        registration: ProductRegistration,
    ) -> Result<Registered, Refusal> {
        // Reading a contract of a megabyte takes long enough to hold up other requests.
        let prepared =
            tokio::task::spawn_blocking(move || prepare(&domain, &product, &version, registration));
        let new = prepared
            .await
            .map_err(|error| Error::internal("the files could not be read").because(error))??;
        let registered = self.keep(new).await?;
        if registered.outcome != Outcome::Unchanged {
            let summary = &registered.summary;
            tracing::info!(
                domain = summary.domain,
                product = summary.product,
                version = summary.version,
                topic = summary.topic,
                outcome = ?registered.outcome,
                "product version registered"
            );
        }
        Ok(registered)
    }

    async fn keep(&self, mut new: NewVersion) -> Result<Registered> {
        let now = Utc::now();
        let mut transaction = self.store.write().await?;
        let decided = store::standings(&mut transaction, &new.domain, &new.product).await?;
        let decided = decided
            .get(&new.version.major)
            .map(|decided| decided.status);
        let entries = store::entries(&mut transaction, &new.domain, &new.product).await?;
        new.status = standing::holds(new.stated, decided, new.version.major, &entries);
        let new = &new;
        let (domain, product) = (new.domain.as_str(), new.product.as_str());
        let kept = store::version(&mut transaction, domain, product, &new.version).await?;
        store::touch_domain(&mut transaction, domain, now).await?;
        let outcome = match kept {
            Some(kept) if kept.contract_text != new.contract_text => {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "this version is registered with another contract",
                )
                .with("product", format!("{domain}.{product}"))
                .with("version", &new.version)
                .mend(
                    "raise `version` in the contract, and in the product's output port that names it: \
                     the patch for words, the minor for additions, the major for anything that breaks a reader",
                ));
            }
            Some(kept) if kept.changes == new.changes => Outcome::Unchanged,
            Some(_) => {
                life::refuse_new_readers(&mut transaction, new).await?;
                store::change_version(&mut transaction, new, now).await?;
                Outcome::Updated
            }
            None => {
                if let Some(owner) =
                    store::contract_owner(&mut transaction, &new.contract_id).await?
                    && (owner.0.as_str(), owner.1.as_str()) != (domain, product)
                {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        "another product has a contract of this id",
                    )
                    .with("contract_id", &new.contract_id)
                    .with("product", format!("{}.{}", owner.0, owner.1))
                    .mend("give the contract an `id` of its own"));
                }
                life::refuse_new_readers(&mut transaction, new).await?;
                store::add_version(&mut transaction, new, now).await?;
                Outcome::Created
            }
        };
        let entries = store::entries(&mut transaction, domain, product).await?;
        let current = standing::of_product(&entries)
            .ok_or_else(|| Error::internal("a version is gone while it is kept"))?
            .to_string();
        store::set_current(&mut transaction, domain, product, &current).await?;
        let summary = store::summary(&mut transaction, domain, product, &new.version).await?;
        store::commit(transaction).await?;
        Ok(Registered {
            outcome,
            current_version: current,
            summary,
        })
    }
}

/// Reads what was sent and checks it against the path it was sent to.
fn prepare(
    domain: &str,
    product: &str,
    version: &Version,
    sent: ProductRegistration,
) -> Result<NewVersion, Refusal> {
    for (field, text) in [
        ("product", &sent.product),
        ("contract", &sent.contract),
        ("key_schema", &sent.key_schema),
        ("value_schema", &sent.value_schema),
    ] {
        if text.len() > MAX_TEXT {
            return Err(Error::invalid("a text is longer than 1 MiB")
                .with("field", field)
                .mend("leave out what a reader does not need, such as long examples")
                .into());
        }
    }
    let files = DataProduct::parse(PRODUCT_FILE, &sent.product, CONTRACT_FILE, &sent.contract)?;
    let contract = &files.contract;
    let stated = contract.version.to_string();
    for (field, path, file) in [
        ("domain", domain, contract.domain.as_str()),
        ("product", product, contract.product.as_str()),
        ("version", &version.to_string(), stated.as_str()),
    ] {
        if path != file {
            return Err(
                Error::invalid("the path and the contract speak of different things")
                    .with("field", field)
                    .with("path", path)
                    .with("contract", file)
                    .mend(format!("send it to the {field} that the contract names"))
                    .into(),
            );
        }
    }
    if sent.topic != contract.schema.topic {
        return Err(
            Error::invalid("the topic is not the one that the contract names")
                .with("field", "topic")
                .with("contract", &contract.schema.topic)
                .mend("publish to the contract's `schema[0].physicalName`")
                .into(),
        );
    }
    // Keys of a topic that was there before its contract may stand without a schema.
    let keyed = contract.schema.key_schema != Some(KeySchema::Unregistered);
    for (field, id, registered) in [
        ("key_schema_id", sent.key_schema_id, keyed),
        ("value_schema_id", sent.value_schema_id, true),
    ] {
        if id == 0 && registered {
            return Err(Error::invalid("a schema id is from 1")
                .with("field", field)
                .mend("send the id that the schema registry answered with")
                .into());
        }
    }
    check_value_schema(contract, &sent.value_schema)?;
    avro("key_schema", &sent.key_schema)?;

    let document = Document::of(&files);
    let tags = tags(&files);
    let description = files.product.description.purpose.as_deref();
    let owner = files
        .product
        .owner()
        .ok_or_else(|| Error::invalid("nobody owns the product").mend("name its team"))?
        .to_owned();
    let status = Status::parse(&contract.status)
        .ok_or_else(|| Error::internal("a contract has a status that the catalog does not know"))?;
    let as_json = |value: Result<String, serde_json::Error>| {
        value.map_err(|error| Error::internal("a document was not written as json").because(error))
    };
    Ok(NewVersion {
        kind: ProductKind::from(contract.schema.kind),
        stated: status,
        status,
        topic: sent.topic,
        contract_id: contract.id.clone(),
        contract_text: sent.contract,
        changes: Changes {
            owner,
            description: description.map(|text| text.trim().to_owned()),
            key_schema_id: sent.key_schema_id,
            value_schema_id: sent.value_schema_id,
            search: search_text(&files, &document, &tags),
            tags: as_json(serde_json::to_string(&tags))?,
            document: as_json(serde_json::to_string(&document))?,
            key_schema: sent.key_schema,
            value_schema: sent.value_schema,
            product_text: sent.product,
        },
        domain: domain.to_owned(),
        product: product.to_owned(),
        version: version.clone(),
    })
}

fn avro(field: &'static str, text: &str) -> Result<Json> {
    let refuse = |message| {
        Error::invalid(message)
            .with("field", field)
            .mend("send the schema's text as it is in the schema registry")
    };
    let schema: Json = serde_json::from_str(text)
        .map_err(|error| refuse("a schema is no json").with("line", error.line()))?;
    match schema {
        Json::String(_) | Json::Object(_) => Ok(schema),
        _ => Err(refuse("a schema is neither an avro type nor its name")),
    }
}

/// Checks that the schema is the contract's: its record and its columns, or the one that the
/// contract itself holds.
fn check_value_schema(contract: &Contract, text: &str) -> Result<()> {
    let schema = avro("value_schema", text)?;
    if let Some(held) = &contract.schema.value_schema {
        return match avro("mesh.valueSchema", held)? == schema {
            true => Ok(()),
            false => Err(
                Error::invalid("the value schema is not the one that the contract holds")
                    .with("field", "value_schema")
                    .mend("send the text of the contract's `mesh.valueSchema`"),
            ),
        };
    }
    let is = |name: &str, expected: &str| schema.get(name).and_then(Json::as_str) == Some(expected);
    let columns: Option<Vec<&str>> =
        schema
            .get("fields")
            .and_then(Json::as_array)
            .and_then(|fields| {
                fields
                    .iter()
                    .map(|field| field.get("name")?.as_str())
                    .collect()
            });
    let expected: Vec<&str> = contract
        .schema
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    if is("type", "record")
        && is("name", &contract.schema.type_name)
        && is("namespace", &contract.domain)
        && columns.is_some_and(|columns| columns == expected)
    {
        return Ok(());
    }
    Err(
        Error::invalid("the value schema is not the one that follows from the contract")
            .with("field", "value_schema")
            .with(
                "record",
                format!("{}.{}", contract.domain, contract.schema.type_name),
            )
            .mend("build the domain again, so that contract and schema come from one file"),
    )
}

/// The tags of product, contract and record, each once, in that order.
fn tags(files: &DataProduct) -> Vec<String> {
    let DataProduct { product, contract } = files;
    let mut tags: Vec<String> = Vec::new();
    for tag in product
        .tags
        .iter()
        .chain(&contract.tags)
        .chain(&contract.schema.tags)
    {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    tags
}

/// What a text search looks through: names, descriptions, tags and columns.
fn search_text(files: &DataProduct, document: &Document, tags: &[String]) -> String {
    let DataProduct { product, contract } = files;
    let mut text = format!("{}.{}", contract.domain, contract.product);
    let said = [
        product.description.purpose.as_deref(),
        product.description.limitations.as_deref(),
        product.description.usage.as_deref(),
        document.purpose.as_deref(),
        document.limitations.as_deref(),
        document.usage.as_deref(),
        document.contract_name.as_deref(),
        document.record_description.as_deref(),
        document.granularity.as_deref(),
        contract.schema.business_name.as_deref(),
    ];
    for part in said
        .into_iter()
        .flatten()
        .chain(tags.iter().map(String::as_str))
    {
        text.push('\n');
        text.push_str(part);
    }
    add_columns(&mut text, &document.columns);
    text.to_lowercase()
}

fn add_columns(text: &mut String, columns: &[Column]) {
    for column in columns {
        for part in [
            Some(column.name.as_str()),
            column.business_name.as_deref(),
            column.description.as_deref(),
        ]
        .into_iter()
        .flatten()
        .chain(column.tags.iter().map(String::as_str))
        {
            text.push('\n');
            text.push_str(part);
        }
        add_columns(text, &column.fields);
    }
}
