//! Changes of columns: which came, went or moved, and what each of them says.

use serde_json::Value as Json;

use super::change::{Area, Change, File, Reads, Trend, What};
use super::rules;
use super::types::{self, MOVE_FIRST, Place};
use super::words::{custom, list, words};
use crate::field::Field;

/// The changes between two lists of columns; `key` names those of the Kafka key.
pub(super) fn compare_all(
    place: &Place,
    old: &[Field],
    new: &[Field],
    key: &[String],
    out: &mut Vec<Change>,
) {
    let find = |fields: &'_ [Field], name: &str| fields.iter().any(|field| field.name == name);
    let removed: Vec<&Field> = old.iter().filter(|f| !find(new, &f.name)).collect();
    let added: Vec<&Field> = new.iter().filter(|f| !find(old, &f.name)).collect();
    let renamed = renames(old, new, &removed, &added);

    for field in &removed {
        let inner = child(place, field, key);
        match renamed.iter().find(|(before, _)| before.name == field.name) {
            Some((before, after)) => out.push(rename(&inner, before, after)),
            None => out.push(removal(&inner, field)),
        }
    }
    for field in new {
        let inner = child(place, field, key);
        match old.iter().find(|before| before.name == field.name) {
            Some(before) => compare(&inner, before, field, out),
            None if renamed.iter().any(|(_, after)| after.name == field.name) => {}
            None => out.push(addition(&inner, field)),
        }
    }
    let kept = |of: &[Field], other: &[Field]| -> Vec<String> {
        let names = of.iter().map(|field| field.name.clone());
        names.filter(|name| find(other, name)).collect()
    };
    let (before, after) = (kept(old, new), kept(new, old));
    if before != after {
        out.push(
            Change::of(
                place.at("properties"),
                What::Reordered,
                Reads::BOTH,
                "columns are read by name; only `SELECT *` shows them in another order",
            )
            .moved(Some(before.join(", ")), Some(after.join(", ")))
            .nobody(),
        );
    }
}

fn child(place: &Place, field: &Field, key: &[String]) -> Place {
    Place {
        path: place.at(&format!("properties.{}", field.name)),
        column: if place.column.is_empty() {
            field.name.clone()
        } else {
            format!("{}.{}", place.column, field.name)
        },
        key: key.contains(&field.name),
    }
}

/// Pairs of a removed and an added column of one type that stand at the same place, or that
/// are described in the same words: most likely one column under two names.
fn renames<'a>(
    old: &[Field],
    new: &[Field],
    removed: &[&'a Field],
    added: &[&'a Field],
) -> Vec<(&'a Field, &'a Field)> {
    /// The nearest column before `name` that both have.
    fn anchor<'f>(name: &str, fields: &'f [Field], other: &[Field]) -> Option<&'f str> {
        let at = fields.iter().position(|field| field.name == name)?;
        fields[..at]
            .iter()
            .rev()
            .map(|field| field.name.as_str())
            .find(|known| other.iter().any(|field| field.name == *known))
    }
    let mut pairs: Vec<(&Field, &Field)> = Vec::new();
    for before in removed {
        let like: Vec<&Field> = added
            .iter()
            .filter(|after| after.ty == before.ty && after.nullable == before.nullable)
            .filter(|after| pairs.iter().all(|(_, taken)| taken.name != after.name))
            .copied()
            .collect();
        let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
        let found = like
            .iter()
            .find(|after| {
                same(&before.description, &after.description)
                    || same(&before.business_name, &after.business_name)
            })
            .or_else(|| {
                let place = anchor(&before.name, old, new);
                like.iter()
                    .find(|after| anchor(&after.name, new, old) == place)
            });
        if let Some(after) = found {
            pairs.push((before, after));
        }
    }
    pairs
}

