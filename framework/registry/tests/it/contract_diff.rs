//! What `mesh_contract::diff` says of two contracts against Avro itself: the schemas that are
//! generated from both, judged by the rules of resolution in both directions.

use mesh_core::avro::{SchemaUse, key_schema, value_schema};
use mesh_core::contract::diff::{Area, Class, Diff, Effect, Reads};
use mesh_core::contract::{
    ArrayType, Contract, EnumSymbol, EnumType, Field, MapType, ObjectType, TimeUnit, Type,
};
use mesh_registry::compat::{Schema, can_read};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SEED: u64 = 20_26;
const PAIRS: usize = 4_000;

const CONTRACT: &str = r#"apiVersion: v3.2.0
kind: DataContract
id: urn:mesh:contract:lab.samples
version: "1.0.0"
status: active
domain: lab
description: {purpose: To be changed.}
slaProperties:
  - {property: retention, value: -1}
schema:
  - name: sample
    physicalName: lab.samples.v1
    customProperties:
      - {property: mesh.kind, value: event}
    properties:
      - {name: k, logicalType: string, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: l, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 2}
"#;

struct Random {
    rng: ChaCha8Rng,
    /// A field to make others from.
    template: Field,
}

impl Random {
    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn scalar(&mut self) -> Type {
        match self.rng.random_range(0..13) {
            0 | 1 => Type::Int32 {
                minimum: None,
                maximum: None,
            },
            2 => Type::Int64 {
                minimum: Some(0),
                maximum: None,
            },
            3 => Type::Float32,
            4 => Type::Float64,
            5 => Type::Decimal {
                precision: self.rng.random_range(9..11),
                scale: self.rng.random_range(2..4),
            },
            6 => Type::Boolean,
            7 => Type::Date,
            8 => Type::Timestamp(if self.chance(50) {
                TimeUnit::Millis
            } else {
                TimeUnit::Micros
            }),
            9 => Type::Uuid,
            11 => Type::Time(if self.chance(50) {
                TimeUnit::Millis
            } else {
                TimeUnit::Micros
            }),
            10 => Type::String {
                min_length: None,
                max_length: self.chance(50).then_some(9),
            },
            _ => self.symbols(),
        }
    }

    fn symbols(&mut self) -> Type {
        let mut all = ["A", "B", "C", "D"];
        all.shuffle(&mut self.rng);
        let count = self.rng.random_range(1..=all.len());
        let symbols = all[..count].iter().map(|value| EnumSymbol {
            value: (*value).to_owned(),
            description: None,
        });
        Type::Enum(EnumType {
            symbols: symbols.collect(),
        })
    }

    fn ty(&mut self, depth: usize) -> Type {
        match self.rng.random_range(0..11) {
            10 if depth > 0 => Type::Map(Box::new(MapType {
                values: self.ty(depth - 1),
                nullable: self.chance(50),
            })),
            0 if depth > 0 => Type::Array(Box::new(ArrayType {
                items: self.ty(depth - 1),
                nullable: self.chance(50),
            })),
            1 | 2 if depth > 0 => Type::Object(ObjectType {
                fields: self.fields(depth - 1),
            }),
            _ => self.scalar(),
        }
    }

    fn field(&mut self, name: &str, depth: usize) -> Field {
        Field {
            name: name.to_owned(),
            ty: self.ty(depth),
            nullable: self.chance(60),
            ..self.template.clone()
        }
    }

    fn fields(&mut self, depth: usize) -> Vec<Field> {
        let mut names = ["a", "b", "c", "d", "e"];
        names.shuffle(&mut self.rng);
        let count = self.rng.random_range(1..4);
        names[..count]
            .iter()
            .map(|name| self.field(name, depth))
            .collect()
    }

    /// Changes one thing of `fields` or below.
    fn mutate(&mut self, fields: &mut Vec<Field>, depth: usize) {
        let at = self.rng.random_range(0..fields.len());
        match self.rng.random_range(0..9) {
            0 => fields[at].nullable = !fields[at].nullable,
            1 => fields[at].ty = self.ty(depth),
            2 if fields.len() > 1 => {
                fields.remove(at);
            }
            3 => {
                let free = ["a", "b", "c", "d", "e", "f"]
                    .into_iter()
                    .find(|name| fields.iter().all(|field| field.name != *name));
                if let Some(name) = free {
                    let added = self.field(name, depth);
                    fields.insert(at, added);
                }
            }
            4 => fields.shuffle(&mut self.rng),
            5 if fields.iter().all(|field| field.name != "g") => fields[at].name = "g".into(),
            6 => fields[at].description = Some("Other words.".into()),
            _ => {
                let mut ty = fields[at].ty.clone();
                self.mutate_type(&mut ty, depth);
                fields[at].ty = ty;
            }
        }
    }

