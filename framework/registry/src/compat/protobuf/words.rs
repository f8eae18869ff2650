//! Types and the bracketed options of a field as a `.proto` text writes them.

use prost_reflect::Kind;
use prost_reflect::prost_types::FieldDescriptorProto;

use super::options::quoted;

/// The options of a field with what stands among them and is none: default and JSON name.
pub(super) fn all_options(
    proto: &FieldDescriptorProto,
    options: Vec<String>,
    kind: &Kind,
) -> String {
    let mut all = Vec::new();
    if let Some(default) = &proto.default_value {
        let text = match kind {
            Kind::String => quoted(default.as_bytes(), true),
            // Bytes come escaped already.
            Kind::Bytes => format!("\"{default}\""),
            _ => default.clone(),
        };
        all.push(format!("default = {text}"));
    }
    if let Some(name) = &proto.json_name
        && *name != json_name(proto.name())
    {
        all.push(format!("json_name = {}", quoted(name.as_bytes(), true)));
    }
    all.extend(options);
    listed(all)
}

pub(super) fn listed(options: Vec<String>) -> String {
    match options.is_empty() {
        true => String::new(),
        false => format!(" [{}]", options.join(", ")),
    }
}

/// The name in JSON of a field that does not set one (Protobuf, "JSON Mapping").
fn json_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            out.push(c.to_ascii_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}

pub(super) fn type_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => format!(".{}", message.full_name()),
        Kind::Enum(it) => format!(".{}", it.full_name()),
        other => scalar(other).to_owned(),
    }
}

/// The word for a scalar type.
pub(super) fn scalar(kind: &Kind) -> &'static str {
    match kind {
        Kind::Double => "double",
        Kind::Float => "float",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Uint32 => "uint32",
        Kind::Uint64 => "uint64",
        Kind::Sint32 => "sint32",
        Kind::Sint64 => "sint64",
        Kind::Fixed32 => "fixed32",
        Kind::Fixed64 => "fixed64",
        Kind::Sfixed32 => "sfixed32",
        Kind::Sfixed64 => "sfixed64",
        Kind::Bool => "bool",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Message(_) => "message",
        Kind::Enum(_) => "enum",
    }
}
