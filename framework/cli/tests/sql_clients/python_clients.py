"""The drivers of Python: psycopg 3 and 2, asyncpg, SQLAlchemy."""

import asyncio
import datetime
import decimal
import ssl
import threading
import time
import uuid

UTC = datetime.timezone.utc
SOLD_AT = datetime.datetime(2023, 11, 14, 22, 13, 20, 3, tzinfo=UTC)
#: Runs until it is stopped.
ENDLESS = "SELECT sum(a.value * b.value) FROM generate_series(1, 1000000) a CROSS JOIN generate_series(1, 1000000) b"
SALE = "SELECT sale_id, store, amount, status, sold_at, note FROM shop.sales WHERE sale_id = {}"
SALE_3 = (3, "south", decimal.Decimal("0.35"), "OPEN", SOLD_AT, "note 3")
STORES = "SELECT store, visits, area, open, opened_on, opens_at, labels, manager FROM shop.stores ORDER BY store"
STORES_ROWS = [
    ("north", 42, 12.5, True, datetime.date(2001, 2, 3), datetime.time(8, 30), ["a", 'b,"c"'], {"name": "Jo", "age": None}),
    ("south", 7, 0.1, False, None, None, [], None),
]


def equal(found, expected, what):
    assert found == expected, f"{what}: {found!r}, not {expected!r}"


def psycopg3(server):
    import psycopg

    for binary in (False, True):
        with psycopg.connect(**server.libpq()) as connection, connection.cursor(binary=binary) as cursor:
            cursor.execute(SALE.format("%s"), [3])
            equal(cursor.fetchall(), [SALE_3], "a sale")
            equal([column.name for column in cursor.description][:2], ["sale_id", "store"], "columns")
            equal(cursor.execute(STORES).fetchall(), STORES_ROWS, "stores")
            values = [1, 2**40, "tschüß", True, None, decimal.Decimal("-0.50"), 1.5, SOLD_AT, SOLD_AT.date(),
                      datetime.time(1, 2, 3), b"\x00\xff", ["a", None, "b"]]
            casts = "int, bigint, text, bool, text, numeric, float8, timestamptz, date, time, bytea, text[]".split(", ")
            sql = "SELECT " + ", ".join(f"%s::{cast}" for cast in casts)
            found = list(cursor.execute(sql, values).fetchone())
            found[5] = found[5].normalize()
            values[5] = values[5].normalize()
            equal(found, values, "values there and back")
            cursor.execute("SELECT count(*) FROM shop.sales WHERE store = ANY(%s) AND sale_id = ANY(%s)", [["north"], [1, 2, 4]])
            equal(cursor.fetchone(), (2,), "arrays as parameters")
            sql = "SELECT sum(amount), max(sold_at) FROM shop.sales WHERE amount > %s AND sold_at < %s"
            total, last = cursor.execute(sql, [decimal.Decimal("1.005"), SOLD_AT]).fetchone()
            equal((total, last), (None, None), "no rows")

    with psycopg.connect(**server.libpq()) as connection:
        # A cursor of the server, in a transaction.
        with connection.cursor("some rows") as cursor:
            cursor.itersize = 100
            rows = cursor.execute("SELECT sale_id FROM shop.sales ORDER BY 1")
            equal([row[0] for row in rows], list(range(500)), "rows of a cursor")
        equal(connection.info.transaction_status.name, "INTRANS", "the transaction")
        for sql, error in [
            ("SELECT * FROM shop.nothing", psycopg.errors.UndefinedTable),
            ("SELECT nothing FROM shop.sales", psycopg.errors.UndefinedColumn),
            ("SELECT 1/0", psycopg.errors.DivisionByZero),
            ("SELEC", psycopg.errors.SyntaxError),
            ("DROP TABLE shop.sales", psycopg.errors.InsufficientPrivilege),
        ]:
            try:
                connection.execute(sql)
                raise AssertionError(f"{sql} passes")
            except error:
                equal(connection.info.transaction_status.name, "INERROR", sql)
            connection.rollback()
        with connection.transaction(), connection.transaction():
            connection.execute("SELECT 1")

    with psycopg.connect(**server.libpq(), autocommit=True) as one, psycopg.connect(**server.libpq(), autocommit=True) as other:
        one.execute("SELECT count(*) FROM shop.sales WHERE sale_id < %s", [10], prepare=True)
        cursor = one.execute("SELECT count(*) FROM shop.sales WHERE sale_id < %s", [20], prepare=True)
        equal(cursor.fetchone(), (20,), "a prepared statement")
        for name in (b"_pg3_0", b"_pg3_1"):
            result = other.pgconn.exec_prepared(name, [b"1"])
            equal(result.error_field(psycopg.pq.DiagnosticField.SQLSTATE), b"26000", "another's statement")
        thread = threading.Thread(target=lambda: (time.sleep(0.5), one.cancel()))
        thread.start()
        try:
            one.execute(ENDLESS)
            raise AssertionError("it ends")
        except psycopg.errors.QueryCanceled:
            pass
        thread.join()
        equal(one.execute("SELECT 1").fetchone(), (1,), "after a cancel")


