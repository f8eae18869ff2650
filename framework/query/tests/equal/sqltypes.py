"""Types of SQL as both engines write them, and their values in one form that can be compared."""

import datetime
import math
import re
from dataclasses import dataclass
from decimal import Decimal

EPOCH = datetime.datetime(1970, 1, 1)
LEAVES = {
    **{f"{size}INT{sign}": "integer" for size in ("TINY", "SMALL", "BIG") for sign in ("", " UNSIGNED")},
    **{f"U{size}INT": "integer" for size in ("TINY", "SMALL", "BIG", "HUGE")},
    **dict.fromkeys(("INTEGER", "INTEGER UNSIGNED", "UINTEGER", "HUGEINT"), "integer"),
    **dict.fromkeys(("REAL", "FLOAT", "DOUBLE"), "double"),
    "VARCHAR": "text", "BOOLEAN": "boolean", "DATE": "date", "NULL": "null", '"NULL"': "null",
}
TIMESTAMP = re.compile(r"TIMESTAMP(_S|_MS|_NS)?(\(\d\))?( WITH TIME ZONE)?$")
NUMBERS = {"integer", "decimal", "double"}


@dataclass(frozen=True)
class Type:
    kind: str
    # Its name in DuckDB.
    name: str
    # The names of a struct's fields.
    names: tuple = ()
    parts: tuple = ()
    # Digits after a decimal's point.
    scale: int = 0


def parse(text):
    """The type that either engine writes as `DECIMAL(12,2)`, `STRUCT(a BIGINT, b VARCHAR[])[]`, `MAP(VARCHAR, DATE)`."""
    text = text.strip()
    if text.endswith("[]"):
        item = parse(text[:-2])
        return Type("list", f"{item.name}[]", parts=(item,))
    if text.startswith("STRUCT("):
        fields = [re.match(r'("(?:[^"]|"")*"|\S+) (.+)$', part).groups() for part in split(text[7:-1])]
        names = tuple(name.strip('"').replace('""', '"') for name, _ in fields)
        parts = tuple(parse(kind) for _, kind in fields)
        written = ", ".join(f'"{name}" {part.name}' for name, part in zip(names, parts))
        return Type("struct", f"STRUCT({written})", names, parts)
    if text.startswith("MAP("):
        parts = tuple(map(parse, split(text[4:-1])))
        return Type("map", f"MAP({parts[0].name}, {parts[1].name})", parts=parts)
    if text.startswith("DECIMAL("):
        return Type("decimal", text, scale=int(text[8:-1].split(",")[1]))
    if found := TIMESTAMP.match(text):
        return Type("instant", "TIMESTAMPTZ") if found.group(3) else Type("timestamp", "TIMESTAMP")
    if text not in LEAVES:
        raise ValueError(f"values of type {text} are not compared; cast them")
    return Type(LEAVES[text], re.sub(r"(\w+) UNSIGNED", r"U\1", text))


def split(text):
    """The parts between commas that stand in no parentheses and no quotes."""
    parts, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == '"'
        depth += 0 if quoted else (letter == "(") - (letter == ")")
        if letter == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def micros(text):
    """Microseconds since 1970; digits below must be zero."""
    found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:\+00:00|Z)?$", text)
    if not found:
        raise ValueError("an instant is not in ISO 8601 and UTC")
    fraction = (found.group(2) or "").ljust(9, "0")
    if fraction[6:] != "000":
        raise ValueError("an instant has more digits than microseconds")
    return (datetime.datetime.fromisoformat(found.group(1)) - EPOCH) // datetime.timedelta(microseconds=1) + int(fraction[:6])


def ours(value, kind):
    """A value of our JSON, in the form that both engines' values are compared in."""
    if value is None:
        return None
    match kind.kind:
        case "integer":
            return int(value)
        case "decimal":
            return Decimal(value)
        case "double":
            return float(value)
        case "date":
            return datetime.date.fromisoformat(value)
        case "instant" | "timestamp":
            return micros(value)
        case "list":
            return [ours(item, kind.parts[0]) for item in value]
        case "struct":
            if tuple(value) != kind.names:
                raise ValueError("a struct's fields are not those of its type")
            return [ours(value[name], part) for name, part in zip(kind.names, kind.parts)]
        case "map":
            return pairs((ours(key, kind.parts[0]), ours(item, kind.parts[1])) for key, item in value)
        case "text" | "boolean":
            if not isinstance(value, str if kind.kind == "text" else bool):
                raise ValueError(f"a value is not what its type {kind.name} says")
    return value


def theirs(value, kind):
    """A value of DuckDB's client, in the same form."""
    if value is None:
        return None
    match kind.kind:
        case "instant":
            return (value.astimezone(datetime.timezone.utc).replace(tzinfo=None) - EPOCH) // datetime.timedelta(microseconds=1)
        case "timestamp":
            return (value - EPOCH) // datetime.timedelta(microseconds=1)
        case "list":
            return [theirs(item, kind.parts[0]) for item in value]
        case "struct":
            return [theirs(value[name], part) for name, part in zip(kind.names, kind.parts)]
        case "map":
            return pairs((theirs(key, kind.parts[0]), theirs(item, kind.parts[1])) for key, item in value.items())
    return value


def pairs(items):
    # A map has no order.
    return sorted((list(pair) for pair in items), key=repr)


def alike(one, other):
    """Whether values of the two types can be equal: numbers with numbers, and else kind for kind."""
    if "null" in (one.kind, other.kind):
        return True
    if one.kind in NUMBERS:
        return other.kind in NUMBERS
    return one.kind == other.kind and one.names == other.names and all(map(alike, one.parts, other.parts))


def exact(one, other):
    """Whether equal values of the two types are the same to the last digit."""
    return "double" not in (one.kind, other.kind) and all(map(exact, one.parts, other.parts))


def equal(a, one, b, other):
    """Integers, decimals, text, dates and instants are equal or not; doubles are to nine digits. A decimal beside a
    double, as for averages, is to the decimal's last digit."""
    if a is None or b is None:
        return a is b
    if one.kind in NUMBERS:
        if "double" not in (one.kind, other.kind):
            return a == b
        nearest = 10.0 ** -max(one.scale, other.scale) if "decimal" in (one.kind, other.kind) else 1e-12
        a, b = float(a), float(b)
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=nearest) or (math.isnan(a) and math.isnan(b))
    if one.kind == "list":
        return len(a) == len(b) and all(equal(x, one.parts[0], y, other.parts[0]) for x, y in zip(a, b))
    if one.kind == "struct":
        return all(map(equal, a, one.parts, b, other.parts))
    if one.kind == "map":
        return len(a) == len(b) and all(all(map(equal, x, one.parts, y, other.parts)) for x, y in zip(a, b))
    return a == b
