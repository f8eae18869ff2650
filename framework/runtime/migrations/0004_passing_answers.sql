-- The answers that are kept for a while only: those under an Idempotency-Key of the caller's
-- own. What a domain keeps under a key of its own, such as an application's id, stays.
ALTER TABLE answers ADD COLUMN passing INTEGER NOT NULL DEFAULT 0;
CREATE INDEX answers_by_age ON answers (answered_at) WHERE passing = 1;
