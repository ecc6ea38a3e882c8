"""Every published table says whose rows it holds, every text column whether it holds record keys: who forgets it learns it here."""

from __future__ import annotations

import pytest
from sqlalchemy import Table, Text

from warehouse import tables

PUBLISHED = [*tables.WAREHOUSE.sorted_tables, *tables.IDENTITY.sorted_tables]
KEYLIKE = ("key", "number", "nr", "docket", "file_no", "numri")
PERSONAL = ("given_name", "surname", "full_name", "parent_name", "personal_number", "birth_date", "birth_year", "pseudonym")


@pytest.mark.parametrize("table", PUBLISHED, ids=lambda table: table.name)
def test_a_table_says_whose_rows_it_holds(table: Table) -> None:
    kinds = {"own", "shared", "reference"} if table.metadata is tables.WAREHOUSE else {"personal"}
    assert table.info.get("rows") in kinds, f"{table.name}: give it info=OWN, SHARED, REFERENCE or PERSONAL of warehouse.tables"
    if table.info["rows"] == "own":
        assert "institution" in table.columns, f"{table.name}: OWN needs a column `institution` that is never null"
    if table.info["rows"] == "reference":
        assert not {"case_id", "person_id"} & set(table.columns.keys()), f"{table.name}: speaks of cases or persons, is no REFERENCE"
        assert not tables.key_columns(table)


@pytest.mark.parametrize("table", PUBLISHED, ids=lambda table: table.name)
def test_every_column_says_whether_it_holds_record_keys(table: Table) -> None:
    for column in table.columns:
        if isinstance(column.type, Text):
            assert "record_key" in column.info, f"{column}: declare text columns with `warehouse.columns.text_column`"
        whose = column.info.get("record_key")
        assert not whose or whose in table.columns, f"{column}: `{whose}` should name the column with the key's institution"
        if table.metadata is tables.WAREHOUSE:
            assert column.name not in PERSONAL, f"{column}: personal data belongs in the identity store"
            looks_like_key = any(column.name == word or column.name.endswith(f"_{word}") for word in KEYLIKE)
            assert whose or not looks_like_key, f"{column}: looks like a record key; say key=True, or name it otherwise"
