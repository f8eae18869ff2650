//! Finding the schemas that a schema refers to.

use std::collections::HashSet;

use crate::app::Answer;
use crate::compat::{MAX_SCHEMA_BYTES, Reference, SchemaType};
use crate::refusal::Refusal;
use crate::store::{self, Session, Shown, Wanted};
use crate::subject::Subject;

/// Schemas that one schema may refer to, also by way of others.
const MAX_REFERENCES: usize = 500;

/// A reference as a client sends it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) version: Wanted,
}

impl From<&Reference> for Asked {
    fn from(reference: &Reference) -> Self {
        Self {
            name: reference.name.clone(),
            subject: reference.subject.clone(),
            version: Wanted::Number(reference.version),
        }
    }
}

/// References that were found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Resolved {
    /// The references themselves, each with the number of its version.
    pub(super) references: Vec<Reference>,
    /// The same as subjects of the registry.
    pub(super) referred: Vec<(Subject, u32)>,
    /// Names and texts of all that is referred to, each after those that it uses.
    pub(super) texts: Vec<(String, String)>,
}

enum Step {
    Visit {
        context: String,
        asked: Asked,
        direct: bool,
    },
    Emit(String, String),
}

/// Finds what a schema of `kind` under `parent` refers to. `shown` says whether a version
/// that was deleted may be referred to; what that refers to itself may be deleted.
pub(super) async fn resolve(
    session: &mut Session,
    parent: &Subject,
    kind: SchemaType,
    asked: &[Asked],
    shown: Shown,
) -> Answer<Resolved> {
    let mut resolved = Resolved::default();
    let (mut seen, mut bytes) = (HashSet::new(), 0);
    let visit = |context: &str, asked: Asked, direct| Step::Visit {
        context: context.to_owned(),
        asked,
        direct,
    };
    let mut steps: Vec<Step> = asked
        .iter()
        .rev()
        .map(|asked| visit(parent.context(), asked.clone(), true))
        .collect();
    while let Some(step) = steps.pop() {
        let (context, asked, direct) = match step {
            Step::Emit(name, text) => {
                // Two subjects may hold the same text: the types of Avro are defined once, and
                // the other languages ask for it by each of its names.
                let by_name = kind != SchemaType::Avro;
                let known = |(known, same): &(String, String)| {
                    *same == text && (!by_name || *known == name)
                };
                if !resolved.texts.iter().any(known) {
                    resolved.texts.push((name, text));
                }
                continue;
            }
            Step::Visit {
                context,
                asked,
                direct,
            } => (context, asked, direct),
        };
        let subject = Subject::within(&context, &asked.subject);
        let shown = if direct { shown } else { Shown::All };
        let Some(found) = store::version(session, &subject, asked.version, shown).await? else {
            return Err(missing(&asked));
        };
        if found.content.kind != kind {
            return Err(Refusal::invalid_schema(format!(
                "Invalid schema, details: the reference '{}' is of type {} and the schema of \
                 type {kind}",
                asked.name, found.content.kind
            )));
        }
        if direct {
            resolved.references.push(Reference {
                name: asked.name.clone(),
                subject: asked.subject.clone(),
                version: found.version,
            });
            resolved.referred.push((subject.clone(), found.version));
        }
        let called = if kind == SchemaType::Avro {
            ""
        } else {
            &asked.name
        };
        if !seen.insert((found.subject, found.version, called.to_owned())) {
            continue;
        }
        bytes += found.content.schema.len();
        if bytes > MAX_SCHEMA_BYTES || seen.len() > MAX_REFERENCES {
            return Err(Refusal::new(
                42209,
                format!(
                    "The schema is too large together with what it refers to: the limits are \
                     {MAX_SCHEMA_BYTES} bytes and {MAX_REFERENCES} schemas"
                ),
            ));
        }
        steps.push(Step::Emit(asked.name, found.content.schema));
        let further = found.content.references.iter().rev();
        steps.extend(further.map(|further| visit(subject.context(), further.into(), false)));
    }
    Ok(resolved)
}

fn missing(asked: &Asked) -> Refusal {
    let version = match asked.version {
        Wanted::Latest => "latest".to_owned(),
        Wanted::Number(number) => number.to_string(),
    };
    Refusal::invalid_schema(format!(
        "Invalid schema, details: No schema reference found for subject \"{}\" and version \
         {version}: register the referenced schema first",
        asked.subject
    ))
}
