-- What the contract says of the version. `status` is what holds: the same, unless the
-- version's major was put into service or out of it, see `standings`.
ALTER TABLE versions ADD COLUMN stated TEXT NOT NULL DEFAULT 'active';
UPDATE versions SET stated = status;

-- What an operator has decided about a major version, over what its contracts say.
CREATE TABLE standings (
    domain    TEXT    NOT NULL,
    product   TEXT    NOT NULL,
    major     INTEGER NOT NULL,
    status    TEXT    NOT NULL CHECK (status IN ('active', 'deprecated')),
    -- The major that follows a deprecated one.
    successor INTEGER,
    decided_by TEXT,
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (domain, product, major)
) STRICT, WITHOUT ROWID;
