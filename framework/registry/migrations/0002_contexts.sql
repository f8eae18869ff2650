-- Contexts, references, metadata and rule sets. What was there is in the default context.

-- A context, and the highest id that was given in it. "." is the default one.
CREATE TABLE contexts (
    name    TEXT    PRIMARY KEY,
    last_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO contexts (name, last_id)
    SELECT '.', COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'schemas'), 0);

-- The id of a schema in its context; the column `id` is the row's own. Beside type and text
-- the fingerprint covers what stands here, where there is any of it.
ALTER TABLE schemas ADD COLUMN context TEXT NOT NULL DEFAULT '.';
ALTER TABLE schemas ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE schemas SET number = id;
CREATE UNIQUE INDEX schemas_by_number ON schemas (context, number);

-- JSON, as it was registered; NULL is "none".
ALTER TABLE schemas ADD COLUMN refs TEXT;
ALTER TABLE schemas ADD COLUMN metadata TEXT;
ALTER TABLE schemas ADD COLUMN rule_set TEXT;

-- `subject` is ":.context:name", or the name alone in the default context.
ALTER TABLE versions ADD COLUMN context TEXT NOT NULL DEFAULT '.';
ALTER TABLE versions ADD COLUMN name TEXT NOT NULL DEFAULT '';
UPDATE versions SET name = subject;

-- Whom a schema refers to, as versions of subjects with their context.
CREATE TABLE schema_references (
    schema_id INTEGER NOT NULL REFERENCES schemas (id),
    position  INTEGER NOT NULL,
    subject   TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    PRIMARY KEY (schema_id, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX schema_references_by_version ON schema_references (subject, version);

-- JSON: settings beside compatibility and mode. `subject` may be a context, ":.context:".
ALTER TABLE settings ADD COLUMN config TEXT;
