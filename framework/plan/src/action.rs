//! What a step of a plan does, by kind.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A thing on the platform that a plan is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// A topic by its name.
    Topic(String),
    /// A subject of the registry by its name.
    Subject(String),
    /// An entry of the catalog, `<domain>.<product>@<version>`.
    Product(String),
}

impl Resource {
    /// The entry of a version of a product.
    pub fn product(domain: &str, product: &str, version: &str) -> Self {
        Self::Product(format!("{domain}.{product}@{version}"))
    }

    /// Reads what [`Resource`]'s `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once('/')?;
        let name = name.to_owned();
        match kind {
            "topic" => Some(Self::Topic(name)),
            "subject" => Some(Self::Subject(name)),
            "product" => Some(Self::Product(name)),
            _ => None,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic/{name}"),
            Self::Subject(name) => write!(f, "subject/{name}"),
            Self::Product(name) => write!(f, "product/{name}"),
        }
    }
}

/// How a step changes the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Something is there that was not.
    Create,
    /// Something that is there is otherwise.
    Update,
    /// Something is deleted and made anew.
    Replace,
    /// Something is gone.
    Delete,
}

impl Change {
    /// The sign that stands before a step of this kind.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Update => "~",
            Self::Replace => "±",
            Self::Delete => "-",
        }
    }
}

/// A setting as it is and as it is to be; without a value it is the cluster's default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingChange {
    /// What it is.
    pub from: Option<String>,
    /// What it is to be.
    pub to: Option<String>,
}

/// A version of a product as the catalog takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The owning domain.
    pub domain: String,
    /// The product.
    pub product: String,
    /// The semantic version.
    pub version: String,
    /// Where the contract says that it stands in its life.
    pub status: String,
    /// The topic.
    pub topic: String,
    /// Whether keys are written under a registered schema.
    pub registered_keys: bool,
    /// The product file's text.
    pub product_text: String,
    /// The contract file's text.
    pub contract_text: String,
    /// The schema of keys.
    pub key_schema: String,
    /// The schema of values.
    pub value_schema: String,
}

/// What a step does. Doing it again when it is done changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Action {
    /// Makes a topic.
    CreateTopic {
        /// Its name.
        topic: String,
        /// Its partitions.
        partitions: i32,
        /// Its settings.
        configs: BTreeMap<String, String>,
    },
    /// Deletes a topic with its records and makes it anew.
    ReplaceTopic {
        /// Its name.
        topic: String,
        /// Its partitions.
        partitions: i32,
        /// Its settings.
        configs: BTreeMap<String, String>,
    },
    /// Gives a topic more partitions.
    AddPartitions {
        /// Its name.
        topic: String,
        /// How many it has.
        from: i32,
        /// How many it is to have.
        to: i32,
    },
    /// Changes settings of a topic.
    AlterConfigs {
        /// Its name.
        topic: String,
        /// The settings.
        changes: BTreeMap<String, SettingChange>,
    },
    /// Sets the compatibility level of a subject.
    SetCompatibility {
        /// The subject.
        subject: String,
        /// The level that holds.
        from: String,
        /// The level that is to hold.
        to: String,
    },
    /// Registers a schema.
    RegisterSchema {
        /// The subject.
        subject: String,
        /// How many versions the subject has.
        versions: usize,
        /// The schema's text.
        schema: String,
    },
    /// Puts a version of a product into the catalog, or says anew what may change about it.
    RegisterProduct(Entry),
    /// The same, with a status that announces the end of the version.
    DeprecateProduct(Entry),
    /// The same, with a status that ends the version.
    RetireProduct(Entry),
    /// Takes a version of a product out of the catalog.
    DeleteProduct {
        /// The owning domain.
        domain: String,
        /// The product.
        product: String,
        /// The version.
        version: String,
    },
    /// Takes a subject out of the registry.
    DeleteSubject {
        /// The subject.
        subject: String,
    },
    /// Deletes a topic with its records.
    DeleteTopic {
        /// The topic.
        topic: String,
    },
}

impl Action {
    /// The kind's name, as it stands in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CreateTopic { .. } => "create_topic",
            Self::ReplaceTopic { .. } => "replace_topic",
            Self::AddPartitions { .. } => "add_partitions",
            Self::AlterConfigs { .. } => "alter_configs",
            Self::SetCompatibility { .. } => "set_compatibility",
            Self::RegisterSchema { .. } => "register_schema",
            Self::RegisterProduct(_) => "register_product",
            Self::DeprecateProduct(_) => "deprecate_product",
            Self::RetireProduct(_) => "retire_product",
            Self::DeleteProduct { .. } => "delete_product",
            Self::DeleteSubject { .. } => "delete_subject",
            Self::DeleteTopic { .. } => "delete_topic",
        }
    }

    /// What it is about.
    pub fn resource(&self) -> Resource {
        match self {
            Self::CreateTopic { topic, .. }
            | Self::ReplaceTopic { topic, .. }
            | Self::AddPartitions { topic, .. }
            | Self::AlterConfigs { topic, .. }
            | Self::DeleteTopic { topic } => Resource::Topic(topic.clone()),
            Self::SetCompatibility { subject, .. }
            | Self::RegisterSchema { subject, .. }
            | Self::DeleteSubject { subject } => Resource::Subject(subject.clone()),
            Self::RegisterProduct(entry)
            | Self::DeprecateProduct(entry)
            | Self::RetireProduct(entry) => {
                Resource::product(&entry.domain, &entry.product, &entry.version)
            }
            Self::DeleteProduct {
                domain,
                product,
                version,
            } => Resource::product(domain, product, version),
        }
    }

    /// How it changes the platform when `there` tells whether its resource was there before.
    pub(crate) fn change(&self, there: bool) -> Change {
        match self {
            Self::CreateTopic { .. } => Change::Create,
            Self::ReplaceTopic { .. } => Change::Replace,
            Self::AddPartitions { .. } | Self::AlterConfigs { .. } => Change::Update,
            Self::SetCompatibility { .. } => Change::Update,
            Self::RegisterSchema { .. }
            | Self::RegisterProduct(_)
            | Self::DeprecateProduct(_)
            | Self::RetireProduct(_) => match there {
                true => Change::Update,
                false => Change::Create,
            },
            Self::DeleteProduct { .. } | Self::DeleteSubject { .. } | Self::DeleteTopic { .. } => {
                Change::Delete
            }
        }
    }

    /// The action as the log tells it: long texts by their fingerprints.
    pub(crate) fn brief(&self) -> serde_json::Value {
        let mut told = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = told.as_object_mut() {
            for name in [
                "schema",
                "product_text",
                "contract_text",
                "key_schema",
                "value_schema",
            ] {
                if let Some(text) = fields.get(name).and_then(serde_json::Value::as_str) {
                    let print = fingerprint(text);
                    fields.insert(name.to_owned(), print.into());
                }
            }
        }
        told
    }
}

/// A short text that is the same for the same text, and another for others.
pub(crate) fn fingerprint(text: &str) -> String {
    /// Of this use alone.
    const SPACE: uuid::Uuid = uuid::Uuid::from_u128(0x6d65_7368_2d70_6c61_6e2d_7072_696e_7401);
    uuid::Uuid::new_v5(&SPACE, text.as_bytes())
        .simple()
        .to_string()
}
