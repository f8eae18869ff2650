//! Protobuf files, proto3 and proto2, without a compiler of protobuf at hand.

use mesh_core::contract::{Field, TimeUnit, Type};
use mesh_core::{Error, Result};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use protox::prost_reflect::{
    Cardinality, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
};

use super::{check_size, choose, domain};
use crate::draft::{
    Choice, Columns, DEEPEST, Draft, Imported, are_symbols, description, field, integer, list, map,
    object, symbols, text,
};
use crate::export::UNSPECIFIED;
use crate::names::snake_case;

/// What the one file is called while it is compiled; the real name stands in errors.
const NAME: &str = "schema.proto";

/// Reads one message out of the protobuf file `source` called `file`.
///
/// # Errors
/// If it is no sound file, imports others than protobuf's own, has several messages and none
/// is chosen, or has fields that no type of the mesh can hold.
pub fn read_protobuf(file: &str, source: &str, choice: &Choice) -> Result<Imported> {
    check_size(file, source)?;
    let descriptor = compile(file, source)?;
    let message = message(file, &descriptor, choice.record.as_deref())?;
    let plain = Choice {
        record: None,
        without: choice.without.clone(),
    };
    let name = message.name().to_owned();
    let mut draft = Draft::new(
        format!("the protobuf message {name} of {file}"),
        &name,
        &plain,
    );
    draft.domain = domain(descriptor.package_name());
    draft.description = comment(&descriptor, message.path());
    let mut reader = Reader {
        file: descriptor,
        open: vec![message.full_name().to_owned()],
        draft,
    };
    let fields = reader.fields(&message, "")?;
    reader.draft.finish(fields)
}

/// Knows the one file that is read.
struct OneFile(String);

