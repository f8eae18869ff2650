//! One change between two versions, and the words to judge it by.

use std::fmt;

use serde::Serialize;

/// Who can still read, from the least harmful to the worst.
///
/// | class | a reader with the new contract | a reader with the old contract |
/// |---|---|---|
/// | documentation | notices nothing | notices nothing |
/// | compatible | reads old and new records | reads old and new records |
/// | readers only | reads old and new records | cannot rely on new records |
/// | breaking | cannot rely on old records | whichever |
///
/// "Readers only": compatible for those who read with the new contract alone, so every reader
/// has to move before the publisher does (what a registry calls BACKWARD).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Words only.
    Documentation,
    /// Old and new readers read old and new records.
    Compatible,
    /// Only readers with the new contract read old and new records.
    ReadersOnly,
    /// Readers with the new contract cannot rely on old records.
    Breaking,
}

impl Class {
    /// All classes, the least harmful first.
    pub const ALL: [Self; 4] = [
        Self::Documentation,
        Self::Compatible,
        Self::ReadersOnly,
        Self::Breaking,
    ];

    /// The class in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Documentation => "documentation",
            Self::Compatible => "compatible",
            Self::ReadersOnly => "readers only",
            Self::Breaking => "breaking",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who reads whose records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Reads {
    /// The new contract reads records written under the old one (BACKWARD).
    pub new_reads_old: bool,
    /// The old contract reads records written under the new one (FORWARD).
    pub old_reads_new: bool,
}

impl Reads {
    /// Each reads the other's records.
    pub const BOTH: Self = Self::of(true, true);
    /// Neither reads the other's records.
    pub const NEITHER: Self = Self::of(false, false);
    /// Only the new contract reads both.
    pub const NEW_ONLY: Self = Self::of(true, false);
    /// Only the old contract reads both.
    pub const OLD_ONLY: Self = Self::of(false, true);

    pub(super) const fn of(new_reads_old: bool, old_reads_new: bool) -> Self {
        Self {
            new_reads_old,
            old_reads_new,
        }
    }

    /// What still holds when both hold.
    pub fn and(self, other: Self) -> Self {
        Self::of(
            self.new_reads_old && other.new_reads_old,
            self.old_reads_new && other.old_reads_new,
        )
    }

    pub(super) fn class(self) -> Class {
        match (self.new_reads_old, self.old_reads_new) {
            (true, true) => Class::Compatible,
            (true, false) => Class::ReadersOnly,
            (false, _) => Class::Breaking,
        }
    }
}

/// What happened to the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is gone and looks like what was added under another name.
    Renamed,
    /// The same things stand in another order.
    Reordered,
    /// It allows more than before.
    Widened,
    /// It allows less than before.
    Narrowed,
    /// It is another.
    Changed,
}

impl What {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Renamed => "renamed",
            Self::Reordered => "reordered",
            Self::Widened => "widened",
            Self::Narrowed => "narrowed",
            Self::Changed => "changed",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a change has an effect on besides reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// What values are promised to be.
    Quality,
    /// How well the product is served.
    ServiceLevel,
    /// How sensitive a column is.
    Classification,
    /// Which records belong together, and their order.
    Key,
    /// How long records are kept.
    Retention,
    /// Who may see what.
    Access,
    /// Where the records stand.
    Topic,
    /// Whether the product is in force.
    Lifecycle,
    /// Who answers for it.
    Ownership,
}

impl Area {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quality => "quality",
            Self::ServiceLevel => "service level",
            Self::Classification => "classification",
            Self::Key => "key",
            Self::Retention => "retention",
            Self::Access => "access",
            Self::Topic => "topic",
            Self::Lifecycle => "lifecycle",
            Self::Ownership => "ownership",
        }
    }
}

/// Whether a promise, or a protection, becomes stronger or weaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// More is promised or protected than before.
    Stronger,
    /// Less is promised or protected than before.
    Weaker,
    /// Another thing is.
    Different,
}

