//! Whether a reader's schema reads every message that a writer's schema can write
//! (Protobuf language guides, "Updating A Message Type").

use std::collections::HashSet;

use mesh_core::Result;
use prost_reflect::{
    Cardinality, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
    OneofDescriptor, Syntax,
};

use super::ProtobufSchema;
use super::rule::Rule;
use crate::compat::difference::{self, Difference};

/// Differences that are told.
const MAX_DIFFERENCES: usize = 50;

/// Every reason why `reader` cannot read messages written with `writer`; none when it always
/// can. At most 50 reasons are told.
pub fn can_read(reader: &ProtobufSchema, writer: &ProtobufSchema) -> Result<Vec<Difference>> {
    let mut checker = Checker {
        reader: &reader.file,
        writer: &writer.file,
        seen: HashSet::new(),
        told: Vec::new(),
    };
    checker.scope(reader.file.messages(), writer.file.messages());
    Ok(checker.told)
}

struct Checker<'a> {
    reader: &'a FileDescriptor,
    writer: &'a FileDescriptor,
    /// Pairs of types that are compared already, by their full names.
    seen: HashSet<(String, String)>,
    told: Vec<Difference>,
}

impl Checker<'_> {
    fn tell(&mut self, rule: Rule, path: &str, info: &str, what: String, mend: String) {
        if self.told.len() < MAX_DIFFERENCES {
            self.told.push(Difference {
                rule: difference::Rule::Protobuf(rule),
                path: path.to_owned(),
                field: String::new(),
                what,
                mend,
                info: info.to_owned(),
            });
        }
    }

    /// The message types of a file or of a message, which records call by their place.
    fn scope(
        &mut self,
        reader: impl Iterator<Item = MessageDescriptor>,
        writer: impl Iterator<Item = MessageDescriptor>,
    ) {
        let reader: Vec<_> = reader.filter(|message| !message.is_map_entry()).collect();
        let writer: Vec<_> = writer.filter(|message| !message.is_map_entry()).collect();
        let place = |name: &str| reader.iter().position(|message| message.name() == name);
        let places: Vec<Option<usize>> = writer.iter().map(|w| place(w.name())).collect();
        let all_there = places.iter().all(Option::is_some);
        for (at, (message, place)) in writer.iter().zip(places).enumerate() {
            let name = self.of_writer(message.full_name());
            let Some(place) = place else {
                self.tell(
                    Rule::MessageRemoved,
                    &name,
                    &name,
                    format!("message {name} of {{writer}} is missing in {{reader}}"),
                    format!("keep message {name} at its place, if need be without fields"),
                );
                continue;
            };
            // With one missing the rest moves up, and the one that is missing was told.
            if place != at && all_there {
                self.tell(
                    Rule::MessageMoved,
                    &name,
                    &name,
                    format!(
                        "message {name} stands at place {place} in {{reader}} and at place {at} in \
                         {{writer}}, and records call message types by their place"
                    ),
                    "keep the order of the messages and add new ones after the others".to_owned(),
                );
            }
            let same = &reader[place];
            self.message(same, message);
            self.scope(same.child_messages(), message.child_messages());
        }
    }

    fn message(&mut self, reader: &MessageDescriptor, writer: &MessageDescriptor) {
        let pair = (reader.full_name().to_owned(), writer.full_name().to_owned());
        if !self.seen.insert(pair) {
            return;
        }
        for field in writer.fields() {
            self.written(reader, &field);
        }
        for field in reader.fields() {
            self.read(&field, writer);
        }
        for oneof in reader.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            self.oneof(&oneof, writer);
        }
    }

    /// A field of the writer, held against the reader's message.
    fn written(&mut self, reader: &MessageDescriptor, field: &FieldDescriptor) {
        let path = self.path(field);
        let number = field.number();
        let namesake = reader.get_field_by_name(field.name());
        if let Some(namesake) = &namesake
            && namesake.number() != number
        {
            self.tell(
                Rule::FieldNumberChanged,
                &path,
                field.name(),
                format!(
                    "field {path} has number {} in {{reader}} and number {number} in {{writer}}",
                    namesake.number()
                ),
                format!(
                    "give {path} the number {number} in {{reader}}, or give the field of the other \
                     number another name and reserve {number}"
                ),
            );
            return;
        }
        let Some(same) = reader.get_field(number) else {
            let Some(oneof) = real_oneof(field) else {
                return;
            };
            let kept = reader.oneofs().find(|other| {
                !other.is_synthetic()
                    && (other.name() == oneof.name()
                        || other
                            .fields()
                            .any(|f| oneof.fields().any(|w| w.number() == f.number())))
            });
            if kept.is_some() {
                self.tell(
                    Rule::OneofFieldRemoved,
                    &path,
                    field.name(),
                    format!(
                        "oneof {} in {{reader}} lacks field {path} (number {number}) of {{writer}}: \
                         a message with it set reads as one with nothing set",
                        oneof.name()
                    ),
                    format!("keep field {path} in the oneof of {{reader}}"),
                );
            }
            return;
        };
        self.field(&same, field, &path);
    }

    /// A field of the reader, held against the writer's message.
    fn read(&mut self, field: &FieldDescriptor, writer: &MessageDescriptor) {
        let number = field.number();
        let path = self.path(field);
        let same = writer.get_field(number);
        if field.is_required() && !same.as_ref().is_some_and(FieldDescriptor::is_required) {
            let written = match same {
                Some(_) => "may leave it out",
                None => "does not know it",
            };
            self.tell(
                Rule::RequiredFieldAdded,
                &path,
                field.name(),
                format!(
                    "field {path} (number {number}) is required in {{reader}}, and {{writer}} \
                     {written}"
                ),
                format!("let {path} be optional in {{reader}}"),
            );
        }
        if same.is_some() {
            return;
        }
        let by_number = writer
            .reserved_ranges()
            .any(|range| range.contains(&number));
        let by_name = writer.reserved_names().any(|name| name == field.name());
        if by_number || by_name {
            let what = match by_number {
                true => format!("the number {number}"),
                false => format!("the name '{}'", field.name()),
            };
            self.tell(
                Rule::ReservedFieldReused,
                &path,
                field.name(),
                format!("field {path} in {{reader}} uses {what}, which {{writer}} has reserved"),
                "use a number and a name that were never used".to_owned(),
            );
        }
    }

    fn field(&mut self, reader: &FieldDescriptor, writer: &FieldDescriptor, path: &str) {
        let (r, w) = (reader.kind(), writer.kind());
        let number = writer.number();
        let told = |rule: Rule, checker: &mut Self, r: String, w: String, mend: &str| {
            checker.tell(
                rule,
                path,
                writer.name(),
                format!(
                    "field {path} (number {number}) is {r} in {{reader}} and {w} in {{writer}}"
                ),
                format!(
                    "{mend}, or remove the field, reserve {number}, and add one of another number"
                ),
            );
        };
        let (rs, ws) = (self.words(reader), self.words(writer));
        let nature = |field: &FieldDescriptor, kind: &Kind| match kind {
            Kind::Message(_) if field.is_group() => 2,
            Kind::Message(_) => 1,
            _ => 0,
        };
        if nature(reader, &r) != nature(writer, &w) {
            told(Rule::FieldKindChanged, self, rs, ws, "keep the type");
            return;
        }
        let list = |field: &FieldDescriptor| field.cardinality() == Cardinality::Repeated;
        match (&r, &w) {
            (Kind::Message(r), Kind::Message(w)) => {
                let entry = r.is_map_entry() || w.is_map_entry();
                if !entry && self.of_reader(r.full_name()) != self.of_writer(w.full_name()) {
                    told(Rule::FieldNamedTypeChanged, self, rs, ws, "keep the type");
                } else {
                    self.message(r, w);
                }
                return;
            }
            (Kind::Enum(r), Kind::Enum(w)) => {
                if self.of_reader(r.full_name()) != self.of_writer(w.full_name()) {
                    told(
                        Rule::FieldNamedTypeChanged,
                        self,
                        rs.clone(),
                        ws.clone(),
                        "keep the type",
                    );
                } else {
                    self.enumeration(r, w);
                }
            }
            (Kind::Enum(closed), _) if group(&w) == group(&r) && is_closed(closed) => {
                let mend = "keep the type, as a closed enum drops numbers that it does not know";
                told(Rule::FieldKindChanged, self, rs.clone(), ws.clone(), mend);
            }
            _ if group(&r) != group(&w) => {
                let mend = "keep the type (int32, uint32, int64, uint64, bool and enums stand for \
                            each other, sint32 and sint64, string and bytes, fixed32 and sfixed32, \
                            fixed64 and sfixed64)";
                told(Rule::FieldScalarKindChanged, self, rs, ws, mend);
                return;
            }
            _ => {}
        }
        let text = matches!(r, Kind::String | Kind::Bytes);
        if list(reader) != list(writer) && !text {
            let (rs, ws) = (self.words(reader), self.words(writer));
            let mend = "keep the label, as numbers are packed when repeated";
            told(Rule::FieldNumericLabelChanged, self, rs, ws, mend);
        }
    }

    /// Fields that exclude each other for the reader must do so for the writer.
    fn oneof(&mut self, oneof: &OneofDescriptor, writer: &MessageDescriptor) {
        let written: Vec<FieldDescriptor> = oneof
            .fields()
            .filter_map(|field| writer.get_field(field.number()))
            .collect();
        let Some(first) = written.first() else {
            return;
        };
        let home = real_oneof(first).map(|oneof| oneof.full_name().to_owned());
        let together = |field: &FieldDescriptor| {
            home.is_some() && real_oneof(field).map(|oneof| oneof.full_name().to_owned()) == home
        };
        if written.len() < 2 || written.iter().all(together) {
            return;
        }
        let names: Vec<&str> = written.iter().map(FieldDescriptor::name).collect();
        let names = names.join(", ");
        let path = format!(
            "{}.{}",
            self.of_reader(oneof.parent_message().full_name()),
            oneof.name()
        );
        self.tell(
            Rule::MultipleFieldsMovedToOneof,
            &path,
            &names,
            format!(
                "the fields {names} exclude each other in {{reader}} (oneof {path}), and {{writer}} \
                 may set more than one of them"
            ),
            format!("move at most one of them into {path}, and that one into a new oneof"),
        );
    }

    fn enumeration(&mut self, reader: &EnumDescriptor, writer: &EnumDescriptor) {
        let pair = (reader.full_name().to_owned(), writer.full_name().to_owned());
        if !is_closed(reader) || !self.seen.insert(pair) {
            return;
        }
        for value in writer.values() {
            if reader.get_value(value.number()).is_some() {
                continue;
            }
            let name = self.of_writer(writer.full_name());
            let path = format!("{name}.{}", value.name());
            self.tell(
                Rule::EnumConstRemoved,
                &path,
                value.name(),
                format!(
                    "enum {name} in {{reader}} is closed (proto2) and lacks {} = {} of {{writer}}",
                    value.name(),
                    value.number()
                ),
                format!("keep {} in {{reader}}", value.name()),
            );
        }
    }

    /// A field by its message and name, without the package.
    fn path(&self, field: &FieldDescriptor) -> String {
        let message = field.parent_message();
        let ours = message.parent_file() == *self.reader;
        let name = match ours {
            true => self.of_reader(message.full_name()),
            false => self.of_writer(message.full_name()),
        };
        format!("{name}.{}", field.name())
    }

    fn of_reader(&self, full_name: &str) -> String {
        without(self.reader.package_name(), full_name)
    }

    fn of_writer(&self, full_name: &str) -> String {
        without(self.writer.package_name(), full_name)
    }

    /// Label and type of a field as a text says them.
    fn words(&self, field: &FieldDescriptor) -> String {
        let kind = field.kind();
        if field.is_map()
            && let Kind::Message(entry) = &kind
        {
            let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            return format!(
                "map<{}, {}>",
                type_words(&key.kind()),
                type_words(&value.kind())
            );
        }
        let label = match field.cardinality() {
            Cardinality::Repeated => "repeated ",
            _ => "",
        };
        let group = if field.is_group() { "group " } else { "" };
        format!("{label}{group}{}", type_words(&kind))
    }
}

/// The name without the package that the whole schema stands in.
fn without(package: &str, full_name: &str) -> String {
    full_name
        .strip_prefix(package)
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(full_name)
        .to_owned()
}

fn real_oneof(field: &FieldDescriptor) -> Option<OneofDescriptor> {
    field
        .containing_oneof()
        .filter(|oneof| !oneof.is_synthetic())
}

fn is_closed(reader: &EnumDescriptor) -> bool {
    reader.parent_file().syntax() == Syntax::Proto2
}

/// Types of one group are written in the same way and read for each other.
fn group(kind: &Kind) -> u8 {
    match kind {
        Kind::Int32 | Kind::Uint32 | Kind::Int64 | Kind::Uint64 | Kind::Bool | Kind::Enum(_) => 1,
        Kind::Sint32 | Kind::Sint64 => 2,
        Kind::String | Kind::Bytes => 3,
        Kind::Fixed32 | Kind::Sfixed32 => 4,
        Kind::Fixed64 | Kind::Sfixed64 => 5,
        Kind::Float => 6,
        Kind::Double => 7,
        Kind::Message(_) => 8,
    }
}

fn type_words(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(it) => it.full_name().to_owned(),
        scalar => super::words::scalar(scalar).to_owned(),
    }
}
