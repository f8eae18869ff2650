//! `mesh new product`.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mesh_core::contract::ProductKind;
use mesh_core::{Error, Result};
use mesh_formats::sample::{CsvOptions, Limits};
use mesh_formats::{Choice, SourceFormat, SourceOptions, read_registered};
use mesh_scaffold::{Column, Given, Place, ProductName, ProductWishes, Templates, new_product};

use super::ask::Ask;
use crate::contract::import::{delimiter, fetch};
use crate::ui;

#[derive(Args)]
pub(crate) struct ProductArgs {
    /// Domain and product, such as shipping/shipments
    name: String,
    /// Facts that happened, or rows that replace each other
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// The columns that tell one row from another
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    key: Vec<String>,
    /// A column; may be given again. TYPE is string, uuid, integer, long, number,
    /// decimal(12,2), boolean, date, timestamp, timestamp-micros or enum(A,B)
    #[arg(long, value_name = "NAME:TYPE[:required][:personal]", conflicts_with_all = ["from_sample", "from_subject"])]
    field: Vec<String>,
    /// Take the columns from a sample in CSV, JSON or Parquet, or from a schema; a sample of
    /// rows feeds a product without code
    #[arg(
        long,
        visible_alias = "sample",
        value_name = "FILE",
        conflicts_with = "from_subject"
    )]
    from_sample: Option<PathBuf>,
    /// Take the columns from the latest schema of a registry's subject
    #[arg(long, value_name = "SUBJECT", requires = "registry")]
    from_subject: Option<String>,
    /// Where the registry answers
    #[arg(long, env = "MESH_REGISTRY_URL", value_name = "URL")]
    registry: Option<String>,
    /// The sample's format, where its ending does not tell it
    #[arg(long, requires = "from_sample")]
    format: Option<SourceFormat>,
    /// The character between two fields of a CSV sample; `tab` for the tabulator
    #[arg(long, value_parser = delimiter, requires = "from_sample")]
    delimiter: Option<u8>,
    /// The column with the time of the event
    #[arg(long, value_name = "COLUMN")]
    event_time: Option<String>,
    /// A column with personal data; may be given again
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    personal: Vec<String>,
    /// The column that identifies the person a row is about [default with --personal: the key]
    #[arg(long, value_name = "COLUMN")]
    subject_key: Option<String>,
    /// The team that owns it [default: the domain]
    #[arg(long)]
    owner: Option<String>,
    /// What it is for, in a sentence
    #[arg(long)]
    purpose: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Event,
    State,
}

impl From<Kind> for ProductKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Event => Self::Event,
            Kind::State => Self::State,
        }
    }
}

pub(super) async fn run(place: &Place, mut args: ProductArgs, templates: &Templates) -> Result<()> {
    let name = ProductName::parse(&args.name)?;
    // Before anybody is asked anything.
    let domain = place.domain(&name.domain)?;
    let nothing_given =
        args.field.is_empty() && args.from_sample.is_none() && args.from_subject.is_none();
    if nothing_given && std::io::stdin().is_terminal() {
        let mut ask = Ask::new(std::io::stdin().lock(), std::io::stderr());
        complete(&mut args, &mut ask)?;
    }
    let given = given(&args).await?;
    let wishes = ProductWishes {
        kind: args.kind.map(ProductKind::from),
        key: args.key,
        event_time: args.event_time,
        personal: args.personal,
        subject_key: args.subject_key,
        owner: args.owner,
        purpose: args.purpose,
    };
    super::write(new_product(place, &name, &given, &wishes, templates)?)?;
    let folder = super::shown(&domain.path);
    ui::line(match domain.code {
        true => format!("next: cargo test --workspace --test {}_it", name.domain),
        false => format!("next: mesh apply, then mesh run {folder}"),
    });
    Ok(())
}

/// Asks for what was not given.
fn complete<R: BufRead, W: Write>(args: &mut ProductArgs, ask: &mut Ask<R, W>) -> Result<()> {
    args.field = ask.several(
        "a column as name:type[:required][:personal], or an empty line:",
        |text| text.parse::<Column>().map(|_| text.to_owned()),
    )?;
    if args.key.is_empty() {
        let columns: Vec<Column> = read_columns(&args.field)?;
        args.key = ask.until("the columns of the key, with commas between:", |text| {
            let key: Vec<String> = text
                .split(',')
                .map(|column| column.trim().to_owned())
                .collect();
            match key
                .iter()
                .find(|name| !columns.iter().any(|column| column.name() == *name))
            {
                Some(name) => Err(Error::invalid(format!("`{name}` is no column"))
                    .mend("name columns that were given, by --key or here")),
                None => Ok(key),
            }
        })?;
    }
    if args.kind.is_none() {
        let kind = ask.until(
            "event (facts) or state (rows that replace each other):",
            |text| {
                Kind::from_str(text, true).map_err(|_| {
                    Error::invalid("this is no kind of a product").mend("answer `event` or `state`")
                })
            },
        );
        args.kind = Some(kind?);
    }
    Ok(())
}

fn read_columns(fields: &[String]) -> Result<Vec<Column>> {
    fields.iter().map(|text| text.parse()).collect()
}

async fn given(args: &ProductArgs) -> Result<Given> {
    if let Some(path) = &args.from_sample {
        return Ok(Given::File {
            path: path.clone(),
            options: Box::new(SourceOptions {
                format: args.format,
                csv: CsvOptions {
                    delimiter: args.delimiter,
                    header: None,
                },
                limits: Limits::default(),
                ..SourceOptions::default()
            }),
        });
    }
    if let (Some(subject), Some(registry)) = (&args.from_subject, &args.registry) {
        let registered = fetch(registry, subject).await?;
        let imported = read_registered(
            subject,
            registered.schema_type.as_deref(),
            &registered.schema,
            &Choice::default(),
        )?;
        return Ok(Given::Imported(Box::new(imported)));
    }
    Ok(Given::Columns(read_columns(&args.field)?))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ProductArgs,
    }

    #[test]
    fn what_was_not_given_is_asked_until_it_is_right() {
        let mut args = Line::parse_from(["new", "shop/orders"]).args;
        let answers = "Order:string\norder_id:string:required\nnote:text\nnote:string\n\n\
                       id\norder_id\nfacts\nevent\n";
        let mut said = Vec::new();
        complete(&mut args, &mut Ask::new(answers.as_bytes(), &mut said)).unwrap();
        assert_eq!(args.field, ["order_id:string:required", "note:string"]);
        assert_eq!(args.key, ["order_id"]);
        assert_eq!(args.kind, Some(Kind::Event));
        let said = String::from_utf8(said).unwrap();
        for fault in [
            "`Order` is not a valid name",
            "`text` is no type of a column",
            "`id` is no column",
            "this is no kind of a product",
        ] {
            assert!(said.contains(fault), "{fault}: {said}");
        }
    }

    #[test]
    fn an_end_of_the_answers_is_an_error() {
        let mut args = Line::parse_from(["new", "shop/orders"]).args;
        let error = complete(
            &mut args,
            &mut Ask::new("a:string\n\n".as_bytes(), Vec::new()),
        );
        assert!(error.unwrap_err().to_string().contains("is no column"));
    }
}
