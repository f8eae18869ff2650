"""Is what SQL answers over products what it is? The same questions over the same rows in DuckDB.

All seven domains run and have rows; every product is read whole and loaded into DuckDB in memory
with the same types; each statement of the files beside this one is asked of both. The statements'
order of rows counts where they say one, and their names and types of columns always.

With --plant one value of each column is changed in DuckDB afterwards, and the statements must
notice."""

import argparse
import json
import pathlib
import random
import re
import sys
import tempfile
import time

import duckdb

import demo
import queries
import sqltypes
from demo import Refused, expect, say

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[3]
LEAST, MOST_EMPTY, MOST_VARIANTS = 300, 10, 0.1
SLOW_MS = 1_000


class Answer:
    """Rows in one form, their names and types."""

    def __init__(self, names, types, rows):
        self.names, self.types, self.rows = names, types, rows

    @classmethod
    def ours(cls, answer):
        columns = answer["columns"]
        types = [sqltypes.parse(column["type"]) for column in columns]
        return cls([column["name"] for column in columns], types,
                   [[sqltypes.ours(value, kind) for value, kind in zip(row, types)] for row in answer["rows"]])

    @classmethod
    def theirs(cls, database, statement):
        cursor = database.execute(statement)
        types = [sqltypes.parse(str(column[1])) for column in cursor.description]
        names = [column[0] for column in cursor.description]
        return cls(names, types, [[sqltypes.theirs(value, kind) for value, kind in zip(row, types)] for row in cursor.fetchall()])

    def sorted(self, other):
        """The rows in an order that both answers have if they hold the same rows: exact values first."""
        order = sorted(range(len(self.types)), key=lambda at: not sqltypes.exact(self.types[at], other.types[at]))

        def text(at, value):
            exact = sqltypes.exact(self.types[at], other.types[at])
            # 1.50 and 1.5 are the same number.
            return repr(normal(value)) if exact else sortable(value)

        return sorted(self.rows, key=lambda row: [text(at, row[at]) for at in order])


def normal(value):
    if isinstance(value, list):
        return [normal(item) for item in value]
    return value if value is None or isinstance(value, (str, bool)) or not hasattr(value, "as_integer_ratio") else value.as_integer_ratio()


def sortable(value):
    return (value is None, 0.0 if value is None or isinstance(value, list) else float(value), repr(value) if isinstance(value, list) else "")


def difference(mine, other, ordered):
    """What differs first, in words; None if nothing does."""
    if mine.names != other.names:
        return f"columns {mine.names}, in DuckDB {other.names}"
    for name, one, two in zip(mine.names, mine.types, other.types):
        if not sqltypes.alike(one, two):
            return f"column {name} is {one.name}, in DuckDB {two.name}"
    if len(mine.rows) != len(other.rows):
        return f"{len(mine.rows)} rows, in DuckDB {len(other.rows)}"
    found = first_difference(mine, other, mine.rows, other.rows)
    if found is None:
        return None
    aligned = first_difference(mine, other, mine.sorted(other), other.sorted(mine))
    if ordered:
        return found if aligned else f"the same rows in another order: {found}"
    return aligned


def first_difference(mine, other, left, right):
    for position, (one, two) in enumerate(zip(left, right), 1):
        for at, name in enumerate(mine.names):
            if not sqltypes.equal(one[at], mine.types[at], two[at], other.types[at]):
                # The rows are made up, so they may be shown.
                return f"row {position}, column {name}: {one[at]!r}, in DuckDB {two[at]!r}"
    return None


def load(mesh, tables, work):
    """The products' rows in DuckDB, as they came and no others. What is not the same in every
    database by its standard is set to what Postgres does."""
    database = duckdb.connect()
    for setting in ("TimeZone = 'UTC'", "default_null_order = 'nulls_last_on_asc_first_on_desc'", "integer_division = true"):
        database.execute(f"SET {setting}")
    total = 0
    for table in tables:
        answer = mesh.sql(f"SELECT * FROM {table}")
        columns = [(column["name"], sqltypes.parse(column["type"])) for column in answer["columns"]]
        rows = list(answer["rows"])
        # Whoever relies on the order in which rows happen to lie is found out.
        random.Random(table).shuffle(rows)
        file = work / "rows.json"
        with open(file, "w") as out:
            for row in rows:
                out.write(json.dumps({name: as_map(value, kind) for (name, kind), value in zip(columns, row)}) + "\n")
        database.execute(f"CREATE SCHEMA IF NOT EXISTS {table.split('.')[0]}")
        declared = ", ".join(f'"{name}" {kind.name}' for name, kind in columns)
        database.execute(f"CREATE TABLE {table} ({declared})")
        if rows:
            read = ", ".join(f"'{name}': '{kind.name}'" for name, kind in columns)
            database.execute(f"INSERT INTO {table} SELECT * FROM read_json('{file}', format = 'newline_delimited', columns = {{{read}}})")
        mine, other = Answer.ours({**answer, "rows": rows}), Answer.theirs(database, f"SELECT * FROM {table}")
        expect((found := difference(mine, other, True)) is None, f"{table} is not in DuckDB as it was read: {found}")
        expect(mesh.rows(f"SELECT count(*) FROM {table}")[0][0] == len(rows), f"{table} has other rows than are counted")
        expect(rows, f"{table} has no rows")
        total += len(rows)
    say(f"{total} rows of {len(tables)} products are in DuckDB {duckdb.__version__} as they were read")
    return database


