//! Avro schemas to generate from: named types by number, so that they may be renamed,
//! shared and recursive.

use rand::{Rng, RngExt};

/// A primitive with its logical type, by their attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Primitive {
    pub(crate) kind: &'static str,
    pub(crate) logical: Option<Logical>,
}

/// A logical type; precision and scale are of decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Logical {
    pub(crate) name: &'static str,
    pub(crate) decimal: Option<(u32, u32)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    Primitive(Primitive),
    Array(Box<Type>),
    Map(Box<Type>),
    Union(Vec<Type>),
    Named(usize),
}

#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) of: Type,
    pub(crate) default: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Record(Vec<Field>),
    Enum {
        symbols: Vec<String>,
        default: bool,
    },
    Fixed {
        size: usize,
        logical: Option<Logical>,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) namespace: &'static str,
    pub(crate) aliases: Vec<String>,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) root: Type,
    pub(crate) named: Vec<Named>,
    pub(crate) namespaces: &'static [&'static str],
    /// Numbers already used in names.
    pub(crate) used: usize,
}

/// A name without a namespace cannot be used where there is one.
const NAMESPACES: [&[&str]; 2] = [&[""], &["bank", "bank.loan", "shop"]];
const KINDS: [&str; 8] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
];
/// The logical types by the types that they stand on.
const LOGICAL: [(&str, &str); 13] = [
    ("int", "date"),
    ("int", "time-millis"),
    ("long", "time-micros"),
    ("long", "timestamp-millis"),
    ("long", "timestamp-micros"),
    ("long", "timestamp-nanos"),
    ("long", "local-timestamp-millis"),
    ("long", "local-timestamp-micros"),
    ("string", "uuid"),
    ("bytes", "decimal"),
    ("fixed 12", "duration"),
    ("fixed 16", "uuid"),
    ("fixed", "decimal"),
];

impl Named {
    pub(crate) fn full_name(&self) -> String {
        match self.namespace {
            "" => self.name.clone(),
            namespace => format!("{namespace}.{}", self.name),
        }
    }
}

