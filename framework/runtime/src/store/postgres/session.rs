//! The session that writes a schema and holds its lock.

use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use uuid::Uuid;

use super::error::{PATIENCE, refused, timed, within};
use crate::store_url::StoreUrl;

/// How long the first connection is tried for: a database may start together with us.
const START: Duration = Duration::from_secs(30);
/// How long the lock is waited for: the session of a process that was killed ends when the
/// server notices.
const LOCK: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);
/// The first release that is tested.
const OLDEST: u32 = 130_000;

/// Settings of a session that only reads.
pub(super) const READER: &[(&str, &str)] = &[("default_transaction_read_only", "on")];
/// Settings of the session that writes. A host that dies without a word loses its lock
/// after about 25 seconds, and one that stands still in a transaction after a minute.
const WRITER: &[(&str, &str)] = &[
    ("default_transaction_read_only", "off"),
    ("default_transaction_isolation", "read committed"),
    ("idle_in_transaction_session_timeout", "60000"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// Where a store is.
#[derive(Debug)]
pub(in crate::store) struct Target {
    url: StoreUrl,
    pub(super) schema: String,
    lock: i64,
}

/// What tells one backend of the server from all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Backend {
    pid: i32,
    started: String,
}

/// A connection that holds the lock.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: PgConnection,
    pub(super) backend: Backend,
}

impl Target {
    pub(in crate::store) fn new(url: &StoreUrl, schema: &str) -> Self {
        // Locks are numbers, and are the database's own.
        let name = format!("mesh-runtime/schema/{schema}");
        let (lock, _) = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).as_u64_pair();
        Self {
            url: url.clone(),
            schema: schema.to_owned(),
            lock: lock as i64,
        }
    }

    pub(super) fn options(&self) -> PgConnectOptions {
        self.url
            .options()
            .application_name(&format!("mesh {}", self.schema))
    }

    /// Says where it happened.
    pub(super) fn tell(&self, error: Error) -> Error {
        error
            .with("server", self.url.server())
            .with("schema", &self.schema)
    }
}

impl Session {
    /// The first session of a process, on a schema that is there.
    pub(super) async fn first(target: &Target) -> Result<Self> {
        let until = tokio::time::Instant::now() + START;
        let mut told = false;
        let mut session = loop {
            match Self::connect(target).await {
                Ok(session) => break session,
                Err(error)
                    if error.is_retryable()
                        && error.kind() != ErrorKind::FailedPrecondition
                        && tokio::time::Instant::now() < until =>
                {
                    if !told {
                        tracing::warn!(
                            error = error.log_line(),
                            "the domain's database is not there yet, trying again"
                        );
                    }
                    told = true;
                    tokio::time::sleep(PAUSE * 4).await;
                }
                Err(error) => return Err(target.tell(error)),
            }
        };
        session.suits(target).await?;
        if !session.lock(target, None).await? {
            return Err(session.taken(target, ErrorKind::FailedPrecondition).await);
        }
        session
            .make_schema(target)
            .await
            .map_err(|error| target.tell(error))?;
        Ok(session)
    }

    /// A session without the lock.
    pub(super) async fn connect(target: &Target) -> Result<Self> {
        let options = target.options();
        let mut connection = timed(options.connect()).await.map_err(refused)?;
        within(prepare(&mut connection, &target.schema, WRITER)).await?;
        let (pid, started) = within(
            sqlx::query_as(
                "SELECT pid, CAST(backend_start AS TEXT)
                 FROM pg_stat_activity WHERE pid = pg_backend_pid()",
            )
            .fetch_one(&mut connection),
        )
        .await?;
        Ok(Self {
            connection,
            backend: Backend { pid, started },
        })
    }

