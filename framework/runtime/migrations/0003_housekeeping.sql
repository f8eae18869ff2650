-- Old ids leave the inbox in pieces, the oldest first.
CREATE INDEX inbox_by_age ON inbox (handled_at);