def psycopg2(server):
    import psycopg2
    import psycopg2.extras

    with psycopg2.connect(**server.libpq()) as connection, connection.cursor() as cursor:
        cursor.execute(SALE.format("%s"), [3])
        equal(cursor.fetchall(), [SALE_3], "a sale")
        cursor.execute(STORES)
        equal(cursor.fetchall(), STORES_ROWS, "stores")
        cursor.execute("SELECT count(*) FROM shop.sales WHERE store IN %s AND sold_at <= %s", [("north", "south"), SOLD_AT])
        equal(cursor.fetchone(), (4,), "parameters")
        with connection.cursor("named") as named:
            named.itersize = 50
            named.execute("SELECT sale_id FROM shop.sales ORDER BY 1")
            equal(sum(row[0] for row in named), sum(range(500)), "a named cursor")
        try:
            cursor.execute("SELECT * FROM shop.nothing")
            raise AssertionError("it passes")
        except psycopg2.errors.UndefinedTable as error:
            equal(error.pgcode, "42P01", "the state")
        connection.rollback()
        connection.set_session(readonly=True, autocommit=True)
        cursor.execute("SELECT 1")
    with psycopg2.connect(**server.libpq(), cursor_factory=psycopg2.extras.DictCursor) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM shop.sales")
        equal(cursor.fetchone()["count"], 500, "a column by its name")


def asyncpg(server):
    asyncio.run(_asyncpg(server))


async def _asyncpg(server):
    import asyncpg as driver

    words = {"host": server.host, "port": server.port, "user": server.user, "database": "mesh",
             "server_settings": {"mesh.purpose": "analysis"}, "ssl": False}
    if server.ca:
        words |= {"password": server.password, "ssl": ssl.create_default_context(cafile=server.ca)}
    one, other = await driver.connect(**words), await driver.connect(**words)
    equal(tuple(await one.fetchrow(SALE.format("$1"), 3)), SALE_3, "a sale")
    rows = [tuple(row) for row in await one.fetch(STORES)]
    expected = [(*row[:7], row[7] and '{"name":"Jo","age":null}') for row in STORES_ROWS]
    equal(rows, expected, "stores")
    key = uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
    values = [1, 2**40, "tschüß", True, None, decimal.Decimal("-0.50"), 1.5, SOLD_AT, SOLD_AT.date(), datetime.time(1, 2, 3), b"\x00\xff"]
    casts = "int, bigint, text, bool, text, decimal(9,2), float8, timestamptz, date, time, bytea".split(", ")
    sql = "SELECT " + ", ".join(f"${at}::{cast}" for at, cast in enumerate(casts, 1))
    equal(list(await one.fetchrow(sql, *values)), values, "values there and back")
    equal(await one.fetchval("SELECT $1::text", str(key)), str(key), "a text")
    equal(await one.fetchval("SELECT count(*) FROM shop.sales WHERE sale_id = ANY($1::bigint[])", [1, 2, 9999]), 2, "an array")
    statement = await one.prepare("SELECT sale_id, amount FROM shop.sales WHERE sale_id < $1 ORDER BY 1")
    equal([parameter.name for parameter in statement.get_parameters()], ["int8"], "parameters")
    equal([(attribute.name, attribute.type.name) for attribute in statement.get_attributes()],
          [("sale_id", "int8"), ("amount", "numeric")], "columns")
    async with one.transaction():
        found = [row[0] async for row in statement.cursor(120, prefetch=50)]
    equal(found, list(range(120)), "a cursor")
    try:
        await other.execute(f"EXECUTE {statement.get_name()}(1)")
        raise AssertionError("it is there")
    except driver.PostgresError:
        pass
    try:
        await asyncio.wait_for(one.fetch(ENDLESS), 0.5)
        raise AssertionError("it ends")
    except (asyncio.TimeoutError, TimeoutError):
        pass
    equal(await one.fetchval("SELECT 1"), 1, "after a cancel")
    try:
        await one.fetch("SELECT * FROM shop.nothing")
        raise AssertionError("it passes")
    except driver.UndefinedTableError:
        pass
    # As pools do between two users of a connection.
    await one.reset()
    equal(await one.fetchval("SHOW mesh.purpose"), "analysis", "the purpose after a reset")
    await one.close()
    await other.close()


