//! Schemas of JSON Schema with their references resolved and drafts evened out.

use indexmap::IndexMap;
use jsonschema::Draft;
use serde_json::Value;

use super::number::Num;

/// Where a subschema stands in [`super::JsonSchema::nodes`].
pub(super) type Id = u32;

/// A set of JSON types. Numbers are three of them, as drafts differ on whether 1.0 is an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Types(pub(super) u8);

impl Types {
    pub(super) const NONE: Self = Self(0);
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(2);
    pub(super) const OBJECT: Self = Self(4);
    pub(super) const ARRAY: Self = Self(8);
    pub(super) const STRING: Self = Self(16);
    /// Whole numbers written without a fraction.
    pub(super) const INT: Self = Self(32);
    /// Whole numbers written with a fraction: 1.0.
    pub(super) const WHOLE: Self = Self(64);
    pub(super) const FRACTION: Self = Self(128);
    pub(super) const NUMBER: Self = Self(32 | 64 | 128);
    pub(super) const ALL: Self = Self(255);
    /// The types one by one; numbers are one.
    pub(super) const EACH: [Self; 6] = [
        Self::NULL,
        Self::BOOLEAN,
        Self::OBJECT,
        Self::ARRAY,
        Self::STRING,
        Self::NUMBER,
    ];

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The types by the words of a schema: `integer, string`.
    pub(super) fn words(self) -> String {
        let mut words = Vec::new();
        for (types, word) in [
            (Self::NULL, "null"),
            (Self::BOOLEAN, "boolean"),
            (Self::OBJECT, "object"),
            (Self::ARRAY, "array"),
            (Self::STRING, "string"),
        ] {
            if self.any(types) {
                words.push(word);
            }
        }
        if self.any(Self::FRACTION) {
            words.push("number");
        } else if self.any(Self::NUMBER) {
            words.push("integer");
        }
        if words.is_empty() {
            return "none".to_owned();
        }
        words.join(", ")
    }

    /// The types that a value equal to this one can have.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Object(_) => Self::OBJECT,
            Value::Array(_) => Self::ARRAY,
            Value::String(_) => Self::STRING,
            Value::Number(number) => match Num::of(number) {
                Num::Int(_) => Self::INT.or(Self::WHOLE),
                // So large a float is whole for some validators and not for others.
                Num::Float(float) if float.fract() == 0.0 => Self::NUMBER,
                Num::Float(_) => Self::FRACTION,
            },
        }
    }
}

/// The end of a range of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bound {
    pub(super) at: Num,
    pub(super) exclusive: bool,
}

/// One subschema.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) draft: Draft,
    /// Set for the schemas `true`, `false` and `{}`.
    pub(super) always: Option<bool>,
    pub(super) types: Types,
    /// What `enum` and `const` leave.
    pub(super) values: Option<Vec<Value>>,
    pub(super) lower: Option<Bound>,
    pub(super) upper: Option<Bound>,
    pub(super) multiple_of: Option<Num>,
    pub(super) min_length: u64,
    pub(super) max_length: Option<u64>,
    pub(super) pattern: Option<String>,
    pub(super) array: Option<Box<ArrayRules>>,
    pub(super) object: Option<Box<ObjectRules>>,
    pub(super) reference: Option<Id>,
    /// Whether the subschema is nothing but the reference.
    pub(super) stands_for: bool,
    pub(super) all_of: Vec<Id>,
    pub(super) any_of: Vec<Id>,
    pub(super) one_of: Vec<Id>,
    pub(super) not: Option<Id>,
    pub(super) condition: Option<Condition>,
    /// Whether a keyword stands here that is not compared (`$dynamicRef`).
    pub(super) opaque: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Condition {
    pub(super) when: Id,
    pub(super) then: Option<Id>,
    pub(super) otherwise: Option<Id>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct ArrayRules {
    pub(super) prefix: Vec<Id>,
    /// For the items after the prefix.
    pub(super) rest: Option<Id>,
    pub(super) min: u64,
    pub(super) max: Option<u64>,
    pub(super) unique: bool,
    pub(super) contains: Option<Contains>,
    pub(super) unevaluated: Option<Id>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Contains {
    pub(super) schema: Id,
    pub(super) min: u64,
    pub(super) max: Option<u64>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct ObjectRules {
    pub(super) properties: IndexMap<String, Id>,
    pub(super) patterns: IndexMap<String, Id>,
    pub(super) additional: Option<Id>,
    pub(super) required: Vec<String>,
    pub(super) min: u64,
    pub(super) max: Option<u64>,
    pub(super) names: Option<Id>,
    pub(super) needs: Vec<(String, Vec<String>)>,
    pub(super) then_schemas: Vec<(String, Id)>,
    /// Whether some of these come from a keyword that not every validator of the draft honours.
    pub(super) loose: bool,
    pub(super) unevaluated: Option<Id>,
}

impl Node {
    pub(super) fn new(draft: Draft) -> Self {
        Self {
            draft,
            always: None,
            types: Types::ALL,
            values: None,
            lower: None,
            upper: None,
            multiple_of: None,
            min_length: 0,
            max_length: None,
            pattern: None,
            array: None,
            object: None,
            reference: None,
            stands_for: false,
            all_of: Vec::new(),
            any_of: Vec::new(),
            one_of: Vec::new(),
            not: None,
            condition: None,
            opaque: false,
        }
    }

    /// The subschemas that judge the same value as this one.
    pub(super) fn in_place(&self) -> impl Iterator<Item = Id> + '_ {
        let condition = self.condition.iter().flat_map(|condition| {
            [Some(condition.when), condition.then, condition.otherwise]
                .into_iter()
                .flatten()
        });
        let then = self
            .object
            .iter()
            .flat_map(|object| object.then_schemas.iter().map(|(_, id)| *id));
        self.reference
            .into_iter()
            .chain(self.all_of.iter().copied())
            .chain(self.any_of.iter().copied())
            .chain(self.one_of.iter().copied())
            .chain(self.not)
            .chain(condition)
            .chain(then)
    }
}
