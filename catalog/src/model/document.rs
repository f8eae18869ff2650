//! What the catalog reads from a product and its contract.
//!
//! It is kept as JSON beside the texts, so that a version stays readable when a later
//! release reads contracts more strictly; the domain's next registration renews it.

use mesh_core::contract::{self, DataProduct, Field, ServiceLevel as Promise, TopicName, Type};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What the two files of a product say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Document {
    /// The id of the product.
    pub(crate) product_id: String,
    /// The version of the product file, which may move on its own.
    pub(crate) product_version: String,
    /// The status in the product file: `proposed`, `draft`, `active`, `deprecated` or `retired`.
    pub(crate) product_status: String,
    /// The id of the contract.
    pub(crate) contract_id: String,
    /// The contract's name for people.
    pub(crate) contract_name: Option<String>,
    /// What the data are for.
    pub(crate) purpose: Option<String>,
    /// What they are not good for.
    pub(crate) limitations: Option<String>,
    /// How to use them.
    pub(crate) usage: Option<String>,
    /// The record type, which is also the Avro record's name.
    pub(crate) record: String,
    /// What one record is.
    pub(crate) record_description: Option<String>,
    /// What one row stands for.
    pub(crate) granularity: Option<String>,
    /// The columns in the order of the contract.
    pub(crate) columns: Vec<Column>,
    /// The column that holds event time.
    pub(crate) event_time: Option<String>,
    /// The column that names the person a row is about.
    pub(crate) subject_key: Option<String>,
    /// Partitions of the topic when it is created.
    pub(crate) partitions: i32,
    /// How long records are kept, in milliseconds; -1 is for ever.
    pub(crate) retention_ms: i64,
    /// The compatibility level of the value subject.
    pub(crate) compatibility: String,
    /// The topic of records that a consumer set aside.
    pub(crate) dead_letter_topic: String,
    /// Who answers for the product.
    pub(crate) team: Team,
    /// Where to ask.
    pub(crate) support: Vec<SupportChannel>,
    /// What is promised.
    pub(crate) service_levels: Vec<ServiceLevel>,
    /// What the product is made from.
    pub(crate) input_ports: Vec<InputPort>,
    /// What the product hands out.
    pub(crate) output_ports: Vec<OutputPort>,
}

/// A column, or a field of a nested object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Column {
    /// The name.
    pub(crate) name: String,
    /// The type in words, such as `decimal(12,2)` or `array<string>`.
    #[serde(rename = "type")]
    #[schema(example = "decimal(12,2)")]
    pub(crate) ty: String,
    /// Whether it may be null.
    pub(crate) nullable: bool,
    /// What it means.
    pub(crate) description: Option<String>,
    /// The name for people.
    pub(crate) business_name: Option<String>,
    /// `public`, `internal`, `confidential`, `restricted` or `personal`.
    pub(crate) classification: Option<String>,
    /// The place in the Kafka key, from 1; null if it is no part of it.
    pub(crate) key: Option<u32>,
    /// The place in the primary key, from 1; null if it is no part of it.
    pub(crate) primary_key: Option<u32>,
    /// The place in the partition key, from 1; null if it is no part of it.
    pub(crate) partition_key: Option<u32>,
    /// Whether values are unique in the product.
    pub(crate) unique: bool,
    /// Whether the business depends on it.
    pub(crate) critical: bool,
    /// Free tags.
    pub(crate) tags: Vec<String>,
    /// The symbols of an enumeration; empty for other types.
    pub(crate) symbols: Vec<Symbol>,
    /// The fields of an object or of a list of objects; empty for other types.
    #[schema(no_recursion)]
    pub(crate) fields: Vec<Column>,
}

/// A symbol of an enumeration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Symbol {
    /// The symbol.
    pub(crate) value: String,
    /// What it means.
    pub(crate) description: Option<String>,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Team {
    /// The name.
    pub(crate) name: Option<String>,
    /// What it does.
    pub(crate) description: Option<String>,
    /// Who belongs to it.
    pub(crate) members: Vec<Member>,
}

/// A member of a team.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Member {
    /// The user name or e-mail address.
    pub(crate) username: String,
    /// The name for people.
    pub(crate) name: Option<String>,
    /// `owner`, `steward` or another word of the team.
    pub(crate) role: Option<String>,
}

/// A channel for questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct SupportChannel {
    /// The channel's name.
    pub(crate) channel: String,
    /// Its address.
    pub(crate) url: Option<String>,
    /// A word about it.
    pub(crate) description: Option<String>,
    /// `email`, `slack` or another tool.
    pub(crate) tool: Option<String>,
}

/// A promise of service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ServiceLevel {
    /// What is promised: `retention`, `latency`, `availability` or another word of ODCS.
    pub(crate) property: String,
    /// The promised value.
    pub(crate) value: Value,
    /// Its unit.
    pub(crate) unit: Option<String>,
    /// The column it is measured on.
    pub(crate) element: Option<String>,
    /// The promise in words.
    pub(crate) description: Option<String>,
}

