//! Changes of the record type: its name and topic, its keys, and how it lives on the topic.

use super::change::{Area, Change, File, Reads, Trend, What};
use super::types::{KEY_BYTES, KEY_MEND, Place};
use super::{field, rules, words};
use crate::field::Field;
use crate::schema::Schema;

/// The changes between two record types. A topic that follows from a new major version is
/// none: records of the new major stand beside the old ones.
pub(super) fn compare(old: &Schema, new: &Schema, new_major: bool, out: &mut Vec<Change>) {
    // Every field is named, so that a new one of the model does not go unnoticed.
    let Schema {
        name,
        type_name,
        topic,
        description,
        business_name,
        granularity,
        tags,
        fields,
        kind,
        event_time,
        subject_key,
        partitions,
        topic_configs,
        value_schema,
        key_schema,
        deprecated,
        quality,
        relationships,
        custom,
    } = new;
    let owned = |text: &str| Some(text.to_owned());
    if old.type_name != *type_name {
        out.push(
            Change::of(
                "schema.name",
                What::Changed,
                Reads::NEITHER,
                "the Avro record and all types in it are named after it, and Avro matches records \
                 by name",
            )
            .moved(owned(&old.name), owned(name))
            .avro(Reads::NEITHER)
            .mend("keep the name; `businessName` is for people"),
        );
    } else if old.name != *name {
        out.push(
            Change::words(File::Contract, "schema.name", What::Changed)
                .moved(owned(&old.name), owned(name)),
        );
    }
    if old.topic != *topic && !new_major {
        out.push(
            Change::of(
                "schema.physicalName",
                What::Changed,
                Reads::NEITHER,
                "readers of the old topic get no more records",
            )
            .moved(owned(&old.topic), owned(topic))
            .effect(Area::Topic, Trend::Different)
            .mend("keep the topic, or make a product of its own"),
        );
    }
    for (path, before, after) in [
        ("schema.description", &old.description, description),
        ("schema.businessName", &old.business_name, business_name),
        (
            "schema.dataGranularityDescription",
            &old.granularity,
            granularity,
        ),
    ] {
        words::words(
            File::Contract,
            path,
            before.as_deref(),
            after.as_deref(),
            out,
        );
    }
    words::list(File::Contract, "schema.tags", &old.tags, tags, out);
    if old.kind != *kind {
        out.push(
            Change::of(
                "schema.customProperties.mesh.kind",
                What::Changed,
                Reads::NEITHER,
                "an event product is a log, a state product the latest row of each key: readers \
                 would count and keep the wrong rows",
            )
            .moved(owned(old.kind.as_str()), owned(kind.as_str()))
            .effect(Area::Key, Trend::Different)
            .effect(Area::Retention, Trend::Different)
            .mend("make a product of its own, or write the next major"),
        );
    }
    keys(old, new, out);
    if old.partitions != *partitions {
        let more = *partitions > old.partitions;
        out.push(
            Change::of(
                "schema.customProperties.mesh.partitions",
                if more { What::Widened } else { What::Narrowed },
                Reads::NEITHER,
                if more {
                    "keys move to other partitions: new records of a key may be read before its \
                     old ones, and compaction keeps both"
                } else {
                    "Kafka cannot take partitions from a topic"
                },
            )
            .moved(
                Some(old.partitions.to_string()),
                Some(partitions.to_string()),
            )
            .effect(Area::Key, Trend::Different)
            .effect(Area::Topic, Trend::Different)
            .mend("keep the number, or write the next major, whose topic is made anew"),
        );
    }
    let mut settings: Vec<&String> = old
        .topic_configs
        .keys()
        .chain(topic_configs.keys())
        .collect();
    settings.sort_unstable();
    settings.dedup();
    for setting in settings {
        let (before, after) = (old.topic_configs.get(setting), topic_configs.get(setting));
        if before != after {
            out.push(
                Change::of(
                    format!("schema.customProperties.mesh.topic.{setting}"),
                    What::Changed,
                    Reads::BOTH,
                    "the topic takes or keeps records in another way",
                )
                .moved(before.cloned(), after.cloned())
                .effect(Area::Topic, Trend::Different),
            );
        }
    }
    if old.value_schema != *value_schema {
        out.push(
            Change::of(
                "schema.customProperties.mesh.valueSchema",
                What::Changed,
                Reads::BOTH,
                "values are written under another schema; whether it goes with the one before is \
                 the registry's to say, `mesh plan` asks it",
            )
            .effect(Area::Topic, Trend::Different),
        );
    }
    if old.key_schema != *key_schema {
        out.push(
            Change::of(
                "schema.customProperties.mesh.keySchema",
                What::Changed,
                Reads::NEITHER,
                KEY_BYTES,
            )
            .effect(Area::Key, Trend::Different)
            .mend(KEY_MEND),
        );
    }
    named_column(
        "schema.customProperties.mesh.eventTime",
        [&old.event_time, event_time],
        ["time", "what happened when"],
        false,
        out,
    );
    named_column(
        "schema.customProperties.mesh.subjectKey",
        [&old.subject_key, subject_key],
        ["person", "whose row it is, which rules on access go by"],
        true,
        out,
    );
    rules::deprecation(
        File::Contract,
        "schema.deprecated",
        [old.deprecated, *deprecated],
        None,
        out,
    );
    rules::quality("schema.quality", &old.quality, quality, None, out);
    rules::relationships(
        "schema.relationships",
        &old.relationships,
        relationships,
        out,
    );
    words::custom(File::Contract, "schema", &old.custom, custom, out);

    let key: Vec<String> = names(&old.kafka_key());
    let place = Place {
        path: "schema".into(),
        column: String::new(),
        key: false,
    };
    field::compare_all(&place, &old.fields, fields, &key, out);
}

