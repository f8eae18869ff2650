-- As ../0003_housekeeping.sql.
CREATE INDEX inbox_by_age ON inbox (handled_at);

-- The greatest sequence number of a row that was committed: the sequence itself is written
-- ahead of that, so a standby that takes over may show up to 32 more.
INSERT INTO meta (name, value)
SELECT 'last_row', CAST(last_value AS TEXT) FROM outbox_seq WHERE is_called;
