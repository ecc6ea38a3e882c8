"""Made-up stores for tests of publishing and access: every table filled, of every institution, by the type of its columns. No persons.

`made(mark)` gives another content for every mark, and the mark in every table: a reader of two publishings sees two marks.
"""

from __future__ import annotations

import pandas as pd
from sqlalchemy import BigInteger, Boolean, Date, Table

from schemas.canonical import INSTITUTIONS
from warehouse import tables
from warehouse.stores import Stores, arranged

KEY = bytes(range(32))
SECRET_NAME, SECRET_NUMBER = "Emri-i-Shpikur", "1234567892"


def _value(table: Table, column: str, institution: str, row: int, mark: str) -> str:
    if column == "institution":
        return institution
    if column in tables.key_columns(table):
        return f"KEY-{institution}-{row:03}"
    if column == "personal_number":
        return SECRET_NUMBER
    if column.endswith("name"):
        return f"{SECRET_NAME}-{institution}-{row}"
    if column in ("person_id", "case_id"):
        return f"{column[0].upper()}-{institution}-{row:03}"
    return f'{mark} {table.name}.{column}, "{row}"\n of {institution}' if row else ""


def rows(table: Table, mark: str, n: int) -> pd.DataFrame:
    """n rows of every institution; the last one of each holds nulls where it may."""
    out = []
    for institution in INSTITUTIONS:
        for row in range(n):
            cells: dict[str, object] = {}
            for column in table.columns:
                plain = {BigInteger: row, Boolean: bool(row % 2), Date: pd.Timestamp("2013-01-01") + pd.Timedelta(days=row)}
                cells[column.name] = plain.get(type(column.type), _value(table, column.name, institution, row, mark))
                required = column.name in ("institution", "case_id", "person_id") or not column.nullable or column.primary_key
                if row == n - 1 and not required:
                    cells[column.name] = None
            out.append(cells)
    return tables.conform(table, pd.DataFrame(out))


def made(mark: str = "one", n: int = 3) -> Stores:
    published = {table.name: rows(table, mark, n) for table in tables.stored(tables.WAREHOUSE)}
    return arranged(published, rows(tables.PERSONS, mark, n), KEY)
