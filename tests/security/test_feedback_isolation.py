"""Without agreements an institution's feedback and what its role reads are the same whether the others delivered or not.

Sameness of every word and every state is more than a search for values: whatever could be inferred from texts, counts or states would
have to differ somewhere.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.contract import institutions
from sources.simulator import simulate
from warehouse import tables
from warehouse.access.matrix import OWN, find_role_by_name
from warehouse.reading import open_publication
from warehouse.stores import WAREHOUSE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two quarters of a hard set in which people come again and records disagree."""
    made = simulate(
        tmp_path_factory.mktemp("hard") / "set", seed=611, start=2013, years=1, cases_per_year=30, noise="hard", victims=True
    ).inbox
    for pattern in ("*/*-Q[34]*", "*/*-0[789]*", "*/*-1[012]*"):
        for delivery in made.glob(pattern):
            shutil.rmtree(delivery)
    return made


Told = dict[str, dict[str, list[dict[str, object]]]]
PERIODS = "period"
"""Which quarters are shown at all follows from what anybody delivered: rows of the institution's own quarters are compared."""


def read(institution: str, home: Path) -> dict[str, pd.DataFrame]:
    """Table -> what the institution's role reads of its own rows, in the order of its values."""
    reader = find_role_by_name(f"institution_{institution}")
    assert reader is not None
    own = [table for table in tables.list_declared_tables_except_views(tables.WAREHOUSE) if reader.visible_rows(WAREHOUSE, table) == OWN]
    out = {}
    with open_publication(home) as connection:
        for table in own:
            columns = ", ".join(f'"{name}"' for name in reader.readable_columns(WAREHOUSE, table))
            asked = f"SELECT {columns} FROM {table.name} WHERE institution = ? ORDER BY ALL"
            out[table.name] = connection.execute(asked, [institution]).df()
    return out


def read_feedback(inbox: Path, home: Path) -> Told:
    """Institution -> delivery -> its findings as handed over, all but what the clock says."""
    place = Workplace.from_paths(inbox, home)
    run_everything(place, SilentListener())
    out: dict[str, dict[str, list[dict[str, object]]]] = {}
    for path in sorted(place.home.feedback.glob("*/*/findings.json")):
        out.setdefault(path.parent.parent.name, {})[path.parent.name] = json.loads(path.read_text("utf-8"))["findings"]
    return out


@pytest.fixture(scope="module")
def together(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, Path]:
    home = tmp_path_factory.mktemp("together") / "home"
    return read_feedback(inbox, home), home


@pytest.mark.parametrize("institution", institutions())
def test_feedback_and_access_are_the_same_when_nobody_else_delivers(
    institution: str, inbox: Path, together: tuple[Told, Path], tmp_path: Path
) -> None:
    every, home = together
    for name in institutions():  # the others' folders stay, empty: an inbox without them is another thing
        (tmp_path / "inbox" / name).mkdir(parents=True)
    shutil.copytree(inbox / institution, tmp_path / "inbox" / institution, dirs_exist_ok=True)
    alone = read_feedback(tmp_path / "inbox", tmp_path / "home")
    assert set(alone) == {institution}
    assert alone[institution] == every[institution]
    assert any(alone[institution].values())
    for name, mine in read(institution, tmp_path / "home").items():
        rows = read(institution, home)[name]
        if PERIODS in rows:
            rows = rows[rows[PERIODS].isin(mine[PERIODS])].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, mine, check_dtype=False)
