"""Scenarios of a second, independent client (kafka-python) against any broker.

    second_client.py BOOTSTRAP

The same on the embedded broker and on Apache Kafka. A scenario is left out, with a word,
only where the broker does not advertise an API that it needs.
"""

import sys
import threading
import time
import uuid

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, MemberToRemove, OffsetSpec
from kafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError
from kafka.structs import OffsetAndMetadata

WAIT = 30
# Milliseconds for a poll in a group. kafka-python 3.0 forgets an assignment that comes after a
# poll has given up waiting for it, and never asks again.
JOINED = 1_500


def eventually(what, ask):
    """Asks until the answer is true."""
    until = time.monotonic() + WAIT
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < until, f"not in time: {what}"
        time.sleep(0.05)


class Broker:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        self.apis = {key.name.upper().replace("_", "") for key in self.admin.api_versions()}

    def has(self, *apis):
        return all(api.upper() in self.apis for api in apis)

    def topic(self, label, partitions=1, **configs):
        topic = f"py.{label}.{uuid.uuid4().hex[:12]}"
        options = {"num_partitions": partitions, "replication_factor": 1}
        if configs:
            options["configs"] = {key.replace("_", "."): str(value) for key, value in configs.items()}
        self.admin.create_topics({topic: options})
        eventually("the topic is known", lambda: topic in self.admin.list_topics())
        return topic

    def producer(self, **settings):
        return KafkaProducer(bootstrap_servers=self.bootstrap, **settings)

    def consumer(self, *topics, **settings):
        defaults = {
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            "session_timeout_ms": 6_000,
            "heartbeat_interval_ms": 200,
        }
        return KafkaConsumer(*topics, bootstrap_servers=self.bootstrap, **{**defaults, **settings})

    def read(self, topic, count, partitions=1, **settings):
        """The records of a topic, without a group; fails when there are more than `count`."""
        consumer = self.consumer(group_id=None, **settings)
        consumer.assign([TopicPartition(topic, partition) for partition in range(partitions)])
        records = take(consumer, count)
        records += drain(consumer)
        consumer.close()
        assert len(records) == count, f"{len(records)} of {count}"
        return records


def take(consumer, count):
    records = []
    until = time.monotonic() + WAIT
    while len(records) < count:
        assert time.monotonic() < until, f"{len(records)} of {count} records"
        for batch in consumer.poll(timeout_ms=JOINED).values():
            records += batch
    return records


def drain(consumer, milliseconds=JOINED):
    return [record for batch in consumer.poll(timeout_ms=milliseconds).values() for record in batch]


def values(records):
    return [record.value.decode() for record in records]


def records_come_back_as_they_went(broker):
    topic = broker.topic("records", partitions=3, retention_ms=-1)
    producer = broker.producer(enable_idempotence=True, acks="all", compression_type="gzip", linger_ms=5)
    sent = []
    for number in range(300):
        sent.append(
            producer.send(
                topic,
                key=b"k%d" % (number % 7),
                value=b"v%d" % number,
                headers=[("n", b"%d" % number)],
                timestamp_ms=1_000 + number,
            )
        )
    producer.flush(WAIT)
    places = {(meta.partition, meta.offset) for meta in (future.get(WAIT) for future in sent)}
    assert len(places) == 300, "each record has its own place"
    producer.close()
    records = broker.read(topic, 300, partitions=3)
    for record in records:
        number = int(record.value[1:])
        assert record.key == b"k%d" % (number % 7)
        assert list(record.headers) == [("n", b"%d" % number)]
        assert record.timestamp == 1_000 + number
    for key in {record.key for record in records}:
        own = [int(record.value[1:]) for record in records if record.key == key]
        assert own == sorted(own), "records of one key keep their order"


def offsets_are_found_by_time(broker):
    topic = broker.topic("times", retention_ms=-1)
    producer = broker.producer()
    for number in range(5):
        producer.send(topic, value=b"v", timestamp_ms=1_000 * (number + 1)).get(WAIT)
    producer.close()
    consumer = broker.consumer(group_id=None)
    partition = TopicPartition(topic, 0)
    for asked, wanted in [(0, 0), (1_000, 0), (1_001, 1), (5_000, 4)]:
        found = consumer.offsets_for_times({partition: asked})[partition]
        assert found.offset == wanted, (asked, found)
    assert consumer.offsets_for_times({partition: 5_001})[partition] is None
    assert consumer.beginning_offsets([partition])[partition] == 0
    assert consumer.end_offsets([partition])[partition] == 5
    consumer.close()


