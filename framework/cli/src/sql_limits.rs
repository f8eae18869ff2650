//! What statements in SQL may use, all together and each principal's.

use std::time::Duration;

use clap::Args;
use clap::value_parser;
use mesh_query::QueryConfig;

/// The options of the limits. None of them can be nothing.
#[derive(Args, Debug, Clone)]
pub(crate) struct SqlLimits {
    /// Memory that all statements together may use, in MiB; what does not fit spills to disk
    #[arg(long, env = "MESH_SQL_MEMORY_MIB", value_name = "MIB", default_value_t = 512, value_parser = value_parser!(u32).range(1..))]
    sql_memory_mib: u32,
    /// Statements that run at a time; more are refused
    #[arg(long, env = "MESH_SQL_STATEMENTS", value_name = "COUNT", default_value_t = 32, value_parser = value_parser!(u32).range(1..))]
    sql_statements: u32,
    /// Seconds that a statement may take
    #[arg(long, env = "MESH_SQL_TIMEOUT", value_name = "SECONDS", default_value_t = 300, value_parser = value_parser!(u32).range(1..))]
    sql_timeout: u32,
    /// Statements of one principal that run at a time; more are refused
    #[arg(long, env = "MESH_SQL_STATEMENTS_EACH", value_name = "COUNT", default_value_t = 16, value_parser = value_parser!(u32).range(1..))]
    sql_statements_each: u32,
    /// Memory that all statements of one principal together may use, in MiB (as much as there
    /// is)
    #[arg(long, env = "MESH_SQL_MEMORY_MIB_EACH", value_name = "MIB", value_parser = value_parser!(u32).range(1..))]
    sql_memory_mib_each: Option<u32>,
    /// MiB that one statement may read from Kafka (any number)
    #[arg(long, env = "MESH_SQL_SCAN_MIB", value_name = "MIB", value_parser = value_parser!(u32).range(1..))]
    sql_scan_mib: Option<u32>,
}

impl SqlLimits {
    pub(crate) fn apply(&self, config: &mut QueryConfig) {
        config.memory_bytes = bytes(self.sql_memory_mib);
        config.max_queries = self.sql_statements as usize;
        config.timeout = Duration::from_secs(self.sql_timeout.into());
        config.per_principal.queries = self.sql_statements_each as usize;
        config.per_principal.memory_bytes = self.sql_memory_mib_each.map(bytes);
        config.per_principal.bytes_scanned = self.sql_scan_mib.map(|mib| u64::from(mib) << 20);
    }
}

fn bytes(mib: u32) -> usize {
    (mib as usize) << 20
}
