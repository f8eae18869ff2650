//! Changes of a type, judged by what Avro's schema resolution does with the schemas that are
//! made from it, and by what the values mean.

use super::change::{Area, Change, Reads, Trend, What};
use super::{field, words};
use crate::types::{EnumType, TimeUnit, Type};

/// A column, or a part of one, under comparison.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Where it stands in the file.
    pub(super) path: String,
    /// Its name with those of the objects around it.
    pub(super) column: String,
    /// Whether it is part of the Kafka key.
    pub(super) key: bool,
}

impl Place {
    pub(super) fn below(&self, step: &str) -> Self {
        Self {
            path: format!("{}.{step}", self.path),
            ..self.clone()
        }
    }

    pub(super) fn at(&self, step: &str) -> String {
        format!("{}.{step}", self.path)
    }
}

/// The Avro type that a logical type becomes, as far as resolution looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Avro {
    Int,
    Long,
    Float,
    Double,
    String,
    Bytes(u8, u8),
    Boolean,
    Enum,
    Array,
    Map,
    Record,
}

fn avro(ty: &Type) -> Avro {
    match ty {
        Type::String { .. } | Type::Uuid => Avro::String,
        Type::Enum(_) => Avro::Enum,
        Type::Int32 { .. } | Type::Date | Type::Time(TimeUnit::Millis) => Avro::Int,
        Type::Int64 { .. }
        | Type::Timestamp(TimeUnit::Millis | TimeUnit::Micros)
        | Type::Time(TimeUnit::Micros) => Avro::Long,
        Type::Float32 => Avro::Float,
        Type::Float64 => Avro::Double,
        Type::Decimal { precision, scale } => Avro::Bytes(*precision, *scale),
        Type::Boolean => Avro::Boolean,
        Type::Array(_) => Avro::Array,
        Type::Map(_) => Avro::Map,
        Type::Object(_) => Avro::Record,
    }
}

/// Whether a reader's type takes what a writer's type writes (Avro 1.12, "Schema
/// Resolution"; decimals match only with the same precision and scale).
fn resolves(reader: &Type, writer: &Type) -> bool {
    use Avro::{Bytes, Double, Float, Int, Long, String};
    let (reader, writer) = (avro(reader), avro(writer));
    reader == writer
        || matches!(
            (reader, writer),
            (Long, Int)
                | (Float, Int | Long)
                | (Double, Int | Long | Float)
                | (String, Bytes(..))
                | (Bytes(..), String)
        )
}

/// Whether what resolves also means the same: a number stays a number, a text a text. A day
/// read as a number, or thousandths of a second as millionths, resolves and is wrong.
fn means(reader: &Type, writer: &Type) -> bool {
    let number = |ty: &Type| {
        matches!(
            ty,
            Type::Int32 { .. } | Type::Int64 { .. } | Type::Float32 | Type::Float64
        )
    };
    match (reader, writer) {
        (Type::String { .. }, Type::Uuid) => true,
        // A text need not be a UUID.
        (Type::Uuid, Type::String { .. }) => false,
        (Type::Timestamp(reader), Type::Timestamp(writer))
        | (Type::Time(reader), Type::Time(writer)) => reader == writer,
        (reader, writer) if number(reader) && number(writer) => true,
        _ => std::mem::discriminant(reader) == std::mem::discriminant(writer),
    }
}

/// When a change that only new readers take needs no new major.
pub(super) const MOVE_FIRST: &str =
    "where `mesh.compatibility` is `BACKWARD`, have every reader move first";
/// What follows where a part of the key changes the schema of keys.
pub(super) const KEY_BYTES: &str = "it changes the schema of keys, so the same key has other bytes: \
     its records move to another partition, and compaction keeps both";
/// The way out of a change to the key.
pub(super) const KEY_MEND: &str = "keep it, or write the next major beside the old one";