fn addition(place: &Place, field: &Field) -> Change {
    let shown = Some(shown(field));
    let mut change = if field.nullable {
        Change::of(
            &place.path,
            What::Added,
            Reads::BOTH,
            "old records have null there, and readers with the old contract do not see it",
        )
    } else {
        Change::of(
            &place.path,
            What::Added,
            Reads::OLD_ONLY,
            "old records have no value there, and the new contract says that there always is one",
        )
        .avro(Reads::OLD_ONLY)
        .mend("leave out `required: true`, or write the next major")
    }
    .moved(None, shown)
    .nobody();
    if field.is_personal() {
        change = change.effect(Area::Classification, Trend::Different);
        change
            .why
            .push_str("; it holds personal data, which is masked unless a rule unmasks it");
    }
    change
}

fn removal(place: &Place, field: &Field) -> Change {
    let avro = if field.nullable {
        Reads::BOTH
    } else {
        Reads::NEW_ONLY
    };
    let why = if field.nullable {
        "a reader that knows the column gets null from every new record, and SQL that names it fails"
    } else {
        "a reader that knows the column cannot read a record without it, and SQL that names it fails"
    };
    Change::of(&place.path, What::Removed, Reads::NEW_ONLY, why)
        .moved(Some(shown(field)), None)
        .avro(avro)
        .column(&place.column)
        .mend(format!(
            "keep it, and drop it with the next major; {MOVE_FIRST}"
        ))
}

fn rename(place: &Place, before: &Field, after: &Field) -> Change {
    // As grave as the removal and the addition that it may be after all.
    let (avro, reads) = if before.nullable {
        (Reads::BOTH, Reads::NEW_ONLY)
    } else {
        (Reads::NEITHER, Reads::NEITHER)
    };
    let what = &after.name;
    Change::of(
        &place.path,
        What::Renamed,
        reads,
        &format!(
            "`{}` is gone and `{what}` of the same type came; if that is a renaming, no reader \
             finds it: columns are read by name, and old records do not have the new one",
            before.name
        ),
    )
    .moved(Some(before.name.clone()), Some(after.name.clone()))
    .avro(avro)
    .column(&place.column)
    .mend(format!(
        "in two steps: add `{what}` without `required` beside `{0}` and publish both, then drop \
         `{0}` with the next major; or write the next major at once",
        before.name
    ))
}

/// The type with its nullability, as a list of columns shows it.
fn shown(field: &Field) -> String {
    let required = if field.nullable { "" } else { " required" };
    format!("{}{required}", field.ty.display())
}

/// The changes between two columns of one name.
fn compare(place: &Place, old: &Field, new: &Field, out: &mut Vec<Change>) {
    // Every field is named, so that a new one of the model does not go unnoticed. The keys
    // are compared for the schema as a whole.
    let Field {
        name: _,
        ty,
        nullable,
        primary_key: _,
        partition_key: _,
        description,
        business_name,
        classification,
        tags,
        examples,
        unique,
        critical,
        deprecated,
        quality,
        relationships,
        custom,
    } = new;
    types::compare(place, &old.ty, ty, out);
    nullability(place, old.nullable, *nullable, false, out);
    let (before, after) = (old.classification.as_deref(), classification.as_deref());
    if before != after {
        out.push(classified(place, before, after));
    }
    if old.unique != *unique {
        out.push(uniqueness(place, *unique));
    }
    let contract = File::Contract;
    let text = |value: &Option<String>| value.as_deref().map(str::to_owned);
    for (step, before, after) in [
        ("description", text(&old.description), text(description)),
        (
            "businessName",
            text(&old.business_name),
            text(business_name),
        ),
    ] {
        words(
            contract,
            &place.at(step),
            before.as_deref(),
            after.as_deref(),
            out,
        );
    }
    list(contract, &place.at("tags"), &old.tags, tags, out);
    if old.examples != *examples {
        // Examples may be taken from data, so none is shown.
        let count = |values: &[Json]| Some(format!("{} values", values.len()));
        out.push(
            Change::words(contract, place.at("examples"), What::Changed)
                .moved(count(&old.examples), count(examples)),
        );
    }
    if old.critical != *critical {
        let word = |value: bool| Some(value.to_string());
        out.push(
            Change::words(contract, place.at("criticalDataElement"), What::Changed)
                .moved(word(old.critical), word(*critical)),
        );
    }
    let column = Some(place.column.as_str());
    rules::deprecation(
        contract,
        &place.at("deprecated"),
        [old.deprecated, *deprecated],
        column,
        out,
    );
    rules::quality(&place.at("quality"), &old.quality, quality, column, out);
    rules::relationships(
        &place.at("relationships"),
        &old.relationships,
        relationships,
        out,
    );
    self::custom(contract, &place.path, &old.custom, custom, out);
}

