//! The store in a schema of a Postgres database, which several registries may share.

use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::{failed, not_migrated};

const READERS: u32 = 4;
/// How long a request waits for a connection or for another writer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the first connection is tried for: a database may start together with us.
const START: Duration = Duration::from_secs(30);
/// The namespace of the locks (UUID version 5).
const LOCKS: Uuid = Uuid::from_u128(0x0f67_93a1_8e0e_4d0b_9d61_51ce_6d07_46ba);
/// The first release that is tested.
const OLDEST: u32 = 130_000;

#[derive(Debug)]
pub(crate) struct Server {
    readers: PgPool,
    writer: PgPool,
    lock: i64,
}

impl Server {
    pub(super) async fn open(options: &PgConnectOptions, schema: &str) -> Result<Self> {
        let lock = lock_of(schema);
        let mut first = connect(options).await?;
        prepare(&mut first, schema, false).await.map_err(unusable)?;
        migrate(&mut first, schema, lock).await?;
        first.close().await.ok();
        let pool = |size: u32, reads: bool| {
            let schema = schema.to_owned();
            PgPoolOptions::new()
                .max_connections(size)
                .acquire_timeout(PATIENCE)
                .after_connect(move |connection, _| {
                    let schema = schema.clone();
                    Box::pin(async move { prepare(connection, &schema, reads).await })
                })
                .connect_lazy_with(options.clone())
        };
        Ok(Self {
            readers: pool(READERS, true),
            // One is enough: writers wait for each other anyway.
            writer: pool(1, false),
            lock,
        })
    }

    pub(super) async fn read(&self) -> Result<PoolConnection<Postgres>> {
        self.readers.acquire().await.map_err(failed)
    }

    /// The statements of a transaction see what was committed before each of them, and from
    /// the lock on nobody else commits.
    pub(super) async fn write(&self) -> Result<Transaction<'static, Postgres>> {
        let mut transaction = self.writer.begin().await.map_err(failed)?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(self.lock)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        Ok(transaction)
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// The lock of those who write the schema. Locks are per database.
fn lock_of(schema: &str) -> i64 {
    let (high, _) = Uuid::new_v5(&LOCKS, schema.as_bytes()).as_u64_pair();
    high.cast_signed()
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let until = tokio::time::Instant::now() + START;
    loop {
        let error = match options.connect().await {
            Ok(connection) if connection.server_version_num() < Some(OLDEST) => {
                return Err(Error::new(
                    ErrorKind::FailedPrecondition,
                    "Postgres is too old for the schema registry",
                )
                .mend("use release 13 or newer"));
            }
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        let starts = match &error {
            // "The database system is starting up".
            sqlx::Error::Database(told) => told.code().as_deref() == Some("57P03"),
            sqlx::Error::Io(why) => why.kind() != std::io::ErrorKind::InvalidData,
            _ => false,
        };
        if !starts || tokio::time::Instant::now() >= until {
            return Err(unusable(error));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn unusable(error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|error| error.code());
    let (why, mend) = match code.as_deref() {
        Some(code) if code.starts_with("28") => (
            "Postgres refuses the schema registry's user or password",
            "see the URL of the database, PGPASSWORD, and the server's pg_hba.conf",
        ),
        Some("3D000") => (
            "there is no such database for the schema registry",
            "create the database, or name another in the URL",
        ),
        Some("42501") => (
            "the schema registry's user may not do this in the database",
            "let the user create the schema, or make the user its owner",
        ),
        _ => (
            "the schema registry's database cannot be reached",
            "see that Postgres runs and can be reached from here, and its certificates",
        ),
    };
    let refused = Error::new(ErrorKind::FailedPrecondition, why).mend(mend);
    match code {
        Some(code) => refused.detail(format!("SQLSTATE {code}")),
        None => refused.because(error),
    }
}

/// Sets up a session: only the registry's schema is seen, and a commit is durable when it
/// returns, whatever user or database are configured for.
async fn prepare(
    connection: &mut PgConnection,
    schema: &str,
    reads: bool,
) -> Result<(), sqlx::Error> {
    let patience = PATIENCE.as_millis().to_string();
    let settings = [
        ("search_path", schema),
        ("lock_timeout", &patience),
        (
            "default_transaction_read_only",
            if reads { "on" } else { "off" },
        ),
    ];
    sqlx::query(
        "SELECT set_config('synchronous_commit',
                           CASE current_setting('synchronous_commit')
                               WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)",
    )
    .execute(&mut *connection)
    .await?;
    for (name, value) in settings {
        sqlx::query("SELECT set_config($1, $2, false)")
            .bind(name)
            .bind(value)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Makes the schema and its tables; registries that start together do it one by one.
async fn migrate(connection: &mut PgConnection, schema: &str, lock: i64) -> Result<()> {
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(lock)
        .execute(&mut *connection)
        .await
        .map_err(unusable)?;
    let known: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_namespace WHERE nspname = $1")
        .bind(schema)
        .fetch_optional(&mut *connection)
        .await
        .map_err(unusable)?;
    if known.is_none() {
        // A name of letters, digits and `_`, see `Database`.
        let statement = AssertSqlSafe(format!(r#"CREATE SCHEMA "{schema}""#));
        sqlx::query(statement)
            .execute(&mut *connection)
            .await
            .map_err(unusable)?;
    }
    let mut migrations = sqlx::migrate!("./migrations/postgres");
    migrations.set_locking(false);
    // The lock goes with the connection.
    migrations.run(connection).await.map_err(not_migrated)
}
