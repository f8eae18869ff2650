-- New versions of handlers that are run beside the old ones, see replay.
CREATE TABLE replays (
    -- `<handler>_v<version>`: also the handler's name in inbox and positions.
    name        TEXT    PRIMARY KEY,
    -- running, switching, switched or abandoned.
    phase       TEXT    NOT NULL,
    -- From where, in words.
    origin      TEXT    NOT NULL,
    -- Whether the consumer group was put to the start.
    placed      INTEGER NOT NULL,
    -- Milliseconds since 1970, UTC, here and below.
    started_at  INTEGER NOT NULL,
    started_by  TEXT    NOT NULL,
    switched_at INTEGER,
    switched_by TEXT
) STRICT;

CREATE TABLE replay_partitions (
    name         TEXT    NOT NULL,
    partition    INTEGER NOT NULL,
    start_offset INTEGER NOT NULL,
    -- The end of the partition when the replay was started.
    end_offset   INTEGER NOT NULL,
    -- Events from here on are the new version's; NULL until it is switched over.
    boundary     INTEGER,
    PRIMARY KEY (name, partition)
) STRICT;

-- Versions of handlers that are not run any more.
CREATE TABLE retired_handlers (
    name       TEXT    PRIMARY KEY,
    retired_at INTEGER NOT NULL,
    retired_by TEXT    NOT NULL
) STRICT;