def sqlalchemy(server):
    import sqlalchemy as sa

    for driver in ("psycopg", "psycopg2"):
        url = sa.URL.create(f"postgresql+{driver}", server.user, server.password, server.host, server.port, "mesh")
        words = server.libpq()
        engine = sa.create_engine(url, connect_args={name: words[name] for name in ("options", "sslmode", "sslrootcert") if name in words})
        inspector = sa.inspect(engine)
        equal("shop" in inspector.get_schema_names(), True, "schemas")
        equal(sorted(inspector.get_table_names("shop")), ["sales", "sales_v1", "stores", "stores_v1"], "tables")
        equal(inspector.get_view_names("shop"), [], "views")
        equal(inspector.has_table("sales", schema="shop"), True, "a table")
        equal(inspector.has_table("nothing", schema="shop"), False, "no table")
        columns = {column["name"]: column for column in inspector.get_columns("sales", "shop")}
        shown = [(name, repr(column["type"]), column["nullable"]) for name, column in columns.items()]
        equal(shown, [
            ("sale_id", "BIGINT()", False), ("store", "TEXT()", False), ("amount", "NUMERIC(precision=12, scale=2)", False),
            ("status", "TEXT()", False), ("sold_at", "TIMESTAMP(timezone=True)", False), ("note", "TEXT()", True),
        ], "columns")
        equal(columns["sale_id"]["comment"], "The sale's number.", "a comment")
        equal(inspector.get_table_comment("sales", "shop")["text"], "One sale in one store.", "a comment")
        equal(inspector.get_pk_constraint("stores", "shop")["constrained_columns"], ["store"], "a primary key")
        equal(inspector.get_pk_constraint("sales", "shop")["constrained_columns"], [], "no primary key of an event product")
        equal(inspector.get_foreign_keys("stores", "shop"), [], "foreign keys")
        equal(inspector.get_indexes("stores", "shop"), [], "indexes")
        sales = sa.Table("sales", sa.MetaData(), schema="shop", autoload_with=engine)
        query = sa.select(sales.c.store, sa.func.count(), sa.func.sum(sales.c.amount)).where(sales.c.sale_id < 100)
        with engine.connect() as connection:
            found = connection.execute(query.group_by(sales.c.store).order_by(sales.c.store)).all()
            equal([tuple(row) for row in found],
                  [("north", 50, decimal.Decimal("247.50")), ("south", 50, decimal.Decimal("252.50"))], "a query")
            row = connection.execute(sa.select(sales).where(sales.c.sale_id == 3)).one()
            equal(tuple(row), SALE_3, "a sale")
        engine.dispose()