impl Trend {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stronger => "stronger",
            Self::Weaker => "weaker",
            Self::Different => "different",
        }
    }
}

/// An effect of a change besides reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Effect {
    /// On what.
    pub area: Area,
    /// In which direction.
    pub trend: Trend,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.area.as_str(), self.trend.as_str())
    }
}

/// Which of a product's two files a change stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum File {
    /// `contract.odcs.yaml`.
    Contract,
    /// `product.odps.yaml`.
    Product,
}

impl File {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Product => "product",
        }
    }
}

/// Which of its readers a change concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Concerns {
    /// No reader.
    Nobody,
    /// Those who know one of these columns, as dotted names.
    Columns(Vec<String>),
    /// Every reader of the product.
    Everybody,
}

/// One change between two versions of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The file it stands in.
    pub file: File,
    /// The place, where the items of lists go by their names: `schema.properties.score.required`.
    pub path: String,
    /// What happened there.
    pub what: What,
    /// What stood there before.
    pub old: Option<String>,
    /// What stands there now.
    pub new: Option<String>,
    /// Who can still read.
    pub class: Class,
    /// Who can rely on whose records, meaning included; the class follows from it.
    pub reads: Reads,
    /// What Avro's schema resolution says alone, which is what a schema registry checks.
    pub avro: Reads,
    /// What it has an effect on besides reading.
    pub effects: Vec<Effect>,
    /// Which readers it concerns.
    pub concerns: Concerns,
    /// Whether no version number makes it right.
    pub forbidden: bool,
    /// Why it is of its class, one sentence without a full stop.
    pub why: String,
    /// The way out, where there is something to be done.
    pub mend: Option<String>,
}

impl Change {
    /// A change of words.
    pub(super) fn words(file: File, path: impl Into<String>, what: What) -> Self {
        Self {
            file,
            path: path.into(),
            what,
            old: None,
            new: None,
            class: Class::Documentation,
            reads: Reads::BOTH,
            avro: Reads::BOTH,
            effects: Vec::new(),
            concerns: Concerns::Nobody,
            forbidden: false,
            why: "it is for people to read; no reader's code depends on it".into(),
            mend: None,
        }
    }

    /// A change that more than people notice; every reader of the product is concerned.
    pub(super) fn of(path: impl Into<String>, what: What, reads: Reads, why: &str) -> Self {
        Self {
            class: reads.class(),
            reads,
            concerns: Concerns::Everybody,
            why: why.to_owned(),
            ..Self::words(File::Contract, path, what)
        }
    }

    pub(super) fn moved(mut self, old: Option<String>, new: Option<String>) -> Self {
        (self.old, self.new) = (old, new);
        self
    }

    /// What schema resolution says, where it has a say.
    pub(super) fn avro(mut self, avro: Reads) -> Self {
        self.avro = avro;
        self
    }

    pub(super) fn effect(mut self, area: Area, trend: Trend) -> Self {
        self.effects.push(Effect { area, trend });
        self
    }

    pub(super) fn column(mut self, column: &str) -> Self {
        self.concerns = Concerns::Columns(vec![column.to_owned()]);
        self
    }

    pub(super) fn columns(mut self, columns: Vec<String>) -> Self {
        self.concerns = Concerns::Columns(columns);
        self
    }

    pub(super) fn nobody(mut self) -> Self {
        self.concerns = Concerns::Nobody;
        self
    }

    pub(super) fn forbidden(mut self) -> Self {
        self.forbidden = true;
        self
    }

    pub(super) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    pub(super) fn file(mut self, file: File) -> Self {
        self.file = file;
        self
    }

    /// Old and new in one line: `int → long`; empty where nothing is to be told.
    pub fn transition(&self) -> String {
        match (&self.old, &self.new) {
            (None, None) => String::new(),
            (Some(old), None) => old.clone(),
            (None, Some(new)) => new.clone(),
            (Some(old), Some(new)) => format!("{old} → {new}"),
        }
    }
}
