//! Compatibility levels: which of a subject's versions must read which.

use std::fmt;
use std::str::FromStr;

use mesh_core::{Error, Result};

use super::any::AnySchema;
use super::difference::Difference;

/// What a new version of a subject must be able to do with the versions before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compatibility {
    /// Nothing is demanded.
    None,
    /// The new schema reads data of the latest version.
    #[default]
    Backward,
    /// The new schema reads data of every version.
    BackwardTransitive,
    /// The latest version reads data of the new schema.
    Forward,
    /// Every version reads data of the new schema.
    ForwardTransitive,
    /// New schema and latest version read each other's data.
    Full,
    /// New schema and every version read each other's data.
    FullTransitive,
}

impl Compatibility {
    /// The level's name as it is written in requests and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Backward => "BACKWARD",
            Self::BackwardTransitive => "BACKWARD_TRANSITIVE",
            Self::Forward => "FORWARD",
            Self::ForwardTransitive => "FORWARD_TRANSITIVE",
            Self::Full => "FULL",
            Self::FullTransitive => "FULL_TRANSITIVE",
        }
    }

    /// Whether every version counts and not only the latest.
    pub fn is_transitive(self) -> bool {
        matches!(
            self,
            Self::BackwardTransitive | Self::ForwardTransitive | Self::FullTransitive
        )
    }

    fn directions(self) -> &'static [Direction] {
        match self {
            Self::None => &[],
            Self::Backward | Self::BackwardTransitive => &[Direction::NewReadsOld],
            Self::Forward | Self::ForwardTransitive => &[Direction::OldReadsNew],
            Self::Full | Self::FullTransitive => &[Direction::NewReadsOld, Direction::OldReadsNew],
        }
    }
}

impl fmt::Display for Compatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Compatibility {
    type Err = Error;

    /// Reads a level; case does not count.
    fn from_str(text: &str) -> Result<Self> {
        let all = [
            Self::None,
            Self::Backward,
            Self::BackwardTransitive,
            Self::Forward,
            Self::ForwardTransitive,
            Self::Full,
            Self::FullTransitive,
        ];
        all.into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                Error::invalid(
                    "Invalid compatibility level. Valid values are none, backward, forward, full, \
                     backward_transitive, forward_transitive, and full_transitive",
                )
            })
    }
}

/// Who reads and who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The new schema reads data that the earlier version wrote.
    NewReadsOld,
    /// The earlier version reads data that the new schema wrote.
    OldReadsNew,
}

/// A version that a new schema is held against.
#[derive(Debug, Clone, Copy)]
pub struct Previous<'a> {
    /// The version's number in its subject.
    pub version: u32,
    /// Its schema.
    pub schema: &'a AnySchema,
}

/// A difference that breaks a compatibility level.
#[derive(Debug, Clone)]
pub struct Incompatibility {
    /// The earlier version in question.
    pub version: u32,
    /// Who reads and who writes.
    pub direction: Direction,
    /// What differs.
    pub difference: Difference,
}

impl Incompatibility {
    /// What differs and between which versions, in one sentence.
    pub fn describe(&self) -> String {
        let (reader, writer) = self.parties();
        self.difference.describe(&reader, &writer)
    }

    /// What would mend it, in one sentence.
    pub fn mend(&self) -> String {
        let (reader, writer) = self.parties();
        self.difference.mend(&reader, &writer)
    }

    fn parties(&self) -> (String, String) {
        let old = format!("version {}", self.version);
        let new = "the new schema".to_owned();
        match self.direction {
            Direction::NewReadsOld => (new, old),
            Direction::OldReadsNew => (old, new),
        }
    }
}

impl fmt::Display for Incompatibility {
    /// The text of one message as Confluent's registry writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = match self.difference.field.as_str() {
            "" => String::new(),
            field => format!(", field '{field}'"),
        };
        write!(
            f,
            "{{errorType:'{}', description:'{} (path '{}'{at}); to mend it, {}', additionalInfo:'{}'}}",
            self.difference.rule,
            self.describe(),
            self.difference.path,
            self.mend(),
            self.difference.info
        )
    }
}

/// Every way in which `new` breaks `level` against `previous`, which is in ascending order
/// of versions. Only the last counts unless the level is transitive; the latest comes first.
pub fn check(
    level: Compatibility,
    new: &AnySchema,
    previous: &[Previous<'_>],
) -> Result<Vec<Incompatibility>> {
    let count = if level.is_transitive() {
        previous.len()
    } else {
        1
    };
    let mut broken = Vec::new();
    for old in previous.iter().rev().take(count) {
        for direction in level.directions() {
            let (reader, writer) = match direction {
                Direction::NewReadsOld => (new, old.schema),
                Direction::OldReadsNew => (old.schema, new),
            };
            let differences = reader
                .can_read(writer)
                .map_err(|error| error.with("version", old.version))?;
            broken.extend(differences.into_iter().map(|difference| Incompatibility {
                version: old.version,
                direction: *direction,
                difference,
            }));
        }
        // Like Confluent's registry, tell of one version at a time: the latest that breaks.
        if !broken.is_empty() {
            break;
        }
    }
    Ok(broken)
}
