//! The two texts of a schema: canonical (what identity is decided on) and normalised.

use std::collections::BTreeSet;

use prost_reflect::prost_types::field_descriptor_proto::Label;
use prost_reflect::prost_types::{FieldDescriptorProto, FileDescriptorProto};
use prost_reflect::{
    EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor,
    ServiceDescriptor, Syntax,
};

use super::ProtobufSchema;
use super::options::{quoted, settings};
use super::words::{all_options, listed, type_name};

/// The greatest field number; ranges up to it are written `to max`.
const MAX_FIELD: u32 = 536_870_911;

impl ProtobufSchema {
    /// The text by which two schemas are the same.
    pub fn canonical(&self) -> String {
        self.print(false)
    }

    /// The text that is registered when a client asks to `normalize`: imports in alphabetical
    /// order, fields, enum values and reserved numbers in the order of numbers. Messages keep
    /// their order, for records call them by it, and so does the first value of an enum,
    /// which is its default.
    pub fn normalized(&self) -> String {
        self.print(true)
    }

    fn print(&self, sorted: bool) -> String {
        let file = &self.file;
        let mut printer = Printer {
            out: String::new(),
            depth: 0,
            sorted,
            proto2: file.syntax() == Syntax::Proto2,
        };
        let word = if printer.proto2 { "proto2" } else { "proto3" };
        printer.line(&format!("syntax = \"{word}\";"));
        if !file.package_name().is_empty() {
            printer.line(&format!("package {};", file.package_name()));
        }
        let mut imports = imports(file.file_descriptor_proto());
        if sorted {
            imports.sort();
        }
        printer.part(
            imports
                .into_iter()
                .map(|(path, word)| format!("import {word}{};", quoted(path.as_bytes(), true))),
        );
        let options = settings(&file.options());
        printer.part(
            options
                .into_iter()
                .map(|option| format!("option {option};")),
        );
        let groups = groups(file.extensions());
        for message in file
            .messages()
            .filter(|it| !groups.contains(it.full_name()))
        {
            printer.gap();
            printer.message(&message);
        }
        for it in file.enums() {
            printer.gap();
            printer.enumeration(&it);
        }
        for extension in file.extensions() {
            printer.gap();
            printer.extension(&extension);
        }
        for service in file.services() {
            printer.gap();
            printer.service(&service);
        }
        printer.out
    }
}

/// The imports with the word that stands before the path.
fn imports(file: &FileDescriptorProto) -> Vec<(&String, &'static str)> {
    let word = |at: usize| {
        let among = |list: &[i32]| list.iter().any(|n| usize::try_from(*n) == Ok(at));
        match (among(&file.public_dependency), among(&file.weak_dependency)) {
            (true, _) => "public ",
            (_, true) => "weak ",
            _ => "",
        }
    };
    let paths = file.dependency.iter().enumerate();
    paths.map(|(at, path)| (path, word(at))).collect()
}

struct Printer {
    out: String,
    depth: usize,
    sorted: bool,
    proto2: bool,
}

impl Printer {
    fn line(&mut self, text: &str) {
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn gap(&mut self) {
        self.out.push('\n');
    }

    fn part(&mut self, lines: impl Iterator<Item = String>) {
        let mut first = true;
        for line in lines {
            if first {
                self.gap();
            }
            first = false;
            self.line(&line);
        }
    }

    fn block(&mut self, head: &str, body: impl FnOnce(&mut Self)) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
        body(self);
        self.depth -= 1;
        self.line("}");
    }

    fn message(&mut self, message: &MessageDescriptor) {
        self.block(&format!("message {}", message.name()), |printer| {
            printer.body(message)
        });
    }

