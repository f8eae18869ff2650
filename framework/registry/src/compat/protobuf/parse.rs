//! From the text of a schema, or its descriptor in base64, to resolved types.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mesh_core::{Error, ErrorKind, Result};
use prost_reflect::prost::Message;
use prost_reflect::prost_types::FileDescriptorProto;
use protox::Compiler;
use protox::file::{File, FileResolver, GoogleFileResolver};

use super::ProtobufSchema;
use super::builtin;
use crate::compat::MAX_SCHEMA_BYTES;

/// Brackets that may stand within each other; the parser of options has no bound of its own.
const MAX_NESTING: usize = 64;
/// Imports that may stand behind each other.
const MAX_IMPORTS: usize = 500;
/// Characters of a message of the parser that an error shows.
const SHOWN: usize = 400;

impl ProtobufSchema {
    /// Reads a schema: a `.proto` text or a `FileDescriptorProto` in base64. `references` are
    /// the import paths under which other schemas were registered, with their texts.
    ///
    /// The error names the file, the line and the column where the text is at fault.
    pub fn parse(text: &str, references: &[(String, String)]) -> Result<Self> {
        if text.trim().is_empty() {
            return Err(Error::invalid("the schema is empty"));
        }
        let others = references.iter().map(|(_, text)| text.len());
        let bytes = others.fold(text.len(), usize::saturating_add);
        if bytes > MAX_SCHEMA_BYTES {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                "the schema, with what it refers to, is too large",
            )
            .with("bytes", bytes)
            .with("limit", MAX_SCHEMA_BYTES)
            .retryable(false));
        }
        if references.len() > MAX_IMPORTS {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                "the schema has too many imports",
            )
            .with("imports", references.len())
            .with("limit", MAX_IMPORTS)
            .retryable(false));
        }
        let texts: HashMap<&str, &str> = references
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        let mut name = "schema.proto".to_owned();
        while texts.contains_key(name.as_str()) {
            name.insert_str(0, "the_");
        }
        let mut files = HashMap::new();
        files.insert(name.clone(), file(&name, text)?);
        for (path, text) in references {
            let read = file(path, text).map_err(|error| error.with("reference", path))?;
            files.insert(path.clone(), read);
        }
        let mut compiler = Compiler::with_file_resolver(Imports {
            files,
            google: GoogleFileResolver::new(),
        });
        compiler.include_imports(true).include_source_info(false);
        compiler
            .open_file(&name)
            .map_err(|error| refused(&error, &name))?;
        let pool = compiler.descriptor_pool();
        let file = pool
            .get_file_by_name(&name)
            .ok_or_else(|| Error::internal("a schema that was read is not there"))?;
        Ok(Self { file })
    }

    /// The schema as a `FileDescriptorProto` in base64.
    pub fn serialized(&self) -> String {
        STANDARD.encode(self.file.encode_to_vec())
    }

    /// The full name of the first message type, if there is one.
    pub fn full_name(&self) -> Option<String> {
        let first = self.file.messages().next()?;
        Some(first.full_name().to_owned())
    }
}

/// Reads one file and gives it the path by which others import it.
fn file(path: &str, text: &str) -> Result<File> {
    if let Some(mut bytes) = descriptor(text) {
        // Of a field that comes twice the last counts: this gives the file its path.
        let named = FileDescriptorProto {
            name: Some(path.to_owned()),
            ..FileDescriptorProto::default()
        };
        named
            .encode(&mut bytes)
            .map_err(|error| Error::internal("a descriptor cannot be written").because(error))?;
        return File::decode_file_descriptor_proto(bytes.as_slice()).map_err(|_| {
            Error::invalid(
                "the schema is base64 and not a FileDescriptorProto; send the text of a .proto \
                 file or a serialized FileDescriptorProto",
            )
        });
    }
    nesting(text)?;
    File::from_source(path, text).map_err(|error| refused(&error, path))
}

/// The bytes of a text that is base64: no `.proto` text is, for it has spaces or braces.
fn descriptor(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    if !text.bytes().all(base64) {
        return None;
    }
    STANDARD.decode(text).ok()
}

/// Bounds the brackets within each other, comments and strings left out.
fn nesting(text: &str) -> Result<()> {
    let mut depth = 0usize;
    let mut line = 1usize;
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\n' => line += 1,
            b'/' if bytes.peek() == Some(&b'/') => {
                while bytes.next_if(|byte| *byte != b'\n').is_some() {}
            }
            b'/' if bytes.peek() == Some(&b'*') => {
                bytes.next();
                let mut before = 0;
                for byte in bytes.by_ref() {
                    line += usize::from(byte == b'\n');
                    if before == b'*' && byte == b'/' {
                        break;
                    }
                    before = byte;
                }
            }
            b'"' | b'\'' => {
                while let Some(inner) = bytes.next_if(|inner| *inner != byte && *inner != b'\n') {
                    if inner == b'\\' {
                        bytes.next_if(|escaped| *escaped != b'\n');
                    }
                }
                bytes.next_if(|end| *end == byte);
            }
            b'{' | b'[' | b'(' | b'<' => {
                depth += 1;
                if depth > MAX_NESTING {
                    return Err(Error::new(
                        ErrorKind::ResourceExhausted,
                        "the schema is too deeply nested",
                    )
                    .with("line", line)
                    .with("limit", MAX_NESTING)
                    .retryable(false));
                }
            }
            b'}' | b']' | b')' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// The parser's words with the place, which it puts before them as `file:line:column: `.
fn refused(error: &protox::Error, name: &str) -> Error {
    let placed = format!("{error:?}");
    let mut told = Error::invalid(format!(
        "the schema is not a valid .proto file: {}",
        excerpt(&error.to_string())
    ));
    let file = error.file().unwrap_or(name);
    if file != name {
        told = told.with("reference", excerpt(file));
    }
    let place = placed
        .strip_prefix(file)
        .and_then(|rest| rest.strip_prefix(':'));
    let mut numbers = place.into_iter().flat_map(|rest| rest.split(':'));
    let line = numbers.next().and_then(|part| part.parse::<usize>().ok());
    let column = numbers.next().and_then(|part| part.parse::<usize>().ok());
    if let (Some(line), Some(column)) = (line, column) {
        told = told.with("line", line).with("column", column);
    }
    if error.is_file_not_found() || error.to_string().contains("not found") {
        told = told.mend("name every import among the references of the schema");
    }
    told
}

fn excerpt(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

struct Imports {
    files: HashMap<String, File>,
    google: GoogleFileResolver,
}

impl FileResolver for Imports {
    fn open_file(&self, name: &str) -> std::result::Result<File, protox::Error> {
        if let Some(file) = self.files.get(name) {
            return Ok(file.clone());
        }
        match builtin::source(name) {
            Some(source) => File::from_source(name, source),
            None => self.google.open_file(name),
        }
    }
}
