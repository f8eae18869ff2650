//! A data contract (Bitol ODCS v3.2.0).

use std::collections::BTreeMap;
use std::sync::Arc;

use semver::Version;
use serde_json::Value as Json;

use crate::custom::{custom_properties, refuse_custom, refuse_strays, refuse_unknown, take_string};
use crate::diagnostic::Diagnostics;
use crate::lifecycle::{self, Lifecycle};
use crate::names::check_name;
use crate::node::{Map, Reader, Value};
use crate::schema::{Retention, Schema, read_schema};
use crate::standard::{self, DataContract, Role};
use crate::yaml::shown;

/// A contract: what a product promises to those who read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// The contract's id, unique in the mesh.
    pub id: String,
    /// Its name for people.
    pub name: Option<String>,
    /// Its semantic version.
    pub version: Version,
    /// `proposed`, `draft`, `active`, `deprecated` or `retired`.
    pub status: String,
    /// The domain that owns it.
    pub domain: String,
    /// The product's name: read from the topic, or from `mesh.product` where the topic has a
    /// name of its own.
    pub product: String,
    /// What it is for.
    pub description: Description,
    /// Free tags.
    pub tags: Vec<String>,
    /// The one record type.
    pub schema: Schema,
    /// The Kafka clusters that carry them.
    pub servers: Vec<Server>,
    /// Who answers for it.
    pub team: Option<Team>,
    /// Where to ask.
    pub support: Vec<Support>,
    /// Service levels.
    pub service_levels: Vec<ServiceLevel>,
    /// How long records are kept, from the service level `retention`.
    pub retention: Retention,
    /// When it ends, from the service levels `endOfSupport` and `endOfLife`.
    pub lifecycle: Lifecycle,
    /// The registry's compatibility level for the value subject.
    pub compatibility: String,
    /// Roles that give access.
    pub roles: Vec<Role>,
    /// `customProperties` that the framework gives no meaning, by name.
    pub custom: BTreeMap<String, Json>,
    pub(crate) document: Arc<DataContract>,
}

/// Why the data exist and how they may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    /// What they are for.
    pub purpose: Option<String>,
    /// What they are not good for.
    pub limitations: Option<String>,
    /// How to use them.
    pub usage: Option<String>,
}

/// A Kafka cluster that carries the product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub server: String,
    /// Its bootstrap address.
    pub host: String,
    /// What it is for, such as `prod`.
    pub environment: Option<String>,
    /// A word about it.
    pub description: Option<String>,
}

/// The team that owns a product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Team {
    /// The team's name.
    pub name: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// Its members.
    pub members: Vec<TeamMember>,
}

/// A member of a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamMember {
    /// The user name or e-mail address.
    pub username: String,
    /// The name for people.
    pub name: Option<String>,
    /// `owner`, `steward`, …
    pub role: Option<String>,
}

/// A channel for questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Support {
    /// The channel's name.
    pub channel: String,
    /// Its address.
    pub url: Option<String>,
    /// A word about it.
    pub description: Option<String>,
    /// `email`, `slack`, …
    pub tool: Option<String>,
}

/// One promise of service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceLevel {
    /// `retention`, `latency`, `availability`, …
    pub property: String,
    /// The promised value.
    pub value: Json,
    /// Its unit.
    pub unit: Option<String>,
    /// The column it is measured on.
    pub element: Option<String>,
    /// The promise in words.
    pub description: Option<String>,
}

impl Contract {
    /// Reads a contract from the text of the file called `file`.
    ///
    /// # Errors
    /// Everything in the file that is wrong or not understood, with line, field and mend.
    pub fn parse(file: &str, text: &str) -> Result<Self, Diagnostics> {
        let reader = Reader::new(file);
        let contract = reader.parse(text).and_then(|root| {
            let document = standard::read_contract(&reader, &root);
            reader.settle();
            refuse_strays(&reader, &root, "", true);
            read(&reader.map(&root, "")?, document)
        });
        reader.finish(contract)
    }

    /// The whole of what the file says, also what the framework gives no meaning.
    pub fn document(&self) -> &DataContract {
        &self.document
    }
}

pub(crate) const STATUSES: [&str; 5] = ["proposed", "draft", "active", "deprecated", "retired"];

pub(crate) fn read_version(map: &Map<'_>) -> Option<Version> {
    let text = map.required_string("version")?;
    match Version::parse(&text) {
        Ok(version) if version.major >= 1 => Some(version),
        _ => {
            map.refuse(
                "version",
                format!("`{}` is not a semantic version from 1.0.0", shown(&text)),
                "write `version: \"1.0.0\"`",
            );
            None
        }
    }
}

