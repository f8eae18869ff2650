"""Scans a topic of Avro records with Spark, for framework/query/examples/bench_sql.rs.

Says `ready` once the session stands and the query has run once. Then for each line that it reads
it runs the query again, and answers the seconds that took and the rows of the topic."""

import argparse
import pathlib
import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql.avro.functions import from_avro
from pyspark.sql.functions import col, expr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=pathlib.Path, required=True, help="what `prepare` has made")
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--schema", type=pathlib.Path, required=True, help="the topic's one Avro schema")
    parser.add_argument("--streams", type=int, required=True, help="threads, and pieces of the topic at least")
    parser.add_argument("select", nargs="+", help="expressions over the columns of a record")
    options = parser.parse_args()
    jars = ",".join(str(jar) for jar in sorted((options.home / "jars").glob("*.jar")))
    spark = (
        SparkSession.builder.master(f"local[{options.streams}]")
        .config("spark.jars", jars)
        .config("spark.driver.memory", "4g")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )

    def scan() -> int:
        records = (
            spark.read.format("kafka")
            .option("kafka.bootstrap.servers", options.bootstrap)
            .option("kafka.isolation.level", "read_committed")
            .option("subscribe", options.topic)
            .option("minPartitions", options.streams)
            .load()
        )
        # Five bytes before the record name its schema.
        body = from_avro(expr("substring(value, 6)"), options.schema.read_text())
        rows = records.select(body.alias("record")).select(col("record.*"))
        return rows.selectExpr(*options.select).collect()[0][0]

    scan()
    print("ready", flush=True)
    for _ in sys.stdin:
        begun = time.monotonic()
        rows = scan()
        print(time.monotonic() - begun, rows, flush=True)


if __name__ == "__main__":
    main()
