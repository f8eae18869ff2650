CREATE TABLE domains (
    domain      TEXT PRIMARY KEY,
    -- NULL until the domain has said where its API is.
    api_url     TEXT,
    description TEXT,
    -- Milliseconds since 1970, UTC, here and below.
    first_seen  INTEGER NOT NULL,
    last_seen   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A registered version of a product. What lists read stands first, so that they need not
-- page through the long texts behind it.
CREATE TABLE versions (
    domain          TEXT    NOT NULL REFERENCES domains (domain),
    product         TEXT    NOT NULL,
    version         TEXT    NOT NULL,
    -- Whether this version stands for the product in lists.
    current         INTEGER NOT NULL DEFAULT 0 CHECK (current IN (0, 1)),
    kind            TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    owner           TEXT    NOT NULL,
    description     TEXT,
    topic           TEXT    NOT NULL,
    key_schema_id   INTEGER NOT NULL,
    value_schema_id INTEGER NOT NULL,
    -- A JSON array of strings.
    tags            TEXT    NOT NULL,
    contract_id     TEXT    NOT NULL,
    registered_at   INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    -- What a text search looks through, in lower case.
    search          TEXT    NOT NULL,
    -- What was read from the two files when they were registered, as JSON.
    document        TEXT    NOT NULL,
    key_schema      TEXT    NOT NULL,
    value_schema    TEXT    NOT NULL,
    product_text    TEXT    NOT NULL,
    contract_text   TEXT    NOT NULL,
    PRIMARY KEY (domain, product, version)
) STRICT;

CREATE UNIQUE INDEX versions_current ON versions (domain, product) WHERE current = 1;
CREATE INDEX versions_by_contract ON versions (contract_id);