impl FileResolver for OneFile {
    fn open_file(&self, name: &str) -> std::result::Result<File, protox::Error> {
        if name == NAME {
            File::from_source(name, &self.0)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

fn compile(file: &str, source: &str) -> Result<FileDescriptor> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(OneFile(source.to_owned()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_source_info(true).include_imports(true);
    let failed = |error: &protox::Error| {
        let made = Error::invalid("this is no sound protobuf file").with("file", file);
        let made = match place(error) {
            Some((line, column)) => made.with("line", line).with("column", column),
            None => made,
        };
        let made = made.with("reason", error.to_string().replace(NAME, "the file"));
        if error.is_file_not_found() {
            made.mend("give one file with all its messages; only protobuf's own files are imported")
        } else {
            made.mend("mend it at this line")
        }
    };
    compiler.open_file(NAME).map_err(|error| failed(&error))?;
    compiler
        .descriptor_pool()
        .get_file_by_name(NAME)
        .ok_or_else(|| Error::internal("a compiled file is not in its pool"))
}

/// Line and column, which the library tells in the form for debugging alone:
/// `schema.proto:3:5: …`.
fn place(error: &protox::Error) -> Option<(usize, usize)> {
    let text = format!("{error:?}");
    let mut parts = text.strip_prefix(NAME)?.strip_prefix(':')?.splitn(3, ':');
    let line = parts.next()?.trim().parse().ok()?;
    Some((line, parts.next()?.trim().parse().ok()?))
}

/// The message asked for, the only one, or the only one that no other holds.
fn message(
    file: &str,
    descriptor: &FileDescriptor,
    asked: Option<&str>,
) -> Result<MessageDescriptor> {
    let all: Vec<MessageDescriptor> = descriptor.messages().collect();
    let names: Vec<&str> = all.iter().map(MessageDescriptor::name).collect();
    if let Some(asked) = asked {
        let found = all
            .iter()
            .find(|one| one.name() == asked || one.full_name() == asked);
        return found
            .cloned()
            .ok_or_else(|| choose(file, "message", Some(asked), &names));
    }
    let held = |one: &MessageDescriptor| {
        all.iter().filter(|other| *other != one).any(|other| {
            other
                .fields()
                .any(|field| matches!(field.kind(), Kind::Message(kind) if kind == *one))
        })
    };
    let mut free = all.iter().filter(|one| !held(one));
    match (free.next(), free.next()) {
        (Some(only), None) => Ok(only.clone()),
        _ if all.is_empty() => Err(Error::invalid("there is no message")
            .with("file", file)
            .mend("give a file with the message of the records")),
        _ => Err(choose(file, "message", None, &names)),
    }
}

/// The comment before what stands at `path`, or behind it.
fn comment(file: &FileDescriptor, path: &[i32]) -> Option<String> {
    let info = file.file_descriptor_proto().source_code_info.as_ref()?;
    let found = info
        .location
        .iter()
        .find(|location| location.path == path)?;
    let text = found
        .leading_comments
        .as_deref()
        .or(found.trailing_comments.as_deref());
    description(text)
}

struct Reader {
    file: FileDescriptor,
    /// The messages that are being read, to see one that holds itself.
    open: Vec<String>,
    draft: Draft,
}

/// A type and whether it may be absent, or why there is none.
type Fit = std::result::Result<(Type, bool), String>;

impl Reader {
    fn fields(&mut self, message: &MessageDescriptor, at: &str) -> Result<Vec<Field>> {
        let mut columns = Columns::at(at);
        // In the order of the file, not of the numbers.
        let mut sources: Vec<FieldDescriptor> = message.fields().collect();
        sources.sort_by_key(|source| source.path().to_vec());
        for source in sources {
            let Some((name, path)) = columns.next(source.name(), &mut self.draft)? else {
                continue;
            };
            match self.fit(&source, &path)? {
                Ok((ty, nullable)) => {
                    let mut column = field(&name, ty, nullable);
                    column.description = comment(&self.file, source.path());
                    columns.push(source.name(), column, &mut self.draft);
                }
                Err(reason) => self.draft.unfit(&path, reason),
            }
        }
        for choice in message.oneofs().filter(|choice| !choice.is_synthetic()) {
            let place = crate::draft::join(at, choice.name());
            self.draft.note(
                place,
                "that only one of its fields is set is not carried over",
            );
        }
        Ok(columns.fields)
    }

    fn fit(&mut self, source: &FieldDescriptor, path: &str) -> Result<Fit> {
        if let Kind::Message(entry) = source.kind()
            && source.is_map()
        {
            if !matches!(entry.map_entry_key_field().kind(), Kind::String) {
                return Ok(Err(
                    "a map whose keys are no strings; make it a list of messages with a key and \
                     a value"
                        .into(),
                ));
            }
            let fit = self.kind(&entry.map_entry_value_field().kind(), path)?;
            return Ok(fit.map(|(values, _)| (map(values, false), false)));
        }
        let fit = self.kind(&source.kind(), path)?;
        if source.is_list() {
            return Ok(fit.map(|(items, _)| (list(items, false), false)));
        }
        let optional = source.supports_presence() && source.cardinality() != Cardinality::Required;
        Ok(fit.map(|(ty, nullable)| (ty, nullable || optional)))
    }

    fn kind(&mut self, kind: &Kind, path: &str) -> Result<Fit> {
        let ty = match kind {
            Kind::Double => Type::Float64,
            Kind::Float => Type::Float32,
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => integer(false),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => integer(true),
            Kind::Uint32 | Kind::Fixed32 => {
                self.draft.note(
                    path,
                    "32 bits without a sign are carried as 64 bits with one",
                );
                integer(true)
            }
            Kind::Uint64 | Kind::Fixed64 => {
                self.draft
                    .note(path, "64 bits without a sign are carried as decimal(20,0)");
                Type::Decimal {
                    precision: 20,
                    scale: 0,
                }
            }
            Kind::Bool => Type::Boolean,
            Kind::String => text(),
            Kind::Bytes => return Ok(Err("bytes; write them as text".into())),
            Kind::Enum(values) => return Ok(self.enumeration(values, path).map(|ty| (ty, false))),
            Kind::Message(message) => return self.message(message, path),
        };
        Ok(Ok((ty, false)))
    }

    fn message(&mut self, message: &MessageDescriptor, path: &str) -> Result<Fit> {
        let name = message.full_name();
        let ty = match name {
            "google.protobuf.Timestamp" => Type::Timestamp(TimeUnit::Micros),
            "google.type.Date" => Type::Date,
            "google.protobuf.StringValue" => text(),
            "google.protobuf.BoolValue" => Type::Boolean,
            "google.protobuf.Int32Value" => integer(false),
            "google.protobuf.Int64Value" | "google.protobuf.UInt32Value" => integer(true),
            "google.protobuf.FloatValue" => Type::Float32,
            "google.protobuf.DoubleValue" => Type::Float64,
            other if other.starts_with("google.protobuf.") => {
                return Ok(Err(format!("the type {other}")));
            }
            other if self.open.iter().any(|open| open == other) => {
                return Ok(Err(format!("the message `{other}` holds itself")));
            }
            _ if self.open.len() > DEEPEST => {
                return Ok(Err(format!("messages are nested more than {DEEPEST} deep")));
            }
            other => {
                self.open.push(other.to_owned());
                let fields = self.fields(message, path);
                self.open.pop();
                object(fields?)
            }
        };
        Ok(Ok((ty, true)))
    }

    /// The symbols without the prefix that protobuf's style gives them, and without the value
    /// that stands for none.
    fn enumeration(
        &mut self,
        values: &EnumDescriptor,
        path: &str,
    ) -> std::result::Result<Type, String> {
        let prefix = format!("{}_", snake_case(values.name()).to_ascii_uppercase());
        let all: Vec<_> = values.values().collect();
        let prefixed = all
            .iter()
            .all(|value| value.name().len() > prefix.len() && value.name().starts_with(&prefix));
        let mut found = Vec::new();
        for value in &all {
            let name = if prefixed {
                &value.name()[prefix.len()..]
            } else {
                value.name()
            };
            if value.number() == 0 && name.ends_with(UNSPECIFIED) {
                continue;
            }
            found.push((name.to_owned(), comment(&self.file, value.path())));
        }
        if found.is_empty() || !are_symbols(found.iter().map(|(name, _)| name.as_str())) {
            return Err(
                "an enumeration whose values differ only in case or underscores, or has none"
                    .into(),
            );
        }
        if prefixed {
            self.draft.note(
                path,
                format!("the prefix {prefix} of its values is left out"),
            );
        }
        Ok(symbols(found))
    }
}