    fn mutate_type(&mut self, ty: &mut Type, depth: usize) {
        match ty {
            Type::Object(object) => self.mutate(&mut object.fields, depth.saturating_sub(1)),
            Type::Array(array) => match self.chance(30) {
                true => array.nullable = !array.nullable,
                false => self.mutate_type(&mut array.items, depth.saturating_sub(1)),
            },
            Type::Map(map) => match self.chance(30) {
                true => map.nullable = !map.nullable,
                false => self.mutate_type(&mut map.values, depth.saturating_sub(1)),
            },
            Type::Enum(_) => *ty = self.symbols(),
            Type::Int32 { .. } => {
                let wider = [
                    Type::Int64 {
                        minimum: None,
                        maximum: None,
                    },
                    Type::Float64,
                ];
                *ty = wider.choose(&mut self.rng).unwrap().clone();
            }
            _ => *ty = self.scalar(),
        }
    }

    /// Changes something about the two columns of the key.
    fn mutate_key(&mut self, contract: &mut Contract) {
        let at = self.rng.random_range(0..2);
        match self.rng.random_range(0..5) {
            0 => contract.schema.fields[at].ty = self.symbols(),
            1 => {
                contract.schema.fields[at].ty = Type::Int64 {
                    minimum: None,
                    maximum: None,
                }
            }
            2 => contract.schema.fields[at].description = Some("Words of the key.".into()),
            3 => {
                let [first, second, ..] = &mut contract.schema.fields[..] else {
                    panic!("two columns of the key");
                };
                std::mem::swap(&mut first.primary_key, &mut second.primary_key);
            }
            _ => contract.schema.fields[at].examples = vec![1.into()],
        }
    }
}

fn schema(contract: &Contract) -> Schema {
    let text = value_schema(contract, SchemaUse::Write).to_string();
    match Schema::parse(&text) {
        Ok(schema) => schema,
        Err(error) => panic!("{error:?}\n{text}"),
    }
}

#[test]
fn classes_agree_with_avro() {
    let base = Contract::parse("contract.odcs.yaml", CONTRACT).unwrap();
    let mut template = base.schema.fields[0].clone();
    template.primary_key = None;
    let mut random = Random {
        rng: ChaCha8Rng::seed_from_u64(SEED),
        template,
    };
    let mut seen = [0usize; 4];
    let mut keys = 0;
    for pair in 0..PAIRS {
        let mut old = base.clone();
        let columns = random.fields(2);
        old.schema.fields.extend(columns);
        let mut new = old.clone();
        for _ in 0..random.rng.random_range(0..4) {
            let mut columns = new.schema.fields.split_off(2);
            random.mutate(&mut columns, 2);
            new.schema.fields.extend(columns);
        }
        if random.chance(15) {
            random.mutate_key(&mut new);
        }
        if random.chance(3) {
            new.schema.name = "other".into();
            new.schema.type_name = "Other".into();
        }

        let diff = Diff::contracts(&old, &new);
        let (reader, writer) = (schema(&new), schema(&old));
        let avro = Reads {
            new_reads_old: can_read(&reader, &writer).unwrap().is_empty(),
            old_reads_new: can_read(&writer, &reader).unwrap().is_empty(),
        };
        let context = || {
            format!(
                "pair {pair} of seed {SEED}\n{}\n{}\n{:#?}",
                value_schema(&old, SchemaUse::Write),
                value_schema(&new, SchemaUse::Write),
                diff.changes
            )
        };
        assert_eq!(diff.avro(), avro, "{}", context());
        seen[usize::from(avro.new_reads_old) * 2 + usize::from(avro.old_reads_new)] += 1;

        // What Avro refuses is never classed as less.
        let least = match (avro.new_reads_old, avro.old_reads_new) {
            (true, true) => Class::Documentation,
            (true, false) => Class::ReadersOnly,
            (false, _) => Class::Breaking,
        };
        assert!(
            diff.class() >= Some(least) || diff.changes.is_empty(),
            "{}",
            context()
        );
        // What it takes is classed as more only where the meaning or the key breaks.
        for change in &diff.changes {
            let breaks = change.class >= Class::ReadersOnly;
            assert!(!breaks || change.reads != Reads::BOTH, "{}", context());
            assert_eq!(change.avro.and(change.reads), change.reads, "{}", context());
        }
        // No change is told where the schemas are the same, and none is missing.
        let same = value_schema(&old, SchemaUse::Write) == value_schema(&new, SchemaUse::Write);
        if diff.changes.is_empty() {
            assert!(same, "{}", context());
        }
        // Keys keep their bytes unless a change says that they do not.
        if key_schema(&old) != key_schema(&new) {
            keys += 1;
            let told = diff.changes.iter().any(|change| {
                change.class == Class::Breaking
                    && (change.path == "schema.name"
                        || change
                            .effects
                            .iter()
                            .any(|Effect { area, .. }| *area == Area::Key))
            });
            assert!(
                told,
                "{}\n{}\n{}",
                key_schema(&old),
                key_schema(&new),
                context()
            );
        }
    }
    eprintln!("neither, old only, new only, both: {seen:?}; other keys: {keys}");
    assert!(seen.iter().all(|count| *count >= 100), "{seen:?}");
    assert!(keys >= 100, "{keys}");
}
