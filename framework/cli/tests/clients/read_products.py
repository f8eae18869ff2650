"""Every product, read by a stranger: whole, from an offset, from a time, by one and by two
members of a group; and records written and read back in every codec."""

import argparse
import time
import uuid

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from mesh_reader import Mesh, products


def check_whole(mesh, product):
    topic = product["topic"]
    messages = mesh.read(topic)
    for message in messages:
        mesh.key(message)
        if message.value() is not None:
            assert isinstance(mesh.value(message), dict)
        headers = dict(message.headers() or [])
        for name in ("mesh-event-id", "mesh-contract-version", "traceparent"):
            assert name in headers, f"{topic}: a record without {name}"
        assert headers["mesh-contract-version"].decode() == product["version"], headers
    ids = {dict(m.headers())["mesh-event-id"] for m in messages}
    assert len(ids) == len(messages), f"{topic}: {len(messages) - len(ids)} event ids stand twice"
    return messages


def check_offset(mesh, topic, messages):
    by_partition = {}
    for message in messages:
        by_partition.setdefault(message.partition(), []).append(message.offset())
    starts = {p: offsets[len(offsets) // 2] for p, offsets in by_partition.items()}
    expected = {(p, o) for p, offsets in by_partition.items() for o in offsets if o >= starts[p]}
    found = {(m.partition(), m.offset()) for m in mesh.read(topic, starts)}
    assert found == expected, f"{topic}: from an offset {len(found)} instead of {len(expected)}"


def check_time(mesh, topic, messages):
    moment = sorted(m.timestamp()[1] for m in messages)[len(messages) // 2]
    consumer = mesh.consumer()
    partitions = {m.partition() for m in messages}
    found = consumer.offsets_for_times([TopicPartition(topic, p, moment) for p in partitions], timeout=30)
    for place in found:
        times = {m.offset(): m.timestamp()[1] for m in messages if m.partition() == place.partition}
        later = [offset for offset, at in times.items() if at >= moment]
        # The mark of a transaction has a time too, that of its end: the offset may be that of a
        # mark, and records behind it may be older than it.
        at = place.offset if place.offset >= 0 else max(times) + 1
        first = min(later, default=None)
        assert first is None or first >= at, f"{topic}/{place.partition}: offset {at} for a time passes over {first}"
        assert at not in times or at == first, f"{topic}/{place.partition}: offset {at} for a time, not {first}"
    after = consumer.offsets_for_times([TopicPartition(topic, p, 4_000_000_000_000) for p in partitions], timeout=30)
    assert all(place.offset < 0 for place in after), f"{topic}: offsets for a time to come: {after}"
    consumer.close()


def check_group(mesh, topic, messages, members):
    group = f"stranger-{uuid.uuid4()}"
    consumers = [mesh.consumer(group) for _ in range(members)]
    for consumer in consumers:
        consumer.subscribe([topic])
    # Nothing is committed before every member has its share.
    assigned, deadline, early = [], time.time() + 60, []
    while time.time() < deadline:
        for consumer in consumers:
            early += [(consumer, m) for m in consumer.consume(1, timeout=0.1)]
        assigned = [len(c.assignment()) for c in consumers]
        if all(assigned):
            break
    assert all(assigned), f"{topic}: {members} members have {assigned} partitions"
    shares = [{p.partition for p in c.assignment()} for c in consumers]
    assert sum(map(len, shares)) == len(set().union(*shares)), f"{topic}: shares overlap: {shares}"
    for consumer, share in zip(consumers, shares):
        for partition in share:
            consumer.seek(TopicPartition(topic, partition, 0))
    seen, deadline = {}, time.time() + 60
    while len(seen) < len(messages) and time.time() < deadline:
        for at, consumer in enumerate(consumers):
            for message in consumer.consume(500, timeout=0.2):
                assert message.error() is None, message.error()
                if message.partition() in shares[at]:
                    seen[(message.partition(), message.offset())] = at
    expected = {(m.partition(), m.offset()) for m in messages}
    assert set(seen) == expected, f"{topic}: a group of {members} saw {len(seen)} of {len(expected)}"
    for at, consumer in enumerate(consumers):
        # Whose partitions are empty has nothing to commit.
        if at in seen.values():
            consumer.commit(asynchronous=False)
        consumer.close()
    again = mesh.consumer(group)
    again.subscribe([topic])
    late = [m for m in again.consume(10, timeout=3) if m.error() is None]
    assert not late, f"{topic}: {len(late)} records come again after their offsets were committed"
    again.close()


def check_codecs(mesh):
    admin = AdminClient({"bootstrap.servers": mesh.bootstrap})
    schema = '{"type":"record","name":"Note","namespace":"stranger","fields":[{"name":"n","type":"long"},{"name":"text","type":"string"}]}'
    serialize = AvroSerializer(mesh.registry, schema)
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        topic = f"stranger.{codec}.{uuid.uuid4().hex[:8]}"
        admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(30)
        producer = Producer(
            {"bootstrap.servers": mesh.bootstrap, "compression.type": codec, "acks": "all", "enable.idempotence": True, "linger.ms": 20}
        )
        failed = []
        context = SerializationContext(topic, MessageField.VALUE)
        for n in range(2_000):
            value = serialize({"n": n, "text": "a stranger's words " * 8}, context)
            producer.produce(topic, value, key=str(n), on_delivery=lambda e, m: failed.append(e) if e else None)
            producer.poll(0)
        assert producer.flush(30) == 0 and not failed, failed
        numbers = sorted(mesh.value(m)["n"] for m in mesh.read(topic))
        assert numbers == list(range(2_000)), f"{codec}: {len(numbers)} came back"
        admin.delete_topics([topic])[topic].result(30)
        print(f"codec {codec}: 2,000 written and read back")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "registry", "http"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    mesh = Mesh(args.bootstrap, args.registry)
    found = products(args.http)
    assert found, "the catalog is empty"
    read = {product["topic"]: check_whole(mesh, product) for product in found}
    filled = {topic: messages for topic, messages in read.items() if messages}
    assert len(filled) >= 6, f"of {len(read)} products only {list(filled)} have records"
    for topic, messages in filled.items():
        check_offset(mesh, topic, messages)
        check_time(mesh, topic, messages)
        print(f"{topic}: {len(messages)} records, by offset, by time")
    # Joining takes its time: groups read the largest.
    for topic, messages in sorted(filled.items(), key=lambda one: -len(one[1]))[:5]:
        check_group(mesh, topic, messages, 1)
        if len({message.partition() for message in messages}) > 1:
            check_group(mesh, topic, messages, 2)
        print(f"{topic}: by groups")
    check_codecs(mesh)
    print("every product reads well")


main()