/// What a product reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct InputPort {
    /// The port's name.
    pub(crate) name: String,
    /// The version read.
    pub(crate) version: String,
    /// The id of the contract relied on.
    pub(crate) contract_id: String,
}

/// What a product hands out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct OutputPort {
    /// The port's name.
    pub(crate) name: String,
    /// A word about it.
    pub(crate) description: Option<String>,
    /// How it is reached: `kafka`, `sql` or `rest`.
    pub(crate) kind: Option<String>,
    /// The version handed out.
    pub(crate) version: String,
    /// The id of the contract it keeps.
    pub(crate) contract_id: Option<String>,
}

impl Document {
    /// What `files` say.
    pub(crate) fn of(files: &DataProduct) -> Self {
        let DataProduct { product, contract } = files;
        let schema = &contract.schema;
        let key: Vec<&str> = schema
            .kafka_key()
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        let mut columns: Vec<Column> = schema.fields.iter().map(Column::of).collect();
        for column in &mut columns {
            column.key = (1..)
                .zip(&key)
                .find(|(_, name)| **name == column.name)
                .map(|(place, _)| place);
        }
        Self {
            product_id: product.id.clone(),
            product_version: product.version.to_string(),
            product_status: product.status.clone(),
            contract_id: contract.id.clone(),
            contract_name: contract.name.clone(),
            purpose: contract.description.purpose.clone(),
            limitations: contract.description.limitations.clone(),
            usage: contract.description.usage.clone(),
            record: schema.type_name.clone(),
            record_description: schema.description.clone(),
            granularity: schema.granularity.clone(),
            columns,
            event_time: schema.event_time.clone(),
            subject_key: schema.subject_key.clone(),
            partitions: schema.partitions,
            retention_ms: contract.retention.as_millis(),
            compatibility: contract.compatibility.clone(),
            dead_letter_topic: TopicName::of(contract).dead_letters(),
            team: Team::of(&product.team),
            support: support(&product.support, &contract.support),
            service_levels: contract
                .service_levels
                .iter()
                .map(ServiceLevel::of)
                .collect(),
            input_ports: product
                .input_ports
                .iter()
                .map(|port| InputPort {
                    name: port.name.clone(),
                    version: port.version.clone(),
                    contract_id: port.contract_id.clone(),
                })
                .collect(),
            output_ports: product
                .output_ports
                .iter()
                .map(|port| OutputPort {
                    name: port.name.clone(),
                    description: port.description.clone(),
                    kind: port.kind.clone(),
                    version: port.version.clone(),
                    contract_id: port.contract_id.clone(),
                })
                .collect(),
        }
    }
}

impl Column {
    fn of(field: &Field) -> Self {
        Self {
            name: field.name.clone(),
            ty: field.ty.display(),
            nullable: field.nullable,
            description: field.description.clone(),
            business_name: field.business_name.clone(),
            classification: field.classification.clone(),
            key: None,
            primary_key: field.primary_key,
            partition_key: field.partition_key,
            unique: field.unique,
            critical: field.critical,
            tags: field.tags.clone(),
            symbols: symbols(&field.ty),
            fields: fields(&field.ty),
        }
    }
}

fn symbols(ty: &Type) -> Vec<Symbol> {
    match ty {
        Type::Enum(kind) => kind
            .symbols
            .iter()
            .map(|symbol| Symbol {
                value: symbol.value.clone(),
                description: symbol.description.clone(),
            })
            .collect(),
        Type::Array(array) => symbols(&array.items),
        Type::Map(map) => symbols(&map.values),
        _ => Vec::new(),
    }
}

fn fields(ty: &Type) -> Vec<Column> {
    match ty {
        Type::Object(object) => object.fields.iter().map(Column::of).collect(),
        Type::Array(array) => fields(&array.items),
        Type::Map(map) => fields(&map.values),
        _ => Vec::new(),
    }
}

impl Team {
    fn of(team: &contract::Team) -> Self {
        Self {
            name: team.name.clone(),
            description: team.description.clone(),
            members: team
                .members
                .iter()
                .map(|member| Member {
                    username: member.username.clone(),
                    name: member.name.clone(),
                    role: member.role.clone(),
                })
                .collect(),
        }
    }
}

/// The channels of the product, then those of the contract that it does not name itself.
fn support(product: &[contract::Support], contract: &[contract::Support]) -> Vec<SupportChannel> {
    let mut channels: Vec<SupportChannel> = Vec::new();
    for channel in product.iter().chain(contract) {
        let channel = SupportChannel {
            channel: channel.channel.clone(),
            url: channel.url.clone(),
            description: channel.description.clone(),
            tool: channel.tool.clone(),
        };
        if !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    channels
}

impl ServiceLevel {
    fn of(level: &Promise) -> Self {
        Self {
            property: level.property.clone(),
            value: level.value.clone(),
            unit: level.unit.clone(),
            element: level.element.clone(),
            description: level.description.clone(),
        }
    }
}
