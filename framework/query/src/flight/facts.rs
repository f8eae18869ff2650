//! What clients ask about the door itself: what it can do, and its types.

use std::sync::OnceLock;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    CommandGetSqlInfo, CommandGetXdbcTypeInfo, Nullable, Searchable, SqlInfo, SqlNullOrdering,
    SqlSupportedCaseSensitivity, SqlSupportedTransaction, XdbcDataType, XdbcDatetimeSubcode,
};
use mesh_core::Result;

use super::status::unwritable;
use crate::statement::{MAX_BYTES, MAX_TABLES};

/// What the door can do.
///
/// # Errors
/// If arrow cannot put it into a batch, which would be a fault of ours.
pub(super) fn info(asked: CommandGetSqlInfo) -> Result<RecordBatch> {
    static INFO: OnceLock<Option<SqlInfoData>> = OnceLock::new();
    let info = INFO.get_or_init(|| about().build().ok());
    let info = info.as_ref().ok_or_else(|| unwritable(()))?;
    asked.into_builder(info).build().map_err(unwritable)
}

pub(super) fn info_schema() -> SchemaRef {
    std::sync::Arc::new(SqlInfoDataBuilder::schema().clone())
}

/// The types that columns have.
///
/// # Errors
/// As [`info`].
pub(super) fn types(asked: CommandGetXdbcTypeInfo) -> Result<RecordBatch> {
    let types = all_types().as_ref().ok_or_else(|| unwritable(()))?;
    asked.into_builder(types).build().map_err(unwritable)
}

pub(super) fn types_schema() -> SchemaRef {
    XdbcTypeInfoDataBuilder::new().schema()
}

fn about() -> SqlInfoDataBuilder {
    let mut about = SqlInfoDataBuilder::new();
    about.append(SqlInfo::FlightSqlServerName, "mesh");
    about.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    about.append(SqlInfo::FlightSqlServerArrowVersion, arrow::ARROW_VERSION);
    for (fact, yes) in [
        (SqlInfo::FlightSqlServerReadOnly, true),
        (SqlInfo::FlightSqlServerSql, true),
        (SqlInfo::FlightSqlServerSubstrait, false),
        (SqlInfo::FlightSqlServerCancel, true),
        (SqlInfo::FlightSqlServerBulkIngestion, false),
        (SqlInfo::SqlDdlCatalog, false),
        (SqlInfo::SqlDdlSchema, false),
        (SqlInfo::SqlDdlTable, false),
        (SqlInfo::SqlAllTablesAreSelectable, true),
        (SqlInfo::SqlSupportsColumnAliasing, true),
        (SqlInfo::SqlNullPlusNullIsNull, true),
        (SqlInfo::SqlSupportsTableCorrelationNames, true),
        (SqlInfo::SqlSupportsDifferentTableCorrelationNames, false),
        (SqlInfo::SqlSupportsExpressionsInOrderBy, true),
        (SqlInfo::SqlSupportsOrderByUnrelated, true),
        (SqlInfo::SqlSupportsNonNullableColumns, true),
        (SqlInfo::SqlCatalogAtStart, true),
        (SqlInfo::SqlSelectForUpdateSupported, false),
        (SqlInfo::SqlStoredProceduresSupported, false),
        (SqlInfo::SqlCorrelatedSubqueriesSupported, true),
        (SqlInfo::SqlTransactionsSupported, false),
        (SqlInfo::SqlBatchUpdatesSupported, false),
        (SqlInfo::SqlSavepointsSupported, false),
        (SqlInfo::SqlNamedParametersSupported, false),
    ] {
        about.append(fact, yes);
    }
    for (fact, text) in [
        (SqlInfo::SqlIdentifierQuoteChar, "\""),
        (SqlInfo::SqlSearchStringEscape, "\\"),
        (SqlInfo::SqlSchemaTerm, "domain"),
        (SqlInfo::SqlCatalogTerm, "mesh"),
    ] {
        about.append(fact, text);
    }
    about.append(
        SqlInfo::FlightSqlServerTransaction,
        SqlSupportedTransaction::None as i32,
    );
    about.append(
        SqlInfo::SqlIdentifierCase,
        SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32,
    );
    about.append(
        SqlInfo::SqlQuotedIdentifierCase,
        SqlSupportedCaseSensitivity::SqlCaseSensitivityCaseInsensitive as i32,
    );
    about.append(
        SqlInfo::SqlNullOrdering,
        SqlNullOrdering::SqlNullsSortedHigh as i32,
    );
    about.append(SqlInfo::SqlMaxStatementLength, MAX_BYTES as i64);
    about.append(SqlInfo::SqlMaxTablesInSelect, MAX_TABLES as i64);
    about
}

