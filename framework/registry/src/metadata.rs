//! What stands beside a schema: metadata and rules, kept for the clients that act on them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Tags by path and properties of a schema. Order does not count, so it is kept in one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<BTreeMap<String, BTreeSet<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) properties: Option<BTreeMap<String, String>>,
    /// Names of the properties whose values are secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sensitive: Option<BTreeSet<String>>,
}

impl Metadata {
    pub(crate) fn property(&self, name: &str) -> Option<&str> {
        self.properties.as_ref()?.get(name).map(String::as_str)
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.tags.is_none() && self.properties.is_none() && self.sensitive.is_none()
    }

    /// This with `over` laid over it: its properties win, tags and secrets add up.
    fn under(&self, over: &Self) -> Self {
        let mut merged = self.clone();
        for (path, tags) in over.tags.iter().flatten() {
            let all = merged.tags.get_or_insert_default();
            all.entry(path.clone()).or_default().extend(tags.clone());
        }
        if let Some(properties) = &over.properties {
            let all = merged.properties.get_or_insert_default();
            all.extend(properties.clone());
        }
        if let Some(sensitive) = &over.sensitive {
            let all = merged.sensitive.get_or_insert_default();
            all.extend(sensitive.clone());
        }
        merged
    }

    /// One laid over the other.
    pub(crate) fn merged(under: Option<&Self>, over: Option<&Self>) -> Option<Self> {
        match (under, over) {
            (Some(under), Some(over)) => Some(under.under(over)),
            (one, other) => other.or(one).cloned(),
        }
    }
}

/// Rules for migration, data and encoding, which clients carry out; kept as they come, for
/// the registry does not act on them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct RuleSet(Map<String, Value>);

/// The lists of rules.
const RULES: [&str; 3] = ["migrationRules", "domainRules", "encodingRules"];
/// What a rule may have, and whether it is a text.
const RULE_FIELDS: [(&str, bool); 11] = [
    ("name", true),
    ("doc", true),
    ("kind", true),
    ("mode", true),
    ("type", true),
    ("tags", false),
    ("params", false),
    ("expr", true),
    ("onSuccess", true),
    ("onFailure", true),
    ("disabled", false),
];

impl RuleSet {
    /// Reads the rules of a request; `None` where it says nothing. The error says what is
    /// wrong with which rule.
    pub(crate) fn read(value: Value) -> Result<Option<Self>, String> {
        let Value::Object(mut set) = value else {
            return match value {
                Value::Null => Ok(None),
                _ => Err("a rule set is an object".to_owned()),
            };
        };
        set.retain(|_, value| !value.is_null());
        for (key, value) in &mut set {
            if key == "enableAt" {
                continue;
            }
            if !RULES.contains(&key.as_str()) {
                let key: String = key.chars().take(40).collect();
                return Err(format!(
                    "a rule set has no '{key}'; it has {} and enableAt",
                    RULES.join(", ")
                ));
            }
            let Value::Array(rules) = value else {
                return Err(format!("'{key}' is a list of rules"));
            };
            for (at, rule) in rules.iter_mut().enumerate() {
                check_rule(rule).map_err(|reason| format!("rule {at} of '{key}': {reason}"))?;
            }
        }
        set.retain(|_, value| value.as_array().is_none_or(|rules| !rules.is_empty()));
        Ok((!set.is_empty()).then_some(Self(set)))
    }
}

fn check_rule(rule: &mut Value) -> Result<(), String> {
    let Value::Object(rule) = rule else {
        return Err("a rule is an object".to_owned());
    };
    rule.retain(|_, value| !value.is_null());
    for (key, value) in rule.iter() {
        let Some((_, is_text)) = RULE_FIELDS.iter().find(|(name, _)| name == key) else {
            let key: String = key.chars().take(40).collect();
            return Err(format!("a rule has no '{key}'"));
        };
        if *is_text && !value.is_string() {
            return Err(format!("'{key}' is a text"));
        }
    }
    match rule.get("name").and_then(Value::as_str) {
        Some(name) if !name.trim().is_empty() => Ok(()),
        _ => Err("it has no 'name'".to_owned()),
    }
}
