"""What the serializers of Confluent's client for Python find at a registry: each writes a
value with its three ways to an id, and what it wrote is read again."""

import json

from answers import Recorder
from confluent_kafka.schema_registry import Schema, SchemaReference
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2
from serializers import SETTINGS, messages

WAYS = list(zip(["register", "look-up", "latest"], SETTINGS, strict=True))


def written(it: Recorder, name, serializer, deserializers, value, topic):
    context = SerializationContext(topic, MessageField.VALUE)
    for way, settings in WAYS:
        step = f"{name}.{way}"
        record = it.ask(
            f"{step}.written",
            lambda client, settings=settings: serializer(client, settings)(value, context),
            lambda record: {"magic": record[0], "id": it.id(int.from_bytes(record[1:5], "big"))},
        )
        for number, new in enumerate(deserializers, 1):
            if record is None:
                it.note(f"{step}.read-{number}", "nothing was written")
                continue
            it.ask(
                f"{step}.read-{number}",
                lambda client, new=new: new(client)(record, context),
                lambda read: read == value,
            )


def avro(it):
    money = {"type": "record", "name": "Money", "namespace": "bank"}
    money["fields"] = [{"name": "cents", "type": "long"}]
    pay = {"type": "record", "name": "Pay", "namespace": "bank"}
    pay["fields"] = [{"name": "id", "type": "string"}, {"name": "sum", "type": "Money"}]
    it.register("serializer.avro.shared", "wire-money", Schema(json.dumps(money), "AVRO"))
    to_money = SchemaReference("bank.Money", "wire-money", 1)
    schema = Schema(json.dumps(pay), "AVRO", references=[to_money])
    written(
        it,
        "serializer.avro",
        lambda client, settings: AvroSerializer(client, schema, conf=settings),
        [lambda client: AvroDeserializer(client)],
        {"id": "a-1", "sum": {"cents": 1250}},
        "wire-avro",
    )


def json_schema(it):
    money = {"type": "object", "properties": {"cents": {"type": "integer"}}}
    pay = {
        "title": "Pay",
        "type": "object",
        "properties": {"id": {"type": "string"}, "sum": {"$ref": "https://example.com/money.json"}},
    }
    it.register("serializer.json.shared", "wire-money-json", Schema(json.dumps(money), "JSON"))
    to_money = SchemaReference("https://example.com/money.json", "wire-money-json", 1)
    schema = Schema(json.dumps(pay), "JSON", references=[to_money])
    written(
        it,
        "serializer.json",
        lambda client, settings: JSONSerializer(schema, client, conf=settings),
        [
            lambda client: JSONDeserializer(schema, schema_registry_client=client),
            lambda client: JSONDeserializer(None, schema_registry_client=client),
        ],
        {"id": "a-1", "sum": {"cents": 1250}},
        "wire-json",
    )


def protobuf(it):
    pay = messages(descriptor_pb2.FieldDescriptorProto.TYPE_INT64)
    written(
        it,
        "serializer.protobuf",
        lambda client, settings: ProtobufSerializer(pay, client, conf=settings),
        [
            lambda client: ProtobufDeserializer(pay, {}, None),
            lambda client: ProtobufDeserializer(pay, {}, client),
        ],
        pay(id="a-1", sum={"cents": 1250}),
        "wire-protobuf",
    )
    it.ask(
        "serializer.protobuf.subjects",
        lambda client: sorted(
            name for name in client.get_subjects() if name.startswith(("ser/", "wire-protobuf"))
        ),
    )
    it.ask(
        "serializer.protobuf.text",
        lambda client: client.get_latest_version("wire-protobuf-value"),
        lambda found: found.schema.schema_str.splitlines(),
    )
