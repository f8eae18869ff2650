"""Reads a table of the history as any program would: counts and sums, as one line of JSON."""

import importlib.util
import json
import pathlib
import sys

import duckdb
from deltalake import DeltaTable

SUMS = """select count(*), sum(amount)::varchar, sum(sale_id)::bigint,
    count(distinct (_partition, _offset)), count(note),
    min(sold_at)::timestamp::varchar, max(sold_at)::timestamp::varchar,
    count(*) filter (status = 'PAID') from {}"""


def extension() -> str:
    """DuckDB's extension for Delta: the file in PyPI's duckdb-extension-delta, or its name."""
    found = importlib.util.find_spec("duckdb_extension_delta")
    for folder in (found and found.submodule_search_locations) or []:
        for file in pathlib.Path(folder).rglob("delta.duckdb_extension"):
            return str(file)
    return "delta"


def main() -> None:
    url, version = sys.argv[1], sys.argv[2]
    table = DeltaTable(url)
    if version == "merge":
        metrics = table.optimize.compact()
        table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
        print(json.dumps({"removed": metrics["numFilesRemoved"]}))
        return
    assert str(table.version()) == version, (table.version(), version)
    config = duckdb.connect()
    config.execute("set timezone = 'UTC'")
    rows = table.to_pyarrow_table()
    config.register("rows", rows)
    by_delta = config.execute(SUMS.format("rows")).fetchone()
    files = table.file_uris()
    config.execute("create view files as select * from read_parquet($$FILES$$)".replace(
        "$$FILES$$", json.dumps(files).replace('"', "'")))
    by_duckdb = config.execute(SUMS.format("files")).fetchone()
    try:
        config.execute(f"load '{extension()}'")
        by_extension = config.execute(SUMS.format(f"delta_scan('{url}')")).fetchone()
    except duckdb.Error:
        # DuckDB's own registry may be out of reach, and PyPI's copy of another version.
        by_extension = None
    names = [field.name for field in table.schema().fields]
    comments = {field.name: field.metadata.get("comment") for field in table.schema().fields}
    earlier = DeltaTable(url, version=1).to_pyarrow_table().num_rows
    pruned = table.to_pyarrow_table(filters=[("sale_id", "<", 100)]).num_rows
    print(json.dumps({
        "delta": by_delta, "duckdb": by_duckdb, "extension": by_extension, "columns": names,
        "comment": comments["sale_id"], "earlier": earlier, "pruned": pruned,
        "name": table.metadata().name, "files": len(files),
    }))


main()
