//! Where data stand: servers of every kind, each with its own fields.

use serde_json::Value as Json;

use super::common::{CustomProperty, custom};
use super::contract::Role;
use super::model::{Part, model};
use crate::node::{Map, Node, Reader, Value, quoted};

model! {
    /// A server that carries the data; its `type` decides which fields from `account` to
    /// `workgroup` it has.
    pub struct Server check fields_of_its_type {
        id = "id": id, "its stable id.";
        server = "server": req<String>, "its name.";
        kind = "type": req<String>, "what it is, such as `kafka` or `postgres`.";
        description = "description": opt<String>, "a word about it.";
        environment = "environment": opt<String>, "what it is for, such as `prod`.";
        account = "account": opt<String>, "the account.";
        catalog = "catalog": opt<String>, "the catalog.";
        catalog_url = "catalogUrl": opt<String> [32, 0], "the address of the Iceberg catalog.";
        database = "database": opt<String>, "the database.";
        dataset = "dataset": opt<String>, "the dataset.";
        delimiter = "delimiter": opt<String>, "what stands between documents.";
        encoding = "encoding": opt<String>, "the encoding of texts.";
        endpoint_url = "endpointUrl": opt<String>, "the address of the endpoint.";
        format = "format": opt<String>, "the format of the data.";
        host = "host": opt<String>, "the host, for Kafka the bootstrap address.";
        location = "location": opt<String>, "a URL, which may hold `*`.";
        namespace = "namespace": opt<String> [32, 0], "the namespace.";
        path = "path": opt<String>, "a path of files, which may hold `*`.";
        port = "port": opt<Port>, "the port.";
        project = "project": opt<String>, "the project.";
        region = "region": opt<String>, "the region.";
        region_name = "regionName": opt<String>, "the region's name.";
        schema = "schema": opt<String>, "the schema.";
        service_name = "serviceName": opt<String>, "the service.";
        staging_dir = "stagingDir": opt<String>, "where results are staged.";
        stream = "stream": opt<String> [31, 0], "the stream.";
        warehouse = "warehouse": opt<String>, "the warehouse.";
        workgroup = "workgroup": opt<String> [32, 0], "the work group.";
        roles = "roles": list<Role>, "who may do what there.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
    }
}

/// A port: a number, or from v3.2.0 on a text such as `${PORT}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// The number.
    Number(i64),
    /// A text with variables.
    Text(String),
}

impl Part for Port {
    fn read(reader: &Reader, node: &Node, path: &str) -> Option<Self> {
        match &node.value {
            Value::Str(text) if !reader.edition().contract_before(32) => {
                Some(Self::Text(text.clone()))
            }
            _ => i64::read(reader, node, path).map(Self::Number),
        }
    }

    fn write(&self) -> Json {
        match self {
            Self::Number(number) => number.write(),
            Self::Text(text) => text.write(),
        }
    }
}

/// A type of server, the version that brought it, and the fields that it must and may have.
struct Kind {
    name: &'static str,
    since: u8,
    must: &'static [&'static str],
    may: &'static [&'static str],
}

const fn kind(
    name: &'static str,
    since: u8,
    must: &'static [&'static str],
    may: &'static [&'static str],
) -> Kind {
    Kind {
        name,
        since,
        must,
        may,
    }
}

const FILES: &[&str] = &["format", "encoding", "delimiter"];
const HOST_DATABASE: &[&str] = &["host", "database"];
const HOST_PORT_DATABASE: &[&str] = &["host", "port", "database"];
const ALL_FOUR: &[&str] = &["host", "port", "database", "schema"];

