-- What the host knows about this store: the id of its outbox, how often it was opened.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The domain's state. The version is that of the commit that wrote the document, and
-- grows with every commit of the store.
CREATE TABLE documents (
    kind    TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    version INTEGER NOT NULL,
    body    TEXT    NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

-- Ids of handled events, to recognise an event that stands in its topic twice.
CREATE TABLE inbox (
    handler    TEXT    NOT NULL,
    event_id   BLOB    NOT NULL,
    -- Milliseconds since 1970, UTC.
    handled_at INTEGER NOT NULL,
    PRIMARY KEY (handler, event_id)
) STRICT, WITHOUT ROWID;

-- How far each handler has come; an event before it is a repetition.
CREATE TABLE positions (
    handler     TEXT    NOT NULL,
    topic       TEXT    NOT NULL,
    partition   INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    handled     INTEGER NOT NULL DEFAULT 0,
    duplicates  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (handler, topic, partition)
) STRICT, WITHOUT ROWID;

-- Records to publish. AUTOINCREMENT never hands out a sequence number a second time.
CREATE TABLE outbox (
    seq              INTEGER PRIMARY KEY AUTOINCREMENT,
    topic            TEXT    NOT NULL,
    partition        INTEGER NOT NULL,
    event_id         BLOB    NOT NULL,
    trace            TEXT    NOT NULL,
    contract_version TEXT    NOT NULL,
    key              BLOB    NOT NULL,
    value            BLOB
) STRICT;

-- What is known to stand in Kafka: the offset up to which the relay need not look again.
CREATE TABLE relayed (
    topic       TEXT    NOT NULL,
    partition   INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    last_offset INTEGER NOT NULL,
    published   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;

-- Events that failed for good, as they came, with the cause.
CREATE TABLE set_aside (
    handler       TEXT    NOT NULL,
    topic         TEXT    NOT NULL,
    partition     INTEGER NOT NULL,
    record_offset INTEGER NOT NULL,
    event_id      BLOB    NOT NULL,
    cause         TEXT    NOT NULL,
    attempts      INTEGER NOT NULL,
    trace         TEXT    NOT NULL,
    key           BLOB,
    value         BLOB,
    set_aside_at  INTEGER NOT NULL,
    PRIMARY KEY (handler, topic, partition, record_offset)
) STRICT;

-- How far each source was read.
CREATE TABLE sources (
    name       TEXT PRIMARY KEY,
    position   INTEGER NOT NULL,
    total      INTEGER,
    done       INTEGER NOT NULL CHECK (done IN (0, 1)),
    note       TEXT,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The first answer to a POST under its key, for requests that are repeated.
CREATE TABLE answers (
    route       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    answered_at INTEGER NOT NULL,
    PRIMARY KEY (route, key)
) STRICT, WITHOUT ROWID;
