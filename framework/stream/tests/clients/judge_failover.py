"""Judges what an independent client (kafka-python) finds after nodes have gone in mid-flow.

    judge_failover.py BOOTSTRAP SOURCE COPIES ACKNOWLEDGED

Line n of ACKNOWLEDGED holds the partition and offset at which record n was acknowledged.
SOURCE holds each record there and once, COPIES each once for readers of what is committed,
both in order for each key.
"""

import sys
import time

from kafka import KafkaConsumer, TopicPartition

WAIT = 120


def read(bootstrap, topic, count):
    """The committed records of a topic: at least `count`, and all that follow them."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    partitions = [TopicPartition(topic, partition) for partition in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(partitions)
    records, until, silent = [], time.monotonic() + WAIT, 0
    # What would come twice comes soon after; five silent polls say that nothing does.
    while len(records) < count or silent < 5:
        assert time.monotonic() < until, f"{topic}: {len(records)} of {count} records in time"
        found = [record for batch in consumer.poll(timeout_ms=500).values() for record in batch]
        records += found
        silent = 0 if found else silent + 1
    consumer.close()
    return records


def check_order(what, records, count):
    numbers = sorted(int(record.value) for record in records)
    lost = set(range(count)) - set(numbers)
    assert not lost, f"{what}: {len(lost)} acknowledged records are lost, such as {sorted(lost)[:5]}"
    assert len(numbers) == len(set(numbers)), f"{what}: {len(numbers) - len(set(numbers))} records are there twice"
    last = {}
    for record in sorted(records, key=lambda record: (record.partition, record.offset)):
        number = int(record.value)
        assert last.get(record.key, -1) < number, f"{what}: {number} comes after {last[record.key]}"
        last[record.key] = number


def main():
    bootstrap, source, copies, acknowledged = sys.argv[1:]
    with open(acknowledged) as lines:
        places = [tuple(map(int, line.split())) for line in lines]
    written = read(bootstrap, source, len(places))
    check_order("source", written, len(places))
    assert len(written) == len(places), f"{len(written)} records, {len(places)} acknowledged"
    found = {(record.partition, record.offset): int(record.value) for record in written}
    for number, place in enumerate(places):
        assert found.get(place) == number, f"{number} was acknowledged at {place}, where {found.get(place)} is"
    check_order("copies", read(bootstrap, copies, len(places)), len(places))
    epochs = {getattr(record, "leader_epoch", None) for record in written}
    print(f"{len(places)} records, each once in both topics; leader epochs {sorted(epochs, key=str)}")


if __name__ == "__main__":
    main()
