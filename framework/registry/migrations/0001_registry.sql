-- A schema text under its global id. AUTOINCREMENT never hands out an id a second time,
-- and no row is ever deleted: data in topics carries the ids.
CREATE TABLE schemas (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    schema_type TEXT    NOT NULL,
    -- UUID version 5 of type and text: a key of fixed length for texts of any length.
    fingerprint TEXT    NOT NULL UNIQUE,
    schema      TEXT    NOT NULL
) STRICT;

CREATE TABLE versions (
    subject       TEXT    NOT NULL,
    version       INTEGER NOT NULL CHECK (version > 0),
    schema_id     INTEGER NOT NULL REFERENCES schemas (id),
    -- Soft deleted: hidden, still readable by those who ask for deleted versions.
    deleted       INTEGER NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1)),
    -- Milliseconds since 1970, UTC.
    registered_at INTEGER NOT NULL,
    PRIMARY KEY (subject, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX versions_by_schema ON versions (schema_id);
CREATE UNIQUE INDEX versions_live_once ON versions (subject, schema_id) WHERE deleted = 0;

-- What was set for a subject, or globally under the empty subject; NULL is "not set".
CREATE TABLE settings (
    subject       TEXT PRIMARY KEY,
    compatibility TEXT,
    mode          TEXT
) STRICT, WITHOUT ROWID;
