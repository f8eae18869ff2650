//! Records and their fields.

use std::collections::HashSet;

use mesh_core::Result;
use serde_json::{Map, Value};

use super::super::defaults::Defaults;
use super::super::name::{Name, check_name};
use super::super::schema::{Field, Node, NodeId, Order, Primitive, Record};
use super::{FIELD_RESERVED, Parser, RESERVED, properties};

impl Parser {
    pub(super) fn record(
        &mut self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
        is_error: bool,
    ) -> Result<NodeId> {
        let header = self.header(object, namespace, &RESERVED)?;
        let name = header.name.clone();
        let id = self.define(
            &name,
            Node::Record(Record {
                header,
                is_error,
                fields: None,
            }),
        )?;
        let Some(Value::Array(list)) = object.get("fields") else {
            return Err(self.refuse(format!("record {name} has no array 'fields'")));
        };
        let mut fields: Vec<Field> = Vec::with_capacity(list.len());
        let mut seen = HashSet::with_capacity(list.len());
        self.inside("fields", |parser| {
            for (at, json) in list.iter().enumerate() {
                let field =
                    parser.inside(at.to_string(), |parser| parser.field(json, &name, &seen))?;
                seen.insert(field.name.clone());
                fields.push(field);
            }
            Ok(())
        })?;
        if let Some(Node::Record(record)) = self.nodes.get_mut(id.0 as usize) {
            record.fields = Some(fields);
        }
        Ok(id)
    }

    fn field(&mut self, json: &Value, record: &Name, seen: &HashSet<String>) -> Result<Field> {
        let Value::Object(object) = json else {
            return Err(self.refuse("a field is an object with 'name' and 'type'"));
        };
        let Some(name) = self.text(object, "name")? else {
            return Err(self.refuse(format!("a field of record {record} has no 'name'")));
        };
        if let Err(reason) = check_name(name) {
            return self.inside("name", |parser| Err(parser.refuse(reason)));
        }
        if seen.contains(name) {
            return Err(self.refuse(format!("record {record} has the field '{name}' twice")));
        }
        let Some(kind) = object.get("type") else {
            return Err(self.refuse(format!("field '{name}' of record {record} has no 'type'")));
        };
        let schema = self.inside("type", |parser| parser.schema(kind, record.namespace()))?;
        let order = match object.get("order") {
            None => Order::Ascending,
            Some(order) => match order.as_str().map(str::to_ascii_lowercase).as_deref() {
                Some("ascending") => Order::Ascending,
                Some("descending") => Order::Descending,
                Some("ignore") => Order::Ignore,
                _ => {
                    return self.inside("order", |parser| {
                        Err(parser.refuse("the order is ascending, descending or ignore"))
                    });
                }
            },
        };
        let default = match object.get("default") {
            None => None,
            Some(default) => Some(self.default_value(default, schema, name, record)?),
        };
        let aliases = self.alias_texts(object)?;
        for (at, alias) in aliases.iter().enumerate() {
            if let Err(reason) = check_name(alias) {
                self.path.extend(["aliases".to_owned(), at.to_string()]);
                return Err(self.refuse(reason));
            }
        }
        Ok(Field {
            name: name.to_owned(),
            doc: self.text(object, "doc")?.map(str::to_owned),
            schema,
            default,
            order,
            aliases,
            props: properties(object, &FIELD_RESERVED),
        })
    }

    fn default_value(
        &mut self,
        default: &Value,
        schema: NodeId,
        field: &str,
        record: &Name,
    ) -> Result<Value> {
        let default = match (&self.nodes[schema.0 as usize], default) {
            // JSON has no NaN or infinity, so Java takes the text of a number here.
            (
                Node::Primitive {
                    kind: Primitive::Float | Primitive::Double,
                    ..
                },
                Value::String(text),
            ) => number_text(text).unwrap_or_else(|| default.clone()),
            _ => default.clone(),
        };
        let verdict = Defaults::new(&self.nodes).check(schema, &default);
        if let Err(reason) = verdict {
            return self.inside("default", |parser| {
                Err(parser.refuse(format!(
                    "the default of field '{field}' of record {record} does not fit its type: {reason}"
                )))
            });
        }
        Ok(default)
    }
}

/// The number that a default of a float or double spells as a text.
fn number_text(text: &str) -> Option<Value> {
    if matches!(text, "NaN" | "Infinity" | "-Infinity") {
        return None;
    }
    let number: f64 = text.trim().parse().ok()?;
    serde_json::Number::from_f64(number).map(Value::Number)
}