/// The changes from one type to another.
pub(super) fn compare(place: &Place, old: &Type, new: &Type, out: &mut Vec<Change>) {
    match (old, new) {
        (Type::Enum(old), Type::Enum(new)) => return symbols(place, old, new, out),
        (Type::Array(old), Type::Array(new)) => {
            let items = place.below("items");
            field::nullability(&items, old.nullable, new.nullable, true, out);
            return compare(&items, &old.items, &new.items, out);
        }
        (Type::Map(old), Type::Map(new)) => {
            let values = place.below("map.value");
            field::nullability(&values, old.nullable, new.nullable, true, out);
            return compare(&values, &old.values, &new.values, out);
        }
        (Type::Object(old), Type::Object(new)) => {
            return field::compare_all(place, &old.fields, &new.fields, &[], out);
        }
        _ => {}
    }
    let same = std::mem::discriminant(old) == std::mem::discriminant(new);
    let scalar_differs = match (old, new) {
        (Type::Decimal { .. }, Type::Decimal { .. })
        | (Type::Timestamp(_), Type::Timestamp(_))
        | (Type::Time(_), Type::Time(_)) => old != new,
        _ => !same,
    };
    if scalar_differs {
        out.push(scalar(place, old, new));
    }
    let (old, new) = (limits(old), limits(new));
    // Limits of different things, such as a length and a range, are not compared.
    if old.unit == new.unit {
        limit(place, old.names[0], Bound::Lower, old.min, new.min, out);
        limit(place, old.names[1], Bound::Upper, old.max, new.max, out);
    }
}

fn scalar(place: &Place, old: &Type, new: &Type) -> Change {
    let resolution = Reads::of(resolves(new, old), resolves(old, new));
    let meaning = Reads::of(means(new, old), means(old, new));
    let reads = match place.key {
        true => Reads::NEITHER,
        false => resolution.and(meaning),
    };
    let what = match reads {
        Reads::NEW_ONLY => What::Widened,
        Reads::OLD_ONLY => What::Narrowed,
        _ => What::Changed,
    };
    let (before, after) = (old.display(), new.display());
    let why = if place.key {
        KEY_BYTES.to_owned()
    } else if reads == Reads::NEW_ONLY {
        let lossy = matches!(
            (old, new),
            (Type::Int32 { .. } | Type::Int64 { .. }, Type::Float32)
                | (Type::Int64 { .. }, Type::Float64)
        );
        let loss = if lossy {
            ", without the last digits of large numbers"
        } else {
            ""
        };
        format!(
            "{after} takes every {before}{loss}; a reader that expects {before} cannot read {after}"
        )
    } else if reads == Reads::OLD_ONLY {
        format!("old records hold {before}, which {after} cannot take")
    } else if resolution.and(meaning) != resolution {
        format!(
            "Avro lets one of {before} and {after} be read as the other, but the values would mean \
             something else"
        )
    } else {
        format!("neither of {before} and {after} can be read as the other")
    };
    let mend = if place.key {
        KEY_MEND.to_owned()
    } else if reads == Reads::NEW_ONLY {
        format!("add a column of {after} beside it, or write the next major; {MOVE_FIRST}")
    } else {
        format!("add a column of {after} beside it, without `required`, or write the next major")
    };
    let mut change = Change::of(&place.path, what, reads, &why)
        .moved(Some(before), Some(after))
        .avro(resolution)
        .column(&place.column)
        .mend(mend);
    if place.key {
        change = change.effect(Area::Key, Trend::Different);
    }
    change
}

