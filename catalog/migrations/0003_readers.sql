-- What the handlers of a domain read, as the domain said at its last start.
CREATE TABLE readers (
    domain  TEXT NOT NULL REFERENCES domains (domain),
    handler TEXT NOT NULL,
    topic   TEXT NOT NULL,
    PRIMARY KEY (domain, handler, topic)
) STRICT, WITHOUT ROWID;

CREATE INDEX readers_by_topic ON readers (topic);
