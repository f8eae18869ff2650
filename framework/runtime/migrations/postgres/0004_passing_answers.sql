-- As ../0004_passing_answers.sql.
ALTER TABLE answers ADD COLUMN passing BIGINT NOT NULL DEFAULT 0;
CREATE INDEX answers_by_age ON answers (answered_at) WHERE passing = 1;
