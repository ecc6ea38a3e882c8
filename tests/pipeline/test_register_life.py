"""What registers do over the years: the sample `life-2014` against its truth."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from warehouse.score import score_warehouse

RECORD = ["institution", "record_key", "delivery"]


@pytest.fixture(scope="module")
def warehouse(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = Workplace.from_paths(shared / "deliveries" / "life-2014" / "inbox", tmp_path_factory.mktemp("life") / "home")
    run_everything(place, SilentListener())
    return place.home.warehouse


@pytest.fixture(scope="module")
def rows(warehouse: Path, shared: Path) -> pd.DataFrame:
    """Every row of a person that can be read: `person_id`, `status`, and the same of the truth with `true_` before."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        ours = connection.execute("FROM lineage WHERE entity = 'person' AND status <> 'quarantined'").df()
    records = shared / "deliveries" / "life-2014" / "truth" / "records.csv"
    truth = pd.read_csv(records, dtype="str").query("entity == 'person'").drop_duplicates(RECORD)
    true = truth[[*RECORD, "person_id", "expected_status"]].set_axis([*RECORD, "true_person", "true_status"], axis=1)
    return ours.drop_duplicates(RECORD).merge(true, on=RECORD)


@pytest.mark.slow
def test_figures_records_and_links_are_right(warehouse: Path, shared: Path) -> None:
    found = score_warehouse(warehouse, shared / "deliveries" / "life-2014" / "truth")
    errors = found.errors.set_index(["measure", "table", "length"])["share"]
    assert errors["as_reported"].eq(0).all()
    assert errors["harmonised", "total", "years"] <= 0.001
    assert found.missing.empty and found.wrong_status.empty
    f1 = found.pairs.set_index("entity")["f1"]
    assert f1["person"] >= 0.999 and f1["case"] >= 0.997


@pytest.mark.slow
def test_unknown_persons_have_no_person_and_nobody_else_has_none(rows: pd.DataFrame) -> None:
    assert rows["true_person"].isna().sum() > 30
    assert (rows["person_id"].isna() == rows["true_person"].isna()).all()


@pytest.mark.slow
def test_each_row_at_a_place_is_of_the_person_in_it(rows: pd.DataFrame) -> None:
    police = rows[rows["institution"] == "police"].dropna(subset=["true_person"])
    police = police.assign(file=police["record_key"].str.partition("/")[0])
    assert police.groupby("record_key")["true_person"].nunique().gt(1).sum() > 20  # places that changed hands
    for one, other in (("person_id", "true_person"), ("true_person", "person_id")):
        assert police.groupby(["file", one])[other].nunique().eq(1).all()


@pytest.mark.slow
def test_a_place_that_left_the_list_is_superseded(rows: pd.DataFrame) -> None:
    police = rows[rows["institution"] == "police"]
    assert (police["status"] == police["true_status"]).all()