pub(crate) fn read_domain(map: &Map<'_>) -> Option<String> {
    let domain = map.required_string("domain")?;
    if let Err((message, mend)) = check_name(&domain) {
        map.refuse("domain", message, mend);
    }
    Some(domain)
}

pub(crate) fn read_description(map: &Map<'_>) -> Description {
    let Some(child) = map.child("description") else {
        map.refuse("description", "is missing", "say at least `purpose: …`");
        return Description::default();
    };
    Description {
        purpose: child.required_string("purpose"),
        limitations: child.string("limitations"),
        usage: child.string("usage"),
    }
}

pub(crate) fn read_team(map: &Map<'_>) -> Option<Team> {
    // Before v3.1.0 a team was the list of its members.
    if matches!(map.value("team"), Some(Value::Seq(_))) {
        return Some(Team {
            members: read_members(map, "team"),
            ..Team::default()
        });
    }
    let team = map.child("team")?;
    Some(Team {
        name: team.string("name"),
        description: team.string("description"),
        members: read_members(&team, "members"),
    })
}

fn read_members(map: &Map<'_>, key: &'static str) -> Vec<TeamMember> {
    map.maps(key)
        .into_iter()
        .filter_map(|member| {
            Some(TeamMember {
                username: member.required_string("username")?,
                name: member.string("name"),
                role: member.string("role"),
            })
        })
        .collect()
}

pub(crate) fn read_support(map: &Map<'_>) -> Vec<Support> {
    map.maps("support")
        .into_iter()
        .filter_map(|item| {
            Some(Support {
                channel: item.required_string("channel")?,
                url: item.string("url"),
                description: item.string("description"),
                tool: item.string("tool"),
            })
        })
        .collect()
}

/// The Kafka servers; servers of other types are for others to read.
fn read_servers(map: &Map<'_>) -> Vec<Server> {
    map.maps("servers")
        .into_iter()
        .filter(|item| item.text("type") == Some("kafka"))
        .filter_map(|item| {
            let server = item.required_string("server");
            let host = item.required_string("host");
            if item.has("format") {
                item.one_of("format", &["avro"]);
            } else {
                item.refuse("format", "is missing", "write `format: avro`");
            }
            Some(Server {
                server: server?,
                host: host?,
                environment: item.string("environment"),
                description: item.string("description"),
            })
        })
        .collect()
}

fn read_service_levels(map: &Map<'_>) -> (Vec<ServiceLevel>, Retention, Lifecycle) {
    let mut levels = Vec::new();
    let mut lifecycle = Lifecycle::default();
    let mut retention = None;
    for item in map.maps("slaProperties") {
        let property = item.required_string("property").unwrap_or_default();
        let Some(value) = item.node("value").map(|node| node.to_json()) else {
            item.refuse("value", "is missing", "add the promised value");
            continue;
        };
        let level = ServiceLevel {
            unit: item.string("unit"),
            element: item.string("element"),
            description: item.string("description"),
            property,
            value,
        };
        if level.property == "retention" {
            retention = read_retention(&item, &level);
        }
        if let Some(end) = lifecycle.end(&level.property) {
            *end = level.value.as_str().and_then(lifecycle::instant);
            if end.is_none() {
                item.refuse(
                    "value",
                    "is no day or instant",
                    "write a day like `2027-06-30`, or an instant with its offset",
                );
            }
            if let (Some(support), Some(life)) = (lifecycle.end_of_support, lifecycle.end_of_life)
                && life < support
            {
                item.refuse(
                    "value",
                    "its life would end before its support",
                    "write the same day for both, or a later one for `endOfLife`",
                );
            }
        }
        levels.push(level);
    }
    if retention.is_none() {
        map.refuse(
            "slaProperties",
            "the service level `retention` is missing or wrong",
            "add `- property: retention` with `value: -1` (for ever), or a number and `unit: d`",
        );
    }
    (levels, retention.unwrap_or(Retention::Unlimited), lifecycle)
}

