//! The columns of a contract as rows for people, nested ones below their parents.

use mesh_core::contract::{Contract, EnumSymbol, Field, Product, Retention, ServiceLevel, Type};
use serde_json::Value as Json;

/// One column as a page shows it.
pub struct ColumnRow<'a> {
    /// The path: `place.street`, `steps[].kind`.
    pub path: String,
    /// The type in words, without what is nested below.
    pub ty: String,
    /// `primary key`, `primary key 2`, `ordering key`, or nothing.
    pub key: String,
    /// The column.
    pub field: &'a Field,
    /// The symbols of an enumeration.
    pub symbols: &'a [EnumSymbol],
}

impl ColumnRow<'_> {
    /// The examples that may be shown to everybody who may read the contract.
    pub fn examples(&self) -> Vec<String> {
        let hidden = matches!(
            self.field.classification.as_deref(),
            Some("personal" | "confidential" | "restricted")
        );
        if hidden {
            return Vec::new();
        }
        let text = |value: &Json| match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.field.examples.iter().map(text).collect()
    }
}

/// The columns of `contract`, nested ones after their parents.
pub fn column_rows(contract: &Contract) -> Vec<ColumnRow<'_>> {
    let mut found = Vec::new();
    collect(contract, &contract.schema.fields, "", 0, &mut found);
    found
}

fn collect<'a>(
    contract: &'a Contract,
    fields: &'a [Field],
    parent: &str,
    depth: usize,
    found: &mut Vec<ColumnRow<'a>>,
) {
    for field in fields {
        let mut path = format!("{parent}{}", field.name);
        let mut ty = &field.ty;
        // What stands around the innermost type, and how a path goes into it.
        let (mut around, mut into) = (String::new(), String::new());
        loop {
            ty = match ty {
                Type::Array(array) => {
                    around.push_str("list<");
                    into.push_str("[]");
                    &array.items
                }
                Type::Map(map) => {
                    around.push_str("map<string, ");
                    into.push_str("{}");
                    &map.values
                }
                _ => break,
            };
        }
        let inner = match ty {
            Type::Object(_) => "object".to_owned(),
            Type::Enum(_) => "enum".to_owned(),
            other => other.display(),
        };
        found.push(ColumnRow {
            path: path.clone(),
            ty: format!(
                "{around}{inner}{}{}",
                ">".repeat(around.matches('<').count()),
                limits(ty)
            ),
            key: key(contract, field, depth),
            field,
            symbols: match ty {
                Type::Enum(kind) => &kind.symbols,
                _ => &[],
            },
        });
        if let Type::Object(object) = ty {
            path.push_str(&into);
            path.push('.');
            collect(contract, &object.fields, &path, depth + 1, found);
        }
    }
}

fn key(contract: &Contract, field: &Field, depth: usize) -> String {
    if depth > 0 {
        return String::new();
    }
    let mut words = Vec::new();
    for (what, position, all) in [
        (
            "primary key",
            field.primary_key,
            contract.schema.primary_key().len(),
        ),
        (
            "ordering key",
            field.partition_key,
            contract.schema.kafka_key().len(),
        ),
    ] {
        match position {
            Some(at) if all > 1 => words.push(format!("{what} {at}")),
            Some(_) => words.push(what.to_owned()),
            None => {}
        }
    }
    words.join(", ")
}

/// The limits of a type: ` (1 to 10)`, ` (at most 5 characters)`.
fn limits(ty: &Type) -> String {
    match ty {
        Type::Int32 { minimum, maximum } | Type::Int64 { minimum, maximum } => {
            match (minimum, maximum) {
                (Some(least), Some(most)) => format!(" ({least} to {most})"),
                (Some(least), None) => format!(" (from {least})"),
                (None, Some(most)) => format!(" (up to {most})"),
                (None, None) => String::new(),
            }
        }
        Type::String {
            min_length,
            max_length,
        } => match (min_length, max_length) {
            (Some(least), Some(most)) => format!(" ({least} to {most} characters)"),
            (Some(least), None) => format!(" (at least {least} characters)"),
            (None, Some(most)) => format!(" (at most {most} characters)"),
            (None, None) => String::new(),
        },
        _ => String::new(),
    }
}

/// Who answers for the product.
pub(super) fn owner(contract: &Contract, product: Option<&Product>) -> String {
    product
        .and_then(Product::owner)
        .or_else(|| {
            let team = contract.team.as_ref()?;
            let first = team.members.first().map(|member| member.username.as_str());
            team.name.as_deref().or(first)
        })
        .unwrap_or(&contract.domain)
        .to_owned()
}

/// The name for people.
pub(super) fn title(contract: &Contract) -> String {
    contract
        .name
        .clone()
        .unwrap_or_else(|| format!("{}.{}", contract.domain, contract.product))
}

/// A promise in words: `10 s`, `for ever`.
pub(super) fn promise(level: &ServiceLevel, contract: &Contract) -> String {
    if level.property == "retention" && contract.retention == Retention::Unlimited {
        return "for ever".into();
    }
    let value = match &level.value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    match &level.unit {
        Some(unit) => format!("{value} {unit}"),
        None => value,
    }
}

/// A fact about a product as a whole.
pub struct Fact {
    /// What it is.
    pub name: &'static str,
    /// The value in words.
    pub value: String,
}

/// The facts about a product, in the order of a page's head.
pub fn facts(contract: &Contract, product: Option<&Product>) -> Vec<Fact> {
    let schema = &contract.schema;
    let mut facts = vec![
        (
            "Product",
            format!("{}.{}", contract.domain, contract.product),
        ),
        ("Version", contract.version.to_string()),
        ("Status", contract.status.clone()),
        ("Owner", owner(contract, product)),
        ("Kind", schema.kind.as_str().to_owned()),
        ("Topic", schema.topic.clone()),
        ("Compatibility", contract.compatibility.clone()),
    ];
    if let Some(column) = &schema.event_time {
        facts.push(("Event time", column.clone()));
    }
    if let Some(column) = &schema.subject_key {
        facts.push(("About the person in", column.clone()));
    }
    if !contract.tags.is_empty() {
        facts.push(("Tags", contract.tags.join(", ")));
    }
    facts.push(("Contract", contract.id.clone()));
    facts
        .into_iter()
        .map(|(name, value)| Fact { name, value })
        .collect()
}

/// The words on purpose, use and limits, in order.
pub(super) fn words(contract: &Contract) -> Vec<(&'static str, &str)> {
    let description = &contract.description;
    [
        ("Purpose", &description.purpose),
        ("Usage", &description.usage),
        ("Limitations", &description.limitations),
    ]
    .into_iter()
    .filter_map(|(name, text)| Some((name, text.as_deref()?.trim())))
    .collect()
}
