//! `mesh adopt`: product folders for topics and subjects that are there already.
//!
//! What is written is the wish for exactly what stands there, so that a plan finds nothing to
//! do: the topic under its own name (`mesh.product`), its partitions, retention and the
//! settings that somebody has set, the schema as it is registered (`mesh.valueSchema`), the
//! level that holds. Nothing on the platform is touched.

use std::collections::{BTreeMap, BTreeSet};

use mesh_core::contract::{ProductKind, check_name};
use mesh_core::{Error, Result};
use mesh_formats::import::read_avro;
use mesh_formats::{Choice, Imported, Rendered, StandingTopic, Wishes, render, snake_case};
use mesh_stream::{TopicSetting, check_readable};

use crate::planner::{CLEANUP, compacts};
use crate::platform::Platform;
use crate::wish::Wish;

const RETENTION: &str = "retention.ms";
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// Settings that are the cluster's own business, whoever has set them.
const CLUSTERS: [&str; 2] = [
    "leader.replication.throttled.replicas",
    "follower.replication.throttled.replicas",
];

/// What is to be adopted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adopting {
    /// The domain that the products will belong to.
    pub domain: String,
    /// The names of topics, `*` for any characters and `?` for one; all without it.
    pub topics: Option<String>,
    /// The team that owns the products; the domain's name by default.
    pub owner: Option<String>,
}

/// A topic as a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// The topic.
    pub topic: String,
    /// The product's name.
    pub product: String,
    /// Its major version.
    pub major: u64,
    /// The text of `product.odps.yaml`.
    pub product_text: String,
    /// The text of `contract.odcs.yaml`.
    pub contract_text: String,
    /// What was guessed and what somebody has to look at.
    pub notes: Vec<String>,
}

/// A topic that cannot be adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The topic.
    pub topic: String,
    /// Why.
    pub why: String,
}

/// What can be adopted and what cannot, each in the order of the topics' names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adoption {
    /// What can.
    pub adopted: Vec<Adopted>,
    /// What cannot.
    pub skipped: Vec<Skipped>,
}

/// Reads the topics that `adopting` names and writes each as a product. Topics that a product
/// of `known` or of the catalog has already are passed over, as are those of Kafka itself, of
/// the platform and of dead letters.
///
/// # Errors
/// If the domain has no valid name, or a part of the platform does not answer.
pub async fn adopt(platform: &Platform, adopting: &Adopting, known: &Wish) -> Result<Adoption> {
    check_name(&adopting.domain).map_err(|(message, mend)| {
        Error::invalid(message)
            .with("option", "--domain")
            .mend(mend)
    })?;
    let mut adoption = Adoption::default();
    let mut taken = platform.catalog.topics().await?;
    taken.extend(known.topics().into_iter().map(str::to_owned));
    let mut names: BTreeSet<(String, u64)> = known
        .products
        .iter()
        .filter(|product| product.id().domain == adopting.domain)
        .map(|product| {
            let major = product.descriptor.contract.version.major;
            (product.id().product, major)
        })
        .collect();
    let there = platform.admin.topics().await?;
    let wanted: Vec<(&String, i32)> = there
        .iter()
        .filter(|(topic, _)| !is_internal(topic) && !taken.contains(*topic))
        .filter(|(topic, _)| {
            let pattern = adopting.topics.as_deref();
            pattern.is_none_or(|pattern| matches(pattern, topic))
        })
        .map(|(topic, partitions)| (topic, *partitions))
        .collect();
    let topics: Vec<&str> = wanted.iter().map(|(topic, _)| topic.as_str()).collect();
    let settings = platform.admin.topic_settings(&topics).await?;
    for (topic, partitions) in wanted {
        let Some(settings) = settings.get(topic) else {
            continue;
        };
        let (product, major) = product_name(topic, &adopting.domain, &mut names);
        let standard = *topic == format!("{}.{product}.v{major}", adopting.domain);
        let place = Place {
            topic,
            product,
            major,
            standard,
            partitions,
            settings,
        };
        match one(platform, adopting, &place).await? {
            Ok(adopted) => adoption.adopted.push(adopted),
            Err(why) => {
                names.remove(&(place.product, place.major));
                adoption.skipped.push(Skipped {
                    topic: topic.clone(),
                    why,
                });
            }
        }
    }
    Ok(adoption)
}

