"""The schemas of the steps in answers.py, in each language that a registry knows."""

import json

from confluent_kafka.schema_registry import Schema, SchemaReference


class Language:
    """Schemas of one type: a first one, what may follow it, what may not, one that is not
    valid, and one that refers to `shared` by `name`."""

    def __init__(self, kind, first, same, good, bad, invalid, shared, name, referring):
        self.kind = kind
        texts = [first, same, good, bad, invalid, shared]
        self.first, self.same, self.good, self.bad, self.invalid, self.shared = [
            Schema(text, kind) for text in texts
        ]
        self.prefix = kind.lower()
        to_shared = SchemaReference(name, f"{self.prefix}-shared", 1)
        self.referring = Schema(referring, kind, references=[to_shared])
        self.alone = Schema(referring, kind)
        nowhere = SchemaReference(name, f"{self.prefix}-none", 1)
        self.nowhere = Schema(referring, kind, references=[nowhere])


def record(*fields):
    return json.dumps(
        {"type": "record", "name": "Pay", "namespace": "bank", "fields": list(fields)}
    )


def of_object(properties, **more):
    return json.dumps(
        {"type": "object", "additionalProperties": False, "properties": properties} | more
    )


def message(*fields, head=""):
    lines = "".join(f"  {field}\n" for field in fields)
    return f'syntax = "proto3";\npackage bank;\n\n{head}message Pay {{\n{lines}}}\n'


ID = {"name": "id", "type": "string"}
TEXT = {"type": "string"}
MONEY = {
    "type": "record",
    "name": "Money",
    "namespace": "bank",
    "fields": [{"name": "cents", "type": "long"}],
}

LANGUAGES = [
    Language(
        "AVRO",
        first=record(ID),
        same=record(ID).replace(":", " : "),
        good=record(ID, {"name": "note", "type": "string", "default": ""}),
        bad=record(ID, {"name": "note", "type": "string"}),
        invalid='{"type": "record"}',
        shared=json.dumps(MONEY),
        name="bank.Money",
        referring=record(ID, {"name": "sum", "type": "Money"}),
    ),
    Language(
        "JSON",
        first=of_object({"id": TEXT}),
        same=of_object({"id": TEXT}).replace(":", " : "),
        good=of_object({"id": TEXT, "note": TEXT}),
        bad=of_object({"id": TEXT, "note": TEXT}, required=["note"]),
        invalid='{"type": "nothing"}',
        shared=of_object({"cents": {"type": "integer"}}),
        name="money.json",
        referring=of_object({"id": TEXT, "sum": {"$ref": "money.json"}}),
    ),
    Language(
        "PROTOBUF",
        first=message("string id = 1;"),
        same=message("string id  =  1;"),
        good=message("string id = 1;", "string note = 2;"),
        bad=message("bool id = 1;"),
        invalid="message {",
        shared='syntax = "proto3";\npackage bank;\n\nmessage Money {\n  int64 cents = 1;\n}\n',
        name="bank/money.proto",
        referring=message(
            "string id = 1;", ".bank.Money sum = 2;", head='import "bank/money.proto";\n\n'
        ),
    ),
]
