//! What is told, in the shape of the JSON document (`docs/versions.md`).

use mesh_core::contract::diff::{
    Bump, Change, Class, Concerns, Diff, Effect, File, Reads, Touched, What,
};
use serde::Serialize;

use super::consumers::Found;
use super::source::Source;

/// Everything about two versions.
#[derive(Serialize)]
pub(super) struct Report {
    /// The product, `customer.credit_scores`.
    pub(super) product: String,
    pub(super) old_version: String,
    pub(super) new_version: String,
    /// The class of the gravest change; null if nothing changed.
    pub(super) class: Option<Class>,
    /// How far the contract's version has to move at least.
    pub(super) required: Bump,
    /// How far it moves; null if it goes down.
    pub(super) given: Option<Bump>,
    /// Whether the new version may be published.
    pub(super) fits: bool,
    pub(super) changes: Vec<Told>,
    /// Who reads the product; null if no mesh was searched.
    pub(super) consumers: Option<Vec<Reader>>,
    pub(super) refusals: Vec<Refused>,
    pub(super) notes: Vec<String>,
}

/// One change and whom it touches.
#[derive(Serialize)]
pub(super) struct Told {
    pub(super) class: Class,
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) path: String,
    pub(super) what: What,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
    /// Who can rely on whose records.
    pub(super) reads: Reads,
    /// What schema resolution alone says, which a registry checks.
    pub(super) avro: Reads,
    pub(super) effects: Vec<Effect>,
    /// How far it asks the version of its file to move.
    pub(super) requires: Bump,
    /// Whether no version number makes it right.
    pub(super) forbidden: bool,
    pub(super) why: String,
    pub(super) mend: Option<String>,
    pub(super) touches: Vec<Touched>,
    #[serde(skip)]
    pub(super) transition: String,
    #[serde(skip)]
    pub(super) for_readers: bool,
}

/// A consumer, as files tell.
#[derive(Serialize)]
pub(super) struct Reader {
    pub(super) domain: String,
    pub(super) products: Vec<String>,
    pub(super) version: String,
    pub(super) files: Vec<String>,
    /// Whether it has a copy of the contract, which says what columns it knows.
    pub(super) has_copy: bool,
}

/// Why the version cannot be published.
#[derive(Serialize)]
pub(super) struct Refused {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) path: String,
    pub(super) message: String,
    pub(super) mend: String,
}

impl Report {
    pub(super) fn new(diff: &Diff, old: &Source, new: &Source, found: Found) -> Self {
        let check = diff.check();
        let place = |source: &Source, file: File, path: &str| {
            let (name, line) = source.place(file, path);
            (name.to_owned(), line)
        };
        let told = |change: &Change| {
            // What is gone stands in the old file alone.
            let source = match change.what {
                What::Removed | What::Renamed => old,
                _ => new,
            };
            let (file, line) = place(source, change.file, &change.path);
            let consumers = found.consumers.iter();
            Told {
                class: change.class,
                file,
                line,
                path: change.path.clone(),
                what: change.what,
                old: change.old.clone(),
                new: change.new.clone(),
                reads: change.reads,
                avro: change.avro,
                effects: change.effects.clone(),
                requires: diff.required_by(change),
                forbidden: change.forbidden,
                why: change.why.clone(),
                mend: change.mend.clone(),
                touches: consumers
                    .filter_map(|consumer| diff.touched(change, consumer, &new.contract))
                    .collect(),
                transition: change.transition(),
                for_readers: change.class > Class::Documentation
                    && change.concerns != Concerns::Nobody,
            }
        };
        let refusals = check.refusals.iter().map(|refusal| {
            let (file, line) = place(new, refusal.file, &refusal.path);
            Refused {
                file,
                line,
                path: refusal.path.clone(),
                message: refusal.message.clone(),
                mend: refusal.mend.clone(),
            }
        });
        let mut notes = check.notes.clone();
        notes.extend(found.notes);
        Self {
            product: diff.product.clone(),
            old_version: old.contract.version.to_string(),
            new_version: new.contract.version.to_string(),
            class: diff.class(),
            required: check.required,
            given: check.given,
            fits: check.holds(),
            changes: diff.changes.iter().map(told).collect(),
            refusals: refusals.collect(),
            consumers: found.searched.then(|| {
                let readers = found.consumers.iter().map(|consumer| Reader {
                    domain: consumer.domain.clone(),
                    products: consumer.products.clone(),
                    version: consumer.version.clone(),
                    files: consumer.files.clone(),
                    has_copy: consumer.copy.is_some(),
                });
                readers.collect()
            }),
            notes,
        }
    }
}