/// A value that may or may not be null; `item` for the elements of a list.
pub(super) fn nullability(place: &Place, old: bool, new: bool, item: bool, out: &mut Vec<Change>) {
    if old == new {
        return;
    }
    let word = |nullable: bool| Some((!nullable).to_string());
    let path = place.at("required");
    let change = if new {
        let why = "a reader with the old contract cannot read a record that holds null there";
        Change::of(path, What::Widened, Reads::NEW_ONLY, why)
            .avro(Reads::NEW_ONLY)
            .effect(Area::Quality, Trend::Weaker)
            .mend(format!(
                "keep it `required: true`, or write the next major; {MOVE_FIRST}"
            ))
    } else {
        let why = "old records may hold null there, which the new contract does not take";
        let mend = if item {
            "keep `required: false` on the items, or write the next major"
        } else {
            "leave out `required: true` and state a quality rule, or write the next major"
        };
        Change::of(path, What::Narrowed, Reads::OLD_ONLY, why)
            .avro(Reads::OLD_ONLY)
            .effect(Area::Quality, Trend::Stronger)
            .mend(mend)
    };
    out.push(change.moved(word(old), word(new)).column(&place.column));
}

/// How much a classification keeps from readers; a column without one is internal.
fn rank(classification: Option<&str>) -> u8 {
    match classification {
        Some("public") => 0,
        None | Some("internal") => 1,
        Some("confidential") => 2,
        _ => 3,
    }
}

fn classified(place: &Place, old: Option<&str>, new: Option<&str>) -> Change {
    let personal = |word: Option<&str>| word == Some("personal");
    let path = place.at("classification");
    let change = |what, trend, why| {
        Change::of(path, what, Reads::BOTH, why)
            .effect(Area::Classification, trend)
            .effect(Area::Access, Trend::Different)
    };
    let change = if personal(old) && !personal(new) {
        change(
            What::Widened,
            Trend::Weaker,
            "the column is no longer personal: it is no longer masked by itself, and more people \
             see it",
        )
        .mend("have the owner of the data confirm that no person can be told from it")
    } else if personal(new) && !personal(old) {
        change(
            What::Narrowed,
            Trend::Stronger,
            "the column is personal now: readers get a mask unless a rule unmasks it for their \
             purpose",
        )
        .mend("give the readers that are named a rule that unmasks it, where they have a purpose")
    } else if rank(new) < rank(old) {
        change(
            What::Widened,
            Trend::Weaker,
            "the column is less protected: rules written for its old classification no longer hold",
        )
        .mend("have the owner of the data confirm it")
    } else if rank(new) > rank(old) {
        change(
            What::Narrowed,
            Trend::Stronger,
            "the column is more protected: rules may keep it from readers that see it now",
        )
        .mend("check with the readers that are named whether their access still holds")
    } else {
        change(
            What::Changed,
            Trend::Different,
            "rules may treat the column differently under its new classification",
        )
    };
    change
        .moved(old.map(str::to_owned), new.map(str::to_owned))
        .column(&place.column)
}

fn uniqueness(place: &Place, unique: bool) -> Change {
    let (what, trend, why) = if unique {
        (
            What::Narrowed,
            Trend::Stronger,
            "values are promised to be unique now; old records need not be",
        )
    } else {
        (
            What::Widened,
            Trend::Weaker,
            "values may repeat now; a reader that joins on the column may get rows twice",
        )
    };
    Change::of(place.at("unique"), what, Reads::BOTH, why)
        .moved(Some((!unique).to_string()), Some(unique.to_string()))
        .effect(Area::Quality, trend)
        .column(&place.column)
}
