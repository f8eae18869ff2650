//! Semantic versions: how far a version has to move for what changed, and whether it did.

use std::cmp::Ordering;
use std::fmt;

use semver::Version;
use serde::Serialize;

use super::change::{Area, Change, Class, File, Reads};
use super::{Diff, Side, contract};

/// How far a version moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bump {
    /// It stays.
    None,
    /// The last number.
    Patch,
    /// The second number.
    Minor,
    /// The first number, and with it the topic.
    Major,
}

impl Bump {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        }
    }

    /// The version that follows `version` by this move.
    pub fn next(self, version: &Version) -> Version {
        match self {
            Self::None => version.clone(),
            Self::Patch => Version::new(version.major, version.minor, version.patch + 1),
            Self::Minor => Version::new(version.major, version.minor + 1, 0),
            Self::Major => Version::new(version.major + 1, 0, 0),
        }
    }

    /// How far it is from `old` to a later `new`.
    fn between(old: &Version, new: &Version) -> Self {
        if new.major != old.major {
            Self::Major
        } else if new.minor != old.minor {
            Self::Minor
        } else if new.patch != old.patch {
            Self::Patch
        } else if new.cmp_precedence(old) == Ordering::Equal {
            Self::None
        } else if new.patch != 0 {
            // From one pre-release to the next: as far as the release itself.
            Self::Patch
        } else if new.minor != 0 {
            Self::Minor
        } else {
            Self::Major
        }
    }
}

impl fmt::Display for Bump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why the new version cannot be published as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The file to be mended.
    pub file: File,
    /// The place in it.
    pub path: String,
    /// What is wrong, a lower-case sentence without a full stop.
    pub message: String,
    /// The way out.
    pub mend: String,
}

/// The version numbers held against the changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// How far the contract's version has to move at least.
    pub required: Bump,
    /// How far it moves; `None` if it goes down.
    pub given: Option<Bump>,
    /// What forbids the new version; none if it may be published.
    pub refusals: Vec<Refusal>,
    /// What is worth knowing and forbids nothing.
    pub notes: Vec<String>,
}

impl Check {
    /// Whether the versions fit the changes.
    pub fn holds(&self) -> bool {
        self.refusals.is_empty()
    }
}

/// How far `side`'s version has to move for `change`.
fn required_by(side: &Side, change: &Change) -> Bump {
    if contract::is_draft(&side.old_status) {
        // Nothing was promised; the number moves so that no version has two contents.
        return Bump::Patch;
    }
    let lifecycle = change.path == "status"
        && change
            .effects
            .iter()
            .any(|effect| effect.area == Area::Lifecycle);
    match change.class {
        Class::Documentation => Bump::Patch,
        Class::Compatible => Bump::Minor,
        // The end of a major is no new major.
        _ if lifecycle => Bump::Minor,
        _ if keeps(side.demands, change.reads) => Bump::Minor,
        _ => Bump::Major,
    }
}

/// Whether `reads` has every direction that is demanded.
fn keeps(demands: Reads, reads: Reads) -> bool {
    (reads.new_reads_old || !demands.new_reads_old)
        && (reads.old_reads_new || !demands.old_reads_new)
        && reads != Reads::NEITHER
}

impl Diff {
    /// How far the version of `file` has to move at least.
    pub fn required(&self, file: File) -> Bump {
        let side = self.sides.iter().find(|side| side.file == file);
        side.map_or(Bump::None, |side| {
            self.of(file)
                .map(|change| required_by(side, change))
                .max()
                .unwrap_or(Bump::None)
        })
    }

    /// How far `change` asks its file's version to move.
    pub fn required_by(&self, change: &Change) -> Bump {
        let side = self.sides.iter().find(|side| side.file == change.file);
        side.map_or(Bump::None, |side| required_by(side, change))
    }