fn names(fields: &[&Field]) -> Vec<String> {
    fields.iter().map(|field| field.name.clone()).collect()
}

/// The key is compared as a whole, so that one change of it is one change here.
fn keys(old: &Schema, new: &Schema, out: &mut Vec<Change>) {
    let partition = |schema: &Schema| {
        let has = schema.fields.iter().any(|f| f.partition_key.is_some());
        if has {
            names(&schema.kafka_key())
        } else {
            Vec::new()
        }
    };
    let joined = |key: &[String]| (!key.is_empty()).then(|| key.join(", "));
    let (before, after) = (names(&old.primary_key()), names(&new.primary_key()));
    let moved = names(&old.kafka_key()) != names(&new.kafka_key());
    if before != after {
        let why = if moved {
            format!("rows are told apart by other columns, and {KEY_BYTES}")
        } else {
            "rows are told apart by other columns: a reader that keeps one row of each key keeps \
             the wrong ones"
                .to_owned()
        };
        out.push(
            Change::of("schema.primaryKey", What::Changed, Reads::NEITHER, &why)
                .moved(joined(&before), joined(&after))
                .effect(Area::Key, Trend::Different)
                .mend(KEY_MEND),
        );
    }
    let (before, after) = (partition(old), partition(new));
    if before != after {
        let why = format!("records are spread by other columns: {KEY_BYTES}");
        out.push(
            Change::of("schema.partitionKey", What::Changed, Reads::NEITHER, &why)
                .moved(joined(&before), joined(&after))
                .effect(Area::Key, Trend::Different)
                .mend(KEY_MEND),
        );
    }
}

/// A property of the schema that names a column by which something is decided.
fn named_column(
    path: &str,
    [old, new]: [&Option<String>; 2],
    [what, decides]: [&str; 2],
    access: bool,
    out: &mut Vec<Change>,
) {
    if old == new {
        return;
    }
    let mut change = match (old, new) {
        (None, _) => Change::of(
            path,
            What::Added,
            Reads::BOTH,
            &format!("the column of the {what} is named now, where none was"),
        ),
        (Some(_), after) => {
            // A window over another time is another result; a row of another person is read
            // as before by whoever may see it.
            let reads = if access { Reads::BOTH } else { Reads::NEITHER };
            let (told, mend) = if after.is_some() {
                (
                    "another column says",
                    "keep the column, or write the next major",
                )
            } else {
                (
                    "no column says any more",
                    "keep the column, or write the next major",
                )
            };
            let change = Change::of(
                path,
                if after.is_some() {
                    What::Changed
                } else {
                    What::Removed
                },
                reads,
                &format!("{told} {decides}"),
            );
            if access {
                change.mend("have the owners of the rules on this product confirm it")
            } else {
                change.mend(mend)
            }
        }
    };
    if access {
        let trend = match (old, new) {
            (None, _) => Trend::Stronger,
            (_, None) => Trend::Weaker,
            _ => Trend::Different,
        };
        change = change.effect(Area::Access, trend);
    }
    let columns = [old, new].into_iter().flatten().cloned().collect();
    out.push(change.moved(old.clone(), new.clone()).columns(columns));
}
