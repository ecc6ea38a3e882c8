"""How far a published warehouse is from the truth."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from count_world import World

from harmonia.errors import HarmoniaError
from warehouse.count import compute_published_tables
from warehouse.publish import publish_stores
from warehouse.score import STRATEGY, compare_records_with_truth, compute_pairwise_accuracy, score_warehouse
from warehouse.stores import arrange_stores, make_persons_table_of_identity_store


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(("2013-Q1",))
    world.case("police", "A", "ours1", reported="2013-01-05", sent="2013-01-09", group="trafficking", form="sexual")
    world.case("police", "B", "ours2", reported="2013-01-06", group="other")
    world.person("police", "A/1", "p", file="A", sex="male").person("police", "B/1", "p", file="B")
    inputs, folder = world.inputs(), tmp_path_factory.mktemp("home")
    stores = arrange_stores(
        compute_published_tables(inputs), make_persons_table_of_identity_store(inputs.canonical, inputs.cases, inputs.persons), b"k" * 32
    )
    publish_stores(stores, folder)
    return folder


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    (tmp_path / "statistics.csv").write_text(
        "indicator,period,offence_group,form,sex,age_group,citizenship_group,as_reported,harmonised\n"
        "cases_registered,2013,total,total,total,total,total,2,1\n"
        "cases_registered,2013,trafficking,total,total,total,total,1,1\n"
        "suspects_registered,2013,total,total,total,total,total,2,1\n"
    )
    (tmp_path / "records.csv").write_text(
        "institution,entity,record_key,case_id,person_id,delivery,expected_status,alt_status\n"
        "police,case,A,C1,,2013-Q1,accepted,\n"
        "police,case,B,C1,,2013-Q1,superseded,\n"
        "police,person,A/1,C1,P1,2013-Q1,superseded,accepted\n"
        "police,person,B/1,C1,P1,2013-Q1,accepted,\n"
        "police,person,B/2,C1,P2,2013-Q1,accepted,\n"
        "police,person,B/3,C1,P3,2013-Q1,unparseable,\n"
    )
    (tmp_path / "reconciliation.csv").write_text(
        "step,period,case_id,person_id,outcome,detail\npolice_prosecution,2013-Q1,C1,,missing_downstream,lost\n"
    )
    return tmp_path


def test_records_and_figures_are_compared_and_each_miss_is_listed(home: Path, truth: Path) -> None:
    found = score_warehouse(home / "warehouse.duckdb", truth)
    assert found.missing["record_key"].tolist() == ["B/2"]
    assert found.wrong_status[["record_key", "status", "expected_status"]].to_numpy().tolist() == [["B", "accepted", "superseded"]]
    errors = found.errors.set_index(["table", "length", "measure"])
    assert errors.loc[("total", "years", "harmonised"), ["wrong", "off", "of"]].tolist() == [1, 1, 2]
    assert errors.loc[("total", "years", "as_reported"), "off"] == 0
    assert found.pairs.set_index("entity").loc["person", "f1"] == 1.0
    assert found.pairs.set_index("entity").loc["case", ["precision", "recall", "f1"]].tolist() == [1.0, 0.0, 0.0]
    assert found.reconciliation[["step", "ours", "true", "equal"]].to_numpy().tolist() == [["police_prosecution", 1, 1, 1]]
    assert found.strategy.empty  # the truth does not carry the strategy's figures


def test_the_score_reads_as_text(home: Path, truth: Path) -> None:
    text = str(score_warehouse(home / "warehouse.duckdb", truth))
    assert "1 missing, 1 with a wrong status" in text
    assert "harmonised 50.00% off, row by row 100.00%" in text
    assert "B/2" in text
    assert "cases_registered" in text


def test_one_good_line_of_a_record_delivered_twice_is_enough() -> None:
    key = {"institution": "police", "entity": "case", "record_key": "A", "delivery": "2013-Q1"}
    lineage = pd.DataFrame([{**key, "status": "superseded"}, {**key, "status": "accepted"}])
    true = pd.DataFrame([{**key, "expected_status": "accepted", "alt_status": None}])
    missing, wrong, extra = compare_records_with_truth(lineage, true)
    assert (len(missing), len(wrong), len(extra)) == (0, 0, 0)


def test_pairwise_figures() -> None:
    ours, true = pd.Series(["a", "a", "a", "b"]), pd.Series(["x", "x", "y", "y"])
    assert compute_pairwise_accuracy(ours, true) == {"precision": 1 / 3, "recall": 1 / 2, "f1": pytest.approx(0.4)}


def test_the_strategy_has_sixteen_figures() -> None:
    figures = pd.read_csv(STRATEGY)
    assert len(figures) == 16
    assert figures["source"].notna().all()


@pytest.mark.parametrize("name", ["warehouse", "truth"])
def test_what_is_missing_is_reported_with_what_to_do(home: Path, truth: Path, tmp_path: Path, name: str) -> None:
    where = {"warehouse": home / "warehouse.duckdb", "truth": truth}
    where[name] = tmp_path / "nowhere"
    with pytest.raises(HarmoniaError, match="nowhere"):
        score_warehouse(where["warehouse"], where["truth"])


def test_a_truth_without_a_column_is_reported(home: Path, truth: Path) -> None:
    (truth / "records.csv").write_text("institution,entity\n")
    with pytest.raises(HarmoniaError, match="lacks the columns record_key"):
        score_warehouse(home / "warehouse.duckdb", truth)


def test_a_file_that_is_no_warehouse_is_reported(truth: Path, tmp_path: Path) -> None:
    (tmp_path / "warehouse.duckdb").write_text("no database")
    with pytest.raises(HarmoniaError, match="cannot be read as a warehouse"):
        score_warehouse(tmp_path / "warehouse.duckdb", truth)
