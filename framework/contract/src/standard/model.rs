//! How a part of a document is read and written, and the macro that derives both from the
//! list of its fields, so that the two cannot disagree.

use serde_json::{Map as JsonMap, Value as Json};

use super::edition::Since;
use crate::node::{Map, Node, Reader, Value};

/// A value that can stand in a document.
pub(crate) trait Part: Sized {
    /// Reads `node`, and refuses it if it is something else.
    fn read(reader: &Reader, node: &Node, path: &str) -> Option<Self>;

    /// The value as it is written, its keys in the standard's order.
    fn write(&self) -> Json;
}

impl Part for String {
    fn read(reader: &Reader, node: &Node, path: &str) -> Option<Self> {
        if let Value::Str(text) = &node.value {
            return Some(text.clone());
        }
        reader.wrong(node, path, "a string", "put the value in quotes");
        None
    }

    fn write(&self) -> Json {
        self.as_str().into()
    }
}

impl Part for bool {
    fn read(reader: &Reader, node: &Node, path: &str) -> Option<Self> {
        if let Value::Bool(value) = node.value {
            return Some(value);
        }
        reader.wrong(node, path, "a boolean", "write true or false");
        None
    }

    fn write(&self) -> Json {
        (*self).into()
    }
}

impl Part for i64 {
    fn read(reader: &Reader, node: &Node, path: &str) -> Option<Self> {
        if let Value::Number(value) = &node.value
            && let Some(value) = value.as_i64()
        {
            return Some(value);
        }
        reader.wrong(node, path, "an integer", "write a whole number");
        None
    }

    fn write(&self) -> Json {
        (*self).into()
    }
}

impl Part for serde_json::Number {
    fn read(reader: &Reader, node: &Node, path: &str) -> Option<Self> {
        if let Value::Number(value) = &node.value {
            return Some(value.clone());
        }
        reader.wrong(node, path, "a number", "write a number without quotes");
        None
    }

    fn write(&self) -> Json {
        self.clone().into()
    }
}

/// Any value at all.
impl Part for Json {
    fn read(_: &Reader, node: &Node, _: &str) -> Option<Self> {
        Some(node.to_json())
    }

    fn write(&self) -> Json {
        self.clone()
    }
}

impl<T: Part> Part for Box<T> {
    fn read(reader: &Reader, node: &Node, path: &str) -> Option<Self> {
        T::read(reader, node, path).map(Box::new)
    }

    fn write(&self) -> Json {
        T::write(self)
    }
}

impl<T: Part> Part for Vec<T> {
    fn read(reader: &Reader, node: &Node, path: &str) -> Option<Self> {
        let Value::Seq(items) = &node.value else {
            reader.wrong(node, path, "a list", "write `- …` lines here");
            return None;
        };
        let read: Vec<T> = items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| T::read(reader, item, &format!("{path}[{at}]")))
            .collect();
        (read.len() == items.len()).then_some(read)
    }

    fn write(&self) -> Json {
        self.iter().map(T::write).collect()
    }
}

impl Map<'_> {
    /// The value of a key that must be there.
    pub(crate) fn required<T: Part>(&self, key: &'static str, since: Since) -> Option<T> {
        if !self.admits(key, since) {
            return None;
        }
        match self.node(key) {
            Some(node) => T::read(self.reader, node, &self.path_of(key)),
            None => {
                self.missing(key);
                None
            }
        }
    }

    /// The value of a key that may be absent.
    pub(crate) fn optional<T: Part>(&self, key: &'static str, since: Since) -> Option<T> {
        if !self.admits(key, since) {
            return None;
        }
        let node = self.node(key)?;
        T::read(self.reader, node, &self.path_of(key))
    }

    /// An id that references may use; ODCS limits its characters.
    pub(crate) fn stable_id(&self, key: &'static str, since: Since) -> Option<String> {
        let id: String = self.optional(key, since)?;
        let sound = !id.is_empty()
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if !sound && matches!(self.reader.edition(), super::Edition::Contract(_)) {
            self.refuse(
                key,
                format!("`{}` cannot be referred to", crate::yaml::shown(&id)),
                "use letters, digits, `_` and `-`",
            );
        }
        Some(id)
    }
}

/// Writes the value of a field, if it has one.
pub(crate) fn put<T: Part>(map: &mut JsonMap<String, Json>, key: &str, value: &T) {
    map.insert(key.to_owned(), value.write());
}

/// Declares structs that are [`Part`]s. A field is `name = "key": kind;`, the kind being
/// `id`, `req<T>`, `opt<T>` or `list<T>`, after which may stand the versions of ODCS and ODPS
/// that brought it. `check` names a function that looks at what the types cannot say.
macro_rules! model {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident $(check $check:path)? {
            $( $field:ident = $key:literal : $kind:ident $(<$ty:ty>)? $([$odcs:expr, $odps:expr])? , $doc:literal; )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name {
            $(
                #[doc = concat!("`", $key, "`: ", $doc)]
                pub $field: $crate::standard::model::model!(@type $kind $($ty)?),
            )*
        }

        impl $crate::standard::model::Part for $name {
            fn read(
                reader: &$crate::node::Reader,
                node: &$crate::node::Node,
                path: &str,
            ) -> Option<Self> {
                let map = reader.map(node, path)?;
                $(
                    let $field = {
                        let since = $crate::standard::model::model!(@since $kind $([$odcs, $odps])?);
                        $crate::standard::model::model!(@read $kind map, $key, since)
                    };
                )*
                map.finish();
                $( $check(&map); )?
                Some(Self { $( $field: $crate::standard::model::model!(@take $kind $field), )* })
            }

            fn write(&self) -> serde_json::Value {
                let mut map = serde_json::Map::new();
                $( $crate::standard::model::model!(@write $kind map, $key, self.$field); )*
                map.into()
            }
        }
    )*};

    (@type id) => { Option<String> };
    (@type req $ty:ty) => { $ty };
    (@type opt $ty:ty) => { Option<$ty> };
    (@type list $ty:ty) => { Vec<$ty> };

    (@since $kind:ident [$odcs:expr, $odps:expr]) => { $crate::standard::edition::Since($odcs, $odps) };
    (@since id) => { $crate::standard::edition::Since(31, 11) };
    (@since $kind:ident) => { $crate::standard::edition::Since(0, 0) };

    (@read id $map:ident, $key:literal, $since:ident) => { $map.stable_id($key, $since) };
    (@read req $map:ident, $key:literal, $since:ident) => { $map.required($key, $since) };
    (@read opt $map:ident, $key:literal, $since:ident) => { $map.optional($key, $since) };
    (@read list $map:ident, $key:literal, $since:ident) => {
        $map.optional($key, $since).unwrap_or_default()
    };

    (@take req $field:ident) => { $field? };
    (@take $kind:ident $field:ident) => { $field };

    (@write req $map:ident, $key:literal, $value:expr) => {
        $crate::standard::model::put(&mut $map, $key, &$value)
    };
    (@write list $map:ident, $key:literal, $value:expr) => {
        if !$value.is_empty() {
            $crate::standard::model::put(&mut $map, $key, &$value)
        }
    };
    (@write $kind:ident $map:ident, $key:literal, $value:expr) => {
        if let Some(value) = &$value {
            $crate::standard::model::put(&mut $map, $key, value)
        }
    };
}
pub(crate) use model;
