-- The tables of ../0001_registry.sql and ../0002_contexts.sql for Postgres. They stand in a
-- schema of their own, which is the only one in the search path. Texts that are compared or
-- sorted go byte by byte, as in SQLite.

CREATE TABLE contexts (
    name    TEXT COLLATE "C" PRIMARY KEY,
    last_id BIGINT NOT NULL
);

INSERT INTO contexts (name, last_id) VALUES ('.', 0);

CREATE TABLE schemas (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema_type TEXT   NOT NULL,
    fingerprint TEXT   COLLATE "C" NOT NULL UNIQUE,
    schema      TEXT   NOT NULL,
    context     TEXT   COLLATE "C" NOT NULL,
    number      BIGINT NOT NULL CHECK (number > 0),
    refs        TEXT,
    metadata    TEXT,
    rule_set    TEXT,
    UNIQUE (context, number)
);

CREATE TABLE versions (
    subject       TEXT   COLLATE "C" NOT NULL,
    version       BIGINT NOT NULL CHECK (version > 0),
    schema_id     BIGINT NOT NULL REFERENCES schemas (id),
    deleted       BIGINT NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1)),
    registered_at BIGINT NOT NULL,
    context       TEXT   COLLATE "C" NOT NULL,
    name          TEXT   COLLATE "C" NOT NULL,
    PRIMARY KEY (subject, version)
);

CREATE INDEX versions_by_schema ON versions (schema_id);
CREATE UNIQUE INDEX versions_live_once ON versions (subject, schema_id) WHERE deleted = 0;

CREATE TABLE schema_references (
    schema_id BIGINT NOT NULL REFERENCES schemas (id),
    position  BIGINT NOT NULL,
    subject   TEXT   COLLATE "C" NOT NULL,
    version   BIGINT NOT NULL,
    PRIMARY KEY (schema_id, position)
);

CREATE INDEX schema_references_by_version ON schema_references (subject, version);

CREATE TABLE settings (
    subject       TEXT COLLATE "C" PRIMARY KEY,
    compatibility TEXT,
    mode          TEXT,
    config        TEXT
);