fn all_types() -> &'static Option<XdbcTypeInfoData> {
    static TYPES: OnceLock<Option<XdbcTypeInfoData>> = OnceLock::new();
    TYPES.get_or_init(|| build_types().ok())
}

fn build_types() -> Result<XdbcTypeInfoData, FlightError> {
    use XdbcDataType as Type;
    let mut builder = XdbcTypeInfoDataBuilder::new();
    for (name, data_type, size, quoted) in [
        ("BOOLEAN", Type::XdbcBit, 1, false),
        ("TINYINT", Type::XdbcTinyint, 3, false),
        ("SMALLINT", Type::XdbcSmallint, 5, false),
        ("INTEGER", Type::XdbcInteger, 10, false),
        ("BIGINT", Type::XdbcBigint, 19, false),
        ("REAL", Type::XdbcReal, 7, false),
        ("DOUBLE", Type::XdbcDouble, 15, false),
        ("DECIMAL", Type::XdbcDecimal, 38, false),
        ("VARCHAR", Type::XdbcVarchar, i32::MAX, true),
        ("VARBINARY", Type::XdbcVarbinary, i32::MAX, true),
        ("DATE", Type::XdbcDate, 10, true),
        ("TIME", Type::XdbcTime, 15, true),
        ("TIMESTAMP", Type::XdbcTimestamp, 32, true),
        ("INTERVAL", Type::XdbcInterval, 64, true),
    ] {
        let numeric = !quoted && data_type != Type::XdbcBit;
        let decimal = data_type == Type::XdbcDecimal;
        let quote = match data_type {
            Type::XdbcVarbinary => Some("X'"),
            _ if quoted => Some("'"),
            _ => None,
        };
        builder.append(XdbcTypeInfo {
            type_name: name.to_owned(),
            data_type,
            column_size: Some(size),
            literal_prefix: quote.map(str::to_owned),
            literal_suffix: quote.map(|_| "'".to_owned()),
            create_params: decimal.then(|| vec!["precision".to_owned(), "scale".to_owned()]),
            nullable: Nullable::NullabilityNullable,
            case_sensitive: data_type == Type::XdbcVarchar,
            searchable: Searchable::Full,
            unsigned_attribute: numeric.then_some(false),
            fixed_prec_scale: false,
            auto_increment: numeric.then_some(false),
            local_type_name: Some(name.to_owned()),
            minimum_scale: decimal.then_some(0),
            maximum_scale: decimal.then_some(38),
            sql_data_type: match data_type {
                // Dates and times are one type with subcodes (ISO/IEC 9075-3).
                Type::XdbcDate | Type::XdbcTime | Type::XdbcTimestamp => Type::XdbcDatetime,
                other => other,
            },
            datetime_subcode: match data_type {
                Type::XdbcDate => Some(XdbcDatetimeSubcode::XdbcSubcodeYear),
                Type::XdbcTime => Some(XdbcDatetimeSubcode::XdbcSubcodeTime),
                Type::XdbcTimestamp => Some(XdbcDatetimeSubcode::XdbcSubcodeTimestamp),
                _ => None,
            },
            num_prec_radix: numeric.then_some(10),
            interval_precision: None,
        });
    }
    builder.build()
}
