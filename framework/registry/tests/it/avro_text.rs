//! The texts of generated schemas: each named type is defined where it is first used.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::avro_model::{Field, Kind, Logical, Model, Named, Primitive, Type};

/// What of a text is written already.
#[derive(Default)]
struct Written {
    defined: HashSet<usize>,
    /// The records around the place.
    open: Vec<usize>,
}

impl Model {
    /// The schema as text.
    pub(crate) fn text(&self) -> String {
        self.write(&self.root, &mut Written::default()).to_string()
    }

    fn write(&self, of: &Type, written: &mut Written) -> Value {
        match of {
            Type::Primitive(Primitive { kind, logical }) => match logical {
                None => json!(kind),
                Some(logical) => with_logical(json!({ "type": kind }), *logical),
            },
            Type::Array(of) => json!({"type": "array", "items": self.write(of, written)}),
            Type::Map(of) => json!({"type": "map", "values": self.write(of, written)}),
            Type::Union(branches) => branches.iter().map(|it| self.write(it, written)).collect(),
            Type::Named(number) if !written.defined.insert(*number) => {
                json!(self.named[*number].full_name())
            }
            Type::Named(number) => {
                written.open.push(*number);
                let text = self.define(&self.named[*number], written);
                written.open.pop();
                text
            }
        }
    }

    fn define(&self, named: &Named, written: &mut Written) -> Value {
        let mut out = Map::new();
        let word = match &named.kind {
            Kind::Record(_) => "record",
            Kind::Enum { .. } => "enum",
            Kind::Fixed { .. } => "fixed",
        };
        out.insert("type".into(), word.into());
        out.insert("name".into(), named.name.clone().into());
        out.insert("namespace".into(), named.namespace.into());
        if !named.aliases.is_empty() {
            out.insert("aliases".into(), named.aliases.clone().into());
        }
        match &named.kind {
            Kind::Record(fields) => {
                let fields: Vec<Value> = fields
                    .iter()
                    .map(|field| self.write_field(field, written))
                    .collect();
                out.insert("fields".into(), fields.into());
            }
            Kind::Enum { symbols, default } => {
                out.insert("symbols".into(), symbols.clone().into());
                if *default {
                    out.insert("default".into(), symbols[0].clone().into());
                }
            }
            Kind::Fixed { size, logical } => {
                out.insert("size".into(), (*size).into());
                if let Some(logical) = logical {
                    return with_logical(out.into(), *logical);
                }
            }
        }
        out.into()
    }

    fn write_field(&self, field: &Field, written: &mut Written) -> Value {
        let mut out = json!({"name": field.name, "type": self.write(&field.of, written)});
        if !field.aliases.is_empty() {
            out["aliases"] = field.aliases.clone().into();
        }
        if field.default
            && let Some(value) = self.default_of(&field.of, &written.open)
        {
            out["default"] = value;
        }
        out
    }

    /// A default of the type; none where it would be of a record that is not at its end,
    /// of which Java knows no fields yet.
    fn default_of(&self, of: &Type, open: &[usize]) -> Option<Value> {
        Some(match of {
            Type::Primitive(Primitive { kind, .. }) => match *kind {
                "null" => Value::Null,
                "boolean" => json!(true),
                "int" | "long" => json!(7),
                "float" | "double" => json!(0.5),
                "bytes" => json!("\u{ff}"),
                _ => json!("x"),
            },
            Type::Array(_) => json!([]),
            Type::Map(_) => json!({}),
            Type::Union(branches) => self.default_of(branches.first()?, open)?,
            Type::Named(number) if open.contains(number) => return None,
            Type::Named(number) => match &self.named[*number].kind {
                Kind::Enum { symbols, .. } => json!(symbols[0]),
                Kind::Fixed { size, .. } => json!("\u{1}".repeat(*size)),
                Kind::Record(fields) => {
                    let inside = [open, &[*number]].concat();
                    let mut out = Map::new();
                    for field in fields {
                        let value = self.default_of(&field.of, &inside)?;
                        out.insert(field.name.clone(), value);
                    }
                    out.into()
                }
            },
        })
    }
}

fn with_logical(mut on: Value, logical: Logical) -> Value {
    on["logicalType"] = logical.name.into();
    if let Some((precision, scale)) = logical.decimal {
        on["precision"] = precision.into();
        on["scale"] = scale.into();
    }
    on
}
