-- lab.samples.v1 1.2.0, from its contract urn:mesh:contract:lab.samples
CREATE TABLE `lab`.`samples` (
    `sample_id` BIGINT NOT NULL CHECK (`sample_id` >= 1) COMMENT 'The sample''s number.',
    `series` TEXT NOT NULL,
    `tube` CHAR(36) NOT NULL,
    `status` ENUM('TAKEN', 'MEASURED_TWICE') NOT NULL,
    `count` INTEGER NOT NULL,
    `weight` DOUBLE NOT NULL,
    `ratio` FLOAT,
    `price` NUMERIC(12, 2) NOT NULL,
    `ok` BOOLEAN NOT NULL,
    `taken_on` DATE NOT NULL,
    `taken_at` DATETIME(6) NOT NULL,
    `seen_at` DATETIME(3),
    `opened` TIME(3),
    `closed` TIME(6) NOT NULL,
    `rates` JSON NOT NULL,
    `sites` JSON,
    `note` VARCHAR(10),
    `labels` JSON NOT NULL,
    `place` JSON,
    `steps` JSON NOT NULL,
    PRIMARY KEY (`sample_id`, `series`)
) COMMENT = 'One sample with every type.';