/// Where a product is made from.
struct Place<'a> {
    topic: &'a str,
    product: String,
    major: u64,
    /// Whether the topic has the name that a product's has.
    standard: bool,
    partitions: i32,
    settings: &'a BTreeMap<String, TopicSetting>,
}

/// One topic as a product, or why it cannot be one.
async fn one(
    platform: &Platform,
    adopting: &Adopting,
    place: &Place<'_>,
) -> Result<Result<Adopted, String>> {
    let registry = &platform.registry;
    let (key, value) = (
        format!("{}-key", place.topic),
        format!("{}-value", place.topic),
    );
    let Some(found) = registry.newest(&value).await? else {
        return Ok(Err(format!(
            "there is no subject `{value}`; register the schema of its values first"
        )));
    };
    if found.schema_type != "AVRO" {
        return Ok(Err(format!(
            "the schema of its values is {}, and contracts are of Avro",
            found.schema_type
        )));
    }
    if !(1..=1024).contains(&place.partitions) {
        return Ok(Err(format!(
            "it has {} partitions, and contracts have at most 1024",
            place.partitions
        )));
    }
    let mut notes = Vec::new();
    let key_schema = match registry.newest(&key).await? {
        Some(found) if found.schema_type == "AVRO" => Some(found.schema),
        Some(found) => {
            notes.push(format!(
                "its keys are under a schema of {}, which no contract holds",
                found.schema_type
            ));
            None
        }
        None => None,
    };
    let imported = match read_avro(&value, &found.schema, &Choice::default()) {
        Ok(imported) => imported,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let policy = place
        .settings
        .get(CLEANUP)
        .map(|setting| setting.value.as_str());
    let kind = match compacts(policy) {
        true => ProductKind::State,
        false => ProductKind::Event,
    };
    let Some(columns) = key_columns(&imported, key_schema.as_deref()) else {
        return Ok(Err(
            "none of its columns can be a key: a plain one that is never null is needed".to_owned(),
        ));
    };
    let level = registry.compatibility(&value).await?;
    let (standing, more) = standing(place, kind, found.schema, key_schema, level);
    notes.extend(more);
    let wishes = Wishes {
        domain: Some(adopting.domain.clone()),
        product: Some(place.product.clone()),
        kind: Some(kind),
        key: columns,
        owner: adopting.owner.clone(),
        standing: Some(standing),
        ..Wishes::default()
    };
    let rendered = match render(&imported, &wishes) {
        Ok(rendered) => rendered,
        Err(error) => return Ok(Err(error.to_string())),
    };
    Ok(readable(&rendered).map(|()| {
        let imported = imported.notes.iter().map(ToString::to_string);
        notes.extend(imported);
        notes.extend(rendered.notes.iter().map(ToString::to_string));
        Adopted {
            topic: place.topic.to_owned(),
            product: place.product.clone(),
            major: place.major,
            product_text: rendered.product_file,
            contract_text: rendered.contract_file,
            notes,
        }
    }))
}

/// Makes sure that what stands in the topic can be read as the contract says.
fn readable(rendered: &Rendered) -> Result<(), String> {
    let contract = mesh_core::contract::Contract::parse("contract", &rendered.contract_file)
        .map_err(|problems| problems.to_string())?;
    let by_columns =
        mesh_core::avro::value_schema(&contract, mesh_core::avro::SchemaUse::Write).to_string();
    let written = mesh_core::avro::registered_value_schema(&contract);
    check_readable(&by_columns, &written).map_err(|error| error.to_string())
}

/// The topic as the contract is to say that it stands.
fn standing(
    place: &Place<'_>,
    kind: ProductKind,
    value_schema: String,
    key_schema: Option<String>,
    compatibility: String,
) -> (StandingTopic, Vec<String>) {
    let mut notes = Vec::new();
    let mut configs: BTreeMap<String, String> = place
        .settings
        .iter()
        .filter(|(name, setting)| setting.own && !CLUSTERS.contains(&name.as_str()))
        .map(|(name, setting)| (name.clone(), setting.value.clone()))
        .collect();
    let told = |name: &str| {
        place
            .settings
            .get(name)
            .map(|setting| setting.value.as_str())
    };
    let expected = match kind {
        ProductKind::State => "compact",
        ProductKind::Event => "delete",
    };
    match told(CLEANUP) {
        Some(policy) if policy != expected => {
            configs.insert(CLEANUP.to_owned(), policy.to_owned());
        }
        _ => {
            configs.remove(CLEANUP);
        }
    }
    // What the service level tells the settings need not.
    configs.remove(RETENTION);
    let millis = told(RETENTION).and_then(|text| text.parse::<i64>().ok());
    let retention = match millis {
        Some(millis) if millis > 0 && millis % DAY == 0 => Some((millis / DAY, "d")),
        Some(millis) if millis > 0 && millis % HOUR == 0 => Some((millis / HOUR, "h")),
        Some(millis) if millis >= 0 => {
            configs.insert(RETENTION.to_owned(), millis.to_string());
            notes.push(format!(
                "its retention of {millis} ms is no number of hours: `mesh.topic.retention.ms` says it"
            ));
            Some((millis / HOUR + 1, "h"))
        }
        _ => None,
    };
    let standing = StandingTopic {
        topic: place.topic.to_owned(),
        named_by_product: place.standard,
        major: place.major,
        partitions: place.partitions,
        retention,
        configs,
        compatibility,
        value_schema,
        key_schema,
    };
    (standing, notes)
}

/// The columns of the key: those of its schema where the values have them too, else what looks
/// like one, else the first that can be one.
fn key_columns(imported: &Imported, key_schema: Option<&str>) -> Option<Vec<String>> {
    let could = |name: &str| {
        imported
            .fields
            .iter()
            .any(|field| field.name == name && !field.nullable && field.ty.is_key())
    };
    let of_schema: Vec<String> = key_schema
        .and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok())
        .and_then(|schema| {
            let fields = schema.get("fields")?.as_array()?.clone();
            fields
                .iter()
                .map(|field| Some(field.get("name")?.as_str()?.to_owned()))
                .collect()
        })
        .unwrap_or_default();
    if !of_schema.is_empty() && of_schema.iter().all(|name| could(name)) {
        return Some(of_schema);
    }
    if !imported.key.is_empty() && imported.key.iter().all(|name| could(name)) {
        return Some(imported.key.clone());
    }
    let first = imported.fields.iter().find(|field| could(&field.name))?;
    Some(vec![first.name.clone()])
}

