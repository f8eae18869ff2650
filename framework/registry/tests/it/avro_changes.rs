//! What may happen to an Avro schema from one version to the next: each change by its name.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::avro_model::{
    Field, Kind, Model, NULL, Named, Primitive, Type, logical, pick, primitive,
};

/// A change; false if the schema has nothing that could be changed so.
type Change = fn(&mut Model, &mut ChaCha8Rng) -> bool;

pub(crate) const CHANGES: [(&str, Change); 28] = [
    ("field renamed with alias", |model, rng| {
        rename_field(model, rng, true)
    }),
    ("field renamed", |model, rng| {
        rename_field(model, rng, false)
    }),
    ("field with the name of another as alias", ambiguous),
    ("field added with default", |model, rng| {
        add_field(model, rng, true)
    }),
    ("field added", |model, rng| add_field(model, rng, false)),
    ("field removed", |model, rng| {
        on_fields(model, rng, |fields, rng| {
            fields.remove(rng.random_range(0..fields.len()));
        })
    }),
    ("fields in another order", |model, rng| {
        on_fields(model, rng, |fields, _| fields.reverse())
    }),
    ("default given or taken", |model, rng| {
        on_fields(model, rng, |fields, rng| {
            let at = rng.random_range(0..fields.len());
            fields[at].default = !fields[at].default;
        })
    }),
    ("field recursive", recursive),
    ("record renamed with alias", |model, rng| {
        rename(model, rng, is_record, true)
    }),
    ("record renamed", |model, rng| {
        rename(model, rng, is_record, false)
    }),
    ("enum renamed with alias", |model, rng| {
        rename(model, rng, is_enum, true)
    }),
    ("enum renamed", |model, rng| {
        rename(model, rng, is_enum, false)
    }),
    ("fixed renamed with alias", |model, rng| {
        rename(model, rng, is_fixed, true)
    }),
    ("fixed renamed", |model, rng| {
        rename(model, rng, is_fixed, false)
    }),
    ("named type in another namespace", |model, rng| {
        let namespace = pick(rng, model.namespaces);
        on_named(model, rng, |_| true, |named, _| named.namespace = namespace)
    }),
    ("symbol added", |model, rng| {
        on_symbols(model, rng, |symbols, _, _| {
            symbols.push(format!("T{}", symbols.len()));
        })
    }),
    ("symbol removed", |model, rng| {
        on_symbols(model, rng, |symbols, _, rng| {
            if symbols.len() > 1 {
                symbols.remove(rng.random_range(0..symbols.len()));
            }
        })
    }),
    ("symbols in another order", |model, rng| {
        on_symbols(model, rng, |symbols, _, _| symbols.reverse())
    }),
    ("enum default given or taken", |model, rng| {
        on_symbols(model, rng, |_, default, _| *default = !*default)
    }),
    ("size of fixed", |model, rng| {
        on_named(model, rng, is_fixed, |named, rng| {
            let size = [1, 4, 12, 16][rng.random_range(0..4)];
            named.kind = Kind::Fixed {
                size,
                logical: None,
            };
        })
    }),
    ("logical type", relogical),
    ("promotion", promote),
    ("another type", |model, rng| {
        let new = match rng.random_range(0..4) {
            0 => model.enumeration(rng),
            1 => model.fixed(rng),
            _ => primitive(rng),
        };
        on_type(model, rng, |_| true, |of, _| *of = new)
    }),
    ("array as map or back", |model, rng| {
        on_type(
            model,
            rng,
            |of| matches!(of, Type::Array(_) | Type::Map(_)),
            |of, _| {
                *of = match std::mem::replace(of, NULL) {
                    Type::Array(inner) => Type::Map(inner),
                    Type::Map(inner) => Type::Array(inner),
                    other => other,
                }
            },
        )
    }),
    ("into a union", |model, rng| {
        on_type(
            model,
            rng,
            |_| true,
            |of, rng| {
                let own = std::mem::replace(of, NULL);
                let mut branches = vec![own, NULL];
                if rng.random() {
                    branches.reverse();
                }
                *of = Type::Union(branches);
            },
        )
    }),
    ("out of a union", |model, rng| {
        on_type(model, rng, is_union, |of, _| {
            if let Type::Union(branches) = of
                && let Some(branch) = branches.iter().rfind(|it| **it != NULL)
            {
                *of = branch.clone();
            }
        })
    }),
    ("branches of a union", |model, rng| {
        let new = primitive(rng);
        on_type(model, rng, is_union, |of, rng| {
            if let Type::Union(branches) = of {
                match rng.random_range(0..3) {
                    0 => branches.push(new),
                    1 if branches.len() > 1 => {
                        branches.remove(rng.random_range(0..branches.len()));
                    }
                    _ => branches.reverse(),
                }
            }
        })
    }),
];

fn is_record(kind: &Kind) -> bool {
    matches!(kind, Kind::Record(_))
}

fn is_enum(kind: &Kind) -> bool {
    matches!(kind, Kind::Enum { .. })
}

fn is_fixed(kind: &Kind) -> bool {
    matches!(kind, Kind::Fixed { .. })
}

fn is_union(of: &Type) -> bool {
    matches!(of, Type::Union(_))
}

/// Changes one of the named types that fit.
fn on_named(
    model: &mut Model,
    rng: &mut ChaCha8Rng,
    fits: impl Fn(&Kind) -> bool,
    change: impl FnOnce(&mut Named, &mut ChaCha8Rng),
) -> bool {
    let mut all: Vec<&mut Named> = model.named.iter_mut().filter(|it| fits(&it.kind)).collect();
    if all.is_empty() {
        return false;
    }
    let at = rng.random_range(0..all.len());
    change(all[at], rng);
    true
}

