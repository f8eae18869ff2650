//! What a valid contract leaves out and its readers would miss.

use mesh_core::contract::{Contract, Diagnostic, Field, Product, ProductKind, Type};
use saphyr::{LoadableYamlNode, MarkedYaml, YamlData};

use crate::draft::GUESS;
use crate::personal;

/// The places of a file's nodes, by their paths.
struct Places<'a> {
    file: &'a str,
    root: Option<MarkedYaml<'a>>,
}

impl<'a> Places<'a> {
    fn of(file: &'a str, text: &'a str) -> Self {
        let root = MarkedYaml::load_from_str(text)
            .ok()
            .and_then(|documents| documents.into_iter().next());
        Self { file, root }
    }

    /// Line and column of the node that `steps` lead to, or of the last that is there.
    fn at(&self, steps: &[Step<'_>]) -> (usize, usize) {
        let Some(mut node) = self.root.as_ref() else {
            return (1, 1);
        };
        for step in steps {
            let next = match (step, &node.data) {
                (Step::Key(name), YamlData::Mapping(entries)) => entries
                    .iter()
                    .find(|(key, _)| key.data.as_str() == Some(name))
                    .map(|(_, value)| value),
                (Step::Item(at), YamlData::Sequence(items)) => items.get(*at),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        (node.span.start.line(), node.span.start.col() + 1)
    }

    fn say(
        &self,
        steps: &[Step<'_>],
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Diagnostic {
        let (line, column) = self.at(steps);
        let mut field = String::new();
        for step in steps {
            match step {
                Step::Key(name) if field.is_empty() => field.push_str(name),
                Step::Key(name) => {
                    field.push('.');
                    field.push_str(name);
                }
                Step::Item(at) => field.push_str(&format!("[{at}]")),
            }
        }
        Diagnostic {
            file: self.file.to_owned(),
            line,
            column,
            field,
            message: message.into(),
            mend: mend.into(),
        }
    }
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

/// Advice on `contract`, which was read from `text`; `product` is the file beside it.
pub fn advise(
    file: &str,
    text: &str,
    contract: &Contract,
    product: Option<&Product>,
) -> Vec<Diagnostic> {
    let places = Places::of(file, text);
    let mut found = Vec::new();
    let head = [Step::Key("schema"), Step::Item(0)];
    let schema = &contract.schema;
    if schema.description.is_none() {
        found.push(places.say(
            &head,
            "the record has no description",
            "say what one record is: `description: …`",
        ));
    }
    if schema.kind == ProductKind::Event && schema.event_time.is_none() {
        found.push(places.say(
            &head,
            "no column tells when the event happened",
            "name a timestamp or a date by the custom property `mesh.eventTime`",
        ));
    }
    let has = |support: bool, team: Option<&mesh_core::contract::Team>| {
        support || team.is_some_and(|team| !team.members.is_empty())
    };
    let reachable = has(!contract.support.is_empty(), contract.team.as_ref())
        || product.is_some_and(|product| has(!product.support.is_empty(), Some(&product.team)));
    if !reachable {
        found.push(places.say(
            &[Step::Key("team")],
            "nobody can be asked about the data",
            "add a member to `team.members`, or a channel to `support`",
        ));
    }
    let mut personal = false;
    fields(
        &schema.fields,
        &head,
        &schema.name,
        &places,
        &mut found,
        &mut personal,
    );
    if personal && schema.subject_key.is_none() {
        found.push(places.say(
            &head,
            "there are personal columns, and nothing says whose data they are",
            "name the column that identifies the person by the custom property `mesh.subjectKey`",
        ));
    }
    found.sort_by_key(|one| (one.line, one.column));
    found
}

fn fields<'a>(
    columns: &'a [Field],
    at: &[Step<'a>],
    record: &str,
    places: &Places<'_>,
    found: &mut Vec<Diagnostic>,
    personal: &mut bool,
) {
    for (index, field) in columns.iter().enumerate() {
        let mut here = at.to_vec();
        here.extend([Step::Key("properties"), Step::Item(index)]);
        *personal |= field.is_personal();
        if field.description.is_none() {
            found.push(places.say(
                &here,
                format!("the column `{}` has no description", field.name),
                "say what its values mean: `description: …`",
            ));
        }
        if field.custom.contains_key(GUESS) {
            found.push(places.say(
                &here,
                format!("the classification of `{}` is still a guess", field.name),
                format!("check it, then remove the custom property `{GUESS}`"),
            ));
        }
        let guess = personal::guess(&field.name, &field.ty, record, None);
        if let Some((what, _)) = guess
            && field.classification.is_none()
        {
            found.push(places.say(
                &here,
                format!(
                    "`{}` looks personal ({what}) and has no classification",
                    field.name
                ),
                "write `classification: personal`, or `internal` if it is not",
            ));
        }
        let mut ty = &field.ty;
        loop {
            ty = match ty {
                Type::Array(array) => {
                    here.push(Step::Key("items"));
                    &array.items
                }
                Type::Map(map) => {
                    here.extend([Step::Key("map"), Step::Key("value")]);
                    &map.values
                }
                _ => break,
            };
        }
        if let Type::Object(object) = ty {
            fields(&object.fields, &here, &field.name, places, found, personal);
        }
    }
}