fn symbols(place: &Place, old: &EnumType, new: &EnumType, out: &mut Vec<Change>) {
    let path = place.at("enum");
    let missing = |from: &EnumType, of: &EnumType| -> Vec<String> {
        of.symbols
            .iter()
            .filter(|symbol| from.symbols.iter().all(|known| known.value != symbol.value))
            .map(|symbol| symbol.value.clone())
            .collect()
    };
    let (added, removed) = (missing(old, new), missing(new, old));
    let reordered = || {
        let kept = |of: &EnumType, other: &EnumType| -> Vec<String> {
            let known = |value: &String| other.symbols.iter().any(|it| it.value == *value);
            let values = of.symbols.iter().map(|symbol| symbol.value.clone());
            values.filter(known).collect()
        };
        kept(old, new) != kept(new, old)
    };
    let in_key = |change: Change| {
        if !place.key {
            return change;
        }
        let keyed = Change::of(&change.path, change.what, Reads::NEITHER, KEY_BYTES)
            .moved(change.old.clone(), change.new.clone())
            .avro(change.avro)
            .effect(Area::Key, Trend::Different)
            .mend(KEY_MEND);
        Change {
            concerns: change.concerns,
            ..keyed
        }
    };
    if !added.is_empty() {
        let why = "a reader with the old contract cannot read a record that holds a symbol it \
                   does not know";
        out.push(in_key(
            Change::of(&path, What::Widened, Reads::NEW_ONLY, why)
                .moved(None, Some(added.join(", ")))
                .avro(Reads::NEW_ONLY)
                .column(&place.column)
                .mend(format!(
                    "add a column with the new list beside it, or write the next major; \
                     {MOVE_FIRST}"
                )),
        ));
    }
    if !removed.is_empty() {
        let why = "old records may hold the symbol, which the new contract does not know";
        out.push(in_key(
            Change::of(&path, What::Narrowed, Reads::OLD_ONLY, why)
                .moved(Some(removed.join(", ")), None)
                .avro(Reads::OLD_ONLY)
                .column(&place.column)
                .mend("keep the symbol and no longer publish it, or write the next major"),
        ));
    }
    if reordered() {
        let why = "symbols are read by name; only an order by the column may come out differently";
        out.push(in_key(
            Change::of(&path, What::Reordered, Reads::BOTH, why).column(&place.column),
        ));
    }
    for symbol in &new.symbols {
        if let Some(before) = old.symbols.iter().find(|it| it.value == symbol.value) {
            words::words(
                super::File::Contract,
                &format!("{path}.{}.description", symbol.value),
                before.description.as_deref(),
                symbol.description.as_deref(),
                out,
            );
        }
    }
}

/// The limits of a type in one shape; the unit tells which may be compared.
struct Limits {
    unit: &'static str,
    names: [&'static str; 2],
    min: Option<i64>,
    max: Option<i64>,
}

fn limits(ty: &Type) -> Limits {
    let none = ["", ""];
    let (unit, names, min, max) = match ty {
        Type::String {
            min_length,
            max_length,
        } => (
            "length",
            ["minLength", "maxLength"],
            min_length.map(i64::from),
            max_length.map(i64::from),
        ),
        Type::Int32 { minimum, maximum } | Type::Int64 { minimum, maximum } => {
            ("range", ["minimum", "maximum"], *minimum, *maximum)
        }
        _ => ("", none, None, None),
    };
    Limits {
        unit,
        names,
        min,
        max,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    Lower,
    Upper,
}

/// A limit is a promise about values that is kept when they are published; nobody checks it
/// when they are read.
fn limit(
    place: &Place,
    name: &str,
    bound: Bound,
    old: Option<i64>,
    new: Option<i64>,
    out: &mut Vec<Change>,
) {
    if old == new {
        return;
    }
    let tighter = match (old, new) {
        (None, _) => true,
        (_, None) => false,
        (Some(old), Some(new)) => (new > old) == (bound == Bound::Lower),
    };
    let path = place.at(&format!("logicalTypeOptions.{name}"));
    let change = if tighter {
        Change::of(
            path,
            What::Narrowed,
            Reads::BOTH,
            "records are read as before; old ones may lie outside of the limit, and new ones that \
             do are refused when they are published",
        )
        .effect(Area::Quality, Trend::Stronger)
    } else {
        Change::of(
            path,
            What::Widened,
            Reads::BOTH,
            "records are read as before; a reader that relies on the old limit may meet values \
             outside of it",
        )
        .effect(Area::Quality, Trend::Weaker)
        .mend("tell the readers that are named before you publish such values")
    };
    let text = |value: Option<i64>| value.map(|value| value.to_string());
    out.push(change.moved(text(old), text(new)).column(&place.column));
}
