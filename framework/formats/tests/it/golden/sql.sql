-- lab.samples.v1 1.2.0, from its contract urn:mesh:contract:lab.samples
CREATE TABLE "lab"."samples" (
    "sample_id" BIGINT NOT NULL CHECK ("sample_id" >= 1),
    "series" TEXT NOT NULL,
    "tube" UUID NOT NULL,
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
    "rates" JSONB NOT NULL,
    "sites" JSONB,
    "note" VARCHAR(10),
    "labels" TEXT[] NOT NULL,
    "place" JSONB,
    "steps" JSONB NOT NULL,
    PRIMARY KEY ("sample_id", "series")
);
COMMENT ON TABLE "lab"."samples" IS 'One sample with every type.';
COMMENT ON COLUMN "lab"."samples"."sample_id" IS 'The sample''s number.';
