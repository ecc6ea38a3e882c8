"""A model that cannot be run, or lacks a published column, is refused in one line that names its file."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from harmonia.errors import HarmoniaError
from warehouse.count import table_models
from warehouse.count.table_models import TableModel, TableModelDatabase, make_table_model_from_query, read_sql_models


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models with one file."""
    (tmp_path / "facts").mkdir()
    (tmp_path / "macros.sql").write_text("SELECT 1")
    (tmp_path / "facts" / "fact_case.sql").write_text("")
    monkeypatch.setattr(table_models, "FOLDER", tmp_path)
    return tmp_path


def test_a_statement_that_is_no_query_is_refused_with_its_line() -> None:
    with pytest.raises(HarmoniaError, match=r"the statement of broken, line 2: .*correct it"):
        make_table_model_from_query("broken", "SELECT 1 AS one\nFRON nothing")


def test_a_model_that_duckdb_cannot_run_is_refused_with_its_file(folder: Path) -> None:
    wrong = TableModel("fact_case", frozenset(), "SELECT absent FROM range(3)")
    with duckdb.connect() as connection, pytest.raises(HarmoniaError, match=r"facts/fact_case\.sql: .*absent.*correct it"):
        TableModelDatabase(connection, {"fact_case": wrong}).run("fact_case")


def test_a_model_without_a_published_column_is_refused(folder: Path) -> None:
    renamed = TableModel("fact_case", frozenset(), "SELECT range AS number FROM range(3)")
    schema = pa.schema([("number", pa.int64()), ("case_id", pa.string())])
    with duckdb.connect() as connection, pytest.raises(HarmoniaError, match=r"fact_case\.sql: gives no case_id, .*tables\.py"):
        list(TableModelDatabase(connection, {"fact_case": renamed}).read_batches("fact_case", schema))


def test_every_model_is_read_as_one_query() -> None:
    assert all(model.sql for model in read_sql_models().values())