    /// Refuses a server on which the store would not work.
    async fn suits(&mut self, target: &Target) -> Result<()> {
        let refuse = |message: &'static str, mend: &'static str| {
            target.tell(Error::new(ErrorKind::FailedPrecondition, message).mend(mend))
        };
        if self.connection.server_version_num() < Some(OLDEST) {
            return Err(refuse("Postgres is too old", "use release 13 or newer"));
        }
        let (encoding, fsync): (String, String) = within(
            sqlx::query_as("SELECT current_setting('server_encoding'), current_setting('fsync')")
                .fetch_one(&mut self.connection),
        )
        .await
        .map_err(|error| target.tell(error))?;
        if encoding != "UTF8" {
            return Err(refuse(
                "the database does not keep texts as UTF-8",
                "create it with `ENCODING 'UTF8'`",
            ));
        }
        if fsync != "on" {
            tracing::warn!("the server has fsync off: a crash of its machine loses commits");
        }
        Ok(())
    }

    /// Takes the lock of the schema; `false` if another session keeps it. A session of this
    /// process that the server takes for alive is ended, unless it waits for a standby: its
    /// commit is then neither made nor undone yet.
    pub(super) async fn lock(&mut self, target: &Target, before: Option<&Backend>) -> Result<bool> {
        let until = tokio::time::Instant::now() + LOCK;
        loop {
            let locked: bool = within(
                sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
                    .bind(target.lock)
                    .fetch_one(&mut self.connection),
            )
            .await?;
            if locked {
                return Ok(true);
            }
            if let Some(before) = before {
                within(
                    sqlx::query(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                         WHERE pid = $1 AND CAST(backend_start AS TEXT) = $2
                           AND wait_event IS DISTINCT FROM 'SyncRep'",
                    )
                    .bind(before.pid)
                    .bind(&before.started)
                    .execute(&mut self.connection),
                )
                .await?;
            }
            if tokio::time::Instant::now() >= until {
                return Ok(false);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whose lock it is, as an error.
    pub(super) async fn taken(&mut self, target: &Target, kind: ErrorKind) -> Error {
        let error = Error::new(kind, "the domain's schema is used by another process")
            .mend("stop that process, or give each a schema of its own with `store_schema`");
        let holder: Result<Option<(i32, String)>> = within(
            sqlx::query_as(
                "SELECT a.pid, coalesce(host(a.client_addr), 'the same machine')
                 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
                 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
                   AND l.database =
                       (SELECT oid FROM pg_database WHERE datname = current_database())
                   AND (CAST(l.classid AS BIGINT) << 32) | CAST(l.objid AS BIGINT) = $1",
            )
            .bind(target.lock)
            .fetch_optional(&mut self.connection),
        )
        .await;
        target.tell(match holder {
            Ok(Some((pid, from))) => error.with("backend", pid).with("from", from),
            _ => error,
        })
    }

    async fn make_schema(&mut self, target: &Target) -> Result<()> {
        let known: Option<i32> = within(
            sqlx::query_scalar("SELECT 1 FROM pg_namespace WHERE nspname = $1")
                .bind(&target.schema)
                .fetch_optional(&mut self.connection),
        )
        .await?;
        if known.is_none() {
            // A name of letters, digits and `_`, see `Config`.
            let statement = AssertSqlSafe(format!(r#"CREATE SCHEMA "{}""#, target.schema));
            within(sqlx::query(statement).execute(&mut self.connection)).await?;
        }
        Ok(())
    }

    pub(super) async fn close(self) {
        // The server ends the session by itself when this cannot be said to it.
        tokio::time::timeout(PATIENCE, self.connection.close())
            .await
            .ok();
    }
}

/// Sets up a session: only the domain's schema is seen, and a commit is durable when it
/// returns, whatever user or database are configured for.
pub(super) async fn prepare(
    connection: &mut PgConnection,
    schema: &str,
    settings: &[(&str, &str)],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "SELECT set_config('synchronous_commit',
                           CASE current_setting('synchronous_commit')
                               WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)",
    )
    .execute(&mut *connection)
    .await?;
    for (name, value) in settings.iter().chain(&[("search_path", schema)]) {
        sqlx::query("SELECT set_config($1, $2, false)")
            .bind(name)
            .bind(value)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
