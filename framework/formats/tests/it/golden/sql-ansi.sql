-- lab.samples.v1 1.2.0, from its contract urn:mesh:contract:lab.samples
CREATE TABLE "lab"."samples" (
    "sample_id" BIGINT NOT NULL CHECK ("sample_id" >= 1),
    "series" CHARACTER LARGE OBJECT NOT NULL,
    "tube" CHAR(36) NOT NULL,
    "status" VARCHAR(14) NOT NULL CHECK ("status" IN ('TAKEN', 'MEASURED_TWICE')),
    "count" INTEGER NOT NULL,
    "weight" DOUBLE PRECISION NOT NULL,
    "ratio" REAL,
    "price" NUMERIC(12, 2) NOT NULL,
    "ok" BOOLEAN NOT NULL,
    "taken_on" DATE NOT NULL,
    "taken_at" TIMESTAMP(6) WITH TIME ZONE NOT NULL,
    "seen_at" TIMESTAMP(3) WITH TIME ZONE,
    "opened" TIME(3),
    "closed" TIME(6) NOT NULL,
    "rates" JSON NOT NULL,
    "sites" JSON,
    "note" VARCHAR(10),
    "labels" JSON NOT NULL,
    "place" JSON,
    "steps" JSON NOT NULL,
    PRIMARY KEY ("sample_id", "series")
);