    /// Holds the versions against the changes.
    pub fn check(&self) -> Check {
        let mut check = Check {
            required: self.required(File::Contract),
            given: None,
            refusals: Vec::new(),
            notes: Vec::new(),
        };
        for side in &self.sides {
            let down = side.new_version.cmp_precedence(&side.old_version) == Ordering::Less;
            let given = (!down).then(|| Bump::between(&side.old_version, &side.new_version));
            if side.file == File::Contract {
                check.given = given;
            }
            self.check_side(side, given, &mut check);
        }
        for change in self.changes.iter().filter(|change| change.forbidden) {
            check.refusals.push(Refusal {
                file: change.file,
                path: change.path.clone(),
                message: format!("`{}`: {}", change.transition(), change.why),
                mend: change.mend.clone().unwrap_or_default(),
            });
        }
        let [old, new] = &self.topics;
        if old != new && check.given == Some(Bump::Major) {
            check.notes.push(format!(
                "records of the new major go to `{new}`, beside `{old}`; readers move when they are ready"
            ));
        }
        check
    }

    fn check_side(&self, side: &Side, given: Option<Bump>, check: &mut Check) {
        let (old, new) = (&side.old_version, &side.new_version);
        let required = self.required(side.file);
        let next = required.next(old);
        let what = side.file.as_str();
        let mut refuse = |message: String, mend: String| {
            check.refusals.push(Refusal {
                file: side.file,
                path: "version".into(),
                message,
                mend,
            });
        };
        let Some(given) = given else {
            return refuse(
                format!("the {what}'s version goes down from {old} to {new}"),
                format!("write version {}", required.max(Bump::Patch).next(old)),
            );
        };
        if given < required && required == Bump::Major {
            return refuse(
                format!(
                    "{} under the same major: {old} is followed by {new}",
                    self.gravest(side)
                ),
                self.major_mend(side, &next),
            );
        }
        if given < required {
            let changes = self.of(side.file).count();
            let changes = match changes {
                1 => "one change".to_owned(),
                more => format!("{more} changes"),
            };
            return refuse(
                if given == Bump::None {
                    format!("{changes} of the {what} without a new version: it is still {old}")
                } else {
                    format!(
                        "{changes} of the {what} ask for a {required} version, and {new} is a {given} after {old}"
                    )
                },
                format!("write version {next}"),
            );
        }
        let notes = &mut check.notes;
        if given == Bump::None {
            return;
        }
        let exact = given.next(old);
        if new.pre.is_empty() && old.pre.is_empty() && *new != exact && new.build.is_empty() {
            notes.push(format!(
                "the {what}'s version skips {exact}: {old} is followed by {new}"
            ));
        }
        if required == Bump::None {
            notes.push(format!("the {what} is the same under {new} as under {old}"));
        } else if given > required && !contract::is_draft(&side.old_status) {
            notes.push(format!(
                "the {what}'s changes ask for a {required} version alone, which is {next}"
            ));
        }
        let breaks = self.of(side.file).any(|change| {
            change.class >= Class::ReadersOnly && required_by(side, change) == Bump::Patch
        });
        if breaks && given < Bump::Major {
            notes.push(format!(
                "the {what} was {}, so nothing was promised yet; if it was published, the registry \
                 still refuses what the compatibility level forbids",
                side.old_status
            ));
        }
    }

    /// The changes that ask for a major, in words.
    fn gravest(&self, side: &Side) -> String {
        let paths: Vec<String> = self
            .of(side.file)
            .filter(|change| required_by(side, change) == Bump::Major)
            .map(|change| format!("`{}`", change.path))
            .collect();
        let (shown, more) = paths.split_at(paths.len().min(3));
        match more.len() {
            0 => format!("readers break by {}", shown.join(", ")),
            more => format!("readers break by {} and {more} more", shown.join(", ")),
        }
    }

    fn major_mend(&self, side: &Side, next: &Version) -> String {
        let product = &self.product;
        match side.file {
            File::Contract => format!(
                "write version {next} and topic `{product}.v{}` beside the old one, in a folder of \
                 its own; or take the changes back that `mesh contract diff` classes as breaking \
                 or for readers only",
                next.major
            ),
            File::Product => format!(
                "write version {next}; or take back what `mesh contract diff` classes as breaking"
            ),
        }
    }
}