def members_share_and_take_over(broker):
    topic = broker.topic("shared", partitions=4)
    group = f"py.shared.{uuid.uuid4().hex[:12]}"
    producer = broker.producer()
    first = broker.consumer(topic, group_id=group)
    eventually("the first has all", lambda: first.poll(JOINED) is not None and len(first.assignment()) == 4)
    assigned, seen, stop = {}, [], threading.Event()

    def second():
        consumer = broker.consumer(topic, group_id=group)
        while not stop.is_set():
            seen.extend(values(drain(consumer)))
            assigned["second"] = len(consumer.assignment())
        consumer.commit()
        consumer.close()

    thread = threading.Thread(target=second)
    thread.start()
    mine = []

    def both():
        mine.extend(values(drain(first)))
        return len(first.assignment()) == 2 and assigned.get("second") == 2

    try:
        eventually("both have two", both)
        for number in range(40):
            producer.send(topic, value=b"v%d" % number, partition=number % 4)
        producer.flush(WAIT)

        def all_seen():
            mine.extend(values(drain(first)))
            return len(mine) + len(seen) >= 40

        eventually("all records are seen", all_seen)
        assert sorted(mine + seen) == sorted(f"v{number}" for number in range(40))
        assert len(mine) == 20 and len(seen) == 20
    finally:
        stop.set()
        thread.join(WAIT)
    eventually("the first takes over", lambda: first.poll(JOINED) is not None and len(first.assignment()) == 4)
    first.commit()
    first.close()
    # Whoever comes later goes on behind what is committed.
    producer.send(topic, value=b"late", partition=0)
    producer.close()
    later = broker.consumer(topic, group_id=group)
    assert values(take(later, 1)) == ["late"]
    later.close()


def commits_can_be_read_and_reset(broker):
    topic = broker.topic("commits")
    group = f"py.commits.{uuid.uuid4().hex[:12]}"
    partition = TopicPartition(topic, 0)
    producer = broker.producer()
    for number in range(10):
        producer.send(topic, value=b"v%d" % number)
    producer.close()
    consumer = broker.consumer(group_id=group)
    consumer.assign([partition])
    take(consumer, 10)
    consumer.commit({partition: OffsetAndMetadata(7, "half way", -1)})
    assert consumer.committed(partition) == 7
    assert consumer.committed(partition, metadata=True).metadata == "half way"
    consumer.close()
    again = broker.consumer(group_id=group)
    again.assign([partition])
    assert values(take(again, 3)) == ["v7", "v8", "v9"]
    again.close()


def transactions_are_all_or_nothing(broker):
    topic = broker.topic("tx", partitions=2)
    source = broker.topic("tx-source")
    group = f"py.tx.{uuid.uuid4().hex[:12]}"
    name = f"py.tx.{uuid.uuid4().hex[:12]}"
    producer = broker.producer(transactional_id=name)
    producer.init_transactions()

    def write(*texts):
        for at, text in enumerate(texts):
            producer.send(topic, value=text.encode(), partition=at % 2)

    producer.begin_transaction()
    write("a", "b")
    producer.flush(WAIT)
    committed = {"isolation_level": "read_committed"}
    open_reader = broker.consumer(group_id=None, **committed)
    open_reader.assign([TopicPartition(topic, 0), TopicPartition(topic, 1)])
    assert drain(open_reader, 500) == [], "an open transaction is not seen"
    producer.send_offsets_to_transaction(
        {TopicPartition(source, 0): OffsetAndMetadata(5, "", -1)}, group
    )
    producer.commit_transaction()
    assert sorted(values(take(open_reader, 2))) == ["a", "b"]
    open_reader.close()

    producer.begin_transaction()
    write("c", "d")
    producer.send_offsets_to_transaction(
        {TopicPartition(source, 0): OffsetAndMetadata(9, "", -1)}, group
    )
    producer.flush(WAIT)
    producer.abort_transaction()
    producer.begin_transaction()
    write("e")
    producer.commit_transaction()

    assert sorted(values(broker.read(topic, 3, partitions=2, **committed))) == ["a", "b", "e"]
    everything = broker.read(topic, 5, partitions=2)
    assert sorted(values(everything)) == ["a", "b", "c", "d", "e"]
    consumer = broker.consumer(group_id=group)
    consumer.assign([TopicPartition(source, 0)])
    assert consumer.committed(TopicPartition(source, 0)) == 5, "aborted offsets are not committed"
    consumer.close()

    # Whoever comes with the same id fences the one before.
    successor = broker.producer(transactional_id=name)
    successor.init_transactions()
    producer.begin_transaction()
    try:
        producer.send(topic, value=b"zombie", partition=0).get(WAIT)
        producer.commit_transaction()
    except KafkaError:
        pass
    else:
        raise AssertionError("a fenced producer commits")
    successor.begin_transaction()
    successor.send(topic, value=b"f", partition=0)
    successor.commit_transaction()
    successor.close()
    assert sorted(values(broker.read(topic, 4, partitions=2, **committed))) == ["a", "b", "e", "f"]


