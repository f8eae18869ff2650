"""Confluent's client for Python, with its JSON Schema and Protobuf serializers, against a
schema registry. Its argument is the registry's URL. It uses subjects that begin with "ser-"
and leaves none.
"""

import json
import sys

from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

CONTEXT = SerializationContext("ser-topic", MessageField.VALUE)
SUBJECT = "ser-topic-value"
SETTINGS = [
    {"auto.register.schemas": True},
    {"auto.register.schemas": False},
    {"auto.register.schemas": False, "use.latest.version": True},
]


def new(url):
    return SchemaRegistryClient({"url": url})


def incompatible(client, subject, schema, word):
    assert not client.test_compatibility(subject, schema)
    try:
        client.register_schema(subject, schema)
    except SchemaRegistryError as error:
        assert error.error_code == 409 and word in str(error), error
        return
    raise AssertionError("an incompatible schema was registered")


def forget(client, *subjects):
    for subject in subjects:
        client.delete_subject(subject)
        client.delete_subject(subject, permanent=True)


def check_json(url):
    client = new(url)
    zip_code = {"type": "object", "properties": {"zip": {"type": "string"}}}
    client.register_schema("ser-zip", Schema(json.dumps(zip_code), "JSON"))
    to_zip = SchemaReference("https://example.com/zip.json", "ser-zip", 1)
    person = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "https://example.com/person.json",
        "title": "Person",
        "type": "object",
        "additionalProperties": False,
        "properties": {"name": {"type": "string"}, "home": {"$ref": "https://example.com/zip.json"}},
    }
    schema = Schema(json.dumps(person), "JSON", references=[to_zip])
    value = {"name": "Ada", "home": {"zip": "12345"}}
    ids = set()
    for settings in SETTINGS:
        serializer = JSONSerializer(schema, new(url), conf=settings)
        record = serializer(value, CONTEXT)
        assert record[0] == 0, settings
        ids.add(int.from_bytes(record[1:5], "big"))
        assert JSONDeserializer(schema, schema_registry_client=new(url))(record, CONTEXT) == value
        assert JSONDeserializer(None, schema_registry_client=new(url))(record, CONTEXT) == value
    assert len(ids) == 1, ids
    found = new(url).get_schema(ids.pop())
    assert found.schema_type == "JSON" and json.loads(found.schema_str) == person, found
    wider = json.loads(json.dumps(person))
    wider["properties"]["note"] = {"type": "string"}
    assert client.test_compatibility(SUBJECT, Schema(json.dumps(wider), "JSON", references=[to_zip]))
    wider["required"] = ["note"]
    narrower = Schema(json.dumps(wider), "JSON", references=[to_zip])
    incompatible(client, SUBJECT, narrower, "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL")
    forget(client, SUBJECT, "ser-zip")


def messages(cents):
    """Two files, one importing the other, as a compiler would have made them."""
    pool = descriptor_pool.DescriptorPool()
    field = descriptor_pb2.FieldDescriptorProto
    money = descriptor_pb2.FileDescriptorProto(
        name="ser/money.proto", package="ser", syntax="proto3"
    )
    message = money.message_type.add(name="Money")
    message.field.add(name="cents", number=1, type=cents, label=field.LABEL_OPTIONAL)
    pay = descriptor_pb2.FileDescriptorProto(
        name="ser/pay.proto", package="ser", syntax="proto3", dependency=["ser/money.proto"]
    )
    pay.message_type.add(name="First")
    message = pay.message_type.add(name="Pay")
    message.field.add(name="id", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    message.field.add(
        name="sum",
        number=2,
        type=field.TYPE_MESSAGE,
        type_name=".ser.Money",
        label=field.LABEL_OPTIONAL,
    )
    for file in [money, pay]:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ser.Pay"))


def check_protobuf(url):
    client = new(url)
    field = descriptor_pb2.FieldDescriptorProto
    pay = messages(field.TYPE_INT64)
    value = pay(id="a-1", sum={"cents": 1250})
    ids = set()
    for settings in SETTINGS:
        serializer = ProtobufSerializer(pay, new(url), conf=settings)
        record = serializer(value, CONTEXT)
        assert record[0] == 0, settings
        ids.add(int.from_bytes(record[1:5], "big"))
        for registry in [None, new(url)]:
            read = ProtobufDeserializer(pay, {}, registry)(record, CONTEXT)
            assert read == value, (settings, read)
    assert len(ids) == 1, ids
    found = new(url).get_schema(ids.pop())
    assert found.schema_type == "PROTOBUF", found
    assert "message Pay {" in found.schema_str, found
    assert [it.name for it in found.references] == ["ser/money.proto"], found
    text = found.schema_str + "\nmessage Third {}\n"
    more = Schema(text, "PROTOBUF", references=found.references)
    assert client.test_compatibility(SUBJECT, more)
    changed = Schema(text.replace("string id", "bool id"), "PROTOBUF", references=found.references)
    incompatible(client, SUBJECT, changed, "FIELD_SCALAR_KIND_CHANGED")
    forget(client, SUBJECT, "ser/money.proto")


if __name__ == "__main__":
    check_json(sys.argv[1])
    check_protobuf(sys.argv[1])
    left = new(sys.argv[1]).get_subjects(subject_prefix="ser", deleted=True)
    assert left == [], left
    print("ok")
