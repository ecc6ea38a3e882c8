"""What analysts read is what is declared, and the commands that they are given work."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from test_star_build import world

from warehouse import tables
from warehouse.count import compute_published_tables
from warehouse.document import DOCS, render_generated_pages
from warehouse.publish import build_store_file
from warehouse.stores import ANALYSTS, STORES, WAREHOUSE, arrange_stores

COOKBOOK = (DOCS / "how-to" / "cookbook.md").read_text("utf-8")
QUERIES = re.findall(r"^## (\d+ .*?)$.*?^```sql\n(.*?)^```", COOKBOOK, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    stores = arrange_stores(compute_published_tables(world().inputs()), tables.conform_frame(tables.PERSONS, pd.DataFrame()), bytes(32))
    for name in (WAREHOUSE, ANALYSTS):
        build_store_file(folder / f"{name}.duckdb", list(STORES[name].tables.values()), stores[name])
    return folder


@pytest.mark.parametrize("path", list(render_generated_pages()), ids=lambda path: path.name)
def test_the_generated_pages_are_those_in_docs(path: Path) -> None:
    assert path.read_text("utf-8") == render_generated_pages()[path], "run `python -m warehouse.document`"


def test_every_table_view_and_column_is_explained() -> None:
    for table in tables.WAREHOUSE.tables.values():
        assert table.comment, table.name
        assert all(column.comment for column in table.columns), table.name


def test_the_published_comments_are_those_declared(home: Path) -> None:
    with duckdb.connect(str(home / "analysts.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal").fetchall()
    assert set(found) == {(table.name, c.name, c.comment) for table in STORES[ANALYSTS].tables.values() for c in table.columns}


def test_there_are_fifteen_questions() -> None:
    assert [title.split()[0] for title, _ in QUERIES] == [str(n) for n in range(1, 16)]


@pytest.mark.parametrize(("title", "sql"), QUERIES, ids=[title for title, _ in QUERIES])
def test_every_query_of_the_cookbook_runs_and_names_what_is_declared(title: str, sql: str, home: Path) -> None:
    with duckdb.connect(str(home / "analysts.duckdb"), read_only=True) as connection:
        assert isinstance(connection.execute(sql).df(), pd.DataFrame)
        assert connection.get_table_names(sql) <= set(tables.WAREHOUSE.tables)
        seen = connection.execute(sql).fetchall()
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute(sql).fetchall() == seen


def test_the_notebook_runs_from_top_to_bottom(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARMONIA_HOME", str(home))
    cells = json.loads((DOCS / "tutorial" / "first-steps.ipynb").read_text("utf-8"))["cells"]
    space: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert not cell["outputs"], "clear the outputs: they are figures"
            exec("".join(cell["source"]), space)
    assert isinstance(space["yearly"], pd.DataFrame)
    assert len(space["yearly"]) == 29
    assert {"share indicted"} <= set(space["attrition"].columns)  # type: ignore[attr-defined]
