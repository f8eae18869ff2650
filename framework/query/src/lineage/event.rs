//! Lineage as an event of OpenLineage (<https://openlineage.io/spec/2-0-2/OpenLineage.json>),
//! with the facets `schema` (1-1-1) and `columnLineage` (1-2-0) of what was made.

use std::collections::BTreeSet;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::flow::{Direct, Flow, Indirect, Part, SourceColumn};
use super::walk::Lineage;
use crate::render::sql_type;

const SPEC: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
const SCHEMA_FACET: &str =
    "https://openlineage.io/spec/facets/1-1-1/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet";
const COLUMNS_FACET: &str = "https://openlineage.io/spec/facets/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet";
/// Whose jobs and answers they are.
const NAMESPACE: &str = "mesh";
/// The program that tells them; a URI, as the specification asks for.
const PRODUCER: &str = concat!("urn:mesh:query:", env!("CARGO_PKG_VERSION"));

/// How a run ended, or that it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Running,
    Complete,
    Fail,
    Abort,
}

impl Outcome {
    /// OpenLineage's word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Complete => "COMPLETE",
            Self::Fail => "FAIL",
            Self::Abort => "ABORT",
        }
    }
}

/// One run of a statement or of a derived product.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) id: Uuid,
    /// The same for each run of the same statement.
    pub(crate) job: String,
    pub(crate) outcome: Outcome,
    pub(crate) at: DateTime<Utc>,
    /// The Kafka cluster, as OpenLineage names its datasets: `kafka://host:port`.
    pub(crate) cluster: String,
    /// The topic that it writes; nothing for an answer.
    pub(crate) writes: Option<String>,
}

/// The event of `run`, whose result has `schema`.
pub(crate) fn run_event(run: &Run, lineage: &Lineage, schema: &SchemaRef) -> Value {
    let inputs: Vec<Value> = lineage
        .topics
        .iter()
        .map(|topic| json!({ "namespace": run.cluster, "name": topic }))
        .collect();
    let (namespace, name) = match &run.writes {
        Some(topic) => (run.cluster.as_str(), topic.clone()),
        None => (NAMESPACE, format!("answer/{}", run.id)),
    };
    let fields: Vec<Value> = schema
        .fields()
        .iter()
        .map(|field| json!({ "name": field.name(), "type": sql_type(field.data_type()) }))
        .collect();
    json!({
        "eventType": run.outcome.word(),
        "eventTime": run.at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "producer": PRODUCER,
        "schemaURL": SPEC,
        "run": { "runId": run.id },
        "job": { "namespace": NAMESPACE, "name": run.job },
        "inputs": inputs,
        "outputs": [{
            "namespace": namespace,
            "name": name,
            "facets": {
                "schema": {
                    "_producer": PRODUCER,
                    "_schemaURL": SCHEMA_FACET,
                    "fields": fields,
                },
                "columnLineage": columns(run, lineage),
            },
        }],
    })
}

fn columns(run: &Run, lineage: &Lineage) -> Value {
    let mut fields = Map::new();
    for (name, flow) in &lineage.columns {
        let input: Vec<Value> = inputs(run, flow);
        // A statement may show two columns under one name; both are told of.
        match fields
            .get_mut(name)
            .and_then(|field| field["inputFields"].as_array_mut())
        {
            Some(before) => before.extend(input),
            None => {
                fields.insert(name.clone(), json!({ "inputFields": input }));
            }
        }
    }
    json!({
        "_producer": PRODUCER,
        "_schemaURL": COLUMNS_FACET,
        "fields": fields,
        "dataset": inputs(run, &lineage.rows),
    })
}

fn inputs(run: &Run, flow: &Flow) -> Vec<Value> {
    flow.0
        .iter()
        .map(|(SourceColumn { topic, column }, part)| {
            json!({
                "namespace": run.cluster,
                "name": topic,
                "field": column,
                "transformations": transformations(part),
            })
        })
        .collect()
}

fn transformations(part: &Part) -> Vec<Value> {
    let direct = part.direct.map(|direct| {
        let subtype = match direct {
            Direct::Identity => "IDENTITY",
            Direct::Transformation => "TRANSFORMATION",
            Direct::Aggregation => "AGGREGATION",
        };
        ("DIRECT", subtype)
    });
    let indirect: BTreeSet<_> = part
        .indirect
        .iter()
        .map(|indirect| {
            let subtype = match indirect {
                Indirect::Join => "JOIN",
                Indirect::GroupBy => "GROUP_BY",
                Indirect::Filter => "FILTER",
                Indirect::Sort => "SORT",
                Indirect::Window => "WINDOW",
                Indirect::Conditional => "CONDITIONAL",
            };
            ("INDIRECT", subtype)
        })
        .collect();
    direct
        .into_iter()
        .chain(indirect)
        .map(|(kind, subtype)| json!({ "type": kind, "subtype": subtype, "masking": false }))
        .collect()
}