/// Every type of server that v3.2.0 knows.
const KINDS: &[Kind] = &[
    kind("api", 30, &["location"], &[]),
    kind(
        "athena",
        30,
        &["schema"],
        &["stagingDir", "catalog", "regionName", "workgroup"],
    ),
    kind(
        "azure",
        30,
        &["location", "format"],
        &["encoding", "delimiter"],
    ),
    kind("bigquery", 30, &["project", "dataset"], &[]),
    kind("btrieve", 32, HOST_DATABASE, &["port"]),
    kind("clickhouse", 30, HOST_PORT_DATABASE, &[]),
    kind("databricks", 30, &["catalog", "schema"], &["host"]),
    kind("denodo", 30, &["host", "port"], &["database"]),
    kind("dremio", 30, &["host", "port"], &["schema"]),
    kind("duckdb", 30, &["database"], &["schema"]),
    kind("exasol", 32, &["host"], &["port", "schema"]),
    kind("fastobjects", 32, &["database"], &["host", "port"]),
    kind(
        "glue",
        30,
        &["account", "database"],
        &["location", "format", "encoding"],
    ),
    kind("hana", 32, &["host"], &["port", "database", "schema"]),
    kind("cloudsql", 30, ALL_FOUR, &[]),
    kind("db2", 30, HOST_PORT_DATABASE, &["schema"]),
    kind("hive", 31, HOST_DATABASE, &["port"]),
    kind(
        "iceberg",
        32,
        &["catalog", "catalogUrl"],
        &["namespace", "warehouse"],
    ),
    kind("impala", 31, HOST_DATABASE, &["port"]),
    kind("informix", 30, HOST_DATABASE, &["port"]),
    kind("ingres", 32, HOST_DATABASE, &["port"]),
    kind("kafka", 30, &["host"], &["format", "encoding"]),
    kind("kinesis", 30, &[], &["region", "format", "encoding"]),
    kind("local", 30, &["path", "format"], &["encoding"]),
    kind("mysql", 30, HOST_PORT_DATABASE, &[]),
    kind("oracle", 30, &["host", "port", "serviceName"], &[]),
    kind("poet", 32, &["database"], &["host", "port"]),
    kind("postgresql", 30, ALL_FOUR, &[]),
    kind("postgres", 30, ALL_FOUR, &[]),
    kind("presto", 30, &["host"], &["catalog", "schema"]),
    kind("pubsub", 30, &["project"], &[]),
    kind(
        "redshift",
        30,
        &["database", "schema"],
        &["host", "region", "account"],
    ),
    kind(
        "s3",
        30,
        &["location"],
        &["endpointUrl", "format", "encoding", "delimiter"],
    ),
    kind("sftp", 30, &["location"], FILES),
    kind(
        "snowflake",
        30,
        &["account", "database", "schema"],
        &["host", "port", "warehouse"],
    ),
    kind("sqlserver", 30, &["host", "database", "schema"], &["port"]),
    kind("synapse", 30, HOST_PORT_DATABASE, &[]),
    kind("teradata", 32, &["host"], &["port", "database"]),
    kind("trino", 30, &["host", "port", "catalog", "schema"], &[]),
    kind("vectorwise", 32, HOST_DATABASE, &["port"]),
    kind("versant", 32, &["database"], &["host", "port"]),
    kind("vertica", 30, ALL_FOUR, &[]),
    kind("zen", 31, HOST_DATABASE, &["port"]),
    kind(
        "custom",
        30,
        &[],
        &[
            "account",
            "catalog",
            "database",
            "dataset",
            "delimiter",
            "endpointUrl",
            "format",
            "encoding",
            "host",
            "location",
            "path",
            "port",
            "project",
            "region",
            "regionName",
            "schema",
            "serviceName",
            "stagingDir",
            "warehouse",
            "stream",
        ],
    ),
];

/// The fields that only some types have.
const OWN: &[&str] = &[
    "account",
    "catalog",
    "catalogUrl",
    "database",
    "dataset",
    "delimiter",
    "encoding",
    "endpointUrl",
    "format",
    "host",
    "location",
    "namespace",
    "path",
    "port",
    "project",
    "region",
    "regionName",
    "schema",
    "serviceName",
    "stagingDir",
    "stream",
    "warehouse",
    "workgroup",
];

fn fields_of_its_type(map: &Map<'_>) {
    custom(map);
    map.unique("roles", &["id"]);
    let Some(name) = map.text("type") else {
        return;
    };
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        map.refuse(
            "type",
            format!("`{}` is no type of server", crate::yaml::shown(name)),
            format!("write `custom` or one of {}", quoted(&names)),
        );
        return;
    };
    let edition = map.reader.edition();
    if edition.contract_before(kind.since) {
        let version = format!("v{}.{}.0", kind.since / 10, kind.since % 10);
        map.refuse(
            "type",
            format!("`{name}` came with {version} of the standard"),
            format!("write `apiVersion: {version}` or `type: custom`"),
        );
    }
    for key in kind.must.iter().filter(|key| !map.has(key)) {
        map.missing(key);
    }
    if name == "athena" && edition.contract_before(32) && !map.has("stagingDir") {
        map.missing("stagingDir");
    }
    let own: Vec<&str> = [kind.must, kind.may].concat();
    for key in OWN.iter().filter(|key| map.has(key) && !own.contains(key)) {
        map.refuse_key(
            key,
            format!("a server of type `{name}` does not have this"),
            if own.is_empty() {
                "remove it or move it to `customProperties`".to_owned()
            } else {
                format!("remove it or use {}", quoted(&own))
            },
        );
    }
    if name == "sftp"
        && map
            .text("location")
            .is_some_and(|url| !url.starts_with("sftp://"))
    {
        map.refuse("location", "is no sftp address", "write `sftp://…`");
    }
}
