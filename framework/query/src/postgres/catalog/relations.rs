//! The tables of `pg_catalog` that tell of the session's own objects.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Result as DfResult;

use super::About;
use super::objects::Objects;
use super::rows::{Row, Value, table as build};
use crate::postgres::types;
use crate::provider::CATALOG;

/// The numbers that PostgreSQL gives its own schemas and its first role.
const PG_CATALOG_OID: i32 = 11;
const INFORMATION_SCHEMA_OID: i32 = 13_000;
pub(super) const SYSTEM_ROLE: i32 = 10;
/// The role of who is logged in.
pub(super) const USER_ROLE: i32 = 16_383;
const DATABASE_OID: i32 = 5;
/// The number of the one encoding.
pub(super) const UTF8: i64 = 6;
/// What `pg_description` says of relations stands under `pg_class`.
const PG_CLASS_OID: i32 = 1_259;
const BTREE: i32 = 403;
const HEAP: i32 = 2;

/// Those that are built here.
pub(super) const NAMES: [&str; 17] = [
    "pg_attribute",
    "pg_authid",
    "pg_class",
    "pg_constraint",
    "pg_database",
    "pg_description",
    "pg_index",
    "pg_indexes",
    "pg_matviews",
    "pg_namespace",
    "pg_roles",
    "pg_settings",
    "pg_stat_user_tables",
    "pg_stat_ssl",
    "pg_tables",
    "pg_user",
    "pg_views",
];

const PG_NAMESPACE: &str = "oid:o nspname:n nspowner:o nspacl:a";
const PG_CLASS: &str = "oid:o relname:n relnamespace:o reltype:o reloftype:o relowner:o relam:o \
    relfilenode:o reltablespace:o relpages:i reltuples:f relallvisible:i reltoastrelid:o \
    relhasindex:b relisshared:b relpersistence:c relkind:c relnatts:s relchecks:s relhasrules:b \
    relhastriggers:b relhassubclass:b relrowsecurity:b relforcerowsecurity:b relispopulated:b \
    relreplident:c relispartition:b relrewrite:o relfrozenxid:i relminmxid:i relacl:a \
    reloptions:a relpartbound:t";
const PG_ATTRIBUTE: &str = "attrelid:o attname:n atttypid:o attlen:s attnum:s attcacheoff:i \
    atttypmod:i attndims:s attbyval:b attalign:c attstorage:c attcompression:c attnotnull:b \
    atthasdef:b atthasmissing:b attidentity:c attgenerated:c attisdropped:b attislocal:b \
    attinhcount:s attstattarget:s attcollation:o attacl:a attoptions:a attfdwoptions:a \
    attmissingval:t";
const PG_DESCRIPTION: &str = "objoid:o classoid:o objsubid:i description:t";
const PG_INDEX: &str = "indexrelid:o indrelid:o indnatts:s indnkeyatts:s indisunique:b \
    indnullsnotdistinct:b indisprimary:b indisexclusion:b indimmediate:b indisclustered:b \
    indisvalid:b indcheckxmin:b indisready:b indislive:b indisreplident:b indkey:v \
    indcollation:v indclass:v indoption:v indexprs:t indpred:t";
const PG_CONSTRAINT: &str = "oid:o conname:n connamespace:o contype:c condeferrable:b \
    condeferred:b convalidated:b conrelid:o contypid:o conindid:o conparentid:o confrelid:o \
    confupdtype:c confdeltype:c confmatchtype:c conislocal:b coninhcount:s connoinherit:b \
    conkey:v confkey:v conpfeqop:v conppeqop:v conffeqop:v confdelsetcols:v conexclop:v conbin:t";
const PG_DATABASE: &str = "oid:o datname:n datdba:o encoding:i datlocprovider:c datistemplate:b \
    datallowconn:b datconnlimit:i datfrozenxid:i datminmxid:i dattablespace:o datcollate:n \
    datctype:n daticulocale:t daticurules:t datcollversion:t datacl:a";
const PG_ROLES: &str = "oid:o rolname:n rolsuper:b rolinherit:b rolcreaterole:b rolcreatedb:b \
    rolcanlogin:b rolreplication:b rolconnlimit:i rolpassword:t rolvaliduntil:t rolbypassrls:b \
    rolconfig:a";
const PG_USER: &str = "usename:n usesysid:o usecreatedb:b usesuper:b userepl:b usebypassrls:b \
    passwd:t valuntil:t useconfig:a";
const PG_SETTINGS: &str = "name:n setting:t unit:t category:t short_desc:t extra_desc:t \
    context:t vartype:t source:t min_val:t max_val:t enumvals:a boot_val:t reset_val:t \
    sourcefile:t sourceline:i pending_restart:b";
const PG_TABLES: &str = "schemaname:n tablename:n tableowner:n tablespace:t hasindexes:b \
    hasrules:b hastriggers:b rowsecurity:b";
