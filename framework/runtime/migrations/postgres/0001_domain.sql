-- The tables of ../0001_domain.sql for Postgres. They stand in the domain's own schema,
-- which is the only one in the search path.

-- Two functions that SQLite has, so that both databases are asked in the same words.
CREATE FUNCTION json_each(list TEXT) RETURNS TABLE (value JSONB)
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT * FROM pg_catalog.jsonb_array_elements(list::jsonb) $$;
CREATE FUNCTION unhex(hex JSONB) RETURNS BYTEA
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT pg_catalog.decode(hex #>> '{}', 'hex') $$;

-- What the host knows about this store: the id of its outbox, how often it was opened, and
-- the mark of its last commit.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Keys compare byte by byte, as scans by prefix need it and as SQLite does.
CREATE TABLE documents (
    kind    TEXT COLLATE "C" NOT NULL,
    key     TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (kind, key)
);

CREATE TABLE inbox (
    handler    TEXT   NOT NULL,
    event_id   BYTEA  NOT NULL,
    handled_at BIGINT NOT NULL,
    PRIMARY KEY (handler, event_id)
);

CREATE TABLE positions (
    handler     TEXT    NOT NULL,
    topic       TEXT    NOT NULL,
    partition   INTEGER NOT NULL,
    next_offset BIGINT  NOT NULL,
    handled     BIGINT  NOT NULL DEFAULT 0,
    duplicates  BIGINT  NOT NULL DEFAULT 0,
    PRIMARY KEY (handler, topic, partition)
);

-- A sequence never hands out a number of a committed row a second time; it leaves gaps.
CREATE TABLE outbox (
    seq              BIGINT GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME outbox_seq) PRIMARY KEY,
    topic            TEXT    NOT NULL,
    partition        INTEGER NOT NULL,
    event_id         BYTEA   NOT NULL,
    trace            TEXT    NOT NULL,
    contract_version TEXT    NOT NULL,
    key              BYTEA   NOT NULL,
    value            BYTEA
);

CREATE TABLE relayed (
    topic       TEXT    NOT NULL,
    partition   INTEGER NOT NULL,
    seq         BIGINT  NOT NULL,
    last_offset BIGINT  NOT NULL,
    published   BIGINT  NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
);

CREATE TABLE set_aside (
    handler       TEXT    NOT NULL,
    topic         TEXT    NOT NULL,
    partition     INTEGER NOT NULL,
    record_offset BIGINT  NOT NULL,
    event_id      BYTEA   NOT NULL,
    cause         TEXT    NOT NULL,
    attempts      BIGINT  NOT NULL,
    trace         TEXT    NOT NULL,
    key           BYTEA,
    value         BYTEA,
    set_aside_at  BIGINT  NOT NULL,
    PRIMARY KEY (handler, topic, partition, record_offset)
);

CREATE TABLE sources (
    name       TEXT PRIMARY KEY,
    position   BIGINT  NOT NULL,
    total      BIGINT,
    done       BOOLEAN NOT NULL,
    note       TEXT,
    updated_at BIGINT  NOT NULL
);

CREATE TABLE answers (
    route       TEXT   NOT NULL,
    key         TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    answered_at BIGINT NOT NULL,
    PRIMARY KEY (route, key)
);
