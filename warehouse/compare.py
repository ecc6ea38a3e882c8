"""Compare the DuckDB files of a publication with its PostgreSQL schemas, row by row.

Belongs here: counting the rows that only one of the two has. Does not belong here: deciding which of them is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from warehouse import postgres
from warehouse.reading import open_publication
from warehouse.stores import STORES

_MORE = "SELECT count(*) FROM (SELECT {0} FROM {1} EXCEPT ALL SELECT {0} FROM {2})"


def compare_stores(home: Path, url: str, stores: Iterable[str] = tuple(STORES)) -> pd.DataFrame:
    """Compare every table and view of `stores`. home: the home with the DuckDB files. url: the address of the PostgreSQL database.

    Columns out: store; table; rows: the number of rows in DuckDB; only_duckdb, only_postgresql: the number of rows that only this database
    has. Two nulls are equal, and no value is rounded. Raises `HarmoniaError` if one of the two databases cannot be read.
    """
    out = []
    for store in stores:
        with open_publication(home, store) as connection:
            for table, rows in postgres.read_tables(url, store):
                columns = ", ".join(f'"{column.name}"' for column in table.columns)
                connection.register("_server", rows)
                counts = [
                    connection.execute(asked).fetchall()[0][0]
                    for asked in (
                        f'SELECT count(*) FROM "{table.name}"',
                        _MORE.format(columns, f'"{table.name}"', "_server"),
                        _MORE.format(columns, "_server", f'"{table.name}"'),
                    )
                ]
                connection.unregister("_server")
                out.append((store, table.name, *counts))
    return pd.DataFrame(out, columns=["store", "table", "rows", "only_duckdb", "only_postgresql"])