    fn body(&mut self, message: &MessageDescriptor) {
        for option in settings(&message.options()) {
            self.line(&format!("option {option};"));
        }
        let mut reserved: Vec<(u32, u32)> = message
            .reserved_ranges()
            .map(|range| (range.start, range.end - 1))
            .collect();
        let mut names: Vec<&str> = message.reserved_names().collect();
        if self.sorted {
            reserved.sort_unstable();
            names.sort_unstable();
        }
        self.ranges("reserved", &reserved);
        self.reserved_names(&names);
        let extensions: Vec<(u32, u32)> = message
            .extension_ranges()
            .map(|range| (range.start, range.end - 1))
            .collect();
        self.ranges("extensions", &extensions);
        let mut fields = in_order(message);
        if self.sorted {
            fields.sort_by_key(FieldDescriptor::number);
        }
        let mut oneofs: Vec<String> = Vec::new();
        for field in &fields {
            let oneof = field
                .containing_oneof()
                .filter(|oneof| !oneof.is_synthetic());
            let Some(oneof) = oneof else {
                self.field(field);
                continue;
            };
            // A oneof stands where its first field stands.
            if oneofs.iter().any(|done| done == oneof.name()) {
                continue;
            }
            oneofs.push(oneof.name().to_owned());
            let members = fields.iter().filter(|other| {
                let own = other.containing_oneof();
                own.is_some_and(|own| own.name() == oneof.name())
            });
            self.block(&format!("oneof {}", oneof.name()), |printer| {
                for option in settings(&oneof.options()) {
                    printer.line(&format!("option {option};"));
                }
                for member in members {
                    printer.field(member);
                }
            });
        }
        let mut groups = groups(message.child_extensions());
        for field in fields.iter().filter(|field| field.is_group()) {
            groups.extend(
                field
                    .kind()
                    .as_message()
                    .map(|group| group.full_name().to_owned()),
            );
        }
        for inner in message.child_messages() {
            if !inner.is_map_entry() && !groups.contains(inner.full_name()) {
                self.message(&inner);
            }
        }
        for it in message.child_enums() {
            self.enumeration(&it);
        }
        for extension in message.child_extensions() {
            self.extension(&extension);
        }
    }

    fn ranges(&mut self, word: &str, ranges: &[(u32, u32)]) {
        if ranges.is_empty() {
            return;
        }
        let all: Vec<String> = ranges
            .iter()
            .map(|(start, end)| match end {
                end if end == start => start.to_string(),
                end if *end >= MAX_FIELD => format!("{start} to max"),
                end => format!("{start} to {end}"),
            })
            .collect();
        self.line(&format!("{word} {};", all.join(", ")));
    }

    fn reserved_names(&mut self, names: &[&str]) {
        if !names.is_empty() {
            let all: Vec<String> = names
                .iter()
                .map(|name| quoted(name.as_bytes(), true))
                .collect();
            self.line(&format!("reserved {};", all.join(", ")));
        }
    }

    fn field(&mut self, field: &FieldDescriptor) {
        let proto = field.field_descriptor_proto();
        let options = all_options(proto, settings(&field.options()), &field.kind());
        let kind = field.kind();
        if field.is_map()
            && let Kind::Message(entry) = &kind
        {
            let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            let types = format!(
                "map<{}, {}>",
                type_name(&key.kind()),
                type_name(&value.kind())
            );
            self.line(&format!(
                "{types} {} = {}{options};",
                field.name(),
                field.number()
            ));
            return;
        }
        let in_oneof = field
            .containing_oneof()
            .is_some_and(|oneof| !oneof.is_synthetic());
        let label = if in_oneof { "" } else { self.label(proto) };
        if field.is_group()
            && let Kind::Message(group) = &kind
        {
            let head = format!(
                "{label}group {} = {}{options}",
                group.name(),
                field.number()
            );
            self.block(&head, |printer| printer.body(group));
            return;
        }
        let name = type_name(&kind);
        self.line(&format!(
            "{label}{name} {} = {}{options};",
            field.name(),
            field.number()
        ));
    }

