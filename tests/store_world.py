"""Made-up stores for tests of publishing and access: every table filled, of every institution, by the type of its columns. No persons.

`made(mark)` gives another content for every mark, and the mark in every table: a reader of two publishings sees two marks.
"""

from __future__ import annotations

from functools import cache

import pandas as pd
from sqlalchemy import BigInteger, Boolean, Column, Date, Double, Table

from sources.contract import institutions
from warehouse import tables
from warehouse.stores import Stores, arrange_stores

KEY = bytes(range(32))
SECRET_NAME, SECRET_NUMBER = "Emri-i-Shpikur", "1234567892"


def _values(table: Table, column: Column[object], of: list[str], numbers: list[int], mark: str) -> list[object]:
    """The cells of a column: `of` names each row's institution, `numbers` the row's place among its institution's."""
    name, both = column.name, list(zip(of, numbers, strict=True))
    plain = {BigInteger: list(numbers), Double: [float(n) for n in numbers], Boolean: [bool(n % 2) for n in numbers]}
    if type(column.type) in plain:
        return plain[type(column.type)]
    if isinstance(column.type, Date):
        return [pd.Timestamp("2013-01-01") + pd.Timedelta(days=n) for n in numbers]
    if name == "institution":
        return list(of)
    if name in tables.key_columns(table):
        return [f"KEY-{institution}-{n:03}" for institution, n in both]
    if name == "personal_number":
        return [SECRET_NUMBER] * len(of)
    if name.endswith("name"):
        return [f"{SECRET_NAME}-{institution}-{n}" for institution, n in both]
    if name in ("person_id", "case_id"):
        return [f"{name[0].upper()}-{institution}-{n:03}" for institution, n in both]
    return [f'{mark} {table.name}.{name}, "{n}"\n of {institution}' if n else "" for institution, n in both]


def rows(table: Table, mark: str, n: int) -> pd.DataFrame:
    """n rows of every institution; the last one of each holds nulls where it may."""
    of, numbers = [one for one in institutions() for _ in range(n)], [*range(n)] * len(institutions())
    out = pd.DataFrame({column.name: _values(table, column, of, numbers, mark) for column in table.columns}).astype("object")
    may_be_null = [column.name for column in table.columns if column.name not in ("institution", "case_id", "person_id")]
    out.loc[[number == n - 1 for number in numbers], may_be_null] = None
    return tables.conform_frame(table, out)


@cache
def made(mark: str = "one", n: int = 3) -> Stores:
    """Shared by all tests that ask for the same: none changes it."""
    published = {table.name: rows(table, mark, n) for table in tables.list_declared_tables_except_views(tables.WAREHOUSE)}
    return arrange_stores(published, rows(tables.PERSONS, mark, n), KEY)