pub(crate) fn pick(rng: &mut impl Rng, from: &[&'static str]) -> &'static str {
    from[rng.random_range(0..from.len())]
}

pub(crate) fn primitive(rng: &mut impl Rng) -> Type {
    let kind = pick(rng, &KINDS);
    let logical = match rng.random_range(0..3) {
        0 => logical(rng, kind),
        _ => None,
    };
    Type::Primitive(Primitive { kind, logical })
}

/// One of the logical types that may stand on `base`; a fixed has its size behind it.
pub(crate) fn logical(rng: &mut impl Rng, base: &str) -> Option<Logical> {
    let fits = |on: &str| base == on || (on == "fixed" && base.starts_with("fixed "));
    let names: Vec<&'static str> = LOGICAL
        .iter()
        .filter(|(on, _)| fits(on))
        .map(|(_, name)| *name)
        .collect();
    if names.is_empty() {
        return None;
    }
    let name = names[rng.random_range(0..names.len())];
    let decimal = (name == "decimal").then(|| {
        // A fixed of one byte holds two digits.
        let precision = rng.random_range(1..3);
        (precision, rng.random_range(0..precision + 1))
    });
    Some(Logical { name, decimal })
}

impl Model {
    pub(crate) fn random(rng: &mut impl Rng) -> Self {
        let mut model = Self {
            root: Type::Named(0),
            named: Vec::new(),
            namespaces: NAMESPACES[usize::from(rng.random_range(0..4) > 0)],
            used: 0,
        };
        let root = model.record(rng, 0);
        model.root = match rng.random_range(0..8) {
            0 => Type::Array(Box::new(root)),
            1 => Type::Union(vec![NULL, root]),
            2 => model.of(rng, 1),
            _ => root,
        };
        model
    }

    pub(crate) fn fresh(&mut self, prefix: &str) -> String {
        self.used += 1;
        format!("{prefix}{}", self.used)
    }

    fn add(&mut self, rng: &mut impl Rng, prefix: &str, kind: Kind) -> usize {
        let name = self.fresh(prefix);
        self.named.push(Named {
            name,
            namespace: pick(rng, self.namespaces),
            aliases: Vec::new(),
            kind,
        });
        self.named.len() - 1
    }

    fn record(&mut self, rng: &mut impl Rng, depth: usize) -> Type {
        let number = self.add(rng, "R", Kind::Record(Vec::new()));
        let fields = (0..rng.random_range(1..5))
            .map(|_| {
                let of = self.of(rng, depth + 1);
                self.field(rng, of)
            })
            .collect();
        self.named[number].kind = Kind::Record(fields);
        Type::Named(number)
    }

    pub(crate) fn field(&mut self, rng: &mut impl Rng, of: Type) -> Field {
        Field {
            name: self.fresh("f"),
            aliases: Vec::new(),
            of,
            default: rng.random_range(0..3) == 0,
        }
    }

    /// Any type; below the third level no new record.
    pub(crate) fn of(&mut self, rng: &mut impl Rng, depth: usize) -> Type {
        match rng.random_range(0..14) {
            0 => Type::Array(Box::new(self.of(rng, depth + 1))),
            1 => Type::Map(Box::new(self.of(rng, depth + 1))),
            2 | 3 => {
                let branches = (0..rng.random_range(1..4))
                    .map(|_| self.of(rng, depth + 1))
                    .collect();
                Type::Union(branches)
            }
            4 | 5 => self.enumeration(rng),
            6 => self.fixed(rng),
            7 | 8 if depth < 3 => self.record(rng, depth),
            // What there is already, which may be the record around it: recursion.
            9 | 10 if !self.named.is_empty() => {
                let number = rng.random_range(0..self.named.len());
                match rng.random_range(0..3) {
                    0 => Type::Array(Box::new(Type::Named(number))),
                    1 => Type::Union(vec![NULL, Type::Named(number)]),
                    _ => Type::Named(number),
                }
            }
            _ => primitive(rng),
        }
    }

    pub(crate) fn enumeration(&mut self, rng: &mut impl Rng) -> Type {
        let symbols = (0..rng.random_range(1..4)).map(|n| format!("S{n}"));
        let kind = Kind::Enum {
            symbols: symbols.collect(),
            default: rng.random_range(0..4) == 0,
        };
        Type::Named(self.add(rng, "E", kind))
    }

    pub(crate) fn fixed(&mut self, rng: &mut impl Rng) -> Type {
        let size = [1, 4, 12, 16][rng.random_range(0..4)];
        let logical = match rng.random_range(0..2) {
            0 => logical(rng, &format!("fixed {size}")),
            _ => None,
        };
        Type::Named(self.add(rng, "X", Kind::Fixed { size, logical }))
    }

    /// Shows every type, those inside others and those of fields, whether reached or not.
    pub(crate) fn each_type(&mut self, see: &mut dyn FnMut(&mut Type)) {
        fn within(of: &mut Type, see: &mut dyn FnMut(&mut Type)) {
            see(of);
            match of {
                Type::Array(of) | Type::Map(of) => within(of, see),
                Type::Union(branches) => branches.iter_mut().for_each(|it| within(it, see)),
                Type::Primitive(_) | Type::Named(_) => {}
            }
        }
        within(&mut self.root, see);
        for named in &mut self.named {
            if let Kind::Record(fields) = &mut named.kind {
                fields
                    .iter_mut()
                    .for_each(|field| within(&mut field.of, see));
            }
        }
    }

    /// Makes unions again what unions may be: not empty, not nested, each branch once.
    pub(crate) fn repair(&mut self) {
        fn flat(of: &Type, into: &mut Vec<Type>) {
            match of {
                Type::Union(branches) => branches.iter().for_each(|it| flat(it, into)),
                other if into.iter().any(|it| same_branch(it, other)) => {}
                other => into.push(other.clone()),
            }
        }
        self.each_type(&mut |of| {
            if let Type::Union(_) = of {
                let mut branches = Vec::new();
                flat(of, &mut branches);
                if branches.is_empty() {
                    branches.push(NULL);
                }
                *of = Type::Union(branches);
            }
        });
    }
}

/// The type of nothing.
pub(crate) const NULL: Type = Type::Primitive(Primitive {
    kind: "null",
    logical: None,
});

fn same_branch(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Primitive(a), Type::Primitive(b)) => a.kind == b.kind,
        (Type::Array(_), Type::Array(_)) | (Type::Map(_), Type::Map(_)) => true,
        (Type::Named(a), Type::Named(b)) => a == b,
        _ => false,
    }
}