const PG_VIEWS: &str = "schemaname:n viewname:n viewowner:n definition:t";
const PG_MATVIEWS: &str = "schemaname:n matviewname:n matviewowner:n tablespace:t hasindexes:b \
    ispopulated:b definition:t";
const PG_INDEXES: &str = "schemaname:n tablename:n indexname:n tablespace:t indexdef:t";
const PG_STAT_USER_TABLES: &str = "relid:o schemaname:n relname:n";
const PG_STAT_SSL: &str = "pid:i ssl:b version:t cipher:t bits:i";

/// The table of this name, if it is one of ours.
pub(super) fn table(
    name: &str,
    about: &About,
    objects: &Objects,
) -> DfResult<Option<Arc<dyn TableProvider>>> {
    let (columns, rows) = match name {
        "pg_namespace" => (PG_NAMESPACE, namespaces(objects)),
        "pg_class" => (PG_CLASS, classes(objects)),
        "pg_attribute" => (PG_ATTRIBUTE, attributes(objects)),
        "pg_description" => (PG_DESCRIPTION, descriptions(objects)),
        "pg_index" => (PG_INDEX, indexes(objects)),
        "pg_constraint" => (PG_CONSTRAINT, constraints(objects)),
        "pg_database" => (PG_DATABASE, vec![database()]),
        "pg_roles" | "pg_authid" => (PG_ROLES, roles(about, objects)),
        "pg_user" => (PG_USER, vec![user(about)]),
        "pg_settings" => (PG_SETTINGS, settings(about)),
        "pg_tables" => (PG_TABLES, tables(objects)),
        "pg_indexes" => (PG_INDEXES, index_definitions(objects)),
        "pg_views" => (PG_VIEWS, Vec::new()),
        "pg_matviews" => (PG_MATVIEWS, Vec::new()),
        "pg_stat_user_tables" => (PG_STAT_USER_TABLES, Vec::new()),
        "pg_stat_ssl" => (PG_STAT_SSL, Vec::new()),
        _ => return Ok(None),
    };
    build(columns, &rows).map(Some)
}

fn namespaces(objects: &Objects) -> Vec<Row> {
    let row = |oid: i32, name: &str, owner: i32| -> Row {
        vec![
            ("oid", oid.into()),
            ("nspname", name.into()),
            ("nspowner", owner.into()),
        ]
    };
    let own = objects
        .schemas
        .iter()
        .map(|(name, schema)| row(schema.oid, name, schema.owner));
    [
        row(PG_CATALOG_OID, "pg_catalog", SYSTEM_ROLE),
        row(INFORMATION_SCHEMA_OID, "information_schema", SYSTEM_ROLE),
    ]
    .into_iter()
    .chain(own)
    .collect()
}

fn classes(objects: &Objects) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in &objects.tables {
        let Some(schema) = objects.schemas.get(&table.schema) else {
            continue;
        };
        let columns = table.columns().count() as i16;
        rows.push(vec![
            ("oid", table.oid.into()),
            ("relname", table.name.as_str().into()),
            ("relnamespace", schema.oid.into()),
            ("relowner", schema.owner.into()),
            ("relam", HEAP.into()),
            ("reltuples", Value::Int(-1)),
            ("relhasindex", table.key.is_some().into()),
            ("relpersistence", "p".into()),
            ("relkind", "r".into()),
            ("relnatts", columns.into()),
            ("relispopulated", true.into()),
            ("relreplident", "d".into()),
        ]);
        if let Some(key) = &table.key {
            rows.push(vec![
                ("oid", key.index.into()),
                ("relname", table.key_name().as_str().into()),
                ("relnamespace", schema.oid.into()),
                ("relowner", schema.owner.into()),
                ("relam", BTREE.into()),
                ("relpersistence", "p".into()),
                ("relkind", "i".into()),
                ("relnatts", (key.columns.len() as i16).into()),
                ("relispopulated", true.into()),
                ("relreplident", "n".into()),
            ]);
        }
    }
    rows
}

fn attributes(objects: &Objects) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in &objects.tables {
        for column in table.columns() {
            let size = types::size(column.type_oid);
            let attribute = |relation: i32, number: i16| -> Row {
                vec![
                    ("attrelid", relation.into()),
                    ("attname", column.field.name().as_str().into()),
                    ("atttypid", column.type_oid.cast_signed().into()),
                    ("attlen", size.into()),
                    ("attnum", number.into()),
                    ("attcacheoff", (-1).into()),
                    ("atttypmod", column.modifier().into()),
                    ("attndims", column.dimensions().into()),
                    ("attbyval", (1..=8).contains(&size).into()),
                    ("attalign", "i".into()),
                    ("attstorage", if size < 0 { "x" } else { "p" }.into()),
                    ("attnotnull", (!column.field.is_nullable()).into()),
                    ("attislocal", true.into()),
                    ("attstattarget", (-1).into()),
                ]
            };
            rows.push(attribute(table.oid, column.number));
            if let Some(key) = &table.key
                && let Some(at) = key.columns.iter().position(|one| *one == column.number)
            {
                rows.push(attribute(key.index, at as i16 + 1));
            }
        }
    }
    rows
}