/// A name for the product of `topic` and its major version, which no other have together.
fn product_name(topic: &str, domain: &str, taken: &mut BTreeSet<(String, u64)>) -> (String, u64) {
    let head = topic.get(..domain.len()).unwrap_or_default();
    let own = match head.eq_ignore_ascii_case(domain) {
        true => topic[head.len()..].strip_prefix(['.', '-', '_']),
        false => None,
    };
    let own = own.unwrap_or(topic);
    let (stem, major) = split_major(own);
    let mut name = snake_case(stem);
    if check_name(&name).is_err() {
        name = format!("topic_{}", snake_case(&topic.replace(['.', '-'], "_")));
        while let Some((stem, _)) = name
            .rsplit_once("_v")
            .filter(|_| check_name(&name).is_err())
        {
            name = stem.to_owned();
        }
    }
    let mut unique = name.clone();
    let mut number = 2;
    while !taken.insert((unique.clone(), major)) {
        unique = format!("{name}_{number}");
        number += 1;
    }
    (unique, major)
}

/// A name without what says its version, and that.
fn split_major(name: &str) -> (&str, u64) {
    for mark in [".v", "-v", "_v"] {
        if let Some((stem, digits)) = name.rsplit_once(mark)
            && let Ok(major @ 1..=9999) = digits.parse::<u64>()
            && digits.chars().all(|c| c.is_ascii_digit())
            && !stem.is_empty()
        {
            return (stem, major);
        }
    }
    (name, 1)
}

fn is_internal(topic: &str) -> bool {
    topic.starts_with('_') || topic.ends_with(".dlq") || topic.starts_with("platform.")
}

/// Whether `name` is as `pattern` says.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    // Where the last star stood, and how much of the name it has taken.
    let (mut at, mut from, mut star) = (0, 0, None);
    while from < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&sign) if sign == '?' || sign == name[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((place, taken)) => {
                    at = place + 1;
                    from = taken + 1;
                    star = Some((place, taken + 1));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|sign| *sign == '*')
}
