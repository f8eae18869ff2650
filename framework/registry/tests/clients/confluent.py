"""Confluent's client for Python, with its Avro serializer, against a schema registry.

Its argument is the registry's URL. It uses subjects that begin with "py-" and leaves none.
"""

import sys

from confluent_kafka.schema_registry import (
    Metadata,
    MetadataProperties,
    Rule,
    RuleKind,
    RuleMode,
    RuleSet,
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    ServerConfig,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

MONEY = """{"type": "record", "name": "Money", "namespace": "bank",
    "fields": [{"name": "cents", "type": "long"}]}"""
PAYMENT = """{"type": "record", "name": "Payment", "namespace": "bank", "fields": [
    {"name": "id", "type": "string"}, {"name": "amount", "type": "Money"}]}"""
PAYMENT_2 = PAYMENT.replace(
    '"type": "Money"}', '"type": "Money"}, {"name": "note", "type": "string", "default": ""}'
)
BROKEN = PAYMENT.replace(
    '"type": "Money"}', '"type": "Money"}, {"name": "note", "type": "string"}'
)
VALUE = {"id": "a-1", "amount": {"cents": 12_50}}


def refused(code, call, *args, **kwargs):
    try:
        answer = call(*args, **kwargs)
    except SchemaRegistryError as error:
        assert error.error_code == code, error
        return
    raise AssertionError(f"{call.__name__} answered {answer} instead of {code}")


def avro(text, *references, **more):
    return Schema(text, "AVRO", references=list(references), **more)


def check(url):
    def new():
        return SchemaRegistryClient({"url": url})

    client = new()
    assert client.get_schema_types()[0] == "AVRO"
    assert client.get_contexts()[0] == "."

    # Registered, found again, with what it refers to.
    money_id = client.register_schema("py-money", avro(MONEY))
    to_money = SchemaReference("bank.Money", "py-money", 1)
    payment_id = client.register_schema("py-payment-value", avro(PAYMENT, to_money))
    assert payment_id != money_id
    found = new().get_schema(payment_id)
    assert [it.subject for it in found.references] == ["py-money"], found
    looked_up = new().lookup_schema("py-payment-value", avro(PAYMENT, to_money))
    assert (looked_up.schema_id, looked_up.version) == (payment_id, 1), looked_up
    assert client.get_referenced_by("py-money", 1) == [payment_id]
    assert client.get_subjects_by_schema_id(payment_id) == ["py-payment-value"]
    assert client.get_schema_versions(payment_id)[0].version == 1
    assert client.get_subjects(subject_prefix="py-") == ["py-money", "py-payment-value"]
    assert client.get_version("py-money", 1).schema_id == money_id
    assert client.get_latest_version("py-money").version == 1

    # Through the serializers, which register and look up by themselves.
    context = SerializationContext("py-payment", MessageField.VALUE)
    for settings in [
        {"auto.register.schemas": True},
        {"auto.register.schemas": False},
        {"auto.register.schemas": False, "use.latest.version": True},
    ]:
        serializer = AvroSerializer(new(), avro(PAYMENT, to_money), conf=settings)
        record = serializer(VALUE, context)
        assert record[0] == 0 and int.from_bytes(record[1:5], "big") == payment_id, settings
        assert AvroDeserializer(new())(record, context) == VALUE

    # Compatibility and its settings.
    good, bad = avro(PAYMENT_2, to_money), avro(BROKEN, to_money)
    assert client.test_compatibility("py-payment-value", good)
    assert not client.test_compatibility("py-payment-value", bad, verbose=True)
    assert not client.test_compatibility_all_versions("py-payment-value", bad)
    refused(409, client.register_schema, "py-payment-value", bad)
    refused(40408, client.get_compatibility, "py-money")
    assert client.set_compatibility("py-money", "full")["compatibility"] == "FULL"
    assert client.get_compatibility("py-money") == "FULL"
    metadata = Metadata(None, MetadataProperties({"owner": "bank"}), None)
    config = ServerConfig(compatibility_group="major", default_metadata=metadata)
    client.set_config("py-money", config)
    config = client.get_config("py-money")
    assert config.compatibility_group == "major", config
    assert config.default_metadata.properties.properties == {"owner": "bank"}, config
    client.delete_config("py-money")
    refused(40401, client.delete_config, "py-money")

    # Metadata and rules.
    kind, mode = RuleKind.CONDITION, RuleMode.WRITE
    rule = Rule("r", None, kind, mode, "CEL", None, None, "true", None, None, False)
    with_rules = avro(MONEY, metadata=metadata, rule_set=RuleSet(None, [rule], None))
    rules_id = client.register_schema("py-rules", with_rules)
    assert rules_id != money_id
    found = new().get_latest_with_metadata("py-rules", {"owner": "bank"})
    assert found.schema_id == rules_id
    assert found.schema.metadata.properties.properties == {"owner": "bank"}
    assert found.schema.rule_set.domain_rules[0].name == "r"
    assert new().get_version("py-money", 1).schema.metadata is None
    refused(40403, client.get_latest_with_metadata, "py-rules", {"owner": "loan"})

    # Contexts.
    assert client.register_schema(":.py:s", avro('"string"')) == 1
    assert new().get_schema(1, subject_name=":.py:s").schema_str == '"string"'
    assert ".py" in client.get_contexts()

    # Modes.
    assert client.get_global_mode() == "READWRITE"
    assert client.update_mode("py-import", "IMPORT") == "IMPORT"
    refused(42205, client.register_schema, "py-import", avro('"int"'))
    assert client.delete_mode("py-import") == "IMPORT"
    refused(40409, client.get_mode, "py-import")
    refused(42205, client.update_mode, "py-money", "IMPORT")

    # What is not there, and what is not valid.
    refused(40401, client.get_latest_version, "py-none")
    refused(40402, client.get_version, "py-money", 9)
    refused(40403, new().get_schema, 2_000_000_000)
    refused(42201, client.register_schema, "py-bad", avro('{"type": "record"}'))
    missing = SchemaReference("bank.Money", "py-none", 1)
    refused(42201, client.register_schema, "py-bad", avro(PAYMENT, missing))

    # Deleted, softly and for good.
    refused(42206, client.delete_subject, "py-money")
    refused(40405, client.delete_subject, "py-payment-value", permanent=True)
    assert client.delete_version("py-payment-value", 1) == 1
    refused(40406, client.delete_version, "py-payment-value", 1)
    assert client.get_version("py-payment-value", 1, deleted=True).schema_id == payment_id
    assert client.delete_version("py-payment-value", 1, permanent=True) == 1
    for subject in ["py-money", "py-rules", ":.py:s"]:
        assert client.delete_subject(subject) == [1]
        refused(40404, client.delete_subject, subject)
        assert client.delete_subject(subject, permanent=True) == [1]
    assert client.get_subjects(subject_prefix="py-", deleted=True) == []


check(sys.argv[1])
print("ok")
