//! Where the domains of the tests keep what is theirs: in SQLite, or in Postgres if
//! `MESH_TEST_STORE` is `postgres`.

use std::path::Path;

use mesh_runtime::Config;
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow};

use super::platform::Platform;

#[path = "../support/postgres.rs"]
pub(crate) mod server;

/// The server that was chosen; none for SQLite.
fn chosen() -> Option<String> {
    match std::env::var("MESH_TEST_STORE").as_deref() {
        Ok("postgres") => Some(server::shared().expect("MESH_TEST_STORE wants Postgres")),
        Ok("sqlite" | "") | Err(_) => None,
        Ok(other) => panic!("MESH_TEST_STORE is sqlite or postgres, not {other}"),
    }
}

/// What a process of this test needs to know besides.
pub(crate) fn environment() -> Option<(&'static str, String)> {
    chosen().map(|url| (server::URL, url))
}

/// The schema for what SQLite keeps in the folder `name` of `dir`.
pub(crate) fn schema(dir: &Path, name: &str) -> String {
    let unique = dir.file_name().unwrap().as_encoded_bytes();
    let unique: String = unique.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t{unique}_{name}")
}

pub(crate) fn choose(config: &mut Config, dir: &Path, name: &str) {
    config.store_schema = schema(dir, name);
    config.store_url = chosen().map(|url| url.parse().unwrap());
}

/// The tables of the domain, besides the domain.
pub(crate) enum Tables {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Tables {
    pub(crate) async fn of(platform: &Platform) -> Self {
        let dir = platform.dir.path();
        match chosen() {
            None => {
                let options = SqliteConnectOptions::new().filename(dir.join("shop/domain.db"));
                Self::Sqlite(SqlitePool::connect_with(options).await.unwrap())
            }
            Some(url) => {
                let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
                let options = options.options([("search_path", schema(dir, "shop"))]);
                let pool = PgPoolOptions::new().max_connections(1);
                Self::Postgres(pool.connect_with(options).await.unwrap())
            }
        }
    }

    pub(crate) async fn rows<T>(&self, statement: &'static str) -> Vec<T>
    where
        T: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>,
    {
        match self {
            Self::Sqlite(pool) => sqlx::query_as(statement).fetch_all(pool).await,
            Self::Postgres(pool) => sqlx::query_as(statement).fetch_all(pool).await,
        }
        .unwrap()
    }

    pub(crate) async fn execute(&self, statement: &'static str) {
        match self {
            Self::Sqlite(pool) => sqlx::query(statement).execute(pool).await.map(drop),
            Self::Postgres(pool) => sqlx::query(statement).execute(pool).await.map(drop),
        }
        .unwrap();
    }

    /// Has `last` be the last row of the outbox that was committed. The sequence of Postgres
    /// is ahead of that, as on a standby that has taken over.
    pub(crate) async fn set_last_row(&self, last: i64) {
        match self {
            Self::Sqlite(pool) => {
                sqlx::query("UPDATE sqlite_sequence SET seq = $1 WHERE name = 'outbox'")
                    .bind(last)
                    .execute(pool)
                    .await
                    .map(drop)
            }
            Self::Postgres(pool) => {
                let ahead = sqlx::query("SELECT setval('outbox_seq', $1)").bind(last + 32);
                ahead.execute(pool).await.unwrap();
                sqlx::query("UPDATE meta SET value = $1 WHERE name = 'last_row'")
                    .bind(last.to_string())
                    .execute(pool)
                    .await
                    .map(drop)
            }
        }
        .unwrap();
    }

    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Loses all that the domain has kept.
pub(crate) async fn lose(platform: &Platform) {
    let dir = platform.dir.path();
    match chosen() {
        None => std::fs::remove_dir_all(dir.join("shop")).unwrap(),
        Some(url) => {
            let pool = PgPool::connect(&url).await.unwrap();
            let statement = format!("DROP SCHEMA {} CASCADE", schema(dir, "shop"));
            sqlx::query(AssertSqlSafe(statement))
                .execute(&pool)
                .await
                .unwrap();
            pool.close().await;
        }
    }
}