    fn label(&self, proto: &FieldDescriptorProto) -> &'static str {
        match proto.label() {
            Label::Repeated => "repeated ",
            Label::Required => "required ",
            Label::Optional if self.proto2 || proto.proto3_optional() => "optional ",
            Label::Optional => "",
        }
    }

    fn extension(&mut self, extension: &ExtensionDescriptor) {
        let proto = extension.field_descriptor_proto();
        let options = all_options(proto, settings(&extension.options()), &extension.kind());
        let label = self.label(proto);
        let (name, number) = (extension.name(), extension.number());
        let extended = extension.containing_message();
        self.block(
            &format!("extend .{}", extended.full_name()),
            |printer| match extension.kind() {
                Kind::Message(group) if extension.is_group() => {
                    let head = format!("{label}group {} = {number}{options}", group.name());
                    printer.block(&head, |printer| printer.body(&group));
                }
                kind => {
                    let kind = type_name(&kind);
                    printer.line(&format!("{label}{kind} {name} = {number}{options};"));
                }
            },
        );
    }

    fn enumeration(&mut self, it: &EnumDescriptor) {
        self.block(&format!("enum {}", it.name()), |printer| {
            for option in settings(&it.options()) {
                printer.line(&format!("option {option};"));
            }
            let mut reserved: Vec<(i32, i32)> = it
                .reserved_ranges()
                .map(|range| (*range.start(), *range.end()))
                .collect();
            let mut names: Vec<&str> = it.reserved_names().collect();
            let numbers = it.enum_descriptor_proto().value.iter();
            let mut values: Vec<(i32, String, String)> = numbers
                .map(|value| {
                    let found = it.get_value_by_name(value.name());
                    let options = found.map(|value| settings(&value.options()));
                    (
                        value.number(),
                        value.name().to_owned(),
                        listed(options.unwrap_or_default()),
                    )
                })
                .collect();
            if printer.sorted {
                reserved.sort_unstable();
                names.sort_unstable();
                values[1..].sort();
            }
            if !reserved.is_empty() {
                let all: Vec<String> = reserved
                    .iter()
                    .map(|(start, end)| match *end {
                        end if end == *start => start.to_string(),
                        i32::MAX => format!("{start} to max"),
                        end => format!("{start} to {end}"),
                    })
                    .collect();
                printer.line(&format!("reserved {};", all.join(", ")));
            }
            printer.reserved_names(&names);
            for (number, name, options) in values {
                printer.line(&format!("{name} = {number}{options};"));
            }
        });
    }

    fn service(&mut self, service: &ServiceDescriptor) {
        self.block(&format!("service {}", service.name()), |printer| {
            for option in settings(&service.options()) {
                printer.line(&format!("option {option};"));
            }
            for method in service.methods() {
                let stream = |is: bool| if is { "stream " } else { "" };
                let head = format!(
                    "rpc {}({}.{}) returns ({}.{})",
                    method.name(),
                    stream(method.is_client_streaming()),
                    method.input().full_name(),
                    stream(method.is_server_streaming()),
                    method.output().full_name()
                );
                let options = settings(&method.options());
                if options.is_empty() {
                    printer.line(&format!("{head};"));
                } else {
                    printer.block(&head, |printer| {
                        for option in options {
                            printer.line(&format!("option {option};"));
                        }
                    });
                }
            }
        });
    }
}

/// The messages that are declared in the place where an extension uses them.
fn groups(extensions: impl Iterator<Item = ExtensionDescriptor>) -> BTreeSet<String> {
    let groups = extensions.filter(ExtensionDescriptor::is_group);
    groups
        .filter_map(|extension| Some(extension.kind().as_message()?.full_name().to_owned()))
        .collect()
}

/// The fields as the text has them; the descriptor hands them out by number.
fn in_order(message: &MessageDescriptor) -> Vec<FieldDescriptor> {
    let protos = message.descriptor_proto().field.iter();
    protos
        .filter_map(|proto| message.get_field_by_name(proto.name()))
        .collect()
}
