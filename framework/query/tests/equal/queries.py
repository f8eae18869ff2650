"""The questions: files of SQL in which each statement has a number and says what it asks.

    -- 017 How many applications were decided how, by region?
    SELECT …;

    -- 018 The same in a month
    SELECT … our function …
    -- duckdb: why it is asked in other words
    SELECT … its function …;
"""

import re
from dataclasses import dataclass

# What starts with it is text, a name or a comment: no SQL.
QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*")


@dataclass(frozen=True)
class Query:
    number: int
    asks: str
    file: str
    ours: str
    theirs: str

    @property
    def ordered(self):
        """Whether the whole answer has an order: an ORDER BY in no parentheses."""
        text, depth = QUOTED.sub(" ", self.ours), 0
        plain = ""
        for letter in text:
            depth += (letter == "(") - (letter == ")")
            plain += letter if not depth else " "
        return re.search(r"\border\s+by\b", plain, re.IGNORECASE) is not None

    def reads(self, table):
        return re.search(rf"\b{re.escape(table)}\b", QUOTED.sub(" ", self.theirs)) is not None


def load(folder):
    """All statements, by their numbers.

    Raises ValueError for a file that is not written as above, and a number that stands twice."""
    found = {}
    for file in sorted(folder.glob("*.sql")):
        text = file.read_text()
        for at, part in enumerate(re.split(r"^-- (?=\d{3} )", text, flags=re.MULTILINE)):
            if at == 0:
                if re.search(r"^(?!--)\S", part, re.MULTILINE):
                    raise ValueError(f"{file.name}: a statement before the first number")
                continue
            head, _, body = part.partition("\n")
            number, asks = head.split(" ", 1)
            body = body.strip()
            if not body.endswith(";") or ";" in QUOTED.sub(" ", body[:-1]):
                raise ValueError(f"{file.name}: {number} is not one statement that ends with a semicolon")
            ours, *other = re.split(r"^-- duckdb: .+\n", body[:-1], flags=re.MULTILINE)
            if len(other) > 1 or int(number) in found:
                raise ValueError(f"{file.name}: {number} stands twice")
            found[int(number)] = Query(int(number), asks, file.name, ours.strip(), (other or [ours])[0].strip())
    return [found[number] for number in sorted(found)]