fn read_retention(item: &Map<'_>, level: &ServiceLevel) -> Option<Retention> {
    const DAY: i64 = 86_400_000;
    let Some(value) = level.value.as_i64() else {
        item.refuse(
            "value",
            "is not a whole number",
            "write -1 or a positive number",
        );
        return None;
    };
    if value == -1 {
        return Some(Retention::Unlimited);
    }
    let unit = match level.unit.as_deref() {
        Some("d" | "day" | "days") => DAY,
        Some("y" | "yr" | "year" | "years") => 365 * DAY,
        Some("h" | "hour" | "hours") => 3_600_000,
        _ => {
            item.refuse("unit", "is missing or not understood", "write h, d or y");
            return None;
        }
    };
    match value.checked_mul(unit) {
        Some(millis) if value > 0 => Some(Retention::Millis(millis)),
        _ => {
            item.refuse("value", "is out of range", "write -1 or a positive number");
            None
        }
    }
}

const COMPATIBILITY: [&str; 7] = [
    "BACKWARD",
    "BACKWARD_TRANSITIVE",
    "FORWARD",
    "FORWARD_TRANSITIVE",
    "FULL",
    "FULL_TRANSITIVE",
    "NONE",
];

/// The longest name of a topic, of its dead letters' topic and of its subjects alike.
const TOPIC_LENGTH: usize = 245;

fn read(map: &Map<'_>, document: Option<DataContract>) -> Option<Contract> {
    let id = map.required_string("id");
    let name = map.string("name");
    let version = read_version(map);
    let status = map.one_of("status", &STATUSES);
    let domain = read_domain(map);
    let tags = map.strings("tags");
    let description = read_description(map);
    let team = read_team(map);
    let support = read_support(map);
    let servers = read_servers(map);
    let (service_levels, retention, lifecycle) = read_service_levels(map);
    let mut custom = custom_properties(map);
    let compatibility = match custom.remove("mesh.compatibility") {
        None => "FULL_TRANSITIVE".to_owned(),
        Some(Json::String(level)) if COMPATIBILITY.contains(&level.as_str()) => level,
        Some(_) => {
            refuse_custom(
                map,
                "mesh.compatibility",
                "`mesh.compatibility` is not a compatibility level".to_owned(),
                &format!("write one of {}", crate::node::quoted(&COMPATIBILITY)),
            );
            String::new()
        }
    };
    let named = take_string(map, &mut custom, "mesh.product");
    refuse_unknown(map, &custom, &["mesh.compatibility", "mesh.product"]);

    let schemas = map.maps("schema");
    let schema = match schemas.as_slice() {
        [one] => read_schema(one),
        _ => {
            map.refuse(
                "schema",
                format!("{} record types", schemas.len()),
                "a product has exactly one record type: write one entry",
            );
            None
        }
    };

    let (schema, domain, version) = (schema?, domain?, version?);
    let product = match named {
        Some(product) => adopted(map, &schemas[0], product, &schema.topic)?,
        None => product_of_topic(&schemas[0], &schema.topic, &domain, &version)?,
    };
    Some(Contract {
        id: id?,
        name,
        version,
        status: status?,
        domain,
        product,
        description,
        tags,
        schema,
        servers,
        team,
        support,
        service_levels,
        retention,
        lifecycle,
        compatibility,
        roles: map.again("roles"),
        custom,
        document: Arc::new(document?),
    })
}

/// The product's name out of `<domain>.<product>.v<major>`.
fn product_of_topic(map: &Map<'_>, topic: &str, domain: &str, version: &Version) -> Option<String> {
    let found = topic
        .strip_prefix(domain)
        .and_then(|rest| rest.strip_prefix('.'))
        .and_then(|rest| rest.strip_suffix(&format!(".v{}", version.major)))
        .filter(|product| check_name(product).is_ok());
    if found.is_none() {
        map.refuse(
            "physicalName",
            format!("`{}` is not this product's topic", shown(topic)),
            format!(
                "write `{domain}.<product>.v{}`: the domain, the product and the major version; \
                 a topic that was there before its contract is taken over with the contract's \
                 custom property `mesh.product`",
                version.major
            ),
        );
    }
    found.map(str::to_owned)
}

/// The name of a product whose topic was there before it, and is called as it is.
fn adopted(map: &Map<'_>, schema: &Map<'_>, product: String, topic: &str) -> Option<String> {
    if let Err((message, mend)) = check_name(&product) {
        map.refuse(
            "customProperties",
            format!("`mesh.product`: {message}"),
            mend,
        );
        return None;
    }
    let valid = (1..=TOPIC_LENGTH).contains(&topic.len())
        && !matches!(topic, "." | "..")
        && topic
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if !valid {
        schema.refuse(
            "physicalName",
            format!("`{topic}` cannot be the name of a topic"),
            "write the topic's name as Kafka has it: letters, digits, `.`, `_` and `-`",
        );
        return None;
    }
    Some(product)
}