def as_map(value, kind):
    return dict(value) if kind.kind == "map" and value is not None else value


def compare(mesh, database, asked):
    """The answers that are equal, by number; says what differs."""
    answers, failed, empty, slow, spent = {}, 0, [], [], [0, 0.0]
    for query in asked:
        def failure(text, query=query):
            print(f"  {query.number:03} of {query.file}: {text}\n      ({query.asks})", flush=True)

        try:
            answer = mesh.sql(query.ours)
            mine = Answer.ours(answer)
            begun = time.monotonic()
            other = Answer.theirs(database, query.theirs)
            spent[1] += time.monotonic() - begun
            found = difference(mine, other, query.ordered)
        except Refused as error:
            found = f"refused: {error}"
        except (duckdb.Error, ValueError) as error:
            found = f"{type(error).__name__}: {error}"
        if found:
            failed += 1
            failure(found)
            continue
        answers[query.number] = mine
        spent[0] += answer["stats"]["elapsed_ms"]
        if not mine.rows:
            empty.append(query.number)
        if answer["stats"]["elapsed_ms"] > SLOW_MS:
            slow.append(f"{query.number:03} {answer['stats']['elapsed_ms']} ms")
    say(f"{len(answers)} of {len(asked)} statements are answered as DuckDB does, {failed} are not; ours in {spent[0] / 1000:.1f} s, DuckDB's in {spent[1]:.1f} s")
    if slow:
        say(f"longer than {SLOW_MS} ms: {', '.join(slow)}")
    return answers, failed, empty


# How a value is made another one.
CHANGES = {
    "integer": "{0} + 1", "decimal": "{0} + 1", "double": "{0} * 1.5 + 1", "text": "{0} || '~'", "boolean": "NOT {0}", "date": "{0} + 1",
    "instant": "{0} + INTERVAL 25 HOURS", "list": "list_append({0}, {0}[1])", "struct": "NULL",
}


def plant(database, tables, asked, answers):
    """Changes one value of a column at a time; the columns whose change no statement notices."""
    planted, missed = 0, []
    for table in tables:
        readers = [query for query in asked if query.number in answers and query.reads(table)]
        for name, kind in database.execute(f"SELECT column_name, data_type FROM information_schema.columns WHERE table_schema || '.' || table_name = '{table}'").fetchall():
            rowids = database.execute(f'SELECT rowid FROM {table} WHERE "{name}" IS NOT NULL ORDER BY hash(rowid) LIMIT 1').fetchall()
            if not rowids:
                continue
            change = CHANGES[sqltypes.parse(kind).kind].format(f'"{name}"')
            database.execute("BEGIN")
            database.execute(f'UPDATE {table} SET "{name}" = {change} WHERE rowid = {rowids[0][0]}')
            planted += 1
            if not any(notices(database, query, answers[query.number]) for query in readers):
                missed.append(f"{table}.{name}")
            database.execute("ROLLBACK")
    say(f"a changed value is noticed in {planted - len(missed)} of {planted} columns")
    return missed


def notices(database, query, mine):
    try:
        return difference(mine, Answer.theirs(database, query.theirs), query.ordered) is not None
    except duckdb.Error:
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="folder with mesh and the domains' programs")
    parser.add_argument("--kafka", help="an empty Kafka cluster instead of the embedded broker")
    parser.add_argument("--plant", action="store_true", help="change values afterwards, which must be noticed")
    parser.add_argument("--work", type=pathlib.Path, help="a folder with a mesh that an earlier run has left there, or to leave it in")
    parser.add_argument("--only", help="pattern of numbers and files, to look at some statements alone")
    options = parser.parse_args()
    programs = options.programs.resolve()

    asked = queries.load(HERE)
    variants = [query for query in asked if query.theirs != query.ours]
    if options.only:
        asked = [query for query in asked if re.search(options.only, f"{query.number:03} {query.file}")]
    else:
        expect(len(asked) >= LEAST, f"{len(asked)} statements are less than {LEAST}")
        expect(len({query.ours for query in asked}) == len(asked), "a statement stands twice")
        expect(len(variants) <= MOST_VARIANTS * len(asked), f"{len(variants)} statements are asked of DuckDB in other words")

    with tempfile.TemporaryDirectory() as folder:
        work = (options.work or pathlib.Path(folder)).resolve()
        work.mkdir(exist_ok=True)
        if not (work / "mesh").exists():
            mesh = demo.demo(programs, ROOT, work, options.kafka)
            try:
                say("the demo is up")
                tables = mesh.tables()
                demo.live(mesh)
                demo.settled(mesh, tables)
            finally:
                mesh.stop()
        mesh = demo.platform(programs, work, options.kafka)
        try:
            say("the domains have ended; the platform is up")
            tables = mesh.tables()
            database = load(mesh, tables, work)
            answers, failed, empty = compare(mesh, database, asked)
            say(f"{len(variants)} statements are asked of DuckDB in other words; {len(empty)} answers have no rows")
            missed = plant(database, tables, asked, answers) if options.plant else []
        finally:
            mesh.stop()
    expect(not failed, f"{failed} statements are not answered as DuckDB does")
    expect(len(empty) <= MOST_EMPTY, f"the answers to {empty} have no rows")
    expect(not missed, f"no statement depends on {', '.join(missed)}")
    say("sql-equal: all pass")


if __name__ == "__main__":
    sys.exit(main())