fn descriptions(objects: &Objects) -> Vec<Row> {
    let row = |table: i32, column: i16, text: &str| -> Row {
        vec![
            ("objoid", table.into()),
            ("classoid", PG_CLASS_OID.into()),
            ("objsubid", column.into()),
            ("description", text.into()),
        ]
    };
    let mut rows = Vec::new();
    for table in &objects.tables {
        rows.extend(table.description().map(|text| row(table.oid, 0, text)));
        for column in table.columns() {
            let text = column.description();
            rows.extend(text.map(|text| row(table.oid, column.number, text)));
        }
    }
    rows
}

fn indexes(objects: &Objects) -> Vec<Row> {
    let keys = objects.tables.iter().filter_map(|table| {
        let key = table.key.as_ref()?;
        let count = key.columns.len() as i16;
        let zeros = vec![0; key.columns.len()];
        Some(vec![
            ("indexrelid", key.index.into()),
            ("indrelid", table.oid.into()),
            ("indnatts", count.into()),
            ("indnkeyatts", count.into()),
            ("indisunique", true.into()),
            ("indisprimary", true.into()),
            ("indimmediate", true.into()),
            ("indisvalid", true.into()),
            ("indisready", true.into()),
            ("indislive", true.into()),
            ("indkey", key.columns.clone().into()),
            ("indcollation", zeros.clone().into()),
            ("indclass", zeros.clone().into()),
            ("indoption", zeros.into()),
        ])
    });
    keys.collect()
}

fn constraints(objects: &Objects) -> Vec<Row> {
    let keys = objects.tables.iter().filter_map(|table| {
        let key = table.key.as_ref()?;
        let schema = objects.schemas.get(&table.schema)?;
        Some(vec![
            ("oid", key.constraint.into()),
            ("conname", table.key_name().as_str().into()),
            ("connamespace", schema.oid.into()),
            ("contype", "p".into()),
            ("convalidated", true.into()),
            ("conrelid", table.oid.into()),
            ("conindid", key.index.into()),
            ("confupdtype", " ".into()),
            ("confdeltype", " ".into()),
            ("confmatchtype", " ".into()),
            ("conislocal", true.into()),
            ("connoinherit", true.into()),
            ("conkey", key.columns.clone().into()),
        ])
    });
    keys.collect()
}

fn database() -> Row {
    vec![
        ("oid", DATABASE_OID.into()),
        ("datname", CATALOG.into()),
        ("datdba", SYSTEM_ROLE.into()),
        ("encoding", Value::Int(UTF8)),
        ("datlocprovider", "c".into()),
        ("datallowconn", true.into()),
        ("datconnlimit", (-1).into()),
        ("datcollate", "C".into()),
        ("datctype", "C".into()),
    ]
}

fn roles(about: &About, objects: &Objects) -> Vec<Row> {
    let role = |oid: i32, name: &str, login: bool| -> Row {
        vec![
            ("oid", oid.into()),
            ("rolname", name.into()),
            ("rolinherit", true.into()),
            ("rolcanlogin", login.into()),
            ("rolconnlimit", (-1).into()),
        ]
    };
    let mut rows = vec![
        role(SYSTEM_ROLE, CATALOG, false),
        role(USER_ROLE, &about.user, true),
    ];
    // The domains own their schemas.
    rows.extend(
        objects
            .schemas
            .iter()
            .filter(|(name, _)| **name != about.user)
            .map(|(name, schema)| role(schema.owner, name, false)),
    );
    rows
}

fn user(about: &About) -> Row {
    vec![
        ("usename", about.user.as_str().into()),
        ("usesysid", USER_ROLE.into()),
    ]
}

fn settings(about: &About) -> Vec<Row> {
    let rows = about.settings.iter().map(|(name, value)| {
        vec![
            ("name", name.as_str().into()),
            ("setting", value.as_str().into()),
            ("category", "mesh".into()),
            ("context", "user".into()),
            ("vartype", "string".into()),
            ("source", "session".into()),
            ("boot_val", value.as_str().into()),
            ("reset_val", value.as_str().into()),
        ]
    });
    rows.collect()
}

fn tables(objects: &Objects) -> Vec<Row> {
    let rows = objects.tables.iter().map(|table| {
        vec![
            ("schemaname", table.schema.as_str().into()),
            ("tablename", table.name.as_str().into()),
            ("tableowner", table.schema.as_str().into()),
            ("hasindexes", table.key.is_some().into()),
        ]
    });
    rows.collect()
}

fn index_definitions(objects: &Objects) -> Vec<Row> {
    let rows = objects
        .tables
        .iter()
        .filter(|table| table.key.is_some())
        .map(|table| {
            vec![
                ("schemaname", table.schema.as_str().into()),
                ("tablename", table.name.as_str().into()),
                ("indexname", table.key_name().as_str().into()),
                (
                    "indexdef",
                    super::functions::index_definition(table).as_str().into(),
                ),
            ]
        });
    rows.collect()
}