def topics_are_administered(broker):
    topic = broker.topic("admin", partitions=2, retention_ms=7_000)
    described = broker.admin.describe_topics([topic])
    assert len(described[0]["partitions"]) == 2, described
    try:
        broker.admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})
    except TopicAlreadyExistsError:
        pass
    else:
        raise AssertionError("a topic is created twice")
    assert "7000" in str(broker.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))
    if broker.has("IncrementalAlterConfigs"):
        broker.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "8000"})])
        eventually(
            "the setting is changed",
            lambda: "8000" in str(broker.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])),
        )
    if broker.has("CreatePartitions"):
        broker.admin.create_partitions({topic: 3})
        eventually("there are three", lambda: len(broker.admin.describe_topics([topic])[0]["partitions"]) == 3)
    if broker.has("DeleteRecords"):
        producer = broker.producer()
        for _ in range(4):
            producer.send(topic, value=b"v", partition=0).get(WAIT)
        producer.close()
        partition = TopicPartition(topic, 0)
        broker.admin.delete_records({partition: 3})
        consumer = broker.consumer(group_id=None)
        assert consumer.beginning_offsets([partition])[partition] == 3
        consumer.close()
    broker.admin.delete_topics([topic])
    eventually("the topic is gone", lambda: topic not in broker.admin.list_topics())
    try:
        broker.admin.delete_topics([topic])
    except UnknownTopicOrPartitionError:
        pass
    else:
        raise AssertionError("a topic is deleted twice")


def groups_are_administered(broker):
    topic = broker.topic("groups")
    group = f"py.groups.{uuid.uuid4().hex[:12]}"
    consumer = broker.consumer(topic, group_id=group)
    eventually("there is a member", lambda: consumer.poll(JOINED) is not None and consumer.assignment())
    consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(0, "", -1)})
    assert group in str(broker.admin.list_groups())
    described = str(broker.admin.describe_groups([group]))
    assert "Stable" in described and "kafka-python" in described, described
    consumer.close()
    eventually("the group is empty", lambda: "Empty" in str(broker.admin.describe_groups([group])))
    broker.admin.delete_groups([group])
    assert group not in str(broker.admin.list_groups())


def times_in_packed_batches_are_found(broker):
    topic = broker.topic("packed-times", retention_ms=-1)
    partition = TopicPartition(topic, 0)
    # The other codecs would need packages of their own.
    for at, codec in enumerate([None, "gzip"], start=1):
        producer = broker.producer(compression_type=codec, linger_ms=200)
        sent = [producer.send(topic, value=b"v", timestamp_ms=at * 10_000 + extra) for extra in (0, 500, 500)]
        producer.flush(WAIT)
        first = sent[0].get(WAIT).offset
        producer.close()
        consumer = broker.consumer(group_id=None)
        for asked, wanted in [(at * 10_000, 0), (at * 10_000 + 1, 1), (at * 10_000 + 500, 1)]:
            found = consumer.offsets_for_times({partition: asked})[partition]
            assert found.offset == first + wanted, (codec, asked, found)
        consumer.close()
        latest = broker.admin.list_partition_offsets({partition: OffsetSpec.MAX_TIMESTAMP})[partition]
        assert (latest.offset, latest.timestamp) == (first + 1, at * 10_000 + 500), (codec, latest)


def what_is_consumed_is_copied_once(broker):
    """Consume, produce and commit in one transaction, with the member's place in its group."""
    source, copies = broker.topic("copy-in"), broker.topic("copy-out")
    group = f"py.copy.{uuid.uuid4().hex[:12]}"
    producer = broker.producer()
    for number in range(6):
        producer.send(source, value=b"v%d" % number)
    producer.close()
    copier = broker.producer(transactional_id=f"py.copy.{uuid.uuid4().hex[:12]}")
    copier.init_transactions()
    # Every other transaction is aborted, and its input comes again to the next member.
    for attempt in range(4):
        consumer = broker.consumer(source, group_id=group, isolation_level="read_committed", max_poll_records=3)
        records = take(consumer, 3)
        copier.begin_transaction()
        for record in records[:3]:
            copier.send(copies, value=record.value)
        offsets = {TopicPartition(source, 0): OffsetAndMetadata(records[0].offset + 3, "", -1)}
        copier.send_offsets_to_transaction(offsets, consumer.group_metadata())
        copier.flush(WAIT)
        if attempt % 2:
            copier.commit_transaction()
        else:
            copier.abort_transaction()
        consumer.close()
    copier.close()
    found = values(broker.read(copies, 6, isolation_level="read_committed"))
    assert found == [f"v{number}" for number in range(6)], found
    assert len(values(broker.read(copies, 12))) == 12


