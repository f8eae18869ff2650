"""Changes of a schema of each language, each checked against the version before under the
levels BACKWARD and FORWARD."""

import json

from confluent_kafka.schema_registry import Schema
from languages import ID, TEXT, message, of_object, record

INT, LONG = {"name": "n", "type": "int"}, {"name": "n", "type": "long"}


def enum(symbols, **more):
    named = {"type": "enum", "name": "Kind", "symbols": symbols}
    return record({"name": "kind", "type": named | more})


def fixed(size):
    return record({"name": "x", "type": {"type": "fixed", "name": "X", "size": size}})


def decimal(scale):
    of = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": scale}
    return record({"name": "sum", "type": of})


def union(*branches):
    return record({"name": "u", "type": list(branches)})


def tree(name):
    of = {"type": "record", "name": name, "fields": []}
    of["fields"] = [ID, {"name": "next", "type": ["null", name], "default": None}]
    return json.dumps(of)


def any_object(properties, **more):
    return json.dumps({"type": "object", "properties": properties} | more)


def of(**more):
    return of_object({"a": more})


def proto(*fields, after=""):
    return message(*fields) + after


KIND = "\nenum Kind {\n  NONE = 0;\n  ONE = 1;\n}\n"

CHANGES = {
    "AVRO": {
        "same": (record(ID), record(ID)),
        "promoted": (record(INT), record(LONG)),
        "field-with-default": (record(ID), record(ID, INT | {"default": 0})),
        "field-without-default": (record(ID), record(ID, INT)),
        "field-renamed": (record(INT), record(INT | {"name": "m"})),
        "field-renamed-with-alias": (record(INT), record(INT | {"name": "m", "aliases": ["n"]})),
        "text-as-bytes": (record(ID), record(ID | {"type": "bytes"})),
        "number-as-text": (record(INT), record(INT | {"type": "string"})),
        "symbol-added": (enum(["A"]), enum(["A", "B"])),
        "symbol-added-beside-default": (enum(["A"], default="A"), enum(["A", "B"], default="A")),
        "branch-added": (union("null", "int"), union("null", "int", "string")),
        "into-union": (record(INT), record(INT | {"type": ["null", "int"]})),
        "size-of-fixed": (fixed(4), fixed(8)),
        "scale-of-decimal": (decimal(2), decimal(3)),
        "recursive-renamed": (tree("Tree"), tree("Node")),
    },
    "JSON": {
        "same": (of_object({"a": TEXT}), of_object({"a": TEXT})),
        "property-in-closed": (of_object({"a": TEXT}), of_object({"a": TEXT, "b": TEXT})),
        "property-in-open": (any_object({"a": TEXT}), any_object({"a": TEXT, "b": TEXT})),
        "required": (of_object({"a": TEXT}), of_object({"a": TEXT}, required=["a"])),
        "closed": (any_object({"a": TEXT}), of_object({"a": TEXT})),
        "integer-as-number": (of(type="integer"), of(type="number")),
        "text-as-number": (of(type="string"), of(type="number")),
        "null-allowed": (of(type="string"), of(type=["string", "null"])),
        "value-added": (of(enum=["x"]), of(enum=["x", "y"])),
        "max-length": (of(type="string"), of(type="string", maxLength=5)),
        "minimum-lowered": (of(type="integer", minimum=5), of(type="integer", minimum=1)),
        "pattern": (of(type="string"), of(type="string", pattern="^x")),
        "any-of-longer": (of(anyOf=[TEXT]), of(anyOf=[TEXT, {"type": "integer"}])),
        "one-of-longer": (of(oneOf=[TEXT]), of(oneOf=[TEXT, {"type": "integer"}])),
        "title": (of_object({"a": TEXT}), of_object({"a": TEXT}, title="A")),
    },
    "PROTOBUF": {
        "same": (proto("string a = 1;"), proto("string a = 1;")),
        "field-added": (proto("string a = 1;"), proto("string a = 1;", "int32 b = 2;")),
        "field-renamed": (proto("string a = 1;"), proto("string b = 1;")),
        "number-changed": (proto("string a = 1;"), proto("string a = 2;")),
        "wider-number": (proto("int32 a = 1;"), proto("int64 a = 1;")),
        "zigzag": (proto("int32 a = 1;"), proto("sint32 a = 1;")),
        "text-as-bytes": (proto("string a = 1;"), proto("bytes a = 1;")),
        "number-as-text": (proto("int32 a = 1;"), proto("string a = 1;")),
        "numbers-repeated": (proto("int32 a = 1;"), proto("repeated int32 a = 1;")),
        "number-reserved": (
            proto("string a = 1;", "int32 b = 2;"),
            proto("string a = 1;", "reserved 2;"),
        ),
        "message-added": (proto("string a = 1;"), proto("string a = 1;", after="message B {\n}\n")),
        "into-oneof": (
            proto("string a = 1;", "string b = 2;"),
            proto("oneof x {\n    string a = 1;\n    string b = 2;\n  }"),
        ),
        "value-added": (
            proto("Kind kind = 1;", after=KIND),
            proto("Kind kind = 1;", after=KIND.replace("}", "  TWO = 2;\n}")),
        ),
    },
}


def changes(it):
    for kind, table in CHANGES.items():
        for name, (old, new) in table.items():
            step, subject = f"change.{kind.lower()}.{name}", f"change-{kind.lower()}-{name}"
            it.register(f"{step}.old", subject, Schema(old, kind))
            for level in ["BACKWARD", "FORWARD"]:
                it.client().set_compatibility(subject, level)
                it.ask(
                    f"{step}.{level.lower()}",
                    lambda client: client.test_compatibility(subject, Schema(new, kind)),
                )
