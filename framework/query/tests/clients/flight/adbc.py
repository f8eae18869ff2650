"""The Flight SQL door as the ADBC driver sees it: logins, queries, parameters, the catalog, cancelling and
errors. The door has the tables of the tests of mesh-query: shop.sales with 500 rows, shop.stores with one."""

import argparse
import decimal
import threading

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
import pyarrow
from adbc_driver_flightsql import ConnectionOptions, DatabaseOptions

PURPOSE = {DatabaseOptions.RPC_CALL_HEADER_PREFIX.value + "mesh-purpose": "analysis"}


def connect(uri, **options):
    return flightsql.connect(uri, db_kwargs={**PURPOSE, **options}, autocommit=True)


def login(uri, name):
    return connect(uri, username=name, password=name * 2)


def fails(what, status, parts, work):
    try:
        work()
    except adbc_driver_manager.Error as error:
        text = str(error)
        assert error.status_code == status, f"{what}: {error.status_code}, not {status}: {text}"
        for part in parts:
            assert part in text, f"{what}: {part!r} is not in {text}"
        return text
    raise AssertionError(f"{what} succeeds")


def table(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table()


def logins(uri):
    Status = adbc_driver_manager.AdbcStatusCode
    wrong = lambda: connect(uri, username="anna", password="wrong")
    fails("a wrong password", Status.UNAUTHENTICATED, ["name or password is wrong"], wrong)
    nobody = connect(uri)
    fails("nobody", Status.UNAUTHENTICATED, ["log in"], lambda: table(nobody, "SELECT 1"))
    nobody.close()
    bearer = {DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer made-up"}
    guessed = connect(uri, **bearer)
    fails("a guessed token", Status.UNAUTHENTICATED, ["log in again"], lambda: table(guessed, "SELECT 1"))
    guessed.close()


def bearer(uri, token):
    connection = connect(uri, **{DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}"})
    assert table(connection, "SELECT count(*) AS n FROM shop.sales").to_pydict() == {"n": [500]}
    connection.close()


def queries(connection):
    found = table(connection, "SELECT sale_id, amount, status, sold_at FROM shop.sales ORDER BY sale_id")
    assert found.num_rows == 500
    assert found.schema.field("amount").type == pyarrow.decimal128(12, 2)
    assert found.schema.field("status").type == pyarrow.string()
    assert found["amount"][7].as_py() == decimal.Decimal("7.00")
    nested = table(connection, "SELECT labels, manager, stock FROM shop.stores").to_pylist()[0]
    assert nested["labels"] == ["a", 'b,"c"'] and nested["manager"]["name"] == "Jo", nested
    assert dict(nested["stock"]) == {"ink": 3, "pen": 7}, nested
    empty = table(connection, "SELECT * FROM shop.sales WHERE sale_id < 0")
    assert empty.num_rows == 0 and "note" in empty.column_names
    with connection.cursor() as cursor:
        cursor.execute("SELECT sale_id FROM shop.sales")
        rows = sum(batch.num_rows for batch in cursor.fetch_record_batch())
        assert rows == 500
        schema = cursor.adbc_execute_schema("SELECT store, amount * 2 AS twice FROM shop.sales")
        assert schema.names == ["store", "twice"], schema


def parameters(connection):
    sql = "SELECT sale_id FROM shop.sales WHERE amount = $1 AND sale_id < $2"
    for amount, below, expected in (("7.00", 100, [7]), ("8", 5, []), (decimal.Decimal("9.00"), 100, [9])):
        assert table(connection, sql, (amount, below))["sale_id"].to_pylist() == expected
    with connection.cursor() as cursor:
        schema = cursor.adbc_prepare(sql)
        assert [field.type for field in schema] == [pyarrow.decimal128(12, 2), pyarrow.int64()], schema
    Status = adbc_driver_manager.AdbcStatusCode
    text = fails(
        "a parameter of another type",
        Status.INVALID_ARGUMENT,
        ["$2", "BIGINT"],
        lambda: table(connection, sql, ("1", "zebra")),
    )
    assert "zebra" not in text, text


def catalog(connection):
    info = connection.adbc_get_info()
    assert info["vendor_name"] == "mesh", info
    for depth in ("catalogs", "db_schemas", "tables", "all"):
        objects = connection.adbc_get_objects(depth=depth).read_all().to_pylist()
        assert [one["catalog_name"] for one in objects] == ["mesh"], (depth, objects)
        if depth == "catalogs":
            continue
        schemas = objects[0]["catalog_db_schemas"]
        assert [one["db_schema_name"] for one in schemas] == ["shop"], (depth, schemas)
        if depth == "db_schemas":
            continue
        tables = {one["table_name"]: one for one in schemas[0]["db_schema_tables"]}
        assert {"sales", "stores"} <= set(tables), (depth, sorted(tables))
        assert tables["sales"]["table_type"] == "TABLE"
        if depth == "all":
            columns = {one["column_name"]: one for one in tables["sales"]["table_columns"]}
            assert columns["sale_id"]["ordinal_position"] == 1, columns
            assert columns["amount"]["xdbc_type_name"] in (None, "DECIMAL(12,2)"), columns["amount"]
    only = connection.adbc_get_objects(depth="tables", table_name_filter="stor%").read_all().to_pylist()
    names = [one["table_name"] for one in only[0]["catalog_db_schemas"][0]["db_schema_tables"]]
    assert all(name.startswith("stor") for name in names) and names, names
    assert connection.adbc_get_table_types() == ["TABLE"]
    schema = connection.adbc_get_table_schema("sales", db_schema_filter="shop")
    assert schema.field("status").type == pyarrow.string(), schema
    assert not schema.field("sale_id").nullable


def settings(connection):
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '5s'")
    assert table(connection, "SHOW statement_timeout").to_pylist() == [{"statement_timeout": "5000ms"}]
    with connection.cursor() as cursor:
        cursor.execute("RESET statement_timeout")
    session = ConnectionOptions.OPTION_SESSION_OPTION_PREFIX.value
    connection.adbc_connection.set_options(**{session + "mesh.corrupt_records": "skip"})
    assert connection.adbc_connection.get_option(session + "mesh.corrupt_records") == "skip"
    assert table(connection, "SHOW mesh.corrupt_records").to_pylist() == [{"mesh.corrupt_records": "skip"}]


def cancelling(connection):
    slow = "SELECT count(*) FROM shop.sales a, shop.sales b, shop.sales c WHERE a.amount + b.amount + c.amount < 0"
    with connection.cursor() as cursor:
        timer = threading.Timer(0.5, cursor.adbc_cancel)
        timer.start()
        Status = adbc_driver_manager.AdbcStatusCode

        def run():
            cursor.execute(slow)
            cursor.fetchall()

        fails("a cancelled statement", Status.CANCELLED, [], run)
        timer.join()
    assert table(connection, "SELECT 1 AS n").num_rows == 1, "the connection goes on"


def refusals(connection):
    Status = adbc_driver_manager.AdbcStatusCode
    for sql, status, part in (
        ("SELEC", Status.INVALID_ARGUMENT, "parse"),
        ("SELECT * FROM shop.nothing", Status.NOT_FOUND, "SHOW TABLES"),
        ("DROP TABLE shop.sales", Status.UNAUTHORIZED, "only statements that read"),
        ("SELECT 1 / sale_id FROM shop.sales", Status.INVALID_ARGUMENT, "NULLIF"),
    ):
        text = fails(sql, status, [part], lambda: table(connection, sql))
        assert "north" not in text, text
    with connection.cursor() as cursor:
        rows = pyarrow.table({"n": [1]})
        ingest = lambda: cursor.adbc_ingest("sales", rows, mode="append", db_schema_name="shop")
        fails("ingestion", Status.UNAUTHORIZED, ["the domain that owns it"], ingest)


def partitions(anna, bob):
    """The handle of one session is nothing to another."""
    Status = adbc_driver_manager.AdbcStatusCode
    with anna.cursor() as cursor:
        handles, _ = cursor.adbc_execute_partitions("SELECT 42 AS n")
        for other in bob:
            with other.cursor() as stranger:

                def read():
                    stranger.adbc_read_partition(handles[0])
                    stranger.fetchall()

                fails("the ticket of another session", Status.NOT_FOUND, ["nothing under this handle"], read)
        cursor.adbc_read_partition(handles[0])
        assert cursor.fetchall() == [(42,)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uri", required=True)
    parser.add_argument("--token", required=True, help="of a session of anna")
    args = parser.parse_args()
    logins(args.uri)
    bearer(args.uri, args.token)
    with login(args.uri, "anna") as anna:
        for check in (queries, parameters, catalog, settings, cancelling, refusals):
            check(anna)
            print(f"{check.__name__}: as they have to be", flush=True)
        with login(args.uri, "anna") as same, login(args.uri, "bob") as bob:
            partitions(anna, [same, bob])
    print(f"ADBC Flight SQL {adbc_driver_flightsql.__version__} reads the mesh")


if __name__ == "__main__":
    main()