def slow_transactions_are_aborted(broker):
    topic = broker.topic("slow")
    slow = broker.producer(transactional_id=f"py.slow.{uuid.uuid4().hex[:12]}", transaction_timeout_ms=1_000)
    slow.init_transactions()
    slow.begin_transaction()
    slow.send(topic, value=b"late").get(WAIT)
    plain = broker.producer()
    plain.send(topic, value=b"plain").get(WAIT)
    plain.close()
    committed = {"isolation_level": "read_committed"}
    reader = broker.consumer(group_id=None, **committed)
    reader.assign([TopicPartition(topic, 0)])
    # It comes when what is open before it has been aborted.
    assert values(take(reader, 1)) == ["plain"]
    reader.close()
    try:
        slow.send(topic, value=b"later").get(WAIT)
        slow.commit_transaction()
    except KafkaError:
        pass
    else:
        raise AssertionError("a transaction is committed after its time")
    slow.close(timeout=1)
    assert values(broker.read(topic, 1, **committed)) == ["plain"]


def static_members_come_back(broker):
    topic = broker.topic("static", partitions=2)
    group = f"py.static.{uuid.uuid4().hex[:12]}"

    def member(name):
        return broker.consumer(topic, group_id=group, group_instance_id=name)

    def described():
        found = broker.admin.describe_groups([group])
        return str(found.get(group) if isinstance(found, dict) else found)

    first = member("pinned")
    eventually("it has both", lambda: first.poll(JOINED) is not None and len(first.assignment()) == 2)
    # A static member does not leave when it closes: it is to come back.
    first.close()
    assert "Stable" in described() and "pinned" in described(), described()
    again = member("pinned")
    eventually("it has both again", lambda: again.poll(JOINED) is not None and len(again.assignment()) == 2)
    again.close()
    broker.admin.remove_group_members(group, [MemberToRemove(group_instance_id="pinned")])
    eventually("it is taken out", lambda: "pinned" not in described())


def producers_and_transactions_are_listed(broker):
    topic = broker.topic("listed")
    name = f"py.listed.{uuid.uuid4().hex[:12]}"
    producer = broker.producer(transactional_id=name)
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(topic, value=b"v").get(WAIT)
    partition = TopicPartition(topic, 0)
    assert name in str(broker.admin.list_transactions())
    assert "Ongoing" in str(broker.admin.describe_transactions([name]))
    assert "current_transaction_start_offset=0" in str(broker.admin.describe_producers([partition])).replace("': ", "=")
    producer.commit_transaction()
    eventually("it is complete", lambda: "CompleteCommit" in str(broker.admin.describe_transactions([name])))
    producer.close()
    assert topic in str(broker.admin.describe_log_dirs([topic]))


def group_offsets_are_administered(broker):
    topic = broker.topic("group-offsets", partitions=2)
    group = f"py.offsets.{uuid.uuid4().hex[:12]}"
    here, there = TopicPartition(topic, 0), TopicPartition(topic, 1)
    broker.admin.alter_group_offsets(
        group, {here: OffsetAndMetadata(3, "a", -1), there: OffsetAndMetadata(4, "b", -1)}
    )

    def found():
        offsets = broker.admin.list_group_offsets({group: None})[group]
        return {partition.partition: committed.offset for partition, committed in offsets.items()}

    assert found() == {0: 3, 1: 4}, found()
    broker.admin.delete_group_offsets(group, [here])
    assert found() == {1: 4}, found()


SCENARIOS = [
    (times_in_packed_batches_are_found, ()),
    (what_is_consumed_is_copied_once, ("AddPartitionsToTxn", "AddOffsetsToTxn", "TxnOffsetCommit", "EndTxn")),
    (slow_transactions_are_aborted, ("AddPartitionsToTxn", "EndTxn")),
    (static_members_come_back, ("DescribeGroups",)),
    (producers_and_transactions_are_listed, ("ListTransactions", "DescribeTransactions", "DescribeProducers")),
    (group_offsets_are_administered, ("OffsetDelete",)),
    (records_come_back_as_they_went, ()),
    (offsets_are_found_by_time, ()),
    (members_share_and_take_over, ()),
    (commits_can_be_read_and_reset, ()),
    (transactions_are_all_or_nothing, ("AddPartitionsToTxn", "AddOffsetsToTxn", "TxnOffsetCommit", "EndTxn")),
    (topics_are_administered, ()),
    (groups_are_administered, ("ListGroups", "DescribeGroups", "DeleteGroups")),
]


def main():
    broker = Broker(sys.argv[1])
    only = sys.argv[2:]
    for scenario, apis in SCENARIOS:
        if only and scenario.__name__ not in only:
            continue
        if not broker.has(*apis):
            print(f"left out, the broker has no {', '.join(apis)}: {scenario.__name__}")
            continue
        begun = time.monotonic()
        scenario(broker)
        print(f"ok: {scenario.__name__} ({time.monotonic() - begun:.1f} s)", flush=True)
    broker.admin.close()


if __name__ == "__main__":
    main()
