"""Reads the mesh as a stranger does: confluent-kafka, its Avro deserializer, our registry."""

import json
import time
import tomllib
import urllib.request
import uuid

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext


def products(http):
    """Every product of the catalog, page by page."""
    found, cursor = [], None
    while True:
        url = f"{http}/api/v1/products?limit=3" + (f"&cursor={cursor}" if cursor else "")
        with urllib.request.urlopen(url) as answer:
            page = json.load(answer)
        found += page["items"]
        cursor = page.get("next_cursor")
        if not cursor:
            return found


def login(file):
    """The settings of a client that logs in, from the table [kafka] of a file."""
    with open(file, "rb") as opened:
        return tomllib.load(opened)["kafka"]


class Mesh:
    def __init__(self, bootstrap, registry, settings=None):
        self.bootstrap = bootstrap
        self.settings = settings or {}
        self.registry = SchemaRegistryClient({"url": registry})
        self.decode = AvroDeserializer(self.registry)

    def consumer(self, group=None, **settings):
        return Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": group or f"stranger-{uuid.uuid4()}",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                **self.settings,
                **settings,
            }
        )

    def value(self, message):
        context = SerializationContext(message.topic(), MessageField.VALUE)
        return self.decode(message.value(), context)

    def key(self, message):
        context = SerializationContext(message.topic(), MessageField.KEY)
        return self.decode(message.key(), context)

    def bounds(self, consumer, topic):
        """(low, high) per partition."""
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        return {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30) for p in partitions}

    def read(self, topic, starts=None):
        """All committed messages of `topic` from its beginning, or from the offsets `starts`.

        An offset may be the mark of a transaction, so the client says where the end is."""
        consumer = self.consumer(**{"enable.partition.eof": True})
        starts = starts or {p: low for p, (low, _) in self.bounds(consumer, topic).items()}
        consumer.assign([TopicPartition(topic, p, at) for p, at in starts.items()])
        messages, left, deadline = [], set(starts), time.time() + 120
        while left:
            assert time.time() < deadline, f"{topic}: the ends of {left} do not come"
            for message in consumer.consume(1000, timeout=1):
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
                    continue
                assert error is None, error
                messages.append(message)
        consumer.close()
        return messages

    def latest(self, topic):
        """The latest value per key of a state product, without deleted keys."""
        rows = {}
        for message in self.read(topic):
            rows[message.key()] = message
        return [self.value(message) for message in rows.values() if message.value() is not None]

    def log(self, topic):
        return [self.value(message) for message in self.read(topic)]