/// Changes the fields of a record that has some.
fn on_fields(
    model: &mut Model,
    rng: &mut ChaCha8Rng,
    change: impl FnOnce(&mut Vec<Field>, &mut ChaCha8Rng),
) -> bool {
    let fits = |kind: &Kind| matches!(kind, Kind::Record(fields) if !fields.is_empty());
    on_named(model, rng, fits, |named, rng| {
        if let Kind::Record(fields) = &mut named.kind {
            change(fields, rng);
        }
    })
}

fn on_symbols(
    model: &mut Model,
    rng: &mut ChaCha8Rng,
    change: impl FnOnce(&mut Vec<String>, &mut bool, &mut ChaCha8Rng),
) -> bool {
    on_named(model, rng, is_enum, |named, rng| {
        if let Kind::Enum { symbols, default } = &mut named.kind {
            change(symbols, default, rng);
        }
    })
}

/// Changes one of the types that fit, wherever it stands.
fn on_type(
    model: &mut Model,
    rng: &mut ChaCha8Rng,
    fits: impl Fn(&Type) -> bool,
    change: impl FnOnce(&mut Type, &mut ChaCha8Rng),
) -> bool {
    let mut count = 0;
    model.each_type(&mut |of| count += usize::from(fits(of)));
    if count == 0 {
        return false;
    }
    let mut left = rng.random_range(0..count);
    let mut change = Some(change);
    model.each_type(&mut |of| {
        if fits(of) {
            if left == 0
                && let Some(change) = change.take()
            {
                change(of, rng);
            }
            left = left.wrapping_sub(1);
        }
    });
    model.repair();
    true
}

fn rename_field(model: &mut Model, rng: &mut ChaCha8Rng, alias: bool) -> bool {
    let name = model.fresh("g");
    on_fields(model, rng, |fields, rng| {
        let at = rng.random_range(0..fields.len());
        let old = std::mem::replace(&mut fields[at].name, name);
        if alias {
            fields[at].aliases.push(old);
        }
    })
}

fn ambiguous(model: &mut Model, rng: &mut ChaCha8Rng) -> bool {
    on_fields(model, rng, |fields, rng| {
        let (at, other) = (
            rng.random_range(0..fields.len()),
            rng.random_range(0..fields.len()),
        );
        let other = fields[other].name.clone();
        if at > 0 && !fields[at].aliases.contains(&other) {
            fields[at].aliases.push(other);
        }
    })
}

fn add_field(model: &mut Model, rng: &mut ChaCha8Rng, default: bool) -> bool {
    let of = model.of(rng, 2);
    let mut field = model.field(rng, of);
    field.default = default;
    let added = on_named(model, rng, is_record, |named, rng| {
        if let Kind::Record(fields) = &mut named.kind {
            fields.insert(rng.random_range(0..fields.len() + 1), field);
        }
    });
    model.repair();
    added
}

/// A field of the type of the record that it is in.
fn recursive(model: &mut Model, rng: &mut ChaCha8Rng) -> bool {
    let records: Vec<usize> = (0..model.named.len())
        .filter(|number| is_record(&model.named[*number].kind))
        .collect();
    if records.is_empty() {
        return false;
    }
    let number = records[rng.random_range(0..records.len())];
    let own = Type::Named(number);
    let of = match rng.random_range(0..3) {
        0 => Type::Array(Box::new(own)),
        1 => Type::Map(Box::new(own)),
        _ => Type::Union(vec![NULL, own]),
    };
    let field = model.field(rng, of);
    if let Kind::Record(fields) = &mut model.named[number].kind {
        fields.push(field);
    }
    true
}

fn rename(
    model: &mut Model,
    rng: &mut ChaCha8Rng,
    fits: impl Fn(&Kind) -> bool,
    alias: bool,
) -> bool {
    let name = model.fresh("N");
    let namespace = pick(rng, model.namespaces);
    on_named(model, rng, fits, |named, rng| {
        let old = named.full_name();
        named.name = name;
        if alias {
            named.aliases.push(old);
            if rng.random_range(0..4) == 0 {
                named.namespace = namespace;
            }
        }
    })
}

fn relogical(model: &mut Model, rng: &mut ChaCha8Rng) -> bool {
    if rng.random_range(0..3) == 0 {
        return on_named(model, rng, is_fixed, |named, rng| {
            if let Kind::Fixed { size, logical: own } = &mut named.kind {
                *own = logical(rng, &format!("fixed {size}"));
            }
        });
    }
    let fits = |of: &Type| matches!(of, Type::Primitive(it) if ["int", "long", "string", "bytes"].contains(&it.kind));
    on_type(model, rng, fits, |of, rng| {
        if let Type::Primitive(primitive) = of {
            primitive.logical = logical(rng, primitive.kind);
        }
    })
}

/// What a reader takes for another type by Avro's rules, and the ways back that it does not.
fn promote(model: &mut Model, rng: &mut ChaCha8Rng) -> bool {
    const NUMBERS: [&str; 4] = ["int", "long", "float", "double"];
    const TEXTS: [&str; 2] = ["bytes", "string"];
    let group = |kind: &str| -> &'static [&'static str] {
        if NUMBERS.contains(&kind) {
            &NUMBERS
        } else {
            &TEXTS
        }
    };
    let fits =
        |of: &Type| matches!(of, Type::Primitive(it) if !["null", "boolean"].contains(&it.kind));
    on_type(model, rng, fits, |of, rng| {
        if let Type::Primitive(Primitive { kind, logical }) = of {
            *kind = pick(rng, group(kind));
            *logical = None;
        }
    })
}
